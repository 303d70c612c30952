//! [`Strict`]: refuses requests that hyper accepts although other parsers read them differently.
//!
//! hyper accepts LF as a line end, and a transfer coding beside a length. A proxy in front may read
//! these differently. Then one of its clients decides where the request of another begins (request
//! smuggling). So every byte is also parsed strictly by RFC 9112. A bad byte is replaced with bytes
//! that hyper refuses: it answers 400 and closes the connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::message::framing::Requests;

/// Invalid anywhere in a head, in a chunk size and at the end of a line. It also ends a head,
/// because hyper may not parse an incomplete one.
const REFUSED: &[u8] = b"\0\r\n\r\n";

/// An HTTP/1 connection whose requests are parsed strictly.
pub(super) struct Strict<IO> {
    io: IO,
    requests: Requests,
    /// After a bad byte, only the rest of this is read.
    broken: Option<&'static [u8]>,
}

impl<IO> Strict<IO> {
    pub(super) fn new(io: IO) -> Self {
        Strict { io, requests: Requests::new(), broken: None }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Strict<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(left) = self.broken {
            self.broken = Some(put(left, buf));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        if let Err(broken) = self.requests.heard(&buf.filled()[before..]) {
            tracing::debug!(how = %broken.how, "malformed request");
            buf.set_filled(before + broken.before);
            self.broken = Some(put(REFUSED, buf));
            // Bytes that arrive and are never read would make the kernel reset the connection
            // before the peer reads the response.
            let mut scrap = [0; 4 << 10];
            for _ in 0..16 {
                let mut scrap = ReadBuf::new(&mut scrap);
                let read = Pin::new(&mut self.io).poll_read(cx, &mut scrap);
                if !matches!(read, Poll::Ready(Ok(()))) || scrap.filled().is_empty() {
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Copies as much of `bytes` into `buf` as fits, and returns the rest.
fn put<'a>(bytes: &'a [u8], buf: &mut ReadBuf<'_>) -> &'a [u8] {
    let (now, later) = bytes.split_at(bytes.len().min(buf.remaining()));
    buf.put_slice(now);
    later
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Strict<IO> {
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
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn what_is_read_ends_with_what_is_refused_however_small_the_reads() {
        let right = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let all = format!("{right}GET / HTTP/1.1\nHost: a\n\n{right}");
        for size in [1, 2, 3, 4, 5, 6, 29, 30, 1000] {
            let (mut io, mut read) = (Strict::new(all.as_bytes()), Vec::new());
            let mut part = vec![0; size];
            while let n @ 1.. = io.read(&mut part).await.expect("a slice") {
                read.extend_from_slice(&part[..n]);
            }
            // hyper may have some of the bad line, but it ends with our bytes, and nothing follows.
            assert!(read.starts_with(right.as_bytes()) && read.ends_with(REFUSED), "{size}: {read:?}");
            assert!(read.len() <= right.len() + "GET / HTTP/1.1".len() + REFUSED.len(), "{size}: {read:?}");
        }
    }
}
