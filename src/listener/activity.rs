//! [`Activity`]: the state of one connection, written by its socket and its exchanges, read by its
//! timer.
//!
//! A read or write costs a relaxed store, an exchange four atomic operations. No clock is read and
//! nothing is allocated.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::interim::Interims;

/// Exchanges that may begin beyond the maximum. An HTTP/2 peer may go on until it receives GOAWAY.
const LATE: usize = 1000;

#[derive(Debug)]
pub(super) struct Activity {
    /// Changes whenever a byte moves or an exchange begins or ends. Lost steps do no harm.
    progress: AtomicUsize,
    written: AtomicU64,
    /// The socket currently takes no more bytes.
    blocked: AtomicBool,
    /// Number of the timer's ticks.
    tick: AtomicUsize,
    /// Exchanges that may begin on the connection.
    most: usize,
    /// Exchanges that wait for the handler, not for the peer.
    working: AtomicUsize,
    /// Exchanges that have begun.
    exchanges: AtomicUsize,
    /// Exchanges that have ended.
    ended: AtomicUsize,
    /// Bytes were read that belong to no exchange yet.
    unclaimed: AtomicBool,
    /// The connection closes after its next exchange.
    leaving: AtomicBool,
}

impl Activity {
    /// The state of a connection that ends after `most` exchanges.
    pub(super) fn new(most: usize) -> Self {
        Activity {
            progress: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            tick: AtomicUsize::new(0),
            most,
            working: AtomicUsize::new(0),
            exchanges: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            unclaimed: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
        }
    }

    /// Makes the next exchange, or the current one, the last.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Relaxed)
    }

    /// A number that changes when a byte moves or an exchange begins or ends.
    pub(super) fn progress(&self) -> usize {
        self.progress.load(Relaxed)
    }

    /// Whether any exchange waits for the handler. Then silence on the socket is not the peer's
    /// fault.
    pub(super) fn is_working(&self) -> bool {
        self.working.load(Relaxed) > 0
    }

    /// Whether bytes are on their way to the peer, so that the peer has to read.
    pub(super) fn is_owed(&self) -> bool {
        let begun = self.exchanges.load(Relaxed);
        self.blocked.load(Relaxed) || (begun != self.ended() && !self.is_working())
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Exchanges begun plus exchanges ended.
    pub(super) fn turns(&self) -> usize {
        self.exchanges.load(Relaxed).wrapping_add(self.ended())
    }

    /// Counts a tick of the timer.
    pub(super) fn next_tick(&self) {
        self.tick.store(self.tick().wrapping_add(1), Relaxed);
    }

    pub(super) fn tick(&self) -> usize {
        self.tick.load(Relaxed)
    }

    /// Exchanges that may still begin.
    pub(super) fn left(&self) -> usize {
        self.most.saturating_sub(self.exchanges.load(Relaxed))
    }

    /// Whether more exchanges have begun than a peer could have sent before it received GOAWAY.
    pub(super) fn is_worn(&self) -> bool {
        self.exchanges.load(Relaxed) > self.most.saturating_add(LATE)
    }

    /// The number of the exchange whose head is arriving, if a part of the head has come.
    pub(super) fn partial_head(&self) -> Option<usize> {
        (self.unclaimed.load(Relaxed) && !self.is_working()).then(|| self.exchanges.load(Relaxed))
    }

    pub(super) fn ended(&self) -> usize {
        self.ended.load(Relaxed)
    }

    /// Whether this number of exchanges has begun, and all of them have ended.
    pub(super) fn is_between(&self, exchanges: usize) -> bool {
        self.exchanges.load(Relaxed) == exchanges && self.ended() == exchanges
    }

    /// Counts an exchange that began and ended with the last read. Only the task of the connection
    /// calls this, so plain loads and stores suffice.
    pub(super) fn answered(&self) {
        self.exchanges.store(self.exchanges.load(Relaxed) + 1, Relaxed);
        self.ended.store(self.ended.load(Relaxed) + 1, Relaxed);
        self.unclaimed.store(false, Relaxed);
    }

    fn step(&self) {
        self.progress.store(self.progress.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Notes the result of a write: bytes written, or a socket that takes none.
    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(0) | Err(_)) => {}
            Poll::Ready(Ok(written)) => {
                self.step();
                self.written.store(self.written().wrapping_add(*written as u64), Relaxed);
                self.blocked.store(false, Relaxed);
            }
            Poll::Pending => self.blocked.store(true, Relaxed),
        }
    }

    fn read(&self) {
        self.step();
        self.unclaimed.store(true, Relaxed);
    }
}

/// Who has to act next in one exchange: the handler at first, or the peer. Dropping it ends the
/// exchange.
#[derive(Debug)]
pub(super) struct Turn {
    activity: Arc<Activity>,
    number: usize,
    ours: bool,
}

impl Turn {
    /// Begins an exchange, whose head has arrived whole.
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.working.fetch_add(1, Relaxed);
        let number = activity.exchanges.fetch_add(1, Relaxed) + 1;
        activity.unclaimed.store(false, Relaxed);
        activity.step();
        Turn { activity: activity.clone(), number, ours: true }
    }

    /// Number of the exchange on its connection, from 1.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Whether the connection closes after this exchange.
    pub(super) fn is_last(&self) -> bool {
        self.activity.leaving.load(Relaxed) || self.number >= self.activity.most
    }

    /// The handler has to act next.
    pub(super) fn ours(&mut self) {
        if !self.ours {
            self.ours = true;
            self.activity.working.fetch_add(1, Relaxed);
        }
    }

    /// The peer has to act next: it has to read the response.
    pub(super) fn theirs(&mut self) {
        if self.ours {
            self.ours = false;
            self.activity.working.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.theirs();
        self.activity.ended.fetch_add(1, Relaxed);
        // The bytes read meanwhile were the body of this request.
        self.activity.unclaimed.store(false, Relaxed);
        self.activity.step();
    }
}

/// A socket that notes the bytes it moves. It returns bytes that were read ahead, and writes
/// interim responses between the responses of hyper.
#[derive(Debug)]
pub(super) struct Watched<IO> {
    io: IO,
    activity: Arc<Activity>,
    ahead: Vec<u8>,
    interims: Arc<Interims>,
    /// The unwritten rest of interim responses. It precedes anything else.
    interim: Bytes,
}

impl<IO> Watched<IO> {
    /// Wraps `io`, from which `ahead` was already read.
    pub(super) fn new(io: IO, ahead: Vec<u8>, activity: Arc<Activity>, interims: Arc<Interims>) -> Self {
        if !ahead.is_empty() {
            activity.read();
        }
        Watched { io, activity, ahead, interims, interim: Bytes::new() }
    }
}

impl<IO: AsyncWrite + Unpin> Watched<IO> {
    /// Writes the rest of the interim responses.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let written = Pin::new(&mut self.io).poll_write(cx, &self.interim);
            self.activity.wrote(&written);
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.interim.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Watched<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let n = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead[..n]);
            self.ahead.drain(..n);
            if self.ahead.is_empty() {
                self.ahead = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.read();
        }
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        let written = Pin::new(&mut self.io).poll_write(cx, data);
        self.activity.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, data);
        self.activity.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A flush is the only call that means that all of hyper's bytes are written.
        loop {
            ready!(self.poll_interim(cx))?;
            match self.interims.take() {
                Some(bytes) => self.interim = bytes.into(),
                None => {
                    let flushed = Pin::new(&mut self.io).poll_flush(cx);
                    // TLS has a buffer of its own, which a flush may leave unsent.
                    self.activity.blocked.store(flushed.is_pending(), Relaxed);
                    return flushed;
                }
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_interim(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_tells_work_from_waiting_for_the_peer() {
        let activity = Arc::new(Activity::new(10));
        activity.read();
        assert_eq!((activity.partial_head(), activity.is_working()), (Some(0), false));
        let mut turn = Turn::begin(&activity);
        assert_eq!((activity.partial_head(), activity.is_working()), (None, true));
        activity.read();
        turn.theirs();
        turn.theirs();
        assert!(!activity.is_working());
        turn.ours();
        turn.ours();
        assert!(activity.is_working());
        let before = activity.progress();
        drop(turn);
        assert_eq!((activity.partial_head(), activity.is_working()), (None, false));
        assert_ne!(activity.progress(), before);
        activity.read();
        assert_eq!(activity.partial_head(), Some(1));
    }
}
