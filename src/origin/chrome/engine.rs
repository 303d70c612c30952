//! The engine: one resource, `GET /screenshot`, answered with a fresh picture each time.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response};

use super::attempts::{Attempts, Try};
use super::browser::pool::Pool;
use super::browser::prewarmed_tabs::PrewarmedTabs;
use super::browser::program::StartError;
use super::capture::Shot;
use super::config::Config;
use super::counts::Counts;
use super::network::barred::Barred;
use super::network::guard::Guard;
use super::network::identity::Identity;
use super::network::page_network::{Allowance, Destination};
use super::network::resolver::{Resolver, System};
use super::network::tls_bridge::TlsBridge;
use super::network::upstream_proxy;
use super::page::failure::Failure;
use super::probe::{Condition, Prober, Target, Verdict};
use super::queue::Queue;
use super::request;
use super::response::{self, Picture};
use crate::capture::Parameters;
use crate::capture::request::{CaptureRequest, Egress, Fault, Page};
use crate::clock::{Clock, Stopwatch};
use crate::message::body::Body;
use crate::message::class::Standing;
use crate::origin::stats::{CaptureStats, OriginStats};
use crate::origin::{Flaw, Origin, OriginError};

/// The capture engine. See [`crate::capture::request`] for what may be asked, [`super::guard`] for what may be reached.
pub struct Engine {
    config: Arc<Config>,
    guard: Arc<Guard>,
    queue: Queue,
    attempts: Attempts,
    prober: Option<Prober>,
    counts: Counts,
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
        let prewarmed = PrewarmedTabs::new(guard.clone(), bridge, config.visitor.clone(), config.spare_pages);
        let config = Arc::new(config);
        Ok(Arc::new(Engine {
            attempts: Attempts::new(config.clone(), clock, pool, prewarmed),
            prober: config.probe.map(|how| {
                let at_once = config.max_concurrent + config.max_queue;
                Prober::new(how, guard.clone(), at_once, config.page_ca.certificates())
            }),
            guard,
            queue: Queue::new(config.max_concurrent, config.max_queue, config.queue_budget),
            counts: Counts::default(),
            config,
        }))
    }

    /// Counts since start, and the present state.
    pub fn stats(&self) -> CaptureStats {
        let counts = self.counts.read();
        let [probes, probes_unchanged, probes_failed] =
            self.prober.as_ref().map(Prober::counts).unwrap_or_default();
        CaptureStats {
            probes,
            probes_unchanged,
            probes_failed,
            restarts: self.attempts.pool.restarts(),
            unhealthy: self.attempts.pool.unhealthy(),
            browsers: self.attempts.pool.ready(),
            running: self.queue.running(),
            waiting: self.queue.waiting(),
            browser: self.attempts.pool.pid(),
            ..counts
        }
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, OriginError> {
        // One resource, by query or by JSON.
        let (head, body) = request.into_parts();
        if head.uri.path() != super::config::PATH {
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
                self.counts.refused();
                return Ok(response::bad_parameters(&faults));
            }
        };

        // The picture, or why there is none; unless it is known to be the one that the client has.
        let outcome = match self.probe(&spec, &head.headers).await {
            Some(known) => Ok(known),
            None => self.picture(&spec, &Standing::of(&head.extensions)).await,
        };
        match &outcome {
            Ok(Outcome::Picture(picture)) => self.counts.picture(&picture.report),
            Ok(Outcome::Unchanged(_)) => {}
            Ok(Outcome::Refused(_) | Outcome::Unusable(_)) => self.counts.refused(),
            Err(error) => self.counts.error(error),
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
        let version = self.attempts.pool.version().await?;
        let identity = Identity::of(&version, &spec.visitor, &self.config.visitor);
        match prober.ask(target, &condition, &spec.visitor, &identity).await {
            Verdict::Unchanged => Some(Outcome::Unchanged(condition)),
            Verdict::Changed => None,
            Verdict::Refused(why) => Some(Outcome::Refused(why)),
        }
    }

    /// The host of a page and its addresses. A document that was given is on no network.
    async fn vet(&self, page: &Page) -> Result<(String, Vec<IpAddr>), Barred> {
        let Page::Url(url) = page else { return Ok((String::new(), Vec::new())) };
        let host = url.host_str().unwrap_or_default();
        let addresses = self.guard.resolve(host).await?;
        self.guard.vet(host, url.port_or_known_default().unwrap_or_default(), &addresses)?;
        Ok((host.to_owned(), addresses))
    }

    async fn picture(&self, spec: &CaptureRequest, standing: &Standing) -> Result<Outcome, OriginError> {
        let watch = Stopwatch::start();
        let left = || self.config.deadline.saturating_sub(watch.elapsed());
        let late = |phase| OriginError::TimedOut { phase, after: self.config.deadline };

        // Whether the target may be reached; a refusal costs no place and no browser.
        let vetted = tokio::time::timeout(left(), self.vet(&spec.page)).await;
        let (host, addresses) = match vetted.map_err(|_| late("resolve"))? {
            Ok(vetted) => vetted,
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
        let to = Destination {
            allowance: Allowance {
                bytes: self.config.max_page_bytes,
                connections: self.config.max_page_connections,
                requests: self.config.max_page_requests,
            },
            host: host.clone(),
            addresses,
            egress,
            ignores_certificates: spec.ignore_https_errors,
        };
        let tries = self.attempts.run(spec, to, place, left);
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
            Err(Try::Outgrown(outgrown)) => Err(OriginError::Flawed {
                flaw: Flaw::Memory,
                detail: self.attempts.too_large(outgrown.role),
            }),
        }
    }
}

fn unknown_egress(asked: &Egress) -> Fault {
    let (parameter, found, allowed) = match asked {
        Egress::Name(name) => ("proxy", name, "the name of a proxy that the operator set up"),
        Egress::Country(code) => ("country", code, "a country in which the operator set up a proxy"),
    };
    Fault { parameter: parameter.to_owned(), found: found.clone(), allowed: allowed.to_owned() }
}

impl Origin for Engine {
    fn fetch(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, OriginError>> {
        Box::pin(self.answer(request))
    }

    fn is_ready(&self) -> bool {
        self.attempts.pool.ready() > 0
    }

    fn stats(&self) -> OriginStats {
        OriginStats { ready: self.is_ready(), captures: Some(Engine::stats(self)), remote: None }
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.attempts.pool.shutdown())
    }
}
