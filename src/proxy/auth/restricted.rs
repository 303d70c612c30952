//! What a request gets that may not ask the origin: what is stored, or nothing.

use super::Leave;
use crate::message::cache_status::{CacheStatus, Forward};
use crate::policy::directives::RequestDirectives;
use crate::policy::reuse::{Reuse, StaleUse};
use crate::policy::signing::Render;
use crate::proxy::lookup::Found;
use crate::proxy::respond::{Told, Verdict};
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
        let stored = found.stored.as_ref().and_then(|(stored, tier)| Some((stored, tier, stored.head()?)));
        let Some((stored, tier, head)) = stored else { return Step::Forward(Forward::UriMiss) };
        let told = |verdict, detail| {
            Told::new(verdict, CacheStatus { hit: true, detail: Some(detail), ..CacheStatus::default() })
        };
        match asked.plan.decide(head, &RequestDirectives::default(), self.clock.now()) {
            Reuse::Fresh => Step::Answer(stored, told(Verdict::Hit, tier.name())),
            Reuse::Stale(StaleUse::WhileRevalidate) => {
                Step::Answer(stored, told(Verdict::Stale, "stale-while-revalidate"))
            }
            _ if asked.leave.render == Render::Stale && !head.must_revalidate && !head.no_cache => {
                Step::Answer(stored, told(Verdict::Stale, "max-stale"))
            }
            _ => Step::Forward(Forward::Stale),
        }
    }
}
