//! What a purge covers ([`Scope`]), and its effect ([`Kind`]).

use super::key::Handle;
use crate::clock::Timestamp;

/// The set of records that a purge covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every record that carries this handle.
    Handle(Handle),
    /// Every record in the store.
    All,
}

/// The effect of a purge on the records that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The records are not used again.
    Hard,
    /// The records count as stale from this moment on.
    Soft(Timestamp),
}
