//! Fetching anew what is still fresh, so that nobody has to wait for it: early, by the dice of a hit, and ahead, for what is asked for so often
//! that the next one to ask is certain.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt, stream};
use http::header;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::clock::Timestamp;
use crate::message::fields::has_credentials;
use crate::policy::reuse::Reuse;
use crate::policy::rules::early;
use crate::policy::stored::StoredResponse;
use crate::proxy::Asked;
use crate::proxy::Proxy;
use crate::proxy::cache::lookup::{Found, Stored};
use crate::proxy::cache::negative::Mark;
use crate::proxy::route::Route;
use crate::tasks;
use crate::telemetry::counters;

/// How often the watch is looked at while something is on it.
const TICK: Duration = Duration::from_millis(250);
/// Fetches at once that nobody asked for.
const AT_ONCE: usize = 2;
/// Time before the end at which a watched response is fetched, beside twice the time that this takes.
const LEAD: Duration = Duration::from_secs(1);
/// Counters of hits, a power of two. Responses that share one take from each other's count.
const COUNTERS: usize = 4096;

/// When a route fetches anew what is still fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Refresh {
    /// Beta of the early refresh: how many times its cost ahead it comes on average. Zero is off.
    pub early: f64,
    /// Responses that are watched at once, to be fetched shortly before they go stale. Zero is off.
    pub watched: usize,
    /// Hits within its lifetime after which one is watched.
    pub hits: u32,
}

/// What is asked for often.
pub(crate) struct Hot {
    /// By sequence number of the record, see [`Count`].
    counters: Box<[AtomicU64]>,
    watch: Mutex<Vec<Watched>>,
    wake: Arc<Notify>,
    stopped: AtomicBool,
}

/// A response that is to be fetched at `due`, as it was last asked for.
struct Watched {
    asked: Asked,
    sequence: u64,
    due: Timestamp,
}

impl Hot {
    /// Counts only if somebody `watches`.
    pub(crate) fn new(watches: bool) -> Self {
        let counters = if watches { COUNTERS } else { 0 };
        Hot {
            counters: (0..counters).map(|_| AtomicU64::new(0)).collect(),
            watch: Mutex::default(),
            wake: Arc::default(),
            stopped: AtomicBool::new(false),
        }
    }

    /// What is asked for often, for the data plane that follows; what is watched goes over where its route `stays`.
    pub(crate) fn succeeded_by(&self, watches: bool, stays: impl Fn(&Arc<Route>) -> bool) -> Self {
        let next = Hot::new(watches);
        let (stay, go): (Vec<_>, Vec<_>) =
            self.watch.lock().drain(..).partition(|watched| stays(&watched.asked.route));
        for (counter, known) in next.counters.iter().zip(&self.counters) {
            counter.store(known.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        for gone in go {
            // Marked as watched, it would never be again.
            if let Some(counter) = next.counters.get(place(gone.sequence).0) {
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
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.watch.lock().clear();
        self.wake.notify_one();
    }

    /// Counts a hit on `stored`, and watches it once it is hot. Takes no lock until then, and waits for none ever.
    fn hit(&self, asked: &Asked, stored: &Stored, head: &StoredResponse) {
        let (at, tag) = place(stored.record().sequence);
        let Some(counter) = self.counters.get(at) else { return };
        let known = counter.load(Ordering::Relaxed);
        let count = Count::of(known, tag);
        let Some(next) = count.hit() else { return };
        // Who loses this race loses a hit: what is hot has more of them.
        let _ = counter.compare_exchange_weak(known, next.packed(), Ordering::Relaxed, Ordering::Relaxed);
        if next.tag == tag && next.hits >= asked.route.refresh.hits && self.begin(asked, stored, head) {
            counter.store(Count { watched: true, ..next }.packed(), Ordering::Relaxed);
        }
    }

    /// Puts `stored` on the watch, if there is room. False if somebody else is at it.
    fn begin(&self, asked: &Asked, stored: &Stored, head: &StoredResponse) -> bool {
        let fields = &asked.request.headers;
        // One user's credentials must not be used behind their back.
        if has_credentials(fields) || fields.contains_key(header::COOKIE) {
            return false;
        }
        let Some(mut watch) = self.watch.try_lock() else { return false };
        let sequence = stored.record().sequence;
        let of_route = watch.iter().filter(|other| Arc::ptr_eq(&other.asked.route, &asked.route)).count();
        let there = watch.iter().any(|other| other.sequence == sequence);
        if !there && of_route < asked.route.refresh.watched && !self.stopped.load(Ordering::Relaxed) {
            let mut asked = asked.clone();
            asked.plan.force = None;
            let lead = head.cost.saturating_mul(2).saturating_add(LEAD).min(head.lifetime / 2);
            watch.push(Watched { asked, sequence, due: head.fresh_until() - lead });
            self.wake.notify_one();
        }
        true
    }

    fn due(&self, now: Timestamp) -> Vec<Watched> {
        let mut watch = self.watch.lock();
        let (due, later) = watch.drain(..).partition(|watched| watched.due <= now);
        *watch = later;
        due
    }
}

impl Drop for Hot {
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

/// Which counter a record has, and its tag there.
fn place(sequence: u64) -> (usize, u32) {
    let mixed = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 52) as usize % COUNTERS, mixed as u32)
}

/// A counter: whose hits it counts, how many there were, and whether that one is watched already. Hits on others wear the count
/// down, and take the counter over at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    tag: u32,
    hits: u32,
    watched: bool,
    /// It counts for the one that was asked for.
    own: bool,
}

impl Count {
    /// `packed` as it stands to the response with this tag.
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

impl Proxy {
    /// Counts a hit, and says whether it leads to a refresh now.
    pub(crate) fn refreshes(&self, asked: &Asked, found: &Found, stored: &Stored, now: Timestamp) -> bool {
        let (refresh, head) = (asked.route.refresh, stored.head());
        if refresh.watched > 0 {
            self.hot.hit(asked, stored, head);
        }
        if refresh.early == 0.0 {
            return false;
        }
        let remaining = head.lifetime.saturating_sub(head.current_age(now));
        early::is_near(remaining, head.cost, refresh.early)
            && early::is_due(remaining, head.cost, refresh.early, random())
            // It failed just now: not again for each hit until the end.
            && !matches!(self.marks.of(&found.key, now), Some(Mark::Failed { just_now: true, .. }))
    }

    /// Fetches what is watched when it is due, in a task that ends with the proxy.
    pub(crate) fn refresh_ahead(self: &Arc<Self>) {
        let (proxy, wake) = (Arc::downgrade(self), Arc::clone(&self.hot.wake));
        if tokio::runtime::Handle::try_current().is_ok() {
            let gone = Weak::clone(&proxy);
            tasks::vital("refresh-ahead", move || gone.strong_count() == 0, watch(proxy, wake));
        }
    }

    async fn fetch_ahead(self: &Arc<Self>, watched: Watched) {
        let Watched { asked, sequence, .. } = watched;
        let found = self.look_up(&asked.primary, &asked.request).await;
        let Some((stored, _)) = &found.stored else { return };
        let fresh = asked.plan.decide(stored.head(), &asked.directives, self.clock.now()) == Reuse::Fresh;
        // Purged, replaced, or too late: then it is no longer ours to renew.
        if stored.record().sequence == sequence
            && fresh
            && asked.leave.may_ask(self.clock.now()).is_ok()
            && let Some(flight) = self.validate_behind(asked, &found)
        {
            self.counters.add(counters::Count::EarlyRefreshes);
            flight.landing().await;
        }
    }
}

async fn watch(proxy: Weak<Proxy>, wake: Arc<Notify>) {
    loop {
        let Some(strong) = proxy.upgrade() else { return };
        let due = strong.hot.due(strong.clock.now());
        let fetch = |watched| tasks::caught(strong.fetch_ahead(watched)).map(drop);
        stream::iter(due).for_each_concurrent(AT_ONCE, fetch).await;
        let idle = strong.hot.watch.lock().is_empty();
        drop(strong);
        if idle {
            wake.notified().await;
        } else {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// A random number above 0 and at most 1.
fn random() -> f64 {
    1.0 - fastrand::f64()
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

    #[test]
    fn random_numbers_differ_and_stay_in_range() {
        let numbers: Vec<f64> = (0..1000).map(|_| random()).collect();
        assert!(numbers.iter().all(|&number| number > 0.0 && number <= 1.0));
        let mean = numbers.iter().sum::<f64>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.1, "{mean}");
    }
}
