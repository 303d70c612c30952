//! Which parts of a representation a `Range` request selects (RFC 9110 section 14).

use std::ops::Range;

use http::{HeaderMap, Method, header};

use crate::message::date;
use crate::message::entity_tag::EntityTag;

/// Limit on the ranges of one request; with more, the whole is sent. RFC 9110 section 14.2 permits
/// to ignore sets of many small ranges.
const MAX_RANGES: usize = 16;

/// The part of a representation to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// The whole representation: no range was requested, or `Range` is ignored.
    Whole,
    /// One part, end excluded: 206 with `Content-Range`.
    Part(Range<u64>),
    /// Several parts in the requested order: 206 as `multipart/byteranges`.
    Parts(Vec<Range<u64>>),
    /// No part of it exists: 416.
    Unsatisfiable,
}

/// Selects the parts of a 200 with `length` octets and the fields `response`.
///
/// The whole is selected for a malformed `Range`, another unit, a method other than GET and a false
/// `If-Range` (RFC 9110 sections 14.2 and 13.1.5), and for sets that overlap or are too large.
pub fn select(method: &Method, request: &HeaderMap, response: &HeaderMap, length: u64) -> Selected {
    if method != Method::GET {
        return Selected::Whole;
    }
    let mut lines = request.get_all(header::RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Selected::Whole;
    };
    let Some(asked) = parse(line.as_bytes()) else {
        return Selected::Whole;
    };
    if !if_range_holds(request, response) {
        return Selected::Whole;
    }
    if length == 0 && asked.iter().any(|spec| matches!(spec, Spec::Suffix(1..))) {
        // The suffix is satisfiable, but Content-Range cannot express an empty range (RFC 9110
        // sections 14.1.1 and 14.4).
        return Selected::Whole;
    }
    let mut parts: Vec<Range<u64>> = asked.iter().filter_map(|spec| spec.of(length)).collect();
    match parts.len() {
        0 => Selected::Unsatisfiable,
        1 => Selected::Part(parts.remove(0)),
        _ if overlap(&parts) => Selected::Whole,
        _ => Selected::Parts(parts),
    }
}

/// One member of a range set (RFC 9110 section 14.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// `first-last`, both included; up to the end without `last`.
    From(u64, Option<u64>),
    /// `-length`: the last octets.
    Suffix(u64),
}

impl Spec {
    /// The range in a representation of `length` octets; `None` if it is not satisfiable.
    fn of(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Spec::From(first, last) => first..last.map_or(length, |last| last.saturating_add(1).min(length)),
            Spec::Suffix(octets) => length.saturating_sub(octets)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

/// Parses `bytes=...`; `None` for a syntax error, another unit, or too many ranges.
fn parse(line: &[u8]) -> Option<Vec<Spec>> {
    let (unit, set) = line.split_at(line.iter().position(|&b| b == b'=')?);
    // Blanks are allowed around commas, not around "=" (RFC 9110 sections 14.1.1 and 5.6.1).
    if !unit.eq_ignore_ascii_case(b"bytes") || set.get(1).is_some_and(u8::is_ascii_whitespace) {
        return None;
    }
    let mut specs = Vec::new();
    for member in set[1..].split(|&b| b == b',') {
        let member = member.trim_ascii();
        // Empty list members are allowed (RFC 9110 section 5.6.1.2).
        if member.is_empty() {
            continue;
        }
        let dash = member.iter().position(|&b| b == b'-')?;
        let (first, last) = (&member[..dash], &member[dash + 1..]);
        specs.push(match (first.is_empty(), last.is_empty()) {
            (true, true) => return None,
            (true, false) => Spec::Suffix(digits(last)?),
            (false, true) => Spec::From(digits(first)?, None),
            (false, false) => {
                let (first, last) = (digits(first)?, digits(last)?);
                if last < first {
                    return None;
                }
                Spec::From(first, Some(last))
            }
        });
        if specs.len() > MAX_RANGES {
            return None;
        }
    }
    (!specs.is_empty()).then_some(specs)
}

/// Parses digits; large values saturate.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

/// Evaluates `If-Range`; true if it is absent. An entity tag must match by strong comparison. A
/// date must equal a `Last-Modified` that is a strong validator (RFC 9110 sections 13.1.5 and
/// 8.8.2.2).
fn if_range_holds(request: &HeaderMap, response: &HeaderMap) -> bool {
    let mut lines = request.get_all(header::IF_RANGE).iter();
    let Some(line) = lines.next() else {
        return true;
    };
    if lines.next().is_some() {
        return false;
    }
    if let Some(asked) = EntityTag::parse(line.as_bytes()) {
        return EntityTag::of(response).is_some_and(|current| current.strong_eq(asked));
    }
    let (Some(asked), Some(modified)) =
        (date::parse(line.as_bytes()), date::of_field(response, &header::LAST_MODIFIED))
    else {
        return false;
    };
    // Strong if it was modified at least one second before `Date`, as two changes within that
    // second are then excluded.
    let strong =
        date::of_field(response, &header::DATE).is_some_and(|sent| sent.as_secs() > modified.as_secs());
    strong && asked == modified
}

fn overlap(parts: &[Range<u64>]) -> bool {
    let mut sorted: Vec<_> = parts.iter().map(|part| (part.start, part.end)).collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[1].0 < pair[0].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::lines as fields;

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const NEW: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

    fn decide(range: &'static str, length: u64) -> Selected {
        select(&Method::GET, &fields(&[("range", range)]), &HeaderMap::new(), length)
    }

    /// RFC 9110 sections 14.1.1, 14.1.2 and 14.2.
    #[test]
    fn range_header_selects_parts() {
        use Selected::*;
        for (range, expected) in [
            ("bytes=0-1", Part(0..2)),
            ("bytes=0-0", Part(0..1)),
            ("bytes=1-", Part(1..10)),
            ("bytes=-3", Part(7..10)),
            ("bytes=-30", Part(0..10)),
            ("bytes=5-99999999999999999999999", Part(5..10)),
            ("Bytes=0-1", Part(0..2)),
            ("bytes=0-1 , , ", Part(0..2)),
            ("bytes=,0-1", Part(0..2)),
            ("bytes= 0-1", Whole),
            ("bytes =0-1", Whole),
            ("bytes=0 -1", Whole),
            ("bytes=10-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=99-100", Unsatisfiable),
            ("bytes=0-1,4-5", Parts(vec![0..2, 4..6])),
            ("bytes=4-5,0-1", Parts(vec![4..6, 0..2])),
            ("bytes=0-1,99-", Part(0..2)),
            ("bytes=0-4,4-5", Whole),
            ("bytes=0-,0-,0-", Whole),
            ("bytes=2-1", Whole),
            ("bytes=a-b", Whole),
            ("bytes=1", Whole),
            ("bytes=-", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=", Whole),
            ("lines=0-1", Whole),
            ("0-1", Whole),
            ("bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7", Whole),
        ] {
            assert_eq!(decide(range, 10), expected, "{range}");
        }
        assert_eq!(decide("bytes=0-", 0), Unsatisfiable);
        assert_eq!(decide("bytes=-0", 0), Unsatisfiable);
        assert_eq!(decide("bytes=-1", 0), Whole);
    }

    /// RFC 9110 section 13.1.5.
    #[test]
    fn if_range_weak_tag_selects_whole() {
        let tagged: &[(&str, &str)] = &[("etag", "\"a\""), ("last-modified", OLD), ("date", NEW)];
        for (condition, response, heeded) in [
            ("\"a\"", tagged, true),
            ("W/\"a\"", tagged, false),
            ("\"b\"", tagged, false),
            ("\"a\"", &[("etag", "W/\"a\"")], false),
            (OLD, tagged, true),
            (NEW, tagged, false),
            (OLD, &[("last-modified", OLD), ("date", OLD)], false),
            (OLD, &[("last-modified", OLD)], false),
            ("junk", tagged, false),
        ] {
            let request = fields(&[("range", "bytes=0-1"), ("if-range", condition)]);
            let selected = select(&Method::GET, &request, &fields(response), 10);
            assert_eq!(selected == Selected::Part(0..2), heeded, "{condition} {response:?}");
        }
    }

    #[test]
    fn range_repeated_or_not_get_selects_whole() {
        let twice = fields(&[("range", "bytes=0-1"), ("range", "bytes=2-3")]);
        assert_eq!(select(&Method::GET, &twice, &HeaderMap::new(), 10), Selected::Whole);
        let once = fields(&[("range", "bytes=0-1")]);
        assert_eq!(select(&Method::HEAD, &once, &HeaderMap::new(), 10), Selected::Whole);
    }
}
