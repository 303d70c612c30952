//! Ways out through proxies of the operator's, so that pages see a visitor from elsewhere.
//!
//! The exit resolves and vets a target itself, and has the proxy connect to the vetted address, never to a name: what the
//! guard refuses, no proxy reaches for a page.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::capture::request::Egress;

/// Bytes of a proxy's answer before the tunnel.
const MAX_HEAD: usize = 8192;

/// One proxy of the operator's.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamProxy {
    /// What requests call it.
    pub name: String,
    /// Where it is, in lower case, if that is known: a country as ISO 3166-1 has it.
    pub country: Option<String>,
    host: String,
    port: u16,
    authorization: Option<String>,
}

/// Host and credentials are not shown.
impl fmt::Debug for UpstreamProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamProxy").field("name", &self.name).field("country", &self.country).finish()
    }
}

impl UpstreamProxy {
    /// The proxy at `url`: `http://user:password@host:port`. `None` if that is something else.
    pub fn new(name: &str, url: &str, country: Option<String>) -> Option<Self> {
        let url = Url::parse(url).ok().filter(|url| url.scheme() == "http")?;
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|_| bare)?;
        let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        let authorization = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let user = decoded(url.username());
            let password = decoded(url.password().unwrap_or_default());
            format!("Basic {}", BASE64_STANDARD.encode([user, password].join(&b':')))
        });
        Some(UpstreamProxy {
            name: name.to_owned(),
            country,
            // Sockets know addresses without brackets.
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default()?,
            authorization,
        })
    }

    /// Has the proxy connect to `target`. The caller bounds the time.
    ///
    /// # Errors
    /// If the proxy is not there, or will not connect. Neither its host nor its words are told: they are the operator's.
    pub(crate) async fn connect(&self, target: SocketAddr) -> io::Result<TcpStream> {
        let failed = |why: &str| io::Error::other(format!("the egress proxy {}: {why}", self.name));
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let mut stream = stream.map_err(|error| failed(&error.kind().to_string()))?;
        let authorization = self.authorization.as_ref();
        let authorization =
            authorization.map_or_else(String::new, |value| format!("Proxy-Authorization: {value}\r\n"));
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
        stream.write_all(head.as_bytes()).await?;
        // Byte by byte: what follows the head is the target's.
        let mut answer = Vec::with_capacity(256);
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() == MAX_HEAD {
                return Err(failed("an answer without end"));
            }
            answer.push(stream.read_u8().await?);
        }
        match status(&answer) {
            Some(200..=299) => Ok(stream),
            Some(status) => Err(failed(&format!("status {status}"))),
            None => Err(failed("no HTTP")),
        }
    }
}

/// The proxy that is asked for; the first of a country.
pub(crate) fn choose<'a>(proxies: &'a [UpstreamProxy], asked: &Egress) -> Option<&'a UpstreamProxy> {
    proxies.iter().find(|proxy| match asked {
        Egress::Name(name) => proxy.name == *name,
        Egress::Country(country) => proxy.country.as_ref() == Some(country),
    })
}

fn status(head: &[u8]) -> Option<u16> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next().filter(|code| code.len() == 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_plain_urls() {
        for (url, expected) in [
            ("http://a.example:3128", Some(("a.example", 3128, None))),
            ("http://u:p%40@a.example", Some(("a.example", 80, Some("Basic dTpwQA==")))),
            ("http://[::1]:8/", Some(("::1", 8, None))),
            ("https://a.example", None),
            ("socks5://a.example:1", None),
            ("http://a.example/path", None),
            ("http://a.example/?q", None),
            ("a.example:3128", None),
            ("", None),
        ] {
            let proxy = UpstreamProxy::new("n", url, None);
            let found = proxy.as_ref().map(|p| (p.host.as_str(), p.port, p.authorization.as_deref()));
            assert_eq!(found, expected, "{url}");
        }
        let proxy = UpstreamProxy::new("n", "http://u:hush@secret.example", None);
        let shown = format!("{proxy:?}");
        assert!(!shown.contains("hush") && !shown.contains("secret.example"), "{shown}");
    }

    #[test]
    fn one_is_chosen_by_name_or_country() {
        let proxy = |name: &str, country: Option<&str>| {
            UpstreamProxy::new(name, "http://a.example", country.map(str::to_owned)).unwrap()
        };
        let all = [proxy("a", None), proxy("b", Some("de")), proxy("c", Some("de"))];
        let name = |name: &str| choose(&all, &Egress::Name(name.into())).map(|p| p.name.as_str());
        let country = |code: &str| choose(&all, &Egress::Country(code.into())).map(|p| p.name.as_str());
        assert_eq!((name("a"), name("c"), name("d")), (Some("a"), Some("c"), None));
        assert_eq!((country("de"), country("fr")), (Some("b"), None));
    }

    #[test]
    fn only_http_has_a_status() {
        for (head, expected) in [
            (&b"HTTP/1.1 200 OK\r\n\r\n"[..], Some(200)),
            (b"HTTP/1.0 407 x\r\n\r\n", Some(407)),
            (b"HTTP/1.1 2000\r\n", None),
            (b"SSH-2.0 200\r\n", None),
            (b"\xff", None),
            (b"", None),
        ] {
            assert_eq!(status(head), expected);
        }
    }
}
