//! Checks the folder of the store: writable, with enough room, on a suitable file system. A folder
//! that a running tintype holds is only inspected.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use rustix::fs::{Access, FlockOperation, access, flock, statvfs};
use rustix::io::Errno;
use tintype::store::Config;

use super::finding::Finding;

const CHECK: &str = "disk";
/// A file that is written and removed again.
const PROBE: &str = "doctor-probe";
const BLOCK: u64 = 512;

pub(super) async fn check(config: Config) -> Vec<Finding> {
    let Some(dir) = config.dir.clone() else {
        return vec![Finding::good(CHECK, "not used: everything is kept in memory, as configured")];
    };
    let looked = tokio::task::spawn_blocking(move || look(&dir, config.disk_bytes)).await;
    looked.unwrap_or_else(|error| vec![Finding::failure(CHECK, error.to_string(), "try again")])
}

fn look(dir: &Path, wanted: u64) -> Vec<Finding> {
    let place = dir.display();
    // The closest ancestor that exists. The folder would be created below it.
    let there = existing(dir);
    let held = match writable(dir, &there) {
        Ok(held) => held,
        Err(error) => {
            let remedy = "give this user the right to write there, or change dir in [store]";
            return vec![Finding::failure(
                CHECK,
                format!("cannot write in {}: {error}", there.display()),
                remedy,
            )];
        }
    };
    let mut findings = vec![match statvfs(&there) {
        Ok(fs) => {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize);
            room(dir, held, wanted.saturating_sub(taken(dir)), free)
        }
        Err(error) => {
            Finding::failure(CHECK, format!("cannot look at {place}: {error}"), "change dir in [store]")
        }
    }];
    findings.extend(
        kind(&there).and_then(doubtful).map(|(kind, why, remedy)| {
            Finding::warning(CHECK, format!("{place} is on {kind}: {why}"), remedy)
        }),
    );
    findings
}

fn existing(dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    absolute.ancestors().find(|path| path.exists()).map_or_else(|| "/".into(), Path::to_owned)
}

/// Checks that the store could write. Returns whether a process holds the folder.
fn writable(dir: &Path, there: &Path) -> io::Result<bool> {
    access(there, Access::WRITE_OK | Access::EXEC_OK)?;
    if !dir.exists() {
        return Ok(false);
    }
    let folder = File::open(dir)?;
    // The lock is released at once, because a tintype that starts at this moment would find it.
    match flock(&folder, FlockOperation::NonBlockingLockShared) {
        Ok(()) => flock(&folder, FlockOperation::Unlock)?,
        Err(Errno::WOULDBLOCK) => return Ok(true),
        Err(error) => return Err(error.into()),
    }
    let probe = dir.join(PROBE);
    let written = File::create(&probe).and_then(|mut file| {
        file.write_all(PROBE.as_bytes())?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&probe);
    written.and(removed).map(|()| false)
}

/// Bytes that the store has allocated already.
fn taken(dir: &Path) -> u64 {
    let Ok(blocks) = std::fs::read_dir(dir.join("blocks")) else { return 0 };
    blocks.flatten().filter_map(|block| block.metadata().ok()).map(|block| block.blocks() * BLOCK).sum()
}

fn room(dir: &Path, held: bool, needed: u64, free: u64) -> Finding {
    let who = if held { ", in use by a running tintype" } else { "" };
    let says = format!("{}{who}: {} more needed, {} free", dir.display(), ByteSize(needed), ByteSize(free));
    if needed > free {
        return Finding::failure(CHECK, says, "make room there, or lower disk in [store]");
    }
    Finding::good(CHECK, says)
}

/// The magic number of the file system below `path`.
#[cfg(target_os = "linux")]
fn kind(path: &Path) -> Option<u64> {
    // Only 32 bits matter. Where the field is signed, the number of SMB is negative.
    rustix::fs::statfs(path).ok().map(|fs| (fs.f_type as u64) & 0xffff_ffff)
}

#[cfg(not(target_os = "linux"))]
fn kind(_: &Path) -> Option<u64> {
    None
}

/// Name, problem and remedy of file systems that do not suit a cache.
fn doubtful(magic: u64) -> Option<(&'static str, &'static str, &'static str)> {
    const REMOTE: &str = "it is slow, its locks may not hold, and room is not taken ahead";
    const LOCAL: &str = "use a local disk (ext4, xfs)";
    const FORGETFUL: &str = "what is stored there is lost when the machine restarts, and takes memory";
    match magic {
        0x6969 => Some(("NFS", REMOTE, LOCAL)),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some(("SMB", REMOTE, LOCAL)),
        0x0102_1997 => Some(("9p", REMOTE, LOCAL)),
        0x6573_5546 => Some(("FUSE", REMOTE, LOCAL)),
        0x0102_1994 | 0x8584_58f6 => Some(("tmpfs", FORGETFUL, "use a disk, or set dir = \"\" in [store]")),
        0x794c_7630 => Some((
            "the layers of a container",
            "what is stored there is lost with the container",
            "mount a volume there",
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Mark;

    #[test]
    fn room_is_what_is_missing() {
        for (needed, free, expected) in [(0, 0, Mark::Good), (10, 10, Mark::Good), (11, 10, Mark::Failure)] {
            assert_eq!(room(Path::new("cache"), false, needed, free).mark, expected);
        }
        assert!(room(Path::new("cache"), true, 0, 1).says.contains("in use by a running tintype"));
    }

    #[test]
    fn remote_and_forgetful_file_systems_are_doubtful() {
        for (magic, expected) in
            [(0xef53, None), (0x5846_5342, None), (0x6969, Some("NFS")), (0x0102_1994, Some("tmpfs"))]
        {
            assert_eq!(doubtful(magic).map(|(kind, ..)| kind), expected, "{magic:x}");
        }
    }
}
