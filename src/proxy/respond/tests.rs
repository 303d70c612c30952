use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};

use super::*;
use crate::message::cache_status::Forward;
use crate::origin::OriginError;
use crate::policy::admission::NotStored;
use crate::proxy::cache::Cache;
use crate::proxy::fetch::outcome::{Cause, Delivery, Fetched};
use crate::proxy::testing::{Fields, Scripted, Shared, fields, head, request, response, route, store};

const TAGGED: &Fields = &[("cache-control", "max-age=60"), ("etag", "\"x\""), ("surrogate-key", "a b")];

struct Bench {
    shared: Shared,
    cache: Arc<Cache>,
    responder: Responder,
}

impl Bench {
    fn new() -> Self {
        let shared = Shared::new();
        let cache = shared.cache(4);
        let responder = Responder::new(&Config::default(), shared.clock_and_counters());
        Bench { shared, cache, responder }
    }

    fn request(&self, method: Method, lines: &Fields) -> CacheRequest {
        request(&self.cache, &route(Scripted::new(vec![])), method, "http://h/a", lines)
    }

    async fn stored(&self) -> Stored {
        store(&self.cache, &self.request(Method::GET, &[]), head(&self.shared, TAGGED), "body").await
    }
}

#[tokio::test]
async fn a_hit_says_what_the_cache_did() {
    let bench = Bench::new();
    let stored = bench.stored().await;
    bench.shared.clock.advance(Duration::from_secs(7));
    let request = bench.request(Method::GET, &[]);
    let status = CacheStatus::without_forward(CacheOutcome::Hit(Tier::Memory));
    let response = bench.responder.stored(&request.head, &stored, status);
    let fields = response.headers();
    assert_eq!(
        (&fields["age"], &fields["x-cache"], &fields["x-cache-age"]),
        (&7.into(), &"HIT".parse().expect("a value"), &7.into())
    );
    assert_eq!(fields["cache-status"], "tintype; hit; ttl=53; detail=memory");
    assert_eq!(fields["via"], "1.1 tintype");
    // Tags to purge by are not for clients.
    assert!(!fields.contains_key("surrogate-key"));
    assert_eq!(response.body().as_whole().expect("a body"), "body");
}

#[tokio::test]
async fn conditions_ranges_and_head_shape_the_response() {
    let bench = Bench::new();
    let stored = bench.stored().await;
    for (method, lines, status, body) in [
        (Method::GET, &[][..], 200, Some("body")),
        (Method::GET, &[("if-none-match", "\"x\"")], 304, None),
        (Method::GET, &[("if-none-match", "\"y\"")], 200, Some("body")),
        (Method::GET, &[("range", "bytes=1-2")], 206, Some("od")),
        (Method::GET, &[("range", "bytes=9-")], 416, None),
        (Method::HEAD, &[], 200, None),
    ] {
        let request = bench.request(method.clone(), lines);
        let hit = CacheStatus::without_forward(CacheOutcome::Hit(Tier::Memory));
        let response = bench.responder.stored(&request.head, &stored, hit);
        assert_eq!(response.status().as_u16(), status, "{method} {lines:?}");
        let whole = response.body().as_whole().map(|body| body.as_ref());
        assert_eq!(whole, body.map(str::as_bytes), "{method} {lines:?}");
    }
    assert_eq!(bench.shared.counters.get(Count::NotModified), 1);
}

#[tokio::test]
async fn each_delivery_has_its_outcome() {
    let bench = Bench::new();
    let stored = bench.stored().await;
    let request = bench.request(Method::GET, &[]);
    let error = || OriginError::Connect("refused".into());
    for (delivery, status, x_cache) in [
        (Delivery::Landed(stored.clone()), 200, "HIT"),
        (Delivery::Stored(stored.clone()), 200, "MISS"),
        (Delivery::Confirmed { response: stored.clone(), stored: true }, 200, "REVALIDATED"),
        (Delivery::Covered(stored.clone(), Cause::NoAnswer(error())), 200, "STALE"),
        (Delivery::NotStored(response(200, &[], ""), NotStored::NoStore), 200, "MISS"),
        (Delivery::NotStored(response(200, &[], ""), NotStored::Rule), 200, "BYPASS"),
        (Delivery::Bypassed(Ok(response(404, &[], ""))), 404, "BYPASS"),
        (Delivery::Bypassed(Err(error())), 502, "ERROR"),
        (Delivery::Failed(error()), 502, "ERROR"),
    ] {
        let fetched = Fetched { delivery, collapsed: false, withheld: HeaderMap::new() };
        let response = bench.responder.fetched(&request, fetched, Forward::UriMiss);
        assert_eq!(response.status().as_u16(), status, "{x_cache}");
        assert_eq!(response.headers()["x-cache"], x_cache);
    }
}

#[tokio::test]
async fn a_response_that_a_rule_keeps_from_the_cache_is_not_stored_by_clients() {
    let bench = Bench::new();
    let request = bench.request(Method::GET, &[]);
    let origin: &Fields = &[("cache-control", "max-age=60")];
    for (reason, cache_control) in [(NotStored::Rule, "no-store"), (NotStored::TooLarge, "max-age=60")] {
        let delivery = Delivery::NotStored(response(200, origin, ""), reason);
        let fetched = Fetched { delivery, collapsed: false, withheld: HeaderMap::new() };
        let response = bench.responder.fetched(&request, fetched, Forward::UriMiss);
        assert_eq!(response.headers()["cache-control"], cache_control, "{reason:?}");
    }
}

#[tokio::test]
async fn the_leader_gets_the_withheld_fields() {
    let bench = Bench::new();
    let stored = bench.stored().await;
    let withheld: &Fields = &[("set-cookie", "a=b"), ("etag", "\"other\""), ("content-length", "9")];
    for (lines, status) in
        [(&[][..], StatusCode::OK), (&[("if-none-match", "\"x\"")], StatusCode::NOT_MODIFIED)]
    {
        let request = bench.request(Method::GET, lines);
        let delivery = Delivery::Stored(stored.clone());
        let fetched = Fetched { delivery, collapsed: false, withheld: fields(withheld) };
        let response = bench.responder.fetched(&request, fetched, Forward::UriMiss);
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["set-cookie"], "a=b");
        assert_eq!(response.headers()["etag"], "\"x\"");
    }
}
