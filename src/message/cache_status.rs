//! The `Cache-Status` field (RFC 9211): how the cache handled a request, and why. [`CacheStatus`]
//! is one member.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::outcome::CacheOutcome;

/// `Cache-Status`, a List of caches (RFC 9211 section 2).
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request was forwarded: the `fwd` parameter (RFC 9211 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The configuration or a rule excludes the request from the cache.
    Bypass,
    /// A request with this method always goes to the origin.
    Method,
    /// No response is stored for the target URI.
    UriMiss,
    /// Responses are stored for the target URI, but not this variant.
    VaryMiss,
    /// The stored response is fresh, but the directives of the request require a validation.
    Request,
    /// The stored response is stale.
    Stale,
    /// Only a part of the response is stored.
    Partial,
}

impl Forward {
    /// The token of the `fwd` parameter.
    pub fn token(self) -> &'static str {
        match self {
            Forward::Bypass => "bypass",
            Forward::Method => "method",
            Forward::UriMiss => "uri-miss",
            Forward::VaryMiss => "vary-miss",
            Forward::Request => "request",
            Forward::Stale => "stale",
            Forward::Partial => "partial",
        }
    }
}

/// How a request was forwarded, if it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// The reason; `None` if the request was not forwarded.
    pub why: Option<Forward>,
    /// The status code of the origin's response, where it differs from the one sent.
    pub status: Option<u16>,
    /// Whether the response was, or is being, stored.
    pub stored: bool,
    /// Whether the request waited for the fetch of another one.
    pub collapsed: bool,
}

impl Forwarded {
    /// Forwarded for this reason, with no other parameter.
    pub fn because(why: Forward) -> Self {
        Forwarded { why: Some(why), ..Forwarded::default() }
    }
}

/// One member of the `Cache-Status` list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheStatus {
    /// How the cache handled the request.
    pub outcome: CacheOutcome,
    /// How the request was forwarded.
    pub forwarded: Forwarded,
    /// Remaining freshness in seconds; negative when stale.
    pub ttl: Option<i64>,
    /// The rule and the directives that it overrode, appended to the detail. Printable ASCII; empty
    /// if none.
    pub ruling: String,
}

impl CacheStatus {
    /// A member for a request that was forwarded as `forwarded` says.
    pub fn new(outcome: CacheOutcome, forwarded: Forwarded) -> Self {
        CacheStatus { outcome, forwarded, ttl: None, ruling: String::new() }
    }

    /// A member for a request that was not forwarded.
    pub fn without_forward(outcome: CacheOutcome) -> Self {
        CacheStatus::new(outcome, Forwarded::default())
    }

    /// Whether the response was obtained without forwarding the request (RFC 9211 section 2.1).
    fn is_hit(&self) -> bool {
        self.outcome.is_from_store() && self.forwarded.why.is_none()
    }

    /// The list member for the cache named `cache`, a token.
    pub fn to_member(&self, cache: &str) -> String {
        let mut member = String::with_capacity(64);
        member.push_str(cache);
        if self.is_hit() {
            member.push_str("; hit");
        }
        if let Some(forward) = self.forwarded.why {
            let _ = write!(member, "; fwd={}", forward.token());
        }
        if let Some(status) = self.forwarded.status {
            let _ = write!(member, "; fwd-status={status}");
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(member, "; ttl={ttl}");
        }
        if self.forwarded.stored {
            member.push_str("; stored");
        }
        if self.forwarded.collapsed {
            member.push_str("; collapsed");
        }
        match (self.outcome.detail(), self.ruling.as_str()) {
            (None, "") => {}
            (Some(detail), "") => {
                let _ = write!(member, "; detail={detail}");
            }
            (None, ruling) => {
                let _ = write!(member, "; detail=\"{ruling}\"");
            }
            (Some(detail), ruling) => {
                let _ = write!(member, "; detail=\"{detail}; {ruling}\"");
            }
        }
        member
    }

    /// Appends this member to those of caches nearer to the origin (RFC 9211 section 2).
    pub fn append_to(&self, fields: &mut HeaderMap, cache: &str) {
        if let Ok(value) = HeaderValue::try_from(self.to_member(cache)) {
            fields.append(CACHE_STATUS, value);
        }
    }
}

/// Adds the `key` parameter to the last member, which is ours (RFC 9211 section 2.7). The cache key
/// is a String; octets that a String cannot have are percent-encoded.
pub fn add_key(fields: &mut HeaderMap, key: &[u8]) {
    let mut text = String::with_capacity(key.len() + 8);
    text.push_str("; key=\"");
    for &octet in key {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => {
                let _ = write!(text, "%{octet:02X}");
            }
        }
    }
    text.push('"');
    let last = fields.get_all(CACHE_STATUS).iter().next_back().cloned();
    let Some(mut member) = last.map(|member| member.as_bytes().to_vec()) else {
        return;
    };
    member.extend_from_slice(text.as_bytes());
    let mut all: Vec<HeaderValue> = fields.get_all(CACHE_STATUS).iter().cloned().collect();
    if let (Ok(value), Some(last)) = (HeaderValue::from_bytes(&member), all.last_mut()) {
        *last = value;
        fields.remove(CACHE_STATUS);
        for value in all {
            fields.append(CACHE_STATUS, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::outcome::Tier;

    const HIT: CacheOutcome = CacheOutcome::Hit(Tier::Memory);

    #[test]
    fn key_parameter_is_added_to_own_member() {
        let mut fields = HeaderMap::new();
        fields.append(CACHE_STATUS, HeaderValue::from_static("inner; hit"));
        CacheStatus::without_forward(HIT).append_to(&mut fields, "t");
        add_key(&mut fields, b"r /a?\"b\"\n\xff");
        let all: Vec<_> = fields.get_all(CACHE_STATUS).iter().collect();
        assert_eq!(all, ["inner; hit", "t; hit; detail=memory; key=\"r /a?\\\"b\\\"%0A%FF\""]);
    }

    #[test]
    fn cache_status_member_matches_rfc_9211() {
        let hit = CacheStatus { ttl: Some(376), ..CacheStatus::without_forward(HIT) };
        assert_eq!(hit.to_member("tintype"), "tintype; hit; ttl=376; detail=memory");
        let ruling = "rule=docs over no-store".to_owned();
        let ruled = CacheStatus { ruling: ruling.clone(), ..hit };
        assert_eq!(ruled.to_member("t"), "t; hit; ttl=376; detail=\"memory; rule=docs over no-store\"");
        let stored = Forwarded { stored: true, ..Forwarded::default() };
        let ruled = CacheStatus { ruling, ..CacheStatus::new(CacheOutcome::Miss(None), stored) };
        assert_eq!(ruled.to_member("t"), "t; stored; detail=\"rule=docs over no-store\"");
        let miss = Forwarded {
            status: Some(304),
            stored: true,
            collapsed: true,
            ..Forwarded::because(Forward::Stale)
        };
        for outcome in [CacheOutcome::Miss(None), CacheOutcome::Revalidated] {
            let member = CacheStatus::new(outcome, miss).to_member("t");
            assert_eq!(member, "t; fwd=stale; fwd-status=304; stored; collapsed");
        }
    }
}
