//! Why a rendition is not made.

/// Why a rendition is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// Taken in or given out, it has too many pixels.
    #[error("a picture of {pixels} pixels is more than {limit} (derive.max_pixels)")]
    TooLarge {
        /// Pixels.
        pixels: u64,
        /// The limit.
        limit: u64,
    },
    /// The format cannot hold it.
    #[error("cannot be made: allowed is {0}")]
    Impossible(String),
    /// Too many wait already.
    #[error("too many pictures wait to be made (derive.queue)")]
    Busy,
    /// The stored picture is none that can be read, or an encoder failed.
    #[error("the picture cannot be converted: {0}")]
    Failed(String),
}
