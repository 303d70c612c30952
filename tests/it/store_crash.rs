//! `kill -9` while records are written and purged: what comes back is whole, what was purged stays purged, and
//! sequence numbers go on above all that were used.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tintype::store::{Config, Handle, Scope};

use crate::store_fixture::{config, get, key, open, record};

const FOLDER: &str = "TINTYPE_TEST_CRASH_FOLDER";

fn crash_config(dir: PathBuf) -> Config {
    Config { memory_bytes: 1, disk_bytes: 32 << 20, ..config(Some(&dir)) }
}

/// Runs only in the process that is to be killed, see below.
#[tokio::test]
#[ignore = "is started by the other test of this file"]
async fn writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let store = open(&crash_config(dir.into())).await;
    for n in 0_u64.. {
        let sequence = store.next_sequence();
        store.put(key(n), record(sequence, &[Handle(n)], 20_000));
        // Every third is purged; the line comes after the purge was confirmed.
        if n % 3 == 0 {
            store.purge(Scope::Handle(Handle(n))).expect("a purge");
            println!("purged {n} {sequence}");
        }
        tokio::task::yield_now().await;
    }
}

/// Numbers that are the same in every run (SplitMix64: Steele, Lea and Flood, 2014).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// A hundred times on the same folder, each after another number of microseconds of writing.
#[tokio::test]
async fn a_hundred_crashes_leave_one_folder_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut seeded = Seeded(6);
    let mut known: std::collections::HashMap<u64, u64> = std::collections::HashMap::new();
    let (mut last, mut served) = (0, 0);
    for round in 0..100 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store_crash::writes_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut purged = Vec::new();
        let mut read = |line: String| {
            if let Some((n, sequence)) = line.strip_prefix("purged ").and_then(|line| line.split_once(' ')) {
                purged.push((n.parse::<u64>().unwrap(), sequence.parse::<u64>().unwrap()));
            }
            purged.len()
        };
        while read(lines.next().expect("the child goes on").unwrap()) < 1 {}
        std::thread::sleep(std::time::Duration::from_micros(seeded.below(20_000)));
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            read(line);
        }
        child.wait().unwrap();
        for &(n, sequence) in &purged {
            assert!(sequence > last, "round {round}: {sequence} was used before");
            known.insert(n, sequence);
        }
        last = purged.iter().map(|&(_, sequence)| sequence).max().unwrap_or(last);

        // Every tenth time it is looked at; in between one process after the other finds what a crash left.
        if round % 10 == 9 {
            let store = open(&crash_config(dir.path().to_owned())).await;
            assert!(store.usage().disk_healthy, "round {round}");
            for n in 0..=known.keys().copied().max().unwrap_or_default() {
                // Its bytes are looked at too, and are those of its sequence.
                if let Some(record) = get(&*store, n).await {
                    served += 1;
                    let purge = known.get(&n).copied().unwrap_or_default();
                    assert!(record.sequence > purge, "round {round}: {n} was purged");
                }
            }
            assert_eq!(store.usage().disk_errors, 0, "round {round}");
            store.close().await;
        }
    }
    assert!(served > 20, "{served}");
}

#[tokio::test]
async fn a_crash_leaves_records_whole_or_absent_and_purges_in_force() {
    for wanted in [20, 150] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["store_crash::writes_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut purged = Vec::new();
        let mut last = 0;
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut read = |line: String| {
            if let Some((n, sequence)) = line.strip_prefix("purged ").and_then(|line| line.split_once(' ')) {
                purged.push(n.parse::<u64>().unwrap());
                last = sequence.parse::<u64>().unwrap();
            }
            purged.len()
        };
        while read(lines.next().expect("the child goes on").unwrap()) < wanted {}
        child.kill().unwrap();
        // What it said before it died counts too.
        for line in lines.map_while(Result::ok) {
            read(line);
        }
        child.wait().unwrap();

        let store = open(&crash_config(dir.path().to_owned())).await;
        assert!(store.next_sequence() > last);
        for &n in &purged {
            assert!(get(&*store, n).await.is_none(), "{n} was purged");
        }
        let total = purged.last().unwrap() + 1;
        let mut served = 0;
        for n in 0..total {
            served += u64::from(get(&*store, n).await.is_some());
        }
        assert!(served > total / 4, "{served} of {total} with a third purged");
        assert_eq!(store.usage().disk_errors, 0);
        store.close().await;
    }
}
