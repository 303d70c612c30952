//! The two planes as the listeners see them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};

use super::Parts;
use super::generation::Generation;
use crate::admin::jobs::{Arrived, Jobs, Plane};
use crate::admin::webhook::{self, Webhook};
use crate::admin::{self, Admin, Control};
use crate::clock::{Clock, Stopwatch};
use crate::config::Config;
use crate::listener::{Handler, Peer};
use crate::message::body::Body;
use crate::message::plain::Plain;
use crate::policy::public_url;
use crate::proxy::fast_path;
use crate::telemetry::access::Exchange;

/// What is beside the data plane's routes: who may use the control plane, and the webhook. A reload replaces it.
pub(super) struct Doors {
    admin: Option<Arc<Admin>>,
    webhook: Option<(webhook::Config, Arc<Webhook>)>,
    /// What of the control plane is on the data plane, and whether jobs are.
    shared: Arc<Admin>,
    jobs_on_data: bool,
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
        let jobs_on = |there: bool| there.then(|| Arc::clone(jobs));
        let (admin, places) = (config.admin.as_ref(), config.compat);
        let shared = admin.and_then(|admin| admin.token.clone());
        let shared = Admin::new(Arc::clone(control), shared, None, jobs_on(config.jobs.on_data), places);
        let admin = admin.map(|admin| {
            let jobs = jobs_on(config.jobs.on_control);
            Admin::new(Arc::clone(control), admin.token.clone(), on_control, jobs, places)
        });
        Doors { admin, webhook, shared, jobs_on_data: config.jobs.on_data }
    }

    fn webhook_on_data(&self) -> Option<Arc<Webhook>> {
        let (config, webhook) = self.webhook.as_ref()?;
        config.on_data.then(|| Arc::clone(webhook))
    }
}

/// The data plane.
#[derive(Clone)]
pub(super) struct DataPlane {
    pub(super) parts: Arc<Parts>,
    pub(super) doors: Arc<ArcSwap<Doors>>,
}

impl DataPlane {
    async fn answer(&self, now: &Generation, mut request: Request<Body>, peer: Peer) -> Response<Body> {
        let address = peer.address.ip();
        if request.method().as_str() == "PURGE" && now.purges.allows(address) {
            return admin::purge::by_method(&*self.parts, request).await;
        }
        if request.uri().path() == webhook::PATH
            && let Some(webhook) = self.doors.load().webhook_on_data()
        {
            return webhook.handle(request).await;
        }
        if now.config.compat.is_on_data(request.method(), request.uri())
            || Jobs::is_for(request.uri().path()) && self.doors.load().jobs_on_data
        {
            let shared = Arc::clone(&self.doors.load().shared);
            let arrived = Arrived::new(Plane::Data, &request, peer);
            request.extensions_mut().insert(arrived);
            return shared.handle_on_data(request).await;
        }
        now.proxy.handle(request, address, peer.tls).await
    }
}

impl Handler for DataPlane {
    async fn handle(&self, mut request: Request<Body>, mut peer: Peer) -> Response<Body> {
        // What was in force when the request came answers it. A guard costs a hit, which ends at once, next to nothing.
        let now = self.parts.current.load();
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
        let now = self.parts.current.load();
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
