//! Interim responses (RFC 9110 section 15.2), relayed from an origin to the client that waits for
//! the final response.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};

/// The recipient of interim responses. It is an extension of requests whose client can receive
/// them, and may be used until the final response arrives. Later interim responses, and too many of
/// them, are dropped.
#[derive(Clone)]
pub struct Interim {
    relay: Arc<dyn Relay>,
    exchange: usize,
}

/// The client connection as a recipient of interim responses.
pub trait Relay: Send + Sync {
    /// Relays an interim response to the client, if the exchange of this number still waits for its
    /// final response.
    fn relay(&self, exchange: usize, status: StatusCode, fields: &HeaderMap);
}

impl Interim {
    /// The recipient for one exchange on the connection behind `relay`.
    pub fn new(relay: Arc<dyn Relay>, exchange: usize) -> Self {
        Interim { relay, exchange }
    }

    /// Relays an interim response. 100 and 101 concern one connection only and are not relayed.
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
