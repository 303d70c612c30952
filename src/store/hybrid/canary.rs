//! Notices that foyer's writer takes no records. Foyer only logs that, and its `wait` returns as if
//! it had written.
//!
//! A probe entry is written under a key that no request has, and read back. That is done only after
//! records were written, or while the disk counts as unhealthy. So an idle proxy does not slowly
//! overwrite its disk with probes.
//!
//! The writer takes nothing for one of two reasons. Where the folder takes no writes either, the
//! disk has failed or is full. The memory tier then serves on, because a restart would find the
//! same disk, and foyer writes again once it can. Where the folder takes writes, the writer itself
//! has ended, and only a restart brings it back. Then [`run`] returns, which ends the process
//! ([`tasks`](crate::tasks)).

use std::sync::Weak;
use std::time::Duration;

use super::disk::{Disk, PATIENCE};
use super::folder;
use crate::store::key::CacheKey;

/// Keys of requests begin with a method or a host. None begins with a zero octet.
const KEY: &[u8] = b"\0tintype canary";

/// Checks the disk every `interval`. Returns when the disk tier is dropped or its writer has ended.
pub(super) async fn run(disk: Weak<Disk>, interval: Duration) {
    let mut seen = None;
    let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    // A writer that took nothing from the start would end the next process as well.
    let mut took_writes = disk.upgrade().is_some_and(|disk| disk.is_healthy());
    loop {
        ticks.tick().await;
        let Some(disk) = disk.upgrade() else { return };
        let writes = Some(disk.writes());
        if writes == seen && disk.is_healthy() {
            continue;
        }
        seen = writes;
        check(&disk).await;
        took_writes |= disk.is_healthy();
        if took_writes && has_ended(&disk).await {
            tracing::error!("the writer of the disk cache has ended, and the disk takes writes");
            return;
        }
    }
}

/// Probes the disk once, and logs a change of its health.
pub(super) async fn check(disk: &Disk) {
    let healthy = disk.probe(&CacheKey::new(KEY)).await;
    if disk.is_closed() || !disk.set_healthy(healthy) {
        return;
    }
    if healthy {
        tracing::info!("disk cache takes writes again");
    } else {
        tracing::error!(
            "disk cache takes no more writes: new records stay in memory until it does; \
             look for a full or failing disk above in this log"
        );
    }
}

/// Whether the writer takes nothing although the folder takes writes.
async fn has_ended(disk: &Disk) -> bool {
    if disk.is_healthy() || disk.is_closed() {
        return false;
    }
    let path = disk.folder().to_owned();
    let written = tokio::task::spawn_blocking(move || folder::try_write(&path));
    let Ok(Ok(Ok(()))) = tokio::time::timeout(PATIENCE, written).await else { return false };
    // The disk may have recovered between the probe and the write to the folder.
    check(disk).await;
    !disk.is_healthy() && !disk.is_closed()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::Config;
    use crate::store::hybrid::HybridStore;

    /// typedb#7985, for the store: the tasks of foyer end with their runtime, as they would by a
    /// panic.
    #[test]
    fn a_writer_that_ended_ends_the_check() {
        let runtime = || tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            dir: None,
            memory_bytes: 8 << 20,
            disk_bytes: 16 << 20,
            block_bytes: 2 << 20,
            write_buffer_bytes: 4 << 20,
            max_ledger_entries: 1000,
            max_listed: 1000,
            canary_interval: Duration::from_secs(60),
            lock_timeout: Duration::ZERO,
        };
        let foyers = runtime();
        let store = foyers.block_on(HybridStore::open(folder.path(), &config)).unwrap();
        assert!(store.inner.disk.is_healthy());
        foyers.shutdown_background();
        let ended = async {
            let check = run(Arc::downgrade(&store.inner.disk), Duration::from_millis(1));
            tokio::time::timeout(PATIENCE * 2, check).await
        };
        runtime().block_on(ended).expect("the check returns");
        assert!(!store.inner.disk.is_healthy());
    }
}
