//! Reads `[imgproxy]`, the key and salt of signed paths.

use super::problem::Kind;
use super::section::Section;
use super::tree::Node;
use crate::capture::dialect::imgproxy::Keys;
use crate::proxy::Route;

const ALLOWED: &str = "16 to 256 bytes in hexadecimal, as imgproxy has it";

pub(super) fn read(mut s: Section<'_>, routes: &[Route]) -> Option<Keys> {
    let key = s.read_secret("key", ALLOWED, octets);
    let salt = s.read_secret("salt", ALLOWED, octets);
    let wanted =
        routes.iter().any(|route| route.asking.dialect().is_some_and(|dialect| dialect.has_signed_paths()));
    for (name, other) in [("key", "salt"), ("salt", "key")] {
        if !s.is_given(name) && (s.is_given(other) || wanted) {
            let why = if wanted { "a route has dialect = \"imgproxy\"" } else { "the other is set" };
            s.refuse(name, Kind::Missing, "nothing", &format!("{ALLOWED}, because {why}"));
        }
    }
    Some(Keys { key: key?, salt: salt? })
}

fn octets(node: &Node) -> Result<Vec<u8>, super::section::Refusal> {
    let octets = hex::decode(node.text()?.trim()).ok();
    octets.filter(|octets| (16..=256).contains(&octets.len())).ok_or_else(|| Kind::Malformed.into())
}
