//! What a request for a capture wants of the cache.

use std::time::Duration;

use url::Url;

use super::key;
use crate::message::form;

/// What a capture request says that concerns the cache and not the picture. Never part of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The page to be captured, without its fragment.
    pub page: Option<Url>,
    /// Another page, or a document, is named beside it: which of them is captured only the origin knows.
    pub ambiguous: bool,
    /// It brings scripts of its own that run in the page (`js`).
    pub scripted: bool,
    /// `ttl`: how long the picture may be fresh; an older stored one is not wanted.
    pub ttl: Option<Duration>,
    /// `stale_ttl`: how long a stale picture may be served while a new one is made.
    pub stale_ttl: Option<Duration>,
    /// `force`: a new picture, which is stored.
    pub force: bool,
    /// `no_cache`, `cache=false`: a new picture, which is not stored.
    pub no_cache: bool,
}

impl Wishes {
    /// What a request wishes whose other parameters are in a dialect that is not known: the page in `url`, and whether it brings scripts.
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
