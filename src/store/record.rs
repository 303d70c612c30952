//! The byte record: what one key holds, and its versioned, checked form on disk.

use bytes::Bytes;

use super::Handle;
use crate::policy::stored::{StoredResponse, VariantIndex};

/// What is stored under one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Taken from [`super::Store::next_sequence`] when the fetch began that led to this record.
    pub sequence: u64,
    /// The sets by which it can be purged.
    pub handles: Vec<Handle>,
    /// The response, or the index of its variants.
    pub content: Content,
}

/// The two things a key can hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A stored response with its whole body.
    Response {
        /// Head and decisions.
        head: StoredResponse,
        /// The body, whole.
        body: Bytes,
    },
    /// The variants of a target whose responses vary.
    Variants(VariantIndex),
}
