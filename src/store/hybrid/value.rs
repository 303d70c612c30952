//! What foyer holds for a key, and its bytes.

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

/// What is written for a key.
pub(super) enum Value {
    /// A record on its way to the disk, with its encoded head.
    Outbound { record: Arc<Record>, head: Vec<u8>, ticket: Ticket },
    /// The key was emptied: hides older records that still lie on disk. The number tells one from another.
    Gone { number: u64, _ticket: Ticket },
    /// Read back from disk.
    Record(Arc<Record>),
    /// Read back from disk: see [`Value::Gone`].
    WasGone(u64),
}

/// Counts of the write queue, and the folder's lock, which thus lasts until the last write is done.
#[derive(Debug)]
pub(super) struct Queue {
    /// Bytes that wait to be written.
    pub(super) pending: AtomicU64,
    /// Records that were given up.
    pub(super) dropped: AtomicU64,
    /// Goes with the last write, or when all of them are known to be done.
    pub(super) lock: File,
}

/// A place in the write queue, given back when foyer is done with the value.
pub(super) struct Ticket {
    queue: Arc<Queue>,
    bytes: u64,
    /// It was put into a write buffer.
    encoded: AtomicBool,
}

impl Ticket {
    /// A place of `bytes`, if with it no more than `limit` bytes wait.
    pub(super) fn for_record(queue: &Arc<Queue>, bytes: u64, limit: u64) -> Option<Ticket> {
        Self::take(queue, bytes, limit, false)
    }

    /// The same for a mark, whose loss is not counted.
    pub(super) fn for_mark(queue: &Arc<Queue>, bytes: u64, limit: u64) -> Option<Ticket> {
        Self::take(queue, bytes, limit, true)
    }

    /// What it is for is no longer wanted, and not counted as given up.
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
            // Foyer let go of it before that: its writer is dead, or refused it.
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
        // The reader is a slice of what was read from disk: this is the one copy, of exactly its size.
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
    /// What `bytes`, read back from disk, hold. Copies no body bytes.
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
