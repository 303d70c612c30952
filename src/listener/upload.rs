//! Request bodies on their way in: a pause inside one is bounded.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::message::body::{Body, BodyError};

/// The request body that `incoming` brings. One without bytes, the usual case, costs nothing.
pub(super) fn receive(incoming: Incoming, idle_timeout: Duration) -> Body {
    if incoming.is_end_stream() {
        return Body::Empty;
    }
    Body::stream(Upload { incoming: Some(incoming), idle_timeout, pause: None })
}

/// A body that ends with [`BodyError::Stalled`] when its sender pauses for too long.
struct Upload {
    incoming: Option<Incoming>,
    idle_timeout: Duration,
    /// Runs while the reader waits for the sender.
    pause: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) {
            this.pause = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        let limit = this.idle_timeout;
        let pause = this.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        match pause.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                this.incoming = None;
                Poll::Ready(Some(Err(BodyError::Stalled)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}
