//! [`Folder`]: the folder of the disk tier, with its lock, its block sizes and its preallocated
//! room.
//!
//! ```text
//! geometry   sizes and format; if they differ from the configured ones, the blocks are wiped
//! ledger     the purge ledger
//! listing    the listing, from an orderly shutdown to the next start
//! check      exists for a moment while a write to the folder is tried
//! blocks/    one file for each block, preallocated
//! ```
//!
//! Foyer makes sparse files, and its writer loses records while the disk is full. The room is
//! allocated here, before foyer opens the files. So a full disk is an error at the start, where an
//! operator reads it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FallocateFlags, FlockOperation, access, fallocate, flock, statvfs};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::store::error::OpenError;

/// Version of the block format. Raise it when blocks of an older version cannot be read any more.
const FORMAT: u32 = 1;
/// Page size of foyer in bytes. Each block begins with a page of index.
pub(super) const PAGE: u64 = 4096;
/// Largest block in bytes: the offsets of the engine have 32 bits.
const MAX_BLOCK: u64 = 1 << 31;
/// One block is written and one is emptied. The others should outnumber them.
const LEAST_BLOCKS: u64 = 4;
/// Open files that are left to the rest of the process, if the limit allows.
const OTHER_FILES: u64 = 256;
/// Open files that the rest of the process cannot do without.
const LEAST_OTHER_FILES: u64 = 48;
/// A low limit on open files must allow at least one in this many of the blocks.
const LEAST_PART: u64 = 16;
/// Prefix of the names that foyer gives to the files of blocks.
const PREFIX: &str = "foyer-storage-direct-fs-";

/// Whether any process has the folder `path` locked.
pub(super) fn is_locked(path: &Path) -> bool {
    let Ok(folder) = File::open(path) else { return false };
    // Closing the file releases a lock that was taken.
    flock(&folder, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

/// Writes a page to a file in the folder `path`, syncs it to the disk, and removes the file.
pub(super) fn try_write(path: &Path) -> io::Result<()> {
    let path = path.join("check");
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&[0; PAGE as usize])?;
        file.sync_data()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

/// Whether a folder could be opened at `path` and has room for its blocks. Creates and locks
/// nothing.
pub(super) fn check(path: &Path, disk_bytes: u64, block_bytes: u64) -> Result<(), OpenError> {
    let (block_bytes, block_count) = geometry(disk_bytes, block_bytes)?;
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    affordable(block_count, maximum)?;
    let refused =
        |path: &Path, errno: Errno| OpenError::Folder { path: path.to_owned(), source: errno.into() };
    let absolute =
        std::path::absolute(path).map_err(|source| OpenError::Folder { path: path.to_owned(), source })?;
    // The closest ancestor that exists. The folder would be created below it.
    let Some(there) = absolute.ancestors().find(|path| path.exists()) else { return Ok(()) };
    if !there.is_dir() {
        return Err(refused(there, Errno::NOTDIR));
    }
    access(there, Access::WRITE_OK | Access::EXEC_OK).map_err(|errno| refused(there, errno))?;
    let mut taken = 0;
    if there == absolute {
        let blocks = absolute.join("blocks");
        for file in ["ledger", "geometry", "listing"]
            .map(|name| absolute.join(name))
            .iter()
            .filter(|file| file.exists())
        {
            access(file, Access::READ_OK | Access::WRITE_OK).map_err(|errno| refused(file, errno))?;
        }
        if blocks.exists() {
            access(&blocks, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
                .map_err(|errno| refused(&blocks, errno))?;
            let entries = std::fs::read_dir(&blocks);
            let entries = entries.map_err(|source| OpenError::Folder { path: blocks.clone(), source })?;
            let sizes = entries.flatten().filter_map(|entry| entry.metadata().ok());
            taken = sizes.map(|file| file.blocks().saturating_mul(512)).sum();
        }
    }
    let room = statvfs(there).map_err(|errno| refused(there, errno))?;
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let bytes = block_bytes * block_count;
    if bytes.saturating_sub(taken) > free {
        return Err(OpenError::NoSpace { path: path.to_owned(), bytes });
    }
    Ok(())
}

/// Size of a block in whole pages, and the number of blocks.
fn geometry(disk_bytes: u64, block_bytes: u64) -> Result<(u64, u64), OpenError> {
    let block_bytes = block_bytes.max(PAGE).div_ceil(PAGE).saturating_mul(PAGE);
    let block_count = disk_bytes / block_bytes;
    if block_bytes > MAX_BLOCK {
        return Err(OpenError::BlockTooLarge { block_bytes, limit: MAX_BLOCK });
    }
    if block_count < LEAST_BLOCKS {
        return Err(OpenError::TooSmall { disk_bytes, block_bytes, least: LEAST_BLOCKS });
    }
    Ok((block_bytes, block_count))
}

/// How many of `blocks` this process may open with a limit of `limit` files. If the limit is too
/// low for all of them, [`OTHER_FILES`] or half of the limit is left to others.
///
/// # Errors
/// Less than [`LEAST_OTHER_FILES`] would be left to others, or so few blocks would be left that the
/// sizes are a mistake.
fn affordable(blocks: u64, limit: Option<u64>) -> Result<u64, OpenError> {
    let Some(limit) = limit.filter(|&limit| limit < blocks.saturating_add(OTHER_FILES)) else {
        return Ok(blocks);
    };
    let fewer = limit.saturating_sub(OTHER_FILES).max(limit / 2).min(blocks);
    match fewer >= LEAST_BLOCKS && fewer >= blocks / LEAST_PART && limit - fewer >= LEAST_OTHER_FILES {
        true => Ok(fewer),
        false => Err(OpenError::OpenFiles { blocks, limit }),
    }
}

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    pub(super) lock: File,
    pub(super) block_bytes: u64,
    pub(super) block_count: u64,
    /// Numbers of the blocks with data, oldest first.
    pub(super) written: Vec<u32>,
}

impl Folder {
    /// Creates the folder if it is missing, and locks it against other processes.
    pub(super) fn open(path: &Path, disk_bytes: u64, block_bytes: u64) -> Result<Folder, OpenError> {
        let (block_bytes, wanted) = geometry(disk_bytes, block_bytes)?;
        let block_count = allow_open_files(wanted)?;
        if block_count < wanted {
            tracing::warn!(
                disk_bytes = block_count * block_bytes,
                of = wanted * block_bytes,
                "this process may open too few files for the whole disk cache, which is smaller for now; \
                 raise the limit (ulimit -n, LimitNOFILE=), or raise block in [store]"
            );
        }
        let blocks = path.join("blocks");
        std::fs::create_dir_all(&blocks)
            .map_err(|source| OpenError::Folder { path: path.to_owned(), source })?;
        // The folder itself is locked, because a lock file in it could be deleted.
        let lock = File::open(path).map_err(|source| OpenError::Folder { path: path.to_owned(), source })?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(OpenError::Locked { path: path.to_owned() }),
            Err(errno) => return Err(OpenError::Folder { path: path.to_owned(), source: errno.into() }),
        }
        Ok(Folder { path: path.to_owned(), lock, block_bytes, block_count, written: Vec::new() })
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.path.join("ledger")
    }

    pub(super) fn listing(&self) -> PathBuf {
        self.path.join("listing")
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether each block may be opened a second time, with half of all file descriptors left to
    /// connections.
    pub(super) fn may_open_twice(&self) -> bool {
        let needed = (self.block_count * 4).max(self.block_count * 2 + OTHER_FILES);
        getrlimit(Resource::Nofile).current.is_none_or(|current| current >= needed)
    }

    pub(super) fn blocks(&self) -> PathBuf {
        self.path.join("blocks")
    }

    /// Deletes all blocks. The geometry goes first, so that a crash in between leaves no valid
    /// part.
    pub(super) fn wipe(&self) -> io::Result<()> {
        match std::fs::remove_file(self.geometry()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.lock.sync_all()?;
        for entry in std::fs::read_dir(self.blocks())? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Prepares the blocks for foyer: of this geometry, preallocated, and at least one of them
    /// empty.
    pub(super) fn prepare(mut self) -> Result<Folder, OpenError> {
        let geometry = format!(
            "tintype blocks, format {FORMAT}\nblock_bytes {}\nblocks {}\n",
            self.block_bytes, self.block_count
        );
        let known = match std::fs::read_to_string(self.geometry()) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Some(String::new()),
            Err(source) => return Err(self.refused(self.geometry(), source)),
        };
        let same = known.as_deref() == Some(&geometry);
        if !same {
            if known.is_some() {
                tracing::warn!(path = %self.path.display(), "sizes of the disk cache have changed: what it held is dropped");
            }
            self.wipe().map_err(|source| self.refused(self.blocks(), source))?;
        }
        for block in 0..self.block_count {
            self.take_room(block, same)?;
        }
        if !same {
            write_durably(&self.geometry(), &geometry)
                .map_err(|source| self.refused(self.geometry(), source))?;
        }
        self.written = self.free_one().map_err(|source| self.refused(self.blocks(), source))?;
        Ok(self)
    }

    fn take_room(&self, block: u64, keep: bool) -> Result<(), OpenError> {
        let path = self.block(block);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|source| self.refused(path.clone(), source))?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.block_bytes) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                if block == 0 {
                    tracing::warn!(path = %path.display(), "this file system takes no room ahead: if it fills up, nothing more is stored on it");
                }
                file.set_len(self.block_bytes).map_err(|source| self.refused(path, source))
            }
            Err(Errno::NOSPC | Errno::DQUOT) => {
                if !keep {
                    // Releases the room. The error below says why.
                    let _ = self.wipe();
                }
                Err(OpenError::NoSpace {
                    path: self.path.clone(),
                    bytes: self.block_bytes * self.block_count,
                })
            }
            Err(errno) => Err(self.refused(path, errno.into())),
        }
    }

    /// The blocks with data, oldest first. One of them is emptied if no block is empty.
    ///
    /// Foyer starts to empty blocks when it takes an empty one. A crash between the two can leave
    /// none, and its writer would then wait for ever.
    fn free_one(&self) -> io::Result<Vec<u32>> {
        let mut written: Vec<(u64, u32)> = Vec::new();
        for block in 0..self.block_count {
            let mut file = File::open(self.block(block))?;
            let mut page = [0; PAGE as usize];
            file.read_exact(&mut page)?;
            if page.iter().any(|&byte| byte != 0) {
                written.push((first_sequence(&page), block as u32));
            }
        }
        written.sort_unstable();
        if written.len() as u64 == self.block_count {
            let (_, oldest) = written.remove(0);
            let file = OpenOptions::new().write(true).open(self.block(oldest.into()))?;
            file.write_all_at(&[0; PAGE as usize], 0)?;
        }
        Ok(written.into_iter().map(|(_, block)| block).collect())
    }

    fn geometry(&self) -> PathBuf {
        self.path.join("geometry")
    }

    pub(super) fn block(&self, block: u64) -> PathBuf {
        self.path.join("blocks").join(format!("{PREFIX}{block:08}"))
    }

    fn refused(&self, path: PathBuf, source: io::Error) -> OpenError {
        OpenError::Folder { path, source }
    }
}

/// Foyer's number of the first entry in a block, which tells the age of the block. It follows the
/// checksum, the count and the hash of the entry. The modification time is no help, because foyer's
/// `set_len` renews it.
fn first_sequence(page: &[u8; PAGE as usize]) -> u64 {
    page[20..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), |dir| File::open(dir).and_then(|dir| dir.sync_all()))
}

/// Raises the soft limit on open files if the blocks need it. Each block is opened once, and a
/// second time if the limit allows. Returns how many blocks may be opened.
fn allow_open_files(blocks: u64) -> Result<u64, OpenError> {
    let needed = blocks + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed + blocks) {
        return Ok(blocks);
    }
    // The limit is raised to its maximum, because connections need files too.
    let raised = Rlimit { current: maximum.or(Some(needed + blocks)), maximum };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => raised.current,
        Err(_) => current,
    };
    affordable(blocks, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_open_files_cost_blocks_before_they_cost_the_start() {
        for (blocks, limit, expected) in [
            (64, None, Some(64)),
            (64, Some(320), Some(64)),
            (700, Some(1024), Some(700)),
            (3200, Some(1024), Some(768)),
            (64, Some(256), Some(64)),
            (200, Some(256), Some(128)),
            (100, Some(100), Some(50)),
            (100, Some(95), Some(47)),
            (100, Some(90), None),
            (8, Some(10), None),
            (1 << 38, Some(1 << 20), None),
        ] {
            assert_eq!(affordable(blocks, limit).ok(), expected, "{blocks} blocks, {limit:?} files");
        }
    }
}
