//! The head of a stored response, with the decisions made when it was stored ([`StoredResponse`]),
//! and the index of variants ([`VariantIndex`]).

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::message::fields;
use crate::policy::rules::adaptive::History;
use crate::policy::rules::ruling::Ruling;

/// The head of a stored response. Decisions that do not depend on the time are made once, when it
/// is stored, so a hit only compares numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredResponse {
    /// The final status code.
    #[serde(with = "status_code")]
    pub status: StatusCode,
    /// The end-to-end fields to send, without `Age` and the cache's own fields.
    #[serde(with = "fields::octets")]
    pub fields: HeaderMap,
    /// When the request for it was sent: `request_time` (RFC 9111 section 4.2.3).
    pub request_time: Timestamp,
    /// When its head arrived, or when it was last validated: `response_time` (RFC 9111 section
    /// 4.2.3).
    pub response_time: Timestamp,
    /// Its age on arrival: `corrected_initial_age` (RFC 9111 section 4.2.3).
    pub initial_age: Duration,
    /// The freshness lifetime, counted from its generation (RFC 9111 section 4.2.1).
    pub lifetime: Duration,
    /// How long it may be served stale while it is validated (RFC 5861 section 3).
    pub stale_while_revalidate: Duration,
    /// How long it may be served stale in place of origin errors (RFC 5861 section 4).
    pub stale_if_error: Duration,
    /// How long it may be served stale while the origin gives no response (RFC 9111 section 4.2.4).
    pub stale_when_disconnected: Duration,
    /// It must be validated before each use (unqualified `no-cache`).
    pub no_cache: bool,
    /// It must not be served stale (`must-revalidate`, `proxy-revalidate`, `s-maxage`).
    pub must_revalidate: bool,
    /// It does not change while it is fresh (RFC 8246 section 2).
    pub immutable: bool,
    /// Its entity tag was generated here and is unknown to the origin.
    pub own_entity_tag: bool,
    /// Time from the request to the last byte: what a hit saves.
    pub cost: Duration,
    /// The decision of a lifetime rule, if one overrode or supplemented the origin's directives.
    pub ruling: Option<Box<Ruling>>,
    /// How often the response has changed, where its lifetime is adaptive.
    pub history: Option<Box<History>>,
}

impl StoredResponse {
    /// When it becomes stale.
    pub fn fresh_until(&self) -> Timestamp {
        self.response_time + self.lifetime.saturating_sub(self.initial_age)
            - self.initial_age.saturating_sub(self.lifetime)
    }

    /// The age at `now`: `current_age` (RFC 9111 section 4.2.3).
    ///
    /// If `now` is before the arrival, the clock was set back and the real age is unknown. The
    /// difference then counts as age, so that no change of the clock keeps a response fresh.
    pub fn current_age(&self, now: Timestamp) -> Duration {
        self.initial_age.saturating_add(now.apart(self.response_time))
    }

    /// How long it has been stale; zero while it is fresh.
    pub fn staleness(&self, now: Timestamp) -> Duration {
        self.current_age(now).saturating_sub(self.lifetime)
    }
}

/// The index under the primary cache key of a target whose responses vary: the selecting header
/// fields and the known variants. Each variant has a cache key of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantIndex {
    /// The field names of the most recent `Vary`, in lower case and sorted.
    pub selecting: Vec<String>,
    /// The known variants, the most recent first. Their number is bounded.
    pub variants: Vec<Variant>,
}

/// One variant of a target URI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its cache key: the primary key and the normalised selecting header fields.
    pub key: Vec<u8>,
    /// Its entity tag from the origin, sent as a condition on a variant miss.
    pub entity_tag: Option<Vec<u8>>,
}

mod status_code {
    use http::StatusCode;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(status: &StatusCode, s: S) -> Result<S::Ok, S::Error> {
        status.as_u16().serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<StatusCode, D::Error> {
        StatusCode::from_u16(u16::deserialize(d)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::policy::admission::{RequestFacts, Terms, admit};
    use http::{HeaderValue, Method};

    /// A 200 with these fields, and the time at which it was stored.
    pub(crate) fn stored(lines: &[(&'static str, &'static str)]) -> (StoredResponse, Timestamp) {
        stored_under(lines, &Terms::default())
    }

    /// As [`stored`], on a route with these terms.
    pub(in crate::policy) fn stored_under(
        lines: &[(&'static str, &'static str)],
        terms: &Terms,
    ) -> (StoredResponse, Timestamp) {
        let start = Timestamp::from_secs(1_000_000_000);
        let mut response = HeaderMap::new();
        for (name, value) in lines {
            response.append(*name, HeaderValue::from_static(value));
        }
        let facts = RequestFacts { method: &Method::GET, fields: &HeaderMap::new(), sent: start };
        let head = admit(facts, StatusCode::OK, &response, start, terms).expect("storable");
        (head, start)
    }

    #[test]
    fn clock_set_back_adds_to_age() {
        let (head, start) = stored(&[("cache-control", "max-age=100"), ("age", "30")]);
        for (back, age) in [(0, 30), (5, 35), (60, 90), (80, 110), (900_000_000, 900_000_030)] {
            let now = start - Duration::from_secs(back);
            assert_eq!(head.current_age(now), Duration::from_secs(age), "{back}");
        }
    }

    /// RFC 9111 section 4.2.3: the age includes the age on arrival.
    #[test]
    fn fresh_until_includes_initial_age() {
        let (head, start) = stored(&[("cache-control", "max-age=100"), ("age", "30")]);
        assert_eq!(head.fresh_until(), start + Duration::from_secs(70));
        assert_eq!(head.current_age(start + Duration::from_secs(5)), Duration::from_secs(35));
        let (head, start) = stored(&[("cache-control", "max-age=10"), ("age", "30")]);
        assert_eq!(head.fresh_until(), start - Duration::from_secs(20));
        assert_eq!(head.staleness(start), Duration::from_secs(20));
    }
}
