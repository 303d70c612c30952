//! The settings of a listener.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// How a listener accepts and bounds connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The address to bind.
    pub listen: SocketAddr,
    /// Lets other processes of the same user bind the address too (`SO_REUSEPORT`), so that one can
    /// take over from another.
    pub reuse_port: bool,
    /// Connections that may wait in the kernel's queue. The system has a bound of its own.
    pub backlog: u32,
    /// Certificate chain and key in PEM. TLS is off without them.
    pub tls: Option<TlsFiles>,
    /// Connections at a time. Further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// Connections at a time from one IPv4 address or one IPv6 /64 network. Further ones are
    /// closed.
    pub max_connections_per_address: usize,
    /// Addresses without that bound, such as proxies, which bring the connections of many clients.
    pub crowded: Vec<IpNet>,
    /// Exchanges on one connection, which is then closed in an orderly way.
    pub max_requests_per_connection: usize,
    /// Time for a whole request head to arrive, and for the TLS handshake.
    pub header_read_timeout: Duration,
    /// Time that a connection may be idle: no byte in either direction, and no request in progress.
    /// Measured in quarters of it. Also the longest pause inside a request body.
    pub idle_timeout: Duration,
    /// Least rate of a request body in bytes a second, averaged over
    /// [`idle_timeout`](Self::idle_timeout).
    pub min_read_rate: u64,
    /// Least rate of a response in bytes a second, averaged in the same way.
    pub min_write_rate: u64,
    /// Bytes of a request head (request line and fields). A longer head gets 431.
    pub max_header_bytes: usize,
    /// Fields in a request head. A head with more gets 431.
    pub max_header_count: usize,
    /// HTTP/2 streams at a time on one connection.
    pub max_streams: u32,
    /// HTTP/2 streams that a peer may reset within a quarter of
    /// [`idle_timeout`](Self::idle_timeout).
    pub max_resets: u32,
    /// HTTP/2 frames outside of exchanges, such as SETTINGS and PING, within the same time.
    pub max_control_frames: u32,
    /// Time that current exchanges have to finish after the shutdown began.
    pub drain_grace: Duration,
}

/// The files of a TLS identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM certificate chain, leaf first.
    pub certificate: PathBuf,
    /// PEM private key of the leaf certificate.
    pub key: PathBuf,
}
