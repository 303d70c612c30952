//! The settings of a remote origin.

use std::time::Duration;

use http::{HeaderMap, Uri};

use super::restraint::How as Restraint;
use crate::message::forwarded::Told;

/// One remote HTTP server.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// Its base: scheme `http` or `https`, authority, and a path prefix put before every request's path.
    pub base: Uri,
    /// Fields set on every request, over what the client sent: credentials and API keys. Values are marked
    /// sensitive.
    pub set_headers: HeaderMap,
    /// Query parameters set on every request, over what the client sent: name, value. Never part of a cache key.
    pub set_query: Vec<(String, String)>,
    /// Send the client's `Host` instead of the base's authority. Over HTTP/1.1 only: in HTTP/2 the host that is
    /// asked for and the one that is connected to are one field.
    pub preserve_host: bool,
    /// What it is told of clients.
    pub forwarded: Told,
    /// Which protocol to speak.
    pub protocol: Protocol,
    /// PEM file with further trusted roots, beside the system's.
    pub tls_ca: Option<std::path::PathBuf>,
    /// Time to connect, TLS handshake included.
    pub connect_timeout: Duration,
    /// Time from the sent request, or the last piece of its body, to the response's head.
    pub first_byte_timeout: Duration,
    /// Time without a body byte before the response counts as broken.
    pub idle_timeout: Duration,
    /// Idle connections kept for each host.
    pub max_idle_connections: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Requests at once to this origin; further ones wait up to `connect_timeout`, then the origin is busy.
    pub max_concurrent: usize,
    /// Bytes of a request body that are read before the request takes one of these; the rest streams.
    pub request_buffer: u64,
    /// Bytes of a response head.
    pub max_header_bytes: usize,
    /// Fields in a response head.
    pub max_header_count: usize,
    /// Bytes of a response body; a larger one breaks off.
    pub max_body_bytes: u64,
    /// Times that a safe request is sent again after no connection, or 502, 503, 504; within `first_byte_timeout` in all.
    pub retries: u32,
    /// The first wait between two; each is twice as long.
    pub retry_base: Duration,
    /// The longest.
    pub retry_max: Duration,
    /// When it is not asked.
    pub restraint: Restraint,
}

impl Config {
    /// The server at `base` as it is, within bounds that suit a few requests.
    pub fn plain(base: Uri) -> Self {
        Config {
            base,
            set_headers: HeaderMap::new(),
            set_query: Vec::new(),
            preserve_host: false,
            forwarded: Told::Nothing,
            protocol: Protocol::Auto,
            tls_ca: None,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(30),
            max_idle_connections: 1,
            keep_alive: Duration::from_secs(10),
            max_concurrent: 4,
            request_buffer: 64 << 10,
            max_header_bytes: 64 << 10,
            max_header_count: 100,
            max_body_bytes: 1 << 20,
            retries: 0,
            retry_base: Duration::from_millis(500),
            retry_max: Duration::from_secs(10),
            restraint: Restraint::default(),
        }
    }
}

/// Names what is set on requests, never the values: they are credentials.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headers: Vec<_> = self.set_headers.keys().map(http::HeaderName::as_str).collect();
        let query: Vec<_> = self.set_query.iter().map(|(name, _)| name).collect();
        f.debug_struct("Config")
            .field("base", &self.base)
            .field("set_headers", &headers)
            .field("set_query", &query)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// HTTP version towards an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 if ALPN offers it over TLS, else HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only; with prior knowledge on plain connections.
    Http2,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A configuration for tests of the parts.
    pub(in crate::origin::remote) fn config(base: &str) -> Config {
        Config {
            base: base.parse().unwrap(),
            set_headers: HeaderMap::new(),
            set_query: Vec::new(),
            preserve_host: false,
            forwarded: Told::Nothing,
            protocol: Protocol::Auto,
            tls_ca: None,
            connect_timeout: Duration::from_secs(1),
            first_byte_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
            max_idle_connections: 1,
            keep_alive: Duration::from_secs(1),
            max_concurrent: 1,
            request_buffer: 64 << 10,
            max_header_bytes: 1024,
            max_header_count: 10,
            max_body_bytes: 1024,
            retries: 0,
            retry_base: Duration::from_millis(500),
            retry_max: Duration::from_secs(10),
            restraint: Restraint::default(),
        }
    }
}
