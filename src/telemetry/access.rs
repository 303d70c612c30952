//! The access log: one line for each exchange, written when the last byte of the response is sent
//! or the client disconnects.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::counters::{Count, Counters};
use crate::clock::{Clock, Stopwatch};
use crate::message::body::{Body, BodyError};
use crate::message::outcome::CacheOutcome;

/// Writes access lines and counts bytes sent.
#[derive(Clone)]
pub struct AccessLog {
    enabled: bool,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
}

/// The part of an access line that is known from the request.
pub struct Exchange {
    method: Method,
    target: Uri,
    version: Version,
    client: SocketAddr,
    started: Stopwatch,
}

impl Exchange {
    /// An exchange that begins with `request` from `client`.
    pub fn begin<B>(request: &Request<B>, client: SocketAddr) -> Self {
        Exchange {
            method: request.method().clone(),
            target: request.uri().clone(),
            version: request.version(),
            client,
            started: Stopwatch::start(),
        }
    }
}

impl AccessLog {
    /// A log that writes lines if `enabled`. It counts in any case.
    pub fn new(enabled: bool, counters: Arc<Counters>, clock: Arc<dyn Clock>) -> Self {
        AccessLog { enabled, counters, clock }
    }

    /// Writes the line at once if the body is in one piece, otherwise when the body ends. A
    /// response without a [`CacheOutcome`] is not one of the data plane.
    pub fn end(&self, exchange: Exchange, response: Response<Body>) -> Response<Body> {
        let outcome = response.extensions().get().copied();
        let mut line =
            Line { log: self.clone(), status: response.status(), exchange, outcome, bytes: 0, whole: false };
        let (head, body) = response.into_parts();
        let body = match body {
            Body::Empty => {
                line.whole = true;
                body
            }
            Body::Whole(ref bytes) => {
                line.bytes = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
                line.whole = true;
                body
            }
            streaming => Body::stream(Watched { body: streaming, line }),
        };
        Response::from_parts(head, body)
    }
}

impl AccessLog {
    /// Writes the line of a plain HTTP/1.1 GET that began at `started` and was answered whole at
    /// once.
    pub fn answered(
        &self,
        started: Stopwatch,
        target: &str,
        client: SocketAddr,
        outcome: CacheOutcome,
        sent: (StatusCode, u64),
    ) {
        let (status, bytes) = sent;
        let (took, now) = (started.elapsed(), self.clock.now());
        self.counters.add_many(Count::BytesSent, bytes);
        self.counters.tally().answered(outcome.result(), took, bytes, now);
        if self.enabled {
            write(
                Some(outcome),
                (&Method::GET, target, Version::HTTP_11),
                client,
                took,
                (status, bytes, true),
            );
        }
    }
}

fn write(
    outcome: Option<CacheOutcome>,
    (method, target, version): (&Method, impl std::fmt::Display, Version),
    client: SocketAddr,
    took: Duration,
    (status, bytes, whole): (StatusCode, u64, bool),
) {
    tracing::info!(
        target: "tintype::access",
        client = %client.ip(),
        method = %method,
        target_uri = %Told(target),
        version = ?version,
        status = status.as_u16(),
        bytes,
        ms = took.as_micros() as f64 / 1000.0,
        cache = outcome.map_or("-", CacheOutcome::x_cache),
        detail = outcome.and_then(CacheOutcome::detail).unwrap_or("-"),
        whole,
    );
}

/// Parameters whose values are left out: credentials, and private data of a capture.
const SECRET: [&str; 16] = [
    "access_key",
    "accessKey",
    "api_key",
    "apiKey",
    "apikey",
    "x_api_key",
    "token",
    "signature",
    "sig",
    "authorization",
    "cookies",
    "cookie",
    "headers",
    "header",
    "setExtraHTTPHeaders",
    "extraHttpHeaders",
];

/// Displays a target without the values of [`SECRET`] parameters.
struct Told<T>(T);

impl<T: std::fmt::Display> std::fmt::Display for Told<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use std::fmt::Write as _;
        write!(Masking { to: f, state: State::Path }, "{}", self.0)
    }
}

/// The position of a [`Masking`] writer in a target. A target comes in pieces, none of which ends
/// within the name of a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Path,
    Query,
}

struct Masking<'a, 'b> {
    to: &'a mut std::fmt::Formatter<'b>,
    state: State,
}

impl std::fmt::Write for Masking<'_, '_> {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        let mut rest = piece;
        if self.state == State::Path {
            let Some((path, query)) = rest.split_once('?') else { return self.to.write_str(rest) };
            self.state = State::Query;
            self.to.write_str(path)?;
            self.to.write_str("?")?;
            rest = query;
        }
        for (at, pair) in rest.split('&').enumerate() {
            if at > 0 {
                self.to.write_str("&")?;
            }
            match pair.split_once('=') {
                Some((name, value)) if SECRET.contains(&name) && !value.is_empty() => {
                    self.to.write_str(name)?;
                    self.to.write_str("=***")?;
                }
                _ => self.to.write_str(pair)?,
            }
        }
        Ok(())
    }
}

/// An access line, written when it is dropped.
struct Line {
    log: AccessLog,
    exchange: Exchange,
    outcome: Option<CacheOutcome>,
    status: StatusCode,
    bytes: u64,
    whole: bool,
}

impl Drop for Line {
    fn drop(&mut self) {
        let AccessLog { counters, clock, .. } = &self.log;
        counters.add_many(Count::BytesSent, self.bytes);
        if let Some(outcome) = self.outcome {
            counters.tally().answered(
                outcome.result(),
                self.exchange.started.elapsed(),
                self.bytes,
                clock.now(),
            );
        }
        if !self.log.enabled {
            return;
        }
        let Exchange { method, target, version, client, started } = &self.exchange;
        let sent = (self.status, self.bytes, self.whole);
        write(self.outcome, (method, target, *version), *client, started.elapsed(), sent);
    }
}

/// A streaming body that counts the bytes sent.
struct Watched {
    body: Body,
    line: Line,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.line.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.line.whole = self.body.is_end_stream();
            }
            Poll::Ready(None) => self.line.whole = true,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_who_asks_is_in_no_line() {
        for (target, told) in [
            ("/a", "/a"),
            ("/a?", "/a?"),
            ("/a?url=https://b.example/?token=x", "/a?url=https://b.example/?token=x"),
            ("/a?access_key=hunter2&url=x", "/a?access_key=***&url=x"),
            ("/a?url=x&signature=s&key=web&cookies=a%3Db", "/a?url=x&signature=***&key=web&cookies=***"),
            ("/a?token&sig=&x=%26", "/a?token&sig=&x=%26"),
        ] {
            assert_eq!(Told(target).to_string(), told);
            let uri: Uri = format!("http://h{target}").parse().expect("a target");
            assert_eq!(Told(&uri).to_string(), format!("http://h{told}"), "in pieces");
        }
    }
}
