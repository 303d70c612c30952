//! Reads `[purge]`: clients that may purge by method, the tags sent to clients, and bounds of the
//! refresh.

use http::HeaderName;

use super::addresses::range;
use super::problem::Kind;
use super::section::{Refusal, Section};
use super::tree::Node;
use crate::policy::tags::{CACHE_TAG, SURROGATE_KEY, XKEY};
use crate::purge::Config;

/// The settings, and the fields with tags that are removed from responses to clients.
pub(super) fn read(mut s: Section<'_>) -> (Config, Vec<HeaderName>) {
    let allowed = "an address such as \"127.0.0.1\" or a range such as \"10.0.0.0/8\"";
    let config = Config {
        allow: s.list("allow", Vec::new(), allowed, range),
        max_refresh: s.number("max_refresh", 1000, 0..=1_000_000),
        refresh_concurrency: s.number("refresh_concurrency", 2, 1..=64),
    };
    let names = "\"cache-tag\", \"surrogate-key\" or \"xkey\"";
    let exposed = s.list("expose_tags", vec![CACHE_TAG], names, tag_field);
    let hidden =
        [CACHE_TAG, SURROGATE_KEY, XKEY].into_iter().filter(|name| !exposed.contains(name)).collect();
    (config, hidden)
}

fn tag_field(node: &Node) -> Result<HeaderName, Refusal> {
    let name = node.text()?.to_ascii_lowercase();
    let known = [CACHE_TAG, SURROGATE_KEY, XKEY].into_iter().find(|known| known.as_str() == name);
    known.ok_or_else(|| Kind::Malformed.into())
}
