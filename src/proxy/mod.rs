//! DATA PLANE: route, key, lookup, decide, fetch, respond.

use std::time::Duration;

/// Routes and the bounds of the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Routes, in any order: the longest matching path prefix wins, a named host before any host.
    pub routes: Vec<Route>,
    /// Pseudonym of this proxy in `Via` and `Cache-Status`.
    pub pseudonym: String,
    /// Bytes of a request target; 414 beyond.
    pub max_uri_bytes: usize,
    /// Bytes of a request body; 413 beyond.
    pub max_request_body: u64,
    /// Bytes of the largest response that is stored.
    pub max_stored_bytes: u64,
    /// Bytes that all fetches under way may hold for storing; beyond, answers pass unstored.
    pub max_fetch_buffer: u64,
    /// A response without an entity tag and at most so long is held until it is whole, so that its first
    /// answer carries the tag.
    pub hold_for_tag: u64,
    /// Time that a follower waits for the leader's response head.
    pub collapse_timeout: Duration,
    /// Variants kept for one key.
    pub max_variants: usize,
}

/// Which requests go to which origin, and what is overridden for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Name in proxy.toml, in logs and figures.
    pub name: String,
    /// Host it answers for, without port, in lower case; any host without.
    pub host: Option<String>,
    /// Prefix of the path, on segment borders: `/a` matches `/a` and `/a/b`, not `/ab`.
    pub path: String,
    /// Name of its origin.
    pub upstream: String,
    /// Its query names a page to capture in `url`: that page is a handle to purge by.
    pub capture: bool,
    /// Stale-while-revalidate window where the origin gives none.
    pub stale_while_revalidate: Option<Duration>,
    /// Stale-if-error window where the origin gives none.
    pub stale_if_error: Option<Duration>,
}
