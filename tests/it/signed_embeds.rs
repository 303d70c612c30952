//! Signed links and API keys (docs/SIGNING.md):
//! - what is not signed, altered, expired, of an unknown key, of another size or method gets 403, and the origin hears nothing of it;
//! - `never` and `stale` never lead to a request to the origin, whatever road there is: force, no-cache, HEAD, ranges, conditions, staleness,
//!   early refresh, refresh ahead, stale-while-revalidate, purges; what is not stored is 404;
//! - with `allow` a link gives one picture: who follows it cannot have it taken anew;
//! - keys change without anything stored being lost; a key that is gone, or a link that has expired, is refused on the short way too;
//! - API keys are taken by three ways, sent on by none, and what they get is private; they may what links by their key may;
//! - rates hold for each key (B19);
//! - browsers and CDNs are told lifetimes that end with the link (B02).

use ::tintype::policy::signing::own::{self, Grant};
use ::tintype::policy::signing::sizes::Sizes;
use ::tintype::policy::signing::{Render, Secret};
use std::time::Duration;

use serde_json::Value;

use crate::support::*;

const WEB: &str = "correct-horse-battery";
const NEW: &str = "another-secret-of-ours";
const PAGE: &str = "url=https%3A%2F%2Fpage.example%2F";

/// A link to a picture of `query`, at the path of all of them.
pub(crate) fn link(query: &str, key: &str, secret: &str, render: Render) -> String {
    limited(query, key, secret, render, None, None)
}

fn limited(
    query: &str,
    key: &str,
    secret: &str,
    render: Render,
    expires: Option<u64>,
    sizes: Option<&str>,
) -> String {
    let sizes: Option<Sizes> = sizes.map(|sizes| sizes.parse().expect("sizes"));
    let grant = Grant { key, expires, render, sizes: sizes.as_ref() };
    let signed = own::sign("/screenshot", query, &grant, &Secret::new(secret.into())).expect("a link");
    format!("/screenshot?{signed}")
}

async fn pictures() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        Reply::ok(format!("picture {}", request.target))
            .header("Content-Type", "image/png")
            .header("Cache-Control", "max-age=600, stale-while-revalidate=60")
    })
    .await
}

/// Settings of the route, then keys.
fn settings(route: &str) -> String {
    format!(
        "dialect = \"tintype\"\ncapture = true\nonly_pictures = false\npreset = \"none\"\nearly_refresh = 0.0\n{route}\n\
         [keys.web]\nsecret = \"{WEB}\"\n[keys.new]\nsecret = \"{NEW}\"\n"
    )
}

fn reason(answer: &Answer) -> String {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem["reason"].as_str().unwrap_or("-").to_owned()
}

#[tokio::test]
async fn what_is_not_signed_gets_403_and_nothing_is_rendered() {
    let origin = pictures().await;
    let tintype = Tintype::with(&origin, &settings("auth = \"signed\"")).await;
    let now = START.as_secs();
    let good = limited(PAGE, "web", WEB, Render::Allow, Some(now + 60), None);
    let sized = limited(PAGE, "web", WEB, Render::Allow, None, Some("800x600"));
    for (target, expected) in [
        (format!("/screenshot?{PAGE}"), "unsigned"),
        (format!("/screenshot?{PAGE}&key=web"), "unsigned"),
        (format!("/screenshot?{PAGE}&signature=x"), "unsigned"),
        (format!("/screenshot?{PAGE}&api_key=x&access_key=web"), "unsigned"),
        (good.replace("page.example", "other.example"), "altered"),
        (good.replace("/screenshot", "/screenshots"), "altered"),
        (good.replace("key=web", "key=new"), "altered"),
        (format!("{good}&width=5"), "altered"),
        (format!("{good}0"), "altered"),
        (good.replace("allow", "never"), "altered"),
        (link(PAGE, "gone", WEB, Render::Allow), "unknown-key"),
        (link(PAGE, "new", WEB, Render::Allow), "altered"),
        (limited(PAGE, "web", WEB, Render::Allow, Some(now), None), "expired"),
        (sized.clone(), "size-not-allowed"),
        (format!("{sized}&width=800&height=601"), "size-not-allowed"),
    ] {
        let answer = tintype.get(&target).await;
        assert_eq!((answer.status, reason(&answer).as_str()), (403, expected), "{target}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    // A signature covers a GET without content.
    let json = [("content-type", "application/json")];
    for (method, fields, body) in [
        ("POST", &json[..], "{\"width\":5}"),
        ("DELETE", &[], ""),
        ("OPTIONS", &[], ""),
        ("PUT", &[], "x"),
        ("GET", &[], "x"),
    ] {
        let answer = tintype.client.request(method, &tintype.url(&good), fields, body).await;
        assert_eq!((answer.status, reason(&answer).as_str()), (403, "unsigned"), "{method}");
    }
    assert_eq!(origin.count(), 0);
    assert_eq!(tintype.stats().await["origin"]["requests"].as_u64().unwrap_or(0), 0);
    assert_eq!(tintype.get(&good).await.status, 200);
    assert_eq!(tintype.get(&format!("{sized}&width=800&height=600")).await.status, 200);
    assert_eq!(origin.count(), 2);
    // What the origin is asked has nothing of the link.
    assert_eq!(origin.requests()[0].target, format!("/screenshot?{PAGE}"));
    tintype.stop().await;
}

#[tokio::test]
async fn a_link_that_may_not_render_never_does() {
    let origin = pictures().await;
    let toml =
        settings("auth = \"signed\"\nrefresh_ahead = 10\nrefresh_ahead_hits = 1\nstale_if_error = \"1h\"");
    let tintype = Tintype::with(&origin, &toml.replace("early_refresh = 0.0", "early_refresh = 100.0")).await;
    let wishes = [
        "",
        "&force=true",
        "&no_cache=true",
        "&ttl=0",
        "&cache=false",
        "&ttl=1&stale_ttl=1",
        "&fail_on_status=none",
    ];
    let fields: [&[(&str, &str)]; 7] = [
        &[],
        &[("cache-control", "no-cache")],
        &[("cache-control", "max-age=0"), ("pragma", "no-cache")],
        &[("cache-control", "no-store")],
        &[("range", "bytes=0-1")],
        &[("if-none-match", "\"x\"")],
        &[("if-range", "\"x\""), ("range", "bytes=0-1"), ("authorization", "Bearer x"), ("cookie", "a=b")],
    ];
    let all = async |render: Render| {
        let mut seen = Vec::new();
        for wish in wishes {
            let target = link(&format!("{PAGE}{wish}"), "web", WEB, render);
            for fields in fields {
                for method in ["GET", "HEAD"] {
                    let answer = tintype.client.request(method, &tintype.url(&target), fields, "").await;
                    // One that other parameters make another picture of is not stored.
                    if wish != "&fail_on_status=none" {
                        seen.push(answer.status);
                    } else {
                        assert_eq!(answer.status, 404);
                    }
                }
            }
        }
        seen.sort_unstable();
        seen.dedup();
        seen
    };
    for render in [Render::Never, Render::Stale] {
        assert_eq!(all(render).await, [404], "nothing is stored");
    }
    assert_eq!(origin.count(), 0);
    let empty = tintype.get(&link(PAGE, "web", WEB, Render::Stale)).await;
    assert_eq!((reason(&empty).as_str(), empty.header("cache-control")), ("not-rendered", Some("no-store")));

    let allowed = link(PAGE, "web", WEB, Render::Allow);
    assert_eq!(tintype.get(&allowed).await.status, 200);
    assert_eq!(origin.count(), 1);
    // Fresh; at its end, where an early refresh is all but certain; within stale-while-revalidate; beyond.
    for (later, never) in [
        (0, [200, 206]),
        (599_995, [200, 206]),
        (2_005, [200, 206]),
        (100_000, [404, 404]),
        (100_000_000, [404, 404]),
    ] {
        tintype.clock.advance(Duration::from_millis(later));
        let mut expected = never.to_vec();
        expected.dedup();
        assert_eq!(all(Render::Never).await, expected, "{later}");
        assert_eq!(all(Render::Stale).await, [200, 206], "{later}");
        assert_eq!(origin.count(), 1, "{later}");
    }
    let stale = tintype.get(&link(PAGE, "web", WEB, Render::Stale)).await;
    assert_eq!((stale.header("x-cache"), stale.header("age")), (Some("STALE"), Some("100702")));
    // A purge is a purge.
    tintype.purge("{\"url\":\"https://page.example/\"}").await;
    assert_eq!(all(Render::Stale).await, [404]);
    // Nothing is under way behind it either: what may ask is the next to do so.
    assert_eq!(tintype.get(&allowed).await.status, 200);
    assert_eq!(origin.count(), 2);
    tintype.stop().await;
}

/// However often a link that renders nothing is followed, its picture is not fetched ahead for it.
#[tokio::test]
async fn nothing_is_fetched_ahead_for_a_link_that_may_not_render() {
    let origin = pictures().await;
    let tintype =
        Tintype::with(&origin, &settings("auth = \"signed\"\nrefresh_ahead = 10\nrefresh_ahead_hits = 1"))
            .await;
    let other = format!("{PAGE}&width=5");
    for page in [PAGE, &other] {
        assert_eq!(tintype.get(&link(page, "web", WEB, Render::Allow)).await.status, 200);
    }
    for render in [Render::Never, Render::Stale] {
        for _ in 0..5 {
            assert_eq!(tintype.get(&link(PAGE, "web", WEB, render)).await.header("x-cache"), Some("HIT"));
        }
    }
    for _ in 0..5 {
        assert_eq!(
            tintype.get(&link(&other, "web", WEB, Render::Allow)).await.header("x-cache"),
            Some("HIT")
        );
    }
    // Both are due; that the one comes says that the other was looked at too, and before it.
    tintype.clock.advance(Duration::from_millis(599_500));
    let asked = origin.received(3).await;
    assert!(asked[2].target.contains("width=5"), "{}", asked[2].target);
    tintype.stop().await;
    assert_eq!(origin.count(), 3);
}

#[tokio::test]
async fn what_the_origin_forbids_to_use_stale_is_not() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("picture").header("Cache-Control", "max-age=60, must-revalidate").header("ETag", "\"a\"")
    })
    .await;
    let tintype = Tintype::with(&origin, &settings("auth = \"signed\"")).await;
    tintype.get(&link(PAGE, "web", WEB, Render::Allow)).await;
    let stale = link(PAGE, "web", WEB, Render::Stale);
    assert_eq!(tintype.get(&stale).await.status, 200);
    tintype.later(61);
    assert_eq!(tintype.get(&stale).await.status, 404);
    assert_eq!(origin.count(), 1);
    tintype.stop().await;

    let origin =
        ScriptedOrigin::start(|_| Reply::ok("picture").header("Cache-Control", "max-age=60, no-cache")).await;
    let tintype = Tintype::with(&origin, &settings("auth = \"signed\"")).await;
    assert_eq!(tintype.get(&link(PAGE, "web", WEB, Render::Allow)).await.status, 200);
    assert_eq!((tintype.get(&stale).await.status, origin.count()), (404, 1));
    tintype.stop().await;
}

#[tokio::test]
async fn the_key_says_what_a_link_may_at_most() {
    let origin = pictures().await;
    let more =
        settings("auth = \"signed\"") + "render = \"never\"\nhosts = [\"page.example\", \"*.sub.example\"]\n";
    let tintype = Tintype::with(&origin, &more).await;
    for render in [Render::Allow, Render::Stale, Render::Never] {
        let answer = tintype.get(&link(PAGE, "new", NEW, render)).await;
        assert_eq!((answer.status, reason(&answer).as_str()), (404, "not-rendered"));
    }
    for (page, expected) in [
        ("url=https://a.sub.example/", "not-rendered"),
        ("url=https://sub.example/", "host-not-allowed"),
        ("url=https://page.example.other/", "host-not-allowed"),
        ("url=https://homepage.example/", "host-not-allowed"),
        ("url=https://a.page.example/", "host-not-allowed"),
        ("html=hello", "host-not-allowed"),
    ] {
        let answer = tintype.get(&link(page, "new", NEW, Render::Allow)).await;
        assert_eq!(reason(&answer), expected, "{page}");
    }
    assert_eq!(origin.count(), 0);
    tintype.stop().await;
}

#[tokio::test]
async fn who_follows_a_link_decides_nothing() {
    let origin = pictures().await;
    let tintype = Tintype::with(&origin, &settings("auth = \"signed\"")).await;
    let target = link(PAGE, "web", WEB, Render::Allow);
    let strange = [
        ("cache-control", "no-cache, no-store, max-age=0"),
        ("pragma", "no-cache"),
        ("authorization", "Basic eDp5"),
        ("cookie", "a=b"),
        ("x-api-key", "k"),
    ];
    assert_eq!(tintype.get_with(&target, &strange).await.header("x-cache"), Some("MISS"));
    assert_eq!(tintype.get_with(&target, &strange).await.header("x-cache"), Some("HIT"));
    let asked = origin.received(1).await;
    for name in ["authorization", "cookie", "x-api-key", "pragma"] {
        assert_eq!(asked[0].header(name), None, "{name}");
    }
    let other = link(&format!("{PAGE}&width=5"), "web", WEB, Render::Allow);
    assert_eq!(tintype.get_with(&other, &[("cache-control", "only-if-cached")]).await.status, 504);
    assert_eq!(origin.count(), 1);
    tintype.stop().await;
}

#[tokio::test]
async fn keys_change_and_nothing_stored_is_lost() {
    let origin = pictures().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("proxy.toml");
    let both = Tintype::toml(&origin, &settings("auth = \"signed\""));
    std::fs::write(&file, &both).expect("written");
    let tintype = Tintype::from_file(&file).await;
    let (old, next) = (link(PAGE, "web", WEB, Render::Allow), link(PAGE, "new", NEW, Render::Never));
    assert_eq!(tintype.get(&old).await.header("x-cache"), Some("MISS"));
    assert_eq!(tintype.get(&next).await.header("x-cache"), Some("HIT"));
    // The old one answers from what was prepared.
    for _ in 0..3 {
        assert_eq!(tintype.get(&old).await.header("x-cache"), Some("HIT"));
    }
    assert!(prepared(&tintype).await > 0);
    let only_new = both.replace(&format!("[keys.web]\nsecret = \"{WEB}\"\n"), "");
    assert_ne!(only_new, both);
    std::fs::write(&file, only_new).expect("written");
    assert_eq!(tintype.reload().await.status, 200);
    let gone = tintype.get(&old).await;
    assert_eq!((gone.status, reason(&gone).as_str()), (403, "unknown-key"));
    assert_eq!(tintype.get(&next).await.header("x-cache"), Some("HIT"));
    assert_eq!(origin.count(), 1);
    tintype.stop().await;
}

async fn prepared(tintype: &Tintype) -> u64 {
    tintype.stats().await.pointer("/traffic/hits/prepared").and_then(Value::as_u64).expect("a count")
}

#[tokio::test]
async fn an_expired_link_is_not_answered_by_what_was_prepared() {
    let origin = pictures().await;
    let more = settings("auth = \"signed\"") + "not_after = 2025-11-01T00:01:00Z\n";
    let tintype = Tintype::with(&origin, &more).await;
    let ends = limited(PAGE, "web", WEB, Render::Allow, Some(START.as_secs() + 30), None);
    let of_old_key = link(PAGE, "new", NEW, Render::Never);
    for target in [&ends, &of_old_key] {
        for _ in 0..4 {
            assert_eq!(tintype.get(target).await.status, 200);
        }
    }
    let before = prepared(&tintype).await;
    assert!(before >= 4, "{before}");
    tintype.later(29);
    assert_eq!(tintype.get(&ends).await.status, 200);
    tintype.later(1);
    assert_eq!(tintype.get(&ends).await.status, 403);
    assert_eq!(tintype.get(&of_old_key).await.status, 200);
    tintype.later(30);
    assert_eq!(reason(&tintype.get(&of_old_key).await), "expired");
    tintype.stop().await;
}

#[tokio::test]
async fn api_keys_are_taken_by_three_ways_and_told_to_nobody() {
    let origin = pictures().await;
    let toml = settings("auth = \"key\"\npublic = true")
        + "api_key = \"hunter2-hunter2\"\n[keys.third]\napi_key = \"third-third-third\"\n";
    let tintype = Tintype::with(&origin, &toml).await;
    let target = format!("/screenshot?{PAGE}");
    for fields in [
        &[][..],
        &[("x-api-key", "hunter2-hunter")],
        &[("authorization", "Basic hunter2-hunter2")],
        &[("x-api-key", "")],
    ] {
        let answer = tintype.get_with(&target, fields).await;
        assert_eq!((answer.status, reason(&answer).as_str()), (401, "no-key"));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    // Links are not for this route.
    assert_eq!(tintype.get(&link(PAGE, "web", WEB, Render::Allow)).await.status, 401);
    assert_eq!(origin.count(), 0);
    for (target, fields, cache) in [
        (target.clone(), &[("x-api-key", "hunter2-hunter2")][..], "MISS"),
        (target.clone(), &[("authorization", "bearer third-third-third")], "HIT"),
        (format!("{target}&access_key=hunter2-hunter2"), &[], "HIT"),
        (format!("/screenshot?access%5Fkey=third-third-third&{PAGE}"), &[], "HIT"),
    ] {
        let answer = tintype.get_with(&target, fields).await;
        assert_eq!((answer.status, answer.header("x-cache")), (200, Some(cache)), "{target} {fields:?}");
        assert_eq!(answer.header("cache-control"), Some("private, max-age=600, stale-while-revalidate=60"));
    }
    let asked = origin.received(1).await;
    assert_eq!((asked[0].header("x-api-key"), asked[0].header("authorization")), (None, None));
    assert!(!asked[0].target.contains("hunter2"), "{}", asked[0].target);
    // What was asked for with a key is not prepared for those without.
    for _ in 0..3 {
        assert_eq!(tintype.get_with(&target, &[("x-api-key", "hunter2-hunter2")]).await.status, 200);
        assert_eq!(tintype.get(&target).await.status, 401);
    }
    tintype.stop().await;
}

#[tokio::test]
async fn api_keys_are_good_where_they_are_wanted_and_for_what_their_key_may() {
    let origin = pictures().await;
    let keys = "[keys.old]\napi_key = \"old-old-old-old-old\"\nnot_after = 2025-11-01T00:01:00Z\n\
                [keys.weak]\napi_key = \"weak-weak-weak-weak\"\nrender = \"never\"\n";
    let tintype = Tintype::with(&origin, &(settings("auth = \"key\"") + keys)).await;
    let target = format!("/screenshot?{PAGE}");
    let (old, weak) = ([("x-api-key", "old-old-old-old-old")], [("x-api-key", "weak-weak-weak-weak")]);
    // Whatever leads to the origin: also what the cache has no part in.
    for method in ["GET", "HEAD", "POST", "DELETE"] {
        let answer = tintype.client.request(method, &tintype.url(&target), &weak, "").await;
        assert_eq!(answer.status, 404, "{method}");
    }
    assert_eq!(origin.count(), 0);
    assert_eq!(tintype.get_with(&target, &old).await.header("x-cache"), Some("MISS"));
    assert_eq!(tintype.get_with(&target, &weak).await.header("x-cache"), Some("HIT"));
    tintype.later(59);
    assert_eq!(tintype.get_with(&target, &old).await.header("x-cache"), Some("HIT"));
    tintype.later(1);
    let ended = tintype.get_with(&target, &old).await;
    assert_eq!((ended.status, reason(&ended).as_str()), (403, "expired"));
    tintype.stop().await;

    // Who holds a key that signs cannot do without the signature.
    let signed = settings("auth = \"signed\"") + "api_key = \"hunter2-hunter2\"\n";
    let tintype = Tintype::with(&origin, &signed).await;
    for fields in [("x-api-key", "hunter2-hunter2"), ("authorization", "Bearer hunter2-hunter2")] {
        let answer = tintype.get_with(&target, &[fields]).await;
        assert_eq!((answer.status, reason(&answer).as_str()), (403, "unsigned"));
    }
    assert_eq!(tintype.get(&format!("{target}&access_key=hunter2-hunter2")).await.status, 403);
    assert_eq!(origin.count(), 1);
    tintype.stop().await;
}

#[tokio::test]
async fn an_origin_of_unknown_dialect_is_told_no_api_key() {
    let origin = pictures().await;
    let toml = "auth = \"key\"\n[keys.web]\napi_key = \"hunter2-hunter2\"\n";
    let tintype = Tintype::with(&origin, toml).await;
    for (target, fields) in [
        ("/field", &[("x-api-key", "hunter2-hunter2")][..]),
        ("/bearer", &[("authorization", "Bearer hunter2-hunter2")]),
        ("/both", &[("x-api-key", "hunter2-hunter2"), ("authorization", "Basic aHVudGVyMg==")]),
        ("/query?a=1&access_key=hunter2-hunter2&b=2", &[]),
        ("/spelled?access%5Fkey=hunter2-hunter2", &[]),
    ] {
        assert_eq!(tintype.get_with(target, fields).await.status, 200, "{target}");
        let asked = origin.requests().pop().expect("a request");
        assert_eq!((asked.header("x-api-key"), asked.header("authorization")), (None, None), "{target}");
        assert!(!asked.target.contains("hunter2"), "{}", asked.target);
    }
    assert_eq!(origin.count(), 5);
    tintype.stop().await;
}

#[tokio::test]
async fn rates_outlast_a_reload_that_does_not_change_them() {
    let origin = pictures().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("proxy.toml");
    let rates = "rate = \"6/h\"\nrender_rate = \"2/h\"\n";
    let toml = Tintype::toml(&origin, &(settings("auth = \"signed\"") + rates));
    std::fs::write(&file, &toml).expect("written");
    let tintype = Tintype::from_file(&file).await;
    let target = |width: u32| link(&format!("{PAGE}&width={width}"), "new", NEW, Render::Allow);
    // Of each its own: what is rendered counts once as a request, and once as a rendering.
    for (width, status) in [(1, 200), (2, 200), (3, 429), (1, 200)] {
        assert_eq!(tintype.get(&target(width)).await.status, status, "{width}");
    }
    std::fs::write(&file, toml.replace("preset = \"none\"", "preset = \"none\"\nbrowser_ttl = \"1m\""))
        .expect("written");
    assert_eq!(tintype.reload().await.status, 200);
    for (width, status) in [(3, 429), (2, 200), (2, 429)] {
        assert_eq!(tintype.get(&target(width)).await.status, status, "{width}");
    }
    assert_eq!(origin.count(), 2);
    tintype.stop().await;
}

/// A refresh behind the back of who gets what is stale asks the origin as any other.
#[tokio::test]
async fn a_refresh_behind_a_stale_answer_counts_as_a_rendering() {
    let origin = pictures().await;
    let toml = settings("auth = \"signed\"") + "render_rate = \"1/h\"\n";
    let tintype = Tintype::with(&origin, &toml).await;
    let target = link(PAGE, "new", NEW, Render::Allow);
    assert_eq!(tintype.get(&target).await.header("x-cache"), Some("MISS"));
    tintype.later(601);
    assert_eq!(tintype.get(&target).await.header("x-cache"), Some("STALE"));
    // What was under way before this one would have come by now.
    let other = link(&format!("{PAGE}&width=5"), "web", WEB, Render::Allow);
    assert_eq!(tintype.get(&other).await.header("x-cache"), Some("MISS"));
    tintype.stop().await;
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn rates_hold_for_each_key() {
    let origin = pictures().await;
    let toml = settings("auth = \"either\"")
        + "rate = \"5/h\"\n[keys.third]\nsecret = \"third-third-third\"\nrender_rate = \"2/m\"\n";
    let tintype = Tintype::with(&origin, &toml).await;
    let target = link(PAGE, "new", NEW, Render::Allow);
    for _ in 0..5 {
        assert_eq!(tintype.get(&target).await.status, 200);
    }
    let refused = tintype.get(&target).await;
    assert_eq!(
        (refused.status, refused.header("retry-after"), reason(&refused).as_str()),
        (429, Some("720"), "too-many")
    );
    tintype.later(720);
    assert_eq!(tintype.get(&target).await.status, 200);
    assert_eq!(tintype.get(&target).await.status, 429);
    // Another key has its own, and only what asks the origin counts here.
    let third =
        |width: u32| link(&format!("{PAGE}&width={width}"), "third", "third-third-third", Render::Allow);
    assert_eq!(tintype.get(&third(1)).await.status, 200);
    assert_eq!(tintype.get(&third(2)).await.status, 200);
    assert_eq!(
        (tintype.get(&third(3)).await.status, origin.count()),
        (429, 4),
        "the first was stale by then"
    );
    for _ in 0..10 {
        assert_eq!(tintype.get(&third(1)).await.header("x-cache"), Some("HIT"));
    }
    tintype.later(30);
    assert_eq!(tintype.get(&third(3)).await.status, 200);
    tintype.stop().await;
}

#[tokio::test]
async fn browsers_and_cdns_are_told_lifetimes_that_end_with_the_link() {
    let origin = pictures().await;
    let tintype = Tintype::with(&origin, &settings("auth = \"signed\"\nbrowser_ttl = \"1m\"")).await;
    let control = |most: u32| Some(format!("public, max-age=60, s-maxage={most}, stale-while-revalidate=60"));
    let told = |answer: &Answer, name: &str| answer.header(name).map(str::to_owned);
    let target = link(PAGE, "web", WEB, Render::Allow);
    for (later, age) in [(0, None), (10, Some("10")), (10, Some("20"))] {
        tintype.later(later);
        let answer = tintype.get(&target).await;
        assert_eq!((told(&answer, "cache-control"), answer.header("age")), (control(600), age));
        for (name, expected) in [
            ("cdn-cache-control", "public, max-age=600"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(name), Some(expected));
        }
        assert!(answer.header("etag").is_some());
    }
    assert!(prepared(&tintype).await > 0, "the short way says the same");
    let tag = told(&tintype.get(&target).await, "etag").expect("a tag");
    let unchanged = tintype.get_with(&target, &[("if-none-match", &tag)]).await;
    assert_eq!((unchanged.status, told(&unchanged, "cache-control")), (304, control(600)));
    // 20 s old, and 100 s to go.
    let ends = limited(PAGE, "web", WEB, Render::Allow, Some(START.as_secs() + 120), None);
    let answer = tintype.get(&ends).await;
    assert_eq!((told(&answer, "cache-control"), answer.header("age")), (control(120), Some("20")));
    assert_eq!(answer.header("cdn-cache-control"), Some("public, max-age=120"));
    tintype.stop().await;

    let plain = Tintype::with(&origin, &settings("")).await;
    let answer = plain.get(&format!("/screenshot?{PAGE}")).await;
    assert_eq!(answer.header("cache-control"), Some("max-age=600, stale-while-revalidate=60"));
    assert_eq!(
        (answer.header("cdn-cache-control"), answer.header("cross-origin-resource-policy")),
        (None, None)
    );
    plain.stop().await;
}

#[tokio::test]
async fn an_explanation_says_who_is_admitted() {
    let origin = pictures().await;
    let tintype = Tintype::with(&origin, &(settings("auth = \"signed\"") + "rate = \"1/h\"\n")).await;
    let explain = async |target: &str| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("url", target).finish();
        let told = tintype.client.get(&tintype.admin_url(&format!("/explain?{query}")), &[]).await;
        serde_json::from_slice::<Value>(&told.body).expect("JSON")
    };
    let told = explain(&link(PAGE, "new", NEW, Render::Stale)).await;
    assert_eq!(told["admission"]["admitted_by"], "a link signed with the key new, render stale");
    assert_eq!((&told["now"]["rule"], &told["now"]["asks_origin"]), (&"not-rendered".into(), &false.into()));
    let told = explain(&format!("{}0", link(PAGE, "new", NEW, Render::Stale))).await;
    assert_eq!(told["admission"]["refused"], "altered");
    assert!(!told["key"].to_string().contains("signature"), "{}", told["key"]);
    // Nothing was counted.
    assert_eq!(tintype.get(&link(PAGE, "new", NEW, Render::Allow)).await.status, 200);
    tintype.stop().await;
}

/// What is passed on, since it has content, had been told as the origin told it.
#[tokio::test]
async fn regression_what_a_key_has_passed_on_is_private_too() {
    let origin = pictures().await;
    let more = settings("auth = \"key\"") + "api_key = \"hunter2-hunter2\"\n";
    let tintype = Tintype::with(&origin, &more).await;
    let (url, key) = (tintype.url(&format!("/screenshot?{PAGE}")), [("x-api-key", "hunter2-hunter2")]);
    for (method, body) in [("GET", ""), ("GET", "x"), ("POST", "x"), ("HEAD", "")] {
        let answer = tintype.client.request(method, &url, &key, body).await;
        let told = answer.header("cache-control").unwrap_or_default();
        assert!(answer.status == 200 && told.starts_with("private, "), "{method} {body}: {told}");
    }
    tintype.stop().await;
}
