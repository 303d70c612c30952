//! The parameters of a capture request that control the cache ([`Wishes`]).

use std::time::Duration;

use url::Url;

use super::key;
use crate::message::form;

/// The control parameters of a capture request. They are never part of a cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The page to capture, without its fragment.
    pub page: Option<Url>,
    /// The request also names another page or a document; only the origin knows which one it
    /// captures.
    pub ambiguous: bool,
    /// The request has scripts that run in the page (`js`).
    pub scripted: bool,
    /// `ttl`: the longest freshness lifetime. An older stored picture is not used.
    pub ttl: Option<Duration>,
    /// `stale_ttl`: how long a stale picture may be served while a new one is captured.
    pub stale_ttl: Option<Duration>,
    /// `force`: capture a new picture and store it.
    pub force: bool,
    /// `no_cache`, `cache=false`: capture a new picture and do not store it.
    pub no_cache: bool,
}

impl Wishes {
    /// Reads a request in an unknown dialect: only the page in `url`, and whether it has scripts.
    pub fn of_unknown(query: &str) -> Self {
        let (mut wishes, mut pages) = (Wishes::default(), 0);
        for (name, value) in form::pairs(query) {
            let (name, value) = (name.text, value.text);
            match name.as_ref() {
                "url" => {
                    wishes.ambiguous |= pages > 0;
                    pages += 1;
                    wishes.page = wishes.page.or_else(|| key::page(&value));
                }
                "html" | "markdown" => wishes.ambiguous = true,
                "js" | "script" | "scripts" | "javascript" => wishes.scripted = true,
                _ => {}
            }
        }
        wishes
    }
}
