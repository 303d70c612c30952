//! Collapsed requests: one fetch for any number of concurrent requests for one key (RFC 9111 section 4).
//!
//! A fetch runs in a task of its own, so that it survives the client that began it. The clients wait for its
//! *landing*: what came of it, known when the response head has been decided on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use http::StatusCode;
use http::request::Parts;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::message::outcome::StaleReason;
use crate::origin::OriginError;
use crate::policy::stored::StoredResponse;
use crate::proxy::cache::lookup::Stored;
use crate::proxy::fetch::shared_body::SharedBody;
use crate::store::{CacheKey, Handle};

/// What came of a fetch, for all who wait.
#[derive(Clone)]
pub(crate) enum Landing {
    /// It is in the store, whole.
    Stored(Stored, Arrival),
    /// It is arriving and will be stored if it ends whole.
    Arriving(Arc<Arriving>),
    /// It failed, and a stale response covers that.
    Covered(Stored, Cause),
    /// It failed.
    Failed(OriginError),
    /// It is for the leader alone; the others go on their own.
    NotShared,
}

/// How a response came into the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// As a new response.
    Fetched,
    /// As a stored response that the origin confirmed.
    Validated,
}

/// What went wrong at the origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No answer came.
    NoAnswer(OriginError),
    /// It answered with an error status.
    Status(StatusCode),
    /// It answered with a picture of a page that was not loaded, and a complete one is stored.
    Incomplete,
}

impl Cause {
    /// Whether the origin answered at all.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(self, Cause::Status(_) | Cause::Incomplete)
    }

    /// Why a stale response is served.
    pub(crate) fn stale_reason(&self) -> StaleReason {
        match self {
            Cause::Status(_) => StaleReason::IfError,
            Cause::Incomplete => StaleReason::Incomplete,
            Cause::NoAnswer(error) => StaleReason::OriginFailed(error.failure()),
        }
    }
}

/// A response on its way in.
pub(crate) struct Arriving {
    /// Its head as it will be stored.
    pub(crate) head: StoredResponse,
    /// Its body.
    pub(crate) body: Arc<SharedBody>,
    /// What a purge of it names.
    pub(crate) handles: Vec<Handle>,
}

/// One fetch and those who wait for it.
pub(crate) struct Flight {
    /// The leader's request head: what decides whether a follower selects the same variant.
    pub(crate) request: Parts,
    /// Sequence number at its start.
    pub(crate) sequence: u64,
    /// What a purge of it would name.
    pub(crate) handles: Vec<Handle>,
    /// The leader's address.
    pub(crate) peer: IpAddr,
    landing: watch::Sender<Option<Landing>>,
    stalled: AtomicBool,
    has_followers: AtomicBool,
}

impl Flight {
    /// A flight that is about to start.
    pub(crate) fn new(request: Parts, peer: IpAddr, sequence: u64, handles: Vec<Handle>) -> Arc<Self> {
        let (landing, _) = watch::channel(None);
        Arc::new(Flight {
            request,
            sequence,
            handles,
            peer,
            landing,
            stalled: AtomicBool::new(false),
            has_followers: AtomicBool::new(false),
        })
    }

    /// Notes that a follower waited for the landing for too long: the next one to join begins another fetch.
    pub(crate) fn set_stalled(&self) {
        self.stalled.store(true, Ordering::Relaxed);
    }

    /// Whether a follower waited for the landing for too long.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Tells all who wait. The first landing counts.
    pub(crate) fn land(&self, landing: Landing) {
        self.landing.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(landing);
            }
            first
        });
    }

    /// Waits for the landing.
    pub(crate) async fn landing(&self) -> Landing {
        let mut landing = self.landing.subscribe();
        match landing.wait_for(Option::is_some).await {
            Ok(known) => known.clone().unwrap_or(Landing::NotShared),
            Err(_) => Landing::NotShared,
        }
    }
}

/// The fetches under way, by key; and all of them, those that nobody can join among them.
#[derive(Default)]
pub(crate) struct Flights {
    by_key: Mutex<HashMap<CacheKey, Arc<Flight>>>,
    all: Mutex<Vec<Weak<Flight>>>,
}

/// One's part in a flight.
pub(crate) enum Part {
    /// It was not there: one has to fly it, and is entered as its leader.
    Leader(Arc<Flight>),
    /// It is under way.
    Follower(Arc<Flight>),
    /// It has landed since one looked into the store: this is what it brought.
    Landed(Stored),
}

impl Flights {
    /// Joins the flight for `key` unless `is_void` says that it is no longer worth joining; else enters the one that `begin` gives,
    /// unless `landed` has what it would bring.
    pub(crate) fn join(
        &self,
        key: &CacheKey,
        is_void: impl FnOnce(&Flight) -> bool,
        landed: impl FnOnce() -> Option<Stored>,
        begin: impl FnOnce() -> Arc<Flight>,
    ) -> Part {
        let mut flights = self.by_key.lock();
        if let Some(known) = flights.get(key)
            && !is_void(known)
        {
            known.has_followers.store(true, Ordering::Relaxed);
            return Part::Follower(Arc::clone(known));
        }
        // Flights leave once what they brought is stored, so that here it is seen for certain.
        if let Some(stored) = landed() {
            return Part::Landed(stored);
        }
        let flight = begin();
        flights.insert(key.clone(), Arc::clone(&flight));
        Part::Leader(flight)
    }

    /// Takes `flight` out, unless another one has taken its place.
    pub(crate) fn leave(&self, key: &CacheKey, flight: &Arc<Flight>) {
        let mut flights = self.by_key.lock();
        if flights.get(key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            flights.remove(key);
        }
    }

    /// Takes `flight` out unless a follower has joined it. Returns whether it had no follower.
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
