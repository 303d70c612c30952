//! Browsers that somebody else runs: how to connect to one.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::{mpsc, watch};

use super::endpoint::Endpoint;
use super::instance::{Browser, NoAnswer, NoBrowser};
use super::process::{Held, Owner};
use crate::origin::chrome::network::identity::Version;
use crate::origin::chrome::protocol::client::{Devtools, WRITE_QUEUE};
use crate::origin::chrome::protocol::commands::GetVersion;
use crate::origin::chrome::protocol::websocket;

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
