//! Connections to the origin: name, TCP, TLS, all within one limit.

use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{HttpConnector, dns::Name};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use super::config::Protocol;
use super::failure::{Fault, causes, chain};
use super::wire::Wire;

/// Makes connections to any URI's scheme and authority.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Tcp>,
    timeout: Duration,
    /// HTTP/2 is known to be spoken without being negotiated.
    prior_knowledge: bool,
    /// Bytes of a response's head in HTTP/1.1.
    head_limit: usize,
}

impl Connector {
    /// A connector that offers `protocol` over TLS and gives up after `timeout`. Connections over HTTP/1.1 break off at a
    /// response head of more than `head_limit` bytes.
    pub(super) fn new(tls: ClientConfig, protocol: Protocol, timeout: Duration, head_limit: usize) -> Self {
        let mut http = HttpConnector::new_with_resolver(Resolver);
        http.enforce_http(false);
        http.set_nodelay(true);
        let schemes = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let https = match protocol {
            Protocol::Auto => schemes.enable_all_versions().wrap_connector(Tcp(http)),
            Protocol::Http1 => schemes.enable_http1().wrap_connector(Tcp(http)),
            Protocol::Http2 => schemes.enable_http2().wrap_connector(Tcp(http)),
        };
        Connector { https, timeout, prior_knowledge: protocol == Protocol::Http2, head_limit }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<TokioIo<Wire>, Fault>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.https.poll_ready(cx).map_err(fault)
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let (connecting, limit) = (self.https.call(destination), self.timeout);
        let (prior_knowledge, head_limit) = (self.prior_knowledge, self.head_limit);
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(Ok(stream)) => Ok(TokioIo::new(Wire::new(stream, prior_knowledge, head_limit))),
                Ok(Err(error)) => Err(fault(error)),
                Err(_elapsed) => Err(Fault::Slow(limit)),
            }
        })
    }
}

/// TCP's faults come typed; what else can go wrong in connecting is TLS.
fn fault(error: Box<dyn std::error::Error + Send + Sync>) -> Fault {
    match error.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(error) => Fault::Tls(chain(&*error)),
    }
}

/// TCP connections with typed faults.
#[derive(Clone)]
struct Tcp(HttpConnector<Resolver>);

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<TokioIo<TcpStream>, Fault>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.0.poll_ready(cx).map_err(|error| Fault::Connect(chain(&error)))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let connecting = self.0.call(destination);
        Box::pin(async move {
            connecting.await.map_err(|error| {
                let resolve = causes(&error).find_map(|cause| cause.downcast_ref::<Fault>());
                resolve.cloned().unwrap_or_else(|| Fault::Connect(chain(&error)))
            })
        })
    }
}

/// The system's resolver.
#[derive(Clone)]
struct Resolver;

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<std::net::SocketAddr>;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<Self::Response, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found: Vec<_> = match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(found) => found.collect(),
                Err(error) => {
                    tracing::debug!(host = name.as_str(), %error, "no address");
                    Vec::new()
                }
            };
            if found.is_empty() {
                return Err(Fault::Resolve(name.as_str().to_owned()));
            }
            Ok(found.into_iter())
        })
    }
}
