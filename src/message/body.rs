//! Request and response bodies ([`Body`]) and their errors ([`BodyError`]).

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

/// Why a body ended early. Causes from libraries are kept as text.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BodyError {
    /// The peer closed the connection or violated the framing before the end of the body.
    #[error("body ended short: {0}")]
    Short(String),
    /// No byte arrived within the idle timeout.
    #[error("body stalled")]
    Stalled,
    /// The body is longer than its limit.
    #[error("body larger than the limit of {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A reader of a shared body is too far behind the others.
    #[error("reader too slow")]
    ReaderTooSlow,
}

impl From<hyper::Error> for BodyError {
    fn from(error: hyper::Error) -> Self {
        BodyError::Short(error.to_string())
    }
}

/// A boxed stream of frames.
pub type BodyStream = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>;

/// A request or response body.
#[derive(Default)]
pub enum Body {
    /// No content: neither data nor trailers.
    #[default]
    Empty,
    /// All content in one piece; `None` once it was read.
    Whole(Option<Bytes>),
    /// A stream from a hyper connection.
    Incoming(Incoming),
    /// Any other stream of frames.
    Stream(BodyStream),
}

impl Body {
    /// A body with these bytes.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Body::Whole(Some(bytes.into()))
    }

    /// A body from a stream of frames.
    pub fn stream(stream: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Body::Stream(Box::pin(stream))
    }

    /// A copy of the body; `None` if it is a stream or was read.
    pub fn again(&self) -> Option<Body> {
        match self {
            Body::Empty => Some(Body::Empty),
            Body::Whole(Some(bytes)) => Some(Body::whole(bytes.clone())),
            Body::Whole(None) | Body::Incoming(_) | Body::Stream(_) => None,
        }
    }

    /// The bytes of a body in one piece, without reading a stream.
    pub fn as_whole(&self) -> Option<&Bytes> {
        match self {
            Body::Whole(bytes) => bytes.as_ref(),
            _ => None,
        }
    }
}

impl Body {
    /// The body without trailers, cut off with an error after `limit` bytes. The second value
    /// receives the first error.
    pub fn limited(self, limit: u64) -> (Self, Arc<OnceLock<BodyError>>) {
        let fault = Arc::new(OnceLock::new());
        if matches!(&self, Body::Empty | Body::Whole(_)) && self.size_hint().lower() <= limit {
            return (self, fault);
        }
        let limited = Limited { body: self, limit, left: limit, fault: Arc::clone(&fault) };
        (Body::stream(limited), fault)
    }
}

/// A body that ends with an error beyond its limit.
struct Limited {
    body: Body,
    limit: u64,
    left: u64,
    fault: Arc<OnceLock<BodyError>>,
}

impl Limited {
    fn broken(&self, error: BodyError) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // The first error is the cause of all later ones.
        let _ = self.fault.set(error.clone());
        Poll::Ready(Some(Err(error)))
    }
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => return Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return self.broken(error),
            other => return other,
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        if length > self.left {
            let limit = self.limit;
            return self.broken(BodyError::TooLarge { limit });
        }
        self.left -= length;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Empty => f.write_str("Body::Empty"),
            Body::Whole(bytes) => write!(f, "Body::Whole({:?})", bytes.as_ref().map(Bytes::len)),
            Body::Incoming(_) => f.write_str("Body::Incoming"),
            Body::Stream(_) => f.write_str("Body::Stream"),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Body::Empty => Poll::Ready(None),
            Body::Whole(bytes) => {
                Poll::Ready(bytes.take().filter(|b| !b.is_empty()).map(|b| Ok(Frame::data(b))))
            }
            Body::Incoming(incoming) => Pin::new(incoming).poll_frame(cx).map_err(BodyError::from),
            Body::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Body::Incoming(incoming) => incoming.is_end_stream(),
            Body::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Body::Incoming(incoming) => incoming.size_hint(),
            Body::Stream(stream) => stream.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, StreamBody};

    #[tokio::test]
    async fn limited_body_over_limit_ends_with_error() {
        let chunks = || {
            let chunks = ["abc", "def"].map(|c| Ok(Frame::data(Bytes::from_static(c.as_bytes()))));
            Body::stream(StreamBody::new(futures_util::stream::iter(chunks)))
        };
        let (whole, fault) = chunks().limited(6);
        assert_eq!(whole.collect().await.expect("within").to_bytes(), "abcdef");
        assert!(fault.get().is_none());
        let (cut, fault) = chunks().limited(5);
        assert!(matches!(cut.collect().await, Err(BodyError::TooLarge { limit: 5 })));
        assert!(matches!(fault.get(), Some(BodyError::TooLarge { limit: 5 })));
    }
}
