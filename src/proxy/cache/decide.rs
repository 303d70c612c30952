//! Decides whether a stored response answers a request (RFC 9111 section 4).

use super::Cache;
use super::negative::Negative;
use super::stored::{Found, Stored};
use crate::message::cache_status::Forward;
use crate::message::outcome::{CacheOutcome, StaleReason};
use crate::policy::directives::RequestDirectives;
use crate::policy::reuse::{self, MustValidate, Reuse, StaleUse};
use crate::policy::signing::Render;
use crate::proxy::request::CacheRequest;

/// What to do with what a look-up found.
pub(crate) enum Decision<'a> {
    /// Answer with the stored response.
    Serve {
        stored: &'a Stored,
        outcome: CacheOutcome,
        /// Validate it in the background too.
        revalidate: bool,
    },
    /// Ask the origin.
    Forward(Forward),
}

impl<'a> Decision<'a> {
    fn serve(stored: &'a Stored, outcome: CacheOutcome) -> Self {
        Decision::Serve { stored, outcome, revalidate: false }
    }

    fn stale(stored: &'a Stored, reason: StaleReason, revalidate: bool) -> Self {
        Decision::Serve { stored, outcome: CacheOutcome::Stale(reason), revalidate }
    }
}

impl Cache {
    /// What to do with what was found. Counts and changes nothing.
    pub(crate) fn decide<'a>(&self, request: &CacheRequest, found: &'a Found) -> Decision<'a> {
        if request.leave.is_restricted() {
            return self.decide_restricted(request, found);
        }
        let Some((stored, tier)) = &found.stored else {
            return Decision::Forward(if request.plan.refused.is_some() {
                Forward::Bypass
            } else if found.variants.is_empty() {
                Forward::UriMiss
            } else {
                Forward::VaryMiss
            });
        };
        let (head, now) = (stored.head(), self.clock.now());
        match request.plan.decide(head, &request.directives, now) {
            Reuse::Fresh => Decision::serve(stored, CacheOutcome::Hit(*tier)),
            Reuse::Stale(StaleUse::MaxStale) => Decision::stale(stored, StaleReason::MaxStale, false),
            Reuse::Stale(StaleUse::WhileRevalidate) => {
                // An origin that failed just now is not asked again for each request in the window.
                let failed = self.negative.get(&found.key, now).is_some_and(Negative::failed_just_now);
                Decision::stale(stored, StaleReason::WhileRevalidate, !failed)
            }
            Reuse::Validate(why) => {
                if let Some(Negative::OriginFailed { answered, just_now }) =
                    self.negative.get(&found.key, now)
                    && why == MustValidate::Stale
                    && reuse::covers_error(head, answered, now)
                {
                    return Decision::stale(stored, StaleReason::IfError, !just_now);
                }
                let stale = head.current_age(now) >= head.lifetime;
                Decision::Forward(match why {
                    MustValidate::Request if !stale => Forward::Request,
                    _ => Forward::Stale,
                })
            }
        }
    }

    /// The decision for a request that may not ask the origin: nothing that it says leads to a
    /// fetch. `Forward` is then refused by [`Leave::may_ask`](crate::proxy::auth). A response that
    /// the origin forbids to be used stale is not used (RFC 9111 section 4.2.4).
    fn decide_restricted<'a>(&self, request: &CacheRequest, found: &'a Found) -> Decision<'a> {
        let Some((stored, tier)) = &found.stored else { return Decision::Forward(Forward::UriMiss) };
        let head = stored.head();
        match request.plan.decide(head, &RequestDirectives::default(), self.clock.now()) {
            Reuse::Fresh => Decision::serve(stored, CacheOutcome::Hit(*tier)),
            Reuse::Stale(StaleUse::WhileRevalidate) => {
                Decision::stale(stored, StaleReason::WhileRevalidate, false)
            }
            _ if request.leave.render == Render::Stale && !head.must_revalidate && !head.no_cache => {
                Decision::stale(stored, StaleReason::MaxStale, false)
            }
            _ => Decision::Forward(Forward::Stale),
        }
    }
}
