//! What a capture may reach: the vetting of hosts, addresses and ports, and the one resolution of a name.
//!
//! A host in `allow_hosts` and an address in `allow_ranges` may be reached on the port that stands there, or on every
//! port if none does; `allow_ports` governs the public rest. On a network that reaches IPv4 by NAT64 alone,
//! `64:ff9b::/96` has to be among the allowed ranges.

use std::net::IpAddr;
use std::sync::Arc;

use url::Url;

use super::address::special;
use super::barred::Barred;
use super::exception::{AllowedHost, AllowedRange};
use super::resolver::{self, Resolver};
use crate::origin::chrome::config::Config;

/// The operator's rules.
#[derive(Clone, Debug)]
pub struct Guard {
    hosts: Vec<AllowedHost>,
    ranges: Vec<AllowedRange>,
    ports: Vec<u16>,
    resolver: Arc<dyn Resolver>,
}

impl Guard {
    /// The rules of `config`, over names as `resolver` has them. Host names are compared without case and
    /// without a trailing dot.
    pub fn new(config: &Config, resolver: Arc<dyn Resolver>) -> Self {
        Guard {
            hosts: config.allow_hosts.clone(),
            ranges: config.allow_ranges.clone(),
            ports: config.allow_ports.clone(),
            resolver,
        }
    }

    /// These rules, over names as the system has them.
    pub fn of(hosts: Vec<AllowedHost>, ranges: Vec<AllowedRange>, ports: Vec<u16>) -> Self {
        Guard { hosts, ranges, ports, resolver: Arc::new(resolver::System) }
    }

    /// The addresses of `host`, which may be a literal in any notation, in brackets or not.
    ///
    /// # Errors
    /// If it has none.
    pub async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, Barred> {
        resolver::resolve(&*self.resolver, host).await
    }

    /// Whether `host`, which has these addresses, may be reached on `port`. One bad address bars all:
    /// a name that mixes public and private addresses is up to no good.
    pub fn vet(&self, host: &str, port: u16, addresses: &[IpAddr]) -> Result<(), Barred> {
        if self.hosts.iter().any(|rule| rule.opens_host(host, port)) {
            return Ok(());
        }
        for &address in addresses {
            if self.ranges.iter().any(|range| range.opens(address, port)) {
                continue;
            }
            if let Some(why) = special(address) {
                return Err(Barred::Address { host: host.to_owned(), why });
            }
            if !self.ports.contains(&port) {
                return Err(Barred::Port { host: host.to_owned(), port });
            }
        }
        Ok(())
    }
}

/// Whether a document at `url` may be captured: one of the web, not of a file, of the browser or of a script.
pub fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::chrome::network::address::Special;

    fn guard() -> Guard {
        Guard {
            hosts: ["intra.example", "*.lab.example", "[::1]", "dev.example:3000", "*.dev.example:3000"]
                .map(|host| host.parse().unwrap())
                .to_vec(),
            ranges: ["10.1.0.0/16", "127.0.0.3:8000", "172.16.0.0/12:443", "[fd00::/8]:443"]
                .map(|range| range.parse().unwrap())
                .to_vec(),
            ports: vec![80, 443],
            resolver: Arc::new(resolver::System),
        }
    }

    #[test]
    fn one_bad_address_bars_the_host() {
        let address = |why| Some(Barred::Address { host: String::new(), why });
        let port = |port| Some(Barred::Port { host: String::new(), port });
        for (host, at, addresses, expected) in [
            ("site.example", 443, "1.1.1.1", None),
            ("site.example", 8443, "1.1.1.1", port(8443)),
            ("site.example", 443, "1.1.1.1 127.0.0.1", address(Special::Loopback)),
            ("site.example", 443, "169.254.169.254 1.1.1.1", address(Special::LinkLocal)),
            ("site.example", 22, "10.1.2.3", None),
            ("site.example", 443, "10.1.2.3 10.2.2.3", address(Special::Private)),
            ("site.example", 8443, "10.1.2.3 1.1.1.1", port(8443)),
            ("intra.example", 22, "127.0.0.1", None),
            ("INTRA.Example.", 22, "127.0.0.1", None),
            ("x.intra.example", 80, "127.0.0.1", address(Special::Loopback)),
            ("x.lab.example", 22, "127.0.0.1", None),
            ("x.y.lab.example", 22, "127.0.0.1", None),
            ("lab.example", 80, "127.0.0.1", address(Special::Loopback)),
            ("xlab.example", 80, "127.0.0.1", address(Special::Loopback)),
            (".lab.example", 80, "127.0.0.1", address(Special::Loopback)),
            ("[::1]", 1, "::1", None),
            // Exceptions with a port.
            ("dev.example", 3000, "127.0.0.1", None),
            ("dev.example", 3001, "127.0.0.1", address(Special::Loopback)),
            ("dev.example", 443, "1.1.1.1", None),
            ("dev.example", 3001, "1.1.1.1", port(3001)),
            ("x.dev.example", 3000, "127.0.0.1", None),
            ("x.dev.example", 80, "127.0.0.1", address(Special::Loopback)),
            ("site.example", 8000, "127.0.0.3", None),
            ("site.example", 8001, "127.0.0.3", address(Special::Loopback)),
            ("site.example", 8000, "127.0.0.4", address(Special::Loopback)),
            ("site.example", 8000, "127.0.0.3 127.0.0.4", address(Special::Loopback)),
            ("site.example", 443, "172.16.1.1 fd00::1", None),
            ("site.example", 80, "172.16.1.1", address(Special::Private)),
            ("site.example", 80, "fd00::1", address(Special::Private)),
        ] {
            let list: Vec<IpAddr> = addresses.split(' ').map(|a| a.parse().unwrap()).collect();
            let named = expected.map(|barred| match barred {
                Barred::Address { why, .. } => Barred::Address { host: host.into(), why },
                Barred::Port { port, .. } => Barred::Port { host: host.into(), port },
                other => other,
            });
            assert_eq!(guard().vet(host, at, &list).err(), named, "{host}:{at} {addresses}");
        }
    }

    /// What a URL that was parsed leads to, without any name looked up.
    #[tokio::test]
    async fn no_notation_of_an_address_hides_it() {
        use Special::*;
        let guard = Guard { hosts: Vec::new(), ..guard() };
        for (url, expected) in [
            ("http://127.0.0.1/", Some(Loopback)),
            ("http://2130706433/", Some(Loopback)),
            ("http://017700000001/", Some(Loopback)),
            ("http://0x7f.1/", Some(Loopback)),
            ("http://127.1/", Some(Loopback)),
            ("http://127.0.0.1./", Some(Loopback)),
            ("http:127.0.0.1", Some(Loopback)),
            ("http:\\\\127.0.0.1\\", Some(Loopback)),
            ("ht\ntp://12\t7.0.0.1", Some(Loopback)),
            ("http://1.1.1.1@127.0.0.1/", Some(Loopback)),
            ("http://1.1.1.1:80@127.0.0.1/", Some(Loopback)),
            ("http://127.0.0.1\\@1.1.1.1/", Some(Loopback)),
            ("http://127.0.0.1#@1.1.1.1/", Some(Loopback)),
            ("http://127.0.0.1?@1.1.1.1/", Some(Loopback)),
            ("http://%31%32%37.0.0.1/", Some(Loopback)),
            ("http://１２７。０。０。１/", Some(Loopback)),
            ("http://0/", Some(Unspecified)),
            ("http://[::]/", Some(Unspecified)),
            ("http://[::1]/", Some(Loopback)),
            ("http://[::ffff:127.0.0.1]/", Some(Embedded)),
            ("http://[::ffff:7f00:1]/", Some(Embedded)),
            ("http://[::127.0.0.1]/", Some(Embedded)),
            ("http://[64:ff9b::7f00:1]/", Some(Embedded)),
            ("http://[64:ff9b::10.0.0.1]/", Some(Embedded)),
            ("http://[2002:a00:1::]/", Some(Embedded)),
            ("http://[2001::f5ff:fffe]/", Some(Embedded)),
            ("http://[fd00::1]/", Some(Private)),
            ("http://0xA9FEA9FE/", Some(LinkLocal)),
            ("http://192.168.257/", Some(Private)),
            ("http://0x0a000001/", Some(Private)),
            ("http://1.1/", None),
            ("http://127.0.0.1@1.1.1.1/", None),
        ] {
            let parsed = Url::parse(url).expect(url);
            let host = parsed.host_str().unwrap();
            let addresses = guard.resolve(host).await.expect(url);
            let why = guard.vet(host, 80, &addresses).err();
            let expected = expected.map(|why| Barred::Address { host: host.into(), why });
            assert_eq!(why, expected, "{url}");
        }
    }

    #[test]
    fn only_documents_of_the_web_are_captured() {
        for (url, expected) in [
            ("http://a.example/", true),
            ("HTTPS://a.example/", true),
            ("file:///etc/passwd", false),
            ("chrome://version", false),
            ("chrome-error://chromewebdata/", false),
            ("devtools://devtools/bundled/inspector.html", false),
            ("view-source:http://a.example/", false),
            ("blob:http://a.example/6b0e", false),
            ("filesystem:http://a.example/temporary/x", false),
            ("data:text/html,x", false),
            ("javascript:alert(1)", false),
            ("about:blank", false),
            ("ftp://a.example/", false),
            ("ws://a.example/", false),
        ] {
            assert_eq!(is_web(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }
}
