use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;

use super::bypass::Bypassed;
use super::outcome::{Cause, Delivery, Fetched};
use super::*;
use crate::derive;
use crate::message::body::Body;
use crate::origin::{Origin, OriginError};
use crate::policy::admission::NotStored;
use crate::proxy::cache::negative::Negative;
use crate::proxy::request::CacheRequest;
use crate::proxy::testing::{Fields, Scripted, Shared, request, response, route, routes};

const FRESH: &Fields = &[("cache-control", "max-age=60, stale-if-error=3600"), ("etag", "\"x\"")];

struct Bench {
    shared: Shared,
    cache: Arc<Cache>,
    fetcher: Arc<Fetcher>,
    origin: Arc<Scripted>,
    route: Arc<Route>,
}

fn bench(origin: Arc<Scripted>) -> Bench {
    let shared = Shared::new();
    let cache = shared.cache(4);
    let deriver = Arc::new(Deriver::new(derive::Config::default()));
    let config = Arc::new(Config::default());
    let fetcher = Fetcher::new(Arc::clone(&cache), config, shared.clock_and_counters(), deriver);
    let route = route(Arc::clone(&origin) as Arc<dyn Origin>);
    Bench { shared, cache, fetcher, origin, route }
}

impl Bench {
    fn of(responses: Vec<Result<Response<Body>, OriginError>>) -> Self {
        bench(Scripted::new(responses))
    }

    fn get(&self) -> CacheRequest {
        request(&self.cache, &self.route, Method::GET, "http://h/a", &[])
    }

    async fn fetch(&self) -> Fetched {
        let request = self.get();
        let found = self.cache.find(&request).await;
        let fetched = self.fetcher.fetch(&request, &found).await.expect("no refusal");
        self.fetcher.at_most(0).await;
        fetched
    }
}

async fn text(body: Body) -> String {
    String::from_utf8_lossy(&body.collect().await.expect("a body").to_bytes()).into_owned()
}

#[tokio::test]
async fn a_miss_is_fetched_and_stored() {
    let bench = Bench::of(vec![Ok(response(200, FRESH, "body"))]);
    let fetched = bench.fetch().await;
    assert!(!fetched.collapsed);
    // Its head was published before the body had ended, as it has an entity tag.
    let Delivery::Arriving(_, reader) = fetched.delivery else { panic!("no body on its way") };
    assert_eq!(text(Body::stream(reader)).await, "body");
    let (stored, _) = bench.cache.find(&bench.get()).await.stored.expect("a stored response");
    assert_eq!(stored.body().as_ref(), b"body");
    assert_eq!(bench.fetcher.under_way(), 0);
}

#[tokio::test]
async fn concurrent_requests_share_one_fetch() {
    let bench = bench(Scripted::waiting(vec![Ok(response(200, FRESH, "body"))]));
    let requests = (0..3).map(|_| async {
        let request = bench.get();
        let found = bench.cache.find(&request).await;
        bench.fetcher.fetch(&request, &found).await.expect("no refusal")
    });
    let open = async {
        while bench.fetcher.under_way() == 0 {
            tokio::task::yield_now().await;
        }
        bench.origin.gate.add_permits(1);
    };
    let (fetched, ()) = tokio::join!(futures_util::future::join_all(requests), open);
    assert_eq!(fetched.iter().filter(|fetched| fetched.collapsed).count(), 2);
    assert_eq!(*bench.origin.log.lock(), ["GET /a"]);
}

#[tokio::test]
async fn a_response_that_may_not_be_stored_is_for_the_leader() {
    let bench = Bench::of(vec![Ok(response(200, &[("cache-control", "no-store")], "body"))]);
    let fetched = bench.fetch().await;
    assert!(matches!(fetched.delivery, Delivery::NotStored(_, NotStored::NoStore)));
    let (key, now) = (bench.get().primary, bench.shared.clock.now());
    assert_eq!(bench.cache.negative.get(&key, now), Some(Negative::Uncacheable));
    assert_eq!(bench.cache.declined.get(&key).map(|declined| declined.name), Some("no-store"));
}

#[tokio::test]
async fn a_304_confirms_the_stored_response() {
    let bench = Bench::of(vec![Ok(response(200, FRESH, "body")), Ok(response(304, FRESH, ""))]);
    bench.fetch().await;
    bench.shared.clock.advance(Duration::from_secs(100));
    let fetched = bench.fetch().await;
    let Delivery::Confirmed { response, stored: true } = fetched.delivery else { panic!("not confirmed") };
    assert_eq!(response.body().as_ref(), b"body");
    assert_eq!(*bench.origin.log.lock(), ["GET /a", "GET /a \"x\""]);
}

#[tokio::test]
async fn a_stored_response_covers_an_origin_error() {
    let failed = OriginError::Connect("refused".into());
    for (answer, cause) in [
        (Err(failed.clone()), Cause::NoAnswer(failed)),
        (Ok(response(503, &[], "")), Cause::Status(StatusCode::SERVICE_UNAVAILABLE)),
    ] {
        let bench = Bench::of(vec![Ok(response(200, FRESH, "body")), answer]);
        bench.fetch().await;
        bench.shared.clock.advance(Duration::from_secs(100));
        let Delivery::Covered(stored, known) = bench.fetch().await.delivery else { panic!("not covered") };
        assert_eq!((stored.body().as_ref(), known), (&b"body"[..], cause));
        let negative = bench.cache.negative.get(&bench.get().primary, bench.shared.clock.now());
        assert!(negative.is_some_and(Negative::failed_just_now));
    }
}

#[tokio::test]
async fn an_origin_error_without_a_stored_response_fails() {
    let bench = Bench::of(vec![]);
    assert!(matches!(bench.fetch().await.delivery, Delivery::Failed(OriginError::Connect(_))));
}

#[tokio::test]
async fn validation_in_the_background_is_not_doubled() {
    let bench = bench(Scripted::waiting(vec![Ok(response(200, FRESH, "body"))]));
    let request = bench.get();
    let found = bench.cache.find(&request).await;
    assert!(bench.fetcher.validate_behind(&request, &found).is_some());
    assert!(bench.fetcher.validate_behind(&request, &found).is_none());
    assert!(bench.fetcher.is_under_way(&found.key));
    // No client waits for it.
    bench.fetcher.none_awaited().await;
    bench.origin.gate.add_permits(1);
    bench.fetcher.at_most(0).await;
    assert!(bench.cache.find(&request).await.stored.is_some());
}

#[tokio::test]
async fn bypass_of_an_unsafe_method_invalidates_the_stored_response() {
    let bench = Bench::of(vec![Ok(response(200, FRESH, "body")), Ok(response(204, &[], ""))]);
    bench.fetch().await;
    let mut head = bench.get().head;
    head.method = Method::DELETE;
    let routes = routes(Arc::clone(&bench.origin) as Arc<dyn Origin>);
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let route = Arc::clone(&bench.route);
    let bypassed = bench.fetcher.bypass(&routes, route, head, Body::Empty, peer).await;
    let Ok(Bypassed::Passed(Ok(response))) = bypassed else { panic!("not passed") };
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(bench.cache.find(&bench.get()).await.stored.is_none());
}
