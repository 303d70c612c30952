//! Fetches that no client waits for: early refreshes, prefetches, and refreshes after a soft purge.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt, stream};
use http_body::Body as _;
use tokio::sync::Notify;

use super::Fetcher;
use super::flight::{Flight, Joined};
use super::outcome::FetchOutcome;
use super::prefetch::Watched;
use super::task::Fetch;
use crate::policy::directives::RequestDirectives;
use crate::policy::reuse::Reuse;
use crate::policy::rules::early;
use crate::proxy::cache::negative::Negative;
use crate::proxy::cache::stored::Stored;
use crate::proxy::request::CacheRequest;
use crate::store::CacheKey;
use crate::tasks;
use crate::telemetry::counters::Count;

/// How often watched responses are looked at, while there are some.
const TICK: Duration = Duration::from_millis(250);
/// Prefetches at once.
const MAX_PREFETCHES: usize = 2;

impl Fetcher {
    /// Counts a hit on `stored` under `key` for prefetching. Returns whether this hit triggers an
    /// early refresh.
    pub(crate) fn count_hit(&self, request: &CacheRequest, key: &CacheKey, stored: &Stored) -> bool {
        let (refresh, head) = (request.route.refresh, stored.head());
        if refresh.watched > 0 {
            self.prefetch.hit(request, stored);
        }
        if refresh.early == 0.0 {
            return false;
        }
        let now = self.clock.now();
        let remaining = head.lifetime.saturating_sub(head.current_age(now));
        early::is_near(remaining, head.cost, refresh.early)
            && early::is_due(remaining, head.cost, refresh.early, random())
            // An origin that failed just now is not asked again for each hit until the end of the
            // lifetime.
            && !self.cache.negative.get(key, now).is_some_and(Negative::failed_just_now)
    }

    /// Starts the task that prefetches, if a route wants that. It ends with the fetcher.
    pub(crate) fn start_prefetching(self: &Arc<Self>) {
        if self.config.prefetches() && tokio::runtime::Handle::try_current().is_ok() {
            let (fetcher, wake) = (Arc::downgrade(self), self.prefetch.wake());
            let gone = Weak::clone(&fetcher);
            tasks::vital("refresh-ahead", move || gone.strong_count() == 0, prefetch(fetcher, wake));
        }
    }

    async fn fetch_ahead(self: &Arc<Self>, watched: Watched) {
        let Watched { request, sequence, .. } = watched;
        let found = self.cache.look_up(&request.primary, &request.head).await;
        let Some((stored, _)) = &found.stored else { return };
        let now = self.clock.now();
        let fresh = request.plan.decide(stored.head(), &request.directives, now) == Reuse::Fresh;
        // A response that was purged, replaced or has gone stale is left to the next request.
        if stored.record().sequence == sequence
            && fresh
            && request.leave.may_ask(now).is_ok()
            && let Some(flight) = self.validate_behind(&request, &found)
        {
            self.counters.add(Count::EarlyRefreshes);
            flight.outcome().await;
        }
    }

    /// Fetches the response for `request`, unless a fresh one is stored, and waits until it is
    /// stored or is not. Returns whether the stored response is then fresh.
    pub(crate) async fn refresh(self: &Arc<Self>, request: &CacheRequest) -> bool {
        let found = self.cache.look_up(&request.primary, &request.head).await;
        let no_directives = RequestDirectives::default();
        if let Some((stored, _)) = &found.stored
            && request.plan.decide(stored.head(), &no_directives, self.clock.now()) == Reuse::Fresh
        {
            return true;
        }
        match self.join(request, &found) {
            Joined::Landed(_) => true,
            Joined::Follower(flight) => is_stored(&flight).await,
            Joined::Leader(flight) => {
                self.launch(Fetch::new(request, &found, &flight, None), None);
                is_stored(&flight).await
            }
        }
    }
}

async fn prefetch(fetcher: Weak<Fetcher>, wake: Arc<Notify>) {
    loop {
        let Some(strong) = fetcher.upgrade() else { return };
        let due = strong.prefetch.due(strong.clock.now());
        let fetch = |watched| tasks::caught(strong.fetch_ahead(watched)).map(drop);
        stream::iter(due).for_each_concurrent(MAX_PREFETCHES, fetch).await;
        let idle = strong.prefetch.is_idle();
        drop(strong);
        if idle {
            wake.notified().await;
        } else {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Whether the response of a fetch is stored. Waits for the whole body.
async fn is_stored(flight: &Flight) -> bool {
    match flight.outcome().await {
        FetchOutcome::Stored(..) => true,
        FetchOutcome::Arriving(arriving) => {
            let Some(mut reader) = arriving.body.reader() else { return false };
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut reader).poll_frame(cx)).await {
                if frame.is_err() {
                    return false;
                }
            }
            true
        }
        FetchOutcome::Covered(..) | FetchOutcome::Failed(_) | FetchOutcome::NotShared => false,
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
    fn random_numbers_differ_and_stay_in_range() {
        let numbers: Vec<f64> = (0..1000).map(|_| random()).collect();
        assert!(numbers.iter().all(|&number| number > 0.0 && number <= 1.0));
        let mean = numbers.iter().sum::<f64>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.1, "{mean}");
    }
}
