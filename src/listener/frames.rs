//! Frames of HTTP/2 that cost us work and say nothing: resets, settings, pings, priorities. So many may come within one tick.
//!
//! The codec bounds what a header block may be, CONTINUATION frames and empty data among them, and how many streams it holds that were
//! reset before anybody looked at them. It does not bound streams that are opened and reset one after the other, or frames that only
//! want an answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::PREFACE;
use super::activity::Activity;

/// What a peer may send within one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// RST_STREAM.
    pub(super) resets: u32,
    /// SETTINGS, PING, PRIORITY and kinds that nobody knows.
    pub(super) controls: u32,
}

/// An HTTP/2 connection whose frames are counted as they come.
pub(super) struct Frames<IO> {
    io: IO,
    activity: Arc<Activity>,
    budget: Budget,
    count: Count,
    tick: usize,
}

impl<IO> Frames<IO> {
    pub(super) fn new(io: IO, activity: Arc<Activity>, budget: Budget) -> Self {
        let tick = activity.tick();
        Frames { io, activity, budget, count: Count::default(), tick }
    }
}

/// Finds the heads of frames (RFC 9113 section 4.1) in a stream of bytes.
#[derive(Debug)]
struct Count {
    /// Bytes until the next head: of the preface, of a payload.
    skip: usize,
    head: [u8; 9],
    have: usize,
    resets: u32,
    controls: u32,
}

impl Default for Count {
    fn default() -> Self {
        Count { skip: PREFACE.len(), head: [0; 9], have: 0, resets: 0, controls: 0 }
    }
}

impl Count {
    fn heard(&mut self, mut bytes: &[u8]) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return;
            }
            let (some, rest) = bytes.split_at(bytes.len().min(self.head.len() - self.have));
            self.head[self.have..self.have + some.len()].copy_from_slice(some);
            self.have += some.len();
            bytes = rest;
            if self.have == self.head.len() {
                let [a, b, c, kind, ..] = self.head;
                (self.skip, self.have) = (u32::from_be_bytes([0, a, b, c]) as usize, 0);
                match kind {
                    // DATA, HEADERS, WINDOW_UPDATE, CONTINUATION: they belong to exchanges, and the codec bounds them.
                    0 | 1 | 8 | 9 => {}
                    3 => self.resets = self.resets.saturating_add(1),
                    _ => self.controls = self.controls.saturating_add(1),
                }
            }
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Frames<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let tick = self.activity.tick();
        if tick != self.tick {
            self.tick = tick;
            (self.count.resets, self.count.controls) = (0, 0);
        }
        self.count.heard(&buf.filled()[before..]);
        if self.count.resets > self.budget.resets || self.count.controls > self.budget.controls {
            return Poll::Ready(Err(io::Error::other("a flood of resets or control frames")));
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Frames<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let mut bytes = PREFACE.to_vec();
        for (kind, length) in
            [(4, 0), (1, 300), (3, 4), (0, 3), (6, 8), (8, 4), (3, 4), (9, 1), (2, 5), (200, 0)]
        {
            bytes.extend([0, (length >> 8) as u8, length as u8, kind, 0, 0, 0, 0, 1]);
            // A payload that looks like resets.
            bytes.extend(std::iter::repeat_n(3, length));
        }
        for size in [1, 2, 7, 9, 10, 64, bytes.len()] {
            let mut count = Count::default();
            bytes.chunks(size).for_each(|part| count.heard(part));
            assert_eq!((count.resets, count.controls), (2, 4), "in parts of {size}");
        }
    }
}
