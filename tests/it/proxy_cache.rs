//! What is stored answers again: fields, ages, conditional requests, HEAD, the entity tag we add.
//!
//! - RFC 9111 4: a fresh stored response is used without asking the origin, with `Age`.
//! - RFC 9110 13, 15.4.5: conditional requests are answered from the store by a 304 with the fields that it needs.
//! - A response without an entity tag gets one: the first 16 hex digits of the SHA-256 of its body.

use crate::support::*;

const TAG: &str = "\"ba7816bf8f01cfea\""; // SHA-256 of "abc"

async fn fresh(body: &'static str) -> (ScriptedOrigin, Tintype) {
    let origin = ScriptedOrigin::start(move |_| {
        Reply::ok(body).header("Cache-Control", "max-age=60").header("Content-Type", "image/png")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    (origin, tintype)
}

#[tokio::test]
async fn the_second_request_is_a_hit_with_its_age() {
    let (origin, tintype) = fresh("abc").await;
    let miss = tintype.get("/a").await;
    assert_eq!(glance(&miss), seen(200, "MISS", "abc"));
    assert_eq!((miss.header("age"), miss.header("x-cache-age")), (None, Some("0")));
    assert_eq!(miss.header("cache-status"), Some("tintype; fwd=uri-miss; ttl=60; stored"));
    assert_eq!(miss.header("via"), Some("1.1 tintype"));
    tintype.later(7);
    let hit = tintype.get("/a").await;
    assert_eq!(glance(&hit), seen(200, "HIT", "abc"));
    assert_eq!((hit.header("age"), hit.header("x-cache-age")), (Some("7"), Some("7")));
    // Trap of B07: the origin's max-age as it is, never a shrunken one together with Age.
    assert_eq!(hit.header("cache-control"), Some("max-age=60"));
    assert_eq!(hit.header("cache-status"), Some("tintype; hit; ttl=53; detail=memory"));
    assert_eq!(hit.header("content-length"), Some("3"));
    assert_eq!(hit.header("date"), miss.header("date"));
    tintype.later(53);
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn every_octet_of_path_and_query_counts() {
    let (origin, tintype) = fresh("abc").await;
    for target in ["/a", "/a?", "/a?b=1&c=2", "/a?c=2&b=1", "/%61", "/A"] {
        assert_eq!(tintype.get(target).await.header("x-cache"), Some("MISS"), "{target}");
    }
    let targets: Vec<String> = origin.requests().into_iter().map(|r| r.target).collect();
    assert_eq!(targets, ["/a", "/a?", "/a?b=1&c=2", "/a?c=2&b=1", "/%61", "/A"]);
}

#[tokio::test]
async fn an_untagged_response_gets_a_strong_tag_on_its_first_answer() {
    let (_origin, tintype) = fresh("abc").await;
    assert_eq!(tintype.get("/a").await.header("etag"), Some(TAG));
    assert_eq!(tintype.get("/a").await.header("etag"), Some(TAG));
}

#[tokio::test]
async fn the_origins_own_tag_stays() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("abc").header("ETag", "W/\"v1\"").header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.get("/a").await.header("etag"), Some("W/\"v1\""));
    let polled = tintype.get_with("/a", &[("If-None-Match", "\"v1\"")]).await;
    assert_eq!(glance(&polled), seen(304, "HIT", ""));
}

#[tokio::test]
async fn conditional_requests_are_answered_from_the_store() {
    let (origin, tintype) = fresh("abc").await;
    tintype.get("/a").await;
    for condition in [TAG, "\"x\", \"ba7816bf8f01cfea\"", "W/\"ba7816bf8f01cfea\"", "*"] {
        let answer = tintype.get_with("/a", &[("If-None-Match", condition)]).await;
        assert_eq!(glance(&answer), seen(304, "HIT", ""), "{condition}");
        for field in ["cache-control", "date", "etag", "x-cache", "age"] {
            assert!(answer.header(field).is_some(), "304 without {field}");
        }
        for field in ["content-type", "content-length"] {
            assert_eq!(answer.header(field), None);
        }
    }
    assert_eq!(tintype.get_with("/a", &[("If-None-Match", "\"x\"")]).await.status, 200);
    let since = [("If-Modified-Since", "Sat, 01 Nov 2025 00:00:00 GMT")];
    assert_eq!(tintype.get_with("/a", &since).await.status, 304);
    let before = [("If-Modified-Since", "Fri, 31 Oct 2025 23:59:59 GMT")];
    assert_eq!(tintype.get_with("/a", &before).await.status, 200);
    assert_eq!(origin.count(), 1);
    assert_eq!(tintype.stats().await["traffic"]["not_modified"], 5);
}

/// The purpose of the tag: a picture that was made again and came out the same is a 304 to who polls.
#[tokio::test]
async fn a_picture_made_again_with_the_same_bytes_is_not_modified() {
    let (origin, tintype) = fresh("abc").await;
    let tag = tintype.get("/a").await.header("etag").unwrap().to_owned();
    tintype.later(3600);
    let polled = tintype.get_with("/a", &[("If-None-Match", &tag)]).await;
    assert_eq!(glance(&polled), seen(304, "MISS", ""));
    let requests = origin.requests();
    assert_eq!(requests.len(), 2);
    // Our own tag means nothing to the origin.
    assert_eq!(requests[1].header("if-none-match"), None);
}

#[tokio::test]
async fn a_condition_on_a_miss_is_ours_to_answer() {
    let (origin, tintype) = fresh("abc").await;
    let answer = tintype.get_with("/a", &[("If-None-Match", TAG)]).await;
    assert_eq!(glance(&answer), seen(304, "MISS", ""));
    assert_eq!(origin.requests()[0].header("if-none-match"), None);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "abc"));
}

#[tokio::test]
async fn head_is_answered_from_a_stored_get() {
    let (origin, tintype) = fresh("abc").await;
    tintype.get("/a").await;
    let head = tintype.send("HEAD", "/a").await;
    assert_eq!(glance(&head), seen(200, "HIT", ""));
    assert_eq!(head.header("content-length"), Some("3"));
    assert_eq!(head.header("content-type"), Some("image/png"));
    assert_eq!(origin.count(), 1);
    // Without a stored GET it goes through as HEAD and is not stored.
    tintype.send("HEAD", "/b").await;
    assert_eq!(origin.requests()[1].method, "HEAD");
    assert_eq!(tintype.get("/b").await.header("x-cache"), Some("MISS"));
}

#[tokio::test]
async fn what_must_not_be_stored_is_not() {
    for (request, response) in [
        (("Accept", "*/*"), ("Cache-Control", "No-Store, max-age=60")),
        (("Accept", "*/*"), ("Cache-Control", "Private, max-age=60")),
        (("Accept", "*/*"), ("Vary", "*")),
        (("Cache-Control", "no-store"), ("Cache-Control", "max-age=60")),
        (("Authorization", "Basic x"), ("Cache-Control", "max-age=60")),
    ] {
        let origin = ScriptedOrigin::start(move |_| {
            Reply::ok("abc").header("Expires", "Sun, 01 Nov 2026 00:00:00 GMT").header(response.0, response.1)
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        for _ in 0..2 {
            let answer = tintype.get_with("/a", &[request]).await;
            assert_eq!(glance(&answer), seen(200, "MISS", "abc"), "{request:?} {response:?}");
            let status = answer.header("cache-status").unwrap();
            assert!(!status.contains("stored") && status.contains("detail="), "{status}");
        }
        assert_eq!(origin.count(), 2);
    }
}

#[tokio::test]
async fn authorization_is_shared_where_the_origin_says_so() {
    let origin =
        ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "public, max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get_with("/a", &[("Authorization", "Basic x")]).await;
    assert_eq!(tintype.get_with("/a", &[("Authorization", "Basic y")]).await.header("x-cache"), Some("HIT"));
}

#[tokio::test]
async fn only_if_cached_never_goes_forward() {
    let (origin, tintype) = fresh("abc").await;
    let only = [("Cache-Control", "only-if-cached")];
    let answer = tintype.get_with("/a", &only).await;
    assert_eq!((answer.status, answer.header("x-cache")), (504, Some("ERROR")));
    assert_eq!(origin.count(), 0);
    tintype.get("/a").await;
    assert_eq!(glance(&tintype.get_with("/a", &only).await), seen(200, "HIT", "abc"));
}

#[tokio::test]
async fn the_origins_age_and_cache_status_are_passed_on() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("abc")
            .header("Cache-Control", "max-age=60")
            .header("Age", "50")
            .header("Cache-Status", "inner; hit")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let miss = tintype.get("/a").await;
    assert_eq!(miss.header("age"), Some("50"));
    let all: Vec<_> = miss.headers.get_all("cache-status").iter().collect();
    assert_eq!(all, ["inner; hit", "tintype; fwd=uri-miss; ttl=10; stored"]);
    tintype.later(5);
    assert_eq!(tintype.get("/a").await.header("age"), Some("55"));
    tintype.later(5);
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
}

#[tokio::test]
async fn hop_by_hop_fields_are_neither_sent_nor_stored() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("abc")
            .header("Cache-Control", "max-age=60")
            .header("Connection", "x-hop")
            .header("X-Hop", "1")
            .header("Keep-Alive", "timeout=5")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for _ in 0..2 {
        let answer = tintype.get_with("/a", &[("Connection", "x-mine"), ("X-Mine", "1")]).await;
        assert_eq!((answer.header("x-hop"), answer.header("keep-alive")), (None, None));
    }
    assert_eq!(origin.requests()[0].header("x-mine"), None);
}
