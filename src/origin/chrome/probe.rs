//! Probes: whether a page changed since its picture was made, told by a `HEAD` of it in place of a browser. Off unless configured.
//!
//! A conditional request brings the moment of the picture in `If-Modified-Since`, and its entity tag. If the page's own `Last-Modified` is
//! from before that moment, the picture still is what a capture would give, and 304 the answer. A page that does not say when it changed
//! is captured; so is one that changed in the very second of the picture, since dates have no parts of seconds. Each hop is vetted by the
//! guard and goes the network of a capture; what the guard refuses stays refused. If the probe fails, the configuration says what to think.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use url::Url;

use super::config::Probe;
use super::network::barred::Barred;
use super::network::certificates::unverified_client;
use super::network::guard::{Guard, is_web};
use super::network::identity::Identity;
use super::network::page_network::{Allowance, Destination, PageNetwork, unreachable};
use super::network::upstream_proxy::UpstreamProxy;
use crate::capture::request::Visitor;
use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::date;
use crate::message::entity_tag::EntityTag;
use crate::origin::http1;
use crate::origin::remote::tls;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 10;
/// Bytes of all hops of one probe: a few heads, and the certificates before them.
const MAX_BYTES: u64 = 1 << 20;

/// What a conditional request says that the client has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    since: Timestamp,
    modified: HeaderValue,
    tag: Option<HeaderValue>,
}

/// What a probe comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The client's picture still holds.
    Unchanged,
    /// It changed, or nobody knows.
    Changed,
    /// The page, or what it redirects to, may not be reached.
    Refused(Barred),
}

/// Why a probe has no verdict of its own.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Barred(#[from] Barred),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("no answer in time")]
    Late,
}

/// The page that is asked.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) url: &'a Url,
    /// The proxy on the way, if there is one.
    pub(super) egress: Option<&'a UpstreamProxy>,
    /// Take certificates that are not valid, as the capture would.
    pub(super) ignores_certificates: bool,
}

/// Asks pages whether they changed.
pub(super) struct Prober {
    how: Probe,
    guard: Arc<Guard>,
    /// For pages whose certificates have to be valid, and for those whose have not.
    tls: Option<Arc<ClientConfig>>,
    unverified: Option<Arc<ClientConfig>>,
    places: Semaphore,
    probes: AtomicU64,
    unchanged: AtomicU64,
    failed: AtomicU64,
}

impl Condition {
    /// The condition of a request with these fields, if it is one that a probe can answer: the moment of the picture, and at most one strong
    /// entity tag.
    pub(super) fn of(fields: &HeaderMap) -> Option<Condition> {
        let since = date::of_field(fields, &header::IF_MODIFIED_SINCE)?;
        let modified = fields.get(header::IF_MODIFIED_SINCE)?.clone();
        let mut tags = fields.get_all(header::IF_NONE_MATCH).iter();
        let tag = match (tags.next(), tags.next()) {
            (None, _) => None,
            (Some(tag), None) => Some(tag.clone()),
            (Some(_), Some(_)) => return None,
        };
        let strong = |tag: &HeaderValue| EntityTag::parse(tag.as_bytes()).is_some_and(|tag| !tag.weak);
        if tag.as_ref().is_some_and(|tag| !strong(tag)) {
            return None;
        }
        Some(Condition { since, modified, tag })
    }

    /// 304: the validators are those that the client has.
    pub(super) fn still_holds(self, lifetime: Duration) -> Response<Body> {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let fields = response.headers_mut();
        fields.insert(header::LAST_MODIFIED, self.modified);
        if let Some(tag) = self.tag {
            fields.insert(header::ETAG, tag);
        }
        if let Ok(value) = HeaderValue::try_from(format!("public, max-age={}", lifetime.as_secs())) {
            fields.insert(header::CACHE_CONTROL, value);
        }
        response
    }
}

impl Prober {
    /// Probes as `how` says, `at_once` of them at most. Pages are trusted by the system's roots and `page_roots`.
    pub(super) fn new(
        how: Probe,
        guard: Arc<Guard>,
        at_once: usize,
        page_roots: &[CertificateDer<'static>],
    ) -> Self {
        let tls = tls::client_with(page_roots).map(Arc::new);
        if let Err(error) = &tls {
            tracing::warn!(%error, "pages behind https cannot be probed, and are captured each time");
        }
        Prober {
            how,
            guard,
            tls: tls.ok(),
            unverified: unverified_client().map(Arc::new).ok(),
            places: Semaphore::new(at_once.clamp(1, Semaphore::MAX_PERMITS)),
            probes: AtomicU64::new(0),
            unchanged: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Probes made; those that found the page unchanged, or had to take it for that; those that failed.
    pub(super) fn counts(&self) -> [u64; 3] {
        [&self.probes, &self.unchanged, &self.failed].map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Whether the picture of `target` that `condition` is about still holds for `visitor`.
    pub(super) async fn ask(
        &self,
        target: Target<'_>,
        condition: &Condition,
        visitor: &Visitor,
        identity: &Identity,
    ) -> Verdict {
        let url = target.url;
        // Where there is no place, a capture has a queue.
        let Ok(_place) = self.places.try_acquire() else { return Verdict::Changed };
        if url.scheme() == "https" && self.tls(&target).is_none() {
            return Verdict::Changed;
        }
        self.probes.fetch_add(1, Ordering::Relaxed);
        let follow = self.follow(target, visitor, identity);
        let asked = tokio::time::timeout(self.how.timeout, follow).await;
        let unchanged = match asked.unwrap_or(Err(Trouble::Late)) {
            Ok(modified) => modified.is_some_and(|modified| modified < condition.since),
            Err(Trouble::Barred(why)) if why.is_refusal() => return Verdict::Refused(why),
            Err(trouble) => {
                tracing::debug!(host = url.host_str(), %trouble, "probe failed");
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.how.unchanged_on_error
            }
        };
        if unchanged {
            self.unchanged.fetch_add(1, Ordering::Relaxed);
            Verdict::Unchanged
        } else {
            Verdict::Changed
        }
    }

    fn tls(&self, target: &Target<'_>) -> Option<&Arc<ClientConfig>> {
        if target.ignores_certificates { self.unverified.as_ref() } else { self.tls.as_ref() }
    }

    /// When what `target` leads to changed, if it says so.
    async fn follow(
        &self,
        target: Target<'_>,
        visitor: &Visitor,
        identity: &Identity,
    ) -> Result<Option<Timestamp>, Trouble> {
        let Target { url: first, egress, ignores_certificates } = target;
        let (mut url, tls) = (first.clone(), self.tls(&target));
        let network = PageNetwork::closed(self.guard.clone());
        let host = url.host_str().unwrap_or_default().to_owned();
        let addresses = self.guard.resolve(&host).await?;
        let hops = MAX_REDIRECTS + 1;
        let allowance = Allowance { bytes: MAX_BYTES, connections: hops, requests: hops };
        let egress = egress.cloned();
        network.open(Destination { allowance, host, addresses, egress, ignores_certificates });
        for _ in 0..hops {
            if !is_web(&url) || (url.scheme() == "https" && tls.is_none()) {
                return Ok(None);
            }
            let answer = head(&network, tls, &url, request(&url, first, visitor, identity)).await?;
            match answer.status() {
                // It knows of no HEAD, which says nothing of the page.
                StatusCode::NOT_IMPLEMENTED => return Ok(None),
                status if status.is_server_error() => return Err(Trouble::Status(status)),
                status if status.is_success() => {
                    return Ok(date::of_field(answer.headers(), &header::LAST_MODIFIED));
                }
                status if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) => {
                    let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
                    match to.and_then(|to| url.join(to).ok()) {
                        Some(next) => url = next,
                        None => return Ok(None),
                    }
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// One `HEAD`, on a connection of its own.
async fn head(
    network: &PageNetwork,
    tls: Option<&Arc<ClientConfig>>,
    url: &Url,
    request: Request<Body>,
) -> Result<Response<Incoming>, Barred> {
    let site =
        (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or_default());
    network.admit()?;
    let stream = network.connect(&site).await?;
    let answer = match tls {
        Some(tls) if url.scheme() == "https" => {
            let name = ServerName::try_from(site.0.trim_matches(['[', ']']).to_owned());
            let name = name.map_err(|error| unreachable(&site, &error))?;
            match TlsConnector::from(tls.clone()).connect(name, stream).await {
                Ok(stream) => http1::exchange(stream, request, ready).await,
                Err(error) => return Err(unreachable(&site, &error)),
            }
        }
        _ => http1::exchange(stream, request, ready).await,
    };
    answer.map_err(|error| unreachable(&site, &error))
}

/// The `HEAD` of `url`, as the visitor of `first` would ask: further fields go to its origin alone, cookies to its host, and not from TLS into
/// the open.
fn request(url: &Url, first: &Url, visitor: &Visitor, identity: &Identity) -> Request<Body> {
    let mut request = http1::request(Method::HEAD, url, Body::Empty);
    let fields = request.headers_mut();
    let mut set = |name: header::HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::try_from(value) {
            fields.insert(name, value);
        }
    };
    set(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");
    set(header::USER_AGENT, identity.user_agent());
    set(header::ACCEPT_LANGUAGE, &identity.accept_language());
    let exposed = first.scheme() == "https" && url.scheme() != "https";
    if url.host() == first.host() && !exposed && !visitor.cookies.is_empty() {
        let cookies: Vec<_> = visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        set(header::COOKIE, &cookies.join("; "));
    }
    if url.origin() == first.origin() {
        for (name, value) in &visitor.headers {
            // `Host` is that of the URL, so that a probe asks the server that was vetted for its page.
            match header::HeaderName::try_from(name.as_str()) {
                Ok(name) if name != header::HOST => set(name, value),
                _ => {}
            }
        }
    }
    request
}

#[cfg(test)]
mod tests;
