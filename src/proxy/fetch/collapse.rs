//! Collapsed requests: one request for a key leads the fetch, all others wait for its outcome.

use std::sync::Arc;

use http::{HeaderMap, Method};
use tokio::sync::oneshot;

use super::Fetcher;
use super::flight::{Flight, Joined};
use super::origin::Answer;
use super::outcome::{Delivery, FetchOutcome, Fetched, LeaderShare, other_variant};
use super::task::Fetch;
use crate::message::body::Body;
use crate::message::class::{Class, Standing};
use crate::policy::reuse::Reuse;
use crate::proxy::cache::negative::Negative;
use crate::proxy::cache::stored::{Found, Stored};
use crate::proxy::refusal::Refusal;
use crate::proxy::request::CacheRequest;
use crate::store::CacheKey;
use crate::telemetry::counters::Count;

/// How often a request joins a fetch before it makes one of its own. It joins again if the fetch
/// brought another variant, or a response that a purge of its tag covers.
const MAX_JOINS: usize = 3;

/// What comes of waiting for another request's fetch.
enum Followed {
    /// The outcome answers this request too.
    Answer(Delivery),
    /// The fetch brought another variant. This request selects the one under this key.
    Variant(CacheKey),
    /// A purge covered the response while it came.
    Purged,
    /// The fetch takes too long: the next request to join leads one further fetch.
    Stalled,
    /// The outcome is not for this request, or took too long.
    Nothing,
}

impl Fetcher {
    /// Fetches the response for `request`, together with the other requests for the same key.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        request: &CacheRequest,
        found: &Found,
    ) -> Result<Fetched, Refusal> {
        // A HEAD is worth a whole capture only where the picture is likely to be requested next.
        if request.head.method == Method::HEAD && !request.route.capture {
            return self.bypass_covered(request, found, Body::Empty).await;
        }
        let (mut found, mut may_stall) = (found.clone(), true);
        for _ in 0..MAX_JOINS {
            let negative = self.cache.negative.get(&found.key, self.clock.now());
            if negative == Some(Negative::Uncacheable)
                || request.directives.no_store
                || request.plan.refused.is_some()
            {
                break;
            }
            match self.join(request, &found) {
                Joined::Landed(stored) => {
                    self.count_hit(request, &found.key, &stored);
                    return Ok(Fetched::shared(Delivery::Landed(stored), false));
                }
                Joined::Leader(flight) => return Ok(self.lead(request, &found, flight).await),
                Joined::Follower(flight) => match self.follow(request, &flight, may_stall).await {
                    // The first follower that gets here leads one further fetch for all of them.
                    Followed::Stalled => may_stall = false,
                    Followed::Answer(delivery) => return Ok(Fetched::shared(delivery, true)),
                    Followed::Variant(key) if key != found.key => found.key = key,
                    Followed::Purged => {}
                    Followed::Variant(_) | Followed::Nothing => break,
                },
            }
        }
        let flight = self.begin(request, request.class());
        Ok(self.lead(request, &found, flight).await)
    }

    /// Joins the fetch under way for the key in `found`, or enters a new one.
    pub(super) fn join(&self, request: &CacheRequest, found: &Found) -> Joined {
        self.join_as(request, found, request.class())
    }

    fn join_as(&self, request: &CacheRequest, found: &Found, class: Class) -> Joined {
        self.flights.join(
            &found.key,
            |flight| flight.is_stalled() || self.cache.is_outdated(&flight.handles, flight.sequence),
            || self.landed_since(request, found),
            || self.begin(request, class),
        )
    }

    /// The response that was stored since the look-up that gave `found`, if it answers the request.
    fn landed_since(&self, request: &CacheRequest, found: &Found) -> Option<Stored> {
        let record = self.cache.store().get_memory(found.key.as_bytes())?;
        let known = found.stored.as_ref().map(|(stored, _)| stored.record().sequence);
        if known.is_some_and(|known| record.sequence <= known) {
            return None;
        }
        let stored = self.cache.stored(record)?;
        let decision = request.plan.decide(stored.head(), &request.directives, self.clock.now());
        (decision == Reuse::Fresh).then_some(stored)
    }

    async fn lead(self: &Arc<Self>, request: &CacheRequest, found: &Found, flight: Arc<Flight>) -> Fetched {
        self.lead_with(request, found, flight, None).await
    }

    /// Leads the fetch of `flight`, to which the origin may have given its `answer` already.
    pub(super) async fn lead_with(
        self: &Arc<Self>,
        request: &CacheRequest,
        found: &Found,
        flight: Arc<Flight>,
        answer: Option<Answer>,
    ) -> Fetched {
        let (leader, mut share) = oneshot::channel();
        self.launch(Fetch::new(request, found, &flight, Some(leader)), answer);
        let outcome = flight.outcome().await;
        if !matches!(outcome, FetchOutcome::Arriving(_) | FetchOutcome::NotShared) {
            let delivery = Delivery::of(outcome).unwrap_or_else(Delivery::lost);
            let withheld = match share.try_recv() {
                Ok(LeaderShare::Withheld(fields)) => fields,
                _ => HeaderMap::new(),
            };
            return Fetched { delivery, collapsed: false, withheld };
        }
        let (delivery, withheld) = match (share.await, outcome) {
            (Ok(LeaderShare::Reader(reader, fields)), FetchOutcome::Arriving(arriving)) => {
                (Delivery::Arriving(arriving, reader), fields)
            }
            (Ok(LeaderShare::Whole(response, reason)), _) => {
                (Delivery::NotStored(response, reason), HeaderMap::new())
            }
            (Ok(LeaderShare::Confirmed(response)), _) => {
                (Delivery::Confirmed { response, stored: false }, HeaderMap::new())
            }
            _ => (Delivery::lost(), HeaderMap::new()),
        };
        Fetched { delivery, collapsed: false, withheld }
    }

    /// Waits for another request's fetch. `may_stall` says whether the request may wait for another
    /// one if this one stalls.
    async fn follow(&self, request: &CacheRequest, flight: &Arc<Flight>, may_stall: bool) -> Followed {
        Standing::of(&flight.request.extensions).raise(request.class());
        let outcome = tokio::time::timeout(self.config.collapse_timeout, flight.outcome()).await;
        let Ok(outcome) = outcome else {
            flight.set_stalled();
            return if may_stall { Followed::Stalled } else { Followed::Nothing };
        };
        if self.is_outdated(&outcome, flight) {
            return Followed::Purged;
        }
        if let Some(key) = other_variant(&outcome, request, &flight.request) {
            return Followed::Variant(key);
        }
        match Delivery::of(outcome) {
            Some(delivery) => {
                self.counters.add(Count::Collapsed);
                Followed::Answer(delivery)
            }
            None => Followed::Nothing,
        }
    }

    /// Whether the response was purged meanwhile by a handle that only the response determines,
    /// such as a tag.
    fn is_outdated(&self, outcome: &FetchOutcome, flight: &Flight) -> bool {
        match outcome {
            FetchOutcome::Stored(stored, _) => {
                let record = stored.record();
                self.cache.is_outdated(&record.handles, record.sequence)
            }
            FetchOutcome::Arriving(arriving) => self.cache.is_outdated(&arriving.handles, flight.sequence),
            FetchOutcome::Covered(..) | FetchOutcome::Failed(_) | FetchOutcome::NotShared => false,
        }
    }

    /// Validates the stored response in the background, unless that is under way. Returns the
    /// flight that it began.
    pub(crate) fn validate_behind(
        self: &Arc<Self>,
        request: &CacheRequest,
        found: &Found,
    ) -> Option<Arc<Flight>> {
        if request.directives.no_store {
            return None;
        }
        let Joined::Leader(flight) = self.join_as(request, found, Class::Refresh) else { return None };
        self.launch(Fetch::new(request, found, &flight, None), None);
        Some(flight)
    }

    fn begin(&self, request: &CacheRequest, class: Class) -> Arc<Flight> {
        let mut head = request.head.clone();
        if class == Class::Refresh {
            head.extensions.insert(class);
        }
        head.extensions.insert(Standing::new(class));
        Flight::new(head, request.peer, self.cache.store().next_sequence(), request.handles())
    }
}

impl Fetched {
    pub(super) fn shared(delivery: Delivery, collapsed: bool) -> Self {
        Fetched { delivery, collapsed, withheld: HeaderMap::new() }
    }
}
