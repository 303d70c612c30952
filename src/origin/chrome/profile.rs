//! A browser's profile: a private folder for as long as the browser lives, which also takes its temporary files.

use std::fs::{DirBuilder, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

const PREFIX: &str = "tintype-chrome-";
const LOCK: &str = "lock";

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Profile {
    path: PathBuf,
    // Held for as long as the folder is in use, so that nobody takes it for a dead one's.
    _lock: File,
}

impl Profile {
    /// Makes `tintype-chrome-<pid>-<random>` in `parent`, for the owner alone.
    pub(super) fn create(parent: &Path) -> io::Result<Self> {
        let random = RandomState::new().hash_one(parent);
        let path = parent.join(format!("{PREFIX}{}-{random:016x}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.try_lock()?;
        Ok(Profile { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // A dying process may still write here while the folder is walked.
        for _ in 0..3 {
            match std::fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => continue,
                _ => return,
            }
        }
    }
}

/// Removes the profiles in `parent` that a crash left: their process is gone and nobody holds their lock.
pub(super) fn remove_stale(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else { continue };
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && test_kill_process(pid) == Err(rustix::io::Errno::SRCH) && is_unlocked(&entry.path()) {
            tracing::info!(folder = %entry.path().display(), "removing a dead browser's profile");
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_unlocked(folder: &Path) -> bool {
    match File::open(folder.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_lives_as_long_as_its_owner() {
        let parent = tempfile::tempdir().unwrap();
        let profile = Profile::create(parent.path()).unwrap();
        let path = profile.path().to_owned();
        std::fs::write(path.join("Cookies"), "x").unwrap();
        remove_stale(parent.path());
        assert!(path.exists());
        drop(profile);
        assert!(!path.exists());
    }

    #[test]
    fn only_dead_and_unlocked_profiles_are_stale() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        };
        // No process has the largest pid there is; ours is alive.
        let dead = make(&format!("{PREFIX}{}-1", i32::MAX));
        let locked = make(&format!("{PREFIX}{}-2", i32::MAX));
        let alive = make(&format!("{PREFIX}{}-3", std::process::id()));
        let foreign = [make("other"), make(&format!("{PREFIX}x-1")), make(&format!("{PREFIX}0-1"))];
        let lock = File::create(locked.join(LOCK)).unwrap();
        lock.try_lock().unwrap();
        remove_stale(parent.path());
        assert!(!dead.exists());
        assert!(locked.exists() && alive.exists() && foreign.iter().all(|path| path.exists()));
    }
}
