//! A pooled client for tests that care about meaning, not bytes.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use super::within;

/// A whole response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Its status code.
    pub(crate) status: u16,
    /// Its version.
    pub(crate) version: http::Version,
    /// Its fields.
    pub(crate) headers: HeaderMap,
    /// The body bytes that came.
    pub(crate) body: Bytes,
    /// Why the body broke off, if it did.
    pub(crate) broken: Option<String>,
}

impl Answer {
    /// The first value of this field as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// Its body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A response whose body is read piece by piece.
#[derive(Debug)]
pub(crate) struct Streaming {
    /// Status, version and fields.
    pub(crate) head: http::response::Parts,
    body: Incoming,
}

impl Streaming {
    /// The next piece of the body: `None` at its proper end, `Err` where it breaks off.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, String>>> {
        within("a piece of body", async {
            loop {
                match self.body.frame().await? {
                    Ok(frame) => match frame.into_data() {
                        Ok(data) => return Some(Ok(data)),
                        Err(_trailers) => continue,
                    },
                    Err(error) => return Some(Err(error.to_string())),
                }
            }
        })
    }

    /// Reads the rest.
    pub(crate) async fn finish(mut self) -> Answer {
        let (mut body, mut broken) = (Vec::new(), None);
        while let Some(piece) = self.next().await {
            match piece {
                Ok(data) => body.extend_from_slice(&data),
                Err(error) => broken = Some(error),
            }
        }
        let http::response::Parts { status, version, headers, .. } = self.head;
        Answer { status: status.as_u16(), version, headers, body: body.into(), broken }
    }
}

/// A client with a pool. Methods fail the test where no response comes, but for [`Client::try_request`].
///
/// ```ignore
/// let client = Client::new();                 // HTTP/1.1
/// let answer = client.get("http://127.0.0.1:8080/a?b", &[("If-None-Match", "\"v1\"")]).await;
/// let mut slow = client.open("GET", &url, &[], "").await;    // head only; then slow.next().await, piece by piece
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Client(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// HTTP/1.1.
    pub(crate) fn new() -> Self {
        Client(legacy::Client::builder(TokioExecutor::new()).build(connector(None, false)))
    }

    /// HTTP/2 with prior knowledge on plain connections.
    pub(crate) fn h2() -> Self {
        Client(legacy::Client::builder(TokioExecutor::new()).http2_only(true).build(connector(None, true)))
    }

    /// TLS that trusts this PEM root only, HTTP/2 by ALPN if `h2`, else HTTP/1.1.
    pub(crate) fn tls(root: &str, h2: bool) -> Self {
        Client(legacy::Client::builder(TokioExecutor::new()).build(connector(Some(root), h2)))
    }

    /// A GET, read whole.
    #[track_caller]
    pub(crate) fn get(&self, url: &str, fields: &[(&str, &str)]) -> impl Future<Output = Answer> + use<> {
        self.request("GET", url, fields, "")
    }

    /// Any request, read whole.
    #[track_caller]
    pub(crate) fn request(
        &self,
        method: &str,
        url: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> impl Future<Output = Answer> + use<> {
        let opened = self.open(method, url, fields, body);
        async { opened.await.finish().await }
    }

    /// Any request, up to the response's head.
    #[track_caller]
    pub(crate) fn open(
        &self,
        method: &str,
        url: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> impl Future<Output = Streaming> + use<> {
        let response = self.try_request(method, url, fields, body);
        within("a response head", async move {
            let (head, body) = response.await.expect("a response").into_parts();
            Streaming { head, body }
        })
    }

    /// Any request; `Err` where no response comes.
    pub(crate) fn try_request(
        &self,
        method: &str,
        url: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> impl Future<Output = Result<Response<Incoming>, legacy::Error>> + use<> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = Request::builder().method(method).uri(url.parse::<Uri>().expect("a URL"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        self.0.request(request.body(body).expect("valid fields"))
    }
}

/// A GET by a client of its own, read whole.
#[track_caller]
pub(crate) fn get(url: &str, fields: &[(&str, &str)]) -> impl Future<Output = Answer> + use<> {
    Client::new().get(url, fields)
}

fn connector(root: Option<&str>, h2: bool) -> HttpsConnector<HttpConnector> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    let schemes = HttpsConnectorBuilder::new().with_tls_config(super::tls::trusting(root)).https_or_http();
    match h2 {
        true => schemes.enable_http2().wrap_connector(http),
        false => schemes.enable_http1().wrap_connector(http),
    }
}
