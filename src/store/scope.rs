//! What a purge reaches, and how.

use super::key::Handle;
use crate::clock::Timestamp;

/// What a purge hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every record that carries this handle.
    Handle(Handle),
    /// Every record.
    All,
}

/// How a purge hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What it hits is not used again.
    Hard,
    /// What it hits counts as stale from this moment on.
    Soft(Timestamp),
}
