//! DevTools messages over a websocket, to a browser that somebody else runs.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::header::HOST;
use http::{HeaderValue, Method, Response};
use http_body_util::{BodyExt, Limited};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use url::Url;

use super::client::Incoming;
use crate::message::body::Body;
use crate::origin::http1;
use crate::tasks;

/// Bytes of the answer that tells where the websocket is.
const MAX_ANSWER: usize = 64 * 1024;

/// A connection, in the clear or over TLS.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

type Stream = WebSocketStream<Box<dyn Wire>>;

/// The messages that come, until `open` is dropped.
pub(crate) struct Received {
    stream: SplitStream<Stream>,
    open: watch::Receiver<()>,
}

impl Incoming for Received {
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let message = tokio::select! {
                _ = self.open.changed() => return Ok(None),
                message = self.stream.next() => message,
            };
            match message {
                None | Some(Ok(Message::Close(_))) => return Ok(None),
                Some(Ok(Message::Text(text))) => return Ok(Some(Bytes::from(text).into())),
                Some(Ok(Message::Binary(bytes))) => return Ok(Some(bytes.into())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
    }
}

/// Connects to `url`, a websocket. The connection closes when the sender of `open` is dropped, or that of `outgoing`.
pub(crate) async fn connect(
    url: &Url,
    tls: &Arc<ClientConfig>,
    max_message: usize,
    outgoing: mpsc::Receiver<Vec<u8>>,
    open: watch::Receiver<()>,
) -> io::Result<Received> {
    let stream = dial(url, tls).await?;
    let bounds =
        WebSocketConfig::default().max_message_size(Some(max_message)).max_frame_size(Some(max_message));
    let handshake = tokio_tungstenite::client_async_with_config(url.as_str(), stream, Some(bounds));
    // The error's text may hold the URL, and that a token.
    let refused = |_| io::Error::other("it takes no websocket here");
    let (sink, stream) = handshake.await.map_err(refused)?.0.split();
    tasks::spawn("devtools-writer", send_all(sink, outgoing, open.clone()));
    Ok(Received { stream, open })
}

async fn send_all(
    mut sink: SplitSink<Stream, Message>,
    mut messages: mpsc::Receiver<Vec<u8>>,
    mut open: watch::Receiver<()>,
) {
    let send = async {
        while let Some(message) = messages.recv().await {
            // All that is sent was JSON.
            let Ok(text) = String::from_utf8(message) else { continue };
            if sink.send(Message::text(text)).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    };
    tokio::select! {
        () = send => {}
        _ = open.changed() => {}
    }
}

/// Where the websocket of the browser at `base` is, an HTTP address, as it tells under /json/version.
///
/// Chrome answers only those who call it localhost or by its address; other servers may want their name.
pub(crate) async fn discover(base: &Url, tls: &Arc<ClientConfig>) -> io::Result<Url> {
    let by_name = ask(base, base, tls).await;
    let Err(first) = by_name else { return by_name };
    let mut by_address = base.clone();
    let address = tcp(base).await?.peer_addr()?.ip();
    match by_address.set_ip_host(address) {
        Ok(()) if by_address != *base => ask(base, &by_address, tls).await,
        _ => Err(first),
    }
}

/// Asks the server at `base`, calling it `as_named`.
async fn ask(base: &Url, as_named: &Url, tls: &Arc<ClientConfig>) -> io::Result<Url> {
    let mut url = base.clone();
    url.set_path(&format!("{}/json/version", base.path().trim_end_matches('/')));
    let mut request = http1::request(Method::GET, &url, Body::Empty);
    if let Ok(name) = HeaderValue::try_from(authority(as_named)) {
        request.headers_mut().insert(HOST, name);
    }
    let read = |answer: Response<hyper::body::Incoming>| async move {
        let status = answer.status();
        (status, Limited::new(answer.into_body(), MAX_ANSWER).collect().await)
    };
    let (status, body) =
        http1::exchange(dial(base, tls).await?, request, read).await.map_err(io::Error::other)?;
    if !status.is_success() {
        return Err(io::Error::other(format!("/json/version answers with status {}", status.as_u16())));
    }
    let body = body.map_err(io::Error::other)?.to_bytes();
    let told: Told = serde_json::from_slice(&body).unwrap_or_default();
    told_by(base, &told.web_socket_debugger_url)
        .ok_or_else(|| io::Error::other("/json/version tells no websocket address"))
}

/// What a browser tells under /json/version.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Told {
    web_socket_debugger_url: String,
}

/// The websocket that a server at `base` tells. Chrome behind something that speaks TLS does not know of that; what is
/// asked for over TLS is reached over TLS.
fn told_by(base: &Url, told: &str) -> Option<Url> {
    let mut url = Url::parse(told).ok().filter(Url::has_host)?;
    match (base.scheme(), url.scheme()) {
        ("https", "ws") => url.set_scheme("wss").ok()?,
        (_, "ws" | "wss") => {}
        _ => return None,
    }
    Some(url)
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

async fn dial(url: &Url, tls: &Arc<ClientConfig>) -> io::Result<Box<dyn Wire>> {
    let stream = tcp(url).await?;
    if !matches!(url.scheme(), "wss" | "https") {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(host(url).to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(TlsConnector::from(tls.clone()).connect(name, stream).await?))
}

async fn tcp(url: &Url) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host(url), url.port_or_known_default().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Without the brackets of an IPv6 address.
fn host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_over_tls_is_reached_over_tls() {
        for (base, told, expected) in [
            ("http://h:1", "ws://h:1/x", Some("ws://h:1/x")),
            ("http://h:1", "wss://h/x", Some("wss://h/x")),
            ("https://h", "ws://h/x", Some("wss://h/x")),
            ("https://h:1", "ws://h:1/x?a=b", Some("wss://h:1/x?a=b")),
            ("https://h", "wss://h/x", Some("wss://h/x")),
            ("https://h", "http://h/x", None),
            ("http://h", "file:///x", None),
            ("http://h", "", None),
        ] {
            let found = told_by(&Url::parse(base).unwrap(), told);
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{base} {told}");
        }
    }
}
