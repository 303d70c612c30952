//! Notices that foyer's writer has died: it says nothing, and its `wait` returns as if all were well.
//!
//! A mark is written under a key that no request has, and read back. That is done only when there is something to
//! learn, after records were written or while the disk counts as unhealthy, so that an idle proxy does not
//! slowly overwrite its disk with marks.

use std::sync::Weak;
use std::time::Duration;

use super::Inner;
use super::disk::Disk;
use crate::store::CacheKey;

/// Keys of requests begin with a method or a host; none begins with a zero octet.
const KEY: &[u8] = b"\0tintype canary";

/// Checks every `interval`, as long as the store is there.
pub(super) async fn run(store: Weak<Inner>, interval: Duration) {
    let mut seen = None;
    let mut ticks = tokio::time::interval(interval.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let Some(store) = store.upgrade() else { return };
        let writes = Some(store.disk.writes());
        if writes == seen && store.disk.is_healthy() {
            continue;
        }
        seen = writes;
        check(&store.disk).await;
    }
}

/// Checks once, and says so when something has changed.
pub(super) async fn check(disk: &Disk) {
    let healthy = disk.probe(&CacheKey::new(KEY)).await;
    if disk.is_closed() || !disk.set_healthy(healthy) {
        return;
    }
    if healthy {
        tracing::info!("disk cache takes writes again");
    } else {
        tracing::error!(
            "disk cache takes no more writes: new records stay in memory until a restart; \
             look for a full or failing disk above in this log"
        );
    }
}
