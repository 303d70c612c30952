//! Finds the stored response that a request selects.

use std::sync::Arc;

use http::HeaderName;
use http::request::Parts;

use super::Cache;
use super::stored::{Found, Stored};
use crate::clock::Timestamp;
use crate::message::outcome::Tier;
use crate::policy::stored::{Variant, VariantIndex};
use crate::policy::{purge, reuse, vary};
use crate::store::{CacheKey, Content, Handle, Record};

/// What [`Cache::inspect`] gives.
pub(crate) struct Inspected {
    pub(crate) found: Found,
    /// A record that is there, but was purged.
    pub(crate) purged: Option<Arc<Record>>,
    /// Names of the selecting fields, and all known variants.
    pub(crate) variants: Option<(Vec<String>, Vec<Variant>)>,
}

impl Cache {
    /// Finds the response stored for `request` under `primary`, through the index of variants where
    /// there is one.
    pub(crate) async fn look_up(&self, primary: &CacheKey, request: &Parts) -> Found {
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
                // A variant that is not listed was dropped, and must not come back by the entry of
                // another one.
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

    /// The record under `key`: from memory, else from disk.
    pub(crate) async fn read(&self, key: &CacheKey) -> Option<(Arc<Record>, Tier)> {
        if let Some(record) = self.store.get_memory(key.as_bytes()) {
            return Some((record, Tier::Memory));
        }
        Some((self.store.get_disk(key).await?, Tier::Disk))
    }

    /// The response in `record`, stale since the soft purge that covers it, if one does.
    pub(crate) fn stored(&self, record: Arc<Record>) -> Option<Stored> {
        let mut stored = Stored::new(record)?;
        if let Some(since) = self.store.stale_since(stored.record()) {
            stored.head = Arc::new(purge::soften(stored.head(), since));
        }
        Some(stored)
    }

    /// Looks at what is stored for `request`, as [`look_up`](Self::look_up) does, without bringing
    /// anything into memory.
    pub(crate) async fn inspect(&self, primary: &CacheKey, request: &Parts) -> Inspected {
        let mut seen = Inspected { found: Found::nothing(primary), purged: None, variants: None };
        let Some((record, tier)) = self.peek(primary).await else { return seen };
        if self.store.is_purged(&record.handles, record.sequence) {
            seen.purged = Some(record);
            return seen;
        }
        let (record, tier) = match &record.content {
            Content::Response { .. } => (record, tier),
            Content::Variants(index) => {
                seen.found.key = select(primary, index, request);
                seen.found.variants.clone_from(&index.variants);
                seen.variants = Some((index.selecting.clone(), index.variants.clone()));
                let listed = index.variants.iter().any(|known| known.key == seen.found.key.as_bytes());
                match self.peek(&seen.found.key).await {
                    Some(variant) if listed => variant,
                    _ => return seen,
                }
            }
        };
        if self.store.is_purged(&record.handles, record.sequence) {
            seen.purged = Some(record);
            return seen;
        }
        seen.found.variants.clear();
        seen.found.stored = self.stored(record).map(|stored| (stored, tier));
        seen
    }

    async fn peek(&self, key: &CacheKey) -> Option<(Arc<Record>, Tier)> {
        let (record, in_memory) = self.store.peek(key).await?;
        Some((record, if in_memory { Tier::Memory } else { Tier::Disk }))
    }

    /// Whether `stored` may cover an origin error now: its window allows it, and no purge came
    /// meanwhile.
    pub(crate) fn covers_error(&self, stored: &Stored, answered: bool, now: Timestamp) -> bool {
        reuse::covers_error(stored.head(), answered, now) && !self.was_purged(stored)
    }

    pub(crate) fn was_purged(&self, stored: &Stored) -> bool {
        self.store.is_purged(&stored.record().handles, stored.record().sequence)
    }

    /// Whether a purge, hard or soft, covers a record with these handles that was begun at
    /// `sequence`.
    pub(crate) fn is_outdated(&self, handles: &[Handle], sequence: u64) -> bool {
        self.store.is_purged(handles, sequence) || self.store.is_softened(handles, sequence)
    }
}

/// The key of the variant that `request` selects by the names of the most recent `Vary` (RFC 9111
/// section 4.1).
fn select(primary: &CacheKey, index: &VariantIndex, request: &Parts) -> CacheKey {
    let names: Vec<HeaderName> =
        index.selecting.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect();
    CacheKey::new(vary::variant_key(primary.as_bytes(), &names, &request.headers))
}
