//! Strict checks of HTTP/1.1 framing (RFC 9112) beside hyper: [`Watch`] on the origin side,
//! [`Requests`] on the client side.
//!
//! hyper is lenient: it ignores a `Content-Length` beside `Transfer-Encoding`, passes unknown
//! codings on, and treats bytes after a response as the end of the connection only. A cache must
//! not store such responses. [`Watch`] sees every byte in both directions and follows where
//! messages begin and end. It closes the connection at the first violation, before hyper has read
//! the last bytes of the response.

mod chunks;
mod head;
mod message;
mod requests;
mod violation;

pub(crate) use head::content_length;
pub(crate) use requests::Requests;
pub(crate) use violation::Violation;

use head::Extent;
use message::Message;

/// Limit on the interim responses (1xx) before one final response.
const MAX_INTERIM: usize = 100;

/// Follows the exchanges on one origin connection.
pub(crate) struct Watch {
    request: Message,
    response: Message,
    /// The first bytes of the request: enough to recognise HEAD.
    method: Vec<u8>,
    /// The final response has not ended yet.
    awaited: bool,
    /// The connection must not be used any more.
    over: bool,
    interims: usize,
    limit: usize,
}

impl Watch {
    /// The state of a new connection. `limit` bounds the bytes of a response's head, and of its
    /// trailers.
    pub(crate) fn new(limit: usize) -> Self {
        Watch {
            request: Message::request(),
            response: Message::response(),
            method: Vec::with_capacity(HEAD_METHOD.len()),
            awaited: false,
            over: false,
            interims: 0,
            limit,
        }
    }

    /// Whether the next byte sent begins a request.
    pub(crate) fn is_between(&self) -> bool {
        !self.awaited && self.request.is_new()
    }

    /// Whether a response has ended, so that no byte may follow it.
    pub(crate) fn is_done(&self) -> bool {
        self.response.is_done() && !self.over
    }

    /// Whether no more bytes may be sent or received on this connection.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Follows `bytes` that were sent.
    pub(crate) fn sent(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while !bytes.is_empty() {
            if self.request.is_new() {
                if self.awaited {
                    return Err(Violation::Order);
                }
                self.awaited = true;
                self.interims = 0;
                self.method.clear();
                self.response = Message::response();
            }
            let missing = HEAD_METHOD.len() - self.method.len();
            self.method.extend_from_slice(&bytes[..missing.min(bytes.len())]);
            let used = self.request.feed(bytes, usize::MAX, |head| head.request_extent())?;
            bytes = &bytes[used..];
            if self.request.is_done() {
                self.request = Message::request();
            }
        }
        Ok(())
    }

    /// Follows received `bytes`, and returns how many of them to pass on; none if the connection is
    /// over.
    ///
    /// # Errors
    /// The response violates the framing: pass none of the bytes on.
    pub(crate) fn heard(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let mut used = 0;
        while used < bytes.len() && !self.over {
            if !self.awaited {
                return Err(Violation::Surplus);
            }
            let Watch { response, method, interims, over, .. } = self;
            used += response.feed(&bytes[used..], self.limit, |head| {
                let extent = head.response_extent(method == HEAD_METHOD)?;
                match extent {
                    Extent::Interim if *interims == MAX_INTERIM => return Err(Violation::Interims),
                    Extent::Interim => *interims += 1,
                    // Content may follow where none is allowed, so later bytes are not a response.
                    Extent::Unsound => *over = true,
                    _ => {}
                }
                Ok(extent)
            })?;
            if self.response.is_done() {
                self.awaited = false;
            }
        }
        Ok(used)
    }
}

const HEAD_METHOD: &[u8] = b"HEAD ";

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: o\r\n\r\n";

    fn answered(request: &[u8], response: &[u8]) -> Result<(usize, bool, bool), Violation> {
        let mut watch = Watch::new(1000);
        watch.sent(request)?;
        let used = watch.heard(response)?;
        Ok((used, watch.is_between(), watch.is_over()))
    }

    #[test]
    fn response_end_is_found_for_each_framing() {
        let put = b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
        let chunked = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        let head = b"HEAD / HTTP/1.1\r\n\r\n";
        for (request, response, ended) in [
            (GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", true),
            (GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", false),
            (GET, "HTTP/1.1 200\r\ncontent-length: 02, 2\r\nContent-Length:2\r\n\r\nab", true),
            (GET, "HTTP/1.1 200 OK\nContent-Length: 0\n\n", true),
            (GET, "HTTP/1.1 200 OK\r\n\r\nanything", false),
            (GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", true),
            (GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: 1\r\n\r\n", true),
            (GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: 1\r\n", false),
            (GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", true),
            (GET, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", true),
            (head, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true),
            (head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            (GET, "HTTP/1.1 100 Continue\r\n\r\n", false),
            (GET, "HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
            (put, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", true),
            (chunked, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", true),
            (&put[..39], "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n", false),
        ] {
            let expected = Ok((response.len(), ended, false));
            assert_eq!(answered(request, response.as_bytes()), expected, "{response}");
            // The result does not depend on how the bytes are split into reads.
            let mut watch = Watch::new(1000);
            request.chunks(1).for_each(|byte| watch.sent(byte).expect("a request"));
            for byte in response.as_bytes().chunks(1) {
                assert_eq!(watch.heard(byte), Ok(1), "{response}");
            }
            assert_eq!(watch.is_between(), ended, "{response}");
        }
    }

    #[test]
    fn bytes_after_response_are_surplus() {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        for surplus in ["c", "\r\n", ok] {
            assert_eq!(answered(GET, format!("{ok}{surplus}").as_bytes()), Err(Violation::Surplus));
        }
        let mut watch = Watch::new(1000);
        assert_eq!(watch.heard(b"220 hello"), Err(Violation::Surplus));
        for _ in 0..2 {
            assert_eq!((watch.is_between(), watch.sent(GET)), (true, Ok(())));
            assert_eq!(watch.heard(ok.as_bytes()), Ok(ok.len()));
        }
        assert_eq!(watch.heard(b"c"), Err(Violation::Surplus));
        // A response that ends before its request does also makes later bytes a surplus.
        let mut watch = Watch::new(1000);
        assert_eq!(watch.sent(b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\na"), Ok(()));
        assert_eq!((watch.heard(ok.as_bytes()), watch.is_between()), (Ok(ok.len()), false));
        assert_eq!((watch.sent(b"bc"), watch.is_between()), (Ok(()), true));
    }

    #[test]
    fn no_content_response_with_length_ends_connection() {
        for field in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            let head = format!("HTTP/1.1 204 No Content\r\n{field}\r\n\r\n");
            let all = format!("{head}hello");
            assert_eq!(answered(GET, all.as_bytes()), Ok((head.len(), true, true)), "{field}");
        }
    }

    #[test]
    fn interim_responses_over_limit_are_refused() {
        let interim = "HTTP/1.1 102 Processing\r\n\r\n";
        assert_eq!(answered(GET, interim.repeat(101).as_bytes()), Err(Violation::Interims));
        let with = |field| format!("HTTP/1.1 103 Early\r\n{field}\r\n\r\n");
        for field in ["Content-Length: 1", "Transfer-Encoding: chunked"] {
            assert_eq!(answered(GET, with(field).as_bytes()), Err(Violation::InterimContent));
        }
    }

    #[test]
    fn request_before_response_is_refused() {
        let mut watch = Watch::new(1000);
        assert_eq!((watch.sent(GET), watch.sent(GET)), (Ok(()), Err(Violation::Order)));
    }
}
