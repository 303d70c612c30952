//! Stale responses are validated and freshened (RFC 9111 4.3), and cover errors and waits in their windows (RFC 5861).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::*;

/// Answers 304 to the right condition, else 200 with both validators.
fn validating(request: &ReceivedRequest, cache_control: &str) -> Reply {
    let reply = match request.header("if-none-match") {
        Some("\"v1\"") => Reply::status(304).header("X-New", "yes"),
        _ => Reply::ok("abc").header("Last-Modified", "Fri, 31 Oct 2025 00:00:00 GMT"),
    };
    reply.header("ETag", "\"v1\"").header("Cache-Control", cache_control)
}

#[tokio::test]
async fn a_stale_response_is_validated_with_both_validators_and_freshened() {
    let origin = ScriptedOrigin::start(|request| validating(&request, "max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(60);
    let confirmed = tintype.get("/a").await;
    assert_eq!(glance(&confirmed), seen(200, "REVALIDATED", "abc"));
    assert_eq!(confirmed.header("age"), Some("0"));
    assert_eq!(confirmed.header("x-new"), Some("yes"));
    assert_eq!(confirmed.header("cache-status"), Some("tintype; fwd=stale; fwd-status=304; ttl=60; stored"));
    let asked = &origin.requests()[1];
    assert_eq!(asked.header("if-none-match"), Some("\"v1\""));
    assert_eq!(asked.header("if-modified-since"), Some("Fri, 31 Oct 2025 00:00:00 GMT"));
    tintype.later(59);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "abc"));
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn no_cache_is_validated_each_time() {
    let origin = ScriptedOrigin::start(|request| validating(&request, "no-cache, max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    for _ in 0..2 {
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "REVALIDATED", "abc"));
    }
    assert_eq!(origin.count(), 3);
}

#[tokio::test]
async fn a_client_may_ask_for_validation() {
    let origin = ScriptedOrigin::start(|request| validating(&request, "max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(1);
    for directive in [("Cache-Control", "no-cache"), ("Cache-Control", "max-age=0"), ("Pragma", "no-cache")] {
        let answer = tintype.get_with("/a", &[directive]).await;
        assert_eq!(glance(&answer), seen(200, "REVALIDATED", "abc"), "{directive:?}");
        assert!(answer.header("cache-status").unwrap().contains("fwd=request"));
        tintype.later(1);
    }
}

#[tokio::test]
async fn a_304_about_something_else_leads_to_a_whole_fetch() {
    let origin = ScriptedOrigin::sequence([
        Reply::ok("old").header("ETag", "\"v1\"").header("Cache-Control", "max-age=1"),
        Reply::status(304).header("ETag", "\"v2\""),
        Reply::ok("new").header("ETag", "\"v2\"").header("Cache-Control", "max-age=60"),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(5);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "new"));
    assert_eq!(origin.requests()[2].header("if-none-match"), None);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "new"));
}

#[tokio::test]
async fn a_changed_response_replaces_the_stored_one() {
    let origin = ScriptedOrigin::sequence([
        Reply::ok("old").header("ETag", "\"v1\"").header("Cache-Control", "max-age=1"),
        Reply::ok("new").header("ETag", "\"v2\"").header("Cache-Control", "max-age=60"),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(5);
    let changed = tintype.get("/a").await;
    assert_eq!(glance(&changed), seen(200, "MISS", "new"));
    assert_eq!(changed.header("cache-status"), Some("tintype; fwd=stale; ttl=60; stored"));
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "new"));
}

/// What may not be stored supersedes what was.
#[tokio::test]
async fn a_response_that_may_not_be_stored_removes_the_stored_one() {
    let origin = ScriptedOrigin::sequence([
        Reply::ok("old").header("Cache-Control", "max-age=1, stale-if-error=999"),
        Reply::ok("secret").header("Cache-Control", "no-store"),
        Reply::status(503),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(5);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "secret"));
    assert_eq!(tintype.get("/a").await.status, 503);
}

#[tokio::test]
async fn stale_while_revalidate_answers_at_once_and_validates_once_behind() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| {
            let reply = validating(&request, "max-age=10, stale-while-revalidate=30");
            if request.header("if-none-match").is_some() { reply.hold(&gate) } else { reply }
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(20);
    for _ in 0..3 {
        let stale = tintype.get_with("/a", &[("X-Client", "me")]).await;
        assert_eq!(glance(&stale), seen(200, "STALE", "abc"));
        assert_eq!(
            stale.header("cache-status"),
            Some("tintype; hit; ttl=-10; detail=stale-while-revalidate")
        );
    }
    let requests = origin.received(2).await;
    assert_eq!(requests[1].header("x-client"), Some("me"));
    gate.open();
    // The background validation lands some time after its answer was sent.
    within("the validation to land", async {
        while tintype.get("/a").await.header("x-cache") != Some("HIT") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn past_its_window_a_stale_response_waits_for_the_origin() {
    let origin =
        ScriptedOrigin::start(|request| validating(&request, "max-age=10, stale-while-revalidate=30")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(40);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "REVALIDATED", "abc"));
}

async fn failing(
    cache_control: &'static str,
    failure: fn() -> Reply,
    more: &str,
) -> (ScriptedOrigin, Tintype) {
    let down = Arc::new(AtomicBool::new(false));
    let origin = ScriptedOrigin::start(move |_| {
        if down.swap(true, Ordering::SeqCst) {
            failure()
        } else {
            Reply::ok("good").header("Cache-Control", cache_control)
        }
    })
    .await;
    let tintype = Tintype::with(&origin, more).await;
    assert_eq!(tintype.get("/a").await.status, 200);
    tintype.later(20);
    (origin, tintype)
}

#[tokio::test]
async fn errors_are_covered_inside_the_window_whatever_they_are() {
    for (failure, reason) in [
        ((|| Reply::status(500)) as fn() -> Reply, "fwd-status=500"),
        (|| Reply::status(502), "fwd-status=502"),
        (|| Reply::status(503), "fwd-status=503"),
        (|| Reply::status(504), "fwd-status=504"),
        (Reply::hang_up, "detail=reset"),
        (Reply::reset, "detail=reset"),
        (|| Reply::raw("garbage\r\n\r\n"), "detail=bad-response"),
        (|| Reply::ok("half").header("Cache-Control", "max-age=10").length(9).cut(), "detail=reset"),
    ] {
        let (_origin, tintype) = failing("max-age=10, stale-if-error=60", failure, "").await;
        let covered = tintype.get("/a").await;
        assert_eq!(glance(&covered), seen(200, "STALE", "good"), "{reason}");
        let status = covered.header("cache-status").unwrap();
        assert!(status.contains("fwd=stale") && status.contains(reason), "{status}");
        assert_eq!(tintype.stats().await["traffic"]["stale"]["on_error"], 1);
    }
}

#[tokio::test]
async fn a_refused_connection_is_covered() {
    let origin =
        ScriptedOrigin::start(|_| Reply::ok("good").header("Cache-Control", "max-age=1").close()).await;
    let tintype = Tintype::with(&origin, "stale_if_error = \"1h\"\n").await;
    tintype.get("/a").await;
    origin.stop().await;
    tintype.later(20);
    let covered = tintype.get("/a").await;
    assert_eq!(glance(&covered), seen(200, "STALE", "good"));
    assert!(covered.header("cache-status").unwrap().contains("detail=connect"));
}

#[tokio::test]
async fn a_timeout_is_covered() {
    let down = AtomicBool::new(false);
    let origin = ScriptedOrigin::start(move |_| {
        if down.swap(true, Ordering::SeqCst) {
            Reply::silence()
        } else {
            Reply::ok("good").header("Cache-Control", "max-age=1")
        }
    })
    .await;
    let toml = Tintype::toml(&origin, "stale_if_error = \"1h\"\n")
        .replace("kind = \"remote\"", "kind = \"remote\"\nfirst_byte_timeout = \"100ms\"");
    let tintype = Tintype::of(&toml).await;
    tintype.get("/a").await;
    tintype.later(20);
    let covered = tintype.get("/a").await;
    assert_eq!(glance(&covered), seen(200, "STALE", "good"));
    assert!(covered.header("cache-status").unwrap().contains("detail=timeout"));
}

#[tokio::test]
async fn the_routes_window_counts_where_the_origin_is_silent() {
    let (_origin, tintype) = failing("max-age=10", || Reply::status(503), "stale_if_error = \"1m\"\n").await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "good"));
    tintype.later(60);
    assert_eq!(tintype.get("/a").await.status, 503);
}

#[tokio::test]
async fn nothing_covers_what_the_origin_forbids_or_meant() {
    for (cache_control, failure, status) in [
        ("max-age=10, stale-if-error=60, must-revalidate", (|| Reply::status(503)) as fn() -> Reply, 503),
        ("s-maxage=10, stale-if-error=60", || Reply::status(503), 503),
        ("max-age=10, stale-if-error=60", || Reply::status(404), 404),
        ("max-age=10, stale-if-error=5", || Reply::status(503), 503),
        ("max-age=10", || Reply::status(503), 503),
        ("max-age=10, stale-if-error=5", Reply::hang_up, 502),
        ("max-age=10, must-revalidate", Reply::hang_up, 502),
    ] {
        let (_origin, tintype) = failing(cache_control, failure, "").await;
        assert_eq!(tintype.get("/a").await.status, status, "{cache_control}");
    }
}

/// RFC 9111 section 4.2.4: disconnected, a stale response may be served; for as long as the route says.
#[tokio::test]
async fn a_stale_response_is_served_while_the_origin_gives_no_answer() {
    let (_origin, tintype) =
        failing("max-age=10", Reply::hang_up, "stale_when_disconnected = \"1m\"\n").await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "good"));
    tintype.later(60);
    assert_eq!(tintype.get("/a").await.status, 502);
}

/// An origin that is down is not asked by every request in the window.
#[tokio::test]
async fn a_failed_origin_is_left_alone_for_a_moment() {
    let (origin, tintype) = failing("max-age=10, stale-if-error=600", || Reply::status(503), "").await;
    for _ in 0..5 {
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "good"));
    }
    assert_eq!(origin.count(), 2);
    // Later it is asked again, behind the client's back.
    tintype.later(6);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "good"));
    origin.received(3).await;
}

#[tokio::test]
async fn an_error_without_cover_says_why() {
    let origin = ScriptedOrigin::start(|_| Reply::hang_up()).await;
    let tintype = Tintype::before(&origin).await;
    let failed = tintype.get("/a").await;
    assert_eq!((failed.status, failed.header("x-cache")), (502, Some("ERROR")));
    assert_eq!(failed.header("content-type"), Some("application/problem+json"));
    assert_eq!(failed.header("cache-control"), Some("no-store"));
    assert!(failed.text().contains("\"reason\":\"reset\""), "{}", failed.text());
}
