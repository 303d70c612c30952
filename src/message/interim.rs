//! Interim responses (RFC 9110 section 15.2) on their way from an origin to the client that waits for the answer.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};

/// Where interim responses go. A request carries one as an extension if its client can be told; whoever sends that
/// request on may use it until the answer is there. Later ones, and too many, are dropped.
#[derive(Clone)]
pub struct Interim {
    relay: Arc<dyn Relay>,
    exchange: usize,
}

/// The client's connection, as interim responses see it.
pub trait Relay: Send + Sync {
    /// Passes an interim response on to the client, if the exchange of this number still waits for its answer.
    fn relay(&self, exchange: usize, status: StatusCode, fields: &HeaderMap);
}

impl Interim {
    /// For one exchange of the connection behind `relay`.
    pub fn new(relay: Arc<dyn Relay>, exchange: usize) -> Self {
        Interim { relay, exchange }
    }

    /// Passes an interim response on. 100 and 101 concern one connection only and stay where they are.
    pub fn send(&self, status: StatusCode, fields: &HeaderMap) {
        if matches!(status.as_u16(), 102..=199) {
            self.relay.relay(self.exchange, status, fields);
        }
    }
}

impl fmt::Debug for Interim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interim").field("exchange", &self.exchange).finish_non_exhaustive()
    }
}
