//! What a scripted origin answers, down to the byte.

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::Gate;

/// One answer of a [`ScriptedOrigin`](super::ScriptedOrigin). No field is added but the framing.
///
/// ```ignore
/// Reply::ok("body").header("Cache-Control", "max-age=60")         // Content-Length by itself
/// Reply::status(304).header("ETag", "\"v1\"")
/// Reply::ok("late").hold(&gate)                                   // the head waits for the gate
/// Reply::ok("one").gate(&gate).piece("two").chunked()             // the body waits between its pieces
/// Reply::ok("half").length(100).cut()                             // ends before Content-Length is reached
/// Reply::ok("half").chunked().cut()                               // no last chunk
/// Reply::ok("half").length(100).stall()                           // silent ever after, connection open
/// Reply::raw("HTTP/1.1 200 OK\r\n...")                            // verbatim
/// Reply::reset()                                                  // TCP RST instead of an answer
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    head: Head,
    hold: Option<Gate>,
    pieces: Vec<Piece>,
    framing: Framing,
    pub(super) end: End,
}

#[derive(Clone, Debug)]
enum Head {
    /// Nothing at all.
    None,
    /// Status, and fields in the order and case given.
    Fields(u16, Vec<(String, Bytes)>),
}

#[derive(Clone, Debug)]
enum Piece {
    Data(Bytes),
    Wait(Gate),
}

#[derive(Clone, Debug)]
enum Framing {
    /// `Content-Length` of all pieces, unless a field of that name is given.
    Counted,
    /// `Content-Length` of this value whatever the pieces are.
    Claimed(u64),
    Chunked,
    /// No framing field; the body ends where the connection does.
    UntilClose,
}

/// What happens to the connection after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is kept for the next request.
    Keep,
    /// It is closed after a whole answer.
    Close,
    /// It is closed without the end of the framing.
    Cut,
    /// It is closed with a TCP RST.
    Reset,
    /// It stays open and silent.
    Stall,
}

impl Reply {
    /// A 200 with this body and its `Content-Length`.
    pub(crate) fn ok(body: impl Into<Bytes>) -> Self {
        Reply::status(200).piece(body)
    }

    /// An answer of this status without a body.
    pub(crate) fn status(status: u16) -> Self {
        Reply {
            head: Head::Fields(status, Vec::new()),
            hold: None,
            pieces: Vec::new(),
            framing: Framing::Counted,
            end: End::Keep,
        }
    }

    /// These bytes as they are, head and body; the connection is kept unless the reply says otherwise.
    pub(crate) fn raw(bytes: impl Into<Bytes>) -> Self {
        Reply { head: Head::None, framing: Framing::UntilClose, ..Reply::status(0) }.piece(bytes)
    }

    /// Closes the connection without a byte.
    pub(crate) fn hang_up() -> Self {
        Reply { head: Head::None, framing: Framing::UntilClose, ..Reply::status(0) }.cut()
    }

    /// Resets the connection (TCP RST) without a byte.
    pub(crate) fn reset() -> Self {
        Reply { end: End::Reset, ..Reply::hang_up() }
    }

    /// Never answers; the connection stays open until the peer closes it.
    pub(crate) fn silence() -> Self {
        Reply { end: End::Stall, ..Reply::hang_up() }
    }

    /// Appends a field line, name and value as given.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Head::Fields(_, fields) = &mut self.head {
            fields.push((name.to_owned(), Bytes::copy_from_slice(value.as_ref())));
        }
        self
    }

    /// Holds the whole answer until `gate` opens.
    pub(crate) fn hold(mut self, gate: &Gate) -> Self {
        self.hold = Some(gate.clone());
        self
    }

    /// Appends body bytes; with [`chunked`](Self::chunked) each piece is one chunk.
    pub(crate) fn piece(mut self, data: impl Into<Bytes>) -> Self {
        self.pieces.push(Piece::Data(data.into()));
        self
    }

    /// Waits for `gate` between the pieces before and after.
    pub(crate) fn gate(mut self, gate: &Gate) -> Self {
        self.pieces.push(Piece::Wait(gate.clone()));
        self
    }

    /// Frames the body by `Transfer-Encoding: chunked`.
    pub(crate) fn chunked(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Claims a `Content-Length` of `bytes`, true or not.
    pub(crate) fn length(mut self, bytes: u64) -> Self {
        self.framing = Framing::Claimed(bytes);
        self
    }

    /// No framing field; the end of the connection ends the body.
    pub(crate) fn until_close(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self.close()
    }

    /// Closes the connection after the answer, without saying so in a field.
    pub(crate) fn close(mut self) -> Self {
        self.end = End::Close;
        self
    }

    /// Closes the connection after the pieces, without the last chunk.
    pub(crate) fn cut(mut self) -> Self {
        self.end = End::Cut;
        self
    }

    /// Resets the connection (TCP RST) after the pieces.
    pub(crate) fn then_reset(mut self) -> Self {
        self.end = End::Reset;
        self
    }

    /// Falls silent after the pieces and keeps the connection open.
    pub(crate) fn stall(mut self) -> Self {
        self.end = End::Stall;
        self
    }

    /// Writes the answer to a request with `method`; the connection's end is left to the caller.
    pub(super) async fn write(
        &self,
        method: &str,
        io: &mut (impl AsyncWrite + Unpin),
    ) -> std::io::Result<()> {
        if let Some(gate) = &self.hold {
            gate.wait().await;
        }
        let mut bodiless = false;
        if let Head::Fields(status, fields) = &self.head {
            bodiless = method == "HEAD" || matches!(status, 100..=199 | 204 | 304);
            io.write_all(&self.head_bytes(*status, fields)).await?;
            io.flush().await?;
        }
        if bodiless {
            return Ok(());
        }
        let chunked = matches!(self.framing, Framing::Chunked);
        for piece in &self.pieces {
            match piece {
                Piece::Wait(gate) => gate.wait().await,
                Piece::Data(data) if data.is_empty() => {}
                Piece::Data(data) if chunked => {
                    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
                    chunk.extend_from_slice(data);
                    chunk.extend_from_slice(b"\r\n");
                    io.write_all(&chunk).await?;
                }
                Piece::Data(data) => io.write_all(data).await?,
            }
            io.flush().await?;
        }
        if chunked && matches!(self.end, End::Keep | End::Close) {
            io.write_all(b"0\r\n\r\n").await?;
        }
        io.flush().await
    }

    fn head_bytes(&self, status: u16, fields: &[(String, Bytes)]) -> Vec<u8> {
        let reason =
            http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Scripted");
        let mut head = format!("HTTP/1.1 {status} {reason}\r\n").into_bytes();
        for (name, value) in fields {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        let given = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        match self.framing {
            Framing::Counted if given || matches!(status, 100..=199 | 204 | 304) => {}
            Framing::Counted => {
                let length: usize = self.pieces.iter().map(Piece::len).sum();
                head.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
            }
            Framing::Claimed(length) => {
                head.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
            }
            Framing::Chunked => head.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Framing::UntilClose => {}
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Piece::Data(data) => data.len(),
            Piece::Wait(_) => 0,
        }
    }
}
