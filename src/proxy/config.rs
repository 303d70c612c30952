//! Settings of the data plane, and of each route.

use std::time::Duration;

use http::HeaderName;

use crate::capture::Defaults;
use crate::capture::dialect::{Dialect, RouteDialect, imgproxy};
use crate::clock::Timestamp;
use crate::derive;
use crate::policy::admission::Terms;
use crate::policy::audience::Audience;
use crate::policy::public_url::PublicUrl;
use crate::policy::rules::Lifetimes;
use crate::policy::signing::rate::Rate;
use crate::policy::signing::{Render, Secret};
use crate::policy::{query, tags};

/// Routes and the bounds of the data plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Routes, in any order: the longest matching path prefix wins, a named host before any host.
    pub routes: Vec<Route>,
    /// Who may ask, on routes that want to know.
    pub keys: Vec<Key>,
    /// Pseudonym of this proxy in `Via` and `Cache-Status`.
    pub pseudonym: String,
    /// `Cache-Status` tells the cache key (RFC 9211 section 2.7).
    pub tell_key: bool,
    /// Bytes of a request target; 414 beyond.
    pub max_uri_bytes: usize,
    /// Bytes of a request body; 413 beyond.
    pub max_request_body: u64,
    /// Bytes of the largest response that is stored.
    pub max_stored_bytes: u64,
    /// Bytes that all fetches under way may hold for storing; beyond, answers pass unstored.
    pub max_fetch_buffer: u64,
    /// A response without an entity tag and at most so long is held until it is whole, so that its
    /// first answer carries the tag.
    pub hold_for_tag: u64,
    /// How long such a response is held at most.
    pub max_hold: Duration,
    /// Time that a follower waits for the leader's response head.
    pub collapse_timeout: Duration,
    /// Variants kept for one key.
    pub max_variants: usize,
    /// Hits whose answers are kept ready to be sent, about 1 KiB of memory each; none for zero.
    pub max_prepared: usize,
    /// Response fields with tags to purge by that clients do not get.
    pub hidden_tags: Vec<HeaderName>,
    /// What paths in imgproxy's dialect are signed with.
    pub imgproxy: Option<imgproxy::Keys>,
    /// Bounds of making pictures out of stored ones.
    pub derive: derive::Config,
    /// What links begin with, unless a route says otherwise.
    pub public_url: Option<PublicUrl>,
}

impl Config {
    /// Prepared responses on the fast path. They cannot show a key, so that there are none where
    /// clients want one.
    pub(super) fn prepared_places(&self) -> usize {
        if self.tell_key { 0 } else { self.max_prepared }
    }

    /// Whether any route prefetches.
    pub(super) fn prefetches(&self) -> bool {
        self.routes.iter().any(|route| route.refresh.watched > 0)
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            routes: Vec::new(),
            keys: Vec::new(),
            pseudonym: "tintype".into(),
            tell_key: false,
            max_uri_bytes: 16 << 10,
            max_request_body: 10 << 20,
            max_stored_bytes: 32 << 20,
            max_fetch_buffer: 256 << 20,
            hold_for_tag: 2 << 20,
            max_hold: Duration::from_secs(1),
            collapse_timeout: Duration::from_secs(60),
            max_variants: 64,
            max_prepared: 4096,
            hidden_tags: vec![tags::SURROGATE_KEY, tags::XKEY],
            imgproxy: None,
            derive: derive::Config::default(),
            public_url: None,
        }
    }
}

/// Which requests go to which origin, and what is overridden for them.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Name in proxy.toml, in logs and figures.
    pub name: String,
    /// Host it answers for, without port, in lower case; any host without.
    pub host: Option<String>,
    /// Prefix of the path, on segment borders: `/a` matches `/a` and `/a/b`, not `/ab`.
    pub path: String,
    /// Name of its origin.
    pub upstream: String,
    /// The route to the same origin whose stored responses it shares; itself without.
    pub key: Option<String>,
    /// Its query names a page to capture in `url`: that page is a handle to purge by.
    pub capture: bool,
    /// A successful response that is not a good picture is an origin error.
    pub only_pictures: bool,
    /// How its requests are read.
    pub asking: Asking,
    /// It heeds `No-Vary-Search`: queries that the origin answers alike share a key.
    pub no_vary_search: bool,
    /// What it says of storing.
    pub terms: Terms,
    /// Its rules of lifetime.
    pub lifetimes: Lifetimes,
    /// When it fetches anew what is still fresh.
    pub refresh: Refresh,
    /// Who may ask.
    pub auth: Auth,
    /// Whom its answers are for.
    pub audience: Audience,
    /// What links to its pictures begin with.
    pub public_url: Option<PublicUrl>,
}

/// When a route fetches anew what is still fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Refresh {
    /// Beta of the early refresh: how many times its cost ahead it comes on average. Zero is off.
    pub early: f64,
    /// Responses that are watched at once, to be fetched shortly before they go stale. Zero is off.
    pub watched: usize,
    /// Hits within its lifetime after which one is watched.
    pub hits: u32,
}

/// How a route reads the queries of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asking {
    /// As tintype's own capture parameters, by query or JSON, under any unambiguous alias.
    Tintype(Defaults),
    /// As another service's.
    Dialect(Box<RouteDialect>),
    /// As opaque text, but for parameters that are known to mean nothing.
    Opaque(query::Rules),
}

impl Asking {
    /// Its name in proxy.toml.
    pub fn name(&self) -> &'static str {
        match self {
            Asking::Tintype(_) => "tintype",
            Asking::Dialect(spoken) => spoken.dialect.name(),
            Asking::Opaque(_) => "opaque",
        }
    }

    /// The service whose dialect it is.
    pub fn dialect(&self) -> Option<&'static dyn Dialect> {
        match self {
            Asking::Dialect(spoken) => Some(spoken.dialect),
            Asking::Tintype(_) | Asking::Opaque(_) => None,
        }
    }
}

impl Default for Asking {
    fn default() -> Self {
        Asking::Opaque(query::Rules::default())
    }
}

/// By what the requests of a route are admitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// All of them.
    #[default]
    None,
    /// By their signatures.
    Signed,
    /// By an API key.
    Key,
    /// By either.
    Either,
}

impl Auth {
    /// Whether signed links are good here.
    pub fn takes_links(self) -> bool {
        matches!(self, Auth::Signed | Auth::Either)
    }

    /// Whether API keys are.
    pub fn takes_keys(self) -> bool {
        matches!(self, Auth::Key | Auth::Either)
    }

    /// Its name in proxy.toml.
    pub fn name(self) -> &'static str {
        match self {
            Auth::None => "none",
            Auth::Signed => "signed",
            Auth::Key => "key",
            Auth::Either => "either",
        }
    }
}

/// A key: `[keys.ID]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its name, which links tell.
    pub id: String,
    /// What links are signed with.
    pub secret: Option<Secret>,
    /// What is sent in place of a signature.
    pub api_key: Option<Secret>,
    /// From when on it is no longer good.
    pub not_after: Option<Timestamp>,
    /// Hosts of the pages that may be captured with it, `*.suffix` for those below one; all if
    /// there is none.
    pub hosts: Vec<String>,
    /// The most that may be done for it, whatever a link says.
    pub render: Render,
    /// How many requests.
    pub rate: Option<Rate>,
    /// How many that ask the origin.
    pub render_rate: Option<Rate>,
}
