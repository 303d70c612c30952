//! proxy.toml and the environment, read into a [`Config`] that is valid by construction.

/// Everything that can be set, checked, in the form that each module takes.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data plane's listener.
    pub server: crate::listener::Config,
    /// The control plane; off without.
    pub admin: Option<crate::admin::Config>,
    /// Where stored responses are kept.
    pub store: crate::store::Config,
    /// Origins by name.
    pub upstreams: Vec<(String, Upstream)>,
    /// Routes and bounds of the data plane.
    pub proxy: crate::proxy::Config,
    /// Logs.
    pub log: crate::telemetry::Config,
}

/// One origin, of either kind.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// A remote HTTP server.
    Remote(Box<crate::origin::remote::Config>),
    /// The built-in capture engine.
    Chrome(Box<crate::origin::chrome::Config>),
}
