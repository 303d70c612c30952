//! Who fetches: one for all who ask for the same at a time, the others wait for what comes of it.

use std::sync::Arc;

use http::request::Parts;
use http::{Method, Response, header};
use tokio::sync::oneshot;

use crate::message::body::Body;
use crate::message::cache_status::{CacheStatus, Forward};
use crate::message::class::{Class, Standing};
use crate::message::outcome::Tier;
use crate::policy::reuse::Reuse;
use crate::proxy::Asked;
use crate::proxy::Proxy;
use crate::proxy::Step;
use crate::proxy::cache::lookup::{Found, Stored};
use crate::proxy::cache::negative::Mark;
use crate::proxy::fetch::flight::{Flight, Landing, Part};
use crate::proxy::fetch::outcome;
use crate::proxy::fetch::run::Fetch;
use crate::proxy::refusal::Refusal;
use crate::store::{CacheKey, Handle};
use crate::telemetry::counters::Count;

impl Proxy {
    /// Fetches, together with all who ask for the same at this time.
    pub(crate) async fn fetch(
        self: &Arc<Self>,
        asked: Asked,
        found: Found,
        why: Forward,
    ) -> Result<Response<Body>, Refusal> {
        // A HEAD is worth a whole capture only where the picture is likely to be asked for next.
        if asked.request.method == Method::HEAD && !asked.route.capture {
            return self.pass_covered(asked, &found, Body::Empty, why).await;
        }
        let (mut found, mut further) = (found, true);
        // More than once, as it may turn out only then which variant is waited for, or that it was purged by its tag.
        for _ in 0..3 {
            let passes = self.marks.of(&found.key, self.clock.now()) == Some(Mark::Pass);
            if passes || asked.directives.no_store || asked.plan.refused.is_some() {
                break;
            }
            match self.join(&asked, &found) {
                Part::Landed(stored) => {
                    found.stored = Some((stored, Tier::Memory));
                    if let Step::Answer(stored, outcome) | Step::AnswerAndValidate(stored, outcome) =
                        self.decide(&asked, &found)
                    {
                        let status = CacheStatus::without_forward(outcome);
                        return Ok(self.answer_from(&asked, stored, status));
                    }
                    break;
                }
                Part::Leader(flight) => return self.lead(asked, found, flight, why).await,
                Part::Follower(flight) => match self.follow(&asked, &flight, why, further).await {
                    // The first follower that comes here leads one further fetch for all of them.
                    Followed::Stalled => further = false,
                    Followed::Answer(response) => return Ok(response),
                    Followed::Variant(key) if key != found.key => found.key = key,
                    Followed::Purged => {}
                    Followed::Variant(_) | Followed::Nothing => break,
                },
            }
        }
        let flight = self.begin(&asked);
        self.lead(asked, found, flight, why).await
    }

    /// Joins the fetch under way for what `found` has not, or enters a new one.
    pub(crate) fn join(&self, asked: &Asked, found: &Found) -> Part {
        self.flights.join(
            &found.key,
            |flight| flight.is_stalled() || self.is_outdated(&flight.handles, flight.sequence),
            || self.landed_since(asked, found),
            || self.begin(asked),
        )
    }

    /// What was stored since `found`, if it answers the request.
    fn landed_since(&self, asked: &Asked, found: &Found) -> Option<Stored> {
        let record = self.store.get_memory(found.key.as_bytes())?;
        let known = found.stored.as_ref().map(|(stored, _)| stored.record().sequence);
        if known.is_some_and(|known| record.sequence <= known) {
            return None;
        }
        let stored = self.stored(record)?;
        let decision = asked.plan.decide(stored.head(), &asked.directives, self.clock.now());
        (decision == Reuse::Fresh).then_some(stored)
    }

    /// Whether a purge, hard or soft, came after `sequence`.
    fn is_outdated(&self, handles: &[Handle], sequence: u64) -> bool {
        self.store.is_purged(handles, sequence) || self.store.is_softened(handles, sequence)
    }

    /// Whether what `flight` brought was purged meanwhile by what only the response tells, such as a tag.
    fn is_outdated_landing(&self, landing: &Landing, flight: &Flight) -> bool {
        match landing {
            Landing::Stored(stored, _) => {
                let record = stored.record();
                self.is_outdated(&record.handles, record.sequence)
            }
            Landing::Arriving(arriving) => self.is_outdated(&arriving.handles, flight.sequence),
            Landing::Covered(..) | Landing::Failed(_) | Landing::NotShared => false,
        }
    }

    async fn lead(
        self: &Arc<Self>,
        asked: Asked,
        found: Found,
        flight: Arc<Flight>,
        why: Forward,
    ) -> Result<Response<Body>, Refusal> {
        let (leader, share) = oneshot::channel();
        self.launch(Fetch {
            flight: Arc::clone(&flight),
            route: Arc::clone(&asked.route),
            primary: asked.primary.clone(),
            key: found.key,
            stored: found.stored.map(|(stored, _)| stored),
            others: found.variants,
            terms: asked.route.terms_for(asked.plan),
            anew: asked.plan.force.is_some(),
            leader: Some(leader),
        });
        let landing = flight.landing().await;
        Ok(self.led(&asked, landing, share, why).await)
    }

    /// Waits for another request's fetch. `further` says whether the request may wait for another one if this one stalls.
    async fn follow(
        self: &Arc<Self>,
        asked: &Asked,
        flight: &Arc<Flight>,
        why: Forward,
        further: bool,
    ) -> Followed {
        Standing::of(&flight.request.extensions).raise(class_of(&asked.request));
        let landing = tokio::time::timeout(self.config.collapse_timeout, flight.landing()).await;
        let Ok(landing) = landing else {
            flight.set_stalled();
            return if further { Followed::Stalled } else { Followed::Nothing };
        };
        if self.is_outdated_landing(&landing, flight) {
            return Followed::Purged;
        }
        if let Some(key) = outcome::other_variant(&landing, asked, &flight.request) {
            return Followed::Variant(key);
        }
        match self.followed(asked, landing, why) {
            Some(response) => {
                self.counters.add(Count::Collapsed);
                Followed::Answer(response)
            }
            None => Followed::Nothing,
        }
    }

    /// Validates behind the client's back, unless that is under way or could not be stored. Gives the flight that it began.
    pub(crate) fn validate_behind(self: &Arc<Self>, mut asked: Asked, found: &Found) -> Option<Arc<Flight>> {
        asked.request.extensions.insert(Class::Refresh);
        if asked.directives.no_store {
            return None;
        }
        if let Part::Leader(flight) = self.join(&asked, found) {
            self.launch(Fetch {
                flight: Arc::clone(&flight),
                terms: asked.route.terms_for(asked.plan),
                anew: false,
                route: asked.route,
                primary: asked.primary,
                key: found.key.clone(),
                stored: found.stored.as_ref().map(|(stored, _)| stored.clone()),
                others: Vec::new(),
                leader: None,
            });
            return Some(flight);
        }
        None
    }

    fn begin(&self, asked: &Asked) -> Arc<Flight> {
        let handles =
            asked.route.handles(asked.primary.as_bytes(), &asked.request.uri, asked.wishes.page.as_ref());
        let mut request = asked.request.clone();
        request.extensions.insert(Standing::new(class_of(&request)));
        Flight::new(request, asked.peer, self.store.next_sequence(), handles)
    }
}

/// For whom `request` is; who asks whether something changed can wait a little longer than who looks for the first time.
fn class_of(request: &Parts) -> Class {
    let conditional = || {
        let fields = &request.headers;
        fields.contains_key(header::IF_NONE_MATCH) || fields.contains_key(header::IF_MODIFIED_SINCE)
    };
    match Class::of(&request.extensions) {
        Class::Viewer if conditional() => Class::Monitor,
        class => class,
    }
}

/// What comes of waiting for another request's fetch.
enum Followed {
    /// It answers this request too.
    Answer(Response<Body>),
    /// It brought another variant: this request selects the one under this key.
    Variant(CacheKey),
    /// It was purged while it came.
    Purged,
    /// It is too long in coming: the next request to join leads one further fetch.
    Stalled,
    /// It is not for this request, or was too long in coming.
    Nothing,
}
