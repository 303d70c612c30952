//! Places for captures, and a bounded queue before them. Who goes away frees the place it had, in either.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Stopwatch;
use crate::origin::OriginError;

/// What a capture is taken to last before one was seen.
const FIRST_GUESS: Duration = Duration::from_secs(2);

/// Places and queue.
pub(super) struct Slots {
    places: Arc<Semaphore>,
    max_concurrent: usize,
    max_queue: usize,
    waiting: AtomicUsize,
    running: Arc<AtomicU64>,
    mean: Arc<Mutex<Duration>>,
}

/// A place for one capture, free again when this is dropped.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    running: Arc<AtomicU64>,
    mean: Arc<Mutex<Duration>>,
    since: Stopwatch,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
        // Moving mean over about eight captures.
        let mut mean = self.mean.lock().unwrap_or_else(PoisonError::into_inner);
        *mean = (*mean * 7 + self.since.elapsed()) / 8;
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Slots {
    pub(super) fn new(max_concurrent: usize, max_queue: usize) -> Self {
        let max_concurrent = max_concurrent.clamp(1, Semaphore::MAX_PERMITS);
        Slots {
            places: Arc::new(Semaphore::new(max_concurrent)),
            max_concurrent,
            max_queue,
            waiting: AtomicUsize::new(0),
            running: Arc::default(),
            mean: Arc::new(Mutex::new(FIRST_GUESS)),
        }
    }

    /// A place, after waiting in the queue; busy at once if the queue is full, and later if of `patience` no more is left
    /// than a capture takes of late, or than its half: a place that comes too late is one that somebody else could use.
    pub(super) async fn enter(&self, patience: Duration) -> Result<Place, OriginError> {
        if let Ok(permit) = self.places.clone().try_acquire_owned() {
            return Ok(self.place(permit));
        }
        let ahead = self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        if ahead >= self.max_queue {
            return Err(OriginError::Busy { retry_after: self.estimate(ahead) });
        }
        match tokio::time::timeout(useful(patience, self.mean()), self.places.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(self.place(permit)),
            // Who comes again is behind all who wait now, but for this one.
            Ok(Err(_)) | Err(_) => {
                let ahead = self.waiting.load(Ordering::SeqCst).saturating_sub(1);
                Err(OriginError::Busy { retry_after: self.estimate(ahead) })
            }
        }
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        self.running.fetch_add(1, Ordering::Relaxed);
        let (running, mean) = (self.running.clone(), self.mean.clone());
        Place { _permit: permit, running, mean, since: Stopwatch::start() }
    }

    /// What a capture takes of late.
    fn mean(&self) -> Duration {
        *self.mean.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a place in the queue is likely: the time for one round of all places, as captures go of late, for as
    /// many rounds as wait ahead; whole seconds, as `Retry-After` has.
    fn estimate(&self, ahead: usize) -> Duration {
        let mean = self.mean();
        let rounds = (ahead + 1).div_ceil(self.max_concurrent);
        let time = mean * u32::try_from(rounds).unwrap_or(u32::MAX);
        Duration::from_secs(time.as_secs_f64().ceil().clamp(1.0, 3600.0) as u64)
    }

    /// Captures under way.
    pub(super) fn running(&self) -> u64 {
        self.running.load(Ordering::Relaxed)
    }

    /// Requests in the queue.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::SeqCst) as u64
    }
}

/// How long it is of use to wait for a place, so that a capture of `mean` follows within `patience`.
fn useful(patience: Duration, mean: Duration) -> Duration {
    patience.saturating_sub(mean.min(patience / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn the_queue_is_bounded_and_those_who_leave_free_their_place() {
        let slots = Slots::new(1, 1);
        let first = slots.enter(LONG).await.unwrap();
        let mut second = Box::pin(slots.enter(LONG));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!((slots.running(), slots.waiting()), (1, 1));
        let third = slots.enter(LONG).now_or_never().expect("an answer at once");
        assert!(matches!(third, Err(OriginError::Busy { retry_after }) if retry_after >= FIRST_GUESS));

        // The one in the queue leaves: another may wait.
        drop(second);
        assert_eq!(slots.waiting(), 0);
        let mut fourth = Box::pin(slots.enter(LONG));
        assert!((&mut fourth).now_or_never().is_none());
        drop(first);
        let _fourth = fourth.await.unwrap();
        assert_eq!((slots.running(), slots.waiting()), (1, 0));
    }

    #[tokio::test]
    async fn who_waits_in_vain_is_told_when_to_come_again() {
        let slots = Slots::new(1, 9);
        let _first = slots.enter(LONG).await.unwrap();
        // Two who wait on, and one for whom it is too late.
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let mut waits = Box::pin(slots.enter(LONG));
                assert!((&mut waits).now_or_never().is_none());
                waits
            })
            .collect();
        let expected = OriginError::Busy { retry_after: FIRST_GUESS * 3 };
        assert_eq!(slots.enter(Duration::from_millis(2)).await.err(), Some(expected));
        assert_eq!(slots.waiting(), 2);
        drop(waiting);
    }

    #[test]
    fn time_for_a_capture_is_kept_back() {
        for (patience, mean, waited) in [(10_000, 2000, 8000), (3000, 2000, 1500), (3000, 0, 3000)] {
            let [patience, mean, waited] = [patience, mean, waited].map(Duration::from_millis);
            assert_eq!(useful(patience, mean), waited);
        }
    }

    #[tokio::test]
    async fn the_estimate_grows_with_the_queue() {
        let slots = Slots::new(2, 9);
        *slots.mean.lock().unwrap() = Duration::from_millis(1500);
        for (ahead, seconds) in [(0, 2), (1, 2), (2, 3), (4, 5)] {
            assert_eq!(slots.estimate(ahead), Duration::from_secs(seconds), "{ahead}");
        }
    }
}
