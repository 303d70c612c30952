//! Parsed `Cache-Control`: [`ResponseDirectives`] and [`RequestDirectives`] (RFC 9111 section 5.2,
//! RFC 5861, RFC 8246).

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

use crate::message::fields;

/// The largest delta-seconds; larger values saturate (RFC 9111 section 1.2.2).
pub(super) const MAX_DELTA: u64 = 1 << 31;

/// Fields without which a stored response would be wrong: served to other clients, for longer, or
/// with a body that cannot be decoded. A directive that names one of them applies to the whole
/// response.
const INDISPENSABLE: [HeaderName; 5] =
    [header::CACHE_CONTROL, header::CONTENT_ENCODING, header::DATE, header::EXPIRES, header::VARY];

/// A directive that may be limited to named fields: `no-cache` or `private`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Qualified {
    /// The directive is not present.
    #[default]
    Absent,
    /// The directive applies to the whole response.
    Whole,
    /// The directive applies to these fields only.
    Fields(Vec<HeaderName>),
}

impl Qualified {
    /// Limited to the fields that `list` names; for the whole response if the list cannot be
    /// parsed.
    pub(super) fn fields(list: &[u8]) -> Self {
        let mut qualified = Qualified::Absent;
        qualified.add(Some(list));
        qualified
    }

    fn add(&mut self, argument: Option<&[u8]>) {
        let Some(argument) = argument else {
            *self = Qualified::Whole;
            return;
        };
        let mut names = Vec::new();
        for name in fields::split_list(argument) {
            match HeaderName::from_bytes(name) {
                // `*` is a valid token but not a field name.
                Ok(name) if name.as_str() != "*" && !INDISPENSABLE.contains(&name) => names.push(name),
                // A list that cannot be parsed or obeyed limits nothing.
                _ => return *self = Qualified::Whole,
            }
        }
        match self {
            Qualified::Whole => {}
            Qualified::Fields(known) => known.append(&mut names),
            Qualified::Absent if names.is_empty() => *self = Qualified::Whole,
            Qualified::Absent => *self = Qualified::Fields(names),
        }
    }
}

/// The directives of a response, from `Cache-Control` or a targeted field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseDirectives {
    /// `no-store`: the response must not be stored (RFC 9111 section 5.2.2.5).
    pub no_store: bool,
    /// `no-cache`, whole or for fields: validate before each use (RFC 9111 section 5.2.2.4).
    pub no_cache: Qualified,
    /// `private`, whole or for fields: a shared cache must not store it (RFC 9111 section 5.2.2.7).
    pub private: Qualified,
    /// `public`: storable even if otherwise prohibited (RFC 9111 section 5.2.2.9).
    pub public: bool,
    /// `must-revalidate`: no stale use (RFC 9111 section 5.2.2.2).
    pub must_revalidate: bool,
    /// `proxy-revalidate`: no stale use by shared caches (RFC 9111 section 5.2.2.8).
    pub proxy_revalidate: bool,
    /// `must-understand`: store only if the status code is understood (RFC 9111 section 5.2.2.3).
    pub must_understand: bool,
    /// `immutable`: no validation while fresh (RFC 8246 section 2).
    pub immutable: bool,
    /// `max-age`; zero if it cannot be parsed (RFC 9111 section 5.2.2.1).
    pub max_age: Option<Duration>,
    /// `s-maxage`; zero if it cannot be parsed (RFC 9111 section 5.2.2.10).
    pub s_maxage: Option<Duration>,
    /// `stale-while-revalidate`: the window for stale use during a validation (RFC 5861 section 3).
    pub stale_while_revalidate: Option<Duration>,
    /// `stale-if-error`: the window for stale use in place of errors (RFC 5861 section 4).
    pub stale_if_error: Option<Duration>,
    /// The directives come from a targeted field, so `Expires` is ignored (RFC 9213 section 2.2).
    pub targeted: bool,
}

impl ResponseDirectives {
    /// Parses all `Cache-Control` lines of a response.
    pub fn of(fields: &HeaderMap) -> Self {
        let mut all = Self::default();
        for (name, argument) in directives(fields) {
            let argument = argument.as_deref();
            match name.as_str() {
                "no-store" => all.no_store = true,
                "no-cache" => all.no_cache.add(argument),
                "private" => all.private.add(argument),
                "public" => all.public = true,
                "must-revalidate" => all.must_revalidate = true,
                "proxy-revalidate" => all.proxy_revalidate = true,
                "must-understand" => all.must_understand = true,
                "immutable" => all.immutable = true,
                "max-age" => shorten(&mut all.max_age, argument),
                "s-maxage" => shorten(&mut all.s_maxage, argument),
                "stale-while-revalidate" => shorten(&mut all.stale_while_revalidate, argument),
                "stale-if-error" => shorten(&mut all.stale_if_error, argument),
                _ => {}
            }
        }
        all
    }
}

/// The directives of a request (RFC 9111 section 5.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// `no-cache`; also `Pragma: no-cache` without `Cache-Control` (RFC 9111 section 5.4).
    pub no_cache: bool,
    /// `no-store`: neither the request nor its response may be stored (RFC 9111 section 5.2.1.5).
    pub no_store: bool,
    /// `only-if-cached`: answer from the store or with 504 (RFC 9111 section 5.2.1.7).
    pub only_if_cached: bool,
    /// `max-age`; zero if it cannot be parsed.
    pub max_age: Option<Duration>,
    /// `min-fresh`; the largest value if it cannot be parsed.
    pub min_fresh: Option<Duration>,
    /// `max-stale`; without an argument, any staleness is accepted.
    pub max_stale: Option<Duration>,
}

impl RequestDirectives {
    /// Parses all `Cache-Control` lines, or `Pragma` if there are none.
    pub fn of(fields: &HeaderMap) -> Self {
        let mut all = Self::default();
        if !fields.contains_key(header::CACHE_CONTROL) {
            all.no_cache =
                fields::list(fields, &header::PRAGMA).any(|member| member.eq_ignore_ascii_case(b"no-cache"));
            return all;
        }
        for (name, argument) in directives(fields) {
            let argument = argument.as_deref();
            match name.as_str() {
                "no-cache" => all.no_cache = true,
                "no-store" => all.no_store = true,
                "only-if-cached" => all.only_if_cached = true,
                "max-age" => shorten(&mut all.max_age, argument),
                "min-fresh" => {
                    let asked = argument.and_then(delta_seconds).unwrap_or(Duration::from_secs(MAX_DELTA));
                    all.min_fresh = Some(all.min_fresh.map_or(asked, |known| known.max(asked)));
                }
                "max-stale" => match argument {
                    None => all.max_stale = all.max_stale.or(Some(Duration::MAX)),
                    Some(argument) => {
                        if let Some(limit) = delta_seconds(argument) {
                            all.max_stale = Some(all.max_stale.map_or(limit, |known| known.min(limit)));
                        }
                    }
                },
                _ => {}
            }
        }
        all
    }
}

/// Parses delta-seconds. Only digits are valid; large values saturate (RFC 9111 section 1.2.2).
pub fn delta_seconds(text: &[u8]) -> Option<Duration> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = text.iter().fold(0u64, |sum, digit| {
        sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')).min(MAX_DELTA)
    });
    Some(Duration::from_secs(seconds))
}

/// Keeps the shortest of several values; one that cannot be parsed counts as zero. RFC 9111 section
/// 4.2.1 encourages the restrictive reading of conflicting and invalid freshness.
fn shorten(known: &mut Option<Duration>, argument: Option<&[u8]>) {
    let value = argument.and_then(delta_seconds).unwrap_or_default();
    *known = Some(known.map_or(value, |known| known.min(value)));
}

/// All directives, as the name in lower case and the unquoted argument.
fn directives(fields: &HeaderMap) -> impl Iterator<Item = (String, Option<Vec<u8>>)> {
    fields::list(fields, &header::CACHE_CONTROL).map(|member| {
        let (name, argument) = match member.iter().position(|&b| b == b'=') {
            // RFC 9111 section 5.2 allows no blanks around `=`. RFC 2616 section 2.1 allowed them,
            // and ignoring `private = x` would be less strict than the origin meant. So the blanks
            // are bad whitespace, which a recipient removes (RFC 9110 section 5.6.3).
            Some(at) => (member[..at].trim_ascii(), Some(unquote(member[at + 1..].trim_ascii()))),
            None => (member, None),
        };
        (String::from_utf8_lossy(name).to_ascii_lowercase(), argument)
    })
}

/// The value of a token or quoted-string. Other text is returned unchanged, so that it is not read
/// as an argument.
fn unquote(text: &[u8]) -> Vec<u8> {
    if text.first() != Some(&b'"') || fields::quoted_string(text) != Some(text.len()) {
        return text.to_vec();
    }
    let mut value = Vec::with_capacity(text.len());
    let mut octets = text[1..text.len() - 1].iter();
    while let Some(&octet) = octets.next() {
        match octet {
            b'\\' => value.extend(octets.next()),
            _ => value.push(octet),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn fields(lines: &[&'static str]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for line in lines {
            fields.append(header::CACHE_CONTROL, HeaderValue::from_static(line));
        }
        fields
    }

    fn seconds(n: u64) -> Option<Duration> {
        Some(Duration::from_secs(n))
    }

    /// RFC 9111 sections 5.2 (case, lines), 1.2.2 (delta-seconds) and 4.2.1 (repeated and invalid
    /// values).
    #[test]
    fn max_age_invalid_or_repeated_is_read_restrictively() {
        for (lines, expected) in [
            (&["max-age=60"][..], seconds(60)),
            (&["MAX-AGE=60"], seconds(60)),
            (&["max-age=\"60\""], seconds(60)),
            (&["max-age=60", "max-age=10"], seconds(10)),
            (&["max-age=10, max-age=60"], seconds(10)),
            (&["max-age=-1"], seconds(0)),
            (&["max-age=1.5"], seconds(0)),
            (&["max-age=60s"], seconds(0)),
            (&["max-age"], seconds(0)),
            (&["max-age="], seconds(0)),
            (&["max-age='60'"], seconds(0)),
            (&["max-age=\"60"], seconds(0)),
            (&["max-age=\"60\\\""], seconds(0)),
            (&["max-age=\"6\\0\""], seconds(60)),
            (&["max-age =60"], seconds(60)),
            (&["max-age= 60"], seconds(60)),
            (&["max-age = 60"], seconds(60)),
            (&["max-age\t=\t\"60\""], seconds(60)),
            (&["max-age = "], seconds(0)),
            (&["max-age = 6 0"], seconds(0)),
            (&["max-age = 60, max-age=10"], seconds(10)),
            (&["max age = 60"], None),
            (&["max-age=99999999999999999999999"], seconds(1 << 31)),
            (&["x=\"max-age=60\""], None),
            (&["xmax-age=60"], None),
            (&[], None),
        ] {
            assert_eq!(ResponseDirectives::of(&fields(lines)).max_age, expected, "{lines:?}");
        }
    }

    /// RFC 9111 sections 5.2.2.4 and 5.2.2.7.
    #[test]
    fn qualified_directive_lists_its_fields() {
        let of = |lines| ResponseDirectives::of(&fields(lines)).no_cache;
        let names = |names: &[&'static str]| {
            Qualified::Fields(names.iter().map(|n| HeaderName::from_static(n)).collect())
        };
        assert_eq!(of(&["no-cache"]), Qualified::Whole);
        assert_eq!(of(&["no-cache=\"Set-Cookie, X-A\""]), names(&["set-cookie", "x-a"]));
        assert_eq!(of(&["no-cache=x-a"]), names(&["x-a"]));
        assert_eq!(of(&["no-cache=\"x-a\"", "No-Cache"]), Qualified::Whole);
        assert_eq!(of(&["no-cache", "no-cache=\"x-a\""]), Qualified::Whole);
        assert_eq!(of(&["no-cache=\"x a\""]), Qualified::Whole);
        assert_eq!(of(&["no-cache=\"\""]), Qualified::Whole);
        assert_eq!(of(&["no-cache=*"]), Qualified::Whole);
        assert_eq!(of(&["no-cache=\"x-a, Vary\""]), Qualified::Whole);
        assert_eq!(of(&["no-cache=\"cache-control\""]), Qualified::Whole);
        assert_eq!(of(&["max-age=1"]), Qualified::Absent);
    }

    /// RFC 9110 section 5.6.3: blanks around `=` are removed in responses and in requests.
    #[test]
    fn blanks_around_equals_sign_are_ignored() {
        let all = "MAX-AGE = 1, s-maxage = 2, stale-while-revalidate =3, stale-if-error= 4, \
                   private = \"x-a\", no-cache = x-b";
        let without = "max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, \
                       private=\"x-a\", no-cache=x-b";
        let read = ResponseDirectives::of(&fields(&[all]));
        assert_eq!(read, ResponseDirectives::of(&fields(&[without])));
        assert_eq!(read.private, Qualified::Fields(vec![HeaderName::from_static("x-a")]));
        let asked = RequestDirectives::of(&fields(&["max-age = 1, min-fresh =2, max-stale= 3"]));
        assert_eq!(asked, RequestDirectives::of(&fields(&["max-age=1, min-fresh=2, max-stale=3"])));
        assert_eq!((asked.max_age, asked.max_stale), (seconds(1), seconds(3)));
    }

    /// RFC 9110 section 5.6.4: text after an unclosed quote is not a quoted-string.
    #[test]
    fn unclosed_quote_hides_no_directive() {
        let all = ResponseDirectives::of(&fields(&["max-age=60, x=\"open, no-store, private=x-a"]));
        assert!(all.no_store);
        assert_eq!(all.private, Qualified::Fields(vec![HeaderName::from_static("x-a")]));
        assert_eq!(all.max_age, seconds(60));
        let open = ResponseDirectives::of(&fields(&["private=\"x-a"]));
        assert_eq!(open.private, Qualified::Whole);
    }

    #[test]
    fn flags_in_any_case_or_with_argument_are_parsed() {
        let all = ResponseDirectives::of(&fields(&["No-Store, PUBLIC , must-Revalidate", "immutable=1"]));
        assert!(all.no_store && all.public && all.must_revalidate && all.immutable);
    }

    /// RFC 9111 sections 5.2.1 and 5.4.
    #[test]
    fn pragma_beside_cache_control_is_ignored() {
        let mut request = HeaderMap::new();
        request.append(header::PRAGMA, HeaderValue::from_static("foo, No-Cache"));
        assert!(RequestDirectives::of(&request).no_cache);
        request.append(header::CACHE_CONTROL, HeaderValue::from_static("max-age=5"));
        assert!(!RequestDirectives::of(&request).no_cache);
    }

    #[test]
    fn request_directives_invalid_are_read_restrictively() {
        let of = |lines| RequestDirectives::of(&fields(lines));
        assert_eq!(of(&["max-stale"]).max_stale, Some(Duration::MAX));
        assert_eq!(of(&["max-stale, max-stale=5"]).max_stale, seconds(5));
        assert_eq!(of(&["max-stale=5, max-stale"]).max_stale, seconds(5));
        assert_eq!(of(&["max-stale=5"]).max_stale, seconds(5));
        assert_eq!(of(&["max-stale=x"]).max_stale, None);
        assert_eq!(of(&["min-fresh=5"]).min_fresh, seconds(5));
        assert_eq!(of(&["min-fresh=x"]).min_fresh, seconds(1 << 31));
        assert_eq!(of(&["max-age=x"]).max_age, seconds(0));
        assert!(of(&["only-if-cached"]).only_if_cached);
    }
}
