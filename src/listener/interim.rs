//! [`Interims`]: sends interim responses (RFC 9110 section 15.2) between the responses of an
//! HTTP/1.1 connection.
//!
//! hyper's server cannot send them, so they are written beside it. The only sound place is a flush
//! of the socket by hyper while an exchange waits for its response. hyper flushes the socket only
//! when it has written all its bytes. It begins an exchange only when the response before is whole,
//! and holds nothing of a response before its service returns. So at that moment the stream is
//! exactly between two responses. The one task of the connection polls the service, the flush and
//! these writes. Other tasks only add to the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;

use crate::message::fields;
use crate::message::interim::{Interim, Relay};

/// Interim responses that one exchange passes on. Further ones are dropped.
const MAX_COUNT: usize = 64;
/// Bytes of the interim responses of one exchange.
const MAX_BYTES: usize = 32 << 10;

/// The interim responses of one connection.
#[derive(Debug, Default)]
pub(super) struct Interims {
    /// Number of the exchange that waits for its response; 0 if none does.
    waiting: AtomicUsize,
    /// Whether the queue may have bytes.
    any: AtomicBool,
    queue: Mutex<Queue>,
    /// Wakes the task of the connection.
    waker: AtomicWaker,
}

#[derive(Debug, Default)]
struct Queue {
    /// The exchange that `count`, `total` and `bytes` belong to.
    exchange: usize,
    count: usize,
    total: usize,
    bytes: Vec<u8>,
}

impl Interims {
    /// Exchange number `exchange`, counted from 1, begins to wait for its response.
    pub(super) fn begin(self: &Arc<Self>, exchange: usize) -> Interim {
        self.waiting.store(exchange, Ordering::Release);
        Interim::new(self.clone(), exchange)
    }

    /// Ready when the queue is empty. From then on nothing is added, so the response may follow.
    pub(super) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.any.load(Ordering::Acquire) {
            self.waker.register(cx.waker());
            let mut queue = self.queue.lock();
            if queue.exchange != self.waiting.load(Ordering::Acquire) {
                queue.bytes.clear();
            }
            if !queue.bytes.is_empty() {
                return Poll::Pending;
            }
            self.any.store(false, Ordering::Release);
        }
        self.waiting.store(0, Ordering::Release);
        Poll::Ready(())
    }

    /// Registers the task of the connection to be woken when the queue has bytes.
    pub(super) fn watch(&self, cx: &mut Context<'_>) {
        self.waker.register(cx.waker());
    }

    /// The bytes that may be written now, if the stream is between two responses. Only the task of
    /// the connection calls this.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut queue = self.queue.lock();
        self.any.store(false, Ordering::Release);
        let bytes = std::mem::take(&mut queue.bytes);
        let current = queue.exchange == self.waiting.load(Ordering::Acquire);
        drop(queue);
        // The response may have waited for this write.
        self.waker.wake();
        (current && !bytes.is_empty()).then_some(bytes)
    }
}

impl Relay for Interims {
    fn relay(&self, exchange: usize, status: StatusCode, fields: &HeaderMap) {
        let mut queue = self.queue.lock();
        if exchange != self.waiting.load(Ordering::Acquire) {
            return;
        }
        if queue.exchange != exchange {
            *queue = Queue { exchange, ..Queue::default() };
        }
        let bytes = encode(status, fields);
        if queue.count == MAX_COUNT || queue.total + bytes.len() > MAX_BYTES {
            tracing::debug!(%status, "interim response beyond the bounds dropped");
            return;
        }
        queue.count += 1;
        queue.total += bytes.len();
        queue.bytes.extend_from_slice(&bytes);
        self.any.store(true, Ordering::Release);
        drop(queue);
        self.waker.wake();
    }
}

/// The response as it is sent, without the fields that concern only the connection to the origin.
fn encode(status: StatusCode, fields: &HeaderMap) -> Vec<u8> {
    let mut fields = fields.clone();
    fields::remove_hop_by_hop(&mut fields);
    fields.remove(header::CONTENT_LENGTH);
    let reason = status.canonical_reason().unwrap_or_default();
    let mut bytes = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in &fields {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::task::Waker;

    const EARLY_HINTS: StatusCode = StatusCode::EARLY_HINTS;

    fn end(interims: &Interims) -> Poll<()> {
        interims.poll_end(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn only_the_exchange_that_waits_is_told_and_its_answer_comes_last() {
        let interims = Arc::new(Interims::default());
        let none = HeaderMap::new();
        let first = interims.begin(1);
        first.send(StatusCode::CONTINUE, &none);
        first.send(StatusCode::SWITCHING_PROTOCOLS, &none);
        first.send(StatusCode::OK, &none);
        assert_eq!(interims.take(), None);
        first.send(StatusCode::PROCESSING, &none);
        first.send(EARLY_HINTS, &none);
        assert_eq!(end(&interims), Poll::Pending);
        let expected = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n";
        assert_eq!(interims.take().as_deref(), Some(&expected[..]));
        assert_eq!((end(&interims), interims.take()), (Poll::Ready(()), None));
        first.send(EARLY_HINTS, &none);
        let second = interims.begin(2);
        first.send(EARLY_HINTS, &none);
        assert_eq!(interims.take(), None);
        second.send(EARLY_HINTS, &none);
        assert!(interims.take().is_some());
    }

    #[test]
    fn what_an_exchange_passes_on_is_bounded() {
        let interims = Arc::new(Interims::default());
        let mut long = HeaderMap::new();
        long.insert("link", HeaderValue::try_from("x".repeat(1000)).expect("a value"));
        for (exchange, fields, at_most) in [(1, &HeaderMap::new(), 64 * 28), (2, &long, 32 << 10)] {
            let interim = interims.begin(exchange);
            let mut bytes = 0;
            for _ in 0..1000 {
                interim.send(EARLY_HINTS, fields);
                bytes += interims.take().map_or(0, |taken| taken.len());
            }
            assert!((at_most - 1100..=at_most).contains(&bytes), "{bytes} of {at_most}");
        }
    }

    #[test]
    fn fields_of_the_origins_connection_stay_there() {
        let mut fields = HeaderMap::new();
        for (name, value) in [("link", "</a>"), ("connection", "x-y"), ("x-y", "1"), ("content-length", "0")]
        {
            fields.insert(name, HeaderValue::from_static(value));
        }
        assert_eq!(encode(EARLY_HINTS, &fields), b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    }
}
