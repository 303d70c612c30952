//! Applies lifetime rules to the response of an origin: its lifetime, the directives that were
//! overridden, and the `Cache-Control` for clients. Main types: [`Ruled`] and [`Ruling`].

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::adaptive::{Adaptive, History};
use super::rule::{FOREVER, Lifetime};
use crate::clock::Timestamp;
use crate::message::capture::is_incomplete;
use crate::message::fields;
use crate::message::outcome::NotStored;
use crate::policy::directives::{Qualified, ResponseDirectives};
use crate::policy::freshness::{self, LifetimeSource};
use crate::policy::set_cookie::SetCookie;

/// Which directives of the origin a rule overrides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Over {
    /// None: the rule applies where the origin gives no lifetime.
    #[default]
    Nothing,
    /// The lifetime, which is our own: the origin is the capture engine.
    Lifetime,
    /// The lifetime, and all directives that forbid storage or reuse.
    Everything,
}

/// The storage decision of rules and client parameters, made before the response arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruled {
    /// The name of the rule; empty if none matched.
    pub rule: String,
    /// The lifetime, where it takes precedence over the origin's.
    pub ttl: Option<Lifetime>,
    /// The parameters of an adaptive lifetime. If they are set, the history is stored, even if the
    /// client gave the lifetime.
    pub adaptive: Option<Adaptive>,
    /// The looks at the stored response, including this response.
    pub history: History,
    /// The shortest lifetime, where the origin's may be extended.
    pub least: Duration,
    /// The longest lifetime that the origin may give.
    pub most: Duration,
    /// The stale-while-revalidate and stale-if-error windows of the rule.
    pub windows: (Option<Duration>, Option<Duration>),
    /// Which directives of the origin are overridden.
    pub over: Over,
    /// Why the response is not stored whatever it says, if so.
    pub refused: Option<NotStored>,
    /// Status codes that may be stored; without it, those of RFC 9111.
    pub statuses: Option<Vec<u16>>,
}

impl Default for Ruled {
    fn default() -> Self {
        Ruled {
            rule: String::new(),
            ttl: None,
            adaptive: None,
            history: History::default(),
            least: Duration::ZERO,
            most: FOREVER,
            windows: (None, None),
            over: Over::Nothing,
            refused: None,
            statuses: None,
        }
    }
}

/// The decision of a rule on a stored response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// The rule and the directives that it overrode, for `Cache-Status`; empty if it overrode none.
    pub told: String,
    /// The `Cache-Control` that clients receive in place of the origin's.
    #[serde(with = "octets")]
    pub cache_control: HeaderValue,
}

/// The effect of a rule on the response of an origin.
pub(in crate::policy) struct Applied {
    pub(in crate::policy) directives: ResponseDirectives,
    pub(in crate::policy) lifetime: Duration,
    pub(in crate::policy) source: LifetimeSource,
    /// The decision of the rule, if it replaced the origin's.
    pub(in crate::policy) ruling: Option<Box<Ruling>>,
}

impl Ruled {
    /// Applies the decision to the response to a request with the fields `request`. `said` are the
    /// response's directives for this cache.
    pub(in crate::policy) fn apply(
        &self,
        request: &HeaderMap,
        status: StatusCode,
        response: &HeaderMap,
        said: ResponseDirectives,
        set_cookie: SetCookie,
        received: Timestamp,
    ) -> Applied {
        let (own, source) = freshness::lifetime(status, response, &said, received);
        // Credentials or a cookie make a response personal. A rule must not share it with other
        // clients.
        let personal = fields::has_credentials(request)
            || (response.contains_key(header::SET_COOKIE) && set_cookie != SetCookie::Strip);
        let over = match self.over {
            Over::Everything if personal => Over::Nothing,
            over => over,
        };
        // Rules apply to complete pictures. A picture of a page that was not loaded keeps the
        // lifetime of its origin.
        let decides = !is_incomplete(response)
            && self.rules_status(status)
            && (over != Over::Nothing || !source.is_explicit());
        let ruled = match self.ttl {
            _ if !decides => None,
            Some(Lifetime::For(ttl)) => Some(ttl),
            Some(Lifetime::UntilPurged) => Some(FOREVER),
            Some(Lifetime::Never) => None,
            Some(Lifetime::Adaptive) => {
                let said = source.is_explicit().then_some(own);
                self.adaptive.map(|adaptive| adaptive.lifetime(&self.history, said))
            }
            None if over != Over::Nothing && self.least > own => Some(self.least),
            None => None,
        };
        let Some(lifetime) = ruled else {
            // A cache may always store a response for a shorter time.
            return Applied { directives: said, lifetime: own.min(self.most), source, ruling: None };
        };
        let mut directives = said;
        directives.max_age = None;
        let mut overruled = Vec::new();
        if over == Over::Everything {
            overrule(&mut directives, &mut overruled);
            if source.is_explicit() && own != lifetime {
                overruled.push(source.name());
            }
            if self.windows.0.is_some() {
                directives.stale_while_revalidate = None;
            }
            if self.windows.1.is_some() {
                directives.stale_if_error = None;
            }
        }
        let told = self.cache_status_text(&overruled);
        let until_purged = self.ttl == Some(Lifetime::UntilPurged);
        let cache_control = client_cache_control(response, (!until_purged).then_some(lifetime), over);
        let ruling = cache_control.map(|cache_control| Box::new(Ruling { told, cache_control }));
        Applied { directives, lifetime, source: LifetimeSource::Rule, ruling }
    }

    /// The history to store with the response.
    pub(in crate::policy) fn kept_history(&self) -> Option<Box<History>> {
        let known = self.adaptive.is_some() && !self.history.is_empty();
        known.then(|| Box::new(self.history.clone()))
    }

    /// The text for `Cache-Status`; empty if the rule changed nothing.
    fn cache_status_text(&self, overruled: &[&'static str]) -> String {
        let mut parts = Vec::new();
        if !overruled.is_empty() {
            parts.push(format!("over {}", overruled.join(", ")));
        }
        if self.ttl == Some(Lifetime::Adaptive) {
            let seen = self.history.estimate();
            let every = seen.interval.map_or_else(String::new, |t| format!(", one in {} s", t.as_secs()));
            parts.push(format!("adaptive: {} changes in {} looks{every}", seen.changes, seen.looks));
        }
        match (parts.is_empty(), self.rule.as_str()) {
            (true, _) | (_, "") => parts.join("; "),
            (false, rule) => format!("rule={rule} {}", parts.join("; ")),
        }
    }

    /// Whether responses with this status code may be stored at all.
    pub(in crate::policy) fn stores_status(&self, status: StatusCode) -> bool {
        self.statuses.as_ref().is_none_or(|list| list.contains(&status.as_u16()))
    }

    /// Whether a response with this status code may be stored without an explicit lifetime.
    pub(in crate::policy) fn is_heuristic(&self, status: StatusCode) -> bool {
        match &self.statuses {
            Some(list) => list.contains(&status.as_u16()),
            None => freshness::heuristic_allowed(status),
        }
    }

    /// Whether rules give a lifetime to this status code. Errors must be listed, as a page that
    /// failed once would otherwise be stored for a day.
    fn rules_status(&self, status: StatusCode) -> bool {
        match &self.statuses {
            Some(list) => list.contains(&status.as_u16()),
            None => freshness::heuristic_allowed(status) && status.as_u16() < 400,
        }
    }
}

/// Removes the directives that forbid storage or reuse, and collects their names. Directives that
/// are limited to fields are kept.
fn overrule(directives: &mut ResponseDirectives, names: &mut Vec<&'static str>) {
    let mut flag = |flag: &mut bool, name| {
        if std::mem::take(flag) {
            names.push(name);
        }
    };
    flag(&mut directives.no_store, "no-store");
    for (qualified, name) in [(&mut directives.no_cache, "no-cache"), (&mut directives.private, "private")] {
        let mut whole = *qualified == Qualified::Whole;
        if whole {
            *qualified = Qualified::Absent;
        }
        flag(&mut whole, name);
    }
    flag(&mut directives.must_revalidate, "must-revalidate");
    flag(&mut directives.proxy_revalidate, "proxy-revalidate");
    directives.must_understand = false;
    directives.s_maxage = None;
}

/// The origin's `Cache-Control` with its lifetime replaced by `lifetime`, or by `no-cache`.
/// Directives for downstream caches (`s-maxage`) are kept.
fn client_cache_control(response: &HeaderMap, lifetime: Option<Duration>, over: Over) -> Option<HeaderValue> {
    let is_removed = |member: &[u8]| {
        let name = member.split(|&octet| octet == b'=').next().unwrap_or_default().trim_ascii();
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let forbids = is(&["no-store", "must-understand", "must-revalidate", "proxy-revalidate"])
            || (is(&["no-cache", "private"]) && !member.contains(&b'='));
        let extends_lifetime = is(&["immutable", "stale-while-revalidate", "stale-if-error"]);
        is(&["max-age"]) || (over == Over::Everything && forbids) || (lifetime.is_none() && extends_lifetime)
    };
    let mut members: Vec<Vec<u8>> = fields::list(response, &header::CACHE_CONTROL)
        .filter(|member| !is_removed(member))
        .map(<[u8]>::to_vec)
        .collect();
    members.push(match lifetime {
        Some(lifetime) => format!("max-age={}", lifetime.as_secs()).into_bytes(),
        None => b"no-cache".to_vec(),
    });
    HeaderValue::from_bytes(&members.join(&b", "[..])).ok()
}

mod octets {
    use http::HeaderValue;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &HeaderValue, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(value.as_bytes())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<HeaderValue, D::Error> {
        HeaderValue::from_bytes(&Vec::<u8>::deserialize(d)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
