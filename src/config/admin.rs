//! Reads `[admin]`, the control plane.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::HeaderValue;

use super::problem::Kind;
use super::section::{Refusal, Section};
use super::server::address;
use super::tree::Node;
use super::words::{KIB, secs};
use crate::{admin, listener};

/// Default address of the control plane.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

const TOKEN: &str = "16 to 512 letters, digits and any of -._~+/= (RFC 6750 section 2.1)";

pub(super) fn read(mut s: Section<'_>, server: &listener::Config) -> Option<admin::Config> {
    let data_plane = server.listen;
    let enabled = s.flag("enabled", true);
    let listen = address(&mut s, LISTEN);
    let token = token(&mut s);
    let request_timeout = s.duration("request_timeout", secs(300), secs(1)..=secs(3600));
    let origins = "origins such as \"https://dashboard.example.com\"";
    let cors_origins = s.list("cors_origins", Vec::new(), origins, origin);
    if !enabled {
        // Without credentials, jobs on the data plane would be open to everybody.
        for name in ["token", "token_file"] {
            if s.is_given(name) {
                let allowed = "nothing, or enabled = true: without a control plane nobody is asked for it";
                s.refuse(name, Kind::Conflict, "a token, while enabled is false", allowed);
            }
        }
        return None;
    }
    let has_token = s.is_given("token") || s.is_given("token_file");
    if !cors_origins.is_empty() && !has_token {
        let allowed = "nothing, or a token or token_file: without one no web page may use the control plane";
        s.refuse("cors_origins", Kind::Conflict, "origins, without a token", allowed);
    }
    if !listen.ip().is_loopback() && !s.is_given("token") && !s.is_given("token_file") {
        let allowed = "token or token_file: the control plane is open to others than this machine";
        s.refuse("token", Kind::Missing, format!("no token, while listen is {listen}"), allowed);
    }
    let same_address =
        listen.ip() == data_plane.ip() || listen.ip().is_unspecified() || data_plane.ip().is_unspecified();
    if listen.port() == data_plane.port() && listen.port() != 0 && same_address {
        let allowed = format!("an address of its own: server.listen is {data_plane}");
        s.refuse("listen", Kind::Conflict, listen.to_string(), &allowed);
    }
    // Operators and monitors are few, so these bounds need no settings.
    let listener = listener::Config {
        listen,
        reuse_port: server.reuse_port,
        backlog: 128,
        tls: None,
        max_connections: 256,
        max_connections_per_address: 256,
        crowded: Vec::new(),
        max_requests_per_connection: 1_000_000,
        header_read_timeout: secs(10),
        idle_timeout: secs(60),
        min_read_rate: KIB,
        min_write_rate: KIB,
        max_header_bytes: usize::try_from(64 * KIB).unwrap_or(usize::MAX),
        max_header_count: 100,
        max_streams: 32,
        max_resets: 200,
        max_control_frames: 1000,
        drain_grace: secs(5),
    };
    Some(admin::Config { listener, token, request_timeout, cors_origins })
}

/// Reads an origin in the form of the `Origin` field of browsers.
fn origin(node: &Node) -> Result<HeaderValue, Refusal> {
    let text = node.text()?;
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.filter(|url| url.origin().ascii_serialization() == text);
    url.and_then(|_| HeaderValue::from_str(text).ok()).ok_or_else(|| Kind::Malformed.into())
}

fn token(s: &mut Section<'_>) -> Option<String> {
    let written = s.read_secret("token", TOKEN, |node| {
        let token = node.text()?;
        if is_token(token) { Ok(token.to_owned()) } else { Err(Kind::Malformed.into()) }
    });
    let file = s.file("token_file", "a file that holds the token");
    if s.is_given("token") && s.is_given("token_file") {
        s.refuse("token_file", Kind::Conflict, "token and token_file", "one of the two");
    }
    let Some(file) = file else { return written };
    match std::fs::read_to_string(&file) {
        Ok(text) if is_token(text.trim()) => Some(text.trim().to_owned()),
        Ok(_) => {
            let found = format!("a token of another form in {}", file.display());
            s.refuse("token_file", Kind::Malformed, found, &format!("a file that holds {TOKEN}"));
            None
        }
        Err(error) => {
            let found = format!("{} ({error})", file.display());
            s.refuse("token_file", Kind::NotFound, found, "a file that holds the token, as text");
            None
        }
    }
}

fn is_token(token: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    (16..=512).contains(&token.len()) && token.chars().all(is_part)
}
