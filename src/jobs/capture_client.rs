//! Pictures for jobs and for warming: each a request through the data plane, so that it is cached, collapsed and kept as any other, behind
//! those of clients.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;

use super::arrived::{Arrived, Plane};
use super::ask::Item;
use crate::message::body::{Body, BodyError};
use crate::message::class::{Caller, Class};
use crate::message::outcome::CacheOutcome;
use crate::message::problem::Problem;
use crate::policy::public_url::{self, PublicUrl, Scheme};
use crate::proxy::route::Asking;
use crate::proxy::{self, Proxy, Route};

/// How long one waits for a moment in which no client does; from then on it is fair that it has its turn too.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an error that are looked at.
const MAX_ERROR: usize = 16 << 10;
/// Times that a picture is asked for again because its origin was busy; the time for it is bounded besides.
const MAX_BUSY: usize = 100;

/// A finished capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Where it is to be had.
    pub url: String,
    /// It was stored before.
    pub cached: bool,
}

/// Why there is no picture.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotCaptured {
    /// No route captures pages.
    #[error("no route takes it")]
    NoRoute,
    /// The origin had no time for it.
    #[error("the origin is busy")]
    Busy,
    /// The response did not arrive whole.
    #[error("it broke off: {0}")]
    BrokeOff(BodyError),
    /// The response has an error status.
    #[error("{status}{}{}", if .detail.is_some() { ": " } else { "" }, .detail.as_deref().unwrap_or_default())]
    Failed {
        /// The status.
        status: StatusCode,
        /// What it says of the cause.
        detail: Option<String>,
    },
}

/// The data plane as captures use it. A reload replaces it.
pub struct DataPlane {
    /// Takes the requests.
    pub proxy: Arc<Proxy>,
    /// Its routes.
    pub config: proxy::Config,
    /// The route for captures, if a setting names it.
    pub route: Option<String>,
    /// What the URLs of captures begin with, if a setting of jobs says so.
    pub public_url: Option<PublicUrl>,
    /// Whether its listener speaks TLS.
    pub tls: bool,
}

impl DataPlane {
    /// The route for captures.
    fn route(&self) -> Option<&Route> {
        route(&self.config, self.route.as_deref())
    }

    /// What a setting says that links to captures on `route` begin with.
    fn configured<'a>(&'a self, route: &'a Route) -> Option<&'a PublicUrl> {
        self.public_url.as_ref().or(route.public_url.as_ref()).or(self.config.public_url.as_ref())
    }
}

/// Makes captures by requests to the data plane of this process.
pub struct CaptureClient {
    current: ArcSwap<DataPlane>,
    address: SocketAddr,
}

impl CaptureClient {
    /// A client of `plane`, which listens at `address`.
    pub fn new(plane: DataPlane, address: SocketAddr) -> Arc<Self> {
        Arc::new(CaptureClient { current: ArcSwap::from_pointee(plane), address })
    }

    /// Uses another data plane from now on.
    pub fn set(&self, plane: DataPlane) {
        self.current.store(Arc::new(plane));
    }

    /// Where clients find this service if neither a setting nor a request says: the address of the listener, with the host of the route.
    fn listening(&self, plane: &DataPlane, route: &Route) -> Option<PublicUrl> {
        let scheme = Scheme::of(plane.tls);
        let base = PublicUrl::of_authority(scheme, &self.address.to_string())?;
        Some(match &route.host {
            Some(host) => base.with_host(host),
            None => base,
        })
    }

    /// What links to the pictures of a job begin with: a setting, else what its request told, else the listener.
    fn base_of(&self, plane: &DataPlane, told: Option<&PublicUrl>) -> Option<PublicUrl> {
        let route = plane.route()?;
        let listening = || self.listening(plane, route).filter(|base| !is_unspecified(base));
        plane.configured(route).or(told).cloned().or_else(listening)
    }

    /// The request for it, as a client would make it.
    fn request(&self, plane: &DataPlane, item: &Item, anew: bool) -> Option<(Request<Body>, bool)> {
        let route = plane.route()?;
        // Not what the client of a job says of the host: the host selects the route.
        let base = plane.configured(route).cloned().or_else(|| self.listening(plane, route))?;
        let authority = base.authority();
        let target = format!("http://{authority}{}", target(route, item));
        let mut request = Request::get(target).header(header::HOST, authority).body(Body::Empty).ok()?;
        if anew {
            request.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        request.extensions_mut().insert(Class::Warm);
        request.extensions_mut().insert(Caller::Operator);
        Some((request, base.scheme() == Scheme::Https))
    }

    /// Makes a capture, or finds it stored. `anew` wants it validated or made now. Its link begins with
    /// `base` unless a setting says otherwise.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn capture(
        &self,
        item: &Item,
        anew: bool,
        base: Option<&PublicUrl>,
    ) -> Result<Captured, NotCaptured> {
        for _ in 0..MAX_BUSY {
            // As it is configured by now.
            let now = self.current.load_full();
            let (request, secure) = self.request(&now, item, anew).ok_or(NotCaptured::NoRoute)?;
            let path = now.route().map(|route| target(route, item)).ok_or(NotCaptured::NoRoute)?;
            let link = public_url::link(self.base_of(&now, base).as_ref(), &path);
            let response = now.proxy.handle(request, IpAddr::V4(Ipv4Addr::LOCALHOST), secure).await;
            if let Some(wait) = busy_for(&response) {
                drop(now);
                tokio::time::sleep(wait).await;
                self.yield_to_clients().await;
                continue;
            }
            // Confirmed by its origin is as good as made: it was asked.
            return judged(response, link)
                .await
                .map(|captured| Captured { cached: captured.cached && !anew, ..captured });
        }
        Err(NotCaptured::Busy)
    }

    /// Whether there is a route for captures.
    pub fn can_capture(&self) -> bool {
        self.current.load().route().is_some()
    }

    /// What the links of a job that `arrived` so begin with. `None`: nothing is known.
    pub fn base(&self, arrived: &Arrived) -> Option<PublicUrl> {
        let now = self.current.load();
        let route = now.route()?;
        let base = match arrived.plane {
            Plane::Data => arrived.base.clone(),
            // What it names is the control plane. The data plane is at the same host if it is at every address of this machine.
            Plane::Control => {
                let listening = self.listening(&now, route)?;
                let (host, port) = (arrived.named.as_ref()?.host(), self.address.port());
                is_unspecified(&listening).then(|| listening.with_host(host).with_port(port))
            }
        }?;
        // A route with a host of its own is not found by another.
        Some(match &route.host {
            Some(host) => base.with_host(host),
            None => base,
        })
    }

    /// `link` for a reader of results, who is on this machine if `is_local`.
    pub fn link_for(&self, link: &str, is_local: bool) -> String {
        let now = self.current.load();
        let is_configured = now.route().is_some_and(|route| now.configured(route).is_some());
        if is_local || is_configured { link.to_owned() } else { public_url::elsewhere(link).into_owned() }
    }

    /// Where the client of `arrived` finds the job at `path`.
    pub fn location(&self, arrived: &Arrived, path: &str) -> String {
        let now = self.current.load();
        let base = now.config.public_url.as_ref().filter(|_| arrived.plane == Plane::Data);
        public_url::link(base, path)
    }

    /// Waits, within bounds, for a moment in which no client waits for a fetch.
    pub async fn yield_to_clients(&self) {
        let proxy = Arc::clone(&self.current.load().proxy);
        let _ = tokio::time::timeout(PATIENCE, proxy.yield_to_waiting()).await;
    }
}

/// The route for captures: `named`, or the first that captures and reads `url`, `width`, `height` and
/// `format` so.
pub fn route<'a>(config: &'a proxy::Config, named: Option<&str>) -> Option<&'a Route> {
    let mut routes = config.routes.iter();
    let fits = |route: &Route| match &route.asking {
        Asking::Tintype(_) | Asking::Opaque(_) => route.capture,
        Asking::Dialect(spoken) => spoken.dialect.takes_jobs(),
    };
    match named {
        Some(name) => routes.find(|route| route.name == name),
        None => routes.find(|route| fits(route)),
    }
}

/// Path and query of the picture of `item`.
fn target(route: &Route, item: &Item) -> String {
    format!("{}?{}", route.path, item.query())
}

fn is_unspecified(base: &PublicUrl) -> bool {
    matches!(base.host(), "0.0.0.0" | "[::]")
}

/// How long the origin wants to be left alone, if it does.
fn busy_for(response: &Response<Body>) -> Option<Duration> {
    let is_busy =
        matches!(response.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    let wait = response.headers().get(header::RETRY_AFTER).filter(|_| is_busy)?;
    wait.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// What `response` says, once it is whole: then it is stored, if it can be.
async fn judged(response: Response<Body>, link: String) -> Result<Captured, NotCaptured> {
    let (head, mut body) = response.into_parts();
    let is_good = head.status.is_success();
    let mut error = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(NotCaptured::BrokeOff)?;
        if let Some(data) = frame.data_ref().filter(|_| !is_good && error.len() < MAX_ERROR) {
            error.extend_from_slice(data);
        }
    }
    if is_good {
        let cached = head.extensions.get::<CacheOutcome>().is_some_and(|outcome| outcome.is_from_store());
        return Ok(Captured { url: link, cached });
    }
    let detail = match head.extensions.get::<Problem>() {
        Some(problem) => Some(problem.detail.clone()),
        None => told_by_origin(&error),
    };
    let detail = detail.map(|detail| detail.chars().take(500).collect());
    Err(NotCaptured::Failed { status: head.status, detail })
}

/// What the error of a remote origin says.
fn told_by_origin(error: &[u8]) -> Option<String> {
    let told: serde_json::Value = serde_json::from_slice(error).ok()?;
    ["detail", "message"].iter().find_map(|name| told[name].as_str()).map(str::to_owned)
}
