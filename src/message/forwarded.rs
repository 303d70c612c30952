//! The path of a request through proxies: `X-Forwarded-For` and `Forwarded` (RFC 7239).

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::fields;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The addresses from the client to the peer of the connection. It is an extension of the request
/// head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain(Vec<Option<IpAddr>>);

impl Chain {
    /// A chain from `addresses`, the last hop first; `None` for an unknown address.
    pub fn from_last(addresses: impl IntoIterator<Item = Option<IpAddr>>) -> Self {
        let mut chain: Vec<_> =
            addresses.into_iter().map(|address| address.map(|address| address.to_canonical())).collect();
        chain.reverse();
        Chain(chain)
    }

    /// The number of proxies that named the address before them.
    pub fn hops(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// The address of the client. If it is unknown, the unspecified address, which no list of
    /// allowed addresses contains.
    pub fn client(&self) -> IpAddr {
        self.0.first().copied().flatten().unwrap_or(IpAddr::from([0, 0, 0, 0]))
    }
}

/// Which field names the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// `X-Forwarded-For`, the de facto standard.
    #[default]
    XForwardedFor,
    /// The field `Forwarded` (RFC 7239).
    Forwarded,
}

impl Spelling {
    /// The name of the field.
    pub fn name(self) -> HeaderName {
        match self {
            Spelling::XForwardedFor => X_FORWARDED_FOR,
            Spelling::Forwarded => header::FORWARDED,
        }
    }
}

/// The addresses in `fields`, the last one first; `None` for one that cannot be parsed.
pub fn told_from_last(fields: &HeaderMap, spelling: Spelling) -> impl Iterator<Item = Option<IpAddr>> {
    let mut told: Vec<_> = fields::list(fields, &spelling.name())
        .map(|member| {
            let text = std::str::from_utf8(member).ok()?;
            match spelling {
                Spelling::XForwardedFor => address(text),
                Spelling::Forwarded => text.split(';').find_map(of_pair),
            }
        })
        .collect();
    told.reverse();
    told.into_iter()
}

/// The unquoted value of the parameter `name` in one element of `Forwarded`.
pub fn parameter(element: &str, name: &str) -> Option<String> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    Some(bare.to_owned())
}

/// The address in a `for` parameter of `Forwarded`.
fn of_pair(pair: &str) -> Option<IpAddr> {
    let (name, value) = pair.trim().split_once('=')?;
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    name.eq_ignore_ascii_case("for").then(|| address(value)).flatten()
}

/// Parses an address with optional brackets and an optional port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// Which fields describe the client to an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    /// No field is sent.
    #[default]
    Nothing,
    /// `X-Forwarded-For`, `-Proto`, and `-Host` where the host is part of the cache key.
    XForwarded,
    /// `Forwarded` (RFC 7239) with the same content.
    Rfc7239,
    /// `Forwarded` and the `X-Forwarded` fields.
    Both,
}

impl Told {
    /// Sets the fields in `sent`. `host` may be given only if it is part of the cache key.
    pub fn set(self, sent: &mut HeaderMap, chain: &Chain, secure: bool, host: Option<&str>) {
        let proto = if secure { "https" } else { "http" };
        let names = |of: fn(&Option<IpAddr>) -> String| chain.0.iter().map(of).collect::<Vec<_>>().join(", ");
        let mut set = |name: HeaderName, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                sent.insert(name, value);
            }
        };
        if matches!(self, Told::XForwarded | Told::Both) {
            let one = |address: &Option<IpAddr>| address.map_or("unknown".to_owned(), |a| a.to_string());
            set(X_FORWARDED_FOR, names(one));
            set(X_FORWARDED_PROTO, proto.to_owned());
            if let Some(host) = host {
                set(X_FORWARDED_HOST, host.to_owned());
            }
        }
        if matches!(self, Told::Rfc7239 | Told::Both) {
            let one = |address: &Option<IpAddr>| match address {
                None => "for=unknown".to_owned(),
                Some(IpAddr::V4(address)) => format!("for={address}"),
                Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
            };
            let host = host.map(|host| format!(";host=\"{host}\"")).unwrap_or_default();
            set(header::FORWARDED, format!("{};proto={proto}{host}", names(one)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn forwarded_addresses_in_each_form_are_parsed() {
        let read = |name: &'static str, value: &'static str, spelling| {
            let fields = fields::lines(&[(name, value)]);
            told_from_last(&fields, spelling).collect::<Vec<_>>()
        };
        for (value, expected) in [
            ("1.2.3.4", vec![ip("1.2.3.4")]),
            ("1.2.3.4:80, ::1,[::2]:8", vec![ip("::2"), ip("::1"), ip("1.2.3.4")]),
            ("unknown, [::1]", vec![ip("::1"), None]),
            ("1.2.3.4 5.6.7.8", vec![None]),
            ("", vec![]),
        ] {
            assert_eq!(read("x-forwarded-for", value, Spelling::XForwardedFor), expected, "{value}");
        }
        for (value, expected) in [
            ("for=1.2.3.4;proto=http", vec![ip("1.2.3.4")]),
            (
                "proto=http; For=\"[2001:db8::1]:80\", for=\"1.2.3.4:5\"",
                vec![ip("1.2.3.4"), ip("2001:db8::1")],
            ),
            ("for=_hidden, by=1.2.3.4", vec![None, None]),
        ] {
            assert_eq!(read("forwarded", value, Spelling::Forwarded), expected, "{value}");
        }
    }

    #[test]
    fn forwarded_fields_are_set_for_origin() {
        let chain = Chain::from_last([ip("::ffff:10.0.0.1"), ip("2001:db8::1")]);
        assert_eq!(chain.client(), ip("2001:db8::1").expect("an address"));
        for (told, expected) in [
            (Told::Nothing, vec![]),
            (
                Told::XForwarded,
                vec![
                    ("x-forwarded-for", "2001:db8::1, 10.0.0.1"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "h:8"),
                ],
            ),
            (
                Told::Rfc7239,
                vec![("forwarded", "for=\"[2001:db8::1]\", for=10.0.0.1;proto=https;host=\"h:8\"")],
            ),
        ] {
            let mut sent = HeaderMap::new();
            told.set(&mut sent, &chain, true, Some("h:8"));
            assert_eq!(sent, fields::lines(&expected), "{told:?}");
        }
        let mut sent = HeaderMap::new();
        Told::Both.set(&mut sent, &Chain::from_last([ip("1.2.3.4"), None]), false, None);
        assert_eq!(
            sent,
            fields::lines(&[
                ("x-forwarded-for", "unknown, 1.2.3.4"),
                ("x-forwarded-proto", "http"),
                ("forwarded", "for=unknown, for=1.2.3.4;proto=http"),
            ])
        );
    }
}
