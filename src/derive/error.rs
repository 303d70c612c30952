//! [`DeriveError`]: why a rendition cannot be made.

/// The reason that a rendition cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// The source or the rendition has too many pixels.
    #[error("a picture of {pixels} pixels is more than {limit} (derive.max_pixels)")]
    TooLarge {
        /// Pixels of the picture that is too large.
        pixels: u64,
        /// The limit in pixels (`derive.max_pixels`).
        limit: u64,
    },
    /// The format cannot hold a picture of this size.
    #[error("cannot be made: allowed is {0}")]
    Impossible(String),
    /// Too many requests wait for their turn.
    #[error("too many pictures wait to be made (derive.queue)")]
    Busy,
    /// The stored picture cannot be decoded, or an encoder failed.
    #[error("the picture cannot be converted: {0}")]
    Failed(String),
}
