//! The two planes as the listeners see them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};

use super::generation::Generation;
use super::shared::Shared;
use crate::admin::webhook::{self, Webhook};
use crate::admin::{self, Admin, Control};
use crate::clock::{Clock, Stopwatch};
use crate::config::Config;
use crate::jobs::{Arrived, Jobs, Plane};
use crate::listener::{Handler, Peer};
use crate::message::body::Body;
use crate::message::plain::Plain;
use crate::policy::public_url;
use crate::proxy::fast_path;
use crate::telemetry::access::Exchange;

/// What is beside the data plane's routes: who may use the control plane, and the webhook. A reload replaces it.
pub(super) struct Doors {
    admin: Option<Admin>,
    webhook: Option<(webhook::Config, Arc<Webhook>)>,
    /// What of the control plane is on the data plane, and whether jobs and the webhook are.
    shared: Admin,
    jobs_on_data: bool,
    webhook_on_data: bool,
}

impl Doors {
    /// As `config` has them; the webhook of `before` goes on where it is the same, with the signatures that it has seen.
    pub(super) fn new(
        config: &Config,
        control: &Arc<dyn Control>,
        clock: &Arc<dyn Clock>,
        jobs: &Arc<Jobs>,
        before: Option<&Doors>,
    ) -> Self {
        let webhook = config.webhook.clone().map(|config| {
            let known = before.and_then(|before| before.webhook.as_ref());
            let known =
                known.filter(|(known, _)| (&known.secret, known.window) == (&config.secret, config.window));
            let webhook = known.map(|(_, webhook)| Arc::clone(webhook));
            let webhook = webhook
                .unwrap_or_else(|| Webhook::new(config.clone(), Arc::clone(control), Arc::clone(clock)));
            (config, webhook)
        });
        let on_control = webhook.as_ref().filter(|(config, _)| config.on_control);
        let on_control = on_control.map(|(_, webhook)| Arc::clone(webhook));
        let (admin, places) = (config.admin.as_ref(), config.compat);
        let on_data = webhook.as_ref().filter(|(config, _)| config.on_data);
        let on_data = on_data.map(|(_, webhook)| Arc::clone(webhook));
        let (jobs_on_data, webhook_on_data) = (config.jobs.on_data, on_data.is_some());
        let shared = Admin::new(Arc::clone(control), admin, on_data, Arc::clone(jobs), jobs_on_data, places);
        let admin = admin.map(|admin| {
            let batch = config.jobs.on_control;
            Admin::new(Arc::clone(control), Some(admin), on_control, Arc::clone(jobs), batch, places)
        });
        Doors { admin, webhook, shared, jobs_on_data, webhook_on_data }
    }

    /// Whether a request on the data plane is for what of the control plane is there.
    fn is_shared(&self, config: &Config, request: &Request<Body>) -> bool {
        config.compat.is_on_data(request.method(), request.uri())
            || self.jobs_on_data && admin::is_for_jobs(request.uri())
            || self.webhook_on_data && request.uri().path() == webhook::WEBHOOK
    }
}

/// The data plane.
#[derive(Clone)]
pub(super) struct DataPlane {
    pub(super) shared: Arc<Shared>,
    pub(super) doors: Arc<ArcSwap<Doors>>,
}

impl DataPlane {
    async fn answer(&self, now: &Generation, mut request: Request<Body>, peer: Peer) -> Response<Body> {
        let address = peer.address.ip();
        if request.method().as_str() == "PURGE" && now.purger.allows(address) {
            return admin::purge::by_method(&*self.shared, request).await;
        }
        let doors = self.doors.load();
        if doors.is_shared(&now.config, &request) {
            let doors = arc_swap::Guard::into_inner(doors);
            let arrived = Arrived::new(Plane::Data, &request, peer);
            request.extensions_mut().insert(arrived);
            return doors.shared.handle_on_data(request).await;
        }
        now.proxy.handle(request, address, peer.tls).await
    }
}

impl Handler for DataPlane {
    async fn handle(&self, mut request: Request<Body>, mut peer: Peer) -> Response<Body> {
        // What was in force when the request came answers it. A guard costs a hit, which ends at once, next to nothing.
        let now = self.shared.current.load();
        // Whose request is it, where a proxy in front of us is trusted to say so?
        if let Some(chain) = now.config.trust.chain(peer.address.ip(), request.headers()) {
            peer.address.set_ip(chain.client());
            let said = public_url::said(&now.config.trust, &chain, request.headers());
            request.extensions_mut().insert(said);
            request.extensions_mut().insert(chain);
        }
        let exchange = Exchange::begin(&request, peer.address);
        let response = self.answer(&now, request, peer).await;
        now.access.end(exchange, response)
    }

    fn short(&self, plain: &Plain<'_>, peer: Peer, head: &mut Vec<u8>) -> Option<Bytes> {
        let started = Stopwatch::start();
        let now = self.shared.current.load();
        let answer = now.proxy.short(plain, head)?;
        let sent = (answer.status, answer.body.len() as u64);
        let mut client = peer.address;
        if let Some(chain) = now.config.trust.chain_in(client.ip(), |name| plain.lines(name)) {
            client.set_ip(chain.client());
        }
        now.access.answered(started, plain.target, client, fast_path::Answer::OUTCOME, sent);
        Some(answer.body)
    }
}

/// The control plane.
#[derive(Clone)]
pub(super) struct ControlPlane(pub(super) Arc<ArcSwap<Doors>>);

impl Handler for ControlPlane {
    async fn handle(&self, mut request: Request<Body>, peer: Peer) -> Response<Body> {
        let doors = self.0.load_full();
        match &doors.admin {
            Some(admin) => {
                let arrived = Arrived::new(Plane::Control, &request, peer);
                request.extensions_mut().insert(arrived);
                admin.handle(request).await
            }
            // Whoever has no control plane has no listener for it.
            None => Response::new(Body::Empty),
        }
    }
}
