use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};

use super::decide::Decision;
use super::*;
use crate::message::cache_status::Forward;
use crate::message::outcome::{CacheOutcome, StaleReason, Tier};
use crate::proxy::testing::{
    Fields, Scripted, Shared, fields, head, request, response, route, routes, store,
};

const FRESH: &Fields = &[("cache-control", "max-age=60")];

fn get(cache: &Cache, lines: &Fields) -> CacheRequest {
    request(cache, &route(Scripted::new(vec![])), Method::GET, "http://h/a", lines)
}

#[tokio::test]
async fn look_up_after_write_finds_the_response_with_length_and_tag() {
    let shared = Shared::new();
    let cache = shared.cache(4);
    let request = get(&cache, &[]);
    assert!(cache.find(&request).await.stored.is_none());
    store(&cache, &request, head(&shared, FRESH), "body").await;
    let (stored, tier) = cache.find(&request).await.stored.expect("a stored response");
    assert_eq!((tier, stored.body().as_ref()), (Tier::Memory, &b"body"[..]));
    assert_eq!(stored.head().fields["content-length"], "4");
    assert!(stored.head().own_entity_tag && stored.head().fields.contains_key("etag"));
}

#[tokio::test]
async fn look_up_selects_the_variant_and_the_oldest_one_is_dropped() {
    let shared = Shared::new();
    let cache = shared.cache(2);
    let varies: &Fields = &[("cache-control", "max-age=60"), ("vary", "accept")];
    let requests = ["a", "b", "c"].map(|accept| match accept {
        "a" => get(&cache, &[("accept", "a")]),
        "b" => get(&cache, &[("accept", "b")]),
        _ => get(&cache, &[("accept", "c")]),
    });
    for (request, body) in requests.iter().zip(["A", "B", "C"]) {
        store(&cache, request, head(&shared, varies), body).await;
    }
    for (request, expected) in requests.iter().zip([None, Some("B"), Some("C")]) {
        let found = cache.find(request).await;
        let body = found.stored.as_ref().map(|(stored, _)| stored.body().clone());
        assert_eq!(body, expected.map(Into::into));
        // The tags of the other variants are offered to the origin.
        assert_eq!(found.variants.len(), if expected.is_some() { 0 } else { 2 });
    }
}

fn decided(cache: &Cache, request: &CacheRequest, found: &Found) -> Result<(CacheOutcome, bool), Forward> {
    match cache.decide(request, found) {
        Decision::Serve { outcome, revalidate, .. } => Ok((outcome, revalidate)),
        Decision::Forward(why) => Err(why),
    }
}

#[tokio::test]
async fn decide_depends_on_age_windows_and_failures() {
    let hit = CacheOutcome::Hit(Tier::Memory);
    let stale = CacheOutcome::Stale;
    let windows: &Fields = &[("cache-control", "max-age=60, stale-while-revalidate=60, stale-if-error=3600")];
    for (lines, age, failed, expected) in [
        (FRESH, 59, false, Ok((hit, false))),
        (FRESH, 60, false, Err(Forward::Stale)),
        (windows, 119, false, Ok((stale(StaleReason::WhileRevalidate), true))),
        (windows, 119, true, Ok((stale(StaleReason::WhileRevalidate), false))),
        (windows, 120, false, Err(Forward::Stale)),
        (windows, 120, true, Ok((stale(StaleReason::IfError), false))),
    ] {
        let shared = Shared::new();
        let cache = shared.cache(4);
        let request = get(&cache, &[]);
        assert_eq!(decided(&cache, &request, &cache.find(&request).await), Err(Forward::UriMiss));
        store(&cache, &request, head(&shared, lines), "body").await;
        shared.clock.advance(Duration::from_secs(age));
        let found = cache.find(&request).await;
        if failed {
            cache.negative.set_failed(&found.key, true, shared.clock.now());
        }
        assert_eq!(decided(&cache, &request, &found), expected, "{lines:?} {age} {failed}");
    }
}

#[tokio::test]
async fn decide_obeys_the_directives_of_the_request() {
    let shared = Shared::new();
    let cache = shared.cache(4);
    store(&cache, &get(&cache, &[]), head(&shared, FRESH), "body").await;
    for (lines, expected) in [
        (&[("cache-control", "no-cache")][..], Err(Forward::Request)),
        (&[("cache-control", "max-age=10")], Err(Forward::Request)),
        (&[("cache-control", "max-age=30")], Ok((CacheOutcome::Hit(Tier::Memory), false))),
    ] {
        let request = get(&cache, lines);
        shared.clock.set(crate::clock::Timestamp::from_secs(1_000_000_020));
        assert_eq!(decided(&cache, &request, &cache.find(&request).await), expected, "{lines:?}");
    }
}

#[tokio::test]
async fn invalidation_follows_a_successful_unsafe_method() {
    for (method, status, stays) in [
        (Method::DELETE, StatusCode::NO_CONTENT, false),
        (Method::POST, StatusCode::OK, false),
        (Method::POST, StatusCode::BAD_REQUEST, true),
        (Method::GET, StatusCode::OK, true),
    ] {
        let shared = Shared::new();
        let cache = shared.cache(4);
        let request = get(&cache, &[]);
        store(&cache, &request, head(&shared, FRESH), "body").await;
        let routes = routes(Scripted::new(vec![]));
        let target = &request.head.uri;
        cache.invalidate(&routes, &method, target, (status, HeaderMap::new()), |_| false).await;
        assert_eq!(cache.find(&request).await.stored.is_some(), stays, "{method} {status}");
    }
}

#[tokio::test]
async fn invalidation_of_an_unknown_target_leaves_no_ledger_entry() {
    let shared = Shared::new();
    let cache = shared.cache(4);
    let routes = routes(Scripted::new(vec![]));
    let target = "http://h/unknown".parse().expect("a URI");
    for (is_fetched, entries) in [(false, 0), (true, 1)] {
        let answer = (StatusCode::OK, HeaderMap::new());
        cache.invalidate(&routes, &Method::PUT, &target, answer, |_| is_fetched).await;
        assert_eq!(cache.store().usage().ledger_entries, entries);
    }
}

#[tokio::test]
async fn head_freshens_the_same_representation_and_makes_another_one_stale() {
    for (tag, fresh) in [("\"x\"", true), ("\"y\"", false)] {
        let shared = Shared::new();
        let cache = shared.cache(4);
        let request = get(&cache, &[]);
        let tagged: &Fields = &[("cache-control", "max-age=60"), ("etag", "\"x\"")];
        let stored = store(&cache, &request, head(&shared, tagged), "body").await;
        shared.clock.advance(Duration::from_secs(50));
        let mut said = fields(FRESH);
        said.insert("etag", http::HeaderValue::from_static(tag));
        let sequence = cache.store().next_sequence();
        let now = shared.clock.now();
        let updated = cache.update_from_head(&request, &stored, &said, sequence, now).await;
        assert_eq!(updated.is_some(), fresh, "{tag}");
        shared.clock.advance(Duration::from_secs(20));
        let expected = if fresh { Ok((CacheOutcome::Hit(Tier::Memory), false)) } else { Err(Forward::Stale) };
        assert_eq!(decided(&cache, &request, &cache.find(&request).await), expected, "{tag}");
    }
}

#[tokio::test]
async fn inspect_tells_a_purged_record() {
    let shared = Shared::new();
    let cache = shared.cache(4);
    let request = get(&cache, &[]);
    store(&cache, &request, head(&shared, FRESH), "body").await;
    let seen = cache.inspect(&request.primary, &request.head).await;
    assert!(seen.found.stored.is_some() && seen.purged.is_none());
    cache.store().purge(crate::store::Scope::All).expect("a purge");
    let seen = cache.inspect(&request.primary, &request.head).await;
    assert!(seen.found.stored.is_none());
    drop(response(200, &[], ""));
}
