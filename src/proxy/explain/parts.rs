//! The parts of an explanation as JSON.

use http::header;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::clock::Timestamp;
use crate::message::outcome::Tier;
use crate::policy::freshness::{self, LifetimeSource};
use crate::policy::rules::adaptive::History;
use crate::policy::stored::{StoredResponse, Variant};
use crate::policy::targeted;
use crate::proxy::cache::negative::Negative;
use crate::proxy::cache::stored::Stored;
use crate::proxy::request::CacheRequest;
use crate::proxy::route::{Asking, Route};
use crate::store::CacheKey;

pub(crate) fn of_route(route: &Route, routes: usize) -> Value {
    let host = route.host.as_deref();
    let why = format!(
        "of {routes} routes the first whose host ({}) and path prefix match, the named host and the longest path first",
        host.unwrap_or("any"),
    );
    json!({
        "name": route.name,
        "host": host,
        "path": route.path,
        "capture": route.capture,
        "reads_as": route.asking.name(),
        "why": why,
    })
}

/// The key and what it is made of; of a capture in our own dialect, the canonical parameters.
pub(crate) fn of_key(asked: &CacheRequest, key: &CacheKey) -> Value {
    let primary = String::from_utf8_lossy(asked.primary.as_bytes());
    let (scope, target) = primary.split_once(' ').unwrap_or(("", &primary));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameters: Vec<[String; 2]> =
        form_urlencoded::parse(query.as_bytes()).map(|(name, value)| [name.into(), value.into()]).collect();
    let canonical = !matches!(asked.route.asking, Asking::Opaque(_));
    json!({
        "primary": primary,
        "selected": String::from_utf8_lossy(key.as_bytes()),
        "scope": scope,
        "path": path,
        "query": query,
        "parameters": canonical.then_some(parameters),
    })
}

pub(crate) fn of_stored(stored: &Stored, tier: Tier) -> Value {
    let (head, body) = (stored.head(), stored.body());
    let text = |name: http::HeaderName| {
        head.fields.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    json!({
        "tier": tier.name(),
        "status": head.status.as_u16(),
        "bytes": body.len(),
        "content_type": text(header::CONTENT_TYPE),
        "entity_tag": text(header::ETAG),
        "own_entity_tag": head.own_entity_tag,
        "cache_control": text(header::CACHE_CONTROL),
        "vary": text(header::VARY),
        "stored_at": rfc3339(head.response_time),
        "cost_seconds": head.cost.as_secs_f64(),
        "sequence": stored.record().sequence,
    })
}

pub(crate) fn of_variants((selecting, variants): &(Vec<String>, Vec<Variant>), selected: &CacheKey) -> Value {
    let variants: Vec<Value> = variants
        .iter()
        .map(|variant| {
            json!({
                "key": String::from_utf8_lossy(&variant.key),
                "entity_tag": variant.entity_tag.as_deref().map(String::from_utf8_lossy),
                "selected": variant.key == selected.as_bytes(),
            })
        })
        .collect();
    json!({ "selecting": selecting, "known": variants })
}

/// The sum: lifetime less age is what remains, and the windows after it.
pub(crate) fn of_freshness(head: &StoredResponse, asked: &CacheRequest, now: Timestamp) -> Value {
    let age = head.current_age(now);
    json!({
        "lifetime_seconds": head.lifetime.as_secs(),
        "lifetime_from": source(head, asked),
        "age_seconds": age.as_secs(),
        "age_at_arrival_seconds": head.initial_age.as_secs(),
        "remaining_seconds": head.lifetime.saturating_sub(age).as_secs(),
        "stale_for_seconds": head.staleness(now).as_secs(),
        "fresh_until": rfc3339(head.fresh_until()),
        "windows": {
            "stale_while_revalidate_seconds": head.stale_while_revalidate.as_secs(),
            "stale_if_error_seconds": head.stale_if_error.as_secs(),
            "stale_when_disconnected_seconds": head.stale_when_disconnected.as_secs(),
        },
        "no_cache": head.no_cache,
        "must_revalidate": head.must_revalidate,
        "immutable": head.immutable,
        "adaptive": of_history(head, asked),
    })
}

/// What an adaptive lifetime is made of.
fn of_history(head: &StoredResponse, asked: &CacheRequest) -> Option<Value> {
    let terms = asked.route.terms_for(asked.plan);
    let adaptive = terms.ruled.adaptive?;
    let seen = head.history.as_deref().map(History::estimate);
    Some(json!({
        "looks": seen.map_or(0, |seen| seen.looks),
        "changes": seen.map_or(0, |seen| seen.changes),
        "estimated_interval_seconds": seen.and_then(|seen| seen.interval).map(|interval| interval.as_secs()),
        "confidence": adaptive.confidence,
        "min_seconds": adaptive.least.as_secs(),
        "max_seconds": adaptive.most.as_secs(),
    }))
}

/// Where the lifetime comes from: if the response does not give it by itself, a rule or a bound
/// does.
fn source(head: &StoredResponse, asked: &CacheRequest) -> &'static str {
    const NAMES: [(LifetimeSource, &str); 5] = [
        (LifetimeSource::SMaxAge, "s-maxage"),
        (LifetimeSource::MaxAge, "max-age"),
        (LifetimeSource::Expires, "expires"),
        (LifetimeSource::Heuristic, "heuristic"),
        (LifetimeSource::None, "none"),
    ];
    if head.ruling.is_some() {
        return "rule";
    }
    let directives = targeted::for_cache(&head.fields, &asked.route.terms.targeted);
    let (lifetime, source) = freshness::lifetime(head.status, &head.fields, &directives, head.response_time);
    let named = NAMES.iter().find(|(known, _)| *known == source && lifetime == head.lifetime);
    named.map_or("rule", |(_, name)| name)
}

pub(crate) fn of_negative(negative: Negative) -> Value {
    match negative {
        Negative::Uncacheable => {
            json!({ "kind": "pass", "words": "its last answer could not be shared: requests do not wait for each other" })
        }
        Negative::OriginFailed { answered, just_now } => json!({
            "kind": "failed", "answered": answered, "just_now": just_now,
            "words": "its origin failed: where a stale response may stand in, it does so at once",
        }),
    }
}

pub(crate) fn rfc3339(at: Timestamp) -> String {
    // Beyond the year 9999 there is no such text.
    let latest = Timestamp::from_secs(253_402_300_799);
    humantime::format_rfc3339_seconds(at.min(latest).to_system()).to_string()
}
