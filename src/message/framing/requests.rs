//! Strict parsing of the requests on a client connection.

use super::head::HeadKind;
use super::message::Message;
use super::violation::Violation;

/// Follows the requests on one client connection.
pub(crate) struct Requests(Message);

/// A violation and its position.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Bytes before the invalid line or chunk.
    pub(crate) before: usize,
    pub(crate) how: Violation,
}

impl Requests {
    pub(crate) fn new() -> Self {
        Requests(Message::new(HeadKind::Request))
    }

    /// Whether the next byte begins a request.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn is_between(&self) -> bool {
        self.0.is_new()
    }

    /// Follows received `bytes`. The caller bounds heads and bodies.
    pub(crate) fn heard(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut used = 0;
        while used < bytes.len() {
            let fed = self.0.feed_from(&mut used, bytes, usize::MAX, &mut |head| head.request_extent());
            fed.map_err(|how| Broken { before: used, how })?;
            if self.0.is_done() {
                self.0 = Message::new(HeadKind::Request);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &str) -> Result<(), (usize, Violation)> {
        Requests::new().heard(bytes.as_bytes()).map_err(|broken| (broken.before, broken.how))
    }

    #[test]
    fn pipelined_requests_are_followed() {
        let all = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.0\r\ncontent-LENGTH: 003 \r\n\r\nabc\
                   PUT * HTTP/1.1\r\nTransfer-Encoding:\tChunked\r\n\r\n1;x=y\r\na\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        assert_eq!(heard(all), Ok(()));
        let mut one_by_one = Requests::new();
        all.as_bytes().chunks(1).for_each(|byte| assert_eq!(one_by_one.heard(byte), Ok(())));
        assert!(one_by_one.is_between());
        // The bytes before the invalid line are valid.
        let bad = format!("{all}GET / HTTP/1.1\n");
        assert_eq!(heard(&bad), Err((all.len(), Violation::LineEnd)));
    }

    #[test]
    fn ambiguous_request_is_refused() {
        use Violation::{Both, Chunk, Coding, Field, Length, LineEnd, StartLine};
        let start = "POST / HTTP/1.1\r\n";
        for (bytes, expected) in [
            ("GET / HTTP/1.1\n".to_owned(), LineEnd),
            ("\nGET / HTTP/1.1\r\n".to_owned(), LineEnd),
            (format!("{start}X: a\n"), LineEnd),
            (format!("{start}\n"), LineEnd),
            ("GET /\r\n".to_owned(), StartLine),
            ("GET  / HTTP/1.1\r\n".to_owned(), StartLine),
            ("GET / HTTP/1.1 \r\n".to_owned(), StartLine),
            ("GET / HTTP/1.2\r\n".to_owned(), StartLine),
            ("GET / http/1.1\r\n".to_owned(), StartLine),
            ("GET /\t HTTP/1.1\r\n".to_owned(), StartLine),
            ("GET /a#b HTTP/1.1\r\n".to_owned(), StartLine),
            ("G(T / HTTP/1.1\r\n".to_owned(), StartLine),
            (" / HTTP/1.1\r\n".to_owned(), StartLine),
            (format!("{start}X: a\r\n b\r\n"), Field),
            (format!("{start}X : a\r\n"), Field),
            (format!("{start}X: a\rb\r\n"), Field),
            (format!("{start}X: a\0\r\n"), Field),
            (format!("{start}Content-Length: 1\r\nContent-Length: 1\r\n"), Length),
            (format!("{start}Content-Length: 1, 1\r\n"), Length),
            (format!("{start}Content-Length: +1\r\n"), Length),
            (format!("{start}Transfer-Encoding: gzip, chunked\r\n"), Coding),
            (format!("{start}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), Coding),
            (format!("{start}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), Both),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), Coding),
            (format!("{start}Transfer-Encoding: chunked\r\n\r\n1\n"), Chunk),
            (format!("{start}Transfer-Encoding: chunked\r\n\r\n0\r\n\n"), Chunk),
        ] {
            assert_eq!(heard(&bytes).map_err(|(_, how)| how), Err(expected), "{bytes:?}");
        }
    }
}
