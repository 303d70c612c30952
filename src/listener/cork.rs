//! [`Cork`]: joins the writes of one poll of a connection, and sends them at its end.
//!
//! h2 writes and flushes each data frame of more than a few hundred bytes by itself. That costs a
//! system call, a TLS record and a segment for each response, even if more responses are ready.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are held back at most.
const ROOM: usize = 48 << 10;
/// Writes of this many bytes are not copied, but sent directly.
const LARGE: usize = 16 << 10;

/// A socket shared by a connection, which writes, and the task that polls it, which sends.
pub(super) struct Cork<IO>(Arc<Mutex<Held<IO>>>);

struct Held<IO> {
    io: IO,
    bytes: Vec<u8>,
    sent: usize,
    /// The error of a failed send. The next write or flush returns it.
    broken: Option<io::Error>,
}

impl<IO> Cork<IO> {
    pub(super) fn new(io: IO) -> Self {
        Cork(Arc::new(Mutex::new(Held { io, bytes: Vec::new(), sent: 0, broken: None })))
    }
}

impl<IO> Clone for Cork<IO> {
    fn clone(&self) -> Self {
        Cork(Arc::clone(&self.0))
    }
}

impl<IO: AsyncWrite + Unpin> Cork<IO> {
    /// Sends as many of the held bytes as the socket takes. Returns true if that failed, so that
    /// the connection has to be polled.
    pub(super) fn send(&self, cx: &mut Context<'_>) -> bool {
        let mut held = self.0.lock();
        match held.poll_send(cx) {
            Poll::Ready(Err(error)) => {
                held.broken = Some(error);
                true
            }
            _ => false,
        }
    }
}

impl<IO: AsyncWrite + Unpin> Held<IO> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.bytes.len() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.bytes[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        self.sent = 0;
        self.bytes.clear();
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Makes room for `length` bytes. Returns false if the bytes should be written directly because
    /// nothing is held back.
    fn poll_room(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<bool>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Err(error));
        }
        if length < LARGE && self.bytes.len() + length <= ROOM {
            return Poll::Ready(Ok(true));
        }
        ready!(self.poll_send(cx))?;
        Poll::Ready(Ok(length < LARGE))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Cork<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().io).poll_read(cx, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Cork<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut held = self.0.lock();
        if ready!(held.poll_room(cx, data.len()))? {
            held.bytes.extend_from_slice(data);
            return Poll::Ready(Ok(data.len()));
        }
        Pin::new(&mut held.io).poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut held = self.0.lock();
        let length = data.iter().map(|part| part.len()).sum();
        if ready!(held.poll_room(cx, length))? {
            data.iter().for_each(|part| held.bytes.extend_from_slice(part));
            return Poll::Ready(Ok(length));
        }
        Pin::new(&mut held.io).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The task that polls the connection sends afterwards.
        Poll::Ready(self.0.lock().broken.take().map_or(Ok(()), Err))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut held = self.0.lock();
        ready!(held.poll_send(cx))?;
        Pin::new(&mut held.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;
    use tokio::io::{AsyncReadExt, duplex};

    #[tokio::test]
    async fn small_writes_go_out_together_and_in_order() {
        let (near, mut far) = duplex(1 << 20);
        let cork = Cork::new(near);
        let mut writer = cork.clone();
        let cx = &mut Context::from_waker(Waker::noop());
        let mut expected = Vec::new();
        for (byte, length) in [(1_u8, 10), (2, 1000), (3, LARGE), (4, 20), (5, ROOM), (6, 5)] {
            let data = vec![byte; length];
            let written = Pin::new(&mut writer).poll_write(cx, &data);
            assert!(matches!(written, Poll::Ready(Ok(n)) if n == length));
            assert!(Pin::new(&mut writer).poll_flush(cx).is_ready());
            expected.extend(data);
        }
        assert!(!cork.send(cx));
        let mut got = vec![0; expected.len()];
        far.read_exact(&mut got).await.expect("all of it");
        assert_eq!(got, expected);
    }

    #[tokio::test]
    async fn what_is_held_is_bounded_and_a_broken_socket_is_told() {
        let (near, far) = duplex(10);
        let cork = Cork::new(near);
        let mut writer = cork.clone();
        let cx = &mut Context::from_waker(Waker::noop());
        let mut taken = 0;
        while let Poll::Ready(Ok(n)) = Pin::new(&mut writer).poll_write(cx, &[0; 1000]) {
            taken += n;
        }
        assert!((1000..=ROOM + 1000).contains(&taken), "{taken}");
        drop(far);
        assert!(cork.send(cx));
        assert!(matches!(Pin::new(&mut writer).poll_flush(cx), Poll::Ready(Err(_))));
    }
}
