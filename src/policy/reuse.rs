//! Whether a stored response may answer a request (RFC 9111 section 4, RFC 5861).

use std::time::Duration;

use super::directives::RequestDirectives;
use super::stored::StoredResponse;
use crate::clock::Timestamp;

/// How a stored response that matches the cache key and the selecting header fields is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Serve it: it is fresh.
    Fresh,
    /// Serve it although it is stale.
    Stale(StaleUse),
    /// Validate it with the origin first.
    Validate(MustValidate),
}

/// Why a stale response may be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleUse {
    /// It is within its stale-while-revalidate window; validate it in the background.
    WhileRevalidate,
    /// The client accepts it by `max-stale`.
    MaxStale,
}

/// Why a stored response must be validated before use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MustValidate {
    /// The response is stale and no stale use is allowed.
    Stale,
    /// The response has `no-cache`.
    NoCache,
    /// The request has `no-cache`, or a `max-age` or `min-fresh` that the response does not meet.
    Request,
}

/// Decides by RFC 9111 sections 4.2 and 5.2.1, and RFC 5861 section 3.
pub fn decide(stored: &StoredResponse, request: &RequestDirectives, now: Timestamp) -> Reuse {
    if stored.no_cache {
        return Reuse::Validate(MustValidate::NoCache);
    }
    if request.no_cache {
        return Reuse::Validate(MustValidate::Request);
    }
    let age = stored.current_age(now);
    // A reload (max-age=0) of a fresh immutable response needs no validation; a forced reload
    // (no-cache) does (RFC 8246 section 2).
    let reloads_immutable =
        stored.immutable && request.max_age == Some(Duration::ZERO) && age < stored.lifetime;
    if !reloads_immutable && request.max_age.is_some_and(|limit| limit.is_zero() || age > limit) {
        return Reuse::Validate(MustValidate::Request);
    }
    let remaining = stored.lifetime.saturating_sub(age);
    if request.min_fresh.is_some_and(|least| remaining < least) {
        return Reuse::Validate(MustValidate::Request);
    }
    if !remaining.is_zero() {
        return Reuse::Fresh;
    }
    let staleness = age.saturating_sub(stored.lifetime);
    if !stored.must_revalidate && request.max_stale.is_some_and(|limit| staleness <= limit) {
        return Reuse::Stale(StaleUse::MaxStale);
    }
    // must-revalidate and proxy-revalidate forbid the stale window (RFC 9111 section 4.2.4).
    if !stored.must_revalidate && !refuses_stale(request) && staleness < stored.stale_while_revalidate {
        return Reuse::Stale(StaleUse::WhileRevalidate);
    }
    Reuse::Validate(MustValidate::Stale)
}

/// Whether the request refuses a stale response beyond `max-stale`, which was checked before: it
/// names a `max-age`, a `min-fresh` or a `max-stale` (RFC 9111 sections 5.2.1.1 to 5.2.1.3).
fn refuses_stale(request: &RequestDirectives) -> bool {
    request.max_age.is_some() || request.min_fresh.is_some() || request.max_stale.is_some()
}

/// Whether a stored response may replace an origin error at `now` (RFC 5861 section 4, RFC 9111
/// section 4.2.4). `answered` tells an error response from no response at all. A fresh response may
/// be used whatever the request's directives are.
pub fn covers_error(stored: &StoredResponse, answered: bool, now: Timestamp) -> bool {
    let staleness = stored.staleness(now);
    let fresh = stored.current_age(now) < stored.lifetime;
    let window = if answered {
        stored.stale_if_error
    } else {
        stored.stale_if_error.max(stored.stale_when_disconnected)
    };
    !stored.no_cache && (fresh || (!stored.must_revalidate && staleness < window))
}

/// Whether a status code is an error that a stale response may replace: 500, 502, 503 and 504
/// (RFC 5861 section 4), and 520 to 529, with which CDNs report failures of the server behind them.
pub fn is_error(status: http::StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504 | 520..=529)
}

#[cfg(test)]
mod tests {
    use super::super::stored::tests::{stored, stored_under};
    use super::*;
    use crate::policy::admission::Terms;
    use http::{HeaderMap, HeaderValue, StatusCode, header};
    use std::time::Duration;

    fn request(line: &'static str) -> RequestDirectives {
        let mut fields = HeaderMap::new();
        if !line.is_empty() {
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(line));
        }
        RequestDirectives::of(&fields)
    }

    /// RFC 9111 sections 4.2, 4.2.4 and 5.2.1; RFC 5861 section 3. The stored response is fresh for
    /// 100 s.
    #[test]
    fn stored_response_is_reused_by_age_and_directives() {
        use Reuse::*;
        const BY_REQUEST: Reuse = Validate(MustValidate::Request);
        const AS_STALE: Reuse = Validate(MustValidate::Stale);
        for (cache_control, asked, age, expected) in [
            ("max-age=100", "", 0, Fresh),
            ("max-age=100", "", 99, Fresh),
            ("max-age=100", "", 100, AS_STALE),
            ("max-age=100, no-cache", "", 0, Validate(MustValidate::NoCache)),
            ("max-age=100, no-cache", "max-stale", 0, Validate(MustValidate::NoCache)),
            ("max-age=100", "no-cache", 0, BY_REQUEST),
            ("max-age=100", "max-age=50", 50, Fresh),
            ("max-age=100", "max-age=50", 51, BY_REQUEST),
            ("max-age=100", "max-age=0", 0, BY_REQUEST),
            ("max-age=100, immutable", "max-age=0", 99, Fresh),
            ("max-age=100, immutable", "max-age=0", 100, BY_REQUEST),
            ("max-age=100, immutable", "max-age=5", 6, BY_REQUEST),
            ("max-age=100, immutable", "no-cache", 1, BY_REQUEST),
            ("max-age=100", "max-age=50, max-stale", 51, BY_REQUEST),
            ("max-age=100", "min-fresh=10", 90, Fresh),
            ("max-age=100", "min-fresh=10", 91, BY_REQUEST),
            ("max-age=100", "max-stale", 1_000_000, Stale(StaleUse::MaxStale)),
            ("max-age=100", "max-stale", 1 << 40, Stale(StaleUse::MaxStale)),
            ("max-age=100", "max-stale=10", 110, Stale(StaleUse::MaxStale)),
            ("max-age=100", "max-stale=10", 111, AS_STALE),
            ("max-age=100, must-revalidate", "max-stale", 101, AS_STALE),
            ("max-age=100, proxy-revalidate", "max-stale", 101, AS_STALE),
            ("s-maxage=100", "max-stale", 101, AS_STALE),
            ("max-age=100, stale-while-revalidate=10", "", 109, Stale(StaleUse::WhileRevalidate)),
            ("max-age=100, stale-while-revalidate=10", "", 110, AS_STALE),
            ("max-age=100, stale-while-revalidate=10", "min-fresh=1", 105, BY_REQUEST),
            ("max-age=100, stale-while-revalidate=10, must-revalidate", "", 105, AS_STALE),
            ("max-age=100, stale-while-revalidate=10", "max-age=500", 105, AS_STALE),
            ("max-age=100, stale-while-revalidate=10", "min-fresh=0", 105, AS_STALE),
            ("max-age=100, stale-while-revalidate=10", "max-stale=2", 105, AS_STALE),
            (
                "max-age=100, stale-while-revalidate=10",
                "max-age=500, max-stale=5",
                105,
                Stale(StaleUse::MaxStale),
            ),
        ] {
            let (head, start) = stored(&[("cache-control", cache_control)]);
            let decision = decide(&head, &request(asked), start + Duration::from_secs(age));
            assert_eq!(decision, expected, "{cache_control} | {asked} | {age}");
        }
    }

    /// RFC 5861 section 4, RFC 9111 section 4.2.4.
    #[test]
    fn stale_response_replaces_error_within_window() {
        for (cache_control, age, expected) in [
            ("max-age=100", 50, true),
            ("max-age=100", 100, false),
            ("max-age=100, stale-if-error=10", 109, true),
            ("max-age=100, stale-if-error=10", 110, false),
            ("max-age=100, stale-if-error=10, must-revalidate", 105, false),
            ("s-maxage=100, stale-if-error=10", 105, false),
            ("max-age=100, stale-if-error=10, no-cache", 50, false),
        ] {
            let (head, start) = stored(&[("cache-control", cache_control)]);
            let covered = covers_error(&head, true, start + Duration::from_secs(age));
            assert_eq!(covered, expected, "{cache_control} | {age}");
        }
    }

    /// RFC 9111 section 4.2.4: when disconnected, a stale response may be served unless a directive
    /// forbids it. A stale-if-error window of the origin limits that too.
    #[test]
    fn stale_response_is_served_while_disconnected() {
        let terms = Terms { stale_when_disconnected: Some(Duration::from_secs(1000)), ..Terms::default() };
        for (cache_control, age, expected) in [
            ("max-age=100", 1099, true),
            ("max-age=100", 1100, false),
            ("max-age=100, stale-if-error=10", 109, true),
            ("max-age=100, stale-if-error=10", 110, false),
            ("max-age=100, must-revalidate", 100, false),
            ("max-age=100, proxy-revalidate", 100, false),
            ("s-maxage=100", 100, false),
            ("max-age=100, no-cache", 50, false),
        ] {
            let (head, start) = stored_under(&[("cache-control", cache_control)], &terms);
            let covered = covers_error(&head, false, start + Duration::from_secs(age));
            assert_eq!(covered, expected, "{cache_control} | {age}");
        }
    }

    #[test]
    fn error_statuses_match_rfc_5861_and_cdns() {
        let errors: Vec<u16> = (100..600)
            .filter(|&code| StatusCode::from_u16(code).is_ok_and(is_error))
            .filter(|code| !(520..=529).contains(code))
            .collect();
        assert_eq!(errors, [500, 502, 503, 504]);
    }
}
