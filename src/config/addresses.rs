//! Reads hosts, ports, address ranges and public URLs.

use std::str::FromStr;

use ipnet::IpNet;

use super::problem::Kind;
use super::section::{Refusal, Section};
use super::tree::{Node, Value};
use crate::origin::chrome::ExceptionError;
pub(super) use crate::origin::chrome::is_host;
use crate::policy::public_url::{PublicUrl, PublicUrlError};

pub(super) const ALLOWED_HOST: &str =
    "a host name or *.suffix, perhaps with a port, such as \"*.example.com\" or \"dev.example.com:3000\"";
pub(super) const ALLOWED_RANGE: &str = "an address or address range, perhaps with a port, such as \"10.0.0.0/8\", \
    \"127.0.0.1:8000\" or \"[fd00::/8]:443\"";

/// Reads `public_url`, with which the links of responses begin.
pub(super) fn public_url(s: &mut Section<'_>) -> Option<PublicUrl> {
    const ALLOWED: &str = "http:// or https://, a host, and perhaps a port and a path, such as \"https://shots.example.com/prefix\"";
    s.read("public_url", None, ALLOWED, |node| {
        let refused =
            |error: PublicUrlError| Refusal { kind: Kind::Malformed, help: Some(error.to_string()) };
        node.text()?.parse().map_err(refused)
    })
}

/// Reads a member of `allow_hosts` or `allow_ranges`.
pub(super) fn exception<T>(node: &Node) -> Result<T, Refusal>
where
    T: FromStr<Err = ExceptionError>,
{
    node.text()?.trim().parse().map_err(|error| match error {
        ExceptionError::Host | ExceptionError::Range => Kind::Malformed.into(),
        ExceptionError::Port => Refusal { kind: Kind::OutOfRange, help: Some(error.to_string()) },
    })
}

/// Reads a range in CIDR form, or one address.
pub(super) fn range(node: &Node) -> Result<IpNet, Refusal> {
    let text = node.text()?.trim();
    let one = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| one()).map_err(|_| Kind::Malformed.into())
}

pub(super) fn port(node: &Node) -> Result<u16, Refusal> {
    let port = match &node.value {
        Value::Integer(port) => *port,
        Value::Text(text) => text.parse().map_err(|_| Kind::WrongType)?,
        _ => return Err(Kind::WrongType.into()),
    };
    u16::try_from(port).ok().filter(|port| *port != 0).ok_or(Kind::OutOfRange.into())
}
