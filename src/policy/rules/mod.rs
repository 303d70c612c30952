//! Lifetime rules: how long a response is stored, by the route, its rules and the client's
//! parameters.
//!
//! [`Lifetimes::plan`] makes a [`Plan`] for a request. It says whether the store may be read and
//! written, which rule matched, and which lifetime the client may have. [`Plan::decide`] decides on
//! a stored response. [`Lifetimes::terms`] gives the terms for a new one, which [`ruling`] applies
//! to the origin's directives.

use std::time::Duration;

use url::{Url, form_urlencoded};

use super::admission::{NotStored, Terms};
use super::directives::RequestDirectives;
use super::reuse::{self, MustValidate, Reuse, StaleUse};
use super::stored::StoredResponse;
use super::wishes::Wishes;
use crate::clock::Timestamp;

pub mod adaptive;
pub mod early;
pub mod glob;
pub mod presets;
pub mod rule;
pub mod ruling;

use adaptive::{Adaptive, History};
pub use presets::Preset;
pub use rule::{FOREVER, Lifetime, Outcome, Rule, When};
use ruling::{Over, Ruled};

/// The lifetime settings of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lifetimes {
    /// The rules of the route, then those of its preset. The first match wins.
    pub rules: Vec<Rule>,
    /// Query parameters of a page that mean that it must not come from a cache.
    pub cache_busters: Vec<String>,
    /// Whether clients may use `ttl`, `force` and the other control parameters of the cache.
    pub caller_ttl: bool,
    /// The lifetime where nothing else gives one.
    pub default_ttl: Option<Lifetime>,
    /// The probability that a picture is still valid at the end of an adaptive lifetime. Without
    /// it, [`adaptive::CONFIDENCE`].
    pub adaptive_confidence: Option<f64>,
    /// As [`Outcome::min_ttl`], where the rule has none.
    pub min_ttl: Option<Duration>,
    /// As [`Outcome::max_ttl`], where the rule has none.
    pub max_ttl: Option<Duration>,
    /// Status codes that may be stored and that rules apply to. Without it, those of RFC 9110
    /// section 15.1.
    pub cacheable_statuses: Option<Vec<u16>>,
    /// The origin is the capture engine: its lifetimes are our own, and apply only where nothing
    /// else gives one.
    pub engine: bool,
}

/// The lifetime decision for one request. It is small, so that each request can have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Why the store is neither read nor written, if so.
    pub refused: Option<NotStored>,
    /// Fetch a new response, unless the stored one is younger than this.
    pub force: Option<Duration>,
    rule: Option<usize>,
    /// The lifetime before the first look of an adaptive rule, from a later rule.
    first: Option<Duration>,
    /// The client's `ttl` within its bounds.
    ttl: Option<Duration>,
    /// The client's `stale_ttl` within its bounds.
    stale_ttl: Option<Duration>,
}

impl Lifetimes {
    /// Whether the plan depends on the URL of the page.
    pub fn look_at_urls(&self) -> bool {
        !self.rules.is_empty() || !self.cache_busters.is_empty()
    }

    /// The plan for a request for `page` with these control parameters.
    pub fn plan(&self, page: Option<&Url>, wishes: &Wishes) -> Plan {
        let busts = page.is_some_and(|page| self.has_cache_buster(page));
        let applies = |rule: &Rule| {
            (rule.scripts || !wishes.scripted) && (rule.busters || !busts) && rule.when.matches(page)
        };
        let at = self.rules.iter().position(applies);
        let rule = at.and_then(|at| self.rules.get(at));
        let refused = match rule {
            None if wishes.scripted => Some(NotStored::Scripts),
            None if busts => Some(NotStored::CacheBuster),
            Some(rule) if rule.then.ttl == Some(Lifetime::Never) => Some(NotStored::Rule),
            _ if self.caller_ttl && wishes.no_cache => Some(NotStored::Caller),
            _ => None,
        };
        let mut plan = Plan { refused, rule: at, ..Plan::default() };
        if let (Some(at), Some(Lifetime::Adaptive)) = (at, rule.and_then(|rule| rule.then.ttl)) {
            plan.first = self.rules[at + 1..].iter().filter(|rule| applies(rule)).find_map(Rule::fixed_ttl);
        }
        if self.caller_ttl {
            let (least, most) = self.bounds(rule);
            plan.ttl = wishes.ttl.map(|ttl| ttl.max(least).min(most));
            plan.stale_ttl = wishes.stale_ttl.map(|window| window.min(most));
            plan.force = wishes.force.then_some(least);
        }
        plan
    }

    /// The name of the rule that `plan` follows.
    pub fn rule(&self, plan: Plan) -> Option<&str> {
        Some(self.rules.get(plan.rule?)?.name.as_str())
    }

    /// The storage terms of `plan`, on a route with the terms `route`.
    pub fn terms(&self, plan: Plan, route: &Terms) -> Terms {
        let rule = plan.rule.and_then(|at| self.rules.get(at));
        let then = rule.map(|rule| &rule.then);
        let (least, most) = self.bounds(rule);
        let ruled_ttl = then.and_then(|then| then.ttl);
        let by_rule = ruled_ttl.or(self.default_ttl);
        let ttl = plan.ttl.map(Lifetime::For).or(by_rule);
        let windows = (
            plan.stale_ttl.or(then.and_then(|then| then.stale_while_revalidate)),
            then.and_then(|then| then.stale_if_error),
        );
        let over = match then {
            Some(then) if then.overrides => Over::Everything,
            _ if self.engine => Over::Lifetime,
            _ => Over::Nothing,
        };
        let ruled = Ruled {
            rule: rule.map(|rule| rule.name.clone()).unwrap_or_default(),
            ttl,
            adaptive: (by_rule == Some(Lifetime::Adaptive)).then(|| self.adaptive(plan, rule)),
            history: History::default(),
            least,
            most: plan.ttl.map_or(most, |ttl| ttl.min(most)),
            windows,
            over,
            refused: plan.refused,
            statuses: self.cacheable_statuses.clone(),
        };
        Terms {
            stale_while_revalidate: windows.0.or(route.stale_while_revalidate),
            stale_if_error: windows.1.or(route.stale_if_error),
            ruled,
            ..route.clone()
        }
    }

    /// The parameters of adaptive lifetimes under `rule`.
    fn adaptive(&self, plan: Plan, rule: Option<&Rule>) -> Adaptive {
        let then = rule.map(|rule| &rule.then);
        let least = then.and_then(|then| then.min_ttl).or(self.min_ttl);
        let most = then.and_then(|then| then.max_ttl).or(self.max_ttl);
        let first = plan.first.or(self.default_ttl.and_then(Lifetime::in_time));
        // A bound that is set also limits the default of the other.
        let least = least.unwrap_or_else(|| {
            most.map_or(adaptive::DEFAULT_MIN_LIFETIME, |most| most.min(adaptive::DEFAULT_MIN_LIFETIME))
        });
        let most = most.unwrap_or_else(|| least.max(adaptive::DEFAULT_MAX_LIFETIME));
        let confidence = self.adaptive_confidence.unwrap_or(adaptive::CONFIDENCE);
        Adaptive { confidence, first, least, most }
    }

    fn bounds(&self, rule: Option<&Rule>) -> (Duration, Duration) {
        let then = rule.map(|rule| &rule.then);
        let least = then.and_then(|then| then.min_ttl).or(self.min_ttl).unwrap_or_default();
        let most = then.and_then(|then| then.max_ttl).or(self.max_ttl).unwrap_or(FOREVER);
        (least, most.min(FOREVER))
    }

    fn has_cache_buster(&self, page: &Url) -> bool {
        let query = page.query().unwrap_or_default();
        !self.cache_busters.is_empty()
            && form_urlencoded::parse(query.as_bytes())
                .any(|(name, _)| self.cache_busters.iter().any(|buster| buster.eq_ignore_ascii_case(&name)))
    }
}

impl Plan {
    /// The client's `ttl` within its bounds.
    pub(in crate::policy) fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    /// Whether `stored` may answer a request with this plan: [`reuse::decide`], limited by the
    /// client's control parameters.
    pub fn decide(&self, stored: &StoredResponse, request: &RequestDirectives, now: Timestamp) -> Reuse {
        if self.force.is_some_and(|least| now.apart(stored.response_time) >= least) {
            return Reuse::Validate(MustValidate::Request);
        }
        let decided = reuse::decide(stored, request, now);
        let age = stored.current_age(now);
        match (decided, self.ttl) {
            (Reuse::Fresh, Some(ttl)) if age >= ttl => match self.stale_ttl {
                Some(window) if !stored.must_revalidate && age < ttl.saturating_add(window) => {
                    Reuse::Stale(StaleUse::WhileRevalidate)
                }
                _ => Reuse::Validate(MustValidate::Request),
            },
            (Reuse::Stale(StaleUse::WhileRevalidate), _)
                if self.stale_ttl.is_some_and(|window| stored.staleness(now) >= window) =>
            {
                Reuse::Validate(MustValidate::Stale)
            }
            _ => decided,
        }
    }
}

#[cfg(test)]
mod tests;
