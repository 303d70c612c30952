//! The chunked transfer coding up to the trailers (RFC 9112 section 7.1), parsed strictly: lines
//! end with CRLF.

use super::violation::Violation;

/// Limit in bytes on the chunk extensions of one body.
const MAX_EXTENSIONS: usize = 8 << 10;

/// The state of the parser of one chunked body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    phase: Phase,
    /// The size of the chunk, then its remaining bytes.
    size: u64,
    extensions: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Before the first digit of the size.
    #[default]
    Start,
    Size(u8),
    /// In the blanks after the size.
    Blank,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// After the size line of the last chunk.
    End,
}

impl Chunks {
    /// Whether only trailers and an empty line remain.
    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::End
    }

    /// Consumes the chunks at the start of `bytes` and returns their length.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let mut used = 0;
        while let Some(&octet) = bytes.get(used) {
            match self.phase {
                Phase::End => break,
                Phase::Data => {
                    let here = usize::try_from(self.size).unwrap_or(usize::MAX).min(bytes.len() - used);
                    self.size -= here as u64;
                    used += here;
                    if self.size == 0 {
                        self.phase = Phase::DataCr;
                    }
                }
                _ => {
                    self.phase = self.step(octet)?;
                    used += 1;
                }
            }
        }
        Ok(used)
    }

    fn step(&mut self, octet: u8) -> Result<Phase, Violation> {
        Ok(match (self.phase, octet) {
            (Phase::Start, _) => {
                self.size = digit(octet)?;
                Phase::Size(1)
            }
            (Phase::Size(_) | Phase::Blank | Phase::Extension, b'\r') => Phase::SizeLf,
            (Phase::Size(_) | Phase::Blank, b';') => self.extended()?,
            (Phase::Size(_) | Phase::Blank, b' ' | b'\t') => {
                self.extended()?;
                Phase::Blank
            }
            // Sixteen digits fill a `u64`.
            (Phase::Size(digits @ ..16), _) => {
                self.size = self.size << 4 | digit(octet)?;
                Phase::Size(digits + 1)
            }
            (Phase::Extension, b'\t' | b' '..=b'~' | 0x80..) => self.extended()?,
            (Phase::SizeLf, b'\n') if self.size == 0 => Phase::End,
            (Phase::SizeLf, b'\n') => Phase::Data,
            (Phase::DataCr, b'\r') => Phase::DataLf,
            (Phase::DataLf, b'\n') => Phase::Start,
            _ => return Err(Violation::Chunk),
        })
    }

    fn extended(&mut self) -> Result<Phase, Violation> {
        self.extensions += 1;
        if self.extensions > MAX_EXTENSIONS { Err(Violation::TooLarge) } else { Ok(Phase::Extension) }
    }
}

fn digit(octet: u8) -> Result<u64, Violation> {
    char::from(octet).to_digit(16).map(u64::from).ok_or(Violation::Chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_end_after_last_size_line() {
        for (bytes, used) in [
            ("0\r\n", 3),
            ("0\r\n\r\n", 3),
            ("2\r\nab\r\n0\r\nX: 1\r\n", 10),
            ("A;x=\"y\"\r\n0123456789\r\n00 ;z\r\n\r\n", 28),
            ("2 \t\r\n\r\n\r\n0\r\n", 12),
        ] {
            let mut chunks = Chunks::default();
            assert_eq!((chunks.feed(bytes.as_bytes()), chunks.is_done()), (Ok(used), true), "{bytes:?}");
            let mut chunks = Chunks::default();
            let one_by_one = bytes.as_bytes().chunks(1).map(|byte| chunks.feed(byte).expect("right"));
            assert_eq!(one_by_one.sum::<usize>(), used, "{bytes:?}");
        }
    }

    #[test]
    fn malformed_chunk_is_refused() {
        for bytes in [
            "\r\n",
            "x\r\n",
            " 2\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "1 1\r\n",
            "1\n",
            "1;x\n",
            "1\rx",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\rx",
            "1;\0\r\n",
            "10000000000000000\r\n",
            "00000000000000001\r\n",
        ] {
            assert_eq!(Chunks::default().feed(bytes.as_bytes()), Err(Violation::Chunk), "{bytes:?}");
        }
        let endless = format!("1;{}", "x".repeat(MAX_EXTENSIONS));
        assert_eq!(Chunks::default().feed(endless.as_bytes()), Err(Violation::TooLarge));
        let mut largest = Chunks::default();
        assert_eq!(largest.feed(b"FFFFFFFFFFFFFFFF\r\nabc"), Ok(21));
    }
}
