//! The operator's exceptions from the rule that pages reach public addresses only: hosts and address ranges, each on
//! one port or on every port. Read once, from text, into values that the guard compares.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

use super::resolver::literal;

/// A host of `allow_hosts`: `host`, `*.suffix`, `[IPv6 address]`, each perhaps with `:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    pattern: HostPattern,
    /// `None` opens every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Exact(Host),
    /// Every name that ends with a dot and this, in lower case.
    Below(String),
}

/// A range of `allow_ranges`: `address/bits` or `address`, perhaps with `:port`; brackets around IPv6 with a port, as
/// in URLs: `[fd00::/8]:443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedRange {
    range: IpNet,
    /// `None` opens every port.
    port: Option<u16>,
}

/// Why a text is no exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExceptionError {
    /// Neither a host name, `*.suffix` nor an address.
    #[error("not a host name, *.suffix or address")]
    Host,
    /// Neither an address nor a range in CIDR form.
    #[error("not an address or address range")]
    Range,
    /// A port outside 1 to 65535.
    #[error("a port is a number from 1 to 65535")]
    Port,
}

impl AllowedHost {
    /// Whether it opens `port` of `host`, as it stands in a URL.
    pub fn opens_host(&self, host: &str, port: u16) -> bool {
        let name = host.strip_suffix('.').unwrap_or(host);
        // What is no valid host is none of the operator's.
        literal(name).is_ok_and(|host| self.opens(&host, port))
    }

    /// Whether it opens `port` of `host`, which ends without a dot.
    fn opens(&self, host: &Host, port: u16) -> bool {
        let matches = match (&self.pattern, host) {
            (HostPattern::Exact(exact), host) => exact == host,
            (HostPattern::Below(suffix), Host::Domain(name)) => name
                .strip_suffix(suffix)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|rest| !rest.is_empty()),
            (HostPattern::Below(_), _) => false,
        };
        matches && opens(self.port, port)
    }
}

impl AllowedRange {
    /// Whether it opens `port` of `address`.
    pub fn opens(&self, address: IpAddr, port: u16) -> bool {
        self.range.contains(&address) && opens(self.port, port)
    }
}

fn opens(allowed: Option<u16>, port: u16) -> bool {
    allowed.is_none_or(|allowed| allowed == port)
}

impl From<IpNet> for AllowedRange {
    fn from(range: IpNet) -> Self {
        AllowedRange { range, port: None }
    }
}

impl FromStr for AllowedHost {
    type Err = ExceptionError;

    fn from_str(text: &str) -> Result<Self, ExceptionError> {
        let (name, port) = match text.rsplit_once(':') {
            // The colons of an IPv6 address are within its brackets.
            Some((name, port)) if !port.ends_with(']') => {
                (name, Some(read_port(port, ExceptionError::Host)?))
            }
            _ => (text, None),
        };
        let pattern = match name.strip_prefix("*.") {
            Some(suffix) if is_host(suffix) => match Host::parse(suffix) {
                Ok(Host::Domain(suffix)) => HostPattern::Below(suffix),
                _ => return Err(ExceptionError::Host),
            },
            None if is_host(name) => HostPattern::Exact(Host::parse(name).map_err(|_| ExceptionError::Host)?),
            _ => return Err(ExceptionError::Host),
        };
        Ok(AllowedHost { pattern, port })
    }
}

impl FromStr for AllowedRange {
    type Err = ExceptionError;

    fn from_str(text: &str) -> Result<Self, ExceptionError> {
        let (range, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']').ok_or(ExceptionError::Range)? {
                (range, "") => (read_range(range)?, None),
                (range, port) => {
                    let port = port.strip_prefix(':').ok_or(ExceptionError::Range)?;
                    (read_range(range)?, Some(read_port(port, ExceptionError::Range)?))
                }
            },
            // Without brackets every colon of IPv6 is part of the address.
            None => match text.split_once(':') {
                Some((range, port)) if !port.contains(':') => {
                    (read_range(range)?, Some(read_port(port, ExceptionError::Range)?))
                }
                _ => (read_range(text)?, None),
            },
        };
        match range {
            IpNet::V4(_) if text.starts_with('[') => Err(ExceptionError::Range),
            _ => Ok(AllowedRange { range, port }),
        }
    }
}

fn read_range(text: &str) -> Result<IpNet, ExceptionError> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| one()).map_err(|_| ExceptionError::Range)
}

/// A port; `malformed` if it is no number at all.
fn read_port(text: &str, malformed: ExceptionError) -> Result<u16, ExceptionError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed);
    }
    text.parse().ok().filter(|port| *port != 0).ok_or(ExceptionError::Port)
}

/// Whether `name` is a host name or an address, without a port.
pub fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => name.len() <= 253 && name.split('.').all(is_label),
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            HostPattern::Exact(host) => write!(f, "{host}")?,
            HostPattern::Below(suffix) => write!(f, "*.{suffix}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Display for AllowedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.range, self.port) {
            (range, None) => write!(f, "{range}"),
            (range @ IpNet::V4(_), Some(port)) => write!(f, "{range}:{port}"),
            (range @ IpNet::V6(_), Some(port)) => write!(f, "[{range}]:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_host_table() {
        let host = |text: &str| text.parse::<AllowedHost>();
        for (text, written) in [
            ("intra.example", "intra.example"),
            ("INTRA.example", "intra.example"),
            ("intra.example:8000", "intra.example:8000"),
            ("intra_1.example:65535", "intra_1.example:65535"),
            ("*.lab.example", "*.lab.example"),
            ("*.LAB.example:443", "*.lab.example:443"),
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("[::1]", "[::1]"),
            ("[0:0::1]:8080", "[::1]:8080"),
        ] {
            assert_eq!(host(text).map(|host| host.to_string()), Ok(written.into()), "{text}");
        }
        for (text, error) in [
            ("", ExceptionError::Host),
            ("*", ExceptionError::Host),
            ("*.", ExceptionError::Host),
            ("*.127.0.0.1", ExceptionError::Host),
            ("*.0.1", ExceptionError::Host),
            ("*.[::1]", ExceptionError::Host),
            ("a.*.example", ExceptionError::Host),
            ("http://a", ExceptionError::Host),
            ("a/b", ExceptionError::Host),
            ("a b", ExceptionError::Host),
            ("a.example.", ExceptionError::Host),
            ("127.0.0.256", ExceptionError::Host),
            ("[::1", ExceptionError::Host),
            ("::1", ExceptionError::Host),
            ("a:b:80", ExceptionError::Host),
            ("a:", ExceptionError::Host),
            ("a:0", ExceptionError::Port),
            ("a:+80", ExceptionError::Host),
            ("a:65536", ExceptionError::Port),
            ("a:http", ExceptionError::Host),
            (":80", ExceptionError::Host),
        ] {
            assert_eq!(host(text), Err(error), "{text}");
        }
    }

    #[test]
    fn allowed_range_table() {
        let range = |text: &str| text.parse::<AllowedRange>();
        for (text, written) in [
            ("127.0.0.0/8", "127.0.0.0/8"),
            ("127.0.0.1", "127.0.0.1/32"),
            ("127.0.0.1:8000", "127.0.0.1/32:8000"),
            ("10.0.0.0/8:443", "10.0.0.0/8:443"),
            ("fd00::/8", "fd00::/8"),
            ("[fd00::/8]", "fd00::/8"),
            ("[fd00::/8]:443", "[fd00::/8]:443"),
            ("[::1]:8080", "[::1/128]:8080"),
            // No port: it is the end of the address.
            ("::1:8080", "::1:8080/128"),
        ] {
            assert_eq!(range(text).map(|range| range.to_string()), Ok(written.into()), "{text}");
        }
        for (text, error) in [
            ("", ExceptionError::Range),
            ("localhost", ExceptionError::Range),
            ("10.0.0.0/40", ExceptionError::Range),
            ("10.0.0.0/8:", ExceptionError::Range),
            ("10.0.0.0/8:0", ExceptionError::Port),
            ("10.0.0.0/8:65536", ExceptionError::Port),
            ("10.0.0.0:80/8", ExceptionError::Range),
            ("[10.0.0.0/8]:80", ExceptionError::Range),
            ("fd00::/8:443", ExceptionError::Range),
            ("[fd00::]/8:443", ExceptionError::Range),
            ("[fd00::/8", ExceptionError::Range),
            ("[fd00::/8]443", ExceptionError::Range),
            ("[fd00::/8]:0", ExceptionError::Port),
        ] {
            assert_eq!(range(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_exception_with_a_port_opens_that_port_alone() {
        for (rule, host, port, expected) in [
            ("a.example", "a.example", 1, true),
            ("a.example:80", "a.example", 80, true),
            ("a.example:80", "a.example", 81, false),
            ("a.example:80", "b.a.example", 80, false),
            ("*.a.example:80", "b.a.example", 80, true),
            ("*.a.example:80", "c.b.a.example", 80, true),
            ("*.a.example:80", "b.a.example", 443, false),
            ("*.a.example:80", "a.example", 80, false),
            ("*.a.example", "xa.example", 80, false),
            ("*.a.example", ".a.example", 80, false),
            ("[::1]:80", "[0::1]", 80, true),
            ("[::1]:80", "[::1]", 81, false),
            ("127.0.0.1:80", "0x7f.1", 80, true),
        ] {
            let rule: AllowedHost = rule.parse().unwrap();
            let host = Host::parse(host).unwrap();
            assert_eq!(rule.opens(&host, port), expected, "{rule} {host}:{port}");
        }
        for (rule, address, port, expected) in [
            ("127.0.0.0/8", "127.0.0.9", 1, true),
            ("127.0.0.0/8:80", "127.0.0.9", 80, true),
            ("127.0.0.0/8:80", "127.0.0.9", 81, false),
            ("127.0.0.0/8:80", "128.0.0.1", 80, false),
            ("[::1]:80", "::1", 80, true),
            ("[::1]:80", "::1", 81, false),
            ("[fd00::/8]:443", "fd12::1", 443, true),
            ("[fd00::/8]:443", "fe80::1", 443, false),
        ] {
            let range: AllowedRange = rule.parse().unwrap();
            assert_eq!(range.opens(address.parse().unwrap(), port), expected, "{rule} {address}:{port}");
        }
    }
}
