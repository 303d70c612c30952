//! What a request gets that may not ask the origin: what is stored, or nothing.

use super::Leave;
use crate::message::cache_status::Forward;
use crate::message::outcome::{CacheOutcome, StaleReason};
use crate::policy::directives::RequestDirectives;
use crate::policy::reuse::{Reuse, StaleUse};
use crate::policy::signing::Render;
use crate::proxy::cache::lookup::Found;
use crate::proxy::{Asked, Proxy, Step};

impl Leave {
    /// Whether it may have the origin asked at all.
    pub(in crate::proxy) fn is_restricted(&self) -> bool {
        self.render != Render::Allow
    }
}

impl Proxy {
    /// As [`weigh`](Self::weigh), but nothing that is answered leads to a fetch, whatever the request says. A `Forward` is then refused by
    /// [`Leave::may_ask`]. What the origin forbids to be used stale is not (RFC 9111 section 4.2.4).
    pub(in crate::proxy) fn weigh_stored<'a>(&self, asked: &Asked, found: &'a Found) -> Step<'a> {
        let Some((stored, tier)) = &found.stored else { return Step::Forward(Forward::UriMiss) };
        let head = stored.head();
        match asked.plan.decide(head, &RequestDirectives::default(), self.clock.now()) {
            Reuse::Fresh => Step::Answer(stored, CacheOutcome::Hit(*tier)),
            Reuse::Stale(StaleUse::WhileRevalidate) => {
                Step::Answer(stored, CacheOutcome::Stale(StaleReason::WhileRevalidate))
            }
            _ if asked.leave.render == Render::Stale && !head.must_revalidate && !head.no_cache => {
                Step::Answer(stored, CacheOutcome::Stale(StaleReason::MaxStale))
            }
            _ => Step::Forward(Forward::Stale),
        }
    }
}
