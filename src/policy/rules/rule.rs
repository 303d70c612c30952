//! One lifetime rule: its conditions ([`When`]) and its effect ([`Outcome`]).

use std::time::Duration;

use url::Url;

use super::glob::{Glob, PathGlob, QueryGlob};
use crate::policy::directives::MAX_DELTA;

/// The longest lifetime, also used for responses that are stored until they are purged.
pub const FOREVER: Duration = Duration::from_secs(MAX_DELTA);

/// The lifetime that a rule or a route sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// A fixed duration, counted from the generation of the response.
    For(Duration),
    /// Until it is purged. Clients must validate each time, so a purge reaches them.
    UntilPurged,
    /// The store is neither read nor written.
    Never,
    /// As long as the response is likely to be valid, by how often it has changed.
    Adaptive,
}

impl Lifetime {
    /// The duration, if it is fixed.
    pub fn in_time(self) -> Option<Duration> {
        match self {
            Lifetime::For(ttl) => Some(ttl),
            Lifetime::UntilPurged | Lifetime::Never | Lifetime::Adaptive => None,
        }
    }
}

/// One lifetime rule: its conditions and its effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The name in `Cache-Status`: a token.
    pub name: String,
    /// The conditions on the URL of the page.
    pub when: When,
    /// The rule also matches requests that bring scripts.
    pub scripts: bool,
    /// The rule also matches pages with cache-busting parameters.
    pub busters: bool,
    /// The effect of the rule.
    pub then: Outcome,
}

/// Conditions on the URL of a page. All conditions must match; a list matches if any of its members
/// does. Without conditions, it matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// Conditions on the host, in lower case and without port.
    pub hosts: Vec<Glob>,
    /// Conditions on the path.
    pub paths: Vec<PathGlob>,
    /// Conditions on the whole URL.
    pub urls: Vec<Glob>,
    /// Conditions on the parameters of the query.
    pub queries: Vec<QueryGlob>,
}

impl Rule {
    /// The lifetime of the rule, if it is fixed.
    pub(super) fn fixed_ttl(&self) -> Option<Duration> {
        self.then.ttl.and_then(Lifetime::in_time)
    }
}

impl When {
    /// Whether the conditions match `page`. Without a URL, as for markup in the request, no
    /// condition matches.
    pub fn matches(&self, page: Option<&Url>) -> bool {
        let Some(page) = page else {
            return *self == When::default();
        };
        let host = page.host_str().unwrap_or_default();
        (self.hosts.is_empty() || self.hosts.iter().any(|glob| glob.matches(host)))
            && (self.paths.is_empty() || self.paths.iter().any(|glob| glob.matches(page.path())))
            && (self.urls.is_empty() || self.urls.iter().any(|glob| glob.matches(page.as_str())))
            && (self.queries.is_empty() || self.queries.iter().any(|glob| glob.matches(page)))
    }
}

/// The settings of a rule. The route gives those that are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The lifetime of a matching response.
    pub ttl: Option<Lifetime>,
    /// The shortest lifetime that a client may request. `force` does not replace a younger stored
    /// response.
    pub min_ttl: Option<Duration>,
    /// The longest lifetime that a client may request or that the origin may give.
    pub max_ttl: Option<Duration>,
    /// The stale-while-revalidate window (RFC 5861 section 3).
    pub stale_while_revalidate: Option<Duration>,
    /// The stale-if-error window (RFC 5861 section 4).
    pub stale_if_error: Option<Duration>,
    /// Whether the rule overrides the origin's directives.
    pub overrides: bool,
}
