//! Looking for the stored response that a request selects.

use std::sync::Arc;

use http::HeaderName;
use http::request::Parts;

use super::Proxy;
use crate::policy::stored::{StoredResponse, Variant, VariantIndex};
use crate::policy::{purge, vary};
use crate::store::{CacheKey, Content, Record};

/// Where a stored response was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// In memory.
    Memory,
    /// On disk.
    Disk,
}

impl Tier {
    /// The tier as a token.
    pub fn name(self) -> &'static str {
        match self {
            Tier::Memory => "memory",
            Tier::Disk => "disk",
        }
    }
}

/// What a look-up gives.
pub struct Found {
    /// The key of what the request selects: the primary key, or that of a variant.
    pub key: CacheKey,
    /// The stored response, if there is one.
    pub stored: Option<(Stored, Tier)>,
    /// The variants that are known of a target of which the selected one is not stored.
    pub variants: Vec<Variant>,
}

impl Found {
    /// Nothing, under `key`.
    pub(super) fn nothing(key: &CacheKey) -> Self {
        Found { key: key.clone(), stored: None, variants: Vec::new() }
    }
}

/// A record that is known to hold a response, and its head as a soft purge left it.
#[derive(Clone)]
pub struct Stored(Arc<Record>, Option<Arc<StoredResponse>>);

impl Stored {
    /// `record`, if it holds a response.
    pub fn new(record: Arc<Record>) -> Option<Self> {
        matches!(record.content, Content::Response { .. }).then_some(Stored(record, None))
    }

    /// Head and body.
    pub fn parts(&self) -> Option<(&StoredResponse, &bytes::Bytes)> {
        match &self.0.content {
            Content::Response { head, body } => Some((self.1.as_deref().unwrap_or(head), body)),
            Content::Variants(_) => None,
        }
    }

    /// The head.
    pub fn head(&self) -> Option<&StoredResponse> {
        self.parts().map(|(head, _)| head)
    }

    /// The record.
    pub fn record(&self) -> &Arc<Record> {
        &self.0
    }
}

impl Proxy {
    /// `record`, if it holds a response: stale since the soft purge that hit it, if one did.
    pub(super) fn stored(&self, record: Arc<Record>) -> Option<Stored> {
        let mut stored = Stored::new(record)?;
        if let Some(since) = self.store.stale_since(&stored.0) {
            stored.1 = stored.head().map(|head| Arc::new(purge::soften(head, since)));
        }
        Some(stored)
    }

    /// Finds what is stored for `request` under `primary`, through the index of variants where there is one.
    pub(super) async fn look_up(&self, primary: &CacheKey, request: &Parts) -> Found {
        let Some((record, tier)) = self.read(primary).await else {
            return Found::nothing(primary);
        };
        match &record.content {
            Content::Response { .. } => Found {
                key: primary.clone(),
                stored: self.stored(record).map(|stored| (stored, tier)),
                variants: Vec::new(),
            },
            Content::Variants(index) => {
                let key = select(primary, index, request);
                // One that is not listed was forgotten, and must not come back by another's entry.
                let listed = index.variants.iter().any(|variant| variant.key == key.as_bytes());
                let stored = match self.read(&key).await {
                    Some((variant, tier)) if listed => self.stored(variant).map(|stored| (stored, tier)),
                    _ => None,
                };
                let variants = if stored.is_none() { index.variants.clone() } else { Vec::new() };
                Found { key, stored, variants }
            }
        }
    }

    pub(super) async fn read(&self, key: &CacheKey) -> Option<(Arc<Record>, Tier)> {
        if let Some(record) = self.store.get_memory(key.as_bytes()) {
            return Some((record, Tier::Memory));
        }
        Some((self.store.get_disk(key).await?, Tier::Disk))
    }
}

/// The key of the variant that `request` selects by the names of the most recent `Vary` (RFC 9111 section 4.1).
pub(super) fn select(primary: &CacheKey, index: &VariantIndex, request: &Parts) -> CacheKey {
    let names: Vec<HeaderName> =
        index.selecting.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
    CacheKey::new(vary::variant_key(primary.as_bytes(), &names, &request.headers))
}
