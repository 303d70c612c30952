//! Prefetching: which fresh responses are requested so often that they are fetched again shortly
//! before they go stale.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::header;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::Timestamp;
use crate::message::fields::has_credentials;
use crate::proxy::cache::stored::Stored;
use crate::proxy::request::CacheRequest;
use crate::proxy::route::Route;

/// A watched response is fetched this long before it goes stale, and earlier by twice the time that
/// its fetch takes.
const LEAD_TIME: Duration = Duration::from_secs(1);
/// Counters of hits, a power of two. Hits on responses that share a counter reduce each other's
/// count.
const COUNTERS: usize = 4096;

/// Counts hits, and holds the responses that are to be prefetched.
pub(super) struct Prefetch {
    /// By sequence number of the record; see [`Count`].
    counters: Box<[AtomicU64]>,
    watch: Mutex<Vec<Watched>>,
    wake: Arc<Notify>,
    stopped: AtomicBool,
}

/// A response that is to be fetched at `due`, with the request that last asked for it.
pub(super) struct Watched {
    pub(super) request: CacheRequest,
    pub(super) sequence: u64,
    due: Timestamp,
}

impl Prefetch {
    /// Counts only if a route `watches`.
    pub(super) fn new(watches: bool) -> Self {
        let counters = if watches { COUNTERS } else { 0 };
        Prefetch {
            counters: (0..counters).map(|_| AtomicU64::new(0)).collect(),
            watch: Mutex::default(),
            wake: Arc::default(),
            stopped: AtomicBool::new(false),
        }
    }

    /// For the fetcher that follows. Watched responses go over if their route `stays`.
    pub(super) fn reloaded(&self, watches: bool, stays: impl Fn(&Arc<Route>) -> bool) -> Self {
        let next = Prefetch::new(watches);
        let (stay, go): (Vec<_>, Vec<_>) =
            self.watch.lock().drain(..).partition(|watched| stays(&watched.request.route));
        for (counter, known) in next.counters.iter().zip(&self.counters) {
            counter.store(known.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        for gone in go {
            // The counter says that it is watched, and would keep it from being watched again.
            if let Some(counter) = next.counters.get(counter_of(gone.sequence).0) {
                counter.store(0, Ordering::Relaxed);
            }
        }
        if watches {
            *next.watch.lock() = stay;
        }
        self.stop();
        next
    }

    /// Watches nothing any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.watch.lock().clear();
        self.wake.notify_one();
    }

    /// Counts a hit on `stored`, and watches it once it has enough. Takes no lock before that, and
    /// never waits for one.
    pub(super) fn hit(&self, request: &CacheRequest, stored: &Stored) {
        let (at, tag) = counter_of(stored.record().sequence);
        let Some(counter) = self.counters.get(at) else { return };
        let known = counter.load(Ordering::Relaxed);
        let count = Count::of(known, tag);
        let Some(next) = count.hit() else { return };
        // A lost race loses one hit. A response that is requested often has more.
        let _ = counter.compare_exchange_weak(known, next.packed(), Ordering::Relaxed, Ordering::Relaxed);
        if next.tag == tag && next.hits >= request.route.refresh.hits && self.watch(request, stored) {
            counter.store(Count { watched: true, ..next }.packed(), Ordering::Relaxed);
        }
    }

    /// Watches `stored`, if there is room. False if the list is locked.
    fn watch(&self, request: &CacheRequest, stored: &Stored) -> bool {
        let head = stored.head();
        let fields = &request.head.headers;
        // A prefetch must not use the credentials of a user.
        if has_credentials(fields) || fields.contains_key(header::COOKIE) {
            return false;
        }
        let Some(mut watch) = self.watch.try_lock() else { return false };
        let sequence = stored.record().sequence;
        let of_route = watch.iter().filter(|other| Arc::ptr_eq(&other.request.route, &request.route)).count();
        let there = watch.iter().any(|other| other.sequence == sequence);
        if !there && of_route < request.route.refresh.watched && !self.stopped.load(Ordering::Relaxed) {
            let mut request = request.clone();
            request.plan.force = None;
            let lead = head.cost.saturating_mul(2).saturating_add(LEAD_TIME).min(head.lifetime / 2);
            watch.push(Watched { request, sequence, due: head.fresh_until() - lead });
            self.wake.notify_one();
        }
        true
    }

    /// Wakes the task that prefetches.
    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.watch.lock().is_empty()
    }

    /// Takes the responses that are due.
    pub(super) fn due(&self, now: Timestamp) -> Vec<Watched> {
        let mut watch = self.watch.lock();
        let (due, later) = watch.drain(..).partition(|watched| watched.due <= now);
        *watch = later;
        due
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

/// The counter of a record, and its tag there.
fn counter_of(sequence: u64) -> (usize, u32) {
    let mixed = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 52) as usize % COUNTERS, mixed as u32)
}

/// A counter: the tag of the record whose hits it counts, how many there were, and whether the
/// record is watched. Hits on other records lower the count, and take the counter over at zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    tag: u32,
    hits: u32,
    watched: bool,
    /// It counts for the record of this hit.
    own: bool,
}

impl Count {
    /// `packed` as seen by a hit on the record with this tag.
    fn of(packed: u64, tag: u32) -> Self {
        let (known, rest) = ((packed >> 32) as u32, packed as u32);
        Count { tag: known, hits: rest & (u32::MAX >> 1), watched: rest >> 31 == 1, own: known == tag }
            .claimed_by(tag)
    }

    fn claimed_by(self, tag: u32) -> Self {
        if self.own || self.hits > 1 { self } else { Count { tag, hits: 0, watched: false, own: true } }
    }

    /// After one more hit; `None` if nothing changes.
    fn hit(self) -> Option<Self> {
        match self {
            Count { own: true, watched: true, .. } => None,
            Count { own: true, .. } => Some(Count { hits: (self.hits + 1).min(u32::MAX >> 1), ..self }),
            Count { own: false, .. } => Some(Count { hits: self.hits - 1, ..self }),
        }
    }

    fn packed(self) -> u64 {
        u64::from(self.tag) << 32 | u64::from(self.watched) << 31 | u64::from(self.hits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_counted_for_one_and_worn_down_by_others() {
        let mut packed = 0;
        let mut hit = |tag| {
            let next = Count::of(packed, tag).hit();
            packed = next.map_or(packed, Count::packed);
            next.map(|next| (next.tag, next.hits))
        };
        assert_eq!(hit(7), Some((7, 1)));
        assert_eq!(hit(7), Some((7, 2)));
        assert_eq!(hit(7), Some((7, 3)));
        assert_eq!(hit(8), Some((7, 2)));
        assert_eq!(hit(8), Some((7, 1)));
        assert_eq!(hit(8), Some((8, 1)));
        let watched = Count { tag: 8, hits: 5, watched: true, own: true };
        assert_eq!(Count::of(watched.packed(), 8).hit(), None);
        assert_eq!(Count::of(watched.packed(), 9).hit().map(|next| (next.tag, next.hits)), Some((8, 4)));
    }
}
