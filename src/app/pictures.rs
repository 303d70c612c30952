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
use url::Url;

use super::Parts;
use crate::admin::jobs::{Item, Taken, Taker};
use crate::config::Config;
use crate::message::body::Body;
use crate::message::class::Class;
use crate::policy::capture::dialect::Dialect;
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

    /// Where the picture of `item` is to be had.
    fn link(&self, config: &Config, item: &Item) -> Option<Url> {
        let route = route(config)?;
        let mut base = match &config.jobs.public_url {
            Some(url) => url.clone(),
            None => {
                let scheme = if config.server.tls.is_some() { "https" } else { "http" };
                let mut base = Url::parse(&format!("{scheme}://{}", self.address)).ok()?;
                if let Some(host) = &route.host {
                    base.set_host(Some(host)).ok()?;
                }
                base
            }
        };
        let path = format!("{}{}", base.path().trim_end_matches('/'), route.path);
        base.set_path(&path);
        base.set_query(Some(&item.query()));
        Some(base)
    }

    /// The request for it, as a client would make it.
    fn request(config: &Config, link: &Url, anew: bool) -> Option<Request<Body>> {
        let route = route(config)?;
        let authority = link.authority();
        let target = format!("http://{authority}{}?{}", route.path, link.query().unwrap_or_default());
        let mut request = Request::get(target).header(header::HOST, authority).body(Body::Empty).ok()?;
        if anew {
            request.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        request.extensions_mut().insert(Class::Warm);
        Some(request)
    }

    async fn taken(&self, item: &Item, anew: bool) -> Result<Taken, String> {
        const NO_ROUTE: &str = "no route takes it";
        for _ in 0..MAX_BUSY {
            // As it is configured by now.
            let now = self.parts.current.load_full();
            let link = self.link(&now.config, item).ok_or(NO_ROUTE)?;
            let request = Self::request(&now.config, &link, anew).ok_or(NO_ROUTE)?;
            let secure = link.scheme() == "https";
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
        Err("the origin is busy".to_owned())
    }
}

impl Taker for Pictures {
    fn can_take(&self) -> bool {
        route(&self.parts.current.load().config).is_some()
    }

    fn take<'a>(&'a self, item: &'a Item, anew: bool) -> BoxFuture<'a, Result<Taken, String>> {
        Box::pin(self.taken(item, anew))
    }

    fn yield_to_clients(&self) -> BoxFuture<'_, ()> {
        let proxy = Arc::clone(&self.parts.current.load().proxy);
        Box::pin(async move {
            let _ = tokio::time::timeout(PATIENCE, proxy.yield_to_waiting()).await;
        })
    }
}

/// The route that takes pictures: the one that is named, or the first that captures and reads `url`, `width`, `height` and `format` so.
fn route(config: &Config) -> Option<&Route> {
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

/// How long the origin wants to be left alone, if it does.
fn busy_for(response: &Response<Body>) -> Option<Duration> {
    let is_busy =
        matches!(response.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    let wait = response.headers().get(header::RETRY_AFTER).filter(|_| is_busy)?;
    wait.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// What `response` says, once it is whole: then it is stored, if it can be.
async fn judged(response: Response<Body>, link: Url) -> Result<Taken, String> {
    let (head, mut body) = response.into_parts();
    let is_good = head.status.is_success();
    let mut error = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| format!("it broke off: {error}"))?;
        if let Some(data) = frame.data_ref().filter(|_| !is_good && error.len() < MAX_ERROR) {
            error.extend_from_slice(data);
        }
    }
    if is_good {
        let said = head.headers.get("x-cache").map(HeaderValue::as_bytes).unwrap_or_default();
        let cached = matches!(said, b"HIT" | b"STALE" | b"REVALIDATED");
        return Ok(Taken { url: link.into(), cached });
    }
    let told = serde_json::from_slice::<serde_json::Value>(&error).ok();
    let detail =
        told.as_ref().and_then(|told| ["detail", "message"].iter().find_map(|name| told[name].as_str()));
    Err(match detail {
        Some(detail) => format!("{}: {}", head.status, detail.chars().take(500).collect::<String>()),
        None => head.status.to_string(),
    })
}
