//! [`Together`]: runs the streams of an HTTP/2 connection in the task of the connection.
//!
//! Streams whose response is at hand end between two polls of the connection, which then writes all
//! of them at once. In a task of its own, each stream would cost a task, a wake-up and a write.
//! Long work runs in other tasks anyway.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hyper::rt::Executor;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;

use super::cork::Cork;

/// The queue of streams that hyper has accepted.
#[derive(Clone, Default)]
pub(super) struct Accepted(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Accepted {
    fn execute(&self, stream: F) {
        self.0.lock().push(Box::pin(stream));
    }
}

/// A connection and its streams. They are dropped together, so no stream outlives its connection.
pub(super) struct Together<C, IO> {
    connection: Pin<Box<C>>,
    socket: Cork<IO>,
    accepted: Accepted,
    streams: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl<C, IO> Together<C, IO> {
    /// `connection` over `socket`, with the queue `accepted` of its streams.
    pub(super) fn new(connection: C, socket: Cork<IO>, accepted: Accepted) -> Self {
        Together { connection: Box::pin(connection), socket, accepted, streams: FuturesUnordered::new() }
    }

    pub(super) fn connection(&mut self) -> Pin<&mut C> {
        self.connection.as_mut()
    }

    /// Polls all streams. Returns true if one was new or ended, so that there may be bytes to send.
    fn poll_streams(&mut self, cx: &mut Context<'_>) -> bool {
        let new = std::mem::take(&mut *self.accepted.0.lock());
        let mut moved = !new.is_empty();
        self.streams.extend(new);
        while let Poll::Ready(Some(())) = self.streams.poll_next_unpin(cx) {
            moved = true;
        }
        moved
    }
}

impl<C: Future, IO: AsyncWrite + Unpin> Future for Together<C, IO> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        loop {
            if let Poll::Ready(done) = self.connection.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            if !self.poll_streams(cx) && !self.socket.send(cx) {
                return Poll::Pending;
            }
        }
    }
}
