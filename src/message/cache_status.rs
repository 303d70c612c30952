//! The `Cache-Status` field (RFC 9211): what the cache did with a request, and why.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};

/// `Cache-Status`.
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request went forward (RFC 9211 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The cache was configured not to handle this request.
    Bypass,
    /// The request method's semantics require the request to be forwarded.
    Method,
    /// No stored response matched the target URI.
    UriMiss,
    /// A stored response matched the URI but not the selecting header fields.
    VaryMiss,
    /// The stored response was fresh, but the request's directives asked for validation.
    Request,
    /// The stored response was stale.
    Stale,
    /// Only part of the response was stored.
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

/// One member of the `Cache-Status` list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// Answered from the store without going forward.
    pub hit: bool,
    /// Why the request went forward.
    pub forward: Option<Forward>,
    /// Status code of the origin's answer, where it differs from the one sent.
    pub forward_status: Option<u16>,
    /// Remaining freshness in seconds; negative when stale.
    pub ttl: Option<i64>,
    /// Whether the response was, or is being, stored.
    pub stored: bool,
    /// Whether the request waited for another one's fetch.
    pub collapsed: bool,
    /// Tier of a hit, reason of a refusal, cause of an error: a token.
    pub detail: Option<&'static str>,
    /// The rule and what of the origin's it overruled, beside the detail: printable ASCII; empty where nothing was.
    pub ruling: String,
}

impl CacheStatus {
    /// The list member for the cache named `cache`, a token.
    pub fn to_member(&self, cache: &str) -> String {
        let mut member = String::with_capacity(64);
        member.push_str(cache);
        if self.hit {
            member.push_str("; hit");
        }
        if let Some(forward) = self.forward {
            let _ = write!(member, "; fwd={}", forward.token());
        }
        if let Some(status) = self.forward_status {
            let _ = write!(member, "; fwd-status={status}");
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(member, "; ttl={ttl}");
        }
        if self.stored {
            member.push_str("; stored");
        }
        if self.collapsed {
            member.push_str("; collapsed");
        }
        match (self.detail, self.ruling.as_str()) {
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

    /// Appends this member to what the origin side already said (RFC 9211 section 2).
    pub fn append_to(&self, fields: &mut HeaderMap, cache: &str) {
        if let Ok(value) = HeaderValue::try_from(self.to_member(cache)) {
            fields.append(CACHE_STATUS, value);
        }
    }
}

/// Adds the `key` parameter to the last member, which is ours (RFC 9211 section 2.7): the key as a String, octets that a String cannot have
/// percent-encoded.
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

    #[test]
    fn the_key_joins_our_own_member() {
        let mut fields = HeaderMap::new();
        fields.append(CACHE_STATUS, HeaderValue::from_static("inner; hit"));
        CacheStatus { hit: true, ..CacheStatus::default() }.append_to(&mut fields, "t");
        add_key(&mut fields, b"r /a?\"b\"\n\xff");
        let all: Vec<_> = fields.get_all(CACHE_STATUS).iter().collect();
        assert_eq!(all, ["inner; hit", "t; hit; key=\"r /a?\\\"b\\\"%0A%FF\""]);
    }

    #[test]
    fn members_read_as_rfc_9211_writes_them() {
        let hit = CacheStatus { hit: true, ttl: Some(376), detail: Some("memory"), ..Default::default() };
        assert_eq!(hit.to_member("tintype"), "tintype; hit; ttl=376; detail=memory");
        let ruling = "rule=docs over no-store".to_owned();
        let ruled = CacheStatus { ruling, ..hit.clone() };
        assert_eq!(ruled.to_member("t"), "t; hit; ttl=376; detail=\"memory; rule=docs over no-store\"");
        let ruled = CacheStatus { hit: false, detail: None, ttl: None, stored: true, ..ruled };
        assert_eq!(ruled.to_member("t"), "t; stored; detail=\"rule=docs over no-store\"");
        let miss = CacheStatus {
            forward: Some(Forward::Stale),
            forward_status: Some(304),
            stored: true,
            collapsed: true,
            ..Default::default()
        };
        assert_eq!(miss.to_member("t"), "t; fwd=stale; fwd-status=304; stored; collapsed");
    }
}
