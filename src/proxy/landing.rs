//! From what came of a fetch to the answer of one who waited for it.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use tokio::sync::oneshot;

use super::fetch::Share;
use super::flight::body::Reader;
use super::flight::{Arrival, Arriving, Cause, Landing};
use super::lookup::Stored;
use super::refusal::Refusal;
use super::respond::{Told, Verdict, forbid_storing};
use super::{Asked, Proxy};
use crate::message::body::Body;
use crate::message::cache_status::{CacheStatus, Forward};
use crate::origin::OriginError;
use crate::policy::vary::{self, Selecting};
use crate::store::{CacheKey, Content, Record};
use crate::telemetry::counters::Count;

/// The key that a follower selects if it is not the variant that the leader's request brought.
pub(super) fn other_variant(landing: &Landing, follower: &Asked, leader: &Parts) -> Option<CacheKey> {
    let head = match landing {
        Landing::Stored(record, _) | Landing::Covered(record, _) => match &record.content {
            Content::Response { head, .. } => head,
            Content::Variants(_) => return None,
        },
        Landing::Arriving(arriving) => &arriving.head,
        Landing::Failed(_) | Landing::NotShared => return None,
    };
    let Selecting::Fields(names) = vary::selecting(&head.fields) else { return None };
    let key_of = |request: &Parts| {
        CacheKey::new(vary::variant_key(follower.primary.as_bytes(), &names, &request.headers))
    };
    let key = key_of(&follower.request);
    (key != key_of(leader)).then_some(key)
}

/// Gives the leader the fields that are for it alone, but for those that the answer has of its own (length, entity tag). A 304
/// gets cookies only.
fn give(answer: &mut Response<Body>, fields: HeaderMap) {
    let is_304 = answer.status() == StatusCode::NOT_MODIFIED;
    let is_given =
        |name: &HeaderName| *name == header::SET_COOKIE || !is_304 && *name != header::CONTENT_LENGTH;
    for name in fields.keys().filter(|name| is_given(name)) {
        if answer.headers().contains_key(name) {
            continue;
        }
        for value in fields.get_all(name) {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
}

impl Proxy {
    /// Answers the leader `asked` with `landing`, or with its `share` in it.
    pub(super) async fn led(
        &self,
        asked: &Asked,
        landing: Landing,
        mut share: oneshot::Receiver<Share>,
        why: Forward,
    ) -> Response<Body> {
        let status = CacheStatus { forward: Some(why), ..CacheStatus::default() };
        if !matches!(landing, Landing::Arriving(_) | Landing::NotShared) {
            let answer = self.shared(asked, landing, status.clone());
            let mut answer = answer.unwrap_or_else(|| self.lost(status));
            if let Ok(Share::Withheld(fields)) = share.try_recv() {
                give(&mut answer, fields);
            }
            return answer;
        }
        match (share.await, landing) {
            (Ok(Share::Reader(reader, fields)), Landing::Arriving(arriving)) => {
                let mut answer = self.arriving(asked, &arriving, reader, status);
                give(&mut answer, fields);
                answer
            }
            (Ok(Share::Whole(response, reason)), _) => {
                let status = CacheStatus { detail: Some(reason.name()), ..status };
                let (count, verdict) = match reason.is_planned() {
                    true => (Count::Bypassed, Verdict::Bypass),
                    false => (Count::Misses, Verdict::Miss),
                };
                self.counters.add(count);
                let mut response = self.answer_passed(response, Told::new(verdict, status));
                if reason.is_planned() {
                    forbid_storing(response.headers_mut());
                }
                // A HEAD that was fetched as a GET gets no body.
                if asked.request.method == http::Method::HEAD {
                    *response.body_mut() = Body::Empty;
                }
                response
            }
            (Ok(Share::Confirmed(record)), _) => {
                let answer = self.confirmed(asked, record, status.clone());
                answer.unwrap_or_else(|| self.lost(status))
            }
            _ => self.lost(status),
        }
    }

    /// Answers the follower `asked` with `landing`; `None` if there is nothing in it for others than the leader.
    pub(super) fn followed(&self, asked: &Asked, landing: Landing, why: Forward) -> Option<Response<Body>> {
        let status = CacheStatus { forward: Some(why), collapsed: true, ..CacheStatus::default() };
        self.shared(asked, landing, status)
    }

    fn shared(&self, asked: &Asked, landing: Landing, status: CacheStatus) -> Option<Response<Body>> {
        match landing {
            Landing::Stored(record, arrival) => {
                let status = CacheStatus { stored: true, ..status };
                match arrival {
                    Arrival::Fetched => {
                        let stored = Stored::new(record)?;
                        self.counters.add(Count::Misses);
                        Some(self.answer_from(asked, &stored, Told::new(Verdict::Miss, status)))
                    }
                    Arrival::Validated => self.confirmed(asked, record, status),
                }
            }
            // It may have turned out too large by now: then it began without this reader.
            Landing::Arriving(arriving) => {
                let reader = arriving.body.reader()?;
                Some(self.arriving(asked, &arriving, reader, status))
            }
            Landing::Covered(record, cause) => {
                Some(self.covering(asked, &Stored::new(record)?, &cause, status))
            }
            Landing::Failed(error) => Some(self.refuse(&Refusal::Origin(error), status)),
            Landing::NotShared => None,
        }
    }

    /// The answer with what covers an origin error.
    pub(super) fn covering(
        &self,
        asked: &Asked,
        stored: &Stored,
        cause: &Cause,
        status: CacheStatus,
    ) -> Response<Body> {
        self.counters.add(Count::StaleOnError);
        let status = match cause {
            Cause::Status(code) => {
                CacheStatus { forward_status: Some(code.as_u16()), detail: Some("stale-if-error"), ..status }
            }
            Cause::Incomplete => CacheStatus { detail: Some("incomplete"), ..status },
            Cause::NoAnswer(error) => CacheStatus { detail: Some(error.name()), ..status },
        };
        self.answer_from(asked, stored, Told::new(Verdict::Stale, status))
    }

    /// The answer with what a 304 confirmed.
    fn confirmed(&self, asked: &Asked, record: Arc<Record>, status: CacheStatus) -> Option<Response<Body>> {
        let stored = Stored::new(record)?;
        self.counters.add(Count::Revalidated);
        let status = CacheStatus { forward_status: Some(304), ..status };
        Some(self.answer_from(asked, &stored, Told::new(Verdict::Revalidated, status)))
    }

    fn arriving(
        &self,
        asked: &Asked,
        arriving: &Arriving,
        reader: Reader,
        status: CacheStatus,
    ) -> Response<Body> {
        self.counters.add(Count::Misses);
        let told = Told::new(Verdict::Miss, CacheStatus { stored: true, ..status });
        let now = self.clock.now();
        self.answer_stored(&asked.request, &arriving.head, Body::stream(reader), told, now)
    }

    /// What was announced to the leader is not there: a fault of ours.
    fn lost(&self, status: CacheStatus) -> Response<Body> {
        self.refuse(&Refusal::Origin(OriginError::BadResponse("the response was gone".into())), status)
    }
}
