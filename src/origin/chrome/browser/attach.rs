//! Browsers that somebody else runs: where they are, and how to connect to one.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::{mpsc, watch};
use url::Url;

use super::instance::{Browser, NoAnswer, NoBrowser};
use super::process::{Held, Owner};
use crate::origin::chrome::network::identity::Version;
use crate::origin::chrome::protocol::client::{Devtools, WRITE_QUEUE};
use crate::origin::chrome::protocol::commands::GetVersion;
use crate::origin::chrome::protocol::websocket;

/// A DevTools endpoint: `ws://host:port/path`, or `http://host:port`, which tells the former under /json/version; `wss` and
/// `https` are the same over TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// The text is no [`Endpoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DevTools endpoint, such as wss://host/devtools/browser/... or http://host:9222")]
pub struct NotAnEndpoint;

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, NotAnEndpoint> {
        let url = Url::parse(text.trim()).map_err(|_| NotAnEndpoint)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let known = matches!(url.scheme(), "ws" | "http" | "wss" | "https") && url.has_host();
        if plain && known { Ok(Endpoint(url)) } else { Err(NotAnEndpoint) }
    }
}

impl Endpoint {
    /// Whether it is spoken to over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        matches!(self.0.scheme(), "wss" | "https")
    }
}

/// Scheme, host and port only: path and query often hold a token.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port_or_known_default().unwrap_or_default();
        write!(f, "{}://{}:{port}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) struct Attach {
    pub(crate) endpoint: Endpoint,
    /// Whom to trust behind TLS.
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) timeout: Duration,
    pub(crate) max_message: usize,
    pub(crate) call_timeout: Duration,
}

/// Connects and waits until the browser answers, or until `stop`. The [`Owner`] has to be run: it closes the
/// connection, on which the browser forgets every context made over it.
pub(crate) async fn attach(
    how: &Attach,
    mut stop: watch::Receiver<bool>,
) -> Result<(Arc<Browser>, Owner), NoBrowser> {
    let cause = tokio::select! {
        attached = connect(how) => match attached {
            Ok(attached) => return Ok(attached),
            Err(cause) => cause,
        },
        () = tokio::time::sleep(how.timeout) => NoAnswer::Late(how.timeout),
        _ = stop.wait_for(|stop| *stop) => NoAnswer::Stopping,
    };
    Err(NoBrowser::Remote { endpoint: how.endpoint.to_string(), cause })
}

async fn connect(how: &Attach) -> Result<(Arc<Browser>, Owner), NoAnswer> {
    let unconnected = |error: std::io::Error| NoAnswer::Connection(error.to_string());
    let Endpoint(url) = &how.endpoint;
    let told;
    let url = if matches!(url.scheme(), "http" | "https") {
        told = websocket::discover(url, &how.tls).await.map_err(unconnected)?;
        &told
    } else {
        url
    };
    let (send, outgoing) = mpsc::channel(WRITE_QUEUE);
    let (open, watched) = watch::channel(());
    let received = websocket::connect(url, &how.tls, how.max_message, outgoing, watched).await;
    let devtools = Devtools::over(received.map_err(unconnected)?, send, how.call_timeout);
    let version = devtools.call(None, GetVersion {}).await?;
    tracing::info!(product = version.product, endpoint = %how.endpoint, "connected to a browser");
    let closed = Box::pin(devtools.closed());
    let (browser, fate) = Browser::new(devtools, None, Version::of(version));
    let bounded = Box::pin(std::future::pending());
    Ok((browser, Owner { closed, fate, bounded, held: Held::Connection { _open: open } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_show_no_token() {
        for (text, shown) in [
            ("ws://host:9222/devtools/browser/1?token=hunter2", Some("ws://host:9222")),
            (" http://10.0.0.1 ", Some("http://10.0.0.1:80")),
            ("ws://[::1]:1", Some("ws://[::1]:1")),
            ("wss://host/?token=hunter2", Some("wss://host:443")),
            ("https://host:1", Some("https://host:1")),
            ("ftp://host", None),
            ("http://user:hunter2@host", None),
            ("host:9222", None),
            ("file:///etc/passwd", None),
            ("", None),
        ] {
            let endpoint = text.parse::<Endpoint>().ok();
            assert_eq!(endpoint.as_ref().map(ToString::to_string).as_deref(), shown, "{text}");
            assert!(!format!("{endpoint:?}").contains("hunter2"));
        }
    }
}
