//! Asking again for what is stored, without a client: after a soft purge, in the background.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;

use http_body::Body as _;

use crate::message::body::Body;
use crate::message::class::Class;
use crate::policy::asking::Again;
use crate::policy::directives::RequestDirectives;
use crate::policy::reuse::Reuse;
use crate::proxy::Proxy;
use crate::proxy::fetch::flight::{Flight, Landing, Part};
use crate::proxy::fetch::run::Fetch;
use crate::proxy::reading;

impl Proxy {
    /// Asks the origin for what `again` asks for, unless a fresh one is stored, and waits until it is stored, or is not. True if what is stored
    /// is then fresh.
    pub async fn refresh(self: &Arc<Self>, again: &Again) -> bool {
        let Some(mut request) = again.to_request() else { return false };
        request.extensions.insert(Class::Refresh);
        let Some(route) = self.routes.find(&request.uri).map(Arc::clone) else { return false };
        let limit = self.config.max_request_body;
        let Ok((reading, _)) = reading::read(&route, &mut request, Body::Empty, limit).await else {
            return false;
        };
        let asked = self.asked(route, request, IpAddr::V4(Ipv4Addr::LOCALHOST), reading);
        let found = self.look_up(&asked.primary, &asked.request).await;
        let any = RequestDirectives::default();
        if let Some((stored, _)) = &found.stored
            && asked.plan.decide(stored.head(), &any, self.clock.now()) == Reuse::Fresh
        {
            return true;
        }
        match self.join(&asked, &found) {
            Part::Landed(_) => true,
            Part::Follower(flight) => landed(&flight).await,
            Part::Leader(flight) => {
                self.launch(Fetch {
                    flight: Arc::clone(&flight),
                    terms: asked.route.terms_for(asked.plan),
                    anew: false,
                    route: asked.route,
                    primary: asked.primary,
                    key: found.key,
                    stored: found.stored.map(|(stored, _)| stored),
                    others: found.variants,
                    leader: None,
                });
                landed(&flight).await
            }
        }
    }

    /// Waits until no more than `ours` fetches are under way: those of clients go first.
    pub async fn yield_to_clients(&self, ours: usize) {
        // The sender is our own.
        let _ = self.under_way.subscribe().wait_for(|fetches| *fetches <= ours).await;
    }

    /// Waits until no client waits for a fetch.
    pub async fn yield_to_waiting(&self) {
        // The sender is our own.
        let _ = self.awaited.subscribe().wait_for(|fetches| *fetches == 0).await;
    }
}

/// Whether what a flight brings is stored. Waits for the whole body.
async fn landed(flight: &Flight) -> bool {
    match flight.landing().await {
        Landing::Stored(..) => true,
        Landing::Arriving(arriving) => {
            let Some(mut reader) = arriving.body.reader() else { return false };
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut reader).poll_frame(cx)).await {
                if frame.is_err() {
                    return false;
                }
            }
            true
        }
        Landing::Covered(..) | Landing::Failed(_) | Landing::NotShared => false,
    }
}
