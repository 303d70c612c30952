//! The exit proxy: a filtering forward proxy in our own process, one listener for each capture. A browser context
//! is told to send everything through it, loopback included, so that no request of a page leaves unvetted.
//!
//! It resolves a name once, vets every address, and connects to what it vetted: a name that changes its
//! address between check and use (DNS rebinding) changes nothing. Bytes, connections and time are bounded
//! for the capture. Its port is on loopback and asks for no credential: another process of this machine could
//! use it while the capture lasts, under the same rules as a page.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::barred::Barred;
use super::page_network::{PageNetwork, Site, unreachable};
use super::tls_bridge::TlsBridge;
use crate::message::{body::Body, fields};
use crate::tasks;

/// Time for the browser to send a request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections from the browser at once; Chrome opens 32 and some for websockets.
const MAX_INBOUND: usize = 512;

/// A running proxy; dropping it closes the listener and every connection.
pub(crate) struct EgressProxy {
    address: SocketAddr,
    network: Arc<PageNetwork>,
    cut: watch::Sender<bool>,
    _open: watch::Sender<()>,
}

impl EgressProxy {
    /// Opens a listener on loopback, whose traffic takes `roads`, and `bridge` where the operator has roots for pages.
    pub(crate) async fn open(network: PageNetwork, bridge: Option<Arc<TlsBridge>>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let network = Arc::new(network);
        let (open, closed) = watch::channel(());
        let (cut, is_cut) = watch::channel(false);
        let exit = Exit { network: network.clone(), bridge, idle: Arc::default(), closed, is_cut };
        tasks::spawn("exit", exit.accept(listener));
        Ok(EgressProxy { address, network, cut, _open: open })
    }

    /// Ends every connection, and refuses every request from now on, so that a page does not wait for an answer.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its traffic takes.
    pub(crate) fn network(&self) -> &PageNetwork {
        &self.network
    }
}

type Idle = HashMap<Site, Vec<SendRequest<Incoming>>>;

/// What each connection of the proxy works with.
#[derive(Clone)]
struct Exit {
    network: Arc<PageNetwork>,
    bridge: Option<Arc<TlsBridge>>,
    /// Connections to plain HTTP origins that can take another request.
    idle: Arc<Mutex<Idle>>,
    closed: watch::Receiver<()>,
    is_cut: watch::Receiver<bool>,
}

impl Exit {
    async fn accept(mut self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MAX_INBOUND));
        loop {
            let accepted = tokio::select! {
                _ = self.closed.changed() => return,
                accepted = listener.accept() => accepted,
            };
            match (accepted, places.clone().try_acquire_owned()) {
                (Ok((stream, _)), Ok(place)) => {
                    let serve = self.clone().serve(stream);
                    self.spawn(async move {
                        serve.await;
                        drop(place);
                    });
                }
                (Ok(_), Err(_)) => {}
                // Out of descriptors, most likely: let some close.
                (Err(_), _) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Runs `work` until it is done, the connections are cut or the proxy is dropped.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let (mut closed, mut is_cut) = (self.closed.clone(), self.is_cut.clone());
        // Connections that come later live long enough to be refused.
        let later = *is_cut.borrow_and_update();
        tasks::spawn("exit-connection", async move {
            tokio::select! {
                _ = closed.changed() => {}
                Ok(()) = is_cut.changed(), if !later => {}
                () = work => {}
            }
        });
    }

    async fn serve(self, stream: TcpStream) {
        let handle = service_fn(move |request| {
            let exit = self.clone();
            async move { Ok::<_, Infallible>(exit.handle(request).await) }
        });
        let _ = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), handle)
            .with_upgrades()
            .await;
    }

    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        let Some(site) = site(request.method(), request.uri()) else { return empty(StatusCode::BAD_REQUEST) };
        if *self.is_cut.borrow() {
            return empty(StatusCode::GATEWAY_TIMEOUT);
        }
        let target = match *request.method() {
            Method::CONNECT => None,
            _ => request.uri().path_and_query().map(|target| target.as_str().to_owned()),
        };
        let answer = match (self.network.admit(), request.method()) {
            (Err(spent), _) => Err(spent),
            (Ok(()), &Method::CONNECT) => self.tunnel(&site, request).await,
            (Ok(()), _) => self.forward(&site, request).await,
        };
        // Quick and empty, so that a page goes on without what is barred.
        answer.unwrap_or_else(|why| {
            let status = if why.is_refusal() { StatusCode::FORBIDDEN } else { StatusCode::BAD_GATEWAY };
            self.network.remember(site, target, why);
            empty(status)
        })
    }

    /// `CONNECT`: TLS and websockets.
    async fn tunnel(&self, site: &Site, request: Request<Incoming>) -> Result<Response<Body>, Barred> {
        let mut there = self.network.connect(site).await?;
        let (bridge, network, site) = (self.bridge.clone(), self.network.clone(), site.clone());
        self.spawn(async move {
            let Ok(here) = hyper::upgrade::on(request).await else { return };
            let mut here = TokioIo::new(here);
            match bridge {
                None => {
                    let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
                }
                Some(bridge) => {
                    if let Err(why) = bridge.join(here, there, &site, &network).await {
                        network.remember(site, None, why);
                    }
                }
            }
        });
        Ok(empty(StatusCode::OK))
    }

    /// Plain HTTP.
    async fn forward(&self, site: &Site, mut request: Request<Incoming>) -> Result<Response<Body>, Barred> {
        to_origin_form(&mut request);
        // An idle connection may have been closed meanwhile; what it did not take goes over a new one.
        if let Some(mut sender) = self.idle_connection(site) {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.pass_back(site, sender, response)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(unreachable(site, &error.into_error())),
                },
            }
        }
        let stream = TokioIo::new(self.network.connect(site).await?);
        let handshake = hyper::client::conn::http1::handshake(stream).await;
        let (mut sender, connection) = handshake.map_err(|error| unreachable(site, &error))?;
        self.spawn(async move {
            let _ = connection.await;
        });
        let response = sender.send_request(request).await.map_err(|error| unreachable(site, &error))?;
        Ok(self.pass_back(site, sender, response))
    }

    fn idle_connection(&self, site: &Site) -> Option<SendRequest<Incoming>> {
        let mut idle = self.idle.lock();
        let senders = idle.get_mut(site)?;
        senders.retain(|sender| !sender.is_closed());
        let at = senders.iter().position(SendRequest::is_ready)?;
        Some(senders.swap_remove(at))
    }

    /// Hands the response to the browser; its connection is ready again once the body has passed.
    fn pass_back(
        &self,
        site: &Site,
        sender: SendRequest<Incoming>,
        mut response: Response<Incoming>,
    ) -> Response<Body> {
        let mut idle = self.idle.lock();
        idle.entry(site.clone()).or_default().push(sender);
        fields::remove_hop_by_hop(response.headers_mut());
        *response.version_mut() = Version::HTTP_11;
        // A page's server is no proxy: the browser would take this for the exit's own demand of a password.
        if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            *response.status_mut() = StatusCode::FORBIDDEN;
        }
        response.map(Body::Incoming)
    }
}

/// Host and port that a proxy request names: `CONNECT host:port` or `http://host[:port]/...`.
fn site(method: &Method, uri: &Uri) -> Option<Site> {
    let host = uri.host()?.to_ascii_lowercase();
    match *method {
        Method::CONNECT => Some((host, uri.port_u16()?)),
        _ if uri.scheme_str() == Some("http") => Some((host, uri.port_u16().unwrap_or(80))),
        _ => None,
    }
}

/// RFC 9112 section 3.2: origin form, and a `Host` that is the target's authority.
fn to_origin_form(request: &mut Request<Incoming>) {
    fields::remove_hop_by_hop(request.headers_mut());
    let uri = request.uri().clone();
    if let Some(host) = uri.authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok()) {
        request.headers_mut().insert(header::HOST, host);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::try_from(path).unwrap_or_else(|_| Uri::from_static("/"));
    *request.version_mut() = Version::HTTP_11;
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}
