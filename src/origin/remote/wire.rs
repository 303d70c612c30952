//! One connection to the origin: what is known of it, and the watch over its framing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::message::framing::{Violation, Watch};

/// What is known of one connection. It tells whether a request that failed met a connection that the origin had
/// closed meanwhile.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// A response came over it.
    pub(super) answered: AtomicBool,
    /// A byte came since the last one was sent.
    pub(super) heard: AtomicBool,
}

/// A connection that keeps its [`Link`] up to date, and over HTTP/1.1 its framing in order.
pub(super) struct Wire {
    stream: TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>,
    link: Arc<Link>,
    /// `None` in HTTP/2, which frames by itself.
    watch: Option<Watch>,
    /// The framing was broken: nothing is sent or heard any more.
    broken: Option<Violation>,
}

impl Wire {
    /// Over `stream`, which speaks HTTP/2 by prior knowledge or if that was negotiated.
    pub(super) fn new(
        stream: MaybeHttpsStream<TokioIo<TcpStream>>,
        prior_knowledge: bool,
        head_limit: usize,
    ) -> Self {
        let http2 = prior_knowledge || stream.connected().is_negotiated_h2();
        let watch = (!http2).then(|| Watch::new(head_limit));
        Wire { stream: TokioIo::new(stream), link: Arc::default(), watch, broken: None }
    }

    /// Whether more may be sent. A connection on which something waits to be read before it is asked for
    /// anything must not carry another request: that would take it for the answer.
    fn may_send(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if let Some(violation) = self.broken {
            return Err(error(violation));
        }
        let Some(watch) = &self.watch else { return Ok(()) };
        let refused = if watch.is_over() {
            io::ErrorKind::ConnectionAborted.into()
        } else if watch.is_between() && self.link.answered.load(Relaxed) && self.something_waits(cx) {
            self.broke(Violation::Surplus)
        } else {
            return Ok(());
        };
        // What was heard is of the request before; this one may go out on another connection.
        self.link.heard.store(false, Relaxed);
        Err(refused)
    }

    /// Whether more has come that nobody has read. On a plain connection the kernel is asked, as the runtime may not know yet; within
    /// TLS what waits there might be its own. A byte that is read here is lost: the connection is broken then.
    fn something_waits(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0_u8; 1];
        if let MaybeHttpsStream::Http(tcp) = self.stream.inner() {
            let looked = recv(tcp.inner(), &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT);
            return matches!(looked, Ok((1.., _)));
        }
        let mut buf = ReadBuf::new(&mut byte);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut buf);
        matches!(read, Poll::Ready(Ok(()))) && !buf.filled().is_empty()
    }

    /// Notes as sent what `written` says of `slices`.
    fn sent<'a>(
        &mut self,
        written: Poll<io::Result<usize>>,
        slices: impl IntoIterator<Item = &'a [u8]>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(Ok(sent @ 1..)) = written else { return written };
        self.link.heard.store(false, Relaxed);
        let mut left = sent;
        for slice in slices {
            let here = slice.len().min(left);
            left -= here;
            if let Some(watch) = &mut self.watch
                && let Err(violation) = watch.sent(&slice[..here])
            {
                return Poll::Ready(Err(self.broke(violation)));
            }
        }
        written
    }

    fn broke(&mut self, violation: Violation) -> io::Error {
        tracing::debug!(%violation, "origin broke the framing");
        self.broken = Some(violation);
        error(violation)
    }
}

fn error(violation: Violation) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, violation)
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        self.stream.inner().connected().extra(self.link.clone())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(violation) = this.broken {
            return Poll::Ready(Err(error(violation)));
        }
        // As good as closed by the origin: hyper does not keep such a connection.
        if this.watch.as_ref().is_some_and(Watch::is_over) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        if buf.filled().len() == before {
            return Poll::Ready(Ok(()));
        }
        this.link.heard.store(true, Relaxed);
        let Some(watch) = &mut this.watch else { return Poll::Ready(Ok(())) };
        match watch.heard(&buf.filled()[before..]) {
            // Where a read ends with the response, what is behind that must not depend on how much fitted in.
            Ok(_) if watch.is_done() && this.something_waits(cx) => {
                buf.set_filled(before);
                Poll::Ready(Err(this.broke(Violation::Surplus)))
            }
            Ok(used) => {
                buf.set_filled(before + used);
                Poll::Ready(Ok(()))
            }
            Err(violation) => {
                buf.set_filled(before);
                Poll::Ready(Err(this.broke(violation)))
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.may_send(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, data);
        self.sent(written, [data])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.may_send(cx)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.sent(written, data.iter().map(|slice| &**slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
    const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let ours = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("somebody listens");
        let (theirs, _) = listener.accept().await.expect("a connection");
        (Wire::new(TokioIo::new(ours).into(), false, 1000), theirs)
    }

    #[tokio::test]
    async fn a_connection_on_which_something_waits_is_not_asked() {
        let (mut wire, mut origin) = pair().await;
        let mut heard = vec![0; EMPTY.len()];
        for _ in 0..2 {
            wire.write_all(GET).await.expect("sent");
            origin.write_all(EMPTY).await.expect("sent");
            wire.read_exact(&mut heard).await.expect("heard");
            wire.link.answered.store(true, Relaxed);
        }
        origin.write_all(EMPTY).await.expect("sent");
        while !wire.something_waits(&mut Context::from_waker(std::task::Waker::noop())) {
            tokio::task::yield_now().await;
        }
        let refused = wire.write_all(GET).await.expect_err("something waits");
        assert_eq!(refused.to_string(), Violation::Surplus.to_string());
        assert!(!wire.link.heard.load(Relaxed), "as if nothing was asked");
        assert!(wire.write_all(GET).await.is_err() && wire.read_u8().await.is_err(), "once is for ever");
    }

    #[tokio::test]
    async fn nothing_of_a_broken_read_is_passed_on() {
        for room in [0, 1, 100] {
            let (mut wire, mut origin) = pair().await;
            wire.write_all(GET).await.expect("sent");
            origin.write_all(&[EMPTY, b"!"].concat()).await.expect("sent");
            // However much of it the reader has room for.
            let mut heard = vec![0; EMPTY.len() + room];
            assert!(wire.read(&mut heard).await.is_err(), "{room}");
        }
    }
}
