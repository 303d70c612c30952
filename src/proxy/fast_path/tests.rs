use std::time::Duration;

use http::Method;

use super::*;
use crate::proxy::cache::Cache;
use crate::proxy::config::Config;
use crate::proxy::testing::{Fields, Scripted, Shared, head, request, route, store};

const FRESH: &Fields =
    &[("cache-control", "max-age=60"), ("etag", "\"x\""), ("date", "Sun, 09 Sep 2001 01:46:40 GMT")];

struct Bench {
    shared: Shared,
    cache: Arc<Cache>,
    responder: Responder,
    fast_path: FastPath,
}

fn plain() -> Plain<'static> {
    Plain { target: "/a", host: b"h", ..Plain::default() }
}

impl Bench {
    /// A fast path after a hit on a response with these fields.
    async fn after_hit(lines: &Fields) -> Self {
        let shared = Shared::new();
        let cache = shared.cache(4);
        let responder = Responder::new(&Config::default(), shared.clock_and_counters());
        let fast_path = FastPath::new(Arc::clone(&shared.store), shared.clock_and_counters(), 16);
        let bench = Bench { shared, cache, responder, fast_path };
        bench.store(lines).await;
        let request = bench.request();
        let found = bench.cache.find(&request).await;
        bench.fast_path.prepare(
            &bench.responder,
            PlainRequest::of(&head_of()).expect("plain"),
            &request,
            &found,
            None,
        );
        bench
    }

    fn request(&self) -> CacheRequest {
        request(&self.cache, &route(Scripted::new(vec![])), Method::GET, "http://h/a", &[])
    }

    async fn store(&self, lines: &Fields) {
        store(&self.cache, &self.request(), head(&self.shared, lines), "body").await;
    }

    fn status(&self, plain: &Plain<'_>) -> Option<u16> {
        let mut head = Vec::new();
        self.fast_path.answer(plain, &mut head).map(|answer| answer.status.as_u16())
    }
}

fn head_of() -> http::request::Parts {
    http::Request::get("/a").header("host", "h").body(()).expect("a request").into_parts().0
}

#[test]
fn places_are_a_power_of_two() {
    let shared = Shared::new();
    for (asked, places) in [(0, 0), (1, WAYS), (4096, 4096), (5000, 8192)] {
        let fast_path = FastPath::new(Arc::clone(&shared.store), shared.clock_and_counters(), asked);
        assert_eq!(fast_path.places.len(), places, "{asked}");
    }
}

#[tokio::test]
async fn a_prepared_response_answers_plain_requests_for_it() {
    let bench = Bench::after_hit(FRESH).await;
    assert_eq!(bench.status(&plain()), Some(200));
    assert_eq!(bench.status(&Plain { if_none_match: Some(b"\"x\""), ..plain() }), Some(304));
    // Another tag is for the responder to compare.
    assert_eq!(bench.status(&Plain { if_none_match: Some(b"\"y\""), ..plain() }), None);
    assert_eq!(bench.status(&Plain { host: b"other", ..plain() }), None);
    assert_eq!(bench.status(&Plain { target: "/b", ..plain() }), None);
    assert_eq!(bench.shared.counters.get(Count::HitsPrepared), 2);
}

#[tokio::test]
async fn a_prepared_response_equals_the_one_of_the_responder() {
    let bench = Bench::after_hit(FRESH).await;
    bench.shared.clock.advance(Duration::from_secs(5));
    let prepared = bench.fast_path.respond(&PlainRequest::of(&head_of()).expect("plain"), &HeaderMap::new());
    let prepared = prepared.expect("a prepared response");
    let request = bench.request();
    let found = bench.cache.find(&request).await;
    let (stored, _) = found.stored.expect("a stored response");
    let hit = crate::message::cache_status::CacheStatus::without_forward(Answer::OUTCOME);
    let composed = bench.responder.stored(&request.head, &stored, hit);
    assert_eq!(prepared.headers(), composed.headers());
}

#[tokio::test]
async fn a_prepared_response_ends_with_its_lifetime_its_record_and_a_purge() {
    let bench = Bench::after_hit(FRESH).await;
    bench.shared.clock.advance(Duration::from_secs(60));
    assert_eq!(bench.status(&plain()), None);

    let bench = Bench::after_hit(FRESH).await;
    bench.store(FRESH).await;
    assert_eq!(bench.status(&plain()), None);

    let bench = Bench::after_hit(FRESH).await;
    bench.cache.store().purge(crate::store::Scope::All).expect("a purge");
    assert_eq!(bench.status(&plain()), None);
}

#[tokio::test]
async fn a_response_that_must_be_validated_is_not_prepared() {
    let bench = Bench::after_hit(&[("cache-control", "no-cache"), ("etag", "\"x\"")]).await;
    assert_eq!(bench.status(&plain()), None);
}
