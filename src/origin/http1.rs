//! One HTTP/1.1 request on a connection of its own.

use http::header::HOST;
use http::{HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use url::{Position, Url};

use crate::message::body::Body;

/// A request for `url` without fields but `Host`.
pub(crate) fn request(method: Method, url: &Url, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = url[Position::BeforePath..Position::AfterQuery].parse().unwrap_or_default();
    if let Ok(host) = HeaderValue::try_from(&url[Position::BeforeHost..Position::AfterPort]) {
        request.headers_mut().insert(HOST, host);
    }
    request
}

/// Sends `request` over `stream`, and has `read` take what it needs of the response. The connection ends with it.
pub(crate) async fn exchange<S, F>(
    stream: S,
    request: Request<Body>,
    read: impl FnOnce(Response<Incoming>) -> F,
) -> hyper::Result<F::Output>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async { Ok::<_, hyper::Error>(read(sender.send_request(request).await?).await) };
    tokio::pin!(connection, exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // Many servers end TLS without a word, right behind their answer.
        _ = &mut connection => exchange.await,
    }
}
