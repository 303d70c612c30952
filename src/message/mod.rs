//! HTTP vocabulary without I/O: bodies, fields, target URIs, dates, `Cache-Status`.

pub mod body;
pub mod fields;
