//! A browser's profile: a private folder for as long as the browser lives, which also takes its temporary files.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, getpgid, kill_process_group, test_kill_process};

const PREFIX: &str = "tintype-chrome-";
const LOCK: &str = "lock";
/// End of the name of a folder that is not locked yet.
const UNREADY: &str = ".new";

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot make the folder of the browser's profile in {}: {source}; have TMPDIR name a folder that exists, has room, \
     and that this user may write to",
    parent.display()
)]
pub(crate) struct ProfileError {
    parent: PathBuf,
    source: io::Error,
}

/// A folder that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Profile {
    path: PathBuf,
    // Held for as long as the folder is in use, so that nobody takes it for a dead one's.
    _lock: File,
}

impl Profile {
    /// Makes `tintype-chrome-<pid>-<random>` in `parent`, for the owner alone.
    pub(crate) fn create(parent: &Path) -> Result<Self, ProfileError> {
        Self::make(parent).map_err(|source| ProfileError { parent: parent.to_owned(), source })
    }

    fn make(parent: &Path) -> io::Result<Self> {
        let random = fastrand::u64(..);
        let name = format!("{PREFIX}{}-{random:016x}", std::process::id());
        let (path, unready) = (parent.join(&name), parent.join(format!("{name}{UNREADY}")));
        DirBuilder::new().mode(0o700).create(&unready)?;
        let lock = File::create(unready.join(LOCK))?;
        lock.try_lock()?;
        // Under its own name it is locked from the first moment, so that one without a holder is a dead one's.
        std::fs::rename(&unready, &path)?;
        Ok(Profile { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
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

/// Removes the profiles in `parent` that a crash left: nobody holds their lock. A browser that still runs on one, for
/// instance as it was stopped when its end came, is killed first.
pub(crate) fn remove_stale(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let pid = rest.split('-').next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { continue };
        let owner_is_gone = || test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
        // The number of a process that died may be another one's by now; in a container it mostly is.
        let stale = match is_locked(&entry.path()) {
            Some(locked) => !locked && (!rest.ends_with(UNREADY) || owner_is_gone()),
            None => owner_is_gone(),
        };
        if stale && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            tracing::info!(folder = %entry.path().display(), "removing a dead browser's profile");
            kill_browsers_of(&entry.path());
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether somebody holds the folder's lock; none if it has no such file.
fn is_locked(folder: &Path) -> Option<bool> {
    let lock = File::open(folder.join(LOCK)).ok()?;
    Some(lock.try_lock().is_err())
}

/// Kills the process groups whose leader was started with this profile, as a browser of ours was.
fn kill_browsers_of(profile: &Path) {
    let argument = [b"--user-data-dir=", profile.as_os_str().as_bytes()].concat();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { continue };
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        // Some rewrite their arguments with spaces between.
        let is_of_it = line.split(|byte| matches!(byte, 0 | b' ')).any(|part| part == argument);
        if is_of_it && getpgid(Some(pid)) == Ok(pid) {
            tracing::warn!(pid = pid.as_raw_nonzero().get(), "killing a browser that outlived its owner");
            let _ = kill_process_group(pid, Signal::KILL);
        }
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

    /// OpenWA#242, chromedp#1636.
    #[test]
    fn a_parent_that_cannot_be_written_is_named_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for parent in [folder.path().join("missing"), file, PathBuf::from("/proc")] {
            let error = Profile::create(&parent).unwrap_err().to_string();
            assert!(error.contains(&format!("in {}: ", parent.display())), "{error}");
            assert!(error.contains("TMPDIR"), "{error}");
        }
    }

    #[test]
    fn only_dead_and_unlocked_profiles_are_stale() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str, with_lock: bool| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            if with_lock {
                File::create(path.join(LOCK)).unwrap();
            }
            path
        };
        // No process has the largest pid there is; ours is alive.
        let (gone, ours) = (i32::MAX, std::process::id());
        let dead = [
            make(&format!("{PREFIX}{gone}-1"), false),
            make(&format!("{PREFIX}{gone}-2"), true),
            make(&format!("{PREFIX}{gone}-3{UNREADY}"), true),
            // A dead one's, whose number this process has now.
            make(&format!("{PREFIX}{ours}-4"), true),
        ];
        let locked = make(&format!("{PREFIX}{gone}-5"), true);
        let kept = [
            make(&format!("{PREFIX}{ours}-6"), false),
            make(&format!("{PREFIX}{ours}-7{UNREADY}"), true),
            make("other", true),
            make(&format!("{PREFIX}x-1"), true),
            make(&format!("{PREFIX}0-1"), true),
        ];
        let lock = File::open(locked.join(LOCK)).unwrap();
        lock.try_lock().unwrap();
        remove_stale(parent.path());
        assert!(dead.iter().all(|path| !path.exists()));
        assert!(locked.exists() && kept.iter().all(|path| path.exists()));
    }

    #[test]
    fn a_browser_on_a_stale_profile_is_killed_first() {
        use std::os::unix::process::{CommandExt, ExitStatusExt};
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join(format!("{PREFIX}{}-1", i32::MAX));
        std::fs::create_dir(&path).unwrap();
        let argument = format!("--user-data-dir={}", path.display());
        let start = |argument: &str| {
            let mut command = std::process::Command::new("/bin/sh");
            command.args(["-c", "read line", "browser", argument]).process_group(0);
            command.stdin(std::process::Stdio::piped()).spawn().unwrap()
        };
        let (mut orphan, mut other) = (start(&argument), start(&format!("{argument}1")));
        remove_stale(parent.path());
        assert_eq!(orphan.wait().unwrap().signal(), Some(9));
        // It ends by itself, as its input does.
        drop(other.stdin.take());
        assert_eq!(other.wait().unwrap().signal(), None);
        assert!(!path.exists());
    }
}
