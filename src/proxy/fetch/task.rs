//! What one fetch is for.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::oneshot;

use super::flight::Flight;
use super::outcome::LeaderShare;
use crate::message::capture::is_incomplete;
use crate::policy::admission::Terms;
use crate::policy::stored::Variant;
use crate::proxy::cache::stored::{Found, Stored};
use crate::proxy::cache::write::WriteContext;
use crate::proxy::request::CacheRequest;
use crate::proxy::route::Route;
use crate::store::CacheKey;

/// One fetch: its flight, the stored response, and the terms of storing.
pub(super) struct Fetch {
    pub(super) flight: Arc<Flight>,
    pub(super) route: Arc<Route>,
    pub(super) primary: CacheKey,
    /// Key of the flight, and of its entries in the negative cache.
    pub(super) key: CacheKey,
    /// The stored response: it is validated, and covers origin errors.
    pub(super) stored: Option<Stored>,
    /// Stored variants, where the selected one is not stored. The origin is told their entity tags.
    pub(super) others: Vec<Variant>,
    /// The terms on which the response is stored.
    pub(super) terms: Terms,
    /// The stored response is not validated but replaced.
    pub(super) anew: bool,
    /// Where the leader waits. A validation in the background has none.
    pub(super) leader: Option<oneshot::Sender<LeaderShare>>,
}

impl Fetch {
    /// The fetch of `flight`, for `request` that found `found`.
    pub(super) fn new(
        request: &CacheRequest,
        found: &Found,
        flight: &Arc<Flight>,
        leader: Option<oneshot::Sender<LeaderShare>>,
    ) -> Self {
        Fetch {
            flight: Arc::clone(flight),
            route: Arc::clone(&request.route),
            primary: request.primary.clone(),
            key: found.key.clone(),
            stored: found.stored.as_ref().map(|(stored, _)| stored.clone()),
            others: found.variants.clone(),
            terms: request.terms(),
            anew: leader.is_some() && request.plan.force.is_some(),
            leader,
        }
    }

    /// Whether the response is an incomplete picture and the stored one is complete.
    pub(super) fn would_replace_complete(&self, response: &HeaderMap) -> bool {
        let stored = self.stored.as_ref().map(Stored::head);
        is_incomplete(response) && stored.is_some_and(|stored| !is_incomplete(&stored.fields))
    }

    /// Gives `share` to the leader, if there is one that has nothing yet.
    pub(super) fn give_leader(&mut self, share: LeaderShare) {
        if let Some(leader) = self.leader.take() {
            let _ = leader.send(share);
        }
    }

    /// What the response is stored for.
    pub(super) fn write_context(&self) -> WriteContext<'_> {
        let request = &self.flight.request;
        WriteContext {
            primary: &self.primary,
            request,
            sequence: self.flight.sequence,
            handles: &self.flight.handles,
            scope: self.route.scope(&request.uri),
            page: self.route.page(&request.uri),
        }
    }
}
