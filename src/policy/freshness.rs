//! The freshness lifetime of a response and its age on arrival (RFC 9111 section 4.2).

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use super::directives::{ResponseDirectives, delta_seconds};
use crate::clock::Timestamp;
use crate::message::{date, fields};

/// Divides the time since the last modification to get the heuristic lifetime. RFC 9111 section
/// 4.2.2 suggests 10 %.
const HEURISTIC_DIVISOR: u32 = 10;
/// The longest heuristic lifetime. Ours: RFC 9111 section 4.2.2 sets no limit.
const HEURISTIC_CAP: Duration = Duration::from_secs(24 * 3600);

/// The source of a freshness lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifetimeSource {
    /// `s-maxage` of the response.
    SMaxAge,
    /// `max-age` of the response.
    MaxAge,
    /// `Expires` minus `Date` of the response.
    Expires,
    /// A heuristic, from `Last-Modified`.
    Heuristic,
    /// A lifetime rule of the operator.
    Rule,
    /// No source: the lifetime is zero.
    None,
}

impl LifetimeSource {
    /// Whether the freshness is explicit: `s-maxage`, `max-age` or `Expires` (RFC 9111 section
    /// 4.2.1).
    pub fn is_explicit(self) -> bool {
        matches!(self, LifetimeSource::SMaxAge | LifetimeSource::MaxAge | LifetimeSource::Expires)
    }

    /// The name for `Cache-Status` and `explain`.
    pub fn name(self) -> &'static str {
        match self {
            LifetimeSource::SMaxAge => "s-maxage",
            LifetimeSource::MaxAge => "max-age",
            LifetimeSource::Expires => "expires",
            LifetimeSource::Heuristic => "last-modified",
            LifetimeSource::Rule => "rule",
            LifetimeSource::None => "none",
        }
    }
}

/// The freshness lifetime for a shared cache, and its source (RFC 9111 section 4.2.1).
pub fn lifetime(
    status: StatusCode,
    fields: &HeaderMap,
    directives: &ResponseDirectives,
    response_time: Timestamp,
) -> (Duration, LifetimeSource) {
    if let Some(s_maxage) = directives.s_maxage {
        return (s_maxage, LifetimeSource::SMaxAge);
    }
    if let Some(max_age) = directives.max_age {
        return (max_age, LifetimeSource::MaxAge);
    }
    let generated = date::of_field(fields, &header::DATE).unwrap_or(response_time);
    if fields.contains_key(header::EXPIRES) && !directives.targeted {
        // An invalid date, such as `0`, is a time in the past (RFC 9111 section 5.3).
        let expires = date::of_field(fields, &header::EXPIRES).unwrap_or_default();
        return (expires.since(generated), LifetimeSource::Expires);
    }
    if !heuristic_allowed(status) && !directives.public {
        return (Duration::ZERO, LifetimeSource::None);
    }
    match date::of_field(fields, &header::LAST_MODIFIED) {
        Some(modified) => {
            let lifetime = (generated.since(modified) / HEURISTIC_DIVISOR).min(HEURISTIC_CAP);
            (lifetime, LifetimeSource::Heuristic)
        }
        None => (Duration::ZERO, LifetimeSource::None),
    }
}

/// The heuristically cacheable status codes (RFC 9110 section 15.1), without 206.
pub fn heuristic_allowed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// The age on arrival: `corrected_initial_age` (RFC 9111 section 4.2.3).
pub fn initial_age(fields: &HeaderMap, request_time: Timestamp, response_time: Timestamp) -> Duration {
    let apparent =
        date::of_field(fields, &header::DATE).map(|date| response_time.since(date)).unwrap_or_default();
    let delay = response_time.since(request_time);
    apparent.max(age_value(fields).saturating_add(delay))
}

/// The value of `Age`: the first member of the first line. Anything but digits is ignored, and
/// large values saturate (RFC 9111 section 5.1).
pub fn age_value(fields: &HeaderMap) -> Duration {
    fields::list(fields, &header::AGE).next().and_then(delta_seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::lines as fields;

    const NOW: Timestamp = Timestamp::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
    const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");

    /// RFC 9111 sections 4.2.1 (order of sources), 5.3 (invalid `Expires`) and 4.2.2 (heuristic).
    #[test]
    fn freshness_lifetime_uses_first_source() {
        use LifetimeSource::*;
        let old = ("last-modified", "Sun, 06 Nov 1994 08:32:57 GMT"); // 1000 s before
        let ancient = ("last-modified", "Tue, 06 Nov 1984 08:32:57 GMT");
        for (status, lines, seconds, source) in [
            (200, vec![("cache-control", "max-age=5, s-maxage=7")], 7, SMaxAge),
            (200, vec![("cache-control", "max-age=5"), ("expires", "0")], 5, MaxAge),
            (200, vec![DATE, ("expires", "Sun, 06 Nov 1994 08:50:37 GMT")], 60, Expires),
            (200, vec![("expires", "Sun, 06 Nov 1994 08:50:37 GMT")], 60, Expires),
            (200, vec![DATE, ("expires", "Sun, 06 Nov 1994 08:40:37 GMT")], 0, Expires),
            (200, vec![DATE, ("expires", "0"), old], 0, Expires),
            (200, vec![DATE, old], 100, Heuristic),
            (404, vec![DATE, old], 100, Heuristic),
            (200, vec![DATE, ancient], 86_400, Heuristic),
            (201, vec![DATE, old], 0, None),
            (201, vec![DATE, old, ("cache-control", "public")], 100, Heuristic),
            (503, vec![DATE, old], 0, None),
            (200, vec![DATE], 0, None),
        ] {
            let fields = fields(&lines);
            let directives = ResponseDirectives::of(&fields);
            let status = StatusCode::from_u16(status).expect("status");
            let found = lifetime(status, &fields, &directives, NOW);
            assert_eq!(found, (Duration::from_secs(seconds), source), "{status} {lines:?}");
        }
    }

    /// RFC 9111 sections 4.2.3 and 5.1.
    #[test]
    fn initial_age_uses_age_date_and_delay() {
        for (lines, expected) in [
            (vec![], 2),
            (vec![DATE], 2),
            (vec![("age", "30")], 32),
            (vec![("age", "30, 60")], 32),
            (vec![("age", "junk")], 2),
            (vec![("age", "-5")], 2),
            (vec![("age", "1.5")], 2),
            (vec![("age", "18446744073709551616")], (1u64 << 31) + 2),
            (vec![("date", "Sun, 06 Nov 1994 08:48:37 GMT"), ("age", "30")], 60),
            (vec![("date", "Sun, 06 Nov 1994 08:59:37 GMT")], 2),
            (vec![("date", "nonsense")], 2),
        ] {
            let age = initial_age(&fields(&lines), NOW - Duration::from_secs(2), NOW);
            assert_eq!(age.as_secs(), expected, "{lines:?}");
        }
    }
}
