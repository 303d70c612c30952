//! The engine: one resource, `GET /screenshot`, answered with a fresh picture each time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::browser::instance::Outgrown;
use super::browser::pool::Pool;
use super::browser::prewarmed_tabs::PrewarmedTabs;
use super::browser::process_memory::Role;
use super::browser::program::StartError;
use super::browser::watchdog::{self, Patience};
use super::capture::{Report, Shot, capture};
use super::network::filter::Filters;
use super::network::guard::{Barred, Guard};
use super::network::identity::Identity;
use super::network::page_network::{Allowance, Destination};
use super::network::resolver::{Resolver, System};
use super::network::tls_bridge::TlsBridge;
use super::network::upstream_proxy;
use super::page::failure::Failure;
use super::page::tab::TabError;
use super::probe::{Condition, Prober, Target, Verdict};
use super::queue::{Queue, Slot};
use super::request;
use super::response::{self, Picture};
use super::{Config, Limits};
use crate::capture::Parameters;
use crate::capture::request::{CaptureRequest, Egress, Fault, Page};
use crate::clock::{Clock, Stopwatch};
use crate::message::body::Body;
use crate::message::class::Standing;
use crate::origin::stats::{CaptureStats, OriginStats};
use crate::origin::{Flaw, Origin, OriginError};

/// Times that one capture is tried.
const MAX_TRIES: u32 = 2;

/// The capture engine. See [`crate::capture::request`] for what may be asked, [`super::guard`] for what may be reached.
pub struct Engine {
    config: Config,
    clock: Arc<dyn Clock>,
    guard: Arc<Guard>,
    queue: Queue,
    pool: Pool,
    prewarmed: Arc<PrewarmedTabs>,
    filters: Filters,
    prober: Option<Prober>,
    /// One by one captures are tried again whose browser was killed for its memory.
    suspects: Semaphore,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    captures: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
    busy: AtomicU64,
    reasons: Mutex<BTreeMap<&'static str, u64>>,
    waiting_for: Mutex<BTreeMap<&'static str, u64>>,
    bounded: AtomicU64,
    incomplete: AtomicU64,
}

impl Counts {
    fn picture(&self, report: &Report) {
        count(&self.captures);
        let state = match report.waiting {
            _ if report.is_incomplete() => {
                count(&self.incomplete);
                "incomplete"
            }
            Some(waiting) => {
                count(&self.bounded);
                waiting.name()
            }
            None => "rest",
        };
        *self.waiting_for.lock().entry(state).or_default() += 1;
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// How one request ended.
enum Outcome {
    Picture(Picture),
    /// The client has it.
    Unchanged(Condition),
    Refused(Barred),
    /// The browser cannot make sense of a parameter.
    Unusable(Fault),
}

impl Engine {
    /// Finds a browser and launches it in the background, or connects to the remote ones. Needs a running tokio runtime.
    ///
    /// # Errors
    /// If no browser is installed, its sandbox cannot be as configured, or remote browsers lack the operator's consent.
    /// That a browser does not start or answer is an error of the requests, and tried again.
    pub fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StartError> {
        Self::start_with(config, clock, Arc::new(System))
    }

    /// As [`start`](Engine::start), with names as `resolver` has them.
    ///
    /// # Errors
    /// As there.
    pub fn start_with(
        config: Config,
        clock: Arc<dyn Clock>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Arc<Self>, StartError> {
        let bridge = match config.page_ca.is_empty() {
            true => None,
            false => Some(Arc::new(TlsBridge::new(&config.page_ca).map_err(StartError::PageRoots)?)),
        };
        let pool = Pool::start(&config, bridge.as_deref().map(TlsBridge::key_hash))?;
        let guard = Arc::new(Guard::new(&config, resolver));
        Ok(Arc::new(Engine {
            clock,
            prewarmed: PrewarmedTabs::new(guard.clone(), bridge, config.visitor.clone(), config.spare_pages),
            prober: config.probe.map(|how| {
                let at_once = config.max_concurrent + config.max_queue;
                Prober::new(how, guard.clone(), at_once, config.page_ca.certificates())
            }),
            guard,
            queue: Queue::new(config.max_concurrent, config.max_queue, config.queue_budget),
            pool,
            filters: Filters::new(config.filters.clone()),
            suspects: Semaphore::new(1),
            counts: Counts::default(),
            config,
        }))
    }

    /// Counts since start, and the present state.
    pub fn stats(&self) -> CaptureStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [probes, probes_unchanged, probes_failed] =
            self.prober.as_ref().map(Prober::counts).unwrap_or_default();
        CaptureStats {
            probes,
            probes_unchanged,
            probes_failed,
            captures: read(&self.counts.captures),
            failures: read(&self.counts.failures),
            reasons: self.counts.reasons.lock().clone(),
            waiting_for: self.counts.waiting_for.lock().clone(),
            bounded: read(&self.counts.bounded),
            incomplete: read(&self.counts.incomplete),
            refused: read(&self.counts.refused),
            busy: read(&self.counts.busy),
            restarts: self.pool.restarts(),
            unhealthy: self.pool.unhealthy(),
            browsers: self.pool.ready(),
            running: self.queue.running(),
            waiting: self.queue.waiting(),
            browser: self.pool.pid(),
        }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, OriginError> {
        // One resource, by query or by JSON.
        let (head, body) = request.into_parts();
        if head.uri.path() != super::PATH {
            return Ok(response::not_found(head.uri.path()));
        }
        let json = match head.method {
            Method::GET | Method::HEAD => None,
            Method::POST => match request::json(&head.headers, body, &self.config.limits).await {
                Ok(json) => Some(json),
                Err(unreadable) => return Ok(unreadable),
            },
            _ => return Ok(response::method_not_allowed()),
        };

        // What is asked for.
        let read = match head.extensions.get::<Parameters>() {
            Some(parameters) => CaptureRequest::of(parameters, &self.config.limits),
            // Not by way of a route that reads its requests.
            None => {
                let query = head.uri.query().unwrap_or_default();
                CaptureRequest::parse(query, json.as_deref(), &self.config.limits)
            }
        };
        let spec = match read {
            Ok(spec) => spec,
            Err(faults) => {
                count(&self.counts.refused);
                return Ok(response::bad_parameters(&faults));
            }
        };

        // The picture, or why there is none; unless it is known to be the one that the client has.
        let outcome = match self.probe(&spec, &head.headers).await {
            Some(known) => Ok(known),
            None => self.picture(&spec, &Standing::of(&head.extensions)).await,
        };
        if let Err(error) = &outcome {
            let mut reasons = self.counts.reasons.lock();
            *reasons.entry(error.name()).or_default() += 1;
        }
        match &outcome {
            Ok(Outcome::Picture(picture)) => self.counts.picture(&picture.report),
            Ok(Outcome::Unchanged(_)) => {}
            Ok(Outcome::Refused(_) | Outcome::Unusable(_)) => count(&self.counts.refused),
            Err(OriginError::Busy { .. }) => count(&self.counts.busy),
            Err(_) => count(&self.counts.failures),
        }
        Ok(match outcome? {
            Outcome::Picture(picture) => {
                let lifetime = match picture.report.is_incomplete() {
                    false => self.config.lifetime,
                    true => self.config.incomplete_ttl,
                };
                response::picture(picture, lifetime, &head.method, &head.headers)
            }
            Outcome::Unchanged(condition) => condition.still_holds(self.config.lifetime),
            Outcome::Refused(why) => response::refused(&why),
            Outcome::Unusable(fault) => response::bad_parameters(&[fault]),
        })
    }

    /// What a look at the page itself says of a conditional request; nothing if only a capture can.
    async fn probe(&self, spec: &CaptureRequest, asked: &HeaderMap) -> Option<Outcome> {
        let (prober, Page::Url(url)) = (self.prober.as_ref()?, &spec.page) else { return None };
        let condition = Condition::of(asked)?;
        let egress = match &spec.egress {
            Some(asked) => Some(upstream_proxy::choose(&self.config.egress, asked)?),
            None => None,
        };
        let target = Target { url, egress, ignores_certificates: spec.ignore_https_errors };
        // As the browser would ask. Without a browser its version is not known.
        let version = self.pool.version().await?;
        let identity = Identity::of(&version, &spec.visitor, &self.config.visitor);
        match prober.ask(target, &condition, &spec.visitor, &identity).await {
            Verdict::Unchanged => Some(Outcome::Unchanged(condition)),
            Verdict::Changed => None,
            Verdict::Refused(why) => Some(Outcome::Refused(why)),
        }
    }

    async fn picture(&self, spec: &CaptureRequest, standing: &Standing) -> Result<Outcome, OriginError> {
        let watch = Stopwatch::start();
        let left = || self.config.deadline.saturating_sub(watch.elapsed());
        let late = |phase| OriginError::TimedOut { phase, after: self.config.deadline };

        // Whether the target may be reached; a refusal costs no place and no browser.
        // A document that was given is on no network.
        let (host, port) = match &spec.page {
            Page::Url(url) => {
                (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
            }
            Page::Html(_) => ("", 0),
        };
        let host = host.to_owned();
        let vetted = async {
            if host.is_empty() {
                return Ok(Vec::new());
            }
            let addresses = self.guard.resolve(&host).await?;
            self.guard.vet(&host, port, &addresses).map(|()| addresses)
        };
        let addresses = match tokio::time::timeout(left(), vetted).await.map_err(|_| late("resolve"))? {
            Ok(addresses) => addresses,
            Err(why) if why.is_refusal() => return Ok(Outcome::Refused(why)),
            Err(why) => return Err(OriginError::Capture(why.to_string())),
        };

        // The way out that was asked for. What others there are is nobody's business.
        let egress = match &spec.egress {
            None => None,
            Some(asked) => match upstream_proxy::choose(&self.config.egress, asked) {
                Some(proxy) => Some(proxy.clone()),
                None => return Ok(Outcome::Unusable(unknown_egress(asked))),
            },
        };

        // A place among the captures.
        let place = Arc::new(self.queue.enter(left(), standing).await?);

        // The capture, once more if it crashed.
        let tries = async {
            let (mut tried, mut _alone) = (0, None);
            loop {
                tried += 1;
                // What changes from here on may not be on the picture.
                let captured = self.clock.now();
                let to = Destination {
                    allowance: self.allowance(),
                    host: host.clone(),
                    addresses: addresses.clone(),
                    egress: egress.clone(),
                    ignores_certificates: spec.ignore_https_errors,
                };
                match self.try_capture(spec, to, place.clone(), tried, left()).await {
                    // Which of several pages made a process of the browser grow shows when they are tried one by one.
                    Err(Try::Outgrown(Outgrown { running: 2.., .. })) if tried < MAX_TRIES => {
                        tracing::warn!(host, "the browser was killed for its memory, trying once more");
                        _alone = self.suspects.acquire().await.ok();
                    }
                    Err(Try::Page(failure)) if is_crash(&failure) && tried < MAX_TRIES => {
                        tracing::warn!(host, error = %failure, "crashed under a capture, trying once more");
                    }
                    other => break other.map(|shot| (shot, captured)),
                }
            }
        };
        match tokio::time::timeout(left(), tries).await.map_err(|_| late("capture"))? {
            Ok((Shot { bytes, page_height, report }, captured)) => {
                tracing::info!(host, %report, "captured");
                Ok(Outcome::Picture(Picture { bytes, format: spec.format, captured, page_height, report }))
            }
            Err(Try::Page(Failure::Late(after))) => Err(OriginError::TimedOut { phase: "load", after }),
            Err(Try::Page(Failure::Parameter(fault))) => Ok(Outcome::Unusable(fault)),
            Err(Try::Page(Failure::Flawed(flaw, detail))) => Err(OriginError::Flawed { flaw, detail }),
            Err(Try::Page(Failure::Barred(why))) if why.is_refusal() => Ok(Outcome::Refused(why)),
            // A call that is refused is the page's doing: it went elsewhere meanwhile.
            Err(Try::Page(Failure::Tab(error))) if !error.is_of_the_page() && !error.is_refusal() => {
                Err(OriginError::Browser(error.to_string()))
            }
            Err(Try::Page(error)) => Err(OriginError::Capture(error.to_string())),
            Err(Try::Engine(why)) => Err(OriginError::Browser(why)),
            Err(Try::Outgrown(outgrown)) => {
                Err(OriginError::Flawed { flaw: Flaw::Memory, detail: self.too_large(outgrown.role) })
            }
        }
    }

    fn too_large(&self, role: Role) -> String {
        let (limit, process) = (self.config.max_page_memory, role.name());
        format!("the page takes more than {limit} bytes of memory in the {process} process")
    }

    fn allowance(&self) -> Allowance {
        Allowance {
            bytes: self.config.max_page_bytes,
            connections: self.config.max_page_connections,
            requests: self.config.max_page_requests,
        }
    }

    async fn try_capture(
        &self,
        spec: &CaptureRequest,
        to: Destination,
        place: Arc<Slot>,
        tried: u32,
        left: Duration,
    ) -> Result<Shot, Try> {
        let watch = Stopwatch::start();
        // A page that does not finish loading is captured before the deadline, also after a wait in the queue.
        let limits = Limits { max_load: self.config.limits.max_load.min(left / 2), ..self.config.limits };
        let filters = self.filters.of(&spec.block.lists).await;
        let filters = filters.map_err(|error| Try::Engine(format!("no filters: {error}")))?;
        let lease = self.pool.browser().await.map_err(|error| Try::Engine(error.to_string()))?;
        let (prewarmed, browser) = (self.prewarmed.clone(), lease.browser.clone());
        let identity = Identity::of(&browser.version, &spec.visitor, &self.config.visitor);
        let opening = async move {
            let mut tab = match tried {
                1 => prewarmed.take(browser).await?,
                _ => prewarmed.open(browser).await?,
            };
            tab.assign(place, to);
            tab.welcome(identity).await?;
            Ok(tab)
        };
        let culled = lease.browser.culled();
        let patience = Patience::new(self.config.deadline, self.config.health_timeout);
        let shot = tokio::select! {
            shot = capture(opening, spec, &filters, &limits, left.saturating_sub(watch.elapsed())) => shot,
            never = watchdog::keep(&lease.browser, patience) => match never {},
        };
        let shot = match shot {
            Err(error) if is_crash(&error) => match lease.browser.outgrown() {
                Some(outgrown) => return Err(Try::Outgrown(outgrown)),
                None if lease.browser.culled() != culled => {
                    Err(Failure::Flawed(Flaw::Memory, self.too_large(Role::Renderer)))
                }
                None => Err(error),
            },
            other => other,
        };
        // Time that runs out drops the lease unsettled, which has the browser looked at.
        match &shot {
            Ok(_) => lease.settle(true),
            Err(Failure::Tab(error)) if !error.is_of_the_page() => drop(lease),
            Err(_) => lease.settle(false),
        }
        shot.map_err(Try::Page)
    }
}

fn unknown_egress(asked: &Egress) -> Fault {
    let (parameter, found, allowed) = match asked {
        Egress::Name(name) => ("proxy", name, "the name of a proxy that the operator set up"),
        Egress::Country(code) => ("country", code, "a country in which the operator set up a proxy"),
    };
    Fault { parameter: parameter.to_owned(), found: found.clone(), allowed: allowed.to_owned() }
}

/// Whether browser or renderer died, which another try may survive. A renderer that dies before the document is there only
/// aborts the navigation.
fn is_crash(failure: &Failure) -> bool {
    match failure {
        Failure::Tab(error) => error.is_browser_gone() || *error == TabError::Crashed,
        Failure::Aborted => true,
        _ => false,
    }
}

/// Why one try gave no picture.
enum Try {
    Engine(String),
    Page(Failure),
    /// The browser was killed for its memory.
    Outgrown(Outgrown),
}

impl Origin for Engine {
    fn fetch(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, OriginError>> {
        Box::pin(self.answer(request))
    }

    fn is_ready(&self) -> bool {
        self.pool.ready() > 0
    }

    fn stats(&self) -> OriginStats {
        OriginStats { ready: self.is_ready(), captures: Some(Engine::stats(self)), remote: None }
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.shutdown())
    }
}
