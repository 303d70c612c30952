//! One fetch: ask the origin, decide on its head, take the body in, land.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::flight::body::Reader;
use super::flight::{Arrival, Arriving, Cause, Flight, Landing, NotKept, SharedBody};
use super::keep::Place;
use super::lookup::Stored;
use super::route::Route;
use super::{Proxy, forward};
use crate::clock::{Stopwatch, Timestamp};
use crate::message::body::{Body, BodyError};
use crate::message::entity_tag::EntityTag;
use crate::origin::OriginError;
use crate::policy::admission::{self, NotStored, RequestFacts};
use crate::policy::stored::{StoredResponse, Variant};
use crate::policy::{reuse, validation};
use crate::store::{CacheKey, Content, Record};
use crate::telemetry::counters::Count;

/// How long a response is held back at most for its entity tag.
const HOLD: Duration = Duration::from_secs(1);

/// What a fetch has to do.
pub(super) struct Fetch {
    pub(super) flight: Arc<Flight>,
    pub(super) route: Arc<Route>,
    pub(super) primary: CacheKey,
    /// Key of the flight, and of its marks.
    pub(super) key: CacheKey,
    /// What is stored already: validated, and a cover for errors.
    pub(super) stored: Option<Stored>,
    /// Variants that are stored where the selected one is not: their tags are offered.
    pub(super) others: Vec<Variant>,
    /// The leader, if it is a client and not a validation in the background.
    pub(super) leader: Option<oneshot::Sender<Share>>,
}

/// What only the leader gets.
pub(super) enum Share {
    /// An answer that is not for sharing, and why it is not stored.
    Whole(Response<Body>, NotStored),
    /// What was stored, confirmed by a 304 that may not be stored itself.
    Confirmed(Arc<Record>),
    /// Its way through the shared body, and the fields that are for it alone.
    Reader(Reader, HeaderMap),
    /// The fields that are for it alone, of what was stored.
    Withheld(HeaderMap),
}

/// An origin's answer with the times around it.
pub(super) struct Answer {
    response: Response<Body>,
    sent: Timestamp,
    received: Timestamp,
    took: Stopwatch,
}

impl Answer {
    /// `response`, whose request was sent at `sent` and whose head came at `received`.
    pub(super) fn new(response: Response<Body>, sent: Timestamp, received: Timestamp) -> Self {
        Answer { response, sent, received, took: Stopwatch::start() }
    }
}

impl Proxy {
    /// Flies `fetch` to its end in a task of its own.
    pub(super) fn launch(self: &Arc<Self>, fetch: Fetch) {
        self.launch_with(fetch, None);
    }

    /// Flies `fetch`, to which the origin has given `answer` already, if it has.
    pub(super) fn launch_with(self: &Arc<Self>, fetch: Fetch, answer: Option<Answer>) {
        self.under_way.send_modify(|fetches| *fetches += 1);
        let proxy = Arc::clone(self);
        let (flight, key) = (Arc::clone(&fetch.flight), fetch.key.clone());
        let flying = tokio::spawn(async move { proxy.fly(fetch, answer).await });
        let proxy = Arc::clone(self);
        tokio::spawn(async move {
            // A panic in the fetch must not leave a flight behind that everybody waits for.
            if let Err(error) = flying.await {
                tracing::error!(%error, "fetch ended abnormally");
                flight.land(Landing::Failed(OriginError::BadResponse("internal fault".into())));
            }
            proxy.flights.leave(&key, &flight);
            proxy.under_way.send_modify(|fetches| *fetches -= 1);
        });
    }

    async fn fly(self: &Arc<Self>, mut fetch: Fetch, answer: Option<Answer>) {
        if let Some(answer) = answer {
            return self.take_in(fetch, answer).await;
        }
        let conditions = match fetch.stored.as_ref().and_then(Stored::head) {
            Some(head) => validation::conditions(head),
            None => validation::offer(&fetch.others),
        };
        let mut answer = self.ask(&fetch, &conditions).await;
        if let Ok(Answer { response, sent, received, .. }) = &answer
            && response.status() == StatusCode::NOT_MODIFIED
            && !conditions.is_empty()
        {
            let (said, sent, received) = (response.headers().clone(), *sent, *received);
            if fetch.stored.is_none() {
                fetch.stored = self.chosen(&fetch, &said).await;
            }
            if self.freshen(&mut fetch, &said, sent, received).await {
                return;
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
                if !(reuse::is_error(status) && self.covered(&fetch, Cause::Status(status))) {
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
        let mut response = fetch.route.origin.fetch(request).await?;
        let received = self.clock.now();
        forward::cleanse(&mut response, received);
        Ok(Answer { response, sent, received, took })
    }

    /// The stored variant that a 304 chose among those offered.
    async fn chosen(&self, fetch: &Fetch, said: &HeaderMap) -> Option<Stored> {
        let variant = validation::chosen(&fetch.others, said)?;
        let (record, _) = self.read(&CacheKey::new(variant.key.clone())).await?;
        Stored::new(record)
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
        let Some((head, body)) = kept.and_then(Stored::parts) else {
            return false;
        };
        if !validation::confirms(head, said) {
            return false;
        }
        let request = &fetch.flight.request;
        let terms = &fetch.route.terms;
        let landing = match validation::freshen(head, said, &request.headers, sent, received, terms) {
            Ok(head) => {
                let record = self.keep_as_is(place(fetch), head, body.clone()).await;
                Landing::Stored(record, Arrival::Validated)
            }
            Err(head) => {
                // Nobody finds it any more, unless it was the request that forbade to store it.
                let anybody = HeaderMap::new();
                if validation::freshen(&head, said, &anybody, sent, received, terms).is_err() {
                    self.forget(fetch);
                }
                let record = Record {
                    sequence: fetch.flight.sequence,
                    handles: fetch.flight.handles.clone(),
                    content: Content::Response { head: *head, body: body.clone() },
                };
                if let Some(leader) = fetch.leader.take() {
                    let _ = leader.send(Share::Confirmed(Arc::new(record)));
                }
                Landing::NotShared
            }
        };
        self.marks.clear(&fetch.key);
        self.land(fetch, landing);
        true
    }

    /// No answer came: a stored response covers it, or everybody is told.
    fn failed(&self, fetch: &Fetch, error: OriginError) {
        if !self.covered(fetch, Cause::NoAnswer(error.clone())) {
            tracing::warn!(route = %fetch.route.name, %error, "origin failed");
            self.land(fetch, Landing::Failed(error));
        }
    }

    /// Lands with what is stored if that may cover an origin error now (RFC 5861 section 4).
    fn covered(&self, fetch: &Fetch, cause: Cause) -> bool {
        self.counters.add(Count::OriginErrors);
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
        self.land(fetch, Landing::Covered(Arc::clone(stored.record()), cause));
        true
    }

    /// Whether `stored` may cover an origin error now: its window says so, and it was not purged meanwhile.
    pub(super) fn covers_error(&self, stored: &Stored, answered: bool, now: Timestamp) -> bool {
        stored.head().is_some_and(|head| reuse::covers_error(head, answered, now)) && !self.was_purged(stored)
    }

    fn was_purged(&self, stored: &Stored) -> bool {
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
        let admitted =
            admission::admit(request, parts.status, &parts.headers, answer.received, &fetch.route.terms)
                .and_then(|head| match declared_length(&body) {
                    Some(length) if length > self.config.max_stored_bytes => Err(NotStored::TooLarge),
                    _ => Ok(head),
                });
        match admitted {
            Ok(head) => {
                let withheld = admission::withheld(&parts.headers, &fetch.route.terms);
                self.receive(fetch, head, withheld, body, answer.took).await;
            }
            Err(reason) => {
                tracing::debug!(route = %fetch.route.name, reason = reason.name(), "not stored");
                // What this one request forbids says nothing of the others', and an error nothing of the next attempt.
                let of_request = matches!(reason, NotStored::RequestNoStore | NotStored::Authorization);
                if !of_request && !reuse::is_error(parts.status) {
                    // What is stored has been superseded by something that may not be.
                    self.forget(&fetch);
                    self.marks.set_pass(&fetch.key, answer.received);
                }
                parts.extensions.clear();
                if let Some(leader) = fetch.leader.take() {
                    let _ = leader.send(Share::Whole(Response::from_parts(parts, body), reason));
                }
                self.land(&fetch, Landing::NotShared);
            }
        }
    }

    /// Takes the body in, sharing it while it comes, and stores it when it is whole.
    async fn receive(
        &self,
        mut fetch: Fetch,
        head: StoredResponse,
        withheld: HeaderMap,
        mut body: Body,
        took: Stopwatch,
    ) {
        let length = declared_length(&body);
        let shared = SharedBody::new(Arc::clone(&self.budget), self.config.max_stored_bytes, length);
        let mut held = self.hold(&head, length).then(|| Instant::now() + HOLD);
        let _ending = Ending(&shared);
        let mut reader = shared.reader();
        let arriving = Arc::new(Arriving { head, body: Arc::clone(&shared) });
        let land_arriving =
            |fetch: &mut Fetch, reader| self.land_arriving(fetch, &arriving, reader, &withheld);
        if held.is_none() {
            land_arriving(&mut fetch, reader.take());
        }
        loop {
            let chunk = match held {
                Some(until) => match timeout_at(until, next_chunk(&mut body)).await {
                    Ok(chunk) => chunk,
                    Err(_) => {
                        held = None;
                        land_arriving(&mut fetch, reader.take());
                        continue;
                    }
                },
                None => next_chunk(&mut body).await,
            };
            let chunk = match chunk {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return self.broke_off(&fetch, &arriving, error, held.is_some()),
                None => break,
            };
            self.counters.add_many(Count::BytesFetched, chunk.len() as u64);
            if held.is_some() && shared.arrived() + chunk.len() as u64 > self.config.hold_for_tag {
                held = None;
                land_arriving(&mut fetch, reader.take());
            }
            if let Some(reason) = shared.push(chunk) {
                // Who waits for the head must be able to read before the fetch waits for its readers.
                if held.take().is_some() {
                    land_arriving(&mut fetch, reader.take());
                }
                self.gave_up_storing(&fetch, reason);
            }
            if shared.room().await.is_err() {
                tracing::debug!(route = %fetch.route.name, "fetch given up: not stored and nobody reads");
                return shared.finish(Err(BodyError::ReaderTooSlow));
            }
        }
        shared.finish(Ok(()));
        let Some(whole) = shared.whole() else {
            return;
        };
        let head = StoredResponse { cost: took.elapsed(), ..arriving.head.clone() };
        if fetch.route.no_vary_search {
            fetch.primary = self.learn_search(&fetch.route, &fetch.flight.request.uri, &head.fields);
        }
        let record = self.keep(place(&fetch), head, whole).await;
        self.marks.clear(&fetch.key);
        if !withheld.is_empty()
            && let Some(leader) = fetch.leader.take()
        {
            let _ = leader.send(Share::Withheld(withheld));
        }
        self.land(&fetch, Landing::Stored(record, Arrival::Fetched));
    }

    /// Whether the head waits until the body is whole, so that its first answer has an entity tag: a picture,
    /// or anything short, whose origin gave none.
    fn hold(&self, head: &StoredResponse, length: Option<u64>) -> bool {
        let untagged = EntityTag::of(&head.fields).is_none() && head.status == StatusCode::OK;
        untagged
            && match length {
                Some(length) => length <= self.config.hold_for_tag,
                None => {
                    head.fields.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"image/"))
                }
            }
    }

    fn land_arriving(
        &self,
        fetch: &mut Fetch,
        arriving: &Arc<Arriving>,
        reader: Option<Reader>,
        withheld: &HeaderMap,
    ) {
        if let (Some(leader), Some(reader)) = (fetch.leader.take(), reader) {
            let _ = leader.send(Share::Reader(reader, withheld.clone()));
        }
        fetch.flight.land(Landing::Arriving(Arc::clone(arriving)));
    }

    /// The body ended short: it breaks off for those who read it; who has seen nothing of it yet gets an error or a stale response.
    fn broke_off(&self, fetch: &Fetch, arriving: &Arriving, error: BodyError, unseen: bool) {
        tracing::warn!(route = %fetch.route.name, %error, "response body broke off");
        arriving.body.finish(Err(error.clone()));
        if unseen {
            return self.failed(fetch, OriginError::Reset(error.to_string()));
        }
        self.counters.add(Count::OriginErrors);
        self.flights.leave(&fetch.key, &fetch.flight);
    }

    fn gave_up_storing(&self, fetch: &Fetch, reason: NotKept) {
        tracing::debug!(route = %fetch.route.name, ?reason, "no longer kept for storing");
        if reason == NotKept::TooLarge {
            self.marks.set_pass(&fetch.key, self.clock.now());
        }
        self.flights.leave(&fetch.key, &fetch.flight);
    }

    fn forget(&self, fetch: &Fetch) {
        if fetch.stored.is_some() {
            self.store.remove(&fetch.key);
        }
    }

    /// Leaves first, so that who comes now looks into the store.
    fn land(&self, fetch: &Fetch, landing: Landing) {
        self.flights.leave(&fetch.key, &fetch.flight);
        fetch.flight.land(landing);
    }
}

/// Breaks a body off that was left without an end, as by a panic: its readers would wait for ever.
struct Ending<'a>(&'a SharedBody);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.finish(Err(BodyError::Short("internal fault".into())));
    }
}

fn place(fetch: &Fetch) -> Place<'_> {
    Place {
        primary: &fetch.primary,
        request: &fetch.flight.request,
        sequence: fetch.flight.sequence,
        handles: &fetch.flight.handles,
        scope: fetch.route.scope(&fetch.flight.request.uri),
    }
}

/// The next bytes of a body; trailers are dropped.
async fn next_chunk(body: &mut Body) -> Option<Result<Bytes, BodyError>> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await? {
            Ok(frame) => match frame.into_data() {
                Ok(data) => return Some(Ok(data)),
                Err(_) => continue,
            },
            Err(error) => return Some(Err(error)),
        }
    }
}

fn declared_length(body: &Body) -> Option<u64> {
    body.size_hint().exact()
}
