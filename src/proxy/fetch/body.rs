//! Takes in the body of a response: shares it while it arrives, and stores it when it is whole.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use tokio::time::sleep;

use super::Fetcher;
use super::change_history::ChangeHistory;
use super::outcome::{Arrival, Arriving, FetchOutcome, LeaderShare};
use super::shared_body::{NotKept, Reader, SharedBody};
use super::task::Fetch;
use crate::clock::Stopwatch;
use crate::message::body::{Body, BodyError};
use crate::message::entity_tag::EntityTag;
use crate::origin::OriginError;
use crate::policy::admission::NotStored;
use crate::policy::stored::StoredResponse;
use crate::proxy::cache::decline_log::Declined;
use crate::proxy::route::unfit;
use crate::telemetry::counters::Count;

/// A body on its way in, and who has been told of it.
struct Intake {
    fetch: Fetch,
    arriving: Arc<Arriving>,
    /// The leader's reader, until it is handed out.
    reader: Option<Reader>,
    /// Fields that only the leader may have.
    withheld: HeaderMap,
    /// Nothing of the response has been published yet.
    held: bool,
}

impl Intake {
    /// Publishes the head of a response that was held back, so that its readers can begin.
    fn release(&mut self) {
        if !std::mem::take(&mut self.held) {
            return;
        }
        if let Some(reader) = self.reader.take() {
            self.fetch.give_leader(LeaderShare::Reader(reader, self.withheld.clone()));
        }
        self.fetch.flight.publish(FetchOutcome::Arriving(Arc::clone(&self.arriving)));
    }
}

impl Fetcher {
    /// Takes the body in. A response without an entity tag is held back until it is whole, within
    /// bounds, so that its first recipient gets the tag too. One that has to be a picture is held
    /// back until it has been looked at.
    pub(super) async fn receive(
        &self,
        fetch: Fetch,
        head: StoredResponse,
        withheld: HeaderMap,
        mut body: Body,
        took: Stopwatch,
        history: Option<ChangeHistory>,
    ) {
        let length = declared_length(&body);
        let shared = SharedBody::new(Arc::clone(&self.budget), self.config.max_stored_bytes, length);
        let is_judged = fetch.route.only_pictures && head.status.is_success();
        let is_held = is_judged || self.waits_for_tag(&head, length);
        let mut hold_ends = pin!(sleep(self.config.max_hold));
        let _breaks_off = BreakOff(Arc::clone(&shared));
        let handles = fetch.write_context().handles_of(&head);
        let arriving = Arc::new(Arriving { head, body: Arc::clone(&shared), handles });
        let mut intake = Intake { fetch, arriving, reader: shared.reader(), withheld, held: true };
        if !is_held {
            intake.release();
        }
        loop {
            let chunk = tokio::select! {
                biased;
                chunk = next_chunk(&mut body) => chunk,
                () = &mut hold_ends, if intake.held && !is_judged => {
                    intake.release();
                    continue;
                }
            };
            let chunk = match chunk {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return self.broke_off(&intake, error),
                None => break,
            };
            self.counters.add_many(Count::BytesFetched, chunk.len() as u64);
            if !is_judged && shared.arrived() + chunk.len() as u64 > self.config.hold_for_tag {
                intake.release();
            }
            if let Some(reason) = shared.push(chunk) {
                // A reader must be able to read before the fetch waits for its readers.
                intake.release();
                self.gave_up_storing(&intake.fetch, reason);
            }
            if shared.room().await.is_err() {
                tracing::debug!(route = %intake.fetch.route.name, "fetch given up: not stored and nobody reads");
                return shared.finish(Err(BodyError::ReaderTooSlow));
            }
        }
        shared.finish(Ok(()));
        let Some(whole) = shared.whole() else {
            return;
        };
        // A picture that grew too large for the store was released.
        if intake.held && is_judged {
            let fetch = &intake.fetch;
            let allow_blank = fetch.route.allows_blank(&fetch.flight.request.uri);
            if let Err(error) = self.deriver.judge(&whole, allow_blank).await {
                return self.failed(fetch, unfit(error));
            }
        }
        self.store_whole(intake, whole, took, history).await;
    }

    async fn store_whole(
        &self,
        intake: Intake,
        whole: Bytes,
        took: Stopwatch,
        history: Option<ChangeHistory>,
    ) {
        let Intake { mut fetch, arriving, withheld, .. } = intake;
        let fields = &fetch.flight.request.headers;
        let head = match history.and_then(|history| history.head_if_same(&whole, fields)) {
            Some(head) => head,
            None => arriving.head.clone(),
        };
        let head = StoredResponse { cost: took.elapsed(), ..head };
        if fetch.route.no_vary_search {
            let (target, sequence) = (&fetch.flight.request.uri, fetch.flight.sequence);
            fetch.primary = self.cache.learn_no_vary_search(&fetch.route, target, &head.fields, sequence);
        }
        let stored = self.cache.write(fetch.write_context(), head, whole).await;
        self.cache.negative.clear(&fetch.key);
        if !withheld.is_empty() {
            fetch.give_leader(LeaderShare::Withheld(withheld));
        }
        self.publish(&fetch, FetchOutcome::Stored(stored, Arrival::Fetched));
    }

    /// Whether the head waits for the body because the origin gave no entity tag: for a picture,
    /// and for a short body.
    fn waits_for_tag(&self, head: &StoredResponse, length: Option<u64>) -> bool {
        let untagged = EntityTag::of(&head.fields).is_none() && head.status == StatusCode::OK;
        untagged
            && match length {
                Some(length) => length <= self.config.hold_for_tag,
                None => {
                    head.fields.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"image/"))
                }
            }
    }

    /// The body ended short. It breaks off for its readers. If nothing of it was published, the
    /// requests get an error or a stale response instead.
    fn broke_off(&self, intake: &Intake, error: BodyError) {
        let fetch = &intake.fetch;
        tracing::warn!(route = %fetch.route.name, %error, "response body broke off");
        intake.arriving.body.finish(Err(error.clone()));
        let error = OriginError::Reset(error.to_string());
        if intake.held {
            return self.failed(fetch, error);
        }
        self.counters.add(Count::OriginErrors);
        self.counters.tally().origin_error(error.name());
        self.cache.declined.note(&fetch.primary, Declined::failed(&error, self.clock.now()));
        self.flights.leave(&fetch.key, &fetch.flight);
    }

    fn gave_up_storing(&self, fetch: &Fetch, reason: NotKept) {
        tracing::debug!(route = %fetch.route.name, ?reason, "no longer kept for storing");
        let now = self.clock.now();
        let not_stored = match reason {
            NotKept::TooLarge => NotStored::TooLarge,
            NotKept::BufferFull => NotStored::BufferFull,
        };
        self.counters.tally().not_stored(not_stored.name());
        self.cache.declined.note(&fetch.primary, Declined::not_stored(not_stored, now));
        if reason == NotKept::TooLarge {
            self.cache.negative.set_uncacheable(&fetch.key, now);
        }
        self.flights.leave(&fetch.key, &fetch.flight);
    }
}

/// Breaks off a body that was left without an end, as by a panic: its readers would wait for ever.
struct BreakOff(Arc<SharedBody>);

impl Drop for BreakOff {
    fn drop(&mut self) {
        self.0.finish(Err(BodyError::Short("internal fault".into())));
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

pub(super) fn declared_length(body: &Body) -> Option<u64> {
    body.size_hint().exact()
}
