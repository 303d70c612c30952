//! What a capture request says: which picture it means, and what it wishes of the cache.
//!
//! The *canonical form* is the same for all requests that mean the same picture, whoever they are written for: unambiguous aliases are
//! mapped, values spelled one way, defaults left out, names sorted. Its key holds what affects the picture and nothing else: no
//! credentials of the caller, no signature, no `ttl`. It is stable: tests/capture_keys.txt holds keys of the first version.

use std::time::Duration;

use url::Url;

use super::key;
use crate::message::form;

mod canonical;
pub mod derivative;
pub mod dialect;
mod given;
mod table;
#[cfg(test)]
mod tests;
mod values;

pub use table::DEFAULT_VIEWPORT;

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

/// A capture request in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// The query of its key.
    pub key: String,
    /// What is wished of the cache.
    pub wishes: Wishes,
    /// What is made of the picture; none for the picture itself.
    pub derivative: Option<derivative::Derivative>,
    /// What the origin is asked for, by canonical name, sorted.
    pairs: Vec<(String, String)>,
}

/// What holds where a request says nothing; sizes in CSS pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Viewport width.
    pub width: u32,
    /// Viewport height.
    pub height: u32,
    /// What the route asks for where a request says nothing of it: canonical names and values.
    pub parameters: Vec<(String, String)>,
    /// Sizes and formats are made of one stored picture, and are not asked of the origin.
    pub derive: bool,
}

/// The canonical names of all parameters.
pub fn names() -> impl Iterator<Item = &'static str> {
    table::PARAMETERS.iter().map(|parameter| parameter.name)
}

/// Whether `name` is the canonical name of a parameter that says what is on a picture, or whether there is one.
pub fn is_parameter(name: &str) -> bool {
    use table::Class;
    table::find(name)
        .is_some_and(|known| matches!(known.class, Class::Picture | Class::Private | Class::Derived))
}

impl Default for Defaults {
    fn default() -> Self {
        let (width, height) = DEFAULT_VIEWPORT;
        Defaults { width, height, parameters: Vec::new(), derive: false }
    }
}
