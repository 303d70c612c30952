//! What a purge is, what became of it, and why one did not happen.

use std::io;

use super::listing::StoredItem;
use crate::clock::Stopwatch;
use crate::policy::purge::{Mode, Named};

/// A purge that was accepted.
#[derive(Clone, Debug)]
pub struct Purge {
    /// What is hit: everything that any of them names.
    pub named: Vec<Named>,
    /// How.
    pub mode: Mode,
    /// Only told, not done.
    pub dry_run: bool,
    /// Stored responses that the answer lists.
    pub list: usize,
    /// Runs since it was accepted.
    pub accepted: Stopwatch,
}

impl Purge {
    /// A purge of `named` that lists nothing.
    pub fn of(named: Vec<Named>, mode: Mode) -> Purge {
        Purge { named, mode, dry_run: false, list: 0, accepted: Stopwatch::start() }
    }
}

/// What became of a purge.
#[derive(Clone, Debug, Default)]
pub struct Purged {
    /// Stored responses that it hit, as far as they are listed.
    pub hit: u64,
    /// Whether everything stored is listed.
    pub complete: bool,
    /// The first of those that it hit.
    pub listed: Vec<StoredItem>,
    /// Those that are fetched again.
    pub refreshing: usize,
}

/// Why a purge did not happen.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// It can name nothing.
    #[error("{0}")]
    NamesNothing(String),
    /// It could not be made durable.
    #[error("the purge ledger cannot be written: {0}")]
    Ledger(#[from] io::Error),
}
