//! `No-Vary-Search`: queries to which the origin gives the same response share a cache key, on
//! routes that allow it.
//!
//! A rule is learnt from a response and kept for its path. It is lost at a restart. Until a
//! response brings it again, each query has a key of its own, which only costs fetches.

use std::collections::HashMap;

use http::{HeaderMap, Uri};
use parking_lot::Mutex;

use crate::policy::no_vary_search::Rule;
use crate::proxy::route::Route;
use crate::store::{CacheKey, Handle};

/// Paths whose rules are kept. Beyond that all are dropped and learnt again.
const MAX_PATHS: usize = 10_000;

/// The rules that were learnt, by route and path.
#[derive(Default)]
pub(crate) struct NoVarySearch(Mutex<HashMap<String, LearntRule>>);

struct LearntRule {
    rule: Rule,
    /// Sequence number of the response, part of the keys that the rule makes. A rule that is lost
    /// and learnt again makes other keys, so that a response which a purge in between could not
    /// name is not found again.
    sequence: u64,
}

impl NoVarySearch {
    /// Writes the primary cache key of `target` into `key`, over what was there.
    pub(super) fn key_into(&self, route: &Route, key: &mut Vec<u8>, target: &Uri) {
        route.key_into(key, target);
        let Some(query) = target.query().filter(|_| route.no_vary_search) else {
            return;
        };
        let rules = self.0.lock();
        if let Some(LearntRule { rule, sequence }) = rules.get(&rule_path(route, target)) {
            key.truncate(key.len() - query.len());
            key.extend_from_slice(rule.canonical(query).as_bytes());
            // No URL has such an octet.
            key.extend_from_slice(format!("\n?{sequence}").as_bytes());
        }
    }

    /// The keys under which a response to `target` may be stored, without and with the rule, each
    /// with its handle.
    pub(super) fn names(&self, route: &Route, target: &Uri) -> Vec<(CacheKey, Handle)> {
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

    /// Learns the rule in `response`, whose fetch began at `sequence`.
    pub(super) fn learn(&self, route: &Route, target: &Uri, response: &HeaderMap, sequence: u64) {
        if !route.no_vary_search {
            return;
        }
        let path = rule_path(route, target);
        let mut rules = self.0.lock();
        match Rule::of(response) {
            Some(rule) => {
                if rules.len() >= MAX_PATHS && !rules.contains_key(&path) {
                    rules.clear();
                }
                if rules.get(&path).is_none_or(|known| known.rule != rule) {
                    rules.insert(path, LearntRule { rule, sequence });
                }
            }
            None => {
                rules.remove(&path);
            }
        }
    }
}

fn rule_path(route: &Route, target: &Uri) -> String {
    format!("{} {}", route.scope(target), target.path())
}
