//! HTTP/1.1 by hand: a client that sends exactly what it is told, and the reading of heads and bodies.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::within;

/// A start line and field lines as they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawHead {
    /// The request line or status line, without its line end.
    pub(crate) start: String,
    /// Field lines in order and case as sent; octets outside ASCII as Latin-1.
    pub(crate) fields: Vec<(String, String)>,
}

impl RawHead {
    /// The value of the first field line of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The status code of a response head, 0 for anything else.
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }
}

/// A response read from a [`RawClient`].
#[derive(Clone, Debug)]
pub(crate) struct RawResponse {
    /// Its head.
    pub(crate) head: RawHead,
    /// The body bytes that came.
    pub(crate) body: Vec<u8>,
    /// Whether the body came whole by its framing; a body framed by the connection's end counts as whole.
    pub(crate) complete: bool,
}

impl RawResponse {
    /// Its status code.
    pub(crate) fn status(&self) -> u16 {
        self.head.status()
    }

    /// The value of the first field line of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// Its body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client over one TCP connection that sends what it is told, byte for byte.
///
/// ```ignore
/// let mut client = RawClient::connect(address).await;
/// client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
/// let response = client.response().await;
/// assert!(response.complete);
/// client.closed().await;      // fails if the peer keeps the connection open
/// ```
pub(crate) struct RawClient {
    stream: BufReader<TcpStream>,
}

impl RawClient {
    /// Connects.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> impl Future<Output = Self> {
        within("a connection", async move {
            let stream = TcpStream::connect(address).await.expect("somebody listens");
            stream.set_nodelay(true).expect("a fresh socket");
            RawClient { stream: BufReader::new(stream) }
        })
    }

    /// Sends these bytes. A connection that is already gone shows in what is read afterwards.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> impl Future<Output = ()> {
        within("bytes to be sent", async move {
            let _gone = self.stream.get_mut().write_all(bytes.as_ref()).await;
        })
    }

    /// Sends a GET for `target` with `Host: test` and these field lines.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str, fields: &[(&str, &str)]) -> impl Future<Output = ()> {
        let mut head = format!("GET {target} HTTP/1.1\r\nHost: test\r\n");
        for (name, value) in fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(head + "\r\n")
    }

    /// Closes the sending half (TCP FIN) and keeps reading.
    pub(crate) async fn half_close(&mut self) {
        let _gone = self.stream.get_mut().shutdown().await;
    }

    /// Closes the connection with a TCP RST.
    pub(crate) fn reset(self) {
        let _gone = self.stream.get_ref().set_zero_linger();
    }

    /// Reads a response head; interim (1xx) ones are given like any other.
    #[track_caller]
    pub(crate) fn head(&mut self) -> impl Future<Output = RawHead> {
        within("a response head", async {
            read_head(&mut self.stream)
                .await
                .ok()
                .flatten()
                .expect("a response head before the connection's end")
        })
    }

    /// Reads a whole response to a GET; interim ones are skipped.
    #[track_caller]
    pub(crate) fn response(&mut self) -> impl Future<Output = RawResponse> {
        self.response_to("GET")
    }

    /// Reads a whole response to `method`, which says whether a body is to be expected.
    #[track_caller]
    pub(crate) fn response_to(&mut self, method: &str) -> impl Future<Output = RawResponse> {
        within("a response", async move {
            let head = loop {
                let head = self.head().await;
                if !(100..200).contains(&head.status()) {
                    break head;
                }
            };
            if method == "HEAD" || matches!(head.status(), 204 | 304) {
                return RawResponse { head, body: Vec::new(), complete: true };
            }
            let (body, complete) = read_body(&mut self.stream, &head, true).await.unwrap_or_default();
            RawResponse { head, body, complete }
        })
    }

    /// Reads a whole response to a GET; false if the peer closed before its first byte.
    pub(crate) async fn rest_or_response(&mut self) -> bool {
        match within("a response or the end", self.stream.fill_buf()).await {
            Ok([]) | Err(_) => false,
            Ok(_) => self.response().await.complete,
        }
    }

    /// Reads exactly `n` bytes of whatever comes, framing included.
    #[track_caller]
    pub(crate) fn bytes(&mut self, n: usize) -> impl Future<Output = Vec<u8>> {
        within("bytes", async move {
            let mut bytes = vec![0; n];
            self.stream.read_exact(&mut bytes).await.expect("bytes before the connection's end");
            bytes
        })
    }

    /// Everything that still comes until the peer closes or resets the connection.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> impl Future<Output = Vec<u8>> {
        within("the connection's end", async {
            let mut rest = Vec::new();
            let _reset = self.stream.read_to_end(&mut rest).await;
            rest
        })
    }

    /// Waits until the peer closes; fails if it sends anything before.
    #[track_caller]
    pub(crate) fn closed(&mut self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let rest = self.rest();
        async move {
            let rest = rest.await;
            assert!(rest.is_empty(), "{place}: unexpected bytes {:?}", String::from_utf8_lossy(&rest));
        }
    }
}

/// Reads a head up to its empty line; `None` if the peer closed before its first byte.
pub(super) async fn read_head(io: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<RawHead>> {
    let Some(start) = read_line(io).await? else { return Ok(None) };
    let mut head = RawHead { start, fields: Vec::new() };
    loop {
        let line = read_line(io).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some(head));
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        head.fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
}

/// Reads a body as its head frames it, and says whether it came whole. Without framing a response ends with the
/// connection and a request has none.
pub(super) async fn read_body(
    io: &mut (impl AsyncBufRead + Unpin),
    head: &RawHead,
    response: bool,
) -> io::Result<(Vec<u8>, bool)> {
    let mut body = Vec::new();
    if head.header("transfer-encoding").is_some_and(|te| te.eq_ignore_ascii_case("chunked")) {
        loop {
            let Ok(Some(line)) = read_line(io).await else { return Ok((body, false)) };
            let size = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = u64::from_str_radix(size, 16) else { return Ok((body, false)) };
            if size == 0 {
                while let Ok(Some(trailer)) = read_line(io).await {
                    if trailer.is_empty() {
                        return Ok((body, true));
                    }
                }
                return Ok((body, false));
            }
            if !take(io, size, &mut body).await || !matches!(read_line(io).await, Ok(Some(_))) {
                return Ok((body, false));
            }
        }
    }
    if let Some(length) = head.header("content-length").and_then(|n| n.parse().ok()) {
        let whole = take(io, length, &mut body).await;
        return Ok((body, whole));
    }
    let whole = !response || io.read_to_end(&mut body).await.is_ok();
    Ok((body, whole))
}

/// Appends `n` bytes to `body`; false if fewer came.
async fn take(io: &mut (impl AsyncBufRead + Unpin), n: u64, body: &mut Vec<u8>) -> bool {
    let before = body.len() as u64;
    let read = io.take(n).read_to_end(body).await;
    read.is_ok() && body.len() as u64 - before == n
}

/// A line without its end, octets as Latin-1; `None` at the end of the stream.
async fn read_line(io: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    io.read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        return if line.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line.into_iter().map(char::from).collect()))
}
