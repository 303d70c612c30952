//! The base of links to this service: an address that the client can reach.
//!
//! The setting `public_url` is used if it is set. Otherwise the scheme and host come from the
//! trusted proxy in front, then from the request itself. A loopback address is never given to a
//! client on another machine.

use std::borrow::Cow;
use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::client::Trust;
use crate::message::fields;
use crate::message::forwarded::{self, Chain, Spelling};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The scheme of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// Plain HTTP, port 80 by default.
    Http,
    /// HTTP over TLS, port 443 by default.
    Https,
}

impl Scheme {
    /// The scheme of a connection, by whether it uses TLS.
    pub fn of(secure: bool) -> Self {
        if secure { Scheme::Https } else { Scheme::Http }
    }

    /// The scheme in lower case, as in a URL.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Scheme::Http, Scheme::Https].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.name()))
    }

    fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// The base of links: scheme, host, optional port and optional path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicUrl {
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    /// Empty, or a path with a leading slash and without a trailing one.
    prefix: String,
}

/// Why a text is not a valid `public_url`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    /// The text is not an absolute URL, or its port is 0.
    #[error("it is not an absolute URL; one begins with https:// or http://")]
    Malformed,
    /// The scheme is neither `http` nor `https`.
    #[error("its scheme must be http or https")]
    Scheme,
    /// The URL has a user name or a password.
    #[error("it must not hold a user name or a password: every client would see them")]
    UserInfo,
    /// The URL has a query.
    #[error("it must not have a query: paths are appended to it")]
    Query,
    /// The URL has a fragment.
    #[error("it must not have a fragment: paths are appended to it")]
    Fragment,
}

impl std::str::FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let url = Url::parse(text).map_err(|_| PublicUrlError::Malformed)?;
        let scheme = Scheme::read(url.scheme()).ok_or(PublicUrlError::Scheme)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PublicUrlError::UserInfo);
        }
        if url.query().is_some() {
            return Err(PublicUrlError::Query);
        }
        if url.fragment().is_some() {
            return Err(PublicUrlError::Fragment);
        }
        let host = url.host_str().ok_or(PublicUrlError::Malformed)?.to_owned();
        // The URL parser omits the default port of the scheme.
        let port = url.port();
        if port == Some(0) {
            return Err(PublicUrlError::Malformed);
        }
        Ok(PublicUrl { scheme, host, port, prefix: url.path().trim_end_matches('/').to_owned() })
    }
}

impl PublicUrl {
    /// Parses a host with an optional port, in the syntax of `Host`; `None` for anything else.
    pub fn of_authority(scheme: Scheme, authority: &str) -> Option<Self> {
        let authority: Authority = authority.parse().ok()?;
        if !is_plain_authority(&authority) {
            return None;
        }
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().filter(|port| *port != 0);
        Some(PublicUrl { scheme, host, port, prefix: String::new() }.tidy())
    }

    /// The absolute URL of `path`, which has a leading slash and may have a query.
    pub fn link(&self, path: &str) -> String {
        format!("{}://{}{}{path}", self.scheme.name(), self.authority(), self.prefix)
    }

    /// The host, with the port unless it is the default one.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The scheme of links.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The same base with another host.
    #[must_use]
    pub fn with_host(self, host: &str) -> Self {
        PublicUrl { host: host.to_owned(), ..self }
    }

    /// The same base with another port.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        PublicUrl { port: Some(port), ..self }.tidy()
    }

    /// Whether the host is loopback, unspecified or `localhost`, and so reaches the client's own
    /// machine.
    pub fn is_this_machine(&self) -> bool {
        is_this_machine(&self.host)
    }

    fn tidy(mut self) -> Self {
        self.port = self.port.filter(|port| *port != self.scheme.port());
        self
    }
}

/// Whether `authority` is only a host with an optional port, without user information.
pub fn is_plain_authority(authority: &Authority) -> bool {
    let (whole, host) = (authority.as_str(), authority.host());
    let good = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet)),
    };
    let port = whole.strip_prefix(host).map(|rest| rest.strip_prefix(':').unwrap_or(rest));
    let port = port.is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok());
    good && port && !host.is_empty()
}

/// Whether `host` is loopback, unspecified or `localhost`. Addresses are parsed as browsers do:
/// `127.1` and `0` are addresses too.
pub fn is_this_machine(host: &str) -> bool {
    let here = |address: IpAddr| {
        let address = address.to_canonical();
        address.is_loopback() || address.is_unspecified()
    };
    match Host::parse(host) {
        Ok(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Ok(Host::Ipv4(address)) => here(address.into()),
        Ok(Host::Ipv6(address)) => here(address.into()),
        Err(_) => false,
    }
}

/// The scheme, host and port that a trusted proxy reports. It is an extension of the request head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    scheme: Option<Scheme>,
    /// The host, with an optional port.
    authority: Option<String>,
    port: Option<u16>,
    /// The proxy names the client, so the client address is not that of the proxy.
    names_client: bool,
}

/// Reads the scheme, host and port that the trusted proxies of `chain` report.
///
/// Only the fields that belong to the trusted field are read, as a proxy may pass the others on
/// unchanged from a client. Each proxy appends one value, so the value of the first trusted proxy
/// has the same distance from the end as that proxy. A single value was overwritten by a proxy and
/// is used as it is.
pub fn said(trust: &Trust, chain: &Chain, fields: &HeaderMap) -> Said {
    let hops = chain.hops();
    let names_client = hops > 0;
    let text = |value: &[u8]| std::str::from_utf8(value).ok().map(|text| text.trim().to_owned());
    let at = |name: &HeaderName| {
        let values: Vec<&[u8]> = fields::list(fields, name).collect();
        let from_last = hops.max(1).min(values.len());
        values.len().checked_sub(from_last).and_then(|at| values.get(at).copied()).and_then(text)
    };
    let (scheme, authority, port) = match trust.spelling {
        Spelling::XForwardedFor => (at(&X_FORWARDED_PROTO), at(&X_FORWARDED_HOST), at(&X_FORWARDED_PORT)),
        Spelling::Forwarded => {
            let element = at(&http::header::FORWARDED).unwrap_or_default();
            (forwarded::parameter(&element, "proto"), forwarded::parameter(&element, "host"), None)
        }
    };
    Said {
        scheme: scheme.as_deref().and_then(Scheme::read),
        authority: authority.filter(|host| PublicUrl::of_authority(Scheme::Http, host).is_some()),
        port: port.and_then(|port| port.parse().ok()).filter(|port| *port != 0),
        names_client,
    }
}

/// The parts of a request that decide the base of links in its response.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The report of a trusted proxy, if the request came through one.
    pub said: Option<&'a Said>,
    /// The request arrived over TLS.
    pub secure: bool,
    /// The value of `Host` or `:authority`.
    pub authority: Option<&'a str>,
    /// The address of the client; the unspecified address if it is unknown.
    pub client: IpAddr,
}

impl Seen<'_> {
    /// Whether the client is known to be on this machine.
    ///
    /// A proxy that reports nothing may forward requests of any client. A proxy that reports the
    /// scheme or host and no client is taken to report everything it knows.
    pub fn is_local(&self) -> bool {
        let tells = |said: &Said| said.names_client || said.scheme.is_some() || said.authority.is_some();
        let is_client = self.said.is_none_or(tells);
        is_client && self.client.to_canonical().is_loopback()
    }
}

/// The base of links that the client of `seen` can use. `None` if no usable address is known; a
/// link must then be relative to the requested URL.
pub fn base(configured: Option<&PublicUrl>, seen: &Seen<'_>) -> Option<PublicUrl> {
    if let Some(configured) = configured {
        return Some(configured.clone());
    }
    let none = Said::default();
    let said = seen.said.unwrap_or(&none);
    let scheme = said.scheme.unwrap_or(Scheme::of(seen.secure));
    let candidates = [said.authority.as_deref(), seen.authority];
    candidates
        .into_iter()
        .flatten()
        .filter_map(|authority| PublicUrl::of_authority(scheme, authority))
        .find_map(|base| {
            if base.is_this_machine() && !seen.is_local() {
                return None;
            }
            Some(match said.port {
                Some(port) if base.port.is_none() => base.with_port(port),
                _ => base,
            })
        })
}

/// The link to `path` below `base`; `path` alone without a base.
pub fn link(base: Option<&PublicUrl>, path: &str) -> String {
    base.map_or_else(|| path.to_owned(), |base| base.link(path))
}

/// `link` for a reader on another machine: relative if its host is loopback.
pub fn elsewhere(link: &str) -> Cow<'_, str> {
    let Ok(url) = Url::parse(link) else { return Cow::Borrowed(link) };
    if !url.host_str().is_some_and(is_this_machine) {
        return Cow::Borrowed(link);
    }
    Cow::Owned(url[url::Position::BeforePath..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::lines;

    fn parsed(text: &str) -> Result<String, PublicUrlError> {
        text.parse::<PublicUrl>().map(|base| base.link("/a?b"))
    }

    #[test]
    fn public_url_invalid_setting_gives_reason() {
        use PublicUrlError::*;
        for (text, expected) in [
            ("https://shots.example.com", Ok("https://shots.example.com/a?b")),
            ("https://shots.example.com/", Ok("https://shots.example.com/a?b")),
            ("HTTPS://Shots.Example.com:443/x/y/", Ok("https://shots.example.com/x/y/a?b")),
            ("http://[2001:db8::1]:8080/p", Ok("http://[2001:db8::1]:8080/p/a?b")),
            ("http://localhost:8080", Ok("http://localhost:8080/a?b")),
            ("shots.example.com", Err(Malformed)),
            ("https://", Err(Malformed)),
            ("http://h:0", Err(Malformed)),
            ("ftp://shots.example.com", Err(Scheme)),
            ("https://user@shots.example.com", Err(UserInfo)),
            ("https://:secret@shots.example.com", Err(UserInfo)),
            ("https://shots.example.com/?a=b", Err(Query)),
            ("https://shots.example.com/#a", Err(Fragment)),
        ] {
            assert_eq!(parsed(text), expected.map(str::to_owned), "{text}");
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn seen<'a>(client: &str, authority: &'a str) -> Seen<'a> {
        Seen { said: None, secure: false, authority: Some(authority), client: ip(client) }
    }

    fn shown(base: Option<PublicUrl>) -> String {
        link(base.as_ref(), "/a")
    }

    #[test]
    fn base_without_proxy_comes_from_request() {
        for (client, authority, secure, expected) in [
            ("192.0.2.1", "shots.example", false, "http://shots.example/a"),
            ("192.0.2.1", "Shots.example:443", true, "https://shots.example/a"),
            ("192.0.2.1", "shots.example:8443", true, "https://shots.example:8443/a"),
            ("192.0.2.1", "[2001:db8::1]:8080", false, "http://[2001:db8::1]:8080/a"),
            ("192.0.2.1", "192.0.2.9:8080", false, "http://192.0.2.9:8080/a"),
            ("127.0.0.1", "127.0.0.1:8080", false, "http://127.0.0.1:8080/a"),
            ("::ffff:127.0.0.1", "localhost:8080", false, "http://localhost:8080/a"),
            // No address is known that the client can reach.
            ("192.0.2.1", "127.0.0.1:8080", false, "/a"),
            ("192.0.2.1", "127.1", false, "/a"),
            ("192.0.2.1", "localhost:8080", false, "/a"),
            ("192.0.2.1", "x.localhost.", false, "/a"),
            ("192.0.2.1", "0.0.0.0:8080", false, "/a"),
            ("192.0.2.1", "[::]:8080", false, "/a"),
            ("192.0.2.1", "[::1]", false, "/a"),
            ("192.0.2.1", "[::ffff:127.0.0.1]", false, "/a"),
            ("0.0.0.0", "127.0.0.1", false, "/a"),
        ] {
            let seen = Seen { secure, ..seen(client, authority) };
            assert_eq!(shown(base(None, &seen)), expected, "{client} {authority}");
        }
    }

    #[test]
    fn base_with_setting_is_unchanged() {
        let configured: PublicUrl = "http://localhost:8080/p".parse().expect("a URL");
        let seen = seen("192.0.2.1", "shots.example");
        assert_eq!(shown(base(Some(&configured), &seen)), "http://localhost:8080/p/a");
    }

    #[test]
    fn base_behind_trusted_proxy_comes_from_its_fields() {
        let ranges = vec!["10.0.0.0/8".parse().expect("a range")];
        let x = Trust { ranges: ranges.clone(), spelling: Spelling::XForwardedFor };
        let rfc = Trust { ranges, spelling: Spelling::Forwarded };
        let own = "10.0.0.9:8080";
        for (trust, told, expected) in [
            (&x, &[][..], "http://10.0.0.9:8080/a"),
            (&x, &[("x-forwarded-proto", "https")], "https://10.0.0.9:8080/a"),
            (&x, &[("x-forwarded-proto", "HTTPS"), ("x-forwarded-host", "S.example")], "https://s.example/a"),
            (&x, &[("x-forwarded-proto", "ftp"), ("x-forwarded-host", "s.example")], "http://s.example/a"),
            (&x, &[("x-forwarded-host", "s.example"), ("x-forwarded-port", "81")], "http://s.example:81/a"),
            (&x, &[("x-forwarded-host", "s.example"), ("x-forwarded-port", "80")], "http://s.example/a"),
            (
                &x,
                &[("x-forwarded-host", "s.example:82"), ("x-forwarded-port", "81")],
                "http://s.example:82/a",
            ),
            (&x, &[("x-forwarded-host", "s.example"), ("x-forwarded-port", "0x1")], "http://s.example/a"),
            // An invalid authority is ignored.
            (&x, &[("x-forwarded-host", "s.example/evil")], "http://10.0.0.9:8080/a"),
            (&x, &[("x-forwarded-host", "u@s.example")], "http://10.0.0.9:8080/a"),
            (&x, &[("x-forwarded-host", "s.example:99999")], "http://10.0.0.9:8080/a"),
            (&x, &[("x-forwarded-host", "<script>")], "http://10.0.0.9:8080/a"),
            // The proxy forwards its own loopback address.
            (&x, &[("x-forwarded-host", "127.0.0.1:80")], "http://10.0.0.9:8080/a"),
            // With two trusted proxies, the report of the first one is used, not that of its
            // client.
            (
                &x,
                &[
                    ("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.2"),
                    ("x-forwarded-proto", "ftp, https, http"),
                    ("x-forwarded-host", "evil.example, s.example, inner.example"),
                ],
                "https://s.example/a",
            ),
            (
                &x,
                &[
                    ("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.2"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "s.example"),
                ],
                "https://s.example/a",
            ),
            // A client may have written the other field.
            (&x, &[("forwarded", "for=192.0.2.1;proto=https;host=evil.example")], "http://10.0.0.9:8080/a"),
            (
                &rfc,
                &[("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example")],
                "http://10.0.0.9:8080/a",
            ),
            (
                &rfc,
                &[("forwarded", "for=192.0.2.1; Proto=https ;host=\"s.example:8443\"")],
                "https://s.example:8443/a",
            ),
            (
                &rfc,
                &[(
                    "forwarded",
                    "for=6.6.6.6;host=evil.example, for=192.0.2.1;host=s.example;proto=https, for=10.0.0.2;host=in",
                )],
                "https://s.example/a",
            ),
        ] {
            let fields = lines(told);
            let peer = ip("10.0.0.1");
            let chain = trust.chain(peer, &fields).expect("trusted");
            let said = said(trust, &chain, &fields);
            let seen = Seen { said: Some(&said), client: chain.client(), ..seen("0.0.0.0", own) };
            assert_eq!(shown(base(None, &seen)), expected, "{told:?}");
        }
    }

    /// A trusted proxy on this machine that names no client may forward requests of any client.
    #[test]
    fn client_behind_silent_proxy_is_not_local() {
        let said = Said::default();
        let passed_on = Seen { said: Some(&said), ..seen("127.0.0.1", "127.0.0.1:8080") };
        assert!(!passed_on.is_local());
        assert_eq!(shown(base(None, &passed_on)), "/a");
        let said = Said { scheme: Some(Scheme::Https), ..Said::default() };
        let told = Seen { said: Some(&said), ..passed_on };
        assert_eq!(shown(base(None, &told)), "https://127.0.0.1:8080/a");
    }

    #[test]
    fn loopback_link_for_other_machine_is_relative() {
        for (link, expected) in [
            ("http://127.0.0.1:8080/a?b=c", "/a?b=c"),
            ("http://localhost/a", "/a"),
            ("http://[::1]:80/a", "/a"),
            ("https://s.example/a", "https://s.example/a"),
            ("/a", "/a"),
        ] {
            assert_eq!(elsewhere(link), expected);
        }
    }
}
