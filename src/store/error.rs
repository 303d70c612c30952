//! Why a store could not be opened, each with what to do about it.

use std::io;
use std::path::PathBuf;

/// Why [`super::open`] failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder, or a file in it, cannot be created, read or written.
    #[error(
        "cache folder: cannot use {}: {source}; check that it exists or can be created, and that this user may write there",
        path.display()
    )]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the folder open.
    #[error("cache folder: {} is in use by another process; stop that one, or give this one a folder of its own", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The disk has no room for what was asked.
    #[error("cache folder: no room for {bytes} bytes in {}; free some, or lower the size of the disk cache", path.display())]
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// Bytes asked for.
        bytes: u64,
    },
    /// The disk tier has too few blocks to rotate.
    #[error(
        "cache folder: {disk_bytes} bytes of disk hold fewer than {least} blocks of {block_bytes} bytes; raise the size of the disk cache or lower that of its blocks"
    )]
    TooSmall {
        /// Size of the disk tier in bytes.
        disk_bytes: u64,
        /// Size of a block in bytes, rounded up to whole pages.
        block_bytes: u64,
        /// Blocks that are needed.
        least: u64,
    },
    /// Blocks of this size are not supported.
    #[error("cache folder: blocks of {block_bytes} bytes are too large; the limit is {limit}")]
    BlockTooLarge {
        /// Size of a block in bytes.
        block_bytes: u64,
        /// The largest in bytes.
        limit: u64,
    },
    /// The process may not open as many files as there are blocks.
    #[error(
        "cache folder: {blocks} blocks need as many open files and this process may have {limit}; raise the limit (ulimit -n), or raise the size of a block"
    )]
    OpenFiles {
        /// Blocks, each an open file.
        blocks: u64,
        /// The hard limit on open files.
        limit: u64,
    },
    /// The disk engine gave up.
    #[error("cache folder: the disk tier in {} cannot be opened: {reason}", path.display())]
    Engine {
        /// The folder.
        path: PathBuf,
        /// What the engine said.
        reason: String,
    },
}
