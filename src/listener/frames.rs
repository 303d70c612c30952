//! [`Frames`]: reads the frames of an HTTP/2 connection before the codec, for two checks that the
//! codec lacks.
//!
//! The codec bounds header blocks, CONTINUATION frames, empty data, and streams that were reset
//! before they were accepted. It does not bound streams that are opened and reset one after the
//! other. Nor does it bound frames that only need an acknowledgement, such as SETTINGS and PING.
//! Both get a budget for each tick.
//!
//! The codec drops pseudo-header fields in trailers, which are malformed (RFC 9113 section 8.1).
//! But it refuses a pseudo-header field after a regular field, whatever the state of HPACK. So a
//! regular field is inserted in front of the trailers of a request. Trailers are not forwarded.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::protocol::PREFACE;

/// The type of a HEADERS frame, and its flags (RFC 9113 section 6.2).
const HEADERS: u8 = 1;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Frames that a peer may send within one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Number of RST_STREAM frames.
    pub(super) resets: u32,
    /// Number of SETTINGS, PING, PRIORITY and unknown frames.
    pub(super) controls: u32,
}

/// Largest frame that the codec takes. SETTINGS_MAX_FRAME_SIZE is left at its default.
const MAX_FRAME: usize = 16_384;
/// `date: ` as an indexed field of HPACK's static table. No regular field is shorter, and trailers
/// ignore it.
const REGULAR_FIELD: u8 = 0x80 | 33;

/// An HTTP/2 connection whose frames are counted, and whose trailers get a regular field.
pub(super) struct Frames<IO> {
    io: IO,
    activity: Arc<Activity>,
    budget: Budget,
    frames: FrameReader,
    tick: usize,
    /// The first octets of an incomplete frame header.
    partial: Vec<u8>,
    /// Octets that the codec has yet to read.
    rewritten: Bytes,
}

impl<IO> Frames<IO> {
    pub(super) fn new(io: IO, activity: Arc<Activity>, budget: Budget) -> Self {
        let tick = activity.tick();
        let (frames, partial, rewritten) = (FrameReader::default(), Vec::new(), Bytes::new());
        Frames { io, activity, budget, frames, tick, partial, rewritten }
    }

    /// Processes what was read into `buf` from `before` on. The octets for the codec are left
    /// there, or in `rewritten`.
    fn take_in(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let read = &mut buf.filled_mut()[before..];
        let mut octets = Vec::new();
        let seen = if self.partial.is_empty() {
            let seen = self.frames.read(read);
            if seen.insertions.is_empty() {
                let whole = read.len() - seen.partial;
                self.partial.extend_from_slice(&read[whole..]);
                return buf.set_filled(before + whole);
            }
            octets.extend_from_slice(read);
            seen
        } else {
            std::mem::swap(&mut octets, &mut self.partial);
            octets.extend_from_slice(read);
            self.frames.read(&mut octets)
        };
        buf.set_filled(before);
        self.partial = octets.split_off(octets.len() - seen.partial);
        for at in seen.insertions.into_iter().rev() {
            octets.insert(at, REGULAR_FIELD);
        }
        self.rewritten = octets.into();
    }
}

/// Finds the frame headers (RFC 9113 section 4.1) in a stream of octets.
#[derive(Debug)]
struct FrameReader {
    /// Octets of the preface or of a payload until the next frame header.
    skip: usize,
    /// The last stream that was opened. Streams are opened in order (RFC 9113 section 5.1.1).
    last_stream: u32,
    /// Set while the payload is that of trailers and their first field has not come.
    trailers: Option<BlockStart>,
    resets: u32,
    controls: u32,
}

/// The part of a HEADERS frame before its first field.
#[derive(Debug)]
struct BlockStart {
    /// Octets of the pad length and the priority.
    prefix: usize,
    /// The octets of a dynamic table size update go on (RFC 7541 section 6.3).
    in_size_update: bool,
}

/// The findings in a run of octets.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Where a regular field has to be inserted before trailers, in order.
    insertions: Vec<usize>,
    /// Number of octets at the end that are an incomplete frame header. They are read again with
    /// the next octets.
    partial: usize,
}

impl Default for FrameReader {
    fn default() -> Self {
        FrameReader { skip: PREFACE.len(), last_stream: 0, trailers: None, resets: 0, controls: 0 }
    }
}

impl FrameReader {
    /// Reads `octets`, which continue the last ones without their incomplete frame header. Corrects
    /// the lengths of trailers for the insertion.
    fn read(&mut self, octets: &mut [u8]) -> Seen {
        let mut seen = Seen { insertions: Vec::new(), partial: 0 };
        let mut at = 0;
        while at < octets.len() {
            if let (Some(start), 1..) = (&mut self.trailers, self.skip) {
                if start.is_before_fields(octets[at]) {
                    (self.skip, at) = (self.skip - 1, at + 1);
                } else {
                    self.trailers = None;
                    seen.insertions.push(at);
                }
            } else if self.skip > 0 {
                let skipped = self.skip.min(octets.len() - at);
                (self.skip, at) = (self.skip - skipped, at + skipped);
            } else if let Some(head) = octets[at..].first_chunk_mut::<9>() {
                self.head(head);
                at += head.len();
            } else {
                seen.partial = octets.len() - at;
                break;
            }
            // A header block without a field.
            if self.skip == 0 && self.trailers.take().is_some() {
                seen.insertions.push(at);
            }
        }
        seen
    }

    fn head(&mut self, head: &mut [u8; 9]) {
        let [a, b, c, kind, flags, stream @ ..] = *head;
        self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            HEADERS => {
                let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
                if stream > self.last_stream {
                    self.last_stream = stream;
                } else if self.skip < MAX_FRAME {
                    let prefix = usize::from(flags & PADDED != 0) + 5 * usize::from(flags & PRIORITY != 0);
                    self.trailers = Some(BlockStart { prefix, in_size_update: false });
                    let [_, length @ ..] = (self.skip as u32 + 1).to_be_bytes();
                    head[..3].copy_from_slice(&length);
                }
            }
            // DATA, WINDOW_UPDATE, CONTINUATION: they belong to exchanges, and the codec bounds
            // them.
            0 | 8 | 9 => {}
            3 => self.resets = self.resets.saturating_add(1),
            _ => self.controls = self.controls.saturating_add(1),
        }
    }
}

impl BlockStart {
    /// Whether `octet` comes before the first field.
    fn is_before_fields(&mut self, octet: u8) -> bool {
        if self.prefix > 0 {
            self.prefix -= 1;
            return true;
        }
        let was_in_size_update = self.in_size_update;
        self.in_size_update = match was_in_size_update {
            true => octet & 0x80 != 0,
            false => octet & 0x3f == 0x3f && octet & 0xe0 == 0x20,
        };
        was_in_size_update || octet & 0xe0 == 0x20
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Frames<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.rewritten.is_empty() {
                buf.put_slice(&this.rewritten.split_to(this.rewritten.len().min(buf.remaining())));
                return Poll::Ready(Ok(()));
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
            if buf.filled().len() == before {
                return Poll::Ready(Ok(()));
            }
            let tick = this.activity.tick();
            if tick != this.tick {
                this.tick = tick;
                (this.frames.resets, this.frames.controls) = (0, 0);
            }
            this.take_in(buf, before);
            if this.frames.resets > this.budget.resets || this.frames.controls > this.budget.controls {
                return Poll::Ready(Err(io::Error::other("a flood of resets or control frames")));
            }
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
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

    /// The output of `reader` for `octets` that come in parts of `size`.
    fn rewritten(reader: &mut FrameReader, octets: &[u8], size: usize) -> Vec<u8> {
        let (mut all, mut rest) = (Vec::new(), Vec::new());
        for part in octets.chunks(size) {
            rest.extend_from_slice(part);
            let seen = reader.read(&mut rest);
            let mut next = rest.split_off(rest.len() - seen.partial);
            for at in seen.insertions.into_iter().rev() {
                rest.insert(at, REGULAR_FIELD);
            }
            all.append(&mut rest);
            rest.append(&mut next);
        }
        all
    }

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame =
            vec![0, (payload.len() >> 8) as u8, payload.len() as u8, kind, flags, 0, 0, 0, stream];
        frame.extend(payload);
        frame
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let mut octets = PREFACE.to_vec();
        for (kind, length) in
            [(4, 0), (1, 300), (3, 4), (0, 3), (6, 8), (8, 4), (3, 4), (9, 1), (2, 5), (200, 0)]
        {
            // A payload that looks like resets.
            octets.extend(frame(kind, 0, 1, &vec![3; length]));
        }
        for size in [1, 2, 7, 9, 10, 64, octets.len()] {
            let mut reader = FrameReader::default();
            assert_eq!(rewritten(&mut reader, &octets, size), octets, "in parts of {size}");
            assert_eq!((reader.resets, reader.controls), (2, 4), "in parts of {size}");
        }
    }

    #[test]
    fn trailers_get_a_regular_field_first() {
        const F: u8 = REGULAR_FIELD;
        let rows: &[(u8, &[u8], &[u8])] = &[
            (5, &[0x82], &[F, 0x82]),
            (5, &[], &[F]),
            (4, &[0x3f, 0xe1, 0x1f, 0x20, 0x84], &[0x3f, 0xe1, 0x1f, 0x20, F, 0x84]),
            (4, &[0x3f, 0x80], &[0x3f, 0x80, F]),
            (PADDED, &[2, 0x82, 0, 0], &[2, F, 0x82, 0, 0]),
            (PADDED | PRIORITY, &[1, 0, 0, 0, 0, 9, 0x82, 0], &[1, 0, 0, 0, 0, 9, F, 0x82, 0]),
        ];
        for (flags, before, after) in rows {
            let around = |trailers: &[u8]| {
                let first = frame(HEADERS, 4, 3, &[0x82, 0x84]);
                let last = frame(HEADERS, 5, 5, &[0x82, 0x84]);
                [&PREFACE[..], &first, &frame(0, 0, 3, b"abc"), &frame(HEADERS, *flags, 3, trailers), &last]
                    .concat()
            };
            let (sent, expected) = (around(before), around(after));
            for size in 1..sent.len() {
                let seen = rewritten(&mut FrameReader::default(), &sent, size);
                assert_eq!(seen, expected, "{before:x?} in parts of {size}");
            }
        }
    }
}
