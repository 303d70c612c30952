//! What happens on one connection, noted by its socket and its exchanges, read by its timer.
//!
//! A byte costs a relaxed store and an exchange four atomic operations; no clock is read and nothing is allocated.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::interim::Interims;

/// Exchanges that may begin after the last one that may; HTTP/2 lets a peer go on until it has heard.
const LATE: usize = 1000;

/// Shared by the socket, the exchanges and the timer of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    /// Changes whenever a byte moves or an exchange begins or ends. Lost steps do no harm.
    progress: AtomicUsize,
    /// Bytes written.
    written: AtomicU64,
    /// The socket takes no more for now of what is to be written.
    blocked: AtomicBool,
    /// Ticks of the timer.
    tick: AtomicUsize,
    /// Exchanges that may begin.
    most: usize,
    /// Exchanges whose next step is the handler's, not the peer's.
    working: AtomicUsize,
    /// Exchanges begun so far.
    exchanges: AtomicUsize,
    /// Of those, the ones that ended.
    ended: AtomicUsize,
    /// Bytes came that belong to no exchange yet.
    unclaimed: AtomicBool,
    /// The connection is to close after its next exchange.
    leaving: AtomicBool,
}

impl Activity {
    /// Of a connection that ends after `most` exchanges.
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

    /// Has the next exchange, or the one under way, be the last.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    /// Whether the next exchange is the last.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Relaxed)
    }

    /// A number that differs from the last one if anything moved.
    pub(super) fn progress(&self) -> usize {
        self.progress.load(Relaxed)
    }

    /// Whether the handler has a step to take, so that silence on the socket is no fault of the peer.
    pub(super) fn is_working(&self) -> bool {
        self.working.load(Relaxed) > 0
    }

    /// Whether something is on its way to the peer, which has to take the next step.
    pub(super) fn is_owed(&self) -> bool {
        let begun = self.exchanges.load(Relaxed);
        self.blocked.load(Relaxed) || (begun != self.ended() && !self.is_working())
    }

    /// Bytes written so far.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Exchanges begun and ended so far, together.
    pub(super) fn turns(&self) -> usize {
        self.exchanges.load(Relaxed).wrapping_add(self.ended())
    }

    /// The timer ticked.
    pub(super) fn next_tick(&self) {
        self.tick.store(self.tick().wrapping_add(1), Relaxed);
    }

    /// How often it did.
    pub(super) fn tick(&self) -> usize {
        self.tick.load(Relaxed)
    }

    /// Exchanges that may still begin.
    pub(super) fn left(&self) -> usize {
        self.most.saturating_sub(self.exchanges.load(Relaxed))
    }

    /// Whether more have begun than even a peer can have on the way that was told of the end late.
    pub(super) fn is_worn(&self) -> bool {
        self.exchanges.load(Relaxed) > self.most.saturating_add(LATE)
    }

    /// The exchange whose head is arriving: its number, if a part of it has come.
    pub(super) fn partial_head(&self) -> Option<usize> {
        (self.unclaimed.load(Relaxed) && !self.is_working()).then(|| self.exchanges.load(Relaxed))
    }

    /// Exchanges that ended so far.
    pub(super) fn ended(&self) -> usize {
        self.ended.load(Relaxed)
    }

    /// Whether so many exchanges have begun, and all of them ended.
    pub(super) fn is_between(&self, exchanges: usize) -> bool {
        self.exchanges.load(Relaxed) == exchanges && self.ended() == exchanges
    }

    /// An exchange began and ended with what was read last: the connection's task alone calls this, so loads and stores do.
    pub(super) fn answered(&self) {
        self.exchanges.store(self.exchanges.load(Relaxed) + 1, Relaxed);
        self.ended.store(self.ended.load(Relaxed) + 1, Relaxed);
        self.unclaimed.store(false, Relaxed);
    }

    fn step(&self) {
        self.progress.store(self.progress.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// The socket took `written` bytes, or would take none.
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

/// Whose turn it is in one exchange; it begins as the handler's and ends when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    activity: Arc<Activity>,
    number: usize,
    ours: bool,
}

impl Turn {
    /// An exchange begins: its head has arrived whole.
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.working.fetch_add(1, Relaxed);
        let number = activity.exchanges.fetch_add(1, Relaxed) + 1;
        activity.unclaimed.store(false, Relaxed);
        activity.step();
        Turn { activity: activity.clone(), number, ours: true }
    }

    /// Of the exchange on its connection, from 1.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Whether the connection is to close after it.
    pub(super) fn is_last(&self) -> bool {
        self.activity.leaving.load(Relaxed) || self.number >= self.activity.most
    }

    /// The handler has to take the next step.
    pub(super) fn ours(&mut self) {
        if !self.ours {
            self.ours = true;
            self.activity.working.fetch_add(1, Relaxed);
        }
    }

    /// The peer has to take the next step: to read what is on its way.
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
        // What was read meanwhile was this exchange's request body.
        self.activity.unclaimed.store(false, Relaxed);
        self.activity.step();
    }
}

/// A socket that notes the bytes it moves, gives back bytes that were read ahead, and writes interim responses between those of
/// hyper.
#[derive(Debug)]
pub(super) struct Watched<IO> {
    io: IO,
    activity: Arc<Activity>,
    ahead: Vec<u8>,
    interims: Arc<Interims>,
    /// What is left to write of interim responses, before anything else.
    interim: Bytes,
}

impl<IO> Watched<IO> {
    /// Watches `io`, of which `ahead` was already read.
    pub(super) fn new(io: IO, ahead: Vec<u8>, activity: Arc<Activity>, interims: Arc<Interims>) -> Self {
        if !ahead.is_empty() {
            activity.read();
        }
        Watched { io, activity, ahead, interims, interim: Bytes::new() }
    }
}

impl<IO: AsyncWrite + Unpin> Watched<IO> {
    /// Writes what is left of interim responses.
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
        // The only call that means: all of hyper's bytes are written.
        loop {
            ready!(self.poll_interim(cx))?;
            match self.interims.take() {
                Some(bytes) => self.interim = bytes.into(),
                None => {
                    let flushed = Pin::new(&mut self.io).poll_flush(cx);
                    // TLS holds bytes of its own.
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
