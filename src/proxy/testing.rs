//! Parts for the unit tests of the data plane: a store in memory, a clock that stands still, and an
//! origin that answers as told.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::cache::Cache;
use super::cache::stored::Stored;
use super::cache::write::WriteContext;
use super::config::{self, Config, Refresh};
use super::request::CacheRequest;
use super::request::reading::Reading;
use super::route::{Asking, Route, Routes};
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::message::body::Body;
use crate::origin::{Origin, OriginError};
use crate::policy::admission::{self, RequestFacts, Terms};
use crate::policy::audience::Audience;
use crate::policy::rules::Lifetimes;
use crate::policy::stored::StoredResponse;
use crate::proxy::auth::Auth;
use crate::store::{self, MemoryStore, Store};
use crate::telemetry::counters::Counters;

pub(crate) type Fields = [(&'static str, &'static str)];

/// The parts that all objects share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) counters: Arc<Counters>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let config = store::Config {
            dir: None,
            memory_bytes: 1 << 20,
            disk_bytes: 0,
            block_bytes: 1 << 20,
            write_buffer_bytes: 1 << 20,
            max_ledger_entries: 100,
            max_listed: 100,
            canary_interval: Duration::from_secs(60),
            lock_timeout: Duration::ZERO,
        };
        Shared {
            store: Arc::new(MemoryStore::new(&config)),
            clock: Arc::new(ManualClock::at(Timestamp::from_secs(1_000_000_000))),
            counters: Arc::default(),
        }
    }

    pub(crate) fn clock_and_counters(&self) -> (Arc<dyn Clock>, Arc<Counters>) {
        (Arc::clone(&self.clock) as Arc<dyn Clock>, Arc::clone(&self.counters))
    }

    pub(crate) fn cache(&self, max_variants: usize) -> Arc<Cache> {
        Cache::new(Arc::clone(&self.store), self.clock_and_counters(), max_variants)
    }
}

/// An origin that gives the responses of a list, one after another, each after it was let through.
pub(crate) struct Scripted {
    responses: Mutex<VecDeque<Result<Response<Body>, OriginError>>>,
    pub(crate) gate: Semaphore,
    /// The requests that came: method, path and `If-None-Match`.
    pub(crate) log: Mutex<Vec<String>>,
}

impl Scripted {
    /// Answers at once.
    pub(crate) fn new(responses: Vec<Result<Response<Body>, OriginError>>) -> Arc<Self> {
        let scripted = Self::waiting(responses);
        scripted.gate.add_permits(1000);
        scripted
    }

    /// Answers once the gate has a permit.
    pub(crate) fn waiting(responses: Vec<Result<Response<Body>, OriginError>>) -> Arc<Self> {
        let (responses, gate) = (Mutex::new(responses.into()), Semaphore::new(0));
        Arc::new(Scripted { responses, gate, log: Mutex::default() })
    }
}

impl Origin for Scripted {
    fn fetch(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, OriginError>> {
        let condition = request.headers().get("if-none-match").map(|tag| tag.to_str().unwrap_or("?"));
        let line = [request.method().as_str(), request.uri().path(), condition.unwrap_or("")].join(" ");
        self.log.lock().push(line.trim_end().to_owned());
        Box::pin(async {
            self.gate.acquire().await.expect("the gate is open").forget();
            let response = self.responses.lock().pop_front();
            response.unwrap_or(Err(OriginError::Connect("no response is left".into())))
        })
    }
}

pub(crate) fn fields(lines: &Fields) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    fields
}

pub(crate) fn response(status: u16, lines: &Fields, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::whole(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    *response.headers_mut() = fields(lines);
    response
}

/// One route for every request, to `origin`.
pub(crate) fn routes(origin: Arc<dyn Origin>) -> Routes {
    let route = config::Route {
        name: "all".into(),
        host: None,
        path: "/".into(),
        upstream: "u".into(),
        key: None,
        capture: false,
        only_pictures: false,
        asking: Asking::default(),
        no_vary_search: false,
        terms: Terms::default(),
        lifetimes: Lifetimes::default(),
        refresh: Refresh::default(),
        auth: Auth::default(),
        audience: Audience::default(),
        public_url: None,
    };
    let config = Config { routes: vec![route], ..Config::default() };
    Routes::new(&config, |_| Some((Arc::clone(&origin), false))).expect("an upstream")
}

pub(crate) fn route(origin: Arc<dyn Origin>) -> Arc<Route> {
    Arc::clone(routes(origin).find(&"http://h/".parse().expect("a URI")).expect("a route"))
}

/// A request as it is looked up.
pub(crate) fn request(
    cache: &Cache,
    route: &Arc<Route>,
    method: Method,
    target: &str,
    lines: &Fields,
) -> CacheRequest {
    let (mut head, ()) =
        Request::builder().method(method).uri(target).body(()).expect("a request").into_parts();
    head.headers = fields(lines);
    cache.request(Arc::clone(route), head, IpAddr::V4(Ipv4Addr::LOCALHOST), Reading::default())
}

/// A 200 with these fields that arrived now, as it is stored.
pub(crate) fn head(shared: &Shared, lines: &Fields) -> StoredResponse {
    let now = shared.clock.now();
    let facts = RequestFacts { method: &Method::GET, fields: &HeaderMap::new(), sent: now };
    admission::admit(facts, StatusCode::OK, &fields(lines), now, &Terms::default()).expect("a storable head")
}

/// Stores a response to `request`.
pub(crate) async fn store(
    cache: &Cache,
    request: &CacheRequest,
    head: StoredResponse,
    body: &'static str,
) -> Stored {
    let handles = request.handles();
    let context = WriteContext {
        primary: &request.primary,
        request: &request.head,
        sequence: cache.store().next_sequence(),
        handles: &handles,
        scope: request.route.scope(&request.head.uri),
        page: None,
    };
    cache.write(context, head, body.into()).await
}
