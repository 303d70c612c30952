//! What exchanges that pass by say of what is stored: unsafe methods invalidate, a HEAD freshens or spoils, the answer to a POST may be one that
//! GETs are answered with.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, Uri};
use tokio::sync::oneshot;
use url::Url;

use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::cache_status::Forward;
use crate::policy::stored::StoredResponse;
use crate::policy::validation::HeadSays;
use crate::policy::{groups, invalidation, validation};
use crate::proxy::Asked;
use crate::proxy::Proxy;
use crate::proxy::cache::lookup::Stored;
use crate::proxy::cache::write::Place;
use crate::proxy::fetch::flight::Flight;
use crate::proxy::fetch::run::{Answer, Fetch};
use crate::proxy::route::Route;
use crate::store::{Handle, Scope};

impl Proxy {
    /// A flight for a POST that is about to be sent, so that what is invalidated before its answer comes is known to concern it.
    pub(crate) fn begin_post(&self, route: &Route, request: &Parts, peer: IpAddr) -> Arc<Flight> {
        let handles = self.search.handles(route, &request.uri);
        let flight = Flight::new(request.clone(), peer, self.store.next_sequence(), handles);
        self.flights.watch(&flight);
        flight
    }

    /// Makes unusable what an unsafe method spoiled, in the store and in flight (RFC 9111 section 4.4).
    pub(crate) async fn invalidate(
        self: &Arc<Self>,
        method: &http::Method,
        target: &Uri,
        status: StatusCode,
        answered: HeaderMap,
    ) {
        let mut targets = vec![target.clone()];
        if let Ok(url) = Url::parse(&target.to_string()) {
            let spoiled = invalidation::invalidated(method, &url, status, &answered);
            targets.extend(spoiled.iter().filter_map(|url| url.as_str().parse::<Uri>().ok()));
        }
        targets.dedup();
        if let Some(route) = self.routes.find(target) {
            for group in groups::invalidated(method, status, &answered) {
                self.purge_durably(Handle::of_group(&route.scope(target), &group)).await;
            }
        }
        for target in targets {
            // What it points to may be another route's.
            let Some(route) = self.routes.find(&target) else { continue };
            for (key, handle) in self.search.names(route, &target) {
                // Only what is there needs an entry in the ledger; else any client could fill it.
                let there = self.store.get_memory(key.as_bytes()).is_some()
                    || self.flights.any(|flight| flight.handles.contains(&handle))
                    || self.store.get_disk(&key).await.is_some();
                if there {
                    self.purge_durably(handle).await;
                }
            }
        }
    }

    async fn purge_durably(&self, handle: Handle) {
        let store = Arc::clone(&self.store);
        // The ledger waits for the disk.
        let purged = tokio::task::spawn_blocking(move || store.purge(Scope::Handle(handle))).await;
        if !matches!(purged, Ok(Ok(()))) {
            tracing::error!("an invalidation could not be made durable");
        }
    }

    /// Updates the stored GET response that a HEAD's 200 speaks of, or makes it stale (RFC 9111 section 4.3.5). Gives the
    /// updated one if the 200 confirms it.
    pub(crate) async fn heed_head(
        &self,
        asked: &Asked,
        stored: &Stored,
        said: &HeaderMap,
        sequence: u64,
        sent: Timestamp,
    ) -> Option<Stored> {
        // What was purged or replaced meanwhile must not come back.
        let found = self.look_up(&asked.primary, &asked.request).await;
        if found.stored.is_none_or(|(now, _)| now.record().sequence != stored.record().sequence) {
            return None;
        }
        let (head, body) = (stored.head(), stored.body());
        let says = validation::by_head(head, body.len() as u64, said);
        let head = match says {
            HeadSays::Same => {
                let (fields, now) = (&asked.request.headers, self.clock.now());
                let terms = asked.route.terms_for(asked.plan);
                match validation::freshen(head, said, fields, sent, now, &terms) {
                    Ok(fresh) => fresh,
                    Err(_) => {
                        // As after a 304: gone, unless it was this request alone that forbade to store it.
                        let anybody = HeaderMap::new();
                        if validation::freshen(head, said, &anybody, sent, now, &terms).is_err() {
                            self.store.remove(&found.key);
                        }
                        return None;
                    }
                }
            }
            HeadSays::Other => StoredResponse { lifetime: std::time::Duration::ZERO, ..head.clone() },
        };
        let handles = &stored.record().handles;
        let scope = asked.route.scope(&asked.request.uri);
        let page = asked.route.page(&asked.request.uri);
        let place =
            Place { primary: &asked.primary, request: &asked.request, sequence, handles, scope, page };
        let updated = self.keep_as_is(place, head, body.clone()).await;
        (says == HeadSays::Same).then_some(updated)
    }

    /// Takes in the answer to a POST that later GETs may be answered with (RFC 9110 section 9.3.3).
    pub(crate) async fn take_in_post(
        self: &Arc<Self>,
        asked: Asked,
        response: Response<Body>,
        sent: Timestamp,
    ) -> Response<Body> {
        let handles =
            asked.route.handles(asked.primary.as_bytes(), &asked.request.uri, asked.wishes.page.as_ref());
        // After what the POST invalidated.
        let sequence = self.store.next_sequence();
        let flight = Flight::new(asked.request.clone(), asked.peer, sequence, handles);
        let (leader, share) = oneshot::channel();
        let fetch = Fetch {
            flight: Arc::clone(&flight),
            route: Arc::clone(&asked.route),
            primary: asked.primary.clone(),
            key: asked.primary.clone(),
            stored: None,
            others: Vec::new(),
            terms: asked.route.terms_for(asked.plan),
            anew: true,
            leader: Some(leader),
        };
        self.launch_with(fetch, Some(Answer::new(response, sent, self.clock.now())));
        let landing = flight.landing().await;
        self.led(&asked, landing, share, Forward::Method).await
    }
}
