//! Places for captures, and a bounded queue before them. Who goes away frees the place it had, in either.
//!
//! Whoever clients wait for goes first, then who has less time left. Waiting makes everybody more urgent, so that nobody waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::clock::Stopwatch;
use crate::message::class::{Class, Standing};
use crate::origin::OriginError;

/// What a capture is taken to last before one was seen.
const FIRST_GUESS: Duration = Duration::from_secs(2);
/// Waiting so long counts as much as one class.
const AGING: Duration = Duration::from_secs(10);

/// Places and queue.
pub(crate) struct Queue(Arc<Inner>);

struct Inner {
    max_concurrent: usize,
    max_queue: usize,
    /// Who would wait longer, with a client behind it, is told to come again.
    budget: Duration,
    queue: Mutex<Waiters>,
    running: AtomicU64,
    mean: Mutex<Duration>,
}

struct Waiters {
    free: usize,
    waiting: Vec<Waiter>,
    next: u64,
}

struct Waiter {
    number: u64,
    standing: Standing,
    since: Stopwatch,
    patience: Duration,
    place: oneshot::Sender<Slot>,
}

impl Waiter {
    /// What is least goes first.
    fn rank(&self) -> (u32, Duration, u64) {
        let waited = self.since.elapsed();
        let aged = u32::try_from(waited.as_nanos() / AGING.as_nanos()).unwrap_or(u32::MAX);
        let class = (self.standing.class() as u32).saturating_sub(aged);
        (class, self.patience.saturating_sub(waited), self.number)
    }
}

/// A place for one capture, free again when this is dropped.
pub(crate) struct Slot {
    inner: Option<Arc<Inner>>,
    since: Stopwatch,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        inner.running.fetch_sub(1, Ordering::Relaxed);
        {
            // Moving mean over about eight captures.
            let mut mean = inner.mean.lock();
            *mean = (*mean * 7 + self.since.elapsed()) / 8;
        }
        inner.release();
    }
}

/// Leaves the queue when it is dropped.
struct Waiting<'a>(&'a Inner, u64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.queue.lock().waiting.retain(|waiter| waiter.number != self.1);
    }
}

impl Queue {
    pub(crate) fn new(max_concurrent: usize, max_queue: usize, budget: Duration) -> Self {
        let free = max_concurrent.max(1);
        Queue(Arc::new(Inner {
            max_concurrent: free,
            max_queue,
            budget,
            queue: Mutex::new(Waiters { free, waiting: Vec::new(), next: 0 }),
            running: AtomicU64::new(0),
            mean: Mutex::new(FIRST_GUESS),
        }))
    }

    /// A place, after waiting in the queue; busy at once if the queue is full of others as urgent, or a client would wait longer than the
    /// budget, and later if of `patience` no more is left than a capture takes of late, or than its half: a place that comes too late is
    /// one that somebody else could use.
    pub(crate) async fn enter(&self, patience: Duration, standing: &Standing) -> Result<Slot, OriginError> {
        let inner = &*self.0;
        let (number, mut place) = {
            let mut queue = inner.queue.lock();
            if queue.free > 0 {
                queue.free -= 1;
                drop(queue);
                return Ok(inner.place(&self.0));
            }
            let class = standing.class();
            let ahead = queue.waiting.iter().filter(|waiter| waiter.standing.class() <= class).count();
            let is_late = class.is_awaited() && inner.expected(ahead) > inner.budget;
            if is_late || (queue.waiting.len() >= inner.max_queue && !queue.drop_one_below(class)) {
                return Err(OriginError::Busy { retry_after: inner.estimate(ahead) });
            }
            let (sender, place) = oneshot::channel();
            let number = queue.next;
            queue.next += 1;
            let (standing, since) = (standing.clone(), Stopwatch::start());
            queue.waiting.push(Waiter { number, standing, since, patience, place: sender });
            (number, place)
        };
        let _waiting = Waiting(inner, number);
        match tokio::time::timeout(useful(patience, inner.mean()), &mut place).await {
            Ok(Ok(place)) => Ok(place),
            // Who comes again is behind all who wait now, but for this one.
            Ok(Err(_)) | Err(_) => {
                let ahead =
                    inner.queue.lock().waiting.iter().filter(|waiter| waiter.number != number).count();
                Err(OriginError::Busy { retry_after: inner.estimate(ahead) })
            }
        }
    }

    /// Captures under way.
    pub(crate) fn running(&self) -> u64 {
        self.0.running.load(Ordering::Relaxed)
    }

    /// Requests in the queue.
    pub(crate) fn waiting(&self) -> u64 {
        self.0.queue.lock().waiting.len() as u64
    }
}

impl Waiters {
    /// Sends the last away for whom nobody waits and who is less urgent than `class`. False if there is none.
    fn drop_one_below(&mut self, class: Class) -> bool {
        let below = |waiter: &Waiter| {
            let theirs = waiter.standing.class();
            theirs > class && !theirs.is_awaited()
        };
        let last = self.waiting.iter().enumerate().filter(|(_, waiter)| below(waiter));
        let Some((at, _)) = last.max_by_key(|(_, waiter)| waiter.rank()) else { return false };
        self.waiting.swap_remove(at);
        true
    }
}

impl Inner {
    fn place(&self, this: &Arc<Inner>) -> Slot {
        self.running.fetch_add(1, Ordering::Relaxed);
        Slot { inner: Some(Arc::clone(this)), since: Stopwatch::start() }
    }

    /// Gives a place that is free to whoever is next.
    fn release(self: &Arc<Self>) {
        loop {
            let next = {
                let mut queue = self.queue.lock();
                let best = queue.waiting.iter().enumerate().min_by_key(|(_, waiter)| waiter.rank());
                match best.map(|(at, _)| at) {
                    Some(at) => queue.waiting.swap_remove(at),
                    None => {
                        queue.free += 1;
                        return;
                    }
                }
            };
            match next.place.send(self.place(self)) {
                Ok(()) => return,
                // It has left in this moment: on to the next.
                Err(mut place) => {
                    place.inner = None;
                    self.running.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// What a capture takes of late.
    fn mean(&self) -> Duration {
        *self.mean.lock()
    }

    /// When a place is likely: the time for one round of all places, as captures go of late, for as many rounds as wait ahead.
    fn expected(&self, ahead: usize) -> Duration {
        let rounds = (ahead + 1).div_ceil(self.max_concurrent);
        self.mean() * u32::try_from(rounds).unwrap_or(u32::MAX)
    }

    /// The same in whole seconds, as `Retry-After` has.
    fn estimate(&self, ahead: usize) -> Duration {
        Duration::from_secs(self.expected(ahead).as_secs_f64().ceil().clamp(1.0, 3600.0) as u64)
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

    fn slots(max_concurrent: usize, max_queue: usize) -> Queue {
        Queue::new(max_concurrent, max_queue, LONG)
    }

    fn of(class: Class) -> Standing {
        Standing::new(class)
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_those_who_leave_free_their_place() {
        let (slots, viewer) = (slots(1, 1), of(Class::Viewer));
        let first = slots.enter(LONG, &viewer).await.unwrap();
        let mut second = Box::pin(slots.enter(LONG, &viewer));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!((slots.running(), slots.waiting()), (1, 1));
        let third = slots.enter(LONG, &viewer).now_or_never().expect("an answer at once");
        assert!(matches!(third, Err(OriginError::Busy { retry_after }) if retry_after >= FIRST_GUESS));

        // The one in the queue leaves: another may wait.
        drop(second);
        assert_eq!(slots.waiting(), 0);
        let mut fourth = Box::pin(slots.enter(LONG, &viewer));
        assert!((&mut fourth).now_or_never().is_none());
        drop(first);
        let _fourth = fourth.await.unwrap();
        assert_eq!((slots.running(), slots.waiting()), (1, 0));
    }

    #[tokio::test]
    async fn who_waits_in_vain_is_told_when_to_come_again() {
        let (slots, viewer) = (slots(1, 9), of(Class::Viewer));
        let _first = slots.enter(LONG, &viewer).await.unwrap();
        // Two who wait on, and one for whom it is too late.
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let mut waits = Box::pin(slots.enter(LONG, &viewer));
                assert!((&mut waits).now_or_never().is_none());
                waits
            })
            .collect();
        let expected = OriginError::Busy { retry_after: FIRST_GUESS * 3 };
        assert_eq!(slots.enter(Duration::from_millis(2), &viewer).await.err(), Some(expected));
        assert_eq!(slots.waiting(), 2);
        drop(waiting);
    }

    #[tokio::test]
    async fn clients_go_first_and_then_who_has_less_time() {
        let slots = slots(1, 9);
        let mut last = Some(slots.enter(LONG, &of(Class::Viewer)).await.unwrap());
        let joined = of(Class::Warm);
        let orders = [
            ("warm", of(Class::Warm), 60),
            ("refresh", of(Class::Refresh), 60),
            ("joined", joined.clone(), 59),
            ("monitor", of(Class::Monitor), 60),
            ("viewer", of(Class::Viewer), 60),
            ("hurried", of(Class::Viewer), 30),
        ];
        let mut waiting: Vec<_> = orders
            .iter()
            .map(|(name, standing, seconds)| {
                let mut waits = Box::pin(slots.enter(Duration::from_secs(*seconds), standing));
                assert!((&mut waits).now_or_never().is_none());
                (*name, waits)
            })
            .collect();
        // A client asks for the same.
        joined.raise(Class::Viewer);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            drop(last.take());
            waiting.retain_mut(|(name, waits)| match waits.now_or_never() {
                Some(place) => {
                    order.push(*name);
                    last = place.ok();
                    false
                }
                None => true,
            });
        }
        assert_eq!(order, ["hurried", "joined", "viewer", "monitor", "refresh", "warm"]);
    }

    #[tokio::test]
    async fn a_full_queue_sends_away_what_can_wait_and_a_budget_whom_it_would_take_too_long() {
        let slots = Queue::new(1, 2, Duration::from_secs(3));
        let behind = of(Class::Warm);
        let _first = slots.enter(LONG, &behind).await.unwrap();
        let mut warm: Vec<_> = (0..2).map(|_| Box::pin(slots.enter(LONG, &behind))).collect();
        assert!(warm.iter_mut().all(|waits| waits.now_or_never().is_none()));
        let viewer = of(Class::Viewer);
        let mut waits = Box::pin(slots.enter(LONG, &viewer));
        assert!((&mut waits).now_or_never().is_none(), "what is warmed is behind it");
        assert!(matches!(warm[1].as_mut().await, Err(OriginError::Busy { .. })));
        assert_eq!(slots.waiting(), 2);
        // Two rounds of two seconds.
        let late = slots.enter(LONG, &viewer).now_or_never().expect("an answer at once");
        assert_eq!(late.err(), Some(OriginError::Busy { retry_after: Duration::from_secs(4) }));
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
        let slots = slots(2, 9);
        *slots.0.mean.lock() = Duration::from_millis(1500);
        for (ahead, seconds) in [(0, 2), (1, 2), (2, 3), (4, 5)] {
            assert_eq!(slots.0.estimate(ahead), Duration::from_secs(seconds), "{ahead}");
        }
    }
}
