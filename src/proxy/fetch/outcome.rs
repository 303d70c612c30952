//! From what came of a fetch to the answer of one who waited for it.

use http::request::Parts;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use tokio::sync::oneshot;

use crate::message::body::Body;
use crate::message::cache_status::{CacheStatus, Forward, Forwarded};
use crate::message::outcome::CacheOutcome;
use crate::origin::OriginError;
use crate::policy::vary::{self, Selecting};
use crate::proxy::Asked;
use crate::proxy::Proxy;
use crate::proxy::cache::lookup::Stored;
use crate::proxy::fetch::flight::{Arrival, Arriving, Cause, Landing};
use crate::proxy::fetch::run::Share;
use crate::proxy::fetch::shared_body::Reader;
use crate::proxy::refusal::Refusal;
use crate::proxy::respond::forbid_storing;
use crate::store::CacheKey;
use crate::telemetry::counters::Count;

/// The key that a follower selects if it is not the variant that the leader's request brought.
pub(crate) fn other_variant(landing: &Landing, follower: &Asked, leader: &Parts) -> Option<CacheKey> {
    let head = match landing {
        Landing::Stored(stored, _) | Landing::Covered(stored, _) => stored.head(),
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
    pub(crate) async fn led(
        &self,
        asked: &Asked,
        landing: Landing,
        mut share: oneshot::Receiver<Share>,
        why: Forward,
    ) -> Response<Body> {
        let forwarded = Forwarded::because(why);
        if !matches!(landing, Landing::Arriving(_) | Landing::NotShared) {
            let answer = self.shared(asked, landing, forwarded);
            let mut answer = answer.unwrap_or_else(|| self.lost(forwarded));
            if let Ok(Share::Withheld(fields)) = share.try_recv() {
                give(&mut answer, fields);
            }
            return answer;
        }
        match (share.await, landing) {
            (Ok(Share::Reader(reader, fields)), Landing::Arriving(arriving)) => {
                let mut answer = self.arriving(asked, &arriving, reader, forwarded);
                give(&mut answer, fields);
                answer
            }
            (Ok(Share::Whole(response, reason)), _) => {
                let (count, outcome) = match reason.is_planned() {
                    true => (Count::Bypassed, CacheOutcome::Bypass(Some(reason))),
                    false => (Count::Misses, CacheOutcome::Miss(Some(reason))),
                };
                self.counters.add(count);
                let mut response = self.answer_passed(response, CacheStatus::new(outcome, forwarded));
                if reason.is_planned() {
                    forbid_storing(response.headers_mut());
                }
                // A HEAD that was fetched as a GET gets no body.
                if asked.request.method == http::Method::HEAD {
                    *response.body_mut() = Body::Empty;
                }
                response
            }
            (Ok(Share::Confirmed(stored)), _) => self.confirmed(asked, &stored, forwarded),
            _ => self.lost(forwarded),
        }
    }

    /// Answers the follower `asked` with `landing`; `None` if there is nothing in it for others than the leader.
    pub(crate) fn followed(&self, asked: &Asked, landing: Landing, why: Forward) -> Option<Response<Body>> {
        let forwarded = Forwarded { collapsed: true, ..Forwarded::because(why) };
        self.shared(asked, landing, forwarded)
    }

    fn shared(&self, asked: &Asked, landing: Landing, forwarded: Forwarded) -> Option<Response<Body>> {
        match landing {
            Landing::Stored(stored, arrival) => {
                let forwarded = Forwarded { stored: true, ..forwarded };
                Some(match arrival {
                    Arrival::Fetched => {
                        self.counters.add(Count::Misses);
                        let status = CacheStatus::new(CacheOutcome::Miss(None), forwarded);
                        self.answer_from(asked, &stored, status)
                    }
                    Arrival::Validated => self.confirmed(asked, &stored, forwarded),
                })
            }
            // It may have turned out too large by now: then it began without this reader.
            Landing::Arriving(arriving) => {
                let reader = arriving.body.reader()?;
                Some(self.arriving(asked, &arriving, reader, forwarded))
            }
            Landing::Covered(stored, cause) => Some(self.covering(asked, &stored, &cause, forwarded)),
            Landing::Failed(error) => Some(self.refuse(&Refusal::Origin(error), forwarded)),
            Landing::NotShared => None,
        }
    }

    /// The answer with what covers an origin error.
    pub(crate) fn covering(
        &self,
        asked: &Asked,
        stored: &Stored,
        cause: &Cause,
        mut forwarded: Forwarded,
    ) -> Response<Body> {
        self.counters.add(Count::StaleOnError);
        if let Cause::Status(status) = cause {
            forwarded.status = Some(status.as_u16());
        }
        let outcome = CacheOutcome::Stale(cause.stale_reason());
        self.answer_from(asked, stored, CacheStatus::new(outcome, forwarded))
    }

    /// The answer with what a 304 confirmed.
    fn confirmed(&self, asked: &Asked, stored: &Stored, forwarded: Forwarded) -> Response<Body> {
        self.counters.add(Count::Revalidated);
        let forwarded = Forwarded { status: Some(304), ..forwarded };
        self.answer_from(asked, stored, CacheStatus::new(CacheOutcome::Revalidated, forwarded))
    }

    fn arriving(
        &self,
        asked: &Asked,
        arriving: &Arriving,
        reader: Reader,
        forwarded: Forwarded,
    ) -> Response<Body> {
        self.counters.add(Count::Misses);
        let forwarded = Forwarded { stored: true, ..forwarded };
        let status = CacheStatus::new(CacheOutcome::Miss(None), forwarded);
        let now = self.clock.now();
        self.answer_stored(&asked.request, &arriving.head, Body::stream(reader), status, now)
    }

    /// What was announced to the leader is not there: a fault of ours.
    fn lost(&self, forwarded: Forwarded) -> Response<Body> {
        self.refuse(&Refusal::Origin(OriginError::BadResponse("the response was gone".into())), forwarded)
    }
}
