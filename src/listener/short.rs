//! Fast path: answers a plain request from a prepared response without entering hyper. All other
//! bytes pass to hyper unchanged.
//!
//! hyper reads from a connection through [`Short`]. Between two exchanges, arriving bytes are
//! inspected in hyper's read buffer. If they are one whole plain request and the handler has the
//! response at hand, the response is written and the buffer is returned empty. That is sound only
//! while the boundaries of requests are certain. So it holds only as long as hyper has been given
//! nothing but single whole heads without content, and has answered, written and flushed each.
//! After anything else, hyper alone reads the connection to its end.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::{Activity, Watched};
use super::exchange::{Handler, Limits};
use crate::message::peer::Peer;
use crate::message::plain::{Begins, begins};

pub(super) struct Short<IO, H> {
    io: Watched<IO>,
    handler: H,
    peer: Peer,
    limits: Limits,
    activity: Arc<Activity>,
    /// Number of exchanges so far, if each was one whole head.
    heads: Option<usize>,
    /// Exchanges that had ended at the last flush of hyper's bytes.
    flushed: usize,
    /// The response being written: its head, the number of head bytes written, and the rest of its
    /// body.
    head: Vec<u8>,
    written: usize,
    body: Bytes,
    answering: bool,
}

// A handler is never pinned in it.
impl<IO: Unpin, H> Unpin for Short<IO, H> {}

impl<IO, H: Handler> Short<IO, H> {
    pub(super) fn new(
        io: Watched<IO>,
        handler: H,
        peer: Peer,
        limits: Limits,
        activity: Arc<Activity>,
    ) -> Self {
        Short {
            io,
            handler,
            peer,
            limits,
            activity,
            heads: Some(0),
            flushed: 0,
            head: Vec::new(),
            written: 0,
            body: Bytes::new(),
            answering: false,
        }
    }

    /// Whether everything that hyper was given is answered and sent. Then the next bytes begin a
    /// request.
    fn is_between(&self) -> bool {
        self.heads == Some(self.flushed) && self.activity.is_between(self.flushed)
    }

    /// Answers the request in `came`, if it can. Otherwise notes what hyper is given.
    fn answers(&mut self, came: &[u8]) -> bool {
        let Some(heads) = self.heads else { return false };
        // hyper has to write the last response, because that response says `Connection: close`.
        let leaving = self.activity.is_leaving() || self.activity.left() <= 1;
        self.heads = match begins(came, self.limits.max_header_count) {
            Begins::Plain(plain, length)
                if length == came.len() && length <= self.limits.max_header_bytes =>
            {
                if !leaving && let Some(body) = self.handler.short(&plain, self.peer, &mut self.head) {
                    self.activity.answered();
                    (self.body, self.written, self.answering) = (body, 0, true);
                    self.heads = Some(heads + 1);
                    self.flushed += 1;
                    return true;
                }
                Some(heads + 1)
            }
            Begins::Plain(_, length) | Begins::Bare(length) if length == came.len() => Some(heads + 1),
            _ => None,
        };
        false
    }
}

impl<IO: AsyncWrite + Unpin, H> Short<IO, H> {
    /// Writes the rest of a response.
    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.answering {
            return Poll::Ready(Ok(()));
        }
        loop {
            let head = &self.head[self.written..];
            if head.is_empty() && self.body.is_empty() {
                break;
            }
            let parts = [IoSlice::new(head), IoSlice::new(&self.body)];
            let parts = if head.is_empty() { &parts[1..] } else { &parts[..] };
            let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, parts))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = written.min(head.len());
            self.written += of_head;
            self.body.advance(written - of_head);
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.head.clear();
        self.body = Bytes::new();
        self.answering = false;
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin, H: Handler> AsyncRead for Short<IO, H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_answer(cx))?;
            let before = buf.filled().len();
            let between = self.is_between();
            ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
            if buf.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            if !between {
                self.heads = None;
            }
            if !self.answers(&buf.filled()[before..]) {
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(before);
        }
    }
}

impl<IO: AsyncWrite + Unpin, H: Handler> AsyncWrite for Short<IO, H> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_answer(cx))?;
        Pin::new(&mut self.io).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_answer(cx))?;
        Pin::new(&mut self.io).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_answer(cx))?;
        // Exchanges that had ended before this call have been written before it.
        let ended = self.activity.ended();
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.flushed = ended;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_answer(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
