//! Reads `[store]`: the size and place of the store, and the bounds of one stored response.

use std::time::Duration;

use super::problem::Kind;
use super::section::Section;
use super::words::{GIB, KIB, MIB, TIB, secs, write_size};
use crate::store;

/// The settings of `[store]` for the data plane.
pub(super) struct Bounds {
    pub(super) max_stored_bytes: u64,
    pub(super) max_fetch_buffer: u64,
    pub(super) hold_for_tag: u64,
    pub(super) max_hold: Duration,
    pub(super) collapse_timeout: Duration,
    pub(super) max_variants: usize,
    pub(super) max_prepared: usize,
}

/// Room in a disk block for the head of a record, its key, and the block's own index.
const BLOCK_OVERHEAD: u64 = MIB;

pub(super) fn read(mut s: Section<'_>, hands_over: bool) -> (store::Config, Bounds) {
    const FOLDER: &str = "the path of a folder, or \"\" to keep everything in memory only";
    let dir = s.read("dir", Some("\"cache\"".to_owned()), FOLDER, |node| Ok(node.text()?.to_owned()));
    let dir = dir.unwrap_or_else(|| "cache".to_owned());
    let dir = (!dir.is_empty()).then(|| s.resolve("dir", &dir));
    if let Some(file) = dir.as_ref().filter(|path| path.exists() && !path.is_dir()) {
        let found = format!("{}, which is a file", file.display());
        s.refuse("dir", Kind::NotFound, found, FOLDER);
    }
    let config = store::Config {
        dir,
        memory_bytes: s.size("memory", 256 * MIB, MIB..=TIB),
        disk_bytes: s.size("disk", 2 * GIB, 16 * MIB..=64 * TIB),
        block_bytes: s.size("block", 32 * MIB, 2 * MIB..=GIB),
        write_buffer_bytes: s.size("write_buffer", 64 * MIB, 2 * MIB..=16 * GIB),
        max_ledger_entries: s.number("max_ledger_entries", 100_000, 100..=10_000_000),
        max_listed: s.number("max_listed", 100_000, 1..=10_000_000),
        canary_interval: s.duration("canary_interval", secs(30), secs(1)..=secs(3600)),
        lock_timeout: s.duration(
            "lock_timeout",
            if hands_over { secs(60) } else { Duration::ZERO },
            Duration::ZERO..=secs(3600),
        ),
    };
    let bounds = Bounds {
        max_stored_bytes: s.size("max_stored_bytes", 16 * MIB, KIB..=GIB),
        max_fetch_buffer: s.size("max_fetch_buffer", 256 * MIB, KIB..=TIB),
        hold_for_tag: s.size("hold_for_tag", 4 * MIB, 0..=GIB),
        max_hold: s.duration("max_hold", secs(1), Duration::ZERO..=secs(60)),
        collapse_timeout: s.duration("collapse_timeout", secs(15), secs(1)..=secs(600)),
        max_variants: s.number("max_variants", 32, 1..=1000),
        max_prepared: s.number("max_prepared", 4096, 0..=1_000_000),
    };
    cross_check(&mut s, &config, &bounds);
    (config, bounds)
}

/// Checks settings against each other. Without this, the start would succeed and responses would
/// silently not be stored.
fn cross_check(s: &mut Section<'_>, config: &store::Config, bounds: &Bounds) {
    let largest = bounds.max_stored_bytes;
    let mut at_most = |key: &str, bytes: u64, limit: u64, why: &str| {
        if bytes > limit {
            s.refuse(
                key,
                Kind::Conflict,
                write_size(bytes),
                &format!("at most {}: {why}", write_size(limit)),
            );
        }
    };
    at_most("max_stored_bytes", largest, config.memory_bytes, "a stored response must fit into memory");
    at_most("max_stored_bytes", largest, bounds.max_fetch_buffer, "a fetch is held in max_fetch_buffer");
    at_most("hold_for_tag", bounds.hold_for_tag, largest, "what is larger than max_stored_bytes is not held");
    if config.dir.is_some() {
        let in_block = config.block_bytes - BLOCK_OVERHEAD;
        at_most(
            "max_stored_bytes",
            largest,
            in_block,
            "a stored response must fit into one block with its head",
        );
        at_most("max_stored_bytes", largest, config.write_buffer_bytes, "it is written through write_buffer");
        at_most("block", config.block_bytes, config.disk_bytes / 8, "the disk tier needs at least 8 blocks");
    }
}
