//! [`Value`]: what foyer holds for a key, and its bytes on disk. [`Queue`] counts the values that
//! wait to be written.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use foyer::{Code, Error, ErrorKind, Result};

use crate::store::key::CacheKey;
use crate::store::record::Record;

const GONE: [u8; 4] = *b"gone";
const GONE_LEN: usize = 12;

pub(super) enum Value {
    /// A record to be written, with its encoded head.
    Outbound { record: Arc<Record>, head: Vec<u8>, ticket: Ticket },
    /// A tombstone of a deleted key. It hides older records that are still on disk. The number
    /// tells two of them apart.
    Gone { number: u64, _ticket: Ticket },
    /// A record that was read from disk.
    Record(Arc<Record>),
    /// A tombstone that was read from disk; see [`Value::Gone`].
    WasGone(u64),
}

/// Counters of the write queue, and the lock of the folder, which is held until the last write is
/// done.
#[derive(Debug)]
pub(super) struct Queue {
    /// Bytes that wait to be written.
    pub(super) pending: AtomicU64,
    /// Records that were dropped before they reached the disk.
    pub(super) dropped: AtomicU64,
    /// Released after the last write, or when all writes are known to be done.
    pub(super) lock: File,
}

/// A reservation in the write queue, released when foyer drops the value.
pub(super) struct Ticket {
    queue: Arc<Queue>,
    bytes: u64,
    /// Whether the value was copied into a write buffer.
    encoded: AtomicBool,
}

impl Ticket {
    /// A reservation of `bytes`, if at most `limit` bytes wait with it.
    pub(super) fn for_record(queue: &Arc<Queue>, bytes: u64, limit: u64) -> Option<Ticket> {
        Self::take(queue, bytes, limit, false)
    }

    /// The same for a tombstone, whose loss is not counted.
    pub(super) fn for_mark(queue: &Arc<Queue>, bytes: u64, limit: u64) -> Option<Ticket> {
        Self::take(queue, bytes, limit, true)
    }

    /// Releases the reservation without counting the value as dropped.
    pub(super) fn waive(self) {
        self.encoded.store(true, Ordering::Relaxed);
    }

    fn take(queue: &Arc<Queue>, bytes: u64, limit: u64, encoded: bool) -> Option<Ticket> {
        let add = |pending: u64| pending.checked_add(bytes).filter(|&sum| sum <= limit);
        queue.pending.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).ok()?;
        Some(Ticket { queue: queue.clone(), bytes, encoded: AtomicBool::new(encoded) })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.pending.fetch_sub(self.bytes, Ordering::AcqRel);
        if !*self.encoded.get_mut() {
            // Foyer dropped the value before it encoded it: its writer has ended, or refused it.
            self.queue.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Code for Value {
    fn encode(&self, writer: &mut impl Write) -> Result<()> {
        match self {
            Value::Outbound { record, head, ticket } => {
                writer.write_all(head).map_err(Error::io_error)?;
                writer.write_all(record.body()).map_err(Error::io_error)?;
                ticket.encoded.store(true, Ordering::Relaxed);
            }
            Value::Gone { number, .. } => {
                writer.write_all(&GONE).map_err(Error::io_error)?;
                writer.write_all(&number.to_le_bytes()).map_err(Error::io_error)?;
            }
            Value::Record(_) | Value::WasGone(_) => {
                return Err(Error::new(ErrorKind::Unsupported, "what was read is not written again"));
            }
        }
        Ok(())
    }

    fn decode(reader: &mut impl Read) -> Result<Self> {
        // The reader is a slice of the bytes from disk. This is the only copy, of exactly their
        // size.
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(Error::io_error)?;
        Value::of(bytes.into())
    }

    fn estimated_size(&self) -> usize {
        match self {
            Value::Outbound { record, head, .. } => head.len() + record.body().len(),
            Value::Gone { .. } | Value::WasGone(_) => GONE_LEN,
            Value::Record(record) => record.weight(),
        }
    }
}

impl Value {
    /// Decodes `bytes` that were read from disk. Copies no body bytes.
    pub(super) fn of(bytes: Bytes) -> Result<Value> {
        if bytes.len() == GONE_LEN
            && let Some((&GONE, number)) = bytes.split_first_chunk()
            && let Some(number) = number.first_chunk()
        {
            return Ok(Value::WasGone(u64::from_le_bytes(*number)));
        }
        let record =
            Record::decode(bytes).map_err(|error| Error::new(ErrorKind::Parse, error.to_string()))?;
        Ok(Value::Record(Arc::new(record)))
    }
}

impl Code for CacheKey {
    fn encode(&self, writer: &mut impl Write) -> Result<()> {
        writer.write_all(self.as_bytes()).map_err(Error::io_error)
    }

    fn decode(reader: &mut impl Read) -> Result<Self> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(Error::io_error)?;
        Ok(CacheKey::new(bytes))
    }

    fn estimated_size(&self) -> usize {
        self.as_bytes().len()
    }
}
