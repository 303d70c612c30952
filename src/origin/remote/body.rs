//! Bodies in both directions: a response's is bounded in bytes and pauses and loses its trailers, a request's tells of its
//! progress.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};

use super::failure::chain;
use super::slots::Slot;
use crate::message::body::{Body, BodyError};

/// Reads a request body until its end, or until `most` bytes of it are there; the rest streams.
///
/// # Errors
/// That of the body.
pub(super) async fn gather(mut body: Body, most: u64) -> Result<Body, BodyError> {
    if matches!(body, Body::Empty | Body::Whole(_)) {
        return Ok(body);
    }
    // One that announces no length is still sent, or not sent, as such.
    let has_length = body.size_hint().exact().is_some();
    let (mut read, mut size) = (VecDeque::new(), 0_u64);
    while size < most {
        match body.frame().await {
            None if !has_length => break,
            None => {
                let whole: BytesMut = read.iter().flat_map(|piece: &Bytes| piece.iter().copied()).collect();
                return Ok(Body::whole(whole.freeze()));
            }
            // Request trailers are not forwarded.
            Some(frame) => {
                if let Ok(piece) = frame?.into_data() {
                    size += piece.len() as u64;
                    read.push_back(piece);
                }
            }
        }
    }
    Ok(Body::stream(Gathered { read, rest: body, has_length }))
}

/// A body of which the beginning was read already.
struct Gathered {
    read: VecDeque<Bytes>,
    rest: Body,
    has_length: bool,
}

impl HttpBody for Gathered {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.read.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.has_length && self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|piece| piece.len() as u64).sum();
        let (rest, mut hint) = (self.rest.size_hint(), SizeHint::new());
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper().filter(|_| self.has_length) {
            hint.set_upper(upper + read);
        }
        hint
    }
}

/// The response body that `incoming` brings. It holds `slot` until it ends or is dropped.
pub(super) fn answer(incoming: Incoming, slot: Slot, idle_timeout: Duration, limit: u64) -> Body {
    if incoming.is_end_stream() {
        return Body::Empty;
    }
    Body::stream(Answer {
        left: limit,
        limit,
        source: Some((incoming, slot)),
        idle_timeout,
        pause: None,
        waiting: false,
    })
}

struct Answer {
    /// `None` once the body has ended, well or not: connection and slot are free then.
    source: Option<(Incoming, Slot)>,
    limit: u64,
    left: u64,
    idle_timeout: Duration,
    /// Runs while the reader waits; made once, set anew for each wait.
    pause: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Answer {
    fn fail(&mut self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.source = None;
        Poll::Ready(Some(Err(error)))
    }

    /// Whether the wait that this poll belongs to has been too long.
    fn stalled(&mut self, cx: &mut Context<'_>) -> bool {
        let limit = self.idle_timeout;
        let fresh = self.pause.is_none();
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !self.waiting && !fresh {
            pause.set(sleep(limit));
        }
        self.waiting = true;
        pause.as_mut().poll(cx).is_ready()
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some((incoming, _)) = &mut this.source else { return Poll::Ready(None) };
        if incoming.size_hint().lower() > this.left {
            return this.fail(BodyError::TooLarge { limit: this.limit });
        }
        let frame = match Pin::new(&mut *incoming).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending if this.stalled(cx) => return this.fail(BodyError::Stalled),
            Poll::Pending => return Poll::Pending,
        };
        this.waiting = false;
        match frame {
            None => {
                this.source = None;
                Poll::Ready(None)
            }
            Some(Err(error)) => this.fail(BodyError::Short(chain(&error))),
            // Nobody asked for trailers, and what is stored has no place for them (RFC 9110 section 6.5.1).
            Some(Ok(frame)) if frame.is_trailers() => {
                this.source = None;
                Poll::Ready(None)
            }
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = this.left.checked_sub(bytes) else {
                    return this.fail(BodyError::TooLarge { limit: this.limit });
                };
                this.left = left;
                if incoming.is_end_stream() {
                    this.source = None;
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.as_ref().map_or_else(|| SizeHint::with_exact(0), |(incoming, _)| incoming.size_hint())
    }
}

/// `body` as it is sent; each piece that is taken from it is told to `progress`.
pub(super) fn telling(body: Body, progress: &Arc<Notify>) -> Body {
    match body {
        Body::Empty | Body::Whole(_) => body,
        Body::Incoming(_) | Body::Stream(_) => Body::stream(Telling { body, progress: progress.clone() }),
    }
}

struct Telling {
    body: Body,
    progress: Arc<Notify>,
}

impl HttpBody for Telling {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.progress.notify_one();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
