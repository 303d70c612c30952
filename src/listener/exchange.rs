//! One exchange: from hyper's request to the [`Handler`], and from its response to hyper.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};

use super::activity::{Activity, Turn};
use super::interim::Interims;
use super::upload;
use crate::message::body::{Body, BodyError};
use crate::message::class::LastOnConnection;
use crate::message::peer::Peer;
use crate::message::plain::Plain;
use crate::tasks;

/// Answers requests. It is cloned for each exchange, so it should be an `Arc` or a few of them.
///
/// Every `Fn(Request<Body>, Peer) -> impl Future<Output = Response<Body>>` is a handler. The
/// version of the request is that of the connection. If the peer resets its stream or connection,
/// the future or the response body is dropped. A peer that only closes its sending half still gets
/// its response. If the client understands interim responses, the request carries an
/// [`Interim`](crate::message::interim::Interim).
pub trait Handler: Clone + Send + Sync + 'static {
    /// Answers `request`, which came from `peer`.
    fn handle(&self, request: Request<Body>, peer: Peer) -> impl Future<Output = Response<Body>> + Send;

    /// Answers a plain request if the response is at hand: writes the HTTP/1.1 head to the empty
    /// `head` and returns the body. The response must equal that of [`handle`](Self::handle), and
    /// the call must not wait.
    fn short(&self, plain: &Plain<'_>, peer: Peer, head: &mut Vec<u8>) -> Option<Bytes> {
        let _ = (plain, peer, head);
        None
    }
}

impl<F, A> Handler for F
where
    F: Fn(Request<Body>, Peer) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send,
{
    fn handle(&self, request: Request<Body>, peer: Peer) -> impl Future<Output = Response<Body>> + Send {
        self(request, peer)
    }
}

/// Bounds that all exchanges of a listener share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Fields in a request head.
    pub(super) max_header_count: usize,
    /// Bytes of a request head.
    pub(super) max_header_bytes: usize,
    /// The longest pause inside a request body.
    pub(super) idle_timeout: Duration,
    /// Least rate of a request body in bytes a second.
    pub(super) min_read_rate: u64,
}

/// `handler` as hyper's service for one connection.
pub(super) fn service<H: Handler>(
    handler: H,
    peer: Peer,
    limits: Limits,
    activity: Arc<Activity>,
    interims: Arc<Interims>,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Tracked>,
    Error = Infallible,
    Future: Future<Output = Result<Response<Tracked>, Infallible>> + Send + 'static,
> {
    service_fn(move |request: Request<Incoming>| {
        let (handler, interims) = (handler.clone(), interims.clone());
        let mut turn = Turn::begin(&activity);
        async move {
            // hyper bounds the bytes of an HTTP/2 head, but not its fields.
            let is_http2 = request.version() == Version::HTTP_2;
            let mut response = if request.headers().len() > limits.max_header_count {
                refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            } else {
                let request =
                    request.map(|body| upload::receive(body, limits.min_read_rate, limits.idle_timeout));
                // An HTTP/1.0 client takes any response for the final one, and hyper cannot send
                // interim responses over HTTP/2.
                // hyper keeps room for this future as long as the connection lasts, which is mostly
                // idle. A box is freed with the exchange.
                let response = if request.version() == Version::HTTP_11 {
                    Box::pin(tasks::caught(told(&handler, request, peer, &mut turn, &interims))).await
                } else {
                    Box::pin(tasks::caught(handler.handle(request, peer))).await
                };
                // The panic hook counts and logs the panic. The other requests of the connection go
                // on.
                response.unwrap_or_else(|| refuse(StatusCode::INTERNAL_SERVER_ERROR))
            };
            // From here on the peer has to act, unless the body waits for its source. Otherwise a
            // peer that opens no HTTP/2 window would count as waiting for the handler.
            turn.theirs();
            let is_last = turn.is_last() || response.extensions().get::<LastOnConnection>().is_some();
            if !is_http2 && is_last {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| Tracked { body, turn, piece: is_http2, rest: Bytes::new() }))
        }
    })
}

/// The response of `handler`, after the interim responses were sent to the client.
async fn told<H: Handler>(
    handler: &H,
    mut request: Request<Body>,
    peer: Peer,
    turn: &mut Turn,
    interims: &Arc<Interims>,
) -> Response<Body> {
    request.extensions_mut().insert(interims.begin(turn.number()));
    let mut answer = pin!(handler.handle(request, peer));
    let response = poll_fn(|cx| {
        interims.watch(cx);
        answer.as_mut().poll(cx)
    })
    .await;
    turn.theirs();
    poll_fn(|cx| interims.poll_end(cx)).await;
    response
}

fn refuse(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// Bytes that the HTTP/2 codec gets at a time: its default window.
const PIECE: usize = 64 << 10;

/// A response body that notes whether the handler or the peer has to act next.
pub(super) struct Tracked {
    body: Body,
    turn: Turn,
    /// Split the body into pieces. The HTTP/2 codec takes a frame whole, however long its peer
    /// keeps the window closed. Bytes that are held back here show that the exchange goes on.
    piece: bool,
    rest: Bytes,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.rest.is_empty() {
            let next = PIECE.min(self.rest.len());
            return Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(next)))));
        }
        let mut frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Pending => self.turn.ours(),
            Poll::Ready(_) => self.turn.theirs(),
        }
        if self.piece
            && let Poll::Ready(Some(Ok(frame))) = &mut frame
            && let Some(data) = frame.data_mut()
            && data.len() > PIECE
        {
            self.rest = data.split_off(PIECE);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper.saturating_add(rest));
        }
        whole.set_lower(hint.lower().saturating_add(rest));
        whole
    }
}
