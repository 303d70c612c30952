//! The accept loop and its end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::connection::Connections;
use super::{Config, Handler, tls};

/// Why a listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, not ours, or not permitted.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address to bind.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A file of the TLS identity cannot be read or is not PEM of the right kind.
    #[error("cannot use {}: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not make an identity.
    #[error("cannot use {} with {}: {reason}", certificate.display(), key.display())]
    Identity {
        /// The certificate chain's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
}

/// What became of a listener's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeReport {
    /// Connections accepted in all.
    pub accepted: u64,
    /// Connections that were still busy after the grace period, and were cut.
    pub cut: usize,
}

/// A bound socket; [`serve`](Self::serve) accepts from it.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    config: Config,
}

impl Listener {
    /// Binds the configured address and reads the TLS identity. Connections queue in the kernel from here on.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let tls = config.tls.as_ref().map(tls::server).transpose()?.map(TlsAcceptor::from);
        let refused = |source| BindError::Listen { address: config.listen, source };
        let socket = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        Ok(Listener { socket, address, tls, config })
    }

    /// The address that is bound, with the port that port 0 became.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves connections until `shutdown` completes. Then the port is closed, current exchanges have
    /// [`drain_grace`](Config::drain_grace) to finish, and the rest is cut.
    pub async fn serve<H: Handler>(self, handler: H, shutdown: impl Future<Output = ()>) -> ServeReport {
        let Listener { socket, tls, config, .. } = self;
        let (drain, draining) = watch::channel(false);
        let connections = Connections::new(&config, handler, tls, draining);
        let slots = Arc::new(Semaphore::new(config.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let mut tasks = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        let (mut accepted, mut pause) = (0, Duration::ZERO);

        loop {
            let mut next = pin!(next(&socket, &slots, pause));
            let next = loop {
                tokio::select! {
                    biased;
                    () = &mut shutdown => break None,
                    Some(ended) = tasks.join_next() => report(ended),
                    next = &mut next => break Some(next),
                }
            };
            match next {
                None => break,
                Some(Ok((stream, peer, slot))) => {
                    (accepted, pause) = (accepted + 1, Duration::ZERO);
                    let connection = connections.run(stream, peer);
                    tasks.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
                Some(Err(error)) => {
                    pause = backoff(&error, pause);
                    tracing::warn!(%error, ?pause, "cannot accept a connection");
                }
            }
        }

        drop(socket);
        drain.send_replace(true);
        let finish = async {
            while let Some(ended) = tasks.join_next().await {
                report(ended);
            }
        };
        let in_time = tokio::time::timeout(config.drain_grace, finish).await;
        let cut = if in_time.is_ok() { 0 } else { tasks.len() };
        tasks.shutdown().await;
        ServeReport { accepted, cut }
    }
}

/// The next connection, once there is a slot for it.
async fn next(
    socket: &TcpListener,
    slots: &Arc<Semaphore>,
    pause: Duration,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = socket.accept().await?;
    Ok((stream, peer, slot))
}

/// How long to wait after `error` before the next attempt, where the last wait was `pause`. A connection that
/// died in the queue says nothing of the next one; anything else (no descriptors, no memory) needs time to
/// pass.
fn backoff(error: &io::Error, pause: Duration) -> Duration {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    match error.kind() {
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted => Duration::ZERO,
        _ => (pause * 2).clamp(Duration::from_millis(5), Duration::from_secs(1)),
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_errors_back_off_unless_the_peer_caused_them() {
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        let no_descriptors = io::Error::other("too many open files");
        let ms = Duration::from_millis;
        for (error, pause, expected) in [
            (&aborted, ms(0), ms(0)),
            (&aborted, ms(80), ms(0)),
            (&no_descriptors, ms(0), ms(5)),
            (&no_descriptors, ms(5), ms(10)),
            (&no_descriptors, ms(900), ms(1000)),
            (&no_descriptors, ms(1000), ms(1000)),
        ] {
            assert_eq!(backoff(error, pause), expected, "{error} after {pause:?}");
        }
    }
}
