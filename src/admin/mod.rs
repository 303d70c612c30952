//! CONTROL PLANE on its own listener: health, figures, purge.

/// Who may use the control plane.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Its listener.
    pub listener: crate::listener::Config,
    /// Bearer token; needed unless the listener is on loopback.
    pub token: Option<String>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.token.as_ref().map(|_| "[redacted]");
        f.debug_struct("Config").field("listener", &self.listener).field("token", &token).finish()
    }
}
