//! What happens to a job, as its journal has it.

use serde::{Deserialize, Serialize};

use super::ask::Asked;
use crate::clock::Timestamp;

/// What came of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Done {
    /// It is stored.
    Taken {
        /// Where it is to be had.
        url: String,
        /// It was stored before.
        cached: bool,
    },
    /// It is not.
    Failed(String),
}

/// What happened to a job, as its journal has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Event {
    /// It was accepted.
    Accepted { id: String, at: Timestamp, asked: Asked },
    /// One item is done.
    Item { item: usize, done: Done, at: Timestamp },
    /// All are.
    Ended { at: Timestamp },
    /// Whoever wanted to know has been told, or it was given up.
    Told,
}
