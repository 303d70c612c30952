//! Adaptive lifetimes, learnt from how often a response had changed when it was fetched again:
//! - what never changes lives longer and longer, up to the longest; what always does, as short as may be;
//! - an equal entity tag, an equal body and a 304 all say that nothing changed;
//! - what was learnt is told, survives a soft purge and a caller's own `ttl`, and ends with a purge;
//! - an answer that a cache on the way repeats teaches nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::*;

/// A route with adaptive lifetimes from 1 min to 24 h, without dice.
async fn adaptive(origin: &ScriptedOrigin, more: &str) -> Tintype {
    Tintype::with(
        origin,
        &format!("capture = true\nonly_pictures = false\ndialect = \"tintype\"\nearly_refresh = 0.0\npreset = \"adaptive\"\n{more}"),
    )
    .await
}

const PAGE: &str = "/?url=https%3A%2F%2Fa.example%2Fx";

fn lifetime(answer: &Answer) -> u64 {
    let said = answer.header("cache-control").unwrap_or_default();
    said.strip_prefix("max-age=").and_then(|seconds| seconds.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

/// The lifetimes that are stored where one comes as soon as the last one is over.
async fn lifetimes(tintype: &Tintype, path: &str, rounds: usize) -> Vec<u64> {
    let mut found = Vec::new();
    for round in 0..rounds {
        let answer = tintype.get(path).await;
        assert_ne!(answer.header("x-cache"), Some("HIT"), "round {round}");
        // Who came first may have been answered before the body was there to compare.
        let mut stored = tintype.get(path).await;
        while stored.header("x-cache") != Some("HIT") {
            stored = tintype.get(path).await;
        }
        found.push(lifetime(&stored));
        tintype.later(lifetime(&stored));
    }
    found
}

async fn explained(tintype: &Tintype, path: &str) -> Value {
    let url: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    let answer = tintype.client.get(&tintype.admin_url(&format!("/explain?url={url}")), &[]).await;
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[tokio::test]
async fn a_page_that_never_changes_lives_longer_and_longer() {
    // By entity tag, by the body's bytes where there is none or another each time, and by 304.
    let tagged = ScriptedOrigin::start(|request| {
        Reply::ok(format!("picture {}", request.index)).header("ETag", "\"same\"")
    });
    let untagged = ScriptedOrigin::start(|_| Reply::ok("picture"));
    let renamed = ScriptedOrigin::start(|request| {
        Reply::ok("picture").header("ETag", format!("\"{}\"", request.index))
    });
    let confirming = ScriptedOrigin::start(|request| match request.header("if-none-match") {
        Some(_) => Reply::status(304).header("ETag", "\"same\""),
        None => Reply::ok("picture").header("ETag", "\"same\""),
    });
    for (name, origin) in [
        ("tagged", tagged.await),
        ("untagged", untagged.await),
        ("renamed", renamed.await),
        ("confirming", confirming.await),
    ] {
        let tintype = adaptive(&origin, "").await;
        let found = lifetimes(&tintype, PAGE, 7).await;
        // 15 minutes by the preset's rule for such a page, then twice what it was seen to hold.
        assert_eq!(found, [900, 1800, 5400, 16_200, 48_600, 86_400, 86_400], "{name}");
    }
}

#[tokio::test]
async fn a_page_that_always_changes_lives_as_short_as_may_be() {
    for tagged in [true, false] {
        let origin = ScriptedOrigin::start(move |request| {
            let reply = Reply::ok(format!("picture {}", request.index));
            if tagged { reply.header("ETag", format!("\"{}\"", request.index)) } else { reply }
        })
        .await;
        let tintype = adaptive(&origin, "").await;
        let found = lifetimes(&tintype, PAGE, 5).await;
        assert_eq!((found[0], found[3], found[4]), (900, 60, 60), "{found:?}");
        assert!(found[1] < 900 && found[2] <= found[1], "{found:?}");
    }
}

#[tokio::test]
async fn a_page_that_calms_down_lives_longer_again_and_is_told_apart() {
    let version = Arc::new(AtomicUsize::new(0));
    let shown = Arc::clone(&version);
    let origin = ScriptedOrigin::start(move |_| {
        let tag = format!("\"{}\"", shown.load(Ordering::SeqCst));
        Reply::ok(tag.clone()).header("ETag", &tag)
    })
    .await;
    let tintype = adaptive(&origin, "min_ttl = \"30s\"\nmax_ttl = \"2h\"\nadaptive_confidence = 0.5\n").await;
    for _ in 0..4 {
        tintype.get(PAGE).await;
        version.fetch_add(1, Ordering::SeqCst);
        tintype.later(3600);
    }
    let answer = tintype.get(PAGE).await;
    let restless = lifetime(&answer);
    assert!((30..3600).contains(&restless), "{restless}");
    let status = answer.header("cache-status").unwrap();
    assert!(status.contains("rule=adaptive adaptive: 4 changes in 4 looks, one in "), "{status}");
    let told = explained(&tintype, PAGE).await;
    let seen = &told["freshness"]["adaptive"];
    assert_eq!((&seen["looks"], &seen["changes"]), (&4.into(), &4.into()), "{told}");
    assert_eq!((&seen["min_seconds"], &seen["max_seconds"]), (&30.into(), &7200.into()), "{told}");
    let every = seen["estimated_interval_seconds"].as_u64().unwrap();
    // -ln(0.5) of what lies between two changes.
    assert!((every * 69 / 100).abs_diff(restless) <= 20, "{every} {restless}");

    for _ in 0..16 {
        tintype.later(3600);
        tintype.get(PAGE).await;
    }
    assert_eq!(lifetime(&tintype.get(PAGE).await), 7200);
}

#[tokio::test]
async fn what_was_learnt_outlives_soft_purges_and_callers_and_ends_with_a_purge() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("picture").header("ETag", "\"same\"")).await;
    let tintype = adaptive(&origin, "").await;
    assert_eq!(lifetimes(&tintype, PAGE, 3).await, [900, 1800, 5400]);
    // The caller's own lifetime counts, and what is seen meanwhile is kept.
    assert_eq!(lifetime(&tintype.get(&format!("{PAGE}&ttl=60")).await), 60);
    tintype.later(60);
    let told = explained(&tintype, PAGE).await;
    assert_eq!(told["freshness"]["adaptive"]["looks"], 3, "{told}");
    tintype.purge("{\"url\": \"https://a.example/x\", \"mode\": \"soft\"}").await;
    let soft = tintype.get(PAGE).await;
    assert_eq!(lifetime(&soft), 2 * (900 + 1800 + 5400 + 60), "{:?}", soft.header("cache-status"));
    tintype.purge("{\"url\": \"https://a.example/x\"}").await;
    assert_eq!(lifetime(&tintype.get(PAGE).await), 900);
}

#[tokio::test]
async fn what_a_cache_on_the_way_repeats_teaches_nothing() {
    // Made once; whoever asks later gets the same, with its age.
    let origin = ScriptedOrigin::start(|request| {
        let age = request.index * 1000;
        Reply::ok("picture").header("ETag", "\"same\"").header("Age", age.to_string())
    })
    .await;
    let tintype = adaptive(&origin, "").await;
    tintype.get(PAGE).await;
    tintype.later(1000);
    tintype.get(PAGE).await;
    let told = explained(&tintype, PAGE).await;
    assert_eq!(told["freshness"]["adaptive"]["looks"], 0, "{told}");
}

/// Where the origin says for how long, that holds, unless a rule overrides; a route may be adaptive without any rule.
#[tokio::test]
async fn adaptive_lifetimes_fill_silence_like_any_other() {
    let origin = ScriptedOrigin::start(|request| {
        let reply = Reply::ok("picture").header("ETag", "\"same\"");
        if request.target.starts_with("/said") { reply.header("Cache-Control", "max-age=7") } else { reply }
    })
    .await;
    let rules = "default_ttl = \"adaptive\"\n\
         [[route.all.rules]]\nname = \"mine\"\npath = \"/said/over\"\nttl = \"adaptive\"\noverride = true\n";
    let tintype = Tintype::with(&origin, rules).await;
    assert_eq!(lifetimes(&tintype, "/silent", 3).await, [900, 1800, 5400]);
    assert_eq!(lifetime(&tintype.get("/said/x").await), 7);
    let over = tintype.get("/said/over").await;
    assert_eq!(lifetime(&over), 60, "begins with what the origin says, within the bounds");
    let status = over.header("cache-status").unwrap();
    assert!(status.contains("rule=mine over max-age; adaptive: 0 changes in 0 looks"), "{status}");
}
