//! Every scope in every mode, through the control plane: all sizes, formats and variants go; what is in flight goes too; the answer
//! tells what was hit.

use serde_json::{Value, json};

use crate::support::*;

/// Pictures that are tagged by their width, vary by `Accept`, and count the requests for them.
async fn pictures() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        let width = request.target.split("width=").nth(1).unwrap_or("0").to_owned();
        Reply::ok(format!("{} #{}", request.target, request.index))
            .header("Cache-Control", "max-age=600, stale-while-revalidate=60")
            .header("Vary", "Accept")
            .header("ETag", format!("\"{}\"", request.index))
            .header("Cache-Tag", format!("w{width}, pictures"))
            .header("Surrogate-Key", format!("s{width} all-keys"))
            .header("xkey", format!("x{width}"))
    })
    .await
}

const PATHS: [&str; 5] = [
    "/s?url=https://a.example/&width=1",
    "/s?url=https://a.example/&width=2",
    "/s?url=https://a.example/shop/cart&width=1",
    "/s?url=http://a.example/shopping&width=3",
    "/s?url=https://b.example/shop&width=1",
];

async fn filled(origin: &ScriptedOrigin) -> Tintype {
    let tintype = Tintype::with(origin, "capture = true\nonly_pictures = false\n").await;
    for path in PATHS {
        for accept in ["image/png", "image/webp"] {
            tintype.get_with(path, &[("Accept", accept)]).await;
        }
    }
    tintype
}

async fn told(tintype: &Tintype, body: &Value) -> Value {
    let answer = tintype.client.request("POST", &tintype.admin_url("/purge"), &[], &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// What each path gives, in both formats, at one glance: H for a hit.
async fn caches(tintype: &Tintype) -> String {
    let mut seen = String::new();
    for path in PATHS {
        for accept in ["image/png", "image/webp"] {
            let answer = tintype.get_with(path, &[("Accept", accept)]).await;
            seen.push_str(&answer.header("x-cache").unwrap()[..1]);
        }
        seen.push(' ');
    }
    seen
}

#[tokio::test]
async fn every_scope_hits_what_it_names_in_every_mode_and_nothing_else() {
    for (scope, hard, hit) in [
        (json!({"url": "https://a.example"}), "MMMM HHHHHH", 4),
        (json!({"urls": ["https://a.example", "https://b.example/shop"]}), "MMMM HHHH MM", 6),
        (json!({"url": "/s?url=https://a.example/&width=2"}), "HH MM HHHHHH", 2),
        (json!({"tag": "w1"}), "MM HH MM HH MM", 6),
        (json!({"tags": ["s2", "x3"]}), "HH MM HH MM HH", 4),
        (json!({"host": "A.example"}), "MM MM MM MM HH", 8),
        (json!({"prefix": "http://a.example/shop/"}), "HH HH MM HH HH", 2),
        (json!({"prefix": "a.example"}), "MM MM MM MM HH", 8),
        (json!({"all": true}), "MM MM MM MM MM", 10),
        (json!({"tag": "nothing"}), "HH HH HH HH HH", 0),
    ] {
        let hard: String = hard.split(' ').collect();
        for mode in ["hard", "soft", "refresh"] {
            let origin = pictures().await;
            let tintype = filled(&origin).await;
            let mut body = scope.clone();
            body["mode"] = mode.into();
            body["dry_run"] = true.into();
            let dry = told(&tintype, &body).await;
            assert_eq!((&dry["hit"], &dry["listing"]), (&json!(hit), &json!("complete")), "{body}");
            assert_eq!(origin.count(), 10);
            body["dry_run"] = false.into();
            body["list"] = 3.into();
            let answer = told(&tintype, &body).await;
            assert_eq!(answer["hit"], hit, "{body}");
            assert_eq!(answer["stored"].as_array().unwrap().len(), hit.min(3));
            assert_eq!(answer["mode"], mode);
            if mode == "refresh" {
                assert_eq!(answer["refreshing"], hit);
                origin.received(10 + hit).await;
                continue;
            }
            let expected = if mode == "soft" { hard.replace('M', "S") } else { hard.clone() };
            let seen: String = caches(&tintype).await.split(' ').collect();
            assert_eq!(seen, expected, "{body}");
        }
    }
}

#[tokio::test]
async fn one_key_as_it_is_shown_is_purged_alone() {
    let origin = pictures().await;
    let tintype = filled(&origin).await;
    let listed = stored(&tintype, "?host=b.example").await;
    let keys: Vec<&str> =
        listed["stored"].as_array().unwrap().iter().map(|i| i["key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(told(&tintype, &json!({"key": keys[0]})).await["hit"], 1);
    assert_eq!(caches(&tintype).await, "HH HH HH HH MH ");
}

async fn stored(tintype: &Tintype, query: &str) -> Value {
    let answer = tintype.client.get(&tintype.admin_url(&format!("/stored{query}")), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[tokio::test]
async fn the_listing_is_filtered_and_paged() {
    let origin = pictures().await;
    let tintype = filled(&origin).await;
    tintype.get_with(PATHS[0], &[("Accept", "image/png")]).await;
    let all = stored(&tintype, "").await;
    assert_eq!((all["stored"].as_array().unwrap().len(), &all["cursor"]), (10, &Value::Null));
    let first = &all["stored"][0];
    assert_eq!(first["target"], "https://a.example/");
    assert_eq!(
        (&first["status"], &first["tier"], &first["hits"]),
        (&json!(200), &json!("memory"), &json!(1))
    );
    assert_eq!((&first["ttl"], &first["refreshable"]), (&json!(600), &json!(true)));
    for (query, count) in [
        ("?host=b.example", 2),
        ("?tag=w1", 6),
        ("?tag=w1&host=a.example", 4),
        ("?tag=w1&prefix=https://a.example/shop", 2),
        ("?url=https://a.example/", 4),
        ("?host=c.example", 0),
    ] {
        assert_eq!(stored(&tintype, query).await["stored"].as_array().unwrap().len(), count, "{query}");
    }
    let (mut seen, mut query) = (0, "?limit=3".to_owned());
    loop {
        let page = stored(&tintype, &query).await;
        seen += page["stored"].as_array().unwrap().len();
        let Some(cursor) = page["cursor"].as_str() else { break };
        query = format!("?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, 10);
    for query in ["?limit=0", "?colour=red", "?cursor=x", "?host=a/b"] {
        let answer = tintype.client.get(&tintype.admin_url(&format!("/stored{query}")), &[]).await;
        assert_eq!(answer.status, 400, "{query}");
    }
}

#[tokio::test]
async fn tags_are_for_purging_and_not_all_are_for_clients() {
    let origin = pictures().await;
    let tintype = Tintype::before(&origin).await;
    for _ in 0..2 {
        let answer = tintype.get("/a").await;
        assert_eq!(answer.header("cache-tag"), Some("w0, pictures"));
        assert_eq!((answer.header("surrogate-key"), answer.header("xkey")), (None, None));
    }
    let tintype = Tintype::with(&origin, "[purge]\nexpose_tags = [\"xkey\"]\n").await;
    let answer = tintype.get("/a").await;
    assert_eq!((answer.header("cache-tag"), answer.header("xkey")), (None, Some("x0")));
}

/// A soft purge: stale from now, so served while it is validated inside its window, which counts from the purge; then validated.
#[tokio::test]
async fn what_is_softly_purged_is_stale_from_then_on() {
    let origin = ScriptedOrigin::start(|request| match request.header("if-none-match") {
        Some(_) => Reply::status(304).header("ETag", "\"v\""),
        None => Reply::ok("abc")
            .header("ETag", "\"v\"")
            .header("Cache-Control", "max-age=600, stale-while-revalidate=60"),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(100);
    told(&tintype, &json!({"url": "/a", "mode": "soft"})).await;
    tintype.later(59);
    let stale = tintype.get("/a").await;
    assert_eq!(stale.header("x-cache"), Some("STALE"));
    assert!(stale.header("cache-status").unwrap().contains("ttl=-59"), "{:?}", stale.header("cache-status"));
    origin.received(2).await;
    within("the validation to be stored", async {
        while tintype.get("/a").await.header("x-cache") != Some("HIT") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    told(&tintype, &json!({"url": "/a", "mode": "soft"})).await;
    tintype.later(60);
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("REVALIDATED"));
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("HIT"));
}

/// By what only the response tells (its tag), hard and soft: who asks after the purge gets nothing from before it, and those who wait
/// together fetch once.
#[tokio::test]
async fn a_tag_is_purged_in_flight() {
    for mode in ["hard", "soft"] {
        let gate = Gate::new();
        let origin = ScriptedOrigin::start({
            let gate = gate.clone();
            move |request| {
                let reply = Reply::ok(format!("#{}", request.index))
                    .header("Cache-Control", "max-age=600")
                    .header("Cache-Tag", "t");
                if request.index == 0 { reply.hold(&gate) } else { reply }
            }
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        let early = tokio::spawn(Client::new().get(&tintype.url("/a"), &[]));
        origin.received(1).await;
        told(&tintype, &json!({"tag": "t", "mode": mode})).await;
        let late: Vec<_> = (0..5).map(|_| tokio::spawn(Client::new().get(&tintype.url("/a"), &[]))).collect();
        within("the followers", async {
            while tintype.stats().await["traffic"]["requests"] != 6 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        gate.open();
        assert_eq!(early.await.unwrap().status, 200);
        for late in late {
            assert_eq!(late.await.unwrap().text(), "#1", "{mode}");
        }
        assert_eq!(tintype.get("/a").await.header("x-cache"), Some("HIT"));
        assert_eq!(origin.count(), 2);
    }
}

#[tokio::test]
async fn a_refresh_fetches_the_hottest_first_and_nobodys_own() {
    let origin = ScriptedOrigin::start(|request| {
        Reply::ok(request.target).header("Cache-Control", "public, max-age=600")
    })
    .await;
    let tintype = Tintype::with(&origin, "[purge]\nrefresh_concurrency = 1\n").await;
    for (path, uses) in [("/cold", 0), ("/hot", 3), ("/warm", 1)] {
        for _ in 0..=uses {
            tintype.get(path).await;
        }
    }
    tintype.get_with("/own", &[("Authorization", "Bearer x")]).await;
    tintype.get("/keyed?access_key=x").await;
    let answer = told(&tintype, &json!({"all": true, "mode": "refresh"})).await;
    assert_eq!((&answer["hit"], &answer["refreshing"]), (&json!(5), &json!(3)));
    let received = origin.received(8).await;
    let again: Vec<&str> = received[5..].iter().map(|request| request.target.as_str()).collect();
    assert_eq!(again, ["/hot", "/warm", "/cold"]);
    within("all to be fresh again", async {
        while tintype.stats().await["fetches_under_way"] != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(tintype.get("/cold").await.header("x-cache"), Some("HIT"));
    assert_eq!(tintype.get("/own").await.header("x-cache"), Some("MISS"));
}

#[tokio::test]
async fn what_is_stale_beyond_every_window_is_dropped() {
    let origin = ScriptedOrigin::start(|request| {
        let lines = if request.target == "/short" { "max-age=10" } else { "max-age=10, stale-if-error=600" };
        Reply::ok("abc").header("Cache-Control", lines)
    })
    .await;
    let tintype = Tintype::with(&origin, "stale_when_disconnected = \"0s\"\n").await;
    for path in ["/short", "/covered"] {
        tintype.get(path).await;
    }
    let gc = async || {
        let answer = tintype.client.request("POST", &tintype.admin_url("/gc"), &[], "").await;
        serde_json::from_slice::<Value>(&answer.body).expect("JSON")["dropped"].clone()
    };
    assert_eq!(gc().await, 0);
    tintype.later(11);
    assert_eq!(gc().await, 1);
    assert_eq!(tintype.stats().await["store"]["memory_records"], 1);
    tintype.later(600);
    assert_eq!(gc().await, 1);
    assert_eq!(stored(&tintype, "").await["stored"], json!([]));
}

/// Rows C11: paths and codes.
#[tokio::test]
async fn the_cache_is_deleted_whole_or_by_url() {
    let origin = pictures().await;
    let tintype = filled(&origin).await;
    let url = tintype.admin_url("/cache/url?url=https%3A%2F%2Fa.example%2F");
    let answer = tintype.client.request("DELETE", &url, &[], "").await;
    assert_eq!(
        (answer.status, serde_json::from_slice::<Value>(&answer.body).unwrap()),
        (200, json!({"invalidated": 4}))
    );
    assert_eq!(caches(&tintype).await, "MM MM HH HH HH ");
    let all = tintype.client.request("DELETE", &tintype.admin_url("/cache"), &[], "").await;
    assert_eq!((all.status, all.text().as_str()), (204, ""));
    assert_eq!(caches(&tintype).await, "MM MM MM MM MM ");
    let wrong = tintype.client.request("DELETE", &tintype.admin_url("/cache/url"), &[], "").await;
    assert_eq!(wrong.status, 400);
    let wrong = tintype.client.get(&tintype.admin_url("/cache"), &[]).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("DELETE")));
}

/// Row B16: the lag is counted.
#[tokio::test]
async fn the_lag_of_purges_is_a_figure() {
    let origin = pictures().await;
    let tintype = filled(&origin).await;
    tintype.purge("{\"all\": true}").await;
    let lag = tintype.stats().await["traffic"]["purge_lag"].clone();
    assert_eq!(lag["count"], 1);
    let (sum, max) = (lag["sum_seconds"].as_f64().unwrap(), lag["max_seconds"].as_f64().unwrap());
    assert!(sum > 0.0 && sum == max, "{lag}");
}

#[tokio::test]
async fn what_names_nothing_or_too_much_is_refused() {
    let origin = pictures().await;
    let tintype = Tintype::before(&origin).await;
    for body in [
        json!({"mode": "hard"}),
        json!({"url": "/a", "tag": "t"}),
        json!({"url": "/a", "mode": "warm"}),
        json!({"all": true, "list": 1001}),
        json!({"host": "a.example/b"}),
        json!({"prefix": "https://a.example/b?c"}),
        json!({"prefix": format!("https://a.example{}", "/x".repeat(17))}),
        json!({"key": ""}),
        json!({"tags": vec!["t"; 1001]}),
    ] {
        let url = tintype.admin_url("/purge");
        let answer = tintype.client.request("POST", &url, &[], &body.to_string()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
}
