//! Decisions, pure: no async, no clock, no log, no disk. Values in, a value out, `now` an argument.

pub mod stored;
