//! The body of a response on its way in: shared while it comes, stored when it is whole.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use tokio::time::sleep;

use crate::clock::Stopwatch;
use crate::message::body::{Body, BodyError};
use crate::message::entity_tag::EntityTag;
use crate::origin::OriginError;
use crate::policy::admission::NotStored;
use crate::policy::stored::StoredResponse;
use crate::proxy::Proxy;
use crate::proxy::cache::decline_log::Reason;
use crate::proxy::fetch::change_history::Lesson;
use crate::proxy::fetch::flight::{Arrival, Arriving, Landing};
use crate::proxy::fetch::run::{Fetch, Share, place};
use crate::proxy::fetch::shared_body::{NotKept, Reader, SharedBody};
use crate::proxy::route::unfit;
use crate::telemetry::counters::Count;

impl Proxy {
    /// Takes the body in, sharing it while it comes, and stores it when it is whole.
    pub(crate) async fn receive(
        &self,
        mut fetch: Fetch,
        head: StoredResponse,
        withheld: HeaderMap,
        mut body: Body,
        took: Stopwatch,
        lesson: Option<Lesson>,
    ) {
        let length = declared_length(&body);
        let shared = SharedBody::new(Arc::clone(&self.budget), self.config.max_stored_bytes, length);
        let is_judged = fetch.route.only_pictures && head.status.is_success();
        let mut held = is_judged || self.hold(&head, length);
        let mut held_long = pin!(sleep(self.config.max_hold));
        let _ending = Ending(&shared);
        let mut reader = shared.reader();
        let handles = place(&fetch).handles_of(&head);
        let arriving = Arc::new(Arriving { head, body: Arc::clone(&shared), handles });
        let land_arriving =
            |fetch: &mut Fetch, reader| self.land_arriving(fetch, &arriving, reader, &withheld);
        if !held {
            land_arriving(&mut fetch, reader.take());
        }
        loop {
            let chunk = tokio::select! {
                biased;
                chunk = next_chunk(&mut body) => chunk,
                () = &mut held_long, if held && !is_judged => {
                    held = false;
                    land_arriving(&mut fetch, reader.take());
                    continue;
                }
            };
            let chunk = match chunk {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return self.broke_off(&fetch, &arriving, error, held),
                None => break,
            };
            self.counters.add_many(Count::BytesFetched, chunk.len() as u64);
            if held && !is_judged && shared.arrived() + chunk.len() as u64 > self.config.hold_for_tag {
                held = false;
                land_arriving(&mut fetch, reader.take());
            }
            if let Some(reason) = shared.push(chunk) {
                // Who waits for the head must be able to read before the fetch waits for its readers.
                if std::mem::take(&mut held) {
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
        // What grew too large for the store was not held back.
        if held && is_judged {
            let allow_blank = fetch.route.allows_blank(&fetch.flight.request.uri);
            if let Err(error) = self.deriver.judge(&whole, allow_blank).await {
                return self.failed(&fetch, unfit(error));
            }
        }
        let head = match lesson.and_then(|lesson| lesson.of_body(&whole, &fetch.flight.request.headers)) {
            Some(head) => head,
            None => arriving.head.clone(),
        };
        let head = StoredResponse { cost: took.elapsed(), ..head };
        if fetch.route.no_vary_search {
            let (target, sequence) = (&fetch.flight.request.uri, fetch.flight.sequence);
            fetch.primary = self.learn_search(&fetch.route, target, &head.fields, sequence);
        }
        let stored = self.keep(place(&fetch), head, whole).await;
        self.marks.clear(&fetch.key);
        if !withheld.is_empty()
            && let Some(leader) = fetch.leader.take()
        {
            let _ = leader.send(Share::Withheld(withheld));
        }
        self.land(&fetch, Landing::Stored(stored, Arrival::Fetched));
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
        let error = OriginError::Reset(error.to_string());
        self.counters.tally().origin_error(error.name());
        self.unstored.note(&fetch.primary, Reason::failed(&error, self.clock.now()));
        self.flights.leave(&fetch.key, &fetch.flight);
    }

    fn gave_up_storing(&self, fetch: &Fetch, reason: NotKept) {
        tracing::debug!(route = %fetch.route.name, ?reason, "no longer kept for storing");
        let not_stored = match reason {
            NotKept::TooLarge => NotStored::TooLarge,
            NotKept::BufferFull => NotStored::BufferFull,
        };
        self.counters.tally().not_stored(not_stored.name());
        self.unstored.note(&fetch.primary, Reason::refused(not_stored, self.clock.now()));
        if reason == NotKept::TooLarge {
            self.marks.set_pass(&fetch.key, self.clock.now());
        }
        self.flights.leave(&fetch.key, &fetch.flight);
    }
}

/// Breaks a body off that was left without an end, as by a panic: its readers would wait for ever.
struct Ending<'a>(&'a SharedBody);

impl Drop for Ending<'_> {
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

pub(crate) fn declared_length(body: &Body) -> Option<u64> {
    body.size_hint().exact()
}
