//! Bounds the arrival of request bodies: the length of a pause, and the rate.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use super::pace::{Pace, TICKS};
use crate::message::body::{Body, BodyError};

/// The request body that `incoming` brings. A body without bytes, the usual case, costs nothing.
/// Others have to arrive at `min_rate` bytes a second, on average over `idle_timeout`.
pub(super) fn receive(incoming: Incoming, min_rate: u64, idle_timeout: Duration) -> Body {
    if incoming.is_end_stream() {
        return Body::Empty;
    }
    Body::stream(Upload {
        incoming: Some(incoming),
        tick: idle_timeout / TICKS,
        pace: Pace::new(min_rate, idle_timeout),
        moved: 0,
        clock: None,
    })
}

/// A body that ends with [`BodyError::Stalled`] when its sender pauses for too long or is too slow.
struct Upload {
    incoming: Option<Incoming>,
    tick: Duration,
    pace: Pace,
    moved: u64,
    /// Started when the reader first waits for the sender. It is polled only while the reader
    /// waits.
    clock: Option<Pin<Box<Sleep>>>,
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
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref);
            this.moved += data.map_or(0, |data| data.len() as u64);
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)));
        }
        let tick = this.tick;
        let clock = this.clock.get_or_insert_with(|| Box::pin(sleep(tick)));
        while clock.as_mut().poll(cx).is_ready() {
            clock.set(sleep(tick));
            if this.pace.tick(true, std::mem::take(&mut this.moved)) {
                this.incoming = None;
                return Poll::Ready(Some(Err(BodyError::Stalled)));
            }
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}
