//! One rule of lifetimes: what it applies to, and what then holds.

use std::time::Duration;

use url::Url;

use super::glob::{Glob, PathGlob, QueryGlob};
use crate::policy::directives::MAX_DELTA;

/// The longest lifetime: what stays until it is purged has it.
pub const FOREVER: Duration = Duration::from_secs(MAX_DELTA);

/// How long something is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// So long.
    For(Duration),
    /// Until somebody purges it. Clients must ask each time.
    UntilPurged,
    /// Not at all: neither read from the store nor stored.
    Never,
    /// As long as it is likely to hold, by how often it had changed so far.
    Adaptive,
}

impl Lifetime {
    /// How long, if that is said in time.
    pub fn in_time(self) -> Option<Duration> {
        match self {
            Lifetime::For(ttl) => Some(ttl),
            Lifetime::UntilPurged | Lifetime::Never | Lifetime::Adaptive => None,
        }
    }
}

/// One rule: what it applies to, and what then holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its name in `Cache-Status`: a token.
    pub name: String,
    /// What it applies to.
    pub when: When,
    /// It applies to requests that bring scripts, too.
    pub scripts: bool,
    /// It applies to targets with cache-busting parameters, too.
    pub busters: bool,
    /// What then holds.
    pub then: Outcome,
}

/// Conditions on the target's URL. All that are given must hold; of each list one member must. Without any it applies to everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// On the host, in lower case and without port.
    pub hosts: Vec<Glob>,
    /// On the path.
    pub paths: Vec<PathGlob>,
    /// On the URL as a whole.
    pub urls: Vec<Glob>,
    /// On the parameters of the query.
    pub queries: Vec<QueryGlob>,
}

impl Rule {
    /// The lifetime that it gives, if it gives one in time.
    pub(super) fn lasts(&self) -> Option<Duration> {
        self.then.ttl.and_then(Lifetime::in_time)
    }
}

impl When {
    /// Whether it applies to `page`; a target without URL, such as markup given in the request, meets no condition.
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

/// What a rule says. What it leaves open, the route says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The lifetime.
    pub ttl: Option<Lifetime>,
    /// The shortest lifetime that a caller may ask for; what is younger is not fetched anew by `force`.
    pub min_ttl: Option<Duration>,
    /// The longest lifetime that a caller may ask for, or the origin.
    pub max_ttl: Option<Duration>,
    /// The stale-while-revalidate window.
    pub stale_while_revalidate: Option<Duration>,
    /// The stale-if-error window.
    pub stale_if_error: Option<Duration>,
    /// It holds over whatever the origin says.
    pub overrides: bool,
}
