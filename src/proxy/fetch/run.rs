//! One fetch: ask the origin, decide on the head, take the body in, publish the outcome.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use tokio::sync::watch;

use super::Fetcher;
use super::body::declared_length;
use super::change_history::ChangeHistory;
use super::flight::{Flight, Flights};
use super::origin::Answer;
use super::outcome::{Arrival, Cause, FetchOutcome, LeaderShare};
use super::task::Fetch;
use crate::clock::Timestamp;
use crate::message::class::Standing;
use crate::message::problem::Problem;
use crate::origin::OriginError;
use crate::policy::admission::{self, NotStored, RequestFacts};
use crate::policy::{reuse, validation};
use crate::proxy::cache::decline_log::Declined;
use crate::proxy::cache::stored::Stored;
use crate::proxy::request::forward;
use crate::store::CacheKey;
use crate::tasks;
use crate::telemetry::counters::Count;

impl Fetcher {
    /// Runs `fetch` in a task of its own. The origin may have given its `answer` already.
    pub(super) fn launch(self: &Arc<Self>, fetch: Fetch, answer: Option<Answer>) {
        let end = End::of(self, &fetch);
        let fetcher = Arc::clone(self);
        tasks::spawn("fetch", async move {
            fetcher.run(fetch, answer).await;
            end.in_order();
        });
    }

    async fn run(&self, mut fetch: Fetch, answer: Option<Answer>) {
        if let Some(answer) = answer {
            return self.take_in(fetch, answer).await;
        }
        let conditions = match fetch.stored.as_ref().map(Stored::head) {
            _ if fetch.anew => Vec::new(),
            Some(head) => validation::conditions(head),
            None => validation::offer(&fetch.others),
        };
        let mut answer = self.ask(&fetch, &conditions).await;
        // Followers share an answer, but not a lost connection.
        if let Err(error) = &answer
            && error.is_lost_connection()
            && !self.may_cover(&fetch)
            && !self.flights.leave_without_followers(&fetch.key, &fetch.flight)
        {
            tracing::info!(route = %fetch.route.name, %error, "fetching once more for the followers");
            answer = self.ask(&fetch, &conditions).await;
        }
        if let Ok(not_modified) = &answer
            && not_modified.response.status() == StatusCode::NOT_MODIFIED
            && !conditions.is_empty()
        {
            let fields = not_modified.response.headers().clone();
            let times = (not_modified.sent, not_modified.received);
            if self.validated(&mut fetch, &fields, times).await {
                return;
            }
            // The 304 did not confirm the stored response: ask for the whole (RFC 9111 section
            // 4.3.4).
            answer = self.ask(&fetch, &[]).await;
        }
        match answer {
            // The client asked about another response than we did.
            Ok(Answer { response, .. }) if response.status() == StatusCode::NOT_MODIFIED => {
                self.failed(&fetch, OriginError::BadResponse("a 304 that nobody asked for".into()));
            }
            Ok(answer) => self.judge(fetch, answer).await,
            Err(error) => self.failed(&fetch, error),
        }
    }

    /// Covers an answer that is an error or no picture, or takes it in.
    async fn judge(&self, fetch: Fetch, answer: Answer) {
        let (status, fields) = (answer.response.status(), answer.response.headers());
        if let Err(error) = fetch.route.judge_head(status, fields) {
            return self.failed(&fetch, error);
        }
        // A 429 says that tintype asks too often, which is no answer to a client that asks for the
        // first time.
        let too_often = status == StatusCode::TOO_MANY_REQUESTS && fields.contains_key(header::RETRY_AFTER);
        let cause = if reuse::is_error(status) || too_often {
            Some(Cause::Status(status))
        } else {
            fetch.would_replace_complete(fields).then_some(Cause::Incomplete)
        };
        if !cause.is_some_and(|cause| self.covered(&fetch, cause)) {
            self.take_in(fetch, answer).await;
        }
    }

    async fn ask(
        &self,
        fetch: &Fetch,
        conditions: &[(HeaderName, HeaderValue)],
    ) -> Result<Answer, OriginError> {
        let (flight, pseudonym) = (&fetch.flight, &self.config.pseudonym);
        let request = forward::for_storing(&flight.request, flight.peer, pseudonym, conditions);
        self.send(&fetch.route, request).await
    }

    /// Freshens the stored response that a 304 confirms: the one that was asked about, or the
    /// variant that the 304 names.
    async fn validated(&self, fetch: &mut Fetch, fields: &HeaderMap, times: (Timestamp, Timestamp)) -> bool {
        if fetch.stored.is_some() {
            return self.freshen(fetch, fields, times).await;
        }
        fetch.stored = self.chosen(fetch, fields).await;
        let freshened = self.freshen(fetch, fields, times).await;
        if !freshened {
            // It is another request's response, and must not cover an error of this one.
            fetch.stored = None;
        }
        freshened
    }

    /// The stored variant that a 304 chose among those offered.
    async fn chosen(&self, fetch: &Fetch, fields: &HeaderMap) -> Option<Stored> {
        let variant = validation::chosen(&fetch.others, fields)?;
        let (record, _) = self.cache.read(&CacheKey::new(variant.key.clone())).await?;
        self.cache.stored(record)
    }

    /// Freshens the stored response by a 304. False if the 304 does not confirm it, or it was
    /// purged meanwhile.
    async fn freshen(
        &self,
        fetch: &mut Fetch,
        fields: &HeaderMap,
        (sent, received): (Timestamp, Timestamp),
    ) -> bool {
        let kept = fetch.stored.as_ref().filter(|stored| !self.cache.was_purged(stored));
        let Some((head, body)) = kept.map(|stored| (stored.head(), stored.body().clone())) else {
            return false;
        };
        if !validation::confirms(head, fields) {
            return false;
        }
        let request = &fetch.flight.request;
        let terms = &fetch.terms;
        let outcome = match validation::freshen(head, fields, &request.headers, sent, received, terms) {
            Ok(head) => {
                let withheld = admission::withheld(fields, terms);
                let stored = self.cache.write_as_is(fetch.write_context(), head, body).await;
                if !withheld.is_empty() {
                    fetch.give_leader(LeaderShare::Withheld(withheld));
                }
                FetchOutcome::Stored(stored, Arrival::Validated)
            }
            Err(head) => {
                // Removed, unless only this request forbade to store it.
                let no_fields = HeaderMap::new();
                if validation::freshen(&head, fields, &no_fields, sent, received, terms).is_err() {
                    self.forget(fetch);
                }
                let (sequence, handles) = (fetch.flight.sequence, fetch.flight.handles.clone());
                let confirmed = Stored::record_of(sequence, handles, Arc::default(), *head, body);
                fetch.give_leader(LeaderShare::Confirmed(confirmed));
                FetchOutcome::NotShared
            }
        };
        self.cache.negative.clear(&fetch.key);
        self.publish(fetch, outcome);
        true
    }

    /// No usable answer came: a stored response covers that, or all requests get the error.
    pub(super) fn failed(&self, fetch: &Fetch, error: OriginError) {
        if !self.covered(fetch, Cause::NoAnswer(error.clone())) {
            tracing::warn!(route = %fetch.route.name, %error, "origin failed");
            self.publish(fetch, FetchOutcome::Failed(error));
        }
    }

    /// Publishes the stored response if it may cover an origin error now (RFC 5861 section 4).
    fn covered(&self, fetch: &Fetch, cause: Cause) -> bool {
        self.counters.add(Count::OriginErrors);
        let at = self.clock.now();
        let declined = match &cause {
            Cause::Status(status) => Declined::status(*status, at),
            Cause::Incomplete => Declined::incomplete(at),
            Cause::NoAnswer(error) => Declined::failed(error, at),
        };
        self.counters.tally().origin_error(declined.name);
        self.cache.declined.note(&fetch.primary, declined);
        let Some(stored) = &fetch.stored else {
            return false;
        };
        let (now, answered) = (self.clock.now(), cause.is_answer());
        // Also where it covers nothing: a client that is served during validation need not ask
        // again at once.
        self.cache.negative.set_failed(&fetch.key, answered, now);
        if !self.cache.covers_error(stored, answered, now) {
            return false;
        }
        tracing::warn!(route = %fetch.route.name, ?cause, "origin failed, a stored response covers it");
        self.publish(fetch, FetchOutcome::Covered(stored.clone(), cause));
        true
    }

    /// Whether a stored response covers it if no answer comes now.
    fn may_cover(&self, fetch: &Fetch) -> bool {
        let now = self.clock.now();
        fetch.stored.as_ref().is_some_and(|stored| self.cache.covers_error(stored, false, now))
    }

    /// Decides on a head, and takes the body in if it may be stored.
    async fn take_in(&self, mut fetch: Fetch, answer: Answer) {
        let (parts, body) = answer.response.into_parts();
        let request =
            RequestFacts { method: &Method::GET, fields: &fetch.flight.request.headers, sent: answer.sent };
        let stored = fetch.stored.as_ref().filter(|stored| !self.cache.was_purged(stored));
        let history = ChangeHistory::of(&fetch.terms, stored, &parts, answer.sent, answer.received);
        let terms = history.as_ref().map_or(&fetch.terms, ChangeHistory::terms);
        let admitted = admission::admit(request, parts.status, &parts.headers, answer.received, terms)
            .and_then(|head| match declared_length(&body) {
                Some(length) if length > self.config.max_stored_bytes => Err(NotStored::TooLarge),
                _ => Ok(head),
            });
        match admitted {
            Ok(head) => {
                let withheld = admission::withheld(&parts.headers, &fetch.terms);
                self.receive(fetch, head, withheld, body, answer.took, history).await;
            }
            Err(reason) => {
                self.not_stored(&fetch, reason, parts.status, answer.received);
                let mut response = Response::from_parts(parts, body);
                let problem = response.extensions_mut().remove::<Problem>();
                response.extensions_mut().clear();
                problem.map(|problem| response.extensions_mut().insert(problem));
                fetch.give_leader(LeaderShare::Whole(response, reason));
                self.publish(&fetch, FetchOutcome::NotShared);
            }
        }
    }

    fn not_stored(&self, fetch: &Fetch, reason: NotStored, status: StatusCode, received: Timestamp) {
        tracing::debug!(route = %fetch.route.name, reason = reason.name(), "not stored");
        self.counters.tally().not_stored(reason.name());
        self.cache.declined.note(&fetch.primary, Declined::not_stored(reason, received));
        // What only this request forbids says nothing about others, and an error nothing about the
        // next attempt.
        let by_request =
            matches!(reason, NotStored::RequestNoStore | NotStored::Authorization) || reason.is_planned();
        if !by_request && !reuse::is_error(status) {
            // The stored response is superseded by one that may not be stored.
            self.forget(fetch);
            // GETs do not wait for the response to a POST.
            if fetch.flight.request.method != Method::POST {
                self.cache.negative.set_uncacheable(&fetch.key, received);
            }
        }
    }

    fn forget(&self, fetch: &Fetch) {
        if fetch.stored.is_some() {
            self.cache.store().remove(&fetch.key);
        }
    }

    /// Removes the flight before publishing, so that new arrivals read the store.
    pub(super) fn publish(&self, fetch: &Fetch, outcome: FetchOutcome) {
        self.flights.leave(&fetch.key, &fetch.flight);
        fetch.flight.publish(outcome);
    }
}

/// Runs at the end of a fetch, however it ends: a panic must not leave a flight behind for which
/// requests wait for ever.
struct End {
    flights: Arc<Flights>,
    /// The numbers that count this fetch.
    counts: Vec<Arc<watch::Sender<usize>>>,
    flight: Arc<Flight>,
    key: CacheKey,
    orderly: bool,
}

impl End {
    fn of(fetcher: &Fetcher, fetch: &Fetch) -> Self {
        let is_awaited = Standing::of(&fetch.flight.request.extensions).class().is_awaited();
        let mut counts = vec![Arc::clone(&fetcher.under_way)];
        if is_awaited {
            counts.push(Arc::clone(&fetcher.awaited));
        }
        for count in &counts {
            count.send_modify(|fetches| *fetches += 1);
        }
        fetcher.flights.watch(&fetch.flight);
        End {
            flights: Arc::clone(&fetcher.flights),
            counts,
            flight: Arc::clone(&fetch.flight),
            key: fetch.key.clone(),
            orderly: false,
        }
    }

    fn in_order(mut self) {
        self.orderly = true;
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if !self.orderly {
            // Without a panic, the runtime ends.
            if std::thread::panicking() {
                tracing::error!("fetch ended abnormally");
            }
            self.flight.publish(FetchOutcome::Failed(OriginError::BadResponse("internal fault".into())));
        }
        self.flights.leave(&self.key, &self.flight);
        for count in &self.counts {
            count.send_modify(|fetches| *fetches -= 1);
        }
    }
}
