//! The data plane on its own, with origin and store in the test's hands: what no peer can bring about at will.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::tintype::clock::ManualClock;
use ::tintype::message::body::Body;
use ::tintype::origin::{Origin, OriginError};
use ::tintype::proxy::route::Routes;
use ::tintype::proxy::{Config, Proxy, Route};
use ::tintype::store::{self, CacheKey, Handle, MemoryStore, Record, Scope, Store, Usage};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::{Gate, START, within};

/// A data plane on its own, where a test has origin and store in its hands.
fn data_plane(origin: impl Origin, store: impl Store) -> Arc<Proxy> {
    let route = Route {
        name: "all".into(),
        host: None,
        path: "/".into(),
        upstream: "origin".into(),
        key: None,
        capture: false,
        only_pictures: false,
        asking: Default::default(),
        no_vary_search: false,
        terms: tintype::policy::admission::Terms::default(),
        lifetimes: tintype::policy::rules::Lifetimes::default(),
        refresh: tintype::proxy::Refresh::default(),
        auth: Default::default(),
        audience: Default::default(),
        public_url: None,
    };
    let config = Config { routes: vec![route], ..Config::default() };
    let origin: Arc<dyn Origin> = Arc::new(origin);
    let routes = Routes::new(&config, |_| Some((Arc::clone(&origin), false))).expect("an upstream");
    let clock = Arc::new(ManualClock::at(START));
    Proxy::new(config, routes, Arc::new(store), clock, Arc::default())
}

fn ask_for(proxy: &Arc<Proxy>, target: &'static str) -> JoinHandle<Response<Body>> {
    let proxy = Arc::clone(proxy);
    let request = Request::get(target).header("host", "h").body(Body::Empty).expect("a request");
    tokio::spawn(async move { proxy.handle(request, [127, 0, 0, 1].into(), false).await })
}

fn memory() -> MemoryStore {
    MemoryStore::new(&store::Config {
        dir: None,
        memory_bytes: 1 << 20,
        disk_bytes: 0,
        block_bytes: 1 << 16,
        write_buffer_bytes: 0,
        max_ledger_entries: 10,
        max_listed: 10,
        canary_interval: Duration::from_secs(60),
        lock_timeout: Duration::ZERO,
    })
}

/// Answers, and counts how often.
struct Counting(Arc<AtomicUsize>);

impl Origin for Counting {
    fn fetch(&self, _: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, OriginError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let answer = Response::builder().header("cache-control", "max-age=60").body(Body::whole("abc"));
        Box::pin(std::future::ready(Ok(answer.expect("a response"))))
    }
}

/// A memory store whose first look at the disk waits for the gate; tells how many have looked.
struct Slow(MemoryStore, Gate, watch::Sender<usize>);

impl Store for Slow {
    fn get_memory(&self, key: &[u8]) -> Option<Arc<Record>> {
        self.0.get_memory(key)
    }
    fn get_disk<'a>(&'a self, _: &'a CacheKey) -> BoxFuture<'a, Option<Arc<Record>>> {
        Box::pin(async {
            let mut first = false;
            self.2.send_modify(|looked| {
                first = *looked == 0;
                *looked += 1;
            });
            if first {
                self.1.wait().await;
            }
            None
        })
    }
    fn peek<'a>(&'a self, key: &'a CacheKey) -> BoxFuture<'a, Option<(Arc<Record>, bool)>> {
        self.0.peek(key)
    }
    fn put(&self, key: CacheKey, record: Arc<Record>) {
        self.0.put(key, record);
    }
    fn remove(&self, key: &CacheKey) {
        self.0.remove(key);
    }
    fn next_sequence(&self) -> u64 {
        self.0.next_sequence()
    }
    fn is_purged(&self, handles: &[Handle], sequence: u64) -> bool {
        self.0.is_purged(handles, sequence)
    }
    fn is_softened(&self, handles: &[Handle], sequence: u64) -> bool {
        self.0.is_softened(handles, sequence)
    }
    fn stale_since(&self, record: &Record) -> Option<tintype::clock::Timestamp> {
        self.0.stale_since(record)
    }
    fn purge_all(&self, scopes: &[Scope], kind: store::Kind) -> std::io::Result<()> {
        self.0.purge_all(scopes, kind)
    }
    fn list(&self, query: &store::Query, after: Option<u64>, limit: usize) -> store::Page {
        self.0.list(query, after, limit)
    }
    fn lists_all(&self) -> bool {
        self.0.lists_all()
    }
    fn drop_stored(&self, key: &CacheKey) {
        self.0.drop_stored(key);
    }
    fn usage(&self) -> Usage {
        self.0.usage()
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.close()
    }
}

/// A request that had looked into the store just before a fetch landed there fetched once more.
#[tokio::test]
async fn who_looked_before_the_landing_does_not_fetch_after_it() {
    let (gate, looked, asked) = (Gate::new(), watch::Sender::new(0), Arc::new(AtomicUsize::new(0)));
    let proxy = data_plane(Counting(Arc::clone(&asked)), Slow(memory(), gate.clone(), looked.clone()));
    let late = ask_for(&proxy, "http://h/a");
    let mut looking = looked.subscribe();
    within("the look at the disk", looking.wait_for(|looked| *looked == 1)).await.unwrap();
    assert_eq!(ask_for(&proxy, "http://h/a").await.unwrap().headers()["x-cache"], "MISS");
    within("the fetch", proxy.settled()).await;
    gate.open();
    let late = within("the late answer", late).await.unwrap();
    assert_eq!(late.headers()["x-cache"], "HIT");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// An origin whose body panics in its middle.
struct Faulty;

impl Origin for Faulty {
    fn fetch(&self, _: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, OriginError>> {
        let mut chunks = 0;
        let body = http_body_util::StreamBody::new(futures_util::stream::poll_fn(move |_| {
            chunks += 1;
            assert!(chunks < 2, "a fault of ours");
            std::task::Poll::Ready(Some(Ok(Frame::data(bytes::Bytes::from_static(b"abc")))))
        }));
        let answer = Response::builder().header("cache-control", "max-age=60").header("etag", "\"1\"");
        Box::pin(std::future::ready(Ok(answer.body(Body::stream(body)).expect("a response"))))
    }
}

/// A panic in a fetch whose head had gone out left its readers waiting for ever.
#[tokio::test]
async fn a_panic_in_a_fetch_breaks_its_body_off() {
    let proxy = data_plane(Faulty, memory());
    let answer = ask_for(&proxy, "http://h/a").await.unwrap();
    assert_eq!(answer.headers()["x-cache"], "MISS");
    assert!(within("the end of the body", answer.into_body().collect()).await.is_err());
    within("the fetch to be given up", proxy.settled()).await;
}
