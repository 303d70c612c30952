//! One `POST` to where somebody wants to be told something. The host is resolved once and vetted, and only an address that was vetted is
//! connected to, so that a name which changes its mind leads nowhere else. Redirects are not followed.

use std::future::ready;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::chrome::barred::Barred;
use super::chrome::guard::{Guard, is_web};
use super::http1;
use super::remote::tls;
use crate::message::body::Body;

/// Why a `POST` came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A rule says no: another try changes nothing.
    #[error("{0}")]
    Refused(String),
    /// Nobody took it.
    #[error("{0}")]
    Unreachable(String),
    /// It was answered otherwise than by success.
    #[error("answered {0}")]
    Status(StatusCode),
}

impl Failure {
    /// Whether another try may do better.
    pub fn is_passing(&self) -> bool {
        match self {
            Failure::Refused(_) => false,
            Failure::Unreachable(_) => true,
            Failure::Status(status) => status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429),
        }
    }
}

impl From<Barred> for Failure {
    fn from(why: Barred) -> Self {
        if why.is_refusal() {
            Failure::Refused(why.to_string())
        } else {
            Failure::Unreachable(why.to_string())
        }
    }
}

/// Where `url` leads, if `guard` lets it.
///
/// # Errors
/// If it does not, or the name has no address.
pub async fn vetted(guard: &Guard, url: &Url) -> Result<Vec<IpAddr>, Failure> {
    let (Some(host), Some(port), true) = (url.host_str(), url.port_or_known_default(), is_web(url)) else {
        return Err(Failure::Refused("no http:// or https:// URL".to_owned()));
    };
    let addresses = guard.resolve(host).await?;
    guard.vet(host, port, &addresses)?;
    Ok(addresses)
}

/// Tells people's servers something.
#[derive(Default)]
pub struct Poster {
    /// Reading the system's roots takes a moment, and most never need them.
    tls: OnceLock<Option<Arc<ClientConfig>>>,
}

impl Poster {
    /// Posts `body` to `url`, if `guard` lets it, within `patience`.
    ///
    /// # Errors
    /// Anything but an answer of success.
    pub async fn post(
        &self,
        guard: &Guard,
        url: &Url,
        fields: HeaderMap,
        body: Bytes,
        patience: Duration,
    ) -> Result<(), Failure> {
        let posted = tokio::time::timeout(patience, self.exchange(guard, url, fields, body)).await;
        match posted.map_err(|_| Failure::Unreachable(format!("no answer within {patience:?}")))?? {
            status if status.is_success() => Ok(()),
            status => Err(Failure::Status(status)),
        }
    }

    async fn exchange(
        &self,
        guard: &Guard,
        url: &Url,
        fields: HeaderMap,
        body: Bytes,
    ) -> Result<StatusCode, Failure> {
        let addresses = vetted(guard, url).await?;
        let stream = connect(&addresses, url.port_or_known_default().unwrap_or_default()).await?;
        let mut request = http1::request(Method::POST, url, Body::whole(body));
        request.headers_mut().extend(fields);
        if url.scheme() != "https" {
            return send(stream, request).await;
        }
        let tls = self.tls().ok_or_else(|| Failure::Unreachable("TLS has no trusted roots".to_owned()))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(unreachable)?;
        send(TlsConnector::from(tls).connect(name, stream).await.map_err(unreachable)?, request).await
    }

    fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.get_or_init(|| tls::client(true, None).ok().map(Arc::new)).clone()
    }
}

async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, Failure> {
    let mut failed = Failure::Unreachable("no address".to_owned());
    for &address in addresses {
        match TcpStream::connect(SocketAddr::new(address, port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = unreachable(error),
        }
    }
    Err(failed)
}

fn unreachable(error: impl std::error::Error) -> Failure {
    Failure::Unreachable(error.to_string())
}

async fn send<S>(stream: S, request: Request<Body>) -> Result<StatusCode, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    http1::exchange(stream, request, |answer| ready(answer.status())).await.map_err(unreachable)
}
