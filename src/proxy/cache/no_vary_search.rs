//! `No-Vary-Search` on routes that heed it: queries that the origin answers alike share a key.
//!
//! A rule is learnt from a response and remembered for its path. It is lost at a restart; until a response brings it again, queries are
//! told apart octet by octet, which only costs fetches.

use std::collections::HashMap;

use http::{HeaderMap, Uri};
use parking_lot::Mutex;

use crate::policy::no_vary_search::Rule;
use crate::proxy::Proxy;
use crate::proxy::route::Route;
use crate::store::{CacheKey, Handle};

/// Paths whose rules are remembered; beyond, all are forgotten and learnt anew.
const MOST: usize = 10_000;

/// The rules that were learnt, by route and path.
#[derive(Default)]
pub(crate) struct SearchRules(Mutex<HashMap<String, Learnt>>);

/// A rule and when it was learnt.
struct Learnt {
    rule: Rule,
    /// Stands in the keys that the rule gives. A rule that was lost or replaced, and is learnt again, gives other ones: what a purge
    /// in between could not name stays out of reach, and so does what was stored without the rule.
    sequence: u64,
}

impl SearchRules {
    /// Writes the primary cache key of `target` into `key`, over what was there.
    pub(crate) fn key_into(&self, route: &Route, key: &mut Vec<u8>, target: &Uri) {
        route.key_into(key, target);
        let Some(query) = target.query().filter(|_| route.no_vary_search) else {
            return;
        };
        let rules = self.0.lock();
        if let Some(Learnt { rule, sequence }) = rules.get(&place(route, target)) {
            key.truncate(key.len() - query.len());
            key.extend_from_slice(rule.canonical(query).as_bytes());
            // No URL has such an octet.
            key.extend_from_slice(format!("\n?{sequence}").as_bytes());
        }
    }

    /// The keys under which a response to `target` may be stored, each with its handle: octet by octet, and as the rule has it.
    pub(crate) fn names(&self, route: &Route, target: &Uri) -> Vec<(CacheKey, Handle)> {
        let (mut plain, mut canonical) = (Vec::new(), Vec::new());
        route.key_into(&mut plain, target);
        self.key_into(route, &mut canonical, target);
        let mut keys = vec![plain, canonical];
        keys.dedup();
        keys.into_iter()
            .map(|key| {
                let handle = Handle::of_url(&String::from_utf8_lossy(&key));
                (CacheKey::new(key), handle)
            })
            .collect()
    }

    /// What a purge of `target` as a URL would name.
    pub(crate) fn handles(&self, route: &Route, target: &Uri) -> Vec<Handle> {
        self.names(route, target).into_iter().map(|(_, handle)| handle).collect()
    }

    /// Learns what `response`, begun at `sequence`, says of the queries of its path.
    fn learn(&self, route: &Route, target: &Uri, response: &HeaderMap, sequence: u64) {
        if !route.no_vary_search {
            return;
        }
        let place = place(route, target);
        let mut rules = self.0.lock();
        match Rule::of(response) {
            Some(rule) => {
                if rules.len() >= MOST && !rules.contains_key(&place) {
                    rules.clear();
                }
                if rules.get(&place).is_none_or(|known| known.rule != rule) {
                    rules.insert(place, Learnt { rule, sequence });
                }
            }
            None => {
                rules.remove(&place);
            }
        }
    }
}

fn place(route: &Route, target: &Uri) -> String {
    format!("{} {}", route.scope(target), target.path())
}

impl Proxy {
    /// Learns what `response` says of the queries of its path, and gives the key that it is then stored under.
    pub(crate) fn learn_search(
        &self,
        route: &Route,
        target: &Uri,
        response: &HeaderMap,
        sequence: u64,
    ) -> CacheKey {
        self.search.learn(route, target, response, sequence);
        let mut key = Vec::new();
        self.search.key_into(route, &mut key, target);
        CacheKey::new(key)
    }
}
