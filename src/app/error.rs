//! Why tintype does not start, or ends.

use std::time::Duration;

use crate::listener::BindError;
use crate::origin::{chrome, remote};
use crate::store;
use crate::tasks::Failure;

/// Why tintype does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// A remote origin could not be set up.
    #[error("upstream `{name}`: {source}")]
    Remote {
        /// Its name in proxy.toml.
        name: String,
        /// Why.
        source: remote::Error,
    },
    /// The capture engine could not be set up.
    #[error("upstream `{name}`: {source}")]
    Chrome {
        /// Its name in proxy.toml.
        name: String,
        /// Why.
        source: chrome::StartError,
    },
    /// A capture engine has no browser in time.
    #[error("upstream `{name}`: no browser is ready after {after:?}")]
    NotReady {
        /// Its name in proxy.toml.
        name: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// A route names an upstream that does not exist.
    #[error("no upstream is called `{0}`")]
    NoUpstream(String),
    /// The log filter cannot be read.
    #[error("log.level: {0}")]
    LogLevel(String),
    /// A task ended that must live.
    #[error("{0}; the log has more")]
    TaskEnded(Failure),
    /// The system refuses to tell us of signals.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}
