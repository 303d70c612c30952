//! A connection whose bytes are counted against a budget that many connections share.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that may still pass, in both directions together.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        Budget(AtomicU64::new(bytes))
    }

    /// Whether it is used up.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Takes `bytes`. What does not fit spends the rest, so that no further byte passes anywhere.
    fn take(&self, bytes: usize) -> io::Result<()> {
        let bytes = bytes as u64;
        let before = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(bytes)));
        match before {
            Ok(left) | Err(left) if left > bytes => Ok(()),
            _ => Err(io::Error::other("byte budget spent")),
        }
    }
}

/// A stream that stops with an error when its budget is spent.
#[derive(Debug)]
pub(crate) struct Metered<S> {
    stream: S,
    budget: Arc<Budget>,
}

impl<S> Metered<S> {
    pub(crate) fn new(stream: S, budget: Arc<Budget>) -> Self {
        Metered { stream, budget }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(match buf.filled().len() - before {
            0 => Ok(()),
            bytes => self.budget.take(bytes),
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        Poll::Ready(self.budget.take(written).map(|()| written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn connections_share_one_budget() {
        let budget = Arc::new(Budget::new(10));
        let (near, mut far) = tokio::io::duplex(64);
        let mut one = Metered::new(near, budget.clone());
        let mut two = Metered::new(tokio::io::empty(), budget.clone());
        one.write_all(b"12345").await.unwrap();
        far.write_all(b"6789").await.unwrap();
        let mut buf = [0; 4];
        one.read_exact(&mut buf).await.unwrap();
        assert!(!budget.is_spent());
        assert!(two.write_all(b"xx").await.is_err());
        assert!(budget.is_spent());
        assert!(one.write_all(b"x").await.is_err());
    }
}
