//! What the links begin with that a client is given: an address of this service that works where the client is.
//!
//! A configured `public_url` decides. Without one, the trusted proxy in front says which scheme and host the client used; without that,
//! the request itself does. An address that means "this machine" is given to nobody on another machine.

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
    /// `http`.
    Http,
    /// `https`.
    Https,
}

impl Scheme {
    /// That of a connection, with TLS or without.
    pub fn of(secure: bool) -> Self {
        if secure { Scheme::Https } else { Scheme::Http }
    }

    /// Its name in a URL.
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

/// Scheme, host, perhaps a port, and perhaps a path: what links begin with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicUrl {
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    /// Begins with a slash unless it is empty, and does not end with one.
    prefix: String,
}

/// Why a text is no public URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    /// It cannot be read as a URL.
    #[error("it is not an absolute URL; one begins with https:// or http://")]
    Malformed,
    /// Another scheme.
    #[error("its scheme must be http or https")]
    Scheme,
    /// A name or a password.
    #[error("it must not hold a user name or a password: every client would see them")]
    UserInfo,
    /// A query.
    #[error("it must not have a query: paths are appended to it")]
    Query,
    /// A fragment.
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
        // The parser leaves the scheme's own port out.
        let port = url.port();
        if port == Some(0) {
            return Err(PublicUrlError::Malformed);
        }
        Ok(PublicUrl { scheme, host, port, prefix: url.path().trim_end_matches('/').to_owned() })
    }
}

impl PublicUrl {
    /// A host, perhaps with a port, as a `Host` field has it. `None` if it is anything else.
    pub fn of_authority(scheme: Scheme, authority: &str) -> Option<Self> {
        let authority: Authority = authority.parse().ok()?;
        if !is_plain_authority(&authority) {
            return None;
        }
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().filter(|port| *port != 0);
        Some(PublicUrl { scheme, host, port, prefix: String::new() }.tidy())
    }

    /// The absolute form of `path`, which begins with a slash and may have a query.
    pub fn link(&self, path: &str) -> String {
        format!("{}://{}{}{path}", self.scheme.name(), self.authority(), self.prefix)
    }

    /// Host and port.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// Its scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its host; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The same with another host.
    #[must_use]
    pub fn with_host(self, host: &str) -> Self {
        PublicUrl { host: host.to_owned(), ..self }
    }

    /// The same with another port.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        PublicUrl { port: Some(port), ..self }.tidy()
    }

    /// Whether it leads to whichever machine uses it: a loopback or unspecified address, or `localhost`.
    pub fn is_this_machine(&self) -> bool {
        is_this_machine(&self.host)
    }

    fn tidy(mut self) -> Self {
        self.port = self.port.filter(|port| *port != self.scheme.port());
        self
    }
}

/// Whether `authority` is a name or an address and perhaps a port, and nothing besides.
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

/// Whether `host` leads to whichever machine uses it. Reads addresses as browsers do: `127.1` and `0` are addresses too.
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

/// What a trusted proxy says of the request that it passes on. Travels with the request head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    scheme: Option<Scheme>,
    /// Host, perhaps with a port.
    authority: Option<String>,
    port: Option<u16>,
    /// It names the client, so that the client's address is not that of the proxy.
    names_client: bool,
}

/// Reads what the trusted proxies of `chain` say, in the fields that go with the trusted one. The other fields might have passed through
/// them as a client wrote them.
///
/// Each proxy appends to these fields, so the value of the proxy that the client spoke to is as far from the end as that proxy is. One value
/// alone is what a proxy overwrote.
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

/// A request, as far as links in its answer depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What a trusted proxy says, if one passed it on.
    pub said: Option<&'a Said>,
    /// It came over TLS.
    pub secure: bool,
    /// Its `Host` or `:authority`.
    pub authority: Option<&'a str>,
    /// The address of the client, as far as it is known.
    pub client: IpAddr,
}

impl Seen<'_> {
    /// Whether the client is known to be on this machine.
    ///
    /// A proxy that names no client passes on anybody's request. One that tells by which scheme or host the client came, and does not name
    /// it, is taken to tell all there is.
    pub fn is_local(&self) -> bool {
        let tells = |said: &Said| said.names_client || said.scheme.is_some() || said.authority.is_some();
        let is_client = self.said.is_none_or(tells);
        is_client && self.client.to_canonical().is_loopback()
    }
}

/// What links begin with that the client of `seen` can use. `None`: nothing is known, and a link has to be relative to the URL that the
/// client asked for.
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

/// `path` after `base`, or alone where nothing is known.
pub fn link(base: Option<&PublicUrl>, path: &str) -> String {
    base.map_or_else(|| path.to_owned(), |base| base.link(path))
}

/// `link` as a reader elsewhere can use it: without an address that means the reader's own machine.
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
    fn settings_are_read_or_refused_with_the_reason() {
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
    fn without_a_proxy_the_request_says_it() {
        for (client, authority, secure, expected) in [
            ("192.0.2.1", "shots.example", false, "http://shots.example/a"),
            ("192.0.2.1", "Shots.example:443", true, "https://shots.example/a"),
            ("192.0.2.1", "shots.example:8443", true, "https://shots.example:8443/a"),
            ("192.0.2.1", "[2001:db8::1]:8080", false, "http://[2001:db8::1]:8080/a"),
            ("192.0.2.1", "192.0.2.9:8080", false, "http://192.0.2.9:8080/a"),
            ("127.0.0.1", "127.0.0.1:8080", false, "http://127.0.0.1:8080/a"),
            ("::ffff:127.0.0.1", "localhost:8080", false, "http://localhost:8080/a"),
            // Nothing that the client could use is known.
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
    fn a_setting_is_taken_as_it_is() {
        let configured: PublicUrl = "http://localhost:8080/p".parse().expect("a URL");
        let seen = seen("192.0.2.1", "shots.example");
        assert_eq!(shown(base(Some(&configured), &seen)), "http://localhost:8080/p/a");
    }

    #[test]
    fn a_trusted_proxy_says_it() {
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
            // What is no authority is not taken.
            (&x, &[("x-forwarded-host", "s.example/evil")], "http://10.0.0.9:8080/a"),
            (&x, &[("x-forwarded-host", "u@s.example")], "http://10.0.0.9:8080/a"),
            (&x, &[("x-forwarded-host", "s.example:99999")], "http://10.0.0.9:8080/a"),
            (&x, &[("x-forwarded-host", "<script>")], "http://10.0.0.9:8080/a"),
            // A proxy that passes its own loopback address on.
            (&x, &[("x-forwarded-host", "127.0.0.1:80")], "http://10.0.0.9:8080/a"),
            // Two trusted proxies: what the first one says, and not what its client says.
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
            // The other spelling may have passed through as a client wrote it.
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

    /// A trusted proxy on this machine that names no client may pass on anybody's request.
    #[test]
    fn the_address_of_a_proxy_is_not_that_of_its_client() {
        let said = Said::default();
        let passed_on = Seen { said: Some(&said), ..seen("127.0.0.1", "127.0.0.1:8080") };
        assert!(!passed_on.is_local());
        assert_eq!(shown(base(None, &passed_on)), "/a");
        let said = Said { scheme: Some(Scheme::Https), ..Said::default() };
        let told = Seen { said: Some(&said), ..passed_on };
        assert_eq!(shown(base(None, &told)), "https://127.0.0.1:8080/a");
    }

    #[test]
    fn links_for_readers_elsewhere() {
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
