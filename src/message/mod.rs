//! HTTP vocabulary without I/O: bodies, fields, dates, entity tags, framing, outcomes, problems.

pub mod body;
pub mod cache_status;
pub mod capture;
pub mod class;
pub mod date;
pub mod entity_tag;
pub mod fields;
pub mod form;
pub mod forwarded;
pub(crate) mod framing;
pub mod interim;
pub(crate) mod json;
pub mod outcome;
pub mod peer;
pub mod plain;
pub mod problem;
pub mod reason;
