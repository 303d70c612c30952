//! The listener: bind, connection limits and timeouts, TLS, protocol detection, drain.
//!
//! [`Listener::serve`] accepts connections and hands each exchange to a [`Handler`]. One task
//! drives a connection (`connection`). The state of its socket and its exchanges is in one place
//! (`activity`, `timer`). So one timer can tell a slow request head and an idle peer from a long
//! exchange.

mod accept;
mod activity;
mod bind_error;
mod config;
mod connection;
mod cork;
mod crowd;
mod exchange;
mod frames;
mod inherited;
mod interim;
mod pace;
mod protocol;
mod shared;
mod short;
mod streams;
mod strict;
mod timer;
mod tls;
mod upload;

pub use crate::message::peer::Peer;
pub use accept::{Listener, ServeReport, Tuner, Tuning};
pub use bind_error::BindError;
pub use config::{Config, TlsFiles};
pub use exchange::Handler;
pub use inherited::Inherited;
pub use shared::listeners_on;
