//! Why a store cannot be opened. Each message says what to do about it.

use std::io;
use std::path::PathBuf;

/// The reason that [`super::open`] failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder, or a file in it, cannot be created, read or written.
    #[error(
        "cache folder: cannot use {}: {source}; check that it exists or can be created, and that this user may write there",
        path.display()
    )]
    Folder {
        /// The file or folder that cannot be used.
        path: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// Another process has the folder open.
    #[error("cache folder: {} is in use by another process; stop that one, or give this one a folder of its own", path.display())]
    Locked {
        /// The cache folder that is locked.
        path: PathBuf,
    },
    /// The disk has no room for the disk tier.
    #[error("cache folder: no room for {bytes} bytes in {}; free some, or lower the size of the disk cache", path.display())]
    NoSpace {
        /// The cache folder on the full disk.
        path: PathBuf,
        /// Bytes that the disk tier needs.
        bytes: u64,
    },
    /// The disk tier has too few blocks to write one while it empties another.
    #[error(
        "cache folder: {disk_bytes} bytes of disk hold fewer than {least} blocks of {block_bytes} bytes; raise the size of the disk cache or lower that of its blocks"
    )]
    TooSmall {
        /// Size of the disk tier in bytes.
        disk_bytes: u64,
        /// Size of a block in bytes, rounded up to whole pages.
        block_bytes: u64,
        /// The least number of blocks.
        least: u64,
    },
    /// The offsets of the disk engine cannot address blocks of this size.
    #[error("cache folder: blocks of {block_bytes} bytes are too large; the limit is {limit}")]
    BlockTooLarge {
        /// Size of a block in bytes.
        block_bytes: u64,
        /// The largest supported size of a block in bytes.
        limit: u64,
    },
    /// The limit on open files is lower than the number of blocks.
    #[error(
        "cache folder: {blocks} blocks need as many open files and this process may have {limit}; raise the limit (ulimit -n), or raise the size of a block"
    )]
    OpenFiles {
        /// Number of blocks, each of which is an open file.
        blocks: u64,
        /// The hard limit on open files (`RLIMIT_NOFILE`).
        limit: u64,
    },
    /// The disk engine (foyer) returned an error.
    #[error("cache folder: the disk tier in {} cannot be opened: {reason}", path.display())]
    Engine {
        /// The cache folder of the engine.
        path: PathBuf,
        /// The text of the engine's error.
        reason: String,
    },
}
