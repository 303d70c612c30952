//! The accept loop of a [`Listener`], and its orderly end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::bind_error::BindError;
use super::config::Config;
use super::connection::Connections;
use super::crowd::Crowd;
use super::exchange::Handler;
use super::tls;
use crate::tasks;

/// Counts of a listener's connections, when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeReport {
    /// Connections accepted in all.
    pub accepted: u64,
    /// Connections closed at once, because their address had its maximum. They count as accepted
    /// too.
    pub refused: u64,
    /// Connections that were still busy after the grace period and were closed.
    pub cut: usize,
}

/// A bound socket. [`serve`](Self::serve) accepts connections from it.
pub struct Listener {
    socket: Socket,
    address: SocketAddr,
    inherited: bool,
    tuned: watch::Sender<Tuned>,
}

enum Socket {
    /// Bound, but the kernel queues no connections yet.
    Bound(TcpSocket),
    Listening(TcpListener),
}

/// The bounds and the TLS identity of new connections.
#[derive(Clone)]
struct Tuned {
    config: Config,
    tls: Option<TlsAcceptor>,
}

impl Tuned {
    fn new(config: Config) -> Result<Self, BindError> {
        let tls = config.tls.as_ref().map(tls::server).transpose()?.map(TlsAcceptor::from);
        Ok(Tuned { config, tls })
    }
}

/// Changes the bounds and the TLS identity of a running listener, for new connections.
#[derive(Clone)]
pub struct Tuner(watch::Sender<Tuned>);

/// A prepared change. Applying it cannot fail.
pub struct Tuning(Tuned);

impl Tuner {
    /// Reads the TLS identity that `config` names. The address and the options of its socket are
    /// ignored.
    pub fn prepare(config: Config) -> Result<Tuning, BindError> {
        Tuned::new(config).map(Tuning)
    }

    /// Applies `tuning` to connections accepted from now on.
    pub fn apply(&self, tuning: Tuning) {
        self.0.send_replace(tuning.0);
    }
}

impl Listener {
    /// Binds the configured address and reads the TLS identity. Connections queue in the kernel
    /// from here on. If other processes share the address ([`reuse_port`](Config::reuse_port)),
    /// they queue from [`listen`](Self::listen) on.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let tuned = Tuned::new(config)?;
        let (config, listen) = (&tuned.config, tuned.config.listen);
        let refused = |source| BindError::Listen { address: listen, source };
        let socket = match listen {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let socket = socket.map_err(refused)?;
        socket.set_reuseaddr(true).map_err(refused)?;
        socket.set_reuseport(config.reuse_port).map_err(refused)?;
        socket.bind(listen).map_err(refused)?;
        let address = socket.local_addr().map_err(refused)?;
        let shared = config.reuse_port;
        let tuned = watch::Sender::new(tuned);
        let listener = Listener { socket: Socket::Bound(socket), address, inherited: false, tuned };
        if shared { Ok(listener) } else { listener.listen() }
    }

    /// Whether [`bind`](Self::bind) would succeed. An address that another process listens on
    /// passes, because this process may be its successor.
    pub async fn check(config: Config) -> Result<(), BindError> {
        match Self::bind(Config { reuse_port: true, ..config }).await {
            Err(BindError::Listen { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => Ok(()),
            bound => bound.map(drop),
        }
    }

    /// Takes over `socket`, which listens already and which other processes may hold too.
    pub fn inherit(config: Config, socket: std::net::TcpListener) -> Result<Self, BindError> {
        let refused = |source| BindError::Listen { address: config.listen, source };
        let address = socket.local_addr().map_err(refused)?;
        socket.set_nonblocking(true).map_err(refused)?;
        let socket = Socket::Listening(TcpListener::from_std(socket).map_err(refused)?);
        let tuned = watch::Sender::new(Tuned::new(config)?);
        Ok(Listener { socket, address, inherited: true, tuned })
    }

    /// Has the kernel queue connections, if it does not yet.
    pub fn listen(mut self) -> Result<Self, BindError> {
        if let Socket::Bound(socket) = self.socket {
            let refused = |source| BindError::Listen { address: self.address, source };
            let backlog = self.tuned.borrow().config.backlog;
            self.socket = Socket::Listening(socket.listen(backlog).map_err(refused)?);
        }
        Ok(self)
    }

    /// The bound address. Port 0 is replaced with the port that the kernel chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether the socket was passed to this process by its parent, such as systemd.
    pub fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// A handle that changes the listener while it [serves](Self::serve).
    pub fn tuner(&self) -> Tuner {
        Tuner(self.tuned.clone())
    }

    /// Serves connections until `shutdown` completes. Then the port is closed, and current
    /// exchanges have [`drain_grace`](Config::drain_grace) to finish. The rest is closed.
    /// Connections in the kernel's queue are served too; those of an inherited socket are left to
    /// its next owner.
    pub async fn serve<H: Handler>(self, handler: H, shutdown: impl Future<Output = ()>) -> ServeReport {
        let mut report_of = ServeReport { accepted: 0, refused: 0, cut: 0 };
        let Ok(Listener { socket: Socket::Listening(socket), inherited, tuned, .. }) = self.listen() else {
            tracing::error!("the socket does not listen");
            return report_of;
        };
        let mut tuned = tuned.subscribe();
        let (drain, draining) = watch::channel(false);
        let mut now = tuned.borrow_and_update().clone();
        let mut connections =
            Connections::new(&now.config, handler.clone(), now.tls.clone(), draining.clone());
        let slots = Arc::new(Semaphore::new(most(&now.config)));
        let crowd = Crowd::default();
        let mut connected = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        let mut pause = Duration::ZERO;

        loop {
            let mut next = pin!(next(&socket, &slots, pause));
            let next = loop {
                tokio::select! {
                    biased;
                    () = &mut shutdown => break None,
                    Some(ended) = connected.join_next() => report(ended),
                    Ok(()) = tuned.changed() => {
                        let before = most(&now.config);
                        now = tuned.borrow_and_update().clone();
                        resize(&slots, before, most(&now.config));
                        connections =
                            Connections::new(&now.config, handler.clone(), now.tls.clone(), draining.clone());
                    }
                    next = &mut next => break Some(next),
                }
            };
            match next {
                None => break,
                Some(Ok((stream, peer, slot))) => {
                    (report_of.accepted, pause) = (report_of.accepted + 1, Duration::ZERO);
                    let most = now.config.max_connections_per_address;
                    let Some(place) = crowd.enter(peer.ip(), most, &now.config.crowded) else {
                        report_of.refused += 1;
                        tracing::debug!(%peer, "closed: too many connections from one address");
                        continue;
                    };
                    connected.spawn(tasks::named("connection", connections.run(stream, peer, (slot, place))));
                }
                Some(Err(error)) => {
                    pause = backoff(&error, pause);
                    tracing::warn!(%error, ?pause, "cannot accept a connection");
                }
            }
        }

        // The kernel has completed the handshakes of queued connections, and closing the socket
        // would reset them. The runtime knows only some of them, so the kernel is asked.
        if let Ok(socket) = socket.into_std()
            && !inherited
        {
            while let Ok((stream, peer)) = socket.accept() {
                let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                if let Ok(stream) = stream {
                    report_of.accepted += 1;
                    connected.spawn(tasks::named("connection", connections.run(stream, peer, ())));
                }
            }
        }
        drain.send_replace(true);
        let finish = async {
            while let Some(ended) = connected.join_next().await {
                report(ended);
            }
        };
        let in_time = tokio::time::timeout(now.config.drain_grace, finish).await;
        report_of.cut = if in_time.is_ok() { 0 } else { connected.len() };
        connected.shutdown().await;
        report_of
    }
}

fn most(config: &Config) -> usize {
    config.max_connections.clamp(1, Semaphore::MAX_PERMITS)
}

/// Changes the number of `slots` from `before` to `now`. Slots in use are removed as they are
/// released, before anyone gets a new one.
fn resize(slots: &Arc<Semaphore>, before: usize, now: usize) {
    slots.add_permits(now.saturating_sub(before));
    let fewer = u32::try_from(before.saturating_sub(now)).unwrap_or(u32::MAX);
    if fewer > 0 {
        let slots = Arc::clone(slots);
        tasks::spawn("fewer-connections", async move {
            if let Ok(taken) = slots.acquire_many(fewer).await {
                taken.forget();
            }
        });
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

/// How long to wait after `error` before the next attempt, if the last wait was `pause`. A
/// connection that died in the queue needs no wait. Other errors (no descriptors, no memory) need
/// time to pass.
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
