//! The bound on exchanges at once, and an estimate of when one more has a chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Stopwatch;
use crate::origin::OriginError;

/// Slots for exchanges with one origin.
pub(super) struct Slots {
    free: Arc<Semaphore>,
    wait: Duration,
    /// How long exchanges have taken lately, in milliseconds.
    usual: Arc<AtomicU64>,
}

impl Slots {
    /// `count` slots; a request waits for one up to `wait`.
    pub(super) fn new(count: usize, wait: Duration) -> Self {
        let free = Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        Slots { free, wait, usual: Arc::default() }
    }

    /// A slot, or [`OriginError::Busy`] if none came free in time.
    pub(super) async fn take(&self) -> Result<Slot, OriginError> {
        let waiting = tokio::time::timeout(self.wait, self.free.clone().acquire_owned());
        match waiting.await {
            Ok(Ok(permit)) => {
                Ok(Slot { _permit: permit, taken: Stopwatch::start(), usual: self.usual.clone() })
            }
            Ok(Err(_closed)) => Err(OriginError::Connect("this origin is shut down".to_owned())),
            Err(_elapsed) => Err(OriginError::Busy { retry_after: retry_after(self.usual.load(Relaxed)) }),
        }
    }

    /// No more slots from now on.
    pub(super) fn close(&self) {
        self.free.close();
    }
}

/// The right to one exchange, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    taken: Stopwatch,
    usual: Arc<AtomicU64>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let took = u64::try_from(self.taken.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Two at once may lose one of their steps, which an estimate survives.
        self.usual.store(smoothed(self.usual.load(Relaxed), took), Relaxed);
    }
}

/// The usual duration after an exchange that took `took`.
fn smoothed(usual: u64, took: u64) -> u64 {
    match usual {
        0 => took,
        _ => (usual / 8 * 7).saturating_add(took / 8).max(1),
    }
}

/// Whole seconds until a slot is likely to be free, where an exchange usually takes `usual` milliseconds.
fn retry_after(usual: u64) -> Duration {
    Duration::from_secs(usual.div_ceil(1000).clamp(1, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_follow_what_exchanges_took() {
        for (usual, took, expected) in [
            (0, 0, 0),
            (0, 4000, 4000),
            (800, 800, 800),
            (800, 1600, 900),
            (8, 0, 7),
            (1, 0, 1),
            (u64::MAX, u64::MAX, u64::MAX - 7),
        ] {
            assert_eq!(smoothed(usual, took), expected, "{usual} then {took}");
        }
        for (usual, seconds) in [(0, 1), (1, 1), (1001, 2), (7000, 7), (3_600_000, 60)] {
            assert_eq!(retry_after(usual).as_secs(), seconds, "{usual}");
        }
    }
}
