//! [`Record`]: the content of one key, and its versioned and checked form on disk.
//!
//! ```text
//! 0   magic "tint"      16  body length, u64
//! 4   version, u16      24  checksum, u64: SHA-256 of bytes 0..24 and the head,
//! 6   kind, u8              cut to 8 bytes
//! 7   zero              32  head, postcard
//! 8   head length, u64  ..  body, raw, to the end
//! ```
//!
//! Numbers are little endian. A change of the postcard form raises the version, and older records
//! are then misses. The body has no checksum of its own, because the disk tier checks each value as
//! a whole.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::key::Handle;
use crate::policy::asking::Asking;
use crate::policy::stored::{StoredResponse, VariantIndex};
pub use seen::Seen;

const MAGIC: [u8; 4] = *b"tint";
const VERSION: u16 = 6;
const PREAMBLE: usize = 32;
const RESPONSE: u8 = 0;
const VARIANTS: u8 = 1;

/// Longest head of a response on disk in bytes. `http::HeaderMap` can hold a head of this length
/// even if all its lines have two bytes, so no head makes it panic.
pub const MAX_RESPONSE_HEAD: usize = 40 << 10;
/// Longest variant index on disk in bytes.
pub const MAX_VARIANTS_HEAD: usize = 4 << 20;

/// The record that is stored under one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Taken from [`super::Store::next_sequence`] when the fetch of this record began.
    pub sequence: u64,
    /// The sets of records by which it can be purged.
    pub handles: Vec<Handle>,
    /// What the response shows, and how to request it again.
    pub asking: Arc<Asking>,
    /// Notes of this process, which are not stored.
    pub seen: Seen,
    /// The response, or the index of its variants.
    pub content: Content,
}

/// The two kinds of content of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A stored response with its whole body.
    Response {
        /// Status and fields of the response, and the decisions made when it was stored.
        head: Arc<StoredResponse>,
        /// The whole body in memory.
        body: Bytes,
    },
    /// The variants of a target whose responses vary.
    Variants(VariantIndex),
}

/// The reason that a record has no form on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The head is longer than its bound.
    #[error("head of {bytes} bytes is longer than {limit}")]
    HeadTooLong {
        /// Length of the head in bytes.
        bytes: usize,
        /// The bound on the head in bytes.
        limit: usize,
    },
    /// The head could not be serialised.
    #[error("head cannot be serialised")]
    Head,
}

/// The reason that bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than the fixed part of a record.
    #[error("shorter than a record")]
    Short,
    /// The bytes begin with another magic.
    #[error("not a record")]
    Magic,
    /// The record was written by another version.
    #[error("record version {0} is not {VERSION}")]
    Version(u16),
    /// The kind is neither a response nor an index of variants.
    #[error("record kind {0} is unknown")]
    Kind(u8),
    /// The lengths do not add up to that of the bytes.
    #[error("lengths do not match the bytes")]
    Length,
    /// The checksum of the head does not match.
    #[error("checksum of the head does not match")]
    Checksum,
    /// The head holds invalid values, such as a field name with a space.
    #[error("head has values out of range")]
    Head,
}

impl Record {
    /// A record without the request that can be replayed for it.
    pub fn new(sequence: u64, handles: Vec<Handle>, content: Content) -> Record {
        Record { sequence, handles, asking: Arc::default(), seen: Seen::default(), content }
    }

    /// Everything before the body, in the form of the module's table. The body follows unchanged.
    pub fn encode_head(&self) -> Result<Vec<u8>, EncodeError> {
        match &self.content {
            Content::Response { head, body } => {
                self.encode_as(RESPONSE, &**head, body.len() as u64, MAX_RESPONSE_HEAD)
            }
            Content::Variants(index) => self.encode_as(VARIANTS, index, 0, MAX_VARIANTS_HEAD),
        }
    }

    /// The body of the response. Empty for an index of variants.
    pub fn body(&self) -> &[u8] {
        match &self.content {
            Content::Response { body, .. } => body,
            Content::Variants(_) => &[],
        }
    }

    /// Decodes `bytes`, which hold exactly one record. The body is a slice of `bytes` and is not
    /// copied.
    pub fn decode(bytes: Bytes) -> Result<Record, DecodeError> {
        let preamble: &[u8; PREAMBLE] = bytes.first_chunk().ok_or(DecodeError::Short)?;
        if preamble[..4] != MAGIC {
            return Err(DecodeError::Magic);
        }
        let version = u16::from_le_bytes([preamble[4], preamble[5]]);
        if version != VERSION || preamble[7] != 0 {
            return Err(DecodeError::Version(version));
        }
        let (kind, head_len, body_len) = (preamble[6], number(preamble, 8), number(preamble, 16));
        let limit = match kind {
            RESPONSE => MAX_RESPONSE_HEAD,
            VARIANTS => MAX_VARIANTS_HEAD,
            _ => return Err(DecodeError::Kind(kind)),
        };
        let rest = (bytes.len() - PREAMBLE) as u64;
        if head_len > limit as u64 || head_len.checked_add(body_len) != Some(rest) {
            return Err(DecodeError::Length);
        }
        let (head, body) = bytes[PREAMBLE..].split_at(head_len as usize);
        if checksum(&preamble[..24], head) != number(preamble, 24) {
            return Err(DecodeError::Checksum);
        }
        if kind == RESPONSE {
            let (sequence, handles, asking, head) = from_postcard(head)?;
            let content = Content::Response { head: Arc::new(head), body: bytes.slice_ref(body) };
            Ok(Record { asking: Arc::new(asking), ..Record::new(sequence, handles, content) })
        } else if body.is_empty() {
            let (sequence, handles, asking, index) = from_postcard(head)?;
            let content = Content::Variants(index);
            Ok(Record { asking: Arc::new(asking), ..Record::new(sequence, handles, content) })
        } else {
            Err(DecodeError::Length)
        }
    }

    /// Estimated size of the record in memory in bytes.
    pub fn weight(&self) -> usize {
        // A field line costs its octets, a bucket of the map, and a shared value. The rest is the
        // structs.
        const LINE: usize = 96;
        const FIXED: usize = 256;
        let content = match &self.content {
            Content::Response { head, body } => {
                let lines = head.fields.iter().map(|(n, v)| n.as_str().len() + v.len() + LINE);
                let ruling = head.ruling.as_ref().map_or(0, |r| r.told.len() + r.cache_control.len() + LINE);
                let history = head.history.as_ref().map_or(0, |history| history.weight());
                body.len() + size_of::<StoredResponse>() + lines.sum::<usize>() + ruling + history
            }
            Content::Variants(index) => {
                let names = index.selecting.iter().map(|n| n.len() + LINE).sum::<usize>();
                let tag = |v: &crate::policy::stored::Variant| v.entity_tag.as_ref().map_or(0, Vec::len);
                names + index.variants.iter().map(|v| v.key.len() + tag(v) + LINE).sum::<usize>()
            }
        };
        FIXED + self.handles.len() * size_of::<Handle>() + self.asking.weight() + content
    }

    fn encode_as<T: Serialize>(
        &self,
        kind: u8,
        content: &T,
        body_len: u64,
        limit: usize,
    ) -> Result<Vec<u8>, EncodeError> {
        let mut out = vec![0; PREAMBLE];
        out[..4].copy_from_slice(&MAGIC);
        out[4..6].copy_from_slice(&VERSION.to_le_bytes());
        out[6] = kind;
        out = postcard::to_extend(&(self.sequence, &self.handles, &*self.asking, content), out)
            .map_err(|_| EncodeError::Head)?;
        let bytes = out.len() - PREAMBLE;
        if bytes > limit {
            return Err(EncodeError::HeadTooLong { bytes, limit });
        }
        out[8..16].copy_from_slice(&(bytes as u64).to_le_bytes());
        out[16..24].copy_from_slice(&body_len.to_le_bytes());
        let sum = checksum(&out[..24], &out[PREAMBLE..]);
        out[24..32].copy_from_slice(&sum.to_le_bytes());
        Ok(out)
    }
}

fn number(preamble: &[u8; PREAMBLE], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&preamble[at..at + 8]);
    u64::from_le_bytes(bytes)
}

fn checksum(preamble: &[u8], head: &[u8]) -> u64 {
    let digest = Sha256::new().chain_update(preamble).chain_update(head).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

/// The bytes of a record with another head and a right checksum.
#[cfg(any(test, fuzzing))]
pub(crate) fn forged(kind: u8, head: &[u8], body: &[u8]) -> Bytes {
    let mut bytes = vec![0; PREAMBLE];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4] = VERSION as u8;
    bytes[6] = kind;
    bytes[8..16].copy_from_slice(&(head.len() as u64).to_le_bytes());
    bytes[16..24].copy_from_slice(&(body.len() as u64).to_le_bytes());
    let sum = checksum(&bytes[..24], head);
    bytes[24..32].copy_from_slice(&sum.to_le_bytes());
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(body);
    bytes.into()
}

/// `head` as exactly one value.
fn from_postcard<T: DeserializeOwned>(head: &[u8]) -> Result<T, DecodeError> {
    match postcard::take_from_bytes(head) {
        Ok((value, [])) => Ok(value),
        _ => Err(DecodeError::Head),
    }
}

mod seen;

#[cfg(test)]
mod tests;
