//! `No-Vary-Search` on routes that heed it: queries that the origin answers alike share a key.
//!
//! A rule is learnt from a response and remembered for its path. It is lost at a restart; until a response brings it again, queries are
//! told apart octet by octet, which only costs fetches.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, Uri};

use super::Proxy;
use super::route::Route;
use crate::policy::no_vary_search::Rule;
use crate::store::CacheKey;

/// Paths whose rules are remembered; beyond, all are forgotten and learnt anew.
const MOST: usize = 10_000;

/// The rules that were learnt, by route and path.
#[derive(Default)]
pub(super) struct SearchRules(Mutex<HashMap<String, Rule>>);

impl SearchRules {
    /// Writes the primary cache key of `target` into `key`, over what was there.
    pub(super) fn key_into(&self, route: &Route, key: &mut Vec<u8>, target: &Uri) {
        route.key_into(key, target);
        let Some(query) = target.query().filter(|_| route.no_vary_search) else {
            return;
        };
        let canonical = self.rules().get(&place(route, target)).map(|rule| rule.canonical(query));
        if let Some(canonical) = canonical {
            key.truncate(key.len() - query.len());
            key.extend_from_slice(canonical.as_bytes());
        }
    }

    /// Learns what `response` says of the queries of its path.
    pub(super) fn learn(&self, route: &Route, target: &Uri, response: &HeaderMap) {
        if !route.no_vary_search {
            return;
        }
        let place = place(route, target);
        let mut rules = self.rules();
        match Rule::of(response) {
            Some(rule) => {
                if rules.len() >= MOST && !rules.contains_key(&place) {
                    rules.clear();
                }
                rules.insert(place, rule);
            }
            None => {
                rules.remove(&place);
            }
        }
    }

    fn rules(&self) -> MutexGuard<'_, HashMap<String, Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(route: &Route, target: &Uri) -> String {
    format!("{} {}", route.scope(target), target.path())
}

impl Proxy {
    /// Learns what `response` says of the queries of its path, and gives the key that it is then stored under.
    pub(super) fn learn_search(&self, route: &Route, target: &Uri, response: &HeaderMap) -> CacheKey {
        self.search.learn(route, target, response);
        let mut key = Vec::new();
        self.search.key_into(route, &mut key, target);
        CacheKey::new(key)
    }
}
