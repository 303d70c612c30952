//! A disk that is full, or read-only: an error when the store opens, where somebody reads it, and never later.
//!
//! These need a small file system of their own and are skipped, with a line that says so, where none can be mounted.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tintype::store::{self, Config, Handle, OpenError, Scope};

use crate::store_fixture::{config, disk_only, get, key, open, put, record, reopen, sequence};
use crate::support::{Process, Reply, ScriptedOrigin, Tintype, within_long};

/// A mounted file system of some MiB; unmounted when dropped.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(mebibytes: u64, test: &str) -> Option<Mount> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Mount(dir));
        }
        eprintln!("SKIPPED {test}: cannot mount a tmpfs here (needs root), a full disk was not tried");
        None
    }

    /// One on a disk, which can fail under those who write to it.
    fn disk(mebibytes: u64, test: &str) -> Option<Mount> {
        let image = tempfile::NamedTempFile::new().unwrap();
        image.as_file().set_len(mebibytes << 20).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let run = |program: &str, args: &[&std::ffi::OsStr]| {
            let status =
                Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        let (image, at) = (image.path().as_os_str(), dir.path().as_os_str());
        if run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), image])
            && run("mount", &["-o".as_ref(), "loop".as_ref(), image, at])
        {
            return Some(Mount(dir));
        }
        eprintln!("SKIPPED {test}: cannot mount an ext4 image here (needs root, loop devices and e2fsprogs)");
        None
    }

    /// What the kernel does when the journal of such a disk cannot be written: from now on it is read-only, also for those who have its files
    /// open.
    fn fail(&self) {
        let status = Command::new("mount").args(["-o", "remount,abort"]).arg(self.path()).status();
        assert!(status.unwrap().success());
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = File::create(self.path().join("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn no_room_is_an_error_when_the_store_opens() {
    let Some(mount) = Mount::new(6, "no_room_is_an_error_when_the_store_opens") else { return };
    let dir = mount.path().join("cache");
    let large = disk_only(&dir);
    let Err(error) = store::open(&large).await else { panic!("opened 8 MiB on a disk of 6") };
    assert!(matches!(error, OpenError::NoSpace { bytes, .. } if bytes == large.disk_bytes), "{error}");
    assert!(error.to_string().contains(&dir.display().to_string()), "{error}");
    // What had been taken was given back.
    let store = open(&Config { disk_bytes: 4 << 20, ..large }).await;
    assert!(store.usage().disk_healthy);
    store.close().await;
}

#[tokio::test]
async fn a_folder_that_is_read_only_is_an_error_when_the_store_opens() {
    let test = "a_folder_that_is_read_only_is_an_error_when_the_store_opens";
    let Some(mount) = Mount::new(10, test) else { return };
    let config = disk_only(&mount.path().join("cache"));
    let store = open(&config).await;
    let stored = put(&*store, "a", 5000);
    store.close().await;
    drop(store);
    // The same files under another name, where nobody may write.
    let shown = Mount(tempfile::tempdir().unwrap());
    for options in [&["--bind"][..], &["-o", "remount,bind,ro"]] {
        let mut command = Command::new("mount");
        command.args(options).args((options.len() == 1).then_some(mount.path())).arg(shown.path());
        assert!(command.status().unwrap().success(), "{command:?}");
    }
    let Err(error) = store::open(&disk_only(&shown.path().join("cache"))).await else {
        panic!("opened what cannot be written")
    };
    assert!(matches!(error, OpenError::Folder { .. }), "{error}");
    assert!(error.to_string().contains("Read-only"), "{error}");
    // Nothing of it was harmed.
    let store = open(&config).await;
    assert_eq!(sequence(&*store, "a").await, Some(stored));
    store.close().await;
}

#[tokio::test]
async fn a_disk_that_fills_up_later_changes_nothing() {
    let Some(mount) = Mount::new(10, "a_disk_that_fills_up_later_changes_nothing") else { return };
    let config = disk_only(&mount.path().join("cache"));
    let store = open(&config).await;
    mount.fill();
    store.put(key("purged"), record(store.next_sequence(), &[Handle(7)], 5000));
    for n in 0..200 {
        put(&*store, n, 5000);
    }
    // More than the file's last page has room for.
    for handle in 0..500 {
        store.purge(Scope::Handle(Handle(handle))).expect("a purge needs no new room");
    }
    let store = reopen(store, &config).await;
    assert!(get(&*store, "purged").await.is_none());
    for n in 0..200 {
        assert!(get(&*store, n).await.is_some(), "{n}");
    }
    assert!(store.usage().disk_healthy);
    store.close().await;
}

/// Reads go on, from memory and from disk; a purge holds, and says that it will not for good; whoever looks is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_becomes_read_only_under_a_running_store_is_noticed_and_still_read() {
    let test = "a_disk_that_becomes_read_only_under_a_running_store_is_noticed_and_still_read";
    let Some(mount) = Mount::disk(64, test) else { return };
    let dir = mount.path().join("cache");
    let config = Config { canary_interval: Duration::from_millis(5), ..config(Some(&dir)) };
    let store = open(&config).await;
    store.put(key("purged"), record(store.next_sequence(), &[Handle(7)], 5000));
    let before: Vec<u64> = (0..600).map(|n| put(&*store, n, 5000)).collect();
    // All of it is on disk, and a part of it in memory.
    let store = reopen(store, &config).await;
    mount.fail();
    let noticed = async {
        // Few: foyer empties blocks ahead of what is written, even where it then cannot write.
        for n in 0..10 {
            put(&*store, format!("later {n}"), 5000);
        }
        while store.usage().disk_healthy {
            tokio::time::sleep(config.canary_interval).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), noticed).await.expect("the canary notices");
    for (n, stored) in before.iter().enumerate() {
        assert_eq!(sequence(&*store, n).await, Some(*stored), "{n} is read from disk");
    }
    let later = put(&*store, "later", 5000);
    assert_eq!(sequence(&*store, "later").await, Some(later));
    assert!(get(&*store, "purged").await.is_some());
    let error = store.purge(Scope::Handle(Handle(7))).expect_err("it cannot be written");
    assert_eq!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem, "{error}");
    assert!(get(&*store, "purged").await.is_none(), "it holds all the same");
    tokio::time::timeout(Duration::from_secs(60), store.close()).await.expect("nobody waits for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_died_is_noticed_and_memory_serves_on() {
    let Some(mount) = Mount::new(10, "a_writer_that_died_is_noticed_and_memory_serves_on") else { return };
    let dir = mount.path().join("cache");
    let config = Config { canary_interval: Duration::from_millis(5), ..config(Some(&dir)) };
    let store = open(&config).await;
    let stored = put(&*store, "a", 5000);
    assert!(store.usage().disk_healthy);
    // Takes the room from under the store: only so can a write fail.
    for block in std::fs::read_dir(dir.join("blocks")).unwrap() {
        OpenOptions::new().write(true).open(block.unwrap().path()).unwrap().set_len(0).unwrap();
    }
    mount.fill();
    // The canary looks when something was written.
    let noticed = async {
        for n in 0.. {
            put(&*store, n % 10, 5000);
            if !store.usage().disk_healthy {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), noticed).await.expect("the canary notices");
    let later = put(&*store, "later", 5000);
    assert_eq!(sequence(&*store, "a").await, Some(stored));
    assert_eq!(sequence(&*store, "later").await, Some(later));
    assert!(store.usage().disk_dropped > 0);
    store.close().await;
    drop(store);
    // Room again: the next start mends it.
    std::fs::remove_file(mount.path().join("filler")).unwrap();
    let store = open(&config).await;
    assert!(store.usage().disk_healthy);
    let again = put(&*store, "again", 5000);
    let store = reopen(store, &config).await;
    assert_eq!(sequence(&*store, "again").await, Some(again));
    store.close().await;
}

/// omicron#4352, for the store. While the disk is full the process serves from memory; then the disk tier takes writes again.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_serves_from_memory_while_its_disk_is_full() {
    let test = "a_process_serves_from_memory_while_its_disk_is_full";
    let Some(mount) = Mount::new(40, test) else { return };
    let origin =
        ScriptedOrigin::start(|_| Reply::ok("x".repeat(5000)).header("cache-control", "max-age=600")).await;
    let (dir, folder) = (mount.path().join("cache"), tempfile::tempdir().unwrap());
    let store = format!(
        "dir = {dir:?}\ndisk = \"16MiB\"\nblock = \"2MiB\"\nmemory = \"8MiB\"\nmax_stored_bytes = \"64KiB\"\n\
         hold_for_tag = \"64KiB\"\ncanary_interval = \"1s\""
    );
    let config = folder.path().join("proxy.toml");
    std::fs::write(&config, Tintype::toml(&origin, "").replace("dir = \"\"", &store)).unwrap();
    let process = Process::start(&config).await;
    let metrics = format!("http://{}/metrics", process.admin);
    let is_healthy = async || {
        let metrics = crate::support::client::get(&metrics, &[]).await.text();
        metrics.lines().any(|line| line == "tintype_healthy_disks 1.0")
    };
    assert!(is_healthy().await);
    for block in std::fs::read_dir(dir.join("blocks")).unwrap() {
        OpenOptions::new().write(true).open(block.unwrap().path()).unwrap().set_len(0).unwrap();
    }
    mount.fill();
    within_long("the disk to count as unhealthy", async {
        for n in 0.. {
            let answer = crate::support::client::get(&format!("http://{}/{n}", process.address), &[]).await;
            assert_eq!(answer.status, 200);
            if !is_healthy().await {
                return;
            }
        }
    })
    .await;
    let again = crate::support::client::get(&format!("http://{}/0", process.address), &[]).await;
    assert_eq!((again.status, again.header("x-cache")), (200, Some("HIT")));
    std::fs::remove_file(mount.path().join("filler")).unwrap();
    within_long("the disk to count as healthy", async {
        while !is_healthy().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert!(process.stop().await, "SIGTERM ends it with 0");
}
