//! What a capture request says: which picture it means, and what it wishes of the cache.

use std::time::Duration;

use http::Uri;
use url::{Url, form_urlencoded};

/// What a capture request says that concerns the cache and not the picture. Never part of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The page to be captured, without its fragment.
    pub page: Option<Url>,
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
    /// What the query of a capture request wishes.
    pub fn of(target: &Uri) -> Self {
        let mut wishes = Wishes::default();
        let query = target.query().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let yes = matches!(value.as_ref(), "true" | "1");
            match name.as_ref() {
                "url" if wishes.page.is_none() => {
                    wishes.page = Url::parse(value.trim()).ok();
                    if let Some(page) = &mut wishes.page {
                        page.set_fragment(None);
                    }
                }
                "js" => wishes.scripted = true,
                "ttl" => wishes.ttl = value.parse().ok().map(Duration::from_secs),
                "stale_ttl" => wishes.stale_ttl = value.parse().ok().map(Duration::from_secs),
                "force" => wishes.force = yes,
                "no_cache" => wishes.no_cache = yes,
                "cache" => wishes.no_cache = matches!(value.as_ref(), "false" | "0"),
                _ => {}
            }
        }
        wishes
    }
}
