//! The remote origin itself: one exchange from request to response.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::uri::Scheme;
use http::{Extensions, HeaderValue, Request, Response, StatusCode, request, response};
use hyper::body::Incoming;
use hyper::ext::{ReasonPhrase, on_informational};
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use parking_lot::RwLock;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::config::{Config, Protocol};
use super::connect::Connector;
use super::error::Error;
use super::failure::{CONNECT, FIRST_BYTE, classify};
use super::outgoing::Outgoing;
use super::slots::{Slot, Slots};
use super::wire::Link;
use super::{body, restraint, tls};
use crate::clock::{Clock, Stopwatch, SystemClock};
use crate::message::body::Body;
use crate::message::class::{Safe, Standing};
use crate::message::framing::{Violation, content_length};
use crate::message::interim::Interim;
use crate::origin::stats::{OriginStats, RemoteStats};
use crate::origin::{Origin, OriginError, backoff};

/// The smallest buffer that hyper takes.
const SMALLEST_BUFFER: usize = 8192;
/// The field count up to which hyper parses a head on the stack.
const HEADERS_ON_STACK: usize = 100;
/// How often an HTTP/2 connection with open streams is asked for a sign of life, and how long the answer may take.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(20));

/// A remote HTTP server as an [`Origin`].
pub struct Remote {
    /// `None` after shutdown; dropping it closes its idle connections.
    client: RwLock<Option<Client<Connector, Body>>>,
    outgoing: Outgoing,
    slots: Slots,
    restraint: restraint::Restraint,
    retried: AtomicU64,
    clock: Arc<dyn Clock>,
    config: Config,
}

/// Why one attempt failed.
struct Failed {
    error: OriginError,
    /// The connection had served before and said nothing now: most likely the origin had closed it as idle.
    stale: bool,
}

impl Remote {
    /// Sets up the client. Reads the trusted roots, but connects to nobody yet.
    ///
    /// # Errors
    /// If the configuration is of no use.
    pub fn new(config: Config) -> Result<Self, Error> {
        Self::with_clock(config, Arc::new(SystemClock))
    }

    /// As [`new`](Remote::new), by another clock.
    ///
    /// # Errors
    /// As there.
    pub fn with_clock(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let outgoing = Outgoing::new(&config)?;
        let protocol = match config.protocol {
            Protocol::Http2 if outgoing.changes_host() => return Err(Error::HostOverHttp2),
            Protocol::Auto if outgoing.changes_host() => Protocol::Http1,
            protocol => protocol,
        };
        let https = config.base.scheme() == Some(&Scheme::HTTPS);
        let tls = tls::client(https, config.tls_ca.as_deref())?;
        let head_limit = config.max_header_bytes.max(SMALLEST_BUFFER);
        let connector = Connector::new(tls, protocol, config.connect_timeout, head_limit);
        let client = RwLock::new(Some(client(&config, protocol).build(connector)));
        let slots = Slots::new(config.max_concurrent, config.connect_timeout);
        let restraint = restraint::Restraint::new(config.restraint);
        Ok(Remote { client, outgoing, slots, restraint, retried: AtomicU64::new(0), clock, config })
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, OriginError> {
        let (mut head, body) = request.into_parts();
        let interim = head.extensions.remove::<Interim>();
        let awaited = Standing::of(&head.extensions).class().is_awaited();
        self.outgoing.rewrite(&mut head)?;
        // A client that sends its body slowly must not hold a slot meanwhile.
        let body = body::gather(body, self.config.request_buffer).await;
        let body = body.map_err(|error| OriginError::Reset(format!("request body: {error}")))?;
        let busy = |retry_after| OriginError::Busy { retry_after };
        let _admitted = self.restraint.admit(self.clock.now(), awaited).map_err(busy)?;
        let slot = self.slots.take().await?;
        let response = self.send_again(head, body, interim.as_ref(), awaited).await?;
        self.bounded(response, slot)
    }

    /// Sends a request, again and again where that may help, as long as a client waits for the first byte of one.
    async fn send_again(
        &self,
        head: request::Parts,
        body: Body,
        interim: Option<&Interim>,
        awaited: bool,
    ) -> Result<Response<Incoming>, OriginError> {
        let (watch, mut head, mut body) = (Stopwatch::start(), head, body);
        for tries in 1.. {
            let spare = if tries <= self.config.retries { replica(&head, &body) } else { None };
            let answer = self.send(head, body, interim).await;
            let told = answer.as_ref().ok().map(|response| (response.status(), response.headers()));
            self.restraint.heard(self.clock.now(), told);
            let wait = backoff::wait(tries, self.config.retry_base, self.config.retry_max, backoff::dice());
            let in_time = watch.elapsed() + wait < self.config.first_byte_timeout;
            match spare.filter(|_| in_time && is_passing(&answer)) {
                Some(spare) if self.restraint.again(self.clock.now(), awaited) => {
                    drop(answer);
                    tokio::time::sleep(wait).await;
                    self.retried.fetch_add(1, Relaxed);
                    (head, body) = spare;
                }
                _ => return answer,
            }
        }
        Err(OriginError::Connect("never tried".to_owned()))
    }

    /// Sends a request. A safe one is sent once more if its connection had served before and was closed without an answer.
    async fn send(
        &self,
        head: request::Parts,
        body: Body,
        interim: Option<&Interim>,
    ) -> Result<Response<Incoming>, OriginError> {
        let spare = replica(&head, &body);
        match (self.attempt(Request::from_parts(head, body), interim).await, spare) {
            (Err(Failed { stale: true, error }), Some((head, body))) => {
                tracing::debug!(%error, "stale connection, asking once more");
                let again = self.attempt(Request::from_parts(head, body), interim).await;
                again.map_err(|failed| failed.error)
            }
            (first, _) => first.map_err(|failed| failed.error),
        }
    }

    async fn attempt(
        &self,
        request: Request<Body>,
        interim: Option<&Interim>,
    ) -> Result<Response<Incoming>, Failed> {
        let progress = Arc::new(Notify::new());
        let mut request = request.map(|body| body::telling(body, &progress));
        if let Some(interim) = interim.cloned() {
            on_informational(&mut request, move |said| interim.send(said.status(), said.headers()));
        }
        let mut captured = capture_connection(&mut request);
        let Some(client) = self.client.read().clone() else {
            return Err(OriginError::Connect("this origin is shut down".to_owned()).into());
        };

        let mut response = pin!(client.request(request));
        let (mut connected, first_byte) = (false, self.config.first_byte_timeout);
        let mut clock = pin!(sleep(self.config.connect_timeout));
        let done = loop {
            let connection = async { drop(captured.wait_for_connection_metadata().await) };
            tokio::select! {
                biased;
                done = &mut response => break done,
                () = connection, if !connected => {
                    connected = true;
                    clock.set(sleep(first_byte));
                }
                () = progress.notified(), if connected => clock.set(sleep(first_byte)),
                () = &mut clock => {
                    let (phase, after) = match connected {
                        true => (FIRST_BYTE, first_byte),
                        false => (CONNECT, self.config.connect_timeout),
                    };
                    return Err(OriginError::TimedOut { phase, after }.into());
                }
            }
        };
        match done {
            Ok(response) => {
                if let Some(link) = response.extensions().get::<Arc<Link>>() {
                    link.answered.store(true, Relaxed);
                }
                Ok(response)
            }
            Err(error) => Err(Failed { error: classify(&error), stale: is_stale(&captured) }),
        }
    }

    /// `response` if its head keeps within its limits, its body bound to keep within its own.
    fn bounded(&self, response: Response<Incoming>, slot: Slot) -> Result<Response<Body>, OriginError> {
        let (mut head, incoming) = response.into_parts();
        if let Some(fault) = fault_of(&head, self.config.max_header_bytes, self.config.max_header_count) {
            return Err(OriginError::BadResponse(fault.to_owned()));
        }
        state_length_once(&mut head);
        self.outgoing.conceal(&mut head.headers);
        // What the client left there concerns its connection.
        let reason = head.extensions.remove::<ReasonPhrase>();
        head.extensions = Extensions::new();
        reason.map(|reason| head.extensions.insert(reason));
        let body = body::answer(incoming, slot, self.config.idle_timeout, self.config.max_body_bytes);
        Ok(Response::from_parts(head, body))
    }
}

impl Origin for Remote {
    fn fetch(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, OriginError>> {
        Box::pin(self.answer(request))
    }

    fn stats(&self) -> OriginStats {
        let restraint = self.restraint.stats(self.clock.now());
        let remote = RemoteStats { retries: self.retried.load(Relaxed), restraint };
        OriginStats { ready: self.is_ready(), captures: None, remote: Some(remote) }
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.slots.close();
        self.client.write().take();
        Box::pin(std::future::ready(()))
    }
}

/// A safe request once more, whatever method the service wants it by; none where its body is a stream.
fn replica(head: &request::Parts, body: &Body) -> Option<(request::Parts, Body)> {
    let body = Safe::is(&head.method, &head.extensions).then(|| body.again()).flatten()?;
    Some((head.clone(), body))
}

/// Whether another try may do better: nobody was reached, or it says that this passes, and not when.
fn is_passing(answer: &Result<Response<Incoming>, OriginError>) -> bool {
    match answer {
        Ok(answer) => {
            matches!(answer.status().as_u16(), 502..=504) && !answer.headers().contains_key(RETRY_AFTER)
        }
        Err(OriginError::Resolve { .. } | OriginError::Connect(_) | OriginError::Reset(_)) => true,
        Err(OriginError::TimedOut { phase, .. }) => *phase == CONNECT,
        Err(_) => false,
    }
}

impl From<OriginError> for Failed {
    fn from(error: OriginError) -> Self {
        Failed { error, stale: false }
    }
}

fn client(config: &Config, protocol: Protocol) -> legacy::Builder {
    // Each field counts 32 bytes more than its text (RFC 9113 section 6.5.2).
    let list = config.max_header_bytes.saturating_add(config.max_header_count.saturating_mul(32));
    let mut client = Client::builder(TokioExecutor::new());
    client
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(config.keep_alive)
        .pool_max_idle_per_host(config.max_idle_connections)
        // Both bound a head while it arrives; the exact limits are checked once it is whole.
        .http1_max_buf_size(config.max_header_bytes.max(SMALLEST_BUFFER))
        .http2_max_header_list_size(u32::try_from(list).unwrap_or(u32::MAX))
        .http2_only(protocol == Protocol::Http2)
        .http2_keep_alive_interval(PING.0)
        .http2_keep_alive_timeout(PING.1);
    if config.max_header_count != HEADERS_ON_STACK {
        client.http1_max_headers(config.max_header_count);
    }
    client
}

/// Whether the request went out on a connection that had served before, and not one byte came back.
fn is_stale(captured: &CaptureConnection) -> bool {
    let connected = captured.connection_metadata();
    let Some(connected) = connected.as_ref().filter(|connected| !connected.is_negotiated_h2()) else {
        return false;
    };
    let mut extras = Extensions::new();
    connected.get_extras(&mut extras);
    extras.get::<Arc<Link>>().is_some_and(|link| link.answered.load(Relaxed) && !link.heard.load(Relaxed))
}

/// What makes a response head unusable.
fn fault_of(head: &response::Parts, max_bytes: usize, max_count: usize) -> Option<&'static str> {
    // Name, value, and the four bytes of `: ` and the line's end.
    let bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > max_bytes {
        Some("response head larger than its limit")
    } else if head.headers.len() > max_count {
        Some("response head with too many fields")
    } else if head.status == StatusCode::SWITCHING_PROTOCOLS {
        Some("switches protocols though nobody asked")
    } else if head.status.as_u16() > 599 {
        // The class that is left to the recipient to guess (RFC 9110 section 15).
        Some("status code outside 100 to 599")
    } else if length(head).is_err() {
        // HTTP/2 is read without `framing`.
        Some("malformed or contradictory Content-Length")
    } else {
        None
    }
}

fn length(head: &response::Parts) -> Result<Option<u64>, Violation> {
    content_length(head.headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes))
}

/// Leaves one plain `Content-Length` of several that agree, and none where none may be (RFC 9110 section 8.6).
fn state_length_once(head: &mut response::Parts) {
    match length(head) {
        Ok(Some(_)) if head.status == StatusCode::NO_CONTENT => {
            head.headers.remove(CONTENT_LENGTH);
        }
        Ok(Some(length)) => {
            head.headers.insert(CONTENT_LENGTH, length.into());
        }
        _ => {}
    }
}
