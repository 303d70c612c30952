//! Collapsed requests: one fetch for any number of concurrent requests for one key (RFC 9111
//! section 4).
//!
//! A fetch runs in a task of its own, so that it survives the client that began it. The requests
//! wait for its [`FetchOutcome`].

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use http::request::Parts;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::outcome::FetchOutcome;
use crate::proxy::cache::stored::Stored;
use crate::store::{CacheKey, Handle};

/// One fetch, as the requests see it that wait for it.
pub(crate) struct Flight {
    /// The leader's request head: what decides whether a follower selects the same variant.
    pub(crate) request: Parts,
    /// Sequence number at the start of the fetch.
    pub(crate) sequence: u64,
    /// The handles by which a purge finds what the fetch brings.
    pub(crate) handles: Vec<Handle>,
    /// The leader's address.
    pub(crate) peer: IpAddr,
    outcome: watch::Sender<Option<FetchOutcome>>,
    stalled: AtomicBool,
    has_followers: AtomicBool,
}

impl Flight {
    /// A fetch that is about to start.
    pub(crate) fn new(request: Parts, peer: IpAddr, sequence: u64, handles: Vec<Handle>) -> Arc<Self> {
        let (outcome, _) = watch::channel(None);
        Arc::new(Flight {
            request,
            sequence,
            handles,
            peer,
            outcome,
            stalled: AtomicBool::new(false),
            has_followers: AtomicBool::new(false),
        })
    }

    /// Notes that a follower waited too long: the next request to join begins another fetch.
    pub(crate) fn set_stalled(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    /// Whether a follower waited too long.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Publishes the outcome to all requests that wait. The first outcome counts.
    pub(crate) fn publish(&self, outcome: FetchOutcome) {
        self.outcome.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(outcome);
            }
            first
        });
    }

    /// Waits for the outcome.
    pub(crate) async fn outcome(&self) -> FetchOutcome {
        let mut outcome = self.outcome.subscribe();
        match outcome.wait_for(Option::is_some).await {
            Ok(known) => known.clone().unwrap_or(FetchOutcome::NotShared),
            Err(_) => FetchOutcome::NotShared,
        }
    }
}

/// The fetches under way, by key; and all of them, those that nobody can join among them.
#[derive(Default)]
pub(crate) struct Flights {
    by_key: Mutex<HashMap<CacheKey, Arc<Flight>>>,
    all: Mutex<Vec<Weak<Flight>>>,
}

/// Whether a request leads a fetch or waits for it.
pub(crate) enum Joined {
    /// No fetch was under way: the request has to make it.
    Leader(Arc<Flight>),
    /// A fetch is under way.
    Follower(Arc<Flight>),
    /// A fetch has ended since the request looked into the store, and stored this.
    Landed(Stored),
}

impl Flights {
    /// Joins the fetch for `key`, unless `is_void` says that it is no longer worth joining.
    /// Otherwise enters the one that `begin` makes, unless `landed` has what it would bring.
    pub(crate) fn join(
        &self,
        key: &CacheKey,
        is_void: impl FnOnce(&Flight) -> bool,
        landed: impl FnOnce() -> Option<Stored>,
        begin: impl FnOnce() -> Arc<Flight>,
    ) -> Joined {
        let mut flights = self.by_key.lock();
        if let Some(known) = flights.get(key)
            && !is_void(known)
        {
            known.has_followers.store(true, Ordering::Relaxed);
            return Joined::Follower(Arc::clone(known));
        }
        // A fetch leaves the map after its response is stored, so that `landed` sees it for
        // certain.
        if let Some(stored) = landed() {
            return Joined::Landed(stored);
        }
        let flight = begin();
        flights.insert(key.clone(), Arc::clone(&flight));
        Joined::Leader(flight)
    }

    /// Removes `flight`, unless another one has taken its place.
    pub(crate) fn leave(&self, key: &CacheKey, flight: &Arc<Flight>) {
        let mut flights = self.by_key.lock();
        if flights.get(key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            flights.remove(key);
        }
    }

    /// Removes `flight` unless a follower has joined it. Returns whether it had no follower.
    pub(crate) fn leave_without_followers(&self, key: &CacheKey, flight: &Arc<Flight>) -> bool {
        let mut flights = self.by_key.lock();
        if flight.has_followers.load(Ordering::Relaxed) {
            return false;
        }
        if flights.get(key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            flights.remove(key);
        }
        true
    }

    /// Whether a fetch for `key` is under way that can be joined.
    pub(crate) fn is_under_way(&self, key: &CacheKey) -> bool {
        self.by_key.lock().contains_key(key)
    }

    /// Makes `flight` known to [`any`](Self::any) for as long as it lasts.
    pub(crate) fn watch(&self, flight: &Arc<Flight>) {
        let mut all = self.all.lock();
        if all.len() == all.capacity() {
            all.retain(|known| known.strong_count() > 0);
        }
        all.push(Arc::downgrade(flight));
    }

    /// Whether a fetch under way is as `matches` says.
    pub(crate) fn any(&self, matches: impl Fn(&Flight) -> bool) -> bool {
        self.by_key.lock().values().any(|flight| matches(flight))
            || self.all.lock().iter().filter_map(Weak::upgrade).any(|flight| matches(&flight))
    }
}
