//! Why a remote origin cannot be set up.

use std::path::PathBuf;

/// Why a remote origin cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The base is no place to send requests to.
    #[error("{base} {reason}")]
    Base {
        /// The base as configured.
        base: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file with trusted roots cannot be read or holds none.
    #[error("cannot use {}: {reason}", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither the system nor the configuration names a trusted root.
    #[error("no trusted roots on this system, and none configured")]
    NoRoots,
    /// HTTP/2 alone is asked for together with a `Host` that differs from the base.
    #[error("another Host than the base's needs HTTP/1.1")]
    HostOverHttp2,
    /// The TLS library refuses its settings.
    #[error("TLS: {0}")]
    Tls(String),
}
