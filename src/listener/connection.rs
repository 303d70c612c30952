//! One connection from its first byte to its last: TLS, version, exchanges, timers, drain.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, Watched};
use super::config::Config;
use super::cork::Cork;
use super::exchange::{Handler, Limits, Tracked, service};
use super::frames::{Budget, Frames};
use super::interim::Interims;
use super::protocol::{Protocols, Version, detect};
use super::short::Short;
use super::streams::{Accepted, Together};
use super::strict::Strict;
use super::timer::{Timer, Verdict};
use crate::message::peer::Peer;

/// What all connections of a listener share.
pub(super) struct Connections<H>(Arc<Shared<H>>);

struct Shared<H> {
    handler: H,
    tls: Option<TlsAcceptor>,
    draining: watch::Receiver<bool>,
    protocols: Protocols,
    limits: Limits,
    header_read_timeout: Duration,
    min_write_rate: u64,
    max_requests: usize,
    budget: Budget,
    /// Time that an idle connection has after the drain began, for a request that is on its way.
    linger: Duration,
}

/// Clients that reuse a keep-alive connection do so within this time.
const LINGER: Duration = Duration::from_millis(500);

/// The reason that a connection ended, for the log.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("closed")]
    Closed,
    #[error("transport or protocol broke: {0}")]
    Broken(hyper::Error),
    #[error("no exchange possible: {0}")]
    Unusable(std::io::Error),
    #[error("no whole request head in time")]
    SlowHead,
    #[error("idle")]
    Idle,
    #[error("reads too slowly")]
    SlowReader,
    #[error("more exchanges than it was told to make")]
    Worn,
    #[error("shutdown before its first byte")]
    Drained,
}

impl<H: Handler> Connections<H> {
    pub(super) fn new(
        config: &Config,
        handler: H,
        tls: Option<TlsAcceptor>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        let limits = Limits {
            max_header_count: config.max_header_count,
            max_header_bytes: config.max_header_bytes,
            idle_timeout: config.idle_timeout,
            min_read_rate: config.min_read_rate,
        };
        let protocols = Protocols::new(config);
        let header_read_timeout = config.header_read_timeout;
        let budget = Budget { resets: config.max_resets, controls: config.max_control_frames };
        let linger = LINGER.min(config.drain_grace / 2);
        Connections(Arc::new(Shared {
            handler,
            tls,
            draining,
            protocols,
            limits,
            header_read_timeout,
            min_write_rate: config.min_write_rate,
            max_requests: config.max_requests_per_connection,
            budget,
            linger,
        }))
    }

    /// Serves one accepted connection to its end, and then drops `holds`.
    pub(super) fn run<P>(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        holds: P,
    ) -> impl Future<Output = ()> + use<H, P> {
        let shared = self.0.clone();
        async move {
            let end = shared.serve(stream, address).await;
            tracing::debug!(peer = %address, reason = %end, "connection ended");
            drop(holds);
        }
    }
}

impl<H: Handler> Shared<H> {
    async fn serve(&self, stream: TcpStream, address: SocketAddr) -> End {
        // A response is written whole or as it arrives. Waiting for more bytes only adds latency.
        let local = match stream.set_nodelay(true).and_then(|()| stream.local_addr()) {
            Ok(local) => local,
            Err(error) => return End::Unusable(error),
        };
        let peer = Peer { address, local, tls: self.tls.is_some() };
        let (mut draining, linger) = (self.draining.clone(), self.linger);
        let activity = Arc::new(Activity::new(self.max_requests));
        let leaving = Arc::clone(&activity);
        let drain = pin!(async move {
            // The sender lives as long as the accept loop, which waits for this connection.
            let _gone = draining.wait_for(|draining| *draining).await.is_ok();
            // Closing the connection at once would reset a request that is on its way. A request
            // that arrives meanwhile is answered with `Connection: close`.
            leaving.leave();
            sleep(linger).await;
        });

        let Some(tls) = &self.tls else {
            let clock = pin!(sleep(self.header_read_timeout));
            return self.serve_plain(stream, peer, activity, drain, clock).await;
        };
        // Large futures that most connections do not need are boxed.
        Box::pin(self.serve_tls(tls, stream, peer, activity, drain)).await
    }

    async fn serve_tls(
        &self,
        tls: &TlsAcceptor,
        stream: TcpStream,
        peer: Peer,
        activity: Arc<Activity>,
        mut drain: Pin<&mut impl Future<Output = ()>>,
    ) -> End {
        let handshake = Box::pin(timeout(self.header_read_timeout, tls.accept(stream)));
        let stream = tokio::select! {
            biased;
            () = &mut drain => return End::Drained,
            done = handshake => match done {
                Err(_elapsed) => return End::SlowHead,
                Ok(Err(error)) => return End::Unusable(error),
                Ok(Ok(stream)) => stream,
            },
        };
        let version = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Version::Http2,
            _ => Version::Http1,
        };
        let clock = pin!(sleep(self.header_read_timeout));
        self.exchange(stream, Vec::new(), version, peer, activity, drain, clock).await
    }

    async fn serve_plain(
        &self,
        mut stream: TcpStream,
        peer: Peer,
        activity: Arc<Activity>,
        mut drain: Pin<&mut impl Future<Output = ()>>,
        mut clock: Pin<&mut Sleep>,
    ) -> End {
        let (version, ahead) = tokio::select! {
            biased;
            () = &mut drain => return End::Drained,
            () = &mut clock => return End::SlowHead,
            found = detect(&mut stream) => match found {
                Ok(found) => found,
                Err(error) => return End::Unusable(error),
            },
        };
        self.exchange(stream, ahead, version, peer, activity, drain, clock).await
    }

    /// Serves exchanges. `clock` has been running since the first request could have come.
    #[allow(
        clippy::too_many_arguments,
        reason = "what a connection has come to when its first exchange begins"
    )]
    async fn exchange<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        io: IO,
        ahead: Vec<u8>,
        version: Version,
        peer: Peer,
        activity: Arc<Activity>,
        drain: Pin<&mut impl Future<Output = ()>>,
        clock: Pin<&mut Sleep>,
    ) -> End {
        let interims = Arc::new(Interims::default());
        let io = Watched::new(io, ahead, activity.clone(), interims.clone());
        let service = service(self.handler.clone(), peer, self.limits, activity.clone(), interims);
        let timer = Timer::new(
            clock,
            activity.clone(),
            version == Version::Http1,
            self.header_read_timeout,
            self.limits.idle_timeout,
            self.min_write_rate,
        );
        match version {
            Version::Http1 => {
                let io = Short::new(io, self.handler.clone(), peer, self.limits, activity.clone());
                let io = TokioIo::new(Strict::new(io));
                drive(self.protocols.http1.serve_connection(io, service), activity, timer, drain).await
            }
            Version::Http2 => {
                let accepted = Accepted::default();
                let http2 = self.protocols.http2(accepted.clone());
                let socket = Cork::new(Frames::new(io, activity.clone(), self.budget));
                let connection = http2.serve_connection(TokioIo::new(socket.clone()), service);
                drive(Together::new(connection, socket, accepted), activity, timer, drain).await
            }
        }
    }
}

/// The connections of hyper, of either version.
trait Drainable: Future<Output = Result<(), hyper::Error>> {
    /// Lets current exchanges finish, then closes the connection: `Connection: close` or GOAWAY.
    fn drain(self: Pin<&mut Self>);
}

impl<IO, S> Drainable for http1::Connection<TokioIo<IO>, S>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<Tracked>, Error = Infallible>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<IO, S> Drainable for Together<http2::Connection<TokioIo<Cork<IO>>, S, Accepted>, IO>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = Response<Tracked>, Error = Infallible>,
    S::Future: Send + 'static,
{
    fn drain(mut self: Pin<&mut Self>) {
        self.connection().graceful_shutdown();
    }
}

/// Polls a connection to its end under its timer, and drains it when asked to.
async fn drive<C: Drainable>(
    connection: C,
    activity: Arc<Activity>,
    mut timer: Timer<'_>,
    mut drain: Pin<&mut impl Future<Output = ()>>,
) -> End {
    let mut connection = Box::pin(connection);
    let (mut draining, mut closing) = (false, false);
    poll_fn(move |cx| {
        loop {
            if let Poll::Ready(done) = connection.as_mut().poll(cx) {
                return Poll::Ready(match done {
                    _ if closing => End::Idle,
                    Ok(()) => End::Closed,
                    Err(error) => End::Broken(error),
                });
            }
            if !draining && drain.as_mut().poll(cx).is_ready() {
                draining = true;
                connection.as_mut().drain();
                continue;
            }
            if activity.left() == 0 && !draining {
                draining = true;
                connection.as_mut().drain();
                continue;
            }
            if activity.is_worn() {
                return Poll::Ready(End::Worn);
            }
            match timer.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Verdict::SlowHead) => return Poll::Ready(End::SlowHead),
                Poll::Ready(Verdict::SlowReader) => return Poll::Ready(End::SlowReader),
                // After the first verdict, hyper closes in an orderly way. A peer that does not
                // even read that is dropped at the second verdict.
                Poll::Ready(Verdict::Idle) if closing => return Poll::Ready(End::Idle),
                Poll::Ready(Verdict::Idle) => {
                    closing = true;
                    connection.as_mut().drain();
                }
            }
        }
    })
    .await
}
