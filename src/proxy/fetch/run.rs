//! One fetch: ask the origin, decide on its head, take the body in, land.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode, header};
use tokio::sync::oneshot;

use crate::clock::{Stopwatch, Timestamp};
use crate::message::body::Body;
use crate::message::capture::is_incomplete;
use crate::message::class::Standing;
use crate::message::problem::Problem;
use crate::origin::OriginError;
use crate::policy::admission::{self, NotStored, RequestFacts, Terms};
use crate::policy::stored::Variant;
use crate::policy::{reuse, validation};
use crate::proxy::Proxy;
use crate::proxy::cache::decline_log::Reason;
use crate::proxy::cache::lookup::Stored;
use crate::proxy::cache::write::Place;
use crate::proxy::fetch::body::declared_length;
use crate::proxy::fetch::change_history::Lesson;
use crate::proxy::fetch::flight::{Arrival, Cause, Flight, Landing};
use crate::proxy::fetch::shared_body::Reader;
use crate::proxy::request::forward;
use crate::proxy::route::Route;
use crate::store::CacheKey;
use crate::tasks;
use crate::telemetry::counters::Count;

/// What a fetch has to do.
pub(crate) struct Fetch {
    pub(crate) flight: Arc<Flight>,
    pub(crate) route: Arc<Route>,
    pub(crate) primary: CacheKey,
    /// Key of the flight, and of its marks.
    pub(crate) key: CacheKey,
    /// What is stored already: validated, and a cover for errors.
    pub(crate) stored: Option<Stored>,
    /// Variants that are stored where the selected one is not: their tags are offered.
    pub(crate) others: Vec<Variant>,
    /// On what terms its answer is stored.
    pub(crate) terms: Terms,
    /// The whole is wanted, not whether what is stored still holds.
    pub(crate) anew: bool,
    /// The leader, if it is a client and not a validation in the background.
    pub(crate) leader: Option<oneshot::Sender<Share>>,
}

impl Fetch {
    /// Whether the response is an incomplete picture and the stored one is complete.
    fn would_replace_complete(&self, response: &HeaderMap) -> bool {
        let stored = self.stored.as_ref().map(Stored::head);
        is_incomplete(response) && stored.is_some_and(|stored| !is_incomplete(&stored.fields))
    }
}

/// What only the leader gets.
pub(crate) enum Share {
    /// An answer that is not for sharing, and why it is not stored.
    Whole(Response<Body>, NotStored),
    /// What was stored, confirmed by a 304 that may not be stored itself.
    Confirmed(Stored),
    /// Its way through the shared body, and the fields that are for it alone.
    Reader(Reader, HeaderMap),
    /// The fields that are for it alone, of what was stored.
    Withheld(HeaderMap),
}

/// An origin's answer with the times around it.
pub(crate) struct Answer {
    response: Response<Body>,
    sent: Timestamp,
    received: Timestamp,
    took: Stopwatch,
}

impl Answer {
    /// `response`, whose request was sent at `sent` and whose head came at `received`.
    pub(crate) fn new(response: Response<Body>, sent: Timestamp, received: Timestamp) -> Self {
        Answer { response, sent, received, took: Stopwatch::start() }
    }
}

impl Proxy {
    /// Flies `fetch` to its end in a task of its own.
    pub(crate) fn launch(self: &Arc<Self>, fetch: Fetch) {
        self.launch_with(fetch, None);
    }

    /// Flies `fetch`, to which the origin has given `answer` already, if it has.
    pub(crate) fn launch_with(self: &Arc<Self>, fetch: Fetch, answer: Option<Answer>) {
        self.under_way.send_modify(|fetches| *fetches += 1);
        let awaited = Standing::of(&fetch.flight.request.extensions).class().is_awaited();
        if awaited {
            self.awaited.send_modify(|fetches| *fetches += 1);
        }
        self.flights.watch(&fetch.flight);
        let proxy = Arc::clone(self);
        let (flight, key) = (Arc::clone(&fetch.flight), fetch.key.clone());
        let end = End { proxy: Arc::clone(self), flight, key, awaited, orderly: false };
        tasks::spawn("fetch", async move {
            proxy.fly(fetch, answer).await;
            end.in_order();
        });
    }

    async fn fly(self: &Arc<Self>, mut fetch: Fetch, answer: Option<Answer>) {
        if let Some(answer) = answer {
            return self.take_in(fetch, answer).await;
        }
        let conditions = match fetch.stored.as_ref().map(Stored::head) {
            _ if fetch.anew => Vec::new(),
            Some(head) => validation::conditions(head),
            None => validation::offer(&fetch.others),
        };
        let mut answer = self.ask(&fetch, &conditions).await;
        // Followers share an answer, not the accident of one connection.
        if let Err(error) = &answer
            && error.is_lost_connection()
            && !self.may_cover(&fetch)
            && !self.flights.leave_without_followers(&fetch.key, &fetch.flight)
        {
            tracing::info!(route = %fetch.route.name, %error, "fetching once more for the followers");
            answer = self.ask(&fetch, &conditions).await;
        }
        if let Ok(Answer { response, sent, received, .. }) = &answer
            && response.status() == StatusCode::NOT_MODIFIED
            && !conditions.is_empty()
        {
            let (said, sent, received) = (response.headers().clone(), *sent, *received);
            let offered = fetch.stored.is_none();
            if offered {
                fetch.stored = self.chosen(&fetch, &said).await;
            }
            if self.freshen(&mut fetch, &said, sent, received).await {
                return;
            }
            if offered {
                // It is another request's, and must not cover what comes of this one.
                fetch.stored = None;
            }
            // The 304 was about something else than what is stored: ask for the whole (RFC 9111 section 4.3.4).
            answer = self.ask(&fetch, &[]).await;
        }
        match answer {
            // What the client has is not what was asked about: to it this would say too much.
            Ok(Answer { response, .. }) if response.status() == StatusCode::NOT_MODIFIED => {
                self.failed(&fetch, OriginError::BadResponse("a 304 that nobody asked for".into()));
            }
            Ok(answer) => {
                let status = answer.response.status();
                // That we asked too often is an error to whoever asked for the first time.
                let is_error = reuse::is_error(status)
                    || (status == StatusCode::TOO_MANY_REQUESTS
                        && answer.response.headers().contains_key(header::RETRY_AFTER));
                if let Err(error) = fetch.route.judge_head(status, answer.response.headers()) {
                    return self.failed(&fetch, error);
                }
                let cause = if is_error {
                    Some(Cause::Status(status))
                } else {
                    fetch.would_replace_complete(answer.response.headers()).then_some(Cause::Incomplete)
                };
                if !cause.is_some_and(|cause| self.covered(&fetch, cause)) {
                    self.take_in(fetch, answer).await;
                }
            }
            Err(error) => self.failed(&fetch, error),
        }
    }

    async fn ask(
        &self,
        fetch: &Fetch,
        conditions: &[(http::HeaderName, http::HeaderValue)],
    ) -> Result<Answer, OriginError> {
        let flight = &fetch.flight;
        let request = forward::for_storing(&flight.request, flight.peer, &self.config.pseudonym, conditions);
        let (sent, took) = (self.clock.now(), Stopwatch::start());
        self.counters.add(Count::OriginRequests);
        let fetched = fetch.route.origin.fetch(request).await;
        self.counters.tally().fetched(&fetch.route.name, took.elapsed());
        let mut response = fetched?;
        let received = self.clock.now();
        forward::cleanse(&mut response, received);
        Ok(Answer { response, sent, received, took })
    }

    /// The stored variant that a 304 chose among those offered.
    async fn chosen(&self, fetch: &Fetch, said: &HeaderMap) -> Option<Stored> {
        let variant = validation::chosen(&fetch.others, said)?;
        let (record, _) = self.read(&CacheKey::new(variant.key.clone())).await?;
        self.stored(record)
    }

    /// Freshens what is stored by a 304. False if the 304 does not speak of it, or it was purged meanwhile.
    async fn freshen(
        &self,
        fetch: &mut Fetch,
        said: &HeaderMap,
        sent: Timestamp,
        received: Timestamp,
    ) -> bool {
        let kept = fetch.stored.as_ref().filter(|stored| !self.was_purged(stored));
        let Some((head, body)) = kept.map(|stored| (stored.head(), stored.body())) else {
            return false;
        };
        if !validation::confirms(head, said) {
            return false;
        }
        let request = &fetch.flight.request;
        let terms = &fetch.terms;
        let landing = match validation::freshen(head, said, &request.headers, sent, received, terms) {
            Ok(head) => {
                let withheld = admission::withheld(said, terms);
                let stored = self.keep_as_is(place(fetch), head, body.clone()).await;
                if !withheld.is_empty()
                    && let Some(leader) = fetch.leader.take()
                {
                    let _ = leader.send(Share::Withheld(withheld));
                }
                Landing::Stored(stored, Arrival::Validated)
            }
            Err(head) => {
                // Nobody finds it any more, unless it was the request that forbade to store it.
                let anybody = HeaderMap::new();
                if validation::freshen(&head, said, &anybody, sent, received, terms).is_err() {
                    self.forget(fetch);
                }
                let (sequence, handles) = (fetch.flight.sequence, fetch.flight.handles.clone());
                let confirmed = Stored::record_of(sequence, handles, Arc::default(), *head, body.clone());
                if let Some(leader) = fetch.leader.take() {
                    let _ = leader.send(Share::Confirmed(confirmed));
                }
                Landing::NotShared
            }
        };
        self.marks.clear(&fetch.key);
        self.land(fetch, landing);
        true
    }

    /// No answer came: a stored response covers it, or everybody is told.
    pub(crate) fn failed(&self, fetch: &Fetch, error: OriginError) {
        if !self.covered(fetch, Cause::NoAnswer(error.clone())) {
            tracing::warn!(route = %fetch.route.name, %error, "origin failed");
            self.land(fetch, Landing::Failed(error));
        }
    }

    /// Lands with what is stored if that may cover an origin error now (RFC 5861 section 4).
    fn covered(&self, fetch: &Fetch, cause: Cause) -> bool {
        self.counters.add(Count::OriginErrors);
        let at = self.clock.now();
        let reason = match &cause {
            Cause::Status(status) => Reason::status(*status, at),
            Cause::Incomplete => Reason::incomplete(at),
            Cause::NoAnswer(error) => Reason::failed(error, at),
        };
        self.counters.tally().origin_error(reason.name);
        self.unstored.note(&fetch.primary, reason);
        let Some(stored) = &fetch.stored else {
            return false;
        };
        let (now, answered) = (self.clock.now(), cause.is_answer());
        // Also where it covers nothing: who is served while it is validated need not ask again at once.
        self.marks.set_failed(&fetch.key, answered, now);
        if !self.covers_error(stored, answered, now) {
            return false;
        }
        tracing::warn!(route = %fetch.route.name, ?cause, "origin failed, a stored response covers it");
        self.land(fetch, Landing::Covered(stored.clone(), cause));
        true
    }

    /// Whether a stored response covers it if no answer comes now.
    fn may_cover(&self, fetch: &Fetch) -> bool {
        fetch.stored.as_ref().is_some_and(|stored| self.covers_error(stored, false, self.clock.now()))
    }

    /// Whether `stored` may cover an origin error now: its window says so, and it was not purged meanwhile.
    pub(crate) fn covers_error(&self, stored: &Stored, answered: bool, now: Timestamp) -> bool {
        reuse::covers_error(stored.head(), answered, now) && !self.was_purged(stored)
    }

    pub(crate) fn was_purged(&self, stored: &Stored) -> bool {
        self.store.is_purged(&stored.record().handles, stored.record().sequence)
    }

    /// Decides on a head, and takes the body in if it is for storing.
    async fn take_in(&self, mut fetch: Fetch, answer: Answer) {
        let (mut parts, body) = answer.response.into_parts();
        let request = RequestFacts {
            method: &http::Method::GET,
            fields: &fetch.flight.request.headers,
            sent: answer.sent,
        };
        let lesson = self.lesson(&fetch, &parts, answer.sent, answer.received);
        let terms = lesson.as_ref().map_or(&fetch.terms, Lesson::terms);
        let admitted = admission::admit(request, parts.status, &parts.headers, answer.received, terms)
            .and_then(|head| match declared_length(&body) {
                Some(length) if length > self.config.max_stored_bytes => Err(NotStored::TooLarge),
                _ => Ok(head),
            });
        match admitted {
            Ok(head) => {
                let withheld = admission::withheld(&parts.headers, &fetch.terms);
                self.receive(fetch, head, withheld, body, answer.took, lesson).await;
            }
            Err(reason) => {
                tracing::debug!(route = %fetch.route.name, reason = reason.name(), "not stored");
                self.counters.tally().not_stored(reason.name());
                self.unstored.note(&fetch.primary, Reason::refused(reason, answer.received));
                // What this one request forbids says nothing of the others', and an error nothing of the next attempt.
                let of_request = matches!(reason, NotStored::RequestNoStore | NotStored::Authorization)
                    || reason.is_planned();
                if !of_request && !reuse::is_error(parts.status) {
                    // What is stored has been superseded by something that may not be.
                    self.forget(&fetch);
                    // The answer to a POST is none to the GETs that might wait for each other.
                    if fetch.flight.request.method != http::Method::POST {
                        self.marks.set_pass(&fetch.key, answer.received);
                    }
                }
                let problem = parts.extensions.remove::<Problem>();
                parts.extensions.clear();
                problem.map(|problem| parts.extensions.insert(problem));
                if let Some(leader) = fetch.leader.take() {
                    let _ = leader.send(Share::Whole(Response::from_parts(parts, body), reason));
                }
                self.land(&fetch, Landing::NotShared);
            }
        }
    }

    fn forget(&self, fetch: &Fetch) {
        if fetch.stored.is_some() {
            self.store.remove(&fetch.key);
        }
    }

    /// Leaves first, so that who comes now looks into the store.
    pub(crate) fn land(&self, fetch: &Fetch, landing: Landing) {
        self.flights.leave(&fetch.key, &fetch.flight);
        fetch.flight.land(landing);
    }
}

/// What happens at the end of a fetch, whatever that is: a panic must not leave a flight behind that everybody waits for.
struct End {
    proxy: Arc<Proxy>,
    flight: Arc<Flight>,
    key: CacheKey,
    awaited: bool,
    orderly: bool,
}

impl End {
    fn in_order(mut self) {
        self.orderly = true;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let End { proxy, flight, key, .. } = self;
        if !self.orderly {
            // Else the runtime ends, and this with it.
            if std::thread::panicking() {
                tracing::error!("fetch ended abnormally");
            }
            flight.land(Landing::Failed(OriginError::BadResponse("internal fault".into())));
        }
        proxy.flights.leave(key, flight);
        proxy.under_way.send_modify(|fetches| *fetches -= 1);
        if self.awaited {
            proxy.awaited.send_modify(|fetches| *fetches -= 1);
        }
    }
}

pub(crate) fn place(fetch: &Fetch) -> Place<'_> {
    Place {
        primary: &fetch.primary,
        request: &fetch.flight.request,
        sequence: fetch.flight.sequence,
        handles: &fetch.flight.handles,
        scope: fetch.route.scope(&fetch.flight.request.uri),
        page: fetch.route.page(&fetch.flight.request.uri),
    }
}
