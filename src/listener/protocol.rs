//! Detects the HTTP version of a connection, and configures hyper for each.

use std::io;

use bytes::BufMut;
use hyper::server::conn::{http1, http2};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::config::Config;
use super::streams::Accepted;

/// The connection preface of HTTP/2 (RFC 9113 section 3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes that are read to detect the version. Most first heads fit.
const AHEAD: usize = 2048;

/// Number of fields up to which hyper parses a head on the stack.
const HEADERS_ON_STACK: usize = 100;

/// hyper's default bound of its buffers. A longer request head raises it.
const BUFFER: usize = 408 * 1024;

/// The HTTP versions that a connection can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// Reads until it is clear whether the peer sent the preface of HTTP/2. Returns the bytes read.
pub(super) async fn detect(io: &mut (impl AsyncRead + Unpin)) -> io::Result<(Version, Vec<u8>)> {
    let mut ahead = Vec::with_capacity(AHEAD);
    loop {
        let n = io.read_buf(&mut (&mut ahead).limit(AHEAD)).await?;
        match version(&ahead, n == 0) {
            Some(version) => return Ok((version, ahead)),
            None => continue,
        }
    }
}

/// The version of a connection that begins with `bytes`, once that is clear.
fn version(bytes: &[u8], ended: bool) -> Option<Version> {
    if bytes.starts_with(PREFACE) {
        Some(Version::Http2)
    } else if ended || !PREFACE.starts_with(bytes) {
        Some(Version::Http1)
    } else {
        None
    }
}

/// hyper's configuration for the connections of one listener.
#[derive(Clone)]
pub(super) struct Protocols {
    pub(super) http1: http1::Builder,
    /// Bytes of all fields of a request, and streams at a time.
    header_list: u32,
    max_streams: u32,
}

impl Protocols {
    pub(super) fn new(config: &Config) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            // A peer may close its sending half and still read the response.
            .half_close(true)
            // `connection` has a timer of its own. hyper's allocates for each request and runs on
            // idle connections too.
            .header_read_timeout(None)
            .max_header_size(config.max_header_bytes)
            .max_buf_size(BUFFER.max(config.max_header_bytes));
        // Any other count makes hyper allocate for each request.
        if config.max_header_count != HEADERS_ON_STACK {
            http1.max_headers(config.max_header_count);
        }

        // Each field counts 32 bytes more than its text (RFC 9113 section 6.5.2).
        let list = config.max_header_bytes.saturating_add(config.max_header_count.saturating_mul(32));
        let header_list = u32::try_from(list).unwrap_or(u32::MAX);
        Protocols { http1, header_list, max_streams: config.max_streams }
    }

    /// A builder for a connection whose streams go to `accepted`.
    pub(super) fn http2(&self, accepted: Accepted) -> http2::Builder<Accepted> {
        let mut http2 = http2::Builder::new(accepted);
        http2
            .max_concurrent_streams(self.max_streams)
            .max_header_list_size(self.header_list)
            // Request bodies are rare and small here. These windows bound the memory of an upload.
            .initial_stream_window_size(256 * 1024)
            .initial_connection_window_size(1024 * 1024)
            .max_send_buf_size(256 * 1024)
            // Streams that a peer may open and reset at once, or make us reset, before the
            // connection ends.
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(256);
        http2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_version() {
        for (bytes, ended, expected) in [
            (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], false, Some(Version::Http2)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0", false, Some(Version::Http2)),
            (b"GET / HTTP/1.1\r\n", false, Some(Version::Http1)),
            (b"PRI * HTTP/1.1\r\n", false, Some(Version::Http1)),
            (b"P", false, None),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", false, None),
            (b"PR", true, Some(Version::Http1)),
            (b"", true, Some(Version::Http1)),
            (b"", false, None),
        ] {
            assert_eq!(version(bytes, ended), expected, "{bytes:?}");
        }
    }
}
