//! Pictures for jobs and for warming: each a request through the data plane, so that it is cached, collapsed and kept as any other, behind
//! those of clients.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;

use super::Parts;
use crate::admin::jobs::{Arrived, Item, NotTaken, Plane, Taken, Taker};
use crate::capture::dialect::Dialect;
use crate::config::Config;
use crate::message::body::Body;
use crate::message::class::{Caller, Class};
use crate::message::outcome::CacheOutcome;
use crate::message::problem::Problem;
use crate::policy::public_url::{self, PublicUrl, Scheme};
use crate::proxy::Route;
use crate::proxy::route::Asking;

/// How long one waits for a moment in which no client does; from then on it is fair that it has its turn too.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an error that are looked at.
const MAX_ERROR: usize = 16 << 10;
/// Times that a picture is asked for again because its origin was busy; the time for it is bounded besides.
const MAX_BUSY: usize = 100;

/// See the [module](self).
pub(super) struct Pictures {
    parts: Arc<Parts>,
    address: SocketAddr,
}

impl Pictures {
    /// By the data plane of `parts`, which listens at `address`.
    pub(super) fn new(parts: Arc<Parts>, address: SocketAddr) -> Arc<Self> {
        Arc::new(Pictures { parts, address })
    }

    /// Where clients find this service if neither a setting nor a request says: the address of the listener, with the host of the route.
    fn listening(&self, config: &Config, route: &Route) -> Option<PublicUrl> {
        let scheme = Scheme::of(config.server.tls.is_some());
        let base = PublicUrl::of_authority(scheme, &self.address.to_string())?;
        Some(match &route.host {
            Some(host) => base.with_host(host),
            None => base,
        })
    }

    /// What links to the pictures of a job begin with: a setting, else what its request told, else the listener.
    fn base_of(&self, config: &Config, told: Option<&PublicUrl>) -> Option<PublicUrl> {
        let route = route(config)?;
        let listening = || self.listening(config, route).filter(|base| !is_unspecified(base));
        configured(config, route).or(told).cloned().or_else(listening)
    }

    /// The request for it, as a client would make it.
    fn request(&self, config: &Config, item: &Item, anew: bool) -> Option<(Request<Body>, bool)> {
        let route = route(config)?;
        // Not what the client of a job says of the host: the host selects the route.
        let base = configured(config, route).cloned().or_else(|| self.listening(config, route))?;
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

    async fn taken(&self, item: &Item, anew: bool, told: Option<&PublicUrl>) -> Result<Taken, NotTaken> {
        for _ in 0..MAX_BUSY {
            // As it is configured by now.
            let now = self.parts.current.load_full();
            let (request, secure) = self.request(&now.config, item, anew).ok_or(NotTaken::NoRoute)?;
            let path = route(&now.config).map(|route| target(route, item)).ok_or(NotTaken::NoRoute)?;
            let link = public_url::link(self.base_of(&now.config, told).as_ref(), &path);
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
                .map(|taken| Taken { cached: taken.cached && !anew, ..taken });
        }
        Err(NotTaken::Busy)
    }
}

impl Taker for Pictures {
    fn can_take(&self) -> bool {
        route(&self.parts.current.load().config).is_some()
    }

    fn take<'a>(
        &'a self,
        item: &'a Item,
        anew: bool,
        base: Option<&'a PublicUrl>,
    ) -> BoxFuture<'a, Result<Taken, NotTaken>> {
        Box::pin(self.taken(item, anew, base))
    }

    fn base(&self, arrived: &Arrived) -> Option<PublicUrl> {
        let now = self.parts.current.load();
        let route = route(&now.config)?;
        let base = match arrived.plane {
            Plane::Data => arrived.base.clone(),
            // What it names is the control plane. The data plane is at the same host if it is at every address of this machine.
            Plane::Control => {
                let listening = self.listening(&now.config, route)?;
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

    fn told(&self, link: &str, is_local: bool) -> String {
        let now = self.parts.current.load();
        let is_configured = route(&now.config).is_some_and(|route| configured(&now.config, route).is_some());
        if is_local || is_configured { link.to_owned() } else { public_url::elsewhere(link).into_owned() }
    }

    fn location(&self, arrived: &Arrived, path: &str) -> String {
        let now = self.parts.current.load();
        let base = now.config.proxy.public_url.as_ref().filter(|_| arrived.plane == Plane::Data);
        public_url::link(base, path)
    }

    fn yield_to_clients(&self) -> BoxFuture<'_, ()> {
        let proxy = Arc::clone(&self.parts.current.load().proxy);
        Box::pin(async move {
            let _ = tokio::time::timeout(PATIENCE, proxy.yield_to_waiting()).await;
        })
    }
}

/// The route that takes pictures: the one that is named, or the first that captures and reads `url`, `width`, `height` and `format` so.
pub(super) fn route(config: &Config) -> Option<&Route> {
    let mut routes = config.proxy.routes.iter();
    let fits = |route: &Route| match &route.asking {
        Asking::Tintype(_) | Asking::Opaque(_) => route.capture,
        Asking::Dialect(spoken) => spoken.dialect == Dialect::Web2img,
    };
    match &config.jobs.route {
        Some(name) => routes.find(|route| route.name == *name),
        None => routes.find(|route| fits(route)),
    }
}

/// What a setting says that links to the pictures of `route` begin with.
fn configured<'a>(config: &'a Config, route: &'a Route) -> Option<&'a PublicUrl> {
    config.jobs.public_url.as_ref().or(route.public_url.as_ref()).or(config.proxy.public_url.as_ref())
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
async fn judged(response: Response<Body>, link: String) -> Result<Taken, NotTaken> {
    let (head, mut body) = response.into_parts();
    let is_good = head.status.is_success();
    let mut error = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(NotTaken::BrokeOff)?;
        if let Some(data) = frame.data_ref().filter(|_| !is_good && error.len() < MAX_ERROR) {
            error.extend_from_slice(data);
        }
    }
    if is_good {
        let cached = head.extensions.get::<CacheOutcome>().is_some_and(|outcome| outcome.is_from_store());
        return Ok(Taken { url: link, cached });
    }
    let detail = match head.extensions.get::<Problem>() {
        Some(problem) => Some(problem.detail.clone()),
        None => told_by_origin(&error),
    };
    let detail = detail.map(|detail| detail.chars().take(500).collect());
    Err(NotTaken::Failed { status: head.status, detail })
}

/// What the error of a remote origin says.
fn told_by_origin(error: &[u8]) -> Option<String> {
    let told: serde_json::Value = serde_json::from_slice(error).ok()?;
    ["detail", "message"].iter().find_map(|name| told[name].as_str()).map(str::to_owned)
}
