//! `/explain`: what a request would get and why, without a trace of having asked.

use http::Uri;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::support::*;

async fn explain_with(tintype: &Tintype, more: &[(&str, &str)]) -> (u16, Value) {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(more).finish();
    let answer = tintype.client.get(&tintype.admin_url(&format!("/explain?{query}")), &[]).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

async fn explain(tintype: &Tintype, url: &str) -> Value {
    let (status, explained) = explain_with(tintype, &[("url", url)]).await;
    assert_eq!(status, 200, "{explained}");
    explained
}

#[tokio::test]
async fn a_miss_a_hit_and_a_stale_answer_are_foretold() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("abc")
            .header("Cache-Control", "max-age=60, stale-while-revalidate=30")
            .header("Content-Type", "text/plain")
            .header("Age", "10")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let before = explain(&tintype, "/a?x=1").await;
    assert_eq!(before["route"]["name"], "all");
    assert_eq!(before["key"]["primary"], "all /a?x=1");
    assert_eq!((&before["key"]["path"], &before["key"]["query"]), (&json!("/a"), &json!("x=1")));
    assert_eq!((&before["now"]["answer"], &before["now"]["rule"]), (&json!("miss"), &json!("uri-miss")));
    assert_eq!((&before["stored"], &before["not_stored"]), (&Value::Null, &Value::Null));
    assert_eq!(origin.count(), 0);

    tintype.get("/a?x=1").await;
    tintype.later(20);
    let hit = explain(&tintype, &tintype.url("/a?x=1")).await;
    let now = &hit["now"];
    assert_eq!(
        (&now["answer"], &now["rule"], &now["tier"]),
        (&json!("hit"), &json!("fresh"), &json!("memory"))
    );
    assert_eq!((&hit["stored"]["status"], &hit["stored"]["bytes"]), (&json!(200), &json!(3)));
    assert_eq!(hit["stored"]["stored_at"], "2025-11-01T00:00:00Z");
    let freshness = &hit["freshness"];
    for (name, value) in [
        ("lifetime_seconds", json!(60)),
        ("lifetime_from", json!("max-age")),
        ("age_seconds", json!(30)),
        ("age_at_arrival_seconds", json!(10)),
        ("remaining_seconds", json!(30)),
        ("fresh_until", json!("2025-11-01T00:00:50Z")),
    ] {
        assert_eq!(freshness[name], value, "{name}");
    }
    assert_eq!(freshness["windows"]["stale_while_revalidate_seconds"], 30);

    tintype.later(35);
    let stale = explain(&tintype, "/a?x=1").await;
    let now = &stale["now"];
    assert_eq!((&now["answer"], &now["rule"]), (&json!("stale"), &json!("stale-while-revalidate")));
    assert_eq!(
        (&now["asks_origin"], &stale["freshness"]["stale_for_seconds"]),
        (&json!("behind"), &json!(5))
    );
    tintype.later(100);
    let late = explain(&tintype, "/a?x=1").await;
    let now = &late["now"];
    assert_eq!((&now["answer"], &now["rule"]), (&json!("miss"), &json!("stale")));

    // None of it was counted or fetched.
    let stats = tintype.stats().await;
    assert_eq!((&stats["traffic"]["requests"], origin.count()), (&json!(1), 1));
    assert_eq!(stats["traffic"]["hits"]["memory"], 0);
}

#[tokio::test]
async fn the_request_counts_too() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    for (more, answer, rule) in [
        (&[("header", "Cache-Control: no-cache")][..], "miss", "request"),
        (&[("header", "Cache-Control: max-age=0, only-if-cached")], "error", "only-if-cached"),
        (&[("method", "HEAD")], "hit", "fresh"),
        (&[("header", "Range: bytes=0-1")], "hit", "fresh"),
        (&[("method", "DELETE")], "bypass", "method"),
    ] {
        let asked: Vec<_> = [("url", "/a")].iter().chain(more).copied().collect();
        let (_, explained) = explain_with(&tintype, &asked).await;
        let now = &explained["now"];
        assert_eq!((&now["answer"], &now["rule"]), (&json!(answer), &json!(rule)), "{more:?}");
    }
    let (_, other) = explain_with(&tintype, &[("url", "/b"), ("method", "HEAD")]).await;
    assert_eq!(other["now"]["answer"], "bypass");
}

#[tokio::test]
async fn why_nothing_was_stored_is_remembered_until_something_is() {
    let origin = ScriptedOrigin::start(|request| {
        let fresh = Reply::ok("abc").header("Cache-Control", "max-age=60");
        match request.target.as_str() {
            "/no-store" => Reply::ok("abc").header("Cache-Control", "no-store"),
            "/private" => Reply::ok("abc").header("Cache-Control", "private, max-age=60"),
            "/vary-all" => fresh.header("Vary", "*"),
            "/set-cookie" => Reply::ok("abc").header("Set-Cookie", "a=b"),
            "/no-lifetime" => Reply::status(500),
            "/too-large" => Reply::ok("x".repeat(5000)).header("Cache-Control", "max-age=60"),
            "/too-large-unannounced" => {
                Reply::ok("x".repeat(5000)).header("Cache-Control", "max-age=60").chunked()
            }
            "/reset" => Reply::reset(),
            "/bad-response" => Reply::raw("nonsense\r\n\r\n"),
            "/broken-off" => {
                Reply::ok("abc").header("Cache-Control", "max-age=60").header("ETag", "\"1\"").length(9).cut()
            }
            "/mended" if request.index == 0 => Reply::ok("abc").header("Cache-Control", "no-store"),
            _ => fresh,
        }
    })
    .await;
    let toml = Tintype::toml(&origin, "")
        .replace("dir = \"\"", "dir = \"\"\nmax_stored_bytes = \"4KiB\"\nhold_for_tag = \"1KiB\"");
    let tintype = Tintype::of(&toml).await;
    tintype.get("/mended").await;
    assert_eq!(explain(&tintype, "/mended").await["not_stored"]["reason"], "no-store");
    tintype.later(200);
    tintype.get("/mended").await;
    assert_eq!(explain(&tintype, "/mended").await["not_stored"], Value::Null);

    for (path, fields, reason) in [
        ("/no-store", &[][..], "no-store"),
        ("/private", &[], "private"),
        ("/vary-all", &[], "vary-all"),
        ("/set-cookie", &[], "set-cookie"),
        ("/no-lifetime", &[], "no-lifetime"),
        ("/too-large", &[], "too-large"),
        ("/too-large-unannounced", &[], "too-large"),
        ("/reset", &[], "reset"),
        ("/bad-response", &[], "bad-response"),
        ("/broken-off", &[], "reset"),
        ("/request-no-store", &[("Cache-Control", "no-store")], "request-no-store"),
        ("/authorization", &[("Authorization", "Basic x")], "authorization"),
    ] {
        let _ = tintype.client.open("GET", &tintype.url(path), fields, "").await.finish().await;
        tintype.later(5);
        let explained = explain(&tintype, path).await;
        let not_stored = &explained["not_stored"];
        assert_eq!(not_stored["reason"], reason, "{path}: {explained}");
        assert_eq!(not_stored["seconds_ago"], 5, "{path}");
        assert!(not_stored["words"].as_str().is_some_and(|words| words.len() > 5), "{path}");
        assert_eq!(explained["stored"], Value::Null, "{path}");
    }
}

#[tokio::test]
async fn variants_are_listed_and_selected() {
    let origin = ScriptedOrigin::start(|request| {
        let language = request.header("accept-language").unwrap_or("none").to_owned();
        Reply::ok(language).header("Cache-Control", "max-age=60").header("Vary", "Accept-Language")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for language in ["de", "fr"] {
        tintype.get_with("/a", &[("Accept-Language", language)]).await;
    }
    let (_, german) = explain_with(&tintype, &[("url", "/a"), ("header", "Accept-Language: de")]).await;
    assert_eq!(german["now"]["answer"], "hit");
    assert_eq!(german["variants"]["selecting"], json!(["accept-language"]));
    let known = german["variants"]["known"].as_array().unwrap();
    let selected: Vec<&Value> = known.iter().filter(|variant| variant["selected"] == true).collect();
    assert_eq!((known.len(), selected.len()), (2, 1));
    assert_eq!(selected[0]["key"], german["key"]["selected"]);
    let other = explain(&tintype, "/a").await;
    assert_eq!((&other["now"]["answer"], &other["now"]["rule"]), (&json!("miss"), &json!("vary-miss")));
    assert_eq!(other["variants"]["known"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_purge_is_seen() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    assert_eq!(explain(&tintype, "/a").await["purge"]["purged"], false);
    tintype.purge("{\"url\": \"/a\"}").await;
    let purged = explain(&tintype, "/a").await;
    assert_eq!((&purged["purge"]["purged"], &purged["stored"]), (&json!(true), &Value::Null));
    assert_eq!(purged["now"]["answer"], "miss");

    tintype.get("/b").await;
    tintype.purge("{\"url\": \"/b\", \"mode\": \"soft\"}").await;
    let softened = explain(&tintype, "/b").await;
    assert_eq!(softened["purge"]["stale_by_purge"], true);
    assert_eq!((&softened["now"]["answer"], &softened["now"]["rule"]), (&json!("miss"), &json!("stale")));
    let scraped = tintype.client.get(&tintype.admin_url("/metrics"), &[]).await.text();
    assert!(scraped.contains("tintype_measured_purges_total 2\n"), "{scraped}");
}

#[tokio::test]
async fn what_lies_on_disk_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=600")).await;
    let dir = format!(
        "dir = {:?}\ndisk = \"64MiB\"\nblock = \"4MiB\"\nmax_stored_bytes = \"1MiB\"\nhold_for_tag = \"1MiB\"",
        folder.path()
    );
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", &dir);
    let tintype = Tintype::of(&toml).await;
    tintype.get("/a").await;
    tintype.stop().await;
    let tintype = Tintype::of(&toml).await;
    for _ in 0..2 {
        let explained = explain(&tintype, "/a").await;
        let now = &explained["now"];
        assert_eq!((&now["answer"], &now["tier"]), (&json!("hit"), &json!("disk")));
    }
    assert_eq!(tintype.stats().await["store"]["memory_records"], 0);
    let answer = tintype.get("/a").await;
    assert!(answer.header("cache-status").is_some_and(|status| status.contains("detail=disk")));
    tintype.stop().await;
}

#[tokio::test]
async fn the_canonical_parameters_of_a_capture_are_told() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    let tintype =
        Tintype::with(&origin, "capture = true\nonly_pictures = false\ndialect = \"tintype\"\n").await;
    let url = "/shot?width=800&url=https://example.com&ttl=60&viewport_height=720";
    let explained = explain(&tintype, url).await;
    assert_eq!(explained["route"]["reads_as"], "tintype");
    assert_eq!(explained["wishes"]["ttl_seconds"], 60);
    assert_eq!(explained["wishes"]["page"], "https://example.com/");
    let parameters = explained["key"]["parameters"].as_array().unwrap();
    assert!(parameters.contains(&json!(["width", "800"])), "{parameters:?}");
    assert!(parameters.iter().all(|pair| pair[0] != "ttl"), "{parameters:?}");

    // The key is the one that is stored under, and a page can be asked about.
    tintype.get(url).await;
    assert_eq!(explain(&tintype, url).await["now"]["answer"], "hit");
    tintype.get("/?url=https://example.com").await;
    let (_, of_page) = explain_with(&tintype, &[("target", "https://example.com")]).await;
    assert_eq!(of_page["now"]["answer"], "hit", "{of_page}");
}

#[tokio::test]
async fn a_request_to_the_control_plane_can_be_its_own_question() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a?b=1").await;
    let answer = tintype.client.get(&tintype.admin_url("/a?b=1&explain"), &[]).await;
    let explained: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&explained["key"]["primary"], &explained["now"]["answer"]),
        (&json!("all /a?b=1"), &json!("hit"))
    );
    let uri: Uri = explained["request"]["url"].as_str().unwrap().parse().unwrap();
    assert_eq!(uri.path(), "/a");
    // On the data plane it is nothing special.
    assert_eq!(tintype.get("/a?explain").await.text(), "abc");
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc")).await;
    let toml = Tintype::toml(&origin, "").replace("path = \"/\"", "path = \"/shots\"");
    let tintype = Tintype::of(&toml).await;
    for asked in [
        &[][..],
        &[("url", "")],
        &[("url", "nonsense")],
        &[("url", "ftp://e.x/")],
        &[("target", "https://e.x")],
        &[("url", "/a"), ("header", "nonsense")],
        &[("url", "/a"), ("method", "not a method")],
        &[("url", "/a"), ("other", "x")],
    ] {
        let (status, problem) = explain_with(&tintype, asked).await;
        assert_eq!(status, 400, "{asked:?}: {problem}");
    }
    let (status, nowhere) = explain_with(&tintype, &[("url", "/a")]).await;
    assert_eq!((status, &nowhere["now"]["rule"], &nowhere["route"]), (200, &json!("no-route"), &Value::Null));
    let (_, long) = explain_with(&tintype, &[("url", &format!("/shots/{}", "x".repeat(17_000)))]).await;
    assert_eq!(long["now"]["rule"], "uri-too-long");
}

#[tokio::test]
async fn the_matched_rule_is_told() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    let rules = "capture = true\nonly_pictures = false\n[[route.all.rules]]\nname = \"docs\"\nhost = [\"docs.example.com\"]\nttl = \"1h\"\noverride = true\n\
                 [[route.all.rules]]\nname = \"never\"\nhost = [\"live.example.com\"]\nttl = \"never\"\n";
    let tintype = Tintype::with(&origin, rules).await;
    let docs = "/shot?url=https://docs.example.com/";
    tintype.get(docs).await;
    let explained = explain(&tintype, docs).await;
    assert_eq!(explained["rule"]["matched"], "docs");
    assert!(explained["rule"]["overruled"].as_str().is_some_and(|told| told.contains("docs")), "{explained}");
    let freshness = &explained["freshness"];
    assert_eq!((&freshness["lifetime_seconds"], &freshness["lifetime_from"]), (&json!(3600), &json!("rule")));

    let live = "/shot?url=https://live.example.com/";
    tintype.get(live).await;
    let explained = explain(&tintype, live).await;
    assert_eq!(
        (&explained["rule"]["matched"], &explained["rule"]["refused"]),
        (&json!("never"), &json!("rule"))
    );
    assert_eq!((&explained["now"]["answer"], &explained["now"]["rule"]), (&json!("bypass"), &json!("rule")));
    assert_eq!(explained["not_stored"]["reason"], "rule");
}
