//! [`CacheKey`] is the key of a record, [`Handle`] names a set of records for purges.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The whole cache key of a stored response, as bytes. It is kept in full, so that two keys never
/// collide.
///
/// Cloning is cheap. A lookup needs only a borrowed `&[u8]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(Arc<[u8]>);

impl CacheKey {
    /// Takes the bytes as they are; a test or the policy makes them.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        CacheKey(bytes.into())
    }

    /// All bytes of the key, the variant included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::borrow::Borrow<[u8]> for CacheKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CacheKey({})", self.0.escape_ascii())
    }
}

/// Names a set of records that can be purged together: those of one request URL, target page, tag,
/// host or prefix. It is the first 8 bytes of SHA-256 over a domain word and the name. A collision
/// purges more than was asked, never less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Handle(pub u64);

impl Handle {
    /// The handle of one request URL, with all its variants.
    pub fn of_url(url: &str) -> Self {
        Self::of("url", url)
    }

    /// The handle of one key. That of a primary key covers all its variants, that of a variant
    /// covers one.
    pub fn of_key(key: &[u8]) -> Self {
        Self::of_url(&String::from_utf8_lossy(key))
    }

    /// The handle of one captured page, in all sizes and formats.
    pub fn of_target(url: &str) -> Self {
        Self::of("target", url)
    }

    /// The handle of one group of an origin (RFC 9875). `scope` names the origin.
    pub fn of_group(scope: &str, group: &str) -> Self {
        Self::of("group", &format!("{scope}\n{group}"))
    }

    /// The handle of one tag that an origin gives its responses.
    pub fn of_tag(tag: &str) -> Self {
        Self::of("tag", tag)
    }

    /// The handle of responses whose tags are too many or too long to be kept. A purge by any tag
    /// includes it.
    pub fn of_untold_tags() -> Self {
        Self::of("untold tags", "")
    }

    /// The handle of all pages of one host.
    pub fn of_host(host: &str) -> Self {
        Self::of("host", host)
    }

    /// The handle of everything below one path.
    pub fn of_prefix(prefix: &str) -> Self {
        Self::of("prefix", prefix)
    }

    fn of(domain: &str, name: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(domain.as_bytes());
        hash.update([0]);
        hash.update(name.as_bytes());
        let digest = hash.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Handle(u64::from_be_bytes(first))
    }
}
