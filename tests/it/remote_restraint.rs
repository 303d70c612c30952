//! Remote origins that are in trouble, or cost something (rows C15, A21):
//!
//! - a GET is sent again after no connection, 502, 503 and 504, if that is configured; nothing else is;
//! - one that says 429 or 503 with Retry-After is left alone for that long; clients get what is stored and stale, else 503 with Retry-After;
//! - one that fails again and again is not asked for a while, and then by one request first;
//! - calls are counted against a budget; when it is spent, it is as if the origin were left alone.

use ::tintype::message::body::Body;
use ::tintype::origin::Origin as _;
use http::{Method, Request};

use crate::support::*;

#[tokio::test]
async fn a_get_is_sent_again_where_that_may_help() {
    let ok = || Reply::ok("picture");
    for (replies, retries, status, requests) in [
        (vec![Reply::reset(), Reply::status(502), ok()], 2, Some(200), 3),
        (vec![Reply::status(503), ok()], 0, Some(503), 1),
        (vec![Reply::status(504)], 3, Some(504), 4),
        (vec![Reply::status(503).header("Retry-After", "1"), ok()], 3, Some(503), 1),
        (vec![Reply::status(500), ok()], 3, Some(500), 1),
        (vec![Reply::status(404), ok()], 3, Some(404), 1),
        (vec![Reply::raw("nonsense\r\n\r\n").cut(), ok()], 3, None, 1),
    ] {
        let origin = ScriptedOrigin::sequence(replies).await;
        let remote = remote_at(&origin.base(), |config| config.retries = retries);
        let answer = ask(&remote, "/a").await;
        assert_eq!(answer.ok().map(|answer| answer.status().as_u16()), status);
        assert_eq!(origin.received(requests).await.len(), requests);
        assert_eq!(remote.stats().remote.map(|stats| stats.retries), Some(requests as u64 - 1));
    }
    let origin = ScriptedOrigin::sequence([Reply::status(502), ok()]).await;
    let remote = remote_at(&origin.base(), |config| config.retries = 3);
    let post = Request::builder().method(Method::POST).uri("http://client.test/").body(Body::Empty).unwrap();
    assert_eq!(remote.fetch(post).await.unwrap().status(), 502);
    assert_eq!(origin.received(1).await.len(), 1);
}

const STALE: &str = "max-age=10, stale-if-error=1000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_says_so_is_left_alone() {
    let origin = ScriptedOrigin::start(|request| match request.index {
        1 => Reply::status(429).header("Retry-After", "120"),
        _ => Reply::ok("picture").header("Cache-Control", STALE),
    })
    .await;
    let running = Tintype::before(&origin).await;
    running.get("/a").await;
    running.later(60);
    // It is covered, and so is every other that is stored; others are told when to come again.
    assert_eq!(glance(&running.get("/a").await), seen(200, "STALE", "picture"));
    running.later(20);
    assert_eq!(glance(&running.get("/a").await), seen(200, "STALE", "picture"));
    let other = running.get("/b").await;
    assert_eq!((other.status, other.header("retry-after")), (503, Some("100")), "{}", other.text());
    assert_eq!(origin.received(2).await.len(), 2);
    running.later(101);
    assert_eq!(running.get("/b").await.status, 200);
    running.stop().await;

    // Without anything stored, the first answer is the client's.
    let origin = ScriptedOrigin::sequence([Reply::status(429).header("Retry-After", "9")]).await;
    let running = Tintype::before(&origin).await;
    let answer = running.get("/a").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("9")));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_fails_again_and_again_is_not_asked_for_a_while() {
    let origin = ScriptedOrigin::start(|request| match request.index {
        0..3 => Reply::status(502),
        _ => Reply::ok("picture"),
    })
    .await;
    let toml =
        Tintype::toml(&origin, "").replace("kind = \"remote\"", "kind = \"remote\"\nbreaker_threshold = 3");
    let running = Tintype::of(&toml).await;
    for path in ["/a", "/b", "/c"] {
        assert_eq!(running.get(path).await.status, 502);
    }
    let refused = running.get("/d").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("300")));
    assert_eq!(running.stats().await["upstreams"]["origin"]["breaker"], "open");
    assert_eq!(origin.received(3).await.len(), 3);
    running.later(300);
    assert_eq!(running.get("/d").await.status, 200);
    assert_eq!(running.stats().await["upstreams"]["origin"]["breaker"], "closed");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_counted_against_a_budget() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("picture").header("Cache-Control", "max-age=10, stale-if-error=99999")
    })
    .await;
    let toml =
        Tintype::toml(&origin, "").replace("kind = \"remote\"", "kind = \"remote\"\nbudget = \"50/day\"");
    let running = Tintype::of(&toml).await;
    // 50 calls serve 250 requests.
    for n in 0..50 {
        for _ in 0..5 {
            assert_eq!(running.get(&format!("/{n}")).await.status, 200);
        }
    }
    running.later(3600);
    assert_eq!(glance(&running.get("/1").await), seen(200, "STALE", "picture"));
    let spent = running.get("/new").await;
    assert_eq!((spent.status, spent.header("retry-after")), (503, Some("82800")), "until midnight");
    let budget = running.stats().await["upstreams"]["origin"]["budget"].clone();
    assert_eq!((&budget["calls"], &budget["used"], &budget["left"]), (&50.into(), &50.into(), &0.into()));
    assert_eq!(origin.received(50).await.len(), 50);
    running.later(82_800);
    assert_eq!(running.get("/new").await.status, 200);
    running.stop().await;
}
