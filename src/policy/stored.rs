//! What is kept of a response beside its body, and what was decided of it when it was stored.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::message::fields;
use crate::policy::rules::adaptive::History;
use crate::policy::rules::ruling::Ruling;

/// The head of a stored response. Everything that can be decided once is decided here, so that a hit
/// has only to compare numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredResponse {
    /// Final status code of the response.
    #[serde(with = "status_code")]
    pub status: StatusCode,
    /// Its end-to-end fields, ready to be sent; `Age` and the cache's own fields are not among them.
    #[serde(with = "fields::octets")]
    pub fields: HeaderMap,
    /// When the request that led to it was sent (RFC 9111 4.2.3 `request_time`).
    pub request_time: Timestamp,
    /// When its head arrived, or when it was last validated (`response_time`).
    pub response_time: Timestamp,
    /// Its age when it arrived (`corrected_initial_age`).
    pub initial_age: Duration,
    /// How long it is fresh, counted from its generation (RFC 9111 4.2.1).
    pub lifetime: Duration,
    /// How long after that it may be served while a validation is under way (RFC 5861 section 3).
    pub stale_while_revalidate: Duration,
    /// How long after that it may cover origin errors (RFC 5861 section 4).
    pub stale_if_error: Duration,
    /// How long after that it may be served while the origin gives no answer at all (RFC 9111 section 4.2.4).
    pub stale_when_disconnected: Duration,
    /// It must be validated before every use (unqualified `no-cache`).
    pub no_cache: bool,
    /// It must not be served stale (`must-revalidate`, `proxy-revalidate`, `s-maxage`).
    pub must_revalidate: bool,
    /// It does not change while it is fresh (RFC 8246).
    pub immutable: bool,
    /// The entity tag is one that we made; the origin does not know it.
    pub own_entity_tag: bool,
    /// Time it took to get, from request to last byte: what a hit saves.
    pub cost: Duration,
    /// What a rule decided over what the origin said, or in its silence.
    pub ruling: Option<Box<Ruling>>,
    /// How often it and those before it had changed, where its lifetime is made of that.
    pub history: Option<Box<History>>,
}

impl StoredResponse {
    /// The moment at which it stops being fresh.
    pub fn fresh_until(&self) -> Timestamp {
        self.response_time + self.lifetime.saturating_sub(self.initial_age)
            - self.initial_age.saturating_sub(self.lifetime)
    }

    /// RFC 9111 4.2.3 `current_age`.
    ///
    /// One that came later than now came before the clock was stepped back. How long ago nobody knows; by as much as the clock is off it
    /// counts as old, so that no step makes it fresh for good.
    pub fn current_age(&self, now: Timestamp) -> Duration {
        self.initial_age.saturating_add(now.apart(self.response_time))
    }

    /// How long it has been stale; zero while it is fresh.
    pub fn staleness(&self, now: Timestamp) -> Duration {
        self.current_age(now).saturating_sub(self.lifetime)
    }
}

/// What is stored under the primary key of a target whose responses vary: which request fields select,
/// and which variants are known. Each variant is stored under a key of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantIndex {
    /// Selecting field names of the most recent response's `Vary`, in lower case, sorted.
    pub selecting: Vec<String>,
    /// Known variants, most recent first, bounded.
    pub variants: Vec<Variant>,
}

/// One known variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Its key: the primary key and the normalised selecting fields.
    pub key: Vec<u8>,
    /// Its entity tag as the origin gave it, to be offered on a variant miss.
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

    /// A 200 with these fields, stored at the returned moment.
    pub(crate) fn stored(lines: &[(&'static str, &'static str)]) -> (StoredResponse, Timestamp) {
        stored_under(lines, &Terms::default())
    }

    /// The same on a route with these terms.
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
    fn a_clock_that_is_stepped_back_makes_nothing_fresh_for_good() {
        let (head, start) = stored(&[("cache-control", "max-age=100"), ("age", "30")]);
        for (back, age) in [(0, 30), (5, 35), (60, 90), (80, 110), (900_000_000, 900_000_030)] {
            let now = start - Duration::from_secs(back);
            assert_eq!(head.current_age(now), Duration::from_secs(age), "{back}");
        }
    }

    /// RFC 9111 section 4.2.3: the age counts what it was on arrival.
    #[test]
    fn fresh_until_takes_the_initial_age_into_account() {
        let (head, start) = stored(&[("cache-control", "max-age=100"), ("age", "30")]);
        assert_eq!(head.fresh_until(), start + Duration::from_secs(70));
        assert_eq!(head.current_age(start + Duration::from_secs(5)), Duration::from_secs(35));
        let (head, start) = stored(&[("cache-control", "max-age=10"), ("age", "30")]);
        assert_eq!(head.fresh_until(), start - Duration::from_secs(20));
        assert_eq!(head.staleness(start), Duration::from_secs(20));
    }
}
