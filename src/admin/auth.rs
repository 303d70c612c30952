//! Who may use the control plane.

use http::{HeaderMap, header};
use subtle::ConstantTimeEq as _;

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No token, or a wrong one.
    Token,
    /// Sent by a web page, through a browser on this machine.
    Browser,
}

/// Checks the bearer token (RFC 6750) in constant time. Without a token the control plane is on loopback, and what a
/// browser sends for a web page is turned away: it names an `Origin`, or a `Host` that is neither an address nor `localhost`
/// (DNS rebinding). Our own page, `/docs`, is not turned away: its `Origin` is the host that it asks.
pub fn check(token: Option<&str>, fields: &HeaderMap) -> Result<(), Denied> {
    let Some(token) = token else {
        let foreign = fields.contains_key(header::ORIGIN) && !is_own_page(fields) || !names_loopback(fields);
        return if foreign { Err(Denied::Browser) } else { Ok(()) };
    };
    let given = fields
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().split_at_checked(7))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
        .map_or(&b""[..], |(_, given)| given.trim_ascii());
    if bool::from(given.ct_eq(token.as_bytes())) { Ok(()) } else { Err(Denied::Token) }
}

/// Whether the request is from a page of this listener, which has no TLS.
fn is_own_page(fields: &HeaderMap) -> bool {
    let origin = fields.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()?.strip_prefix("http://"));
    let host = fields.get(header::HOST).and_then(|host| host.to_str().ok());
    origin.zip(host).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}

fn names_loopback(fields: &HeaderMap) -> bool {
    let Some(host) = fields.get(header::HOST).and_then(|host| host.to_str().ok()) else {
        // HTTP/2 has it in the target; browsers do not speak it without TLS.
        return true;
    };
    let Ok(authority) = host.parse::<http::uri::Authority>() else {
        return false;
    };
    let name = authority.host();
    name.eq_ignore_ascii_case("localhost")
        || name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn with(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_static(value));
        }
        fields
    }

    #[test]
    fn a_token_must_be_the_token() {
        for (value, expected) in [
            ("Bearer secret", Ok(())),
            ("bearer secret", Ok(())),
            ("Bearer secre", Err(Denied::Token)),
            ("Bearer secret2", Err(Denied::Token)),
            ("Basic secret", Err(Denied::Token)),
            ("secret", Err(Denied::Token)),
            ("", Err(Denied::Token)),
        ] {
            assert_eq!(check(Some("secret"), &with(&[("authorization", value)])), expected, "{value}");
        }
        assert_eq!(check(Some("secret"), &HeaderMap::new()), Err(Denied::Token));
    }

    #[test]
    fn without_a_token_web_pages_are_turned_away() {
        for (lines, expected) in [
            (vec![("host", "127.0.0.1:9090")], Ok(())),
            (vec![("host", "localhost:9090")], Ok(())),
            (vec![("host", "[::1]:9090")], Ok(())),
            (vec![], Ok(())),
            (vec![("host", "127.0.0.1:9090"), ("origin", "http://127.0.0.1:9090")], Ok(())),
            (vec![("host", "127.0.0.1:9090"), ("origin", "http://127.0.0.1:8080")], Err(Denied::Browser)),
            (vec![("host", "127.0.0.1:9090"), ("origin", "null")], Err(Denied::Browser)),
            (vec![("host", "a.example"), ("origin", "http://a.example")], Err(Denied::Browser)),
            (vec![("origin", "http://127.0.0.1:9090")], Err(Denied::Browser)),
            (vec![("host", "rebound.example:9090")], Err(Denied::Browser)),
            (vec![("host", "localhost, rebound.example")], Err(Denied::Browser)),
            (vec![("host", "")], Err(Denied::Browser)),
            (vec![("host", "127.0.0.1"), ("origin", "https://evil.example")], Err(Denied::Browser)),
        ] {
            assert_eq!(check(None, &with(&lines)), expected, "{lines:?}");
        }
    }
}
