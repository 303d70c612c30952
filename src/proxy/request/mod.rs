//! Requests of clients, and requests to origins.

pub(crate) mod forward;
pub(crate) mod target;
