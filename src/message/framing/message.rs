//! The parser of one message, which is fed in pieces of any size ([`Message`]).

use super::chunks::Chunks;
use super::head::{Extent, Head, HeadKind, field};
use super::violation::Violation;

/// The state of the parser of one message.
#[derive(Debug)]
pub(super) struct Message {
    phase: Phase,
    head: Head,
    /// The incomplete last line.
    line: Vec<u8>,
    /// Bytes in this head, or in the trailers.
    lines: usize,
}

#[derive(Debug)]
enum Phase {
    Start,
    Fields,
    Length(u64),
    Chunks(Chunks),
    Trailers,
    UntilClose,
    Done,
}

impl Message {
    /// A request that tintype sends.
    pub(super) fn request() -> Self {
        Message::new(HeadKind::OurRequest)
    }

    pub(super) fn response() -> Self {
        Message::new(HeadKind::Response)
    }

    pub(super) fn new(kind: HeadKind) -> Self {
        Message { phase: Phase::Start, head: Head::new(kind), line: Vec::new(), lines: 0 }
    }

    /// Whether no byte has been consumed.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.phase, Phase::Start) && self.lines == 0
    }

    /// Whether the message is complete.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Consumes the part of `bytes` that belongs to the message and returns its length. `limit`
    /// bounds the bytes of a head, and of the trailers. `decide` returns what follows a complete
    /// head.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        limit: usize,
        mut decide: impl FnMut(&Head) -> Result<Extent, Violation>,
    ) -> Result<usize, Violation> {
        self.feed_from(&mut 0, bytes, limit, &mut decide)
    }

    /// As [`feed`](Self::feed). On an error, `used` counts the whole lines and chunks before it.
    pub(super) fn feed_from(
        &mut self,
        used: &mut usize,
        bytes: &[u8],
        limit: usize,
        decide: &mut impl FnMut(&Head) -> Result<Extent, Violation>,
    ) -> Result<usize, Violation> {
        let begin = *used;
        while *used < bytes.len() {
            let rest = &bytes[*used..];
            *used += match &mut self.phase {
                Phase::Done => break,
                Phase::UntilClose => rest.len(),
                Phase::Length(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= here as u64;
                    if *left == 0 {
                        self.phase = Phase::Done;
                    }
                    here
                }
                Phase::Chunks(chunks) => {
                    let here = chunks.feed(rest)?;
                    if chunks.is_done() {
                        (self.phase, self.lines) = (Phase::Trailers, 0);
                    }
                    here
                }
                Phase::Start | Phase::Fields | Phase::Trailers => {
                    let end = rest.iter().position(|&octet| octet == b'\n').map(|at| at + 1);
                    let here = end.unwrap_or(rest.len());
                    self.lines += here;
                    if self.lines > limit {
                        return Err(Violation::TooLarge);
                    }
                    if end.is_none() || !self.line.is_empty() {
                        self.line.extend_from_slice(&rest[..here]);
                        let line = std::mem::take(&mut self.line);
                        if end.is_none() {
                            self.line = line;
                        } else {
                            self.line(&line, decide)?;
                        }
                    } else {
                        self.line(&rest[..here], decide)?;
                    }
                    here
                }
            };
        }
        Ok(*used - begin)
    }

    /// Parses a whole line with its end. LF alone also ends a line where the head is not parsed
    /// strictly (RFC 9112 section 2.2).
    fn line(
        &mut self,
        line: &[u8],
        decide: &mut impl FnMut(&Head) -> Result<Extent, Violation>,
    ) -> Result<(), Violation> {
        let text = match (line, &self.phase) {
            ([text @ .., b'\r', b'\n'], _) => text,
            (_, Phase::Trailers) => return Err(Violation::Chunk),
            _ if self.head.is_strict() => return Err(Violation::LineEnd),
            ([text @ .., b'\n'], _) => text,
            _ => line,
        };
        match (&self.phase, text) {
            (Phase::Trailers, []) => self.phase = Phase::Done,
            (Phase::Trailers, _) => drop(field(text)?),
            // Ignore empty lines before a request (RFC 9112 section 2.2).
            (Phase::Start, []) if self.head.is_strict() => {}
            (Phase::Start, _) => {
                self.head.start(text)?;
                self.phase = Phase::Fields;
            }
            (_, []) => match decide(&self.head)? {
                Extent::Interim => *self = Message::response(),
                Extent::Empty | Extent::Unsound | Extent::Length(0) => self.phase = Phase::Done,
                Extent::Length(length) => self.phase = Phase::Length(length),
                Extent::Chunked => self.phase = Phase::Chunks(Chunks::default()),
                Extent::UntilClose => self.phase = Phase::UntilClose,
            },
            _ => self.head.field(text)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(bytes: &str) -> Result<usize, Violation> {
        Message::response().feed(bytes.as_bytes(), 60, |head| head.response_extent(false))
    }

    #[test]
    fn head_and_trailers_over_limit_are_refused() {
        let chunked = "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        let long = "x".repeat(60);
        for (bytes, expected) in [
            (format!("HTTP/1.1 200\r\nX: {long}"), Err(Violation::TooLarge)),
            (format!("HTTP/1.1 200\r\n{}", "X:1\r\n".repeat(10)), Err(Violation::TooLarge)),
            (format!("{chunked}X: {long}"), Err(Violation::TooLarge)),
            (format!("{chunked}X: 1\r\n\r\nmore"), Ok(chunked.len() + 8)),
            (format!("{chunked}X: 1\n\r\n"), Err(Violation::Chunk)),
            (format!("{chunked}\n"), Err(Violation::Chunk)),
            (format!("{chunked}X\r\n\r\n"), Err(Violation::Field)),
            (format!("{chunked} folded: 1\r\n\r\n"), Err(Violation::Field)),
            ("\r\nHTTP/1.1 200\r\n\r\n".to_owned(), Err(Violation::StartLine)),
            ("HTTP/1.1 200\r\nX: 1\r\n folded\r\n\r\n".to_owned(), Err(Violation::Field)),
        ] {
            assert_eq!(fed(&bytes), expected, "{bytes:?}");
        }
    }
}
