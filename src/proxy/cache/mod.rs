//! The cache: what is stored, and what is remembered of keys of which nothing is.

pub(crate) mod decline_log;
pub(crate) mod invalidate;
pub(crate) mod lookup;
pub(crate) mod negative;
pub(crate) mod no_vary_search;
mod recent_keys;
pub(crate) mod write;
