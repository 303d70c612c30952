//! Where answers come from. An origin takes a request and gives an ordinary HTTP response; it does not
//! know that caching exists.

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};

use crate::message::body::Body;
pub use crate::message::outcome::{Flaw, OriginFailure};

pub mod backoff;
pub mod chrome;
pub mod guarded;
mod http1;
mod metrics;
pub mod remote;
pub mod stats;

use stats::OriginStats;

/// A source of responses: a remote HTTP server or the capture engine.
pub trait Origin: Send + Sync + 'static {
    /// Answers `request`.
    ///
    /// The request's URI is in absolute form as the client meant it (`http://host/path?query`); its fields
    /// are already free of hop-by-hop ones. An HTTP answer of any status is `Ok`; `Err` means that
    /// none came. Dropping the future gives up on the request and frees what it held.
    fn fetch(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, OriginError>>;

    /// Whether a request sent now has a chance; feeds `/readyz`.
    fn is_ready(&self) -> bool {
        true
    }

    /// Figures for `/stats` and the metrics.
    fn stats(&self) -> OriginStats {
        OriginStats { ready: self.is_ready(), ..OriginStats::default() }
    }

    /// Ends everything this origin runs (connections, browsers) and waits until it is gone.
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Why no answer came from the origin. `proxy` maps each to a status once and covers it with a stale
/// stored response where the windows allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The name has no address.
    #[error("cannot resolve {host}")]
    Resolve {
        /// The name that was looked up.
        host: String,
    },
    /// Nobody listens there, or the way is barred.
    #[error("connection refused: {0}")]
    Connect(String),
    /// The TLS handshake failed.
    #[error("TLS handshake failed: {0}")]
    Tls(String),
    /// The connection ended before a whole response head came.
    #[error("connection reset: {0}")]
    Reset(String),
    /// A phase took longer than configured.
    #[error("timed out after {after:?} ({phase})")]
    TimedOut {
        /// What was being waited for: `connect`, `first byte`, `queue`, `capture`, ...
        phase: &'static str,
        /// The limit that was reached.
        after: Duration,
    },
    /// The response head broke the protocol or a limit.
    #[error("unusable response: {0}")]
    BadResponse(String),
    /// The origin cannot take more work now.
    #[error("origin busy, retry in {retry_after:?}")]
    Busy {
        /// An honest estimate of when a retry has a chance.
        retry_after: Duration,
    },
    /// The browser could not be started or died under the capture.
    #[error("browser failed: {0}")]
    Browser(String),
    /// The page could not be turned into a picture: a DNS failure, a TLS error, an empty page.
    #[error("capture failed: {0}")]
    Capture(String),
    /// There could be a picture, but not one that is worth more than the last good one.
    #[error("no good picture: {detail}")]
    Flawed {
        /// What is wrong with it.
        flaw: Flaw,
        /// In words.
        detail: String,
    },
}

impl OriginError {
    /// Whether the connection could not be made, or ended before a response head came.
    pub fn is_lost_connection(&self) -> bool {
        matches!(self, OriginError::Connect(_) | OriginError::Reset(_))
    }

    /// What kind of error it is.
    pub fn failure(&self) -> OriginFailure {
        match self {
            OriginError::Resolve { .. } => OriginFailure::Resolve,
            OriginError::Connect(_) => OriginFailure::Connect,
            OriginError::Tls(_) => OriginFailure::Tls,
            OriginError::Reset(_) => OriginFailure::Reset,
            OriginError::TimedOut { .. } => OriginFailure::Timeout,
            OriginError::BadResponse(_) => OriginFailure::BadResponse,
            OriginError::Busy { .. } => OriginFailure::Busy,
            OriginError::Browser(_) => OriginFailure::Browser,
            OriginError::Capture(_) => OriginFailure::Capture,
            OriginError::Flawed { flaw, .. } => OriginFailure::Flawed(*flaw),
        }
    }

    /// A short, stable name for logs, metrics and `Cache-Status` details.
    pub fn name(&self) -> &'static str {
        self.failure().name()
    }
}
