//! Settings of the control plane.

use std::time::Duration;

use http::HeaderValue;

/// Who may use the control plane, and its bounds.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Its listener.
    pub listener: crate::listener::Config,
    /// Bearer token; needed unless the listener is on loopback.
    pub token: Option<String>,
    /// Time for one request.
    pub request_timeout: Duration,
    /// Origins whose web pages may read responses. They need the token.
    pub cors_origins: Vec<HeaderValue>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.token.as_ref().map(|_| "[redacted]");
        let Config { listener, request_timeout, cors_origins, .. } = self;
        f.debug_struct("Config")
            .field("listener", listener)
            .field("token", &token)
            .field("request_timeout", request_timeout)
            .field("cors_origins", cors_origins)
            .finish()
    }
}
