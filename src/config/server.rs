//! Reads `[server]`, the listener and the bounds of the data plane.

use std::net::SocketAddr;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::addresses::public_url;
use super::certificates::has_certificate;
use super::problem::Kind;
use super::section::Section;
use super::words::{GIB, KIB, MIB, days, secs};
use crate::listener::{self, TlsFiles};
use crate::message::forwarded::Spelling;
use crate::policy::client::Trust;
use crate::policy::public_url::PublicUrl;

/// The settings of `[server]` that do not belong to the listener.
pub(super) struct Bounds {
    pub(super) pseudonym: String,
    pub(super) tell_key: bool,
    pub(super) max_uri_bytes: usize,
    pub(super) max_request_body: u64,
    pub(super) trust: Trust,
    pub(super) watch_config: bool,
    pub(super) public_url: Option<PublicUrl>,
}

/// Default address of the data plane.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

pub(super) fn read(mut s: Section<'_>) -> (listener::Config, Bounds) {
    let mut listener = listener::Config {
        listen: address(&mut s, LISTEN),
        reuse_port: s.flag("reuse_port", false),
        backlog: s.number("backlog", 1024, 1..=65_535),
        tls: tls(&mut s),
        max_connections: s.number("max_connections", 10_000, 1..=1_000_000),
        max_connections_per_address: s.number("max_connections_per_address", 1000, 1..=1_000_000),
        // Set after the trusted proxies have been read.
        crowded: Vec::new(),
        max_requests_per_connection: s.number("max_requests_per_connection", 100_000, 1..=1_000_000_000_000),
        header_read_timeout: s.duration(
            "header_read_timeout",
            secs(10),
            Duration::from_millis(100)..=secs(600),
        ),
        idle_timeout: s.duration("idle_timeout", secs(60), secs(1)..=days(1)),
        min_read_rate: s.size("min_read_rate", KIB, 0..=MIB),
        min_write_rate: s.size("min_write_rate", KIB, 0..=MIB),
        // The HTTP/1 codec takes no buffer below 8 KiB.
        max_header_bytes: s.size("max_header_bytes", 64 * KIB, 8 * KIB..=MIB),
        max_header_count: s.number("max_header_count", 100, 8..=4096),
        max_streams: s.number("max_streams", 128, 1..=10_000),
        max_resets: s.number("max_resets", 200, 1..=1_000_000),
        max_control_frames: s.number("max_control_frames", 1000, 10..=1_000_000),
        drain_grace: s.duration("drain_grace", secs(30), Duration::ZERO..=secs(3600)),
    };
    let bounds = Bounds {
        pseudonym: pseudonym(&mut s),
        tell_key: s.flag("cache_status_key", false),
        // The longest request target that the `http` crate holds is 65534 bytes.
        max_uri_bytes: s.size("max_uri_bytes", 16 * KIB, 256..=65_534),
        max_request_body: s.size("max_request_body", 16 * MIB, 0..=64 * GIB),
        trust: Trust {
            ranges: s.list(
                "trusted_proxies",
                Vec::new(),
                "an address such as \"127.0.0.1\" or a range such as \"10.0.0.0/8\"",
                super::addresses::range,
            ),
            spelling: s.choice(
                "trusted_field",
                [("x-forwarded-for", Spelling::XForwardedFor), ("forwarded", Spelling::Forwarded)],
            ),
        },
        watch_config: s.flag("watch_config", false),
        public_url: public_url(&mut s),
    };
    listener.crowded.clone_from(&bounds.trust.ranges);
    if bounds.max_uri_bytes > listener.max_header_bytes {
        let found = format!("{} bytes", bounds.max_uri_bytes);
        let allowed = format!("at most max_header_bytes, which is {} bytes", listener.max_header_bytes);
        s.refuse("max_uri_bytes", Kind::Conflict, found, &allowed);
    }
    (listener, bounds)
}

/// Reads `listen`, an address and a port.
pub(super) fn address(s: &mut Section<'_>, default: SocketAddr) -> SocketAddr {
    const ALLOWED: &str =
        "an IP address and a port, such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"";
    let read = s.read("listen", Some(format!("\"{default}\"")), ALLOWED, |node| {
        let text = node.text()?;
        text.trim()
            .parse::<SocketAddr>()
            .map_err(|_| super::section::Refusal { kind: Kind::Malformed, help: nearest_address(text) })
    });
    read.unwrap_or(default)
}

fn nearest_address(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port: u16 = port.parse().ok()?;
    let host = match host {
        "" | "*" => "0.0.0.0",
        "localhost" => "127.0.0.1",
        _ => return None,
    };
    Some(format!("did you mean \"{host}:{port}\"?"))
}

fn tls(s: &mut Section<'_>) -> Option<TlsFiles> {
    let certificate = s.file("tls_certificate", "a PEM file with the certificate chain, leaf first");
    let key = s.file("tls_key", "a PEM file with the private key");
    for (given, other) in [("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")] {
        if s.is_given(given) && !s.is_given(other) {
            s.refuse(other, Kind::Missing, "nothing", &format!("a path, because {given} is set"));
        }
    }
    let (certificate, key) = (certificate?, key?);
    if !has_certificate(&certificate) {
        let found = format!("no certificate in {}", certificate.display());
        s.refuse("tls_certificate", Kind::Malformed, found, "a PEM file with at least one certificate");
    }
    if PrivateKeyDer::from_pem_file(&key).is_err() {
        let found = format!("no private key in {}", key.display());
        s.refuse("tls_key", Kind::Malformed, found, "a PEM file with a PKCS#8, PKCS#1 or SEC1 key");
    }
    Some(TlsFiles { certificate, key })
}

/// Reads a token for `Via` (RFC 9110 section 7.6.3) and `Cache-Status` (RFC 9211 section 2).
fn pseudonym(s: &mut Section<'_>) -> String {
    const DEFAULT: &str = "tintype";
    let allowed = "a name of 1 to 64 letters, digits, '.', '-' and '_' that begins with a letter";
    let read = s.read("pseudonym", Some(format!("{DEFAULT:?}")), allowed, |node| {
        let name = node.text()?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let good = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(is_part)
            && name.len() <= 64;
        if good { Ok(name.to_owned()) } else { Err(Kind::Malformed.into()) }
    });
    read.unwrap_or_else(|| DEFAULT.to_owned())
}
