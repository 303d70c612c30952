//! Violations of HTTP/1.1 framing.

use thiserror::Error;

/// How a peer violated the framing. The text of a variant is its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Violation {
    #[error("malformed start line")]
    StartLine,
    #[error("status code outside 100 to 599")]
    Status,
    #[error("malformed field line")]
    Field,
    #[error("malformed or contradictory Content-Length")]
    Length,
    #[error("transfer coding other than chunked")]
    Coding,
    #[error("Content-Length together with Transfer-Encoding")]
    Both,
    #[error("malformed chunk")]
    Chunk,
    #[error("head or trailers larger than their limit")]
    TooLarge,
    #[error("too many interim responses")]
    Interims,
    #[error("interim response with content")]
    InterimContent,
    #[error("switches protocols though nobody asked")]
    Switch,
    #[error("bytes where no response is expected")]
    Surplus,
    #[error("next request before the response's end")]
    Order,
    #[error("line that ends without CR")]
    LineEnd,
}
