//! The response to a request that a fetch was made for, or that waited for one.

use http::{HeaderMap, HeaderName, Method, Response, StatusCode, header};

use super::{Responder, forbid_storing};
use crate::message::body::Body;
use crate::message::cache_status::{CacheStatus, Forward, Forwarded};
use crate::message::outcome::{CacheOutcome, Tier};
use crate::origin::OriginError;
use crate::policy::admission::NotStored;
use crate::proxy::cache::stored::Stored;
use crate::proxy::fetch::outcome::{Cause, Delivery, Fetched};
use crate::proxy::refusal::Refusal;
use crate::proxy::request::CacheRequest;
use crate::telemetry::counters::Count;

impl Responder {
    /// The response to `request`, which was forwarded because of `why`.
    pub(crate) fn fetched(&self, request: &CacheRequest, fetched: Fetched, why: Forward) -> Response<Body> {
        let forwarded = Forwarded { collapsed: fetched.collapsed, ..Forwarded::because(why) };
        let stored = Forwarded { stored: true, ..forwarded };
        let mut response = match fetched.delivery {
            Delivery::Landed(stored) => {
                let outcome = CacheOutcome::Hit(Tier::Memory);
                self.count_stored(request, &stored, outcome);
                self.stored(&request.head, &stored, CacheStatus::without_forward(outcome))
            }
            Delivery::Stored(response) => {
                self.counters.add(Count::Misses);
                let status = CacheStatus::new(CacheOutcome::Miss(None), stored);
                self.stored(&request.head, &response, status)
            }
            Delivery::Arriving(arriving, reader) => {
                self.counters.add(Count::Misses);
                let status = CacheStatus::new(CacheOutcome::Miss(None), stored);
                self.respond(&request.head, &arriving.head, Body::stream(reader), status)
            }
            Delivery::Confirmed { response, stored } => {
                self.counters.add(Count::Revalidated);
                let forwarded = Forwarded { status: Some(304), stored, ..forwarded };
                self.stored(&request.head, &response, CacheStatus::new(CacheOutcome::Revalidated, forwarded))
            }
            Delivery::Covered(stored, cause) => self.covering(request, &stored, &cause, forwarded),
            Delivery::NotStored(response, reason) => self.not_stored(request, response, reason, forwarded),
            Delivery::Bypassed(answered) => {
                let mut response = self.bypassed(answered, forwarded);
                if request.plan.refused.is_some() && !is_error(&response) {
                    forbid_storing(response.headers_mut());
                }
                response
            }
            Delivery::Failed(error) => self.refuse(&Refusal::Origin(error), forwarded),
        };
        give_withheld(&mut response, fetched.withheld);
        response
    }

    /// The response to a request that bypassed the cache.
    pub(crate) fn bypassed(
        &self,
        answered: Result<Response<Body>, OriginError>,
        forwarded: Forwarded,
    ) -> Response<Body> {
        self.counters.add(Count::Bypassed);
        match answered {
            Ok(response) => self.passed(response, CacheStatus::new(CacheOutcome::Bypass(None), forwarded)),
            Err(error) => self.refuse(&Refusal::Origin(error), forwarded),
        }
    }

    fn not_stored(
        &self,
        request: &CacheRequest,
        response: Response<Body>,
        reason: NotStored,
        forwarded: Forwarded,
    ) -> Response<Body> {
        let (count, outcome) = match reason.is_planned() {
            true => (Count::Bypassed, CacheOutcome::Bypass(Some(reason))),
            false => (Count::Misses, CacheOutcome::Miss(Some(reason))),
        };
        self.counters.add(count);
        let mut response = self.passed(response, CacheStatus::new(outcome, forwarded));
        if reason.is_planned() {
            forbid_storing(response.headers_mut());
        }
        // A HEAD that was fetched as a GET gets no body.
        if request.head.method == Method::HEAD {
            *response.body_mut() = Body::Empty;
        }
        response
    }

    /// The response from a stale response that covers an origin error.
    fn covering(
        &self,
        request: &CacheRequest,
        stored: &Stored,
        cause: &Cause,
        mut forwarded: Forwarded,
    ) -> Response<Body> {
        self.counters.add(Count::StaleOnError);
        if let Cause::Status(status) = cause {
            forwarded.status = Some(status.as_u16());
        }
        let outcome = CacheOutcome::Stale(cause.stale_reason());
        self.stored(&request.head, stored, CacheStatus::new(outcome, forwarded))
    }
}

/// Whether tintype made the response itself.
fn is_error(response: &Response<Body>) -> bool {
    matches!(response.extensions().get(), Some(CacheOutcome::Error(_)))
}

/// Adds the fields that only the leader may have, without those that the response has already
/// (length, entity tag). A 304 gets cookies only.
fn give_withheld(response: &mut Response<Body>, fields: HeaderMap) {
    let is_304 = response.status() == StatusCode::NOT_MODIFIED;
    let is_given =
        |name: &HeaderName| *name == header::SET_COOKIE || !is_304 && *name != header::CONTENT_LENGTH;
    for name in fields.keys().filter(|name| is_given(name)) {
        if response.headers().contains_key(name) {
            continue;
        }
        for value in fields.get_all(name) {
            response.headers_mut().append(name.clone(), value.clone());
        }
    }
}
