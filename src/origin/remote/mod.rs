//! The remote origin: an HTTP server behind a pooled client.
//!
//! [`Remote`] turns a request into the one to send (`outgoing`), waits for a slot (`slots`), sends it over a pooled
//! connection (`exchange`, `connect`, `wire`) and bounds the answer (`body`). An answer whose framing is not beyond
//! doubt ends there (`framing`). It is asked again, or left alone, as
//! `restraint` says. Whatever goes wrong on the way is one
//! [`OriginError`](crate::origin::OriginError) (`failure`).

mod body;
mod config;
mod connect;
mod error;
mod exchange;
mod failure;
mod outgoing;
mod restraint;
mod slots;
pub(in crate::origin) mod tls;
mod wire;

pub use config::{Config, Protocol};
pub use error::Error;
pub use exchange::Remote;
pub use restraint::{Budget, How as Restraint};
