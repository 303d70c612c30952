//! Reads `[upstream.NAME]` of kind `remote`, an HTTP server.

use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::certificates::certificates;
use super::problem::Kind;
use super::section::Section;
use super::words::{GIB, KIB, MIB, TIB, days, read_duration, secs};
use crate::message::forwarded::Told;
use crate::origin::remote::{Budget, Config, Protocol, Restraint};

pub(super) fn read(mut s: Section<'_>) -> Config {
    let preserve_host = s.flag("preserve_host", false);
    let protocol = s.choice(
        "protocol",
        [("auto", Protocol::Auto), ("http1", Protocol::Http1), ("http2", Protocol::Http2)],
    );
    if preserve_host && protocol == Protocol::Http2 {
        // In HTTP/2 the requested host and the host of the connection are one field.
        s.refuse("protocol", Kind::Conflict, "\"http2\" with preserve_host", "\"auto\" or \"http1\"");
    }
    Config {
        base: base(&mut s),
        set_headers: set_headers(s.table("set_headers")),
        set_query: set_query(s.table("set_query")),
        preserve_host,
        forwarded: s.choice(
            "forwarded",
            [
                ("none", Told::Nothing),
                ("x-forwarded", Told::XForwarded),
                ("rfc7239", Told::Rfc7239),
                ("both", Told::Both),
            ],
        ),
        protocol,
        tls_ca: certificates(&mut s, "tls_ca"),
        connect_timeout: s.duration("connect_timeout", secs(5), millis(10)..=secs(300)),
        first_byte_timeout: s.duration("first_byte_timeout", secs(30), millis(10)..=secs(3600)),
        idle_timeout: s.duration("idle_timeout", secs(30), millis(10)..=secs(3600)),
        max_idle_connections: s.number("max_idle_connections", 32, 0..=10_000),
        keep_alive: s.duration("keep_alive", secs(60), secs(1)..=secs(3600)),
        max_concurrent: s.number("max_concurrent", 256, 1..=100_000),
        request_buffer: s.size("request_buffer", 64 * KIB, 0..=16 * MIB),
        // The HTTP/1 codec takes no buffer below 8 KiB.
        max_header_bytes: s.size("max_header_bytes", 64 * KIB, 8 * KIB..=MIB),
        max_header_count: s.number("max_header_count", 100, 8..=4096),
        max_body_bytes: s.size("max_body_bytes", GIB, KIB..=TIB),
        retries: s.number("retries", 0, 0..=10),
        retry_base: s.duration("retry_base", millis(500), millis(1)..=secs(60)),
        retry_max: s.duration("retry_max", secs(10), millis(1)..=secs(600)),
        restraint: Restraint {
            max_retry_after: s.duration("max_retry_after", secs(300), Duration::ZERO..=days(1)),
            threshold: s.number("breaker_threshold", 0, 0..=10_000),
            reset: s.duration("breaker_reset", secs(300), millis(10)..=days(1)),
            budget: budget(&mut s),
        },
    }
}

/// Reads `budget`: a number of requests in a period.
fn budget(s: &mut Section<'_>) -> Option<Budget> {
    s.read("budget", None, "calls in a stretch of time, such as \"50/day\" or \"1000/30days\"", |node| {
        let (calls, per) = node.text()?.split_once('/').ok_or(Kind::Malformed)?;
        let calls = calls.trim().parse().ok().filter(|calls| *calls > 0).ok_or(Kind::Malformed)?;
        let per = per.trim();
        let per =
            if per.starts_with(|c: char| c.is_ascii_digit()) { per.to_owned() } else { format!("1{per}") };
        let per = read_duration(&per).filter(|per| *per >= secs(1)).ok_or(Kind::Malformed)?;
        Ok(Budget { calls, per })
    })
}

const fn millis(millis: u64) -> std::time::Duration {
    std::time::Duration::from_millis(millis)
}

/// Reads `url`. It is not shown, because queries and user info often hold credentials.
fn base(s: &mut Section<'_>) -> Uri {
    const ALLOWED: &str = "http:// or https://, a host, and perhaps a port and a path prefix";
    let text = s.read("url", None, ALLOWED, |node| Ok(node.text()?.to_owned()));
    let Some(text) = text else {
        if !s.is_given("url") {
            s.refuse("url", Kind::Missing, "nothing", ALLOWED);
        }
        return Uri::default();
    };
    let mut refuse = |found: &str, help: &str| {
        let help = Some(help.to_owned());
        s.refuse_with_help("url", Kind::Malformed, found, ALLOWED, help);
        Uri::default()
    };
    if text.contains(['?', '#']) {
        return refuse("a URL with a query or fragment", "put query parameters into set_query");
    }
    if text.contains('@') {
        return refuse("a URL with user info", "put credentials into set_headers.authorization");
    }
    let found = format!("{text:?}");
    let Ok(uri) = text.parse::<Uri>() else {
        return refuse(&found, "check for spaces and letters that a URL must escape");
    };
    let is_http = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    match uri.host() {
        Some(host) if is_http && !host.is_empty() => {}
        _ => return refuse(&found, "begin with http:// or https://, such as \"https://api.example.com\""),
    }
    let has_port = uri.authority().is_some_and(|a| a.as_str().len() > uri.host().map_or(0, str::len));
    if has_port && uri.port_u16().is_none_or(|port| port == 0) {
        return refuse(&found, "a port is a number from 1 to 65535");
    }
    if uri.path().split('/').any(|segment| matches!(segment, "." | "..")) {
        return refuse(&found, "write the path without . and .. segments");
    }
    uri
}

/// Fields that frame or route a message or select a part of it. The proxy sets them for each
/// request.
const RESERVED: [HeaderName; 16] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    header::VIA,
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::PROXY_AUTHORIZATION,
];

fn set_headers(mut s: Section<'_>) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for key in s.names() {
        let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else {
            s.refuse_entry(&key, Kind::Malformed, format!("{key:?}"), "the name of a header field");
            s.forget(&key);
            continue;
        };
        if RESERVED.contains(&name) {
            let allowed = "a field that the proxy does not set itself (for Host see preserve_host)";
            s.refuse_entry(&key, Kind::Conflict, format!("{key:?}"), allowed);
        }
        if fields.contains_key(&name) {
            s.refuse_entry(&key, Kind::Conflict, format!("{key:?}, once more"), "each field once");
        }
        let value = s.read_secret(&key, "visible text without line breaks, as a header field has", |node| {
            HeaderValue::from_str(node.text()?).map_err(|_| Kind::Malformed.into())
        });
        if let Some(mut value) = value {
            value.set_sensitive(true);
            fields.insert(name, value);
        }
    }
    fields
}

fn set_query(mut s: Section<'_>) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    for name in s.names() {
        let value = s.read_secret(&name, "a string", |node| Ok(node.text()?.to_owned()));
        parameters.extend(value.map(|value| (name, value)));
    }
    parameters
}
