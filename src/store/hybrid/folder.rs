//! The folder of the disk tier: its lock, its geometry, and the room it takes.
//!
//! ```text
//! geometry   sizes and format; if they differ from what is asked, the blocks are wiped
//! ledger     the purge ledger
//! listing    what is stored, from an orderly end to the next start
//! blocks/    one file for each block, all their room taken ahead
//! ```
//!
//! Foyer makes sparse files and its writer dies for good when the disk fills up. Taking the room here, before foyer
//! opens the files, makes a full disk an error at the start, where somebody reads it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::store::OpenError;

/// Raised whenever bytes of an older version cannot be read any more.
const FORMAT: u32 = 1;
/// Foyer works in pages; each block begins with one that tells what is in it.
pub(super) const PAGE: u64 = 4096;
/// The engine's offsets have 32 bits.
const MAX_BLOCK: u64 = 1 << 31;
/// One block is written, one is emptied, and the others should outnumber them.
const LEAST_BLOCKS: u64 = 4;
/// Open files that the rest of the process is left with at least.
const OTHER_FILES: u64 = 256;
/// How foyer names the file of a block.
const PREFIX: &str = "foyer-storage-direct-fs-";

/// Whether somebody has the folder `path` locked.
pub(super) fn is_locked(path: &Path) -> bool {
    let Ok(folder) = File::open(path) else { return false };
    // Closing the file gives back what was got.
    flock(&folder, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    pub(super) lock: File,
    pub(super) block_bytes: u64,
    pub(super) block_count: u64,
    /// Blocks with data in them, oldest first.
    pub(super) written: Vec<u32>,
}

impl Folder {
    /// Creates the folder if it is missing, and locks it against other processes.
    pub(super) fn open(path: &Path, disk_bytes: u64, block_bytes: u64) -> Result<Folder, OpenError> {
        let block_bytes = block_bytes.max(PAGE).div_ceil(PAGE).saturating_mul(PAGE);
        let block_count = disk_bytes / block_bytes;
        if block_bytes > MAX_BLOCK {
            return Err(OpenError::BlockTooLarge { block_bytes, limit: MAX_BLOCK });
        }
        if block_count < LEAST_BLOCKS {
            return Err(OpenError::TooSmall { disk_bytes, block_bytes, least: LEAST_BLOCKS });
        }
        allow_open_files(block_count)?;
        let blocks = path.join("blocks");
        std::fs::create_dir_all(&blocks)
            .map_err(|source| OpenError::Folder { path: path.to_owned(), source })?;
        // The folder itself is what is locked: no file in it that could be deleted.
        let lock = File::open(path).map_err(|source| OpenError::Folder { path: path.to_owned(), source })?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(OpenError::Locked { path: path.to_owned() }),
            Err(errno) => return Err(OpenError::Folder { path: path.to_owned(), source: errno.into() }),
        }
        Ok(Folder { path: path.to_owned(), lock, block_bytes, block_count, written: Vec::new() })
    }

    /// Where the purge ledger lies.
    pub(super) fn ledger(&self) -> PathBuf {
        self.path.join("ledger")
    }

    /// Where the listing lies between two processes.
    pub(super) fn listing(&self) -> PathBuf {
        self.path.join("listing")
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there are file descriptors for a second handle of each block, so many that half of all are left to connections.
    pub(super) fn may_open_twice(&self) -> bool {
        let needed = (self.block_count * 4).max(self.block_count * 2 + OTHER_FILES);
        getrlimit(Resource::Nofile).current.is_none_or(|current| current >= needed)
    }

    /// Where the blocks lie.
    pub(super) fn blocks(&self) -> PathBuf {
        self.path.join("blocks")
    }

    /// Deletes all blocks. The geometry goes first: a crash in between leaves no half that looks whole.
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

    /// Makes the blocks ready for foyer: of this geometry, with all their room, one of them empty.
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
                    // Gives back what was taken; the error says the rest.
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

    /// Blocks with data, oldest first; one of them is emptied if there is no empty one.
    ///
    /// Foyer starts to empty blocks when it takes an empty one. A crash between the two can leave none, and its
    /// writer would then wait for ever.
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

    /// The file of a block.
    pub(super) fn block(&self, block: u64) -> PathBuf {
        self.path.join("blocks").join(format!("{PREFIX}{block:08}"))
    }

    fn refused(&self, path: PathBuf, source: io::Error) -> OpenError {
        OpenError::Folder { path, source }
    }
}

/// Foyer's own number of the first entry in a block, which says how old the block is. (After the checksum, the
/// count and the entry's hash. Foyer's `set_len` renews the modification time, so that is of no use.)
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

/// Raises the soft limit on open files if the blocks need it, each of which is opened once, and a second time where that can be.
fn allow_open_files(blocks: u64) -> Result<(), OpenError> {
    let needed = blocks + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed + blocks) {
        return Ok(());
    }
    if let Some(limit) = maximum.filter(|&maximum| maximum < needed) {
        return Err(OpenError::OpenFiles { blocks, limit });
    }
    // All that is allowed, not just what the blocks need: connections want files too.
    let raised = Rlimit { current: maximum.or(Some(needed)), maximum };
    match setrlimit(Resource::Nofile, raised) {
        Err(_) if current.is_some_and(|current| current < needed) => {
            Err(OpenError::OpenFiles { blocks, limit: current.unwrap_or_default() })
        }
        // The second handles are not needed.
        _ => Ok(()),
    }
}
