//! Our decisions against those of `http-cache-semantics`, over random exchanges.
//!
//! - What may be stored, how old it is, how long it is fresh, whether it answers a request: both say the same, second for second.
//! - Where the oracle is known to be wrong, [`faults`] names the clause that says so, and rewrites the exchange into one that means the
//!   same by that clause and that the oracle reads rightly. We always get the exchange as it is.
//! - What we never store although one might is a ruling, with its clause; our answer must then be no.
//! - No fault or ruling is listed in vain: without it some exchange is judged differently.
//!
//! The seed is fixed, so that each run sees the same exchanges.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use http::{HeaderName, Method, Request, Response, StatusCode};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tintype::policy::admission::{self, RequestFacts, Terms};
use tintype::policy::directives::RequestDirectives;
use tintype::policy::reuse::{self, Reuse, StaleUse};
use tintype::policy::stored::StoredResponse;
use tintype::policy::vary::{self, Selecting};

mod exchange;
mod faults;

use exchange::{Exchange, NOW};
use faults::{FAULTS, RULINGS};

const EXCHANGES: u32 = 20_000;

fn runner() -> TestRunner {
    let config = Config { cases: EXCHANGES, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn the_oracle_agrees_where_it_is_right() {
    let judged = runner().run(&exchange::exchanges(), |exchange| match disagreement(&exchange, None) {
        None => Ok(()),
        Some(what) => Err(TestCaseError::fail(what)),
    });
    if let Err(failure) = judged {
        panic!("{failure}");
    }
}

#[test]
fn no_fault_is_listed_in_vain() {
    let (mut runner, any) = (runner(), exchange::exchanges());
    let mut unneeded: Vec<&str> =
        FAULTS.iter().chain(RULINGS.iter().map(|r| &r.fault)).map(|f| f.name).collect();
    for _ in 0..EXCHANGES {
        let exchange = any.new_tree(&mut runner).expect("an exchange").current();
        unneeded.retain(|name| {
            // The oracle may panic without the rewriting: that counts.
            let judged = catch_unwind(AssertUnwindSafe(|| disagreement(&exchange, Some(name))));
            matches!(judged, Ok(None))
        });
        if unneeded.is_empty() {
            return;
        }
    }
    panic!("these make no difference: {unneeded:?}");
}

/// Most exchanges must reach the comparison of freshness, else the test proves little.
#[test]
fn enough_exchanges_are_storable() {
    let (mut runner, any) = (runner(), exchange::exchanges());
    let stored = (0..2_000)
        .filter(|_| ours(&any.new_tree(&mut runner).expect("an exchange").current()).is_some())
        .count();
    assert!(stored > 600, "{stored} of 2000");
}

/// How we and the oracle differ over `exchange`; the fault or ruling named `without` is left out of account.
fn disagreement(exchange: &Exchange, without: Option<&str>) -> Option<String> {
    let mut healed = exchange.clone();
    for fault in FAULTS.iter().filter(|fault| Some(fault.name) != without) {
        (fault.heal)(&mut healed);
    }
    let stored = ours(exchange);
    let oracle = oracle(&healed);
    let ruling =
        RULINGS.iter().filter(|r| Some(r.fault.name) != without).find(|r| (r.when)(exchange, &healed));
    if let Some(ruling) = ruling {
        return stored.map(|_| format!("stored against «{}», {}", ruling.fault.name, ruling.fault.clause));
    }
    if stored.is_some() != oracle.is_storable() {
        return Some(format!("storable: ours {}, theirs {}", stored.is_some(), oracle.is_storable()));
    }
    let stored = stored?;
    let now = NOW + Duration::from_secs(exchange.resident);
    let (age, theirs) = (stored.current_age(now), oracle.age(now.to_system()));
    if age != theirs {
        return Some(format!("age: ours {age:?}, theirs {theirs:?}"));
    }
    let (left, theirs) = (stored.lifetime.saturating_sub(age), oracle.time_to_live(now.to_system()));
    if left != theirs && !stored.no_cache {
        return Some(format!("freshness left: ours {left:?}, theirs {theirs:?}"));
    }
    let presented = request(exchange.presented.fields());
    let directives = RequestDirectives::of(presented.headers());
    let decision = reuse::decide(&stored, &directives, now);
    let matches = selects(exchange, &stored);
    let answers = matches && matches!(decision, Reuse::Fresh | Reuse::Stale(StaleUse::MaxStale));
    let asked = oracle.before_request(&request(healed.presented.fields()), now.to_system());
    if let BeforeRequest::Stale { matches: theirs, .. } = asked
        && matches != theirs
    {
        return Some(format!("variant: ours {matches}, theirs {theirs}"));
    }
    let theirs = matches!(asked, BeforeRequest::Fresh(_));
    if answers != theirs {
        return Some(format!("answer: ours {decision:?}, variant {matches}, theirs {theirs}"));
    }
    if decision == Reuse::Stale(StaleUse::WhileRevalidate) && !exchange.in_window(stored.staleness(now)) {
        return Some("stale outside the window".to_owned());
    }
    None
}

/// What we store of it.
fn ours(exchange: &Exchange) -> Option<StoredResponse> {
    let fields = exchange.request.fields();
    let method = Method::from_bytes(exchange.method.as_bytes()).expect("method");
    let sent = NOW - Duration::from_secs(exchange.delay);
    let facts = RequestFacts { method: &method, fields: &fields, sent };
    let status = StatusCode::from_u16(exchange.status).expect("status");
    admission::admit(facts, status, &exchange.response_fields(), NOW, &Terms::default()).ok()
}

fn oracle(exchange: &Exchange) -> CachePolicy {
    let mut request = request(exchange.request.fields());
    *request.method_mut() = Method::from_bytes(exchange.method.as_bytes()).expect("method");
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(exchange.status).expect("status");
    *response.headers_mut() = exchange.response_fields();
    CachePolicy::new_options(&request, &response, NOW.to_system(), CacheOptions::default())
}

/// How long the oracle takes the response to be fresh, `no-cache` and its age apart.
fn their_lifetime(exchange: &Exchange) -> Duration {
    let mut exchange = exchange.clone();
    exchange.response.retain(|directive| directive.name != "no-cache");
    exchange.age.clear();
    oracle(&exchange).time_to_live(NOW.to_system())
}

/// Whether the presented request selects the stored response.
fn selects(exchange: &Exchange, stored: &StoredResponse) -> bool {
    let names: Vec<HeaderName> = match vary::selecting(&stored.fields) {
        Selecting::Nothing => return true,
        Selecting::All => return false,
        Selecting::Fields(names) => names,
    };
    let key = |side: &exchange::Side| vary::variant_key(b"", &names, &side.fields());
    key(&exchange.request) == key(&exchange.presented)
}

fn request(fields: http::HeaderMap) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = http::Uri::from_static("http://h.example/x");
    *request.headers_mut() = fields;
    request
}
