//! How a listener accepts and bounds connections.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// How a listener accepts and bounds connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Address to bind.
    pub listen: SocketAddr,
    /// Other processes of the same user may bind the address too (`SO_REUSEPORT`), so that one can take over from another.
    pub reuse_port: bool,
    /// Connections that may wait in the kernel's queue; the system has a bound of its own.
    pub backlog: u32,
    /// Certificate chain and key in PEM; TLS is off without.
    pub tls: Option<TlsFiles>,
    /// Connections at once; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// Connections at once from one IPv4 address, or one IPv6 network of 64 bits; further ones are closed at once.
    pub max_connections_per_address: usize,
    /// Addresses that may have more: of proxies, whose connections are those of many.
    pub crowded: Vec<IpNet>,
    /// Exchanges on one connection; then it ends in order.
    pub max_requests_per_connection: usize,
    /// Time for a request head to arrive whole, also for the TLS handshake.
    pub header_read_timeout: Duration,
    /// Time that a connection may sit without a byte in either direction while nothing is asked of the handler;
    /// told to a quarter of it. Also the longest pause inside a request body.
    pub idle_timeout: Duration,
    /// Bytes a second in which a request body has to come, on average over [`idle_timeout`](Self::idle_timeout).
    pub min_read_rate: u64,
    /// The same for an answer that is on its way.
    pub min_write_rate: u64,
    /// Bytes of a request head (request line and fields); 431 beyond.
    pub max_header_bytes: usize,
    /// Fields in a request head; 431 beyond.
    pub max_header_count: usize,
    /// HTTP/2 streams at once on one connection.
    pub max_streams: u32,
    /// HTTP/2 streams that a peer may reset, within a quarter of [`idle_timeout`](Self::idle_timeout).
    pub max_resets: u32,
    /// SETTINGS, PING and other frames of HTTP/2 outside of exchanges, within the same time.
    pub max_control_frames: u32,
    /// Time that current exchanges have to finish after shutdown began.
    pub drain_grace: Duration,
}

/// Files of a TLS identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM certificate chain, leaf first.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}
