//! The composition root: a [`Config`] becomes parts, parts become listeners; and the order in which all of it ends.
//! `main`, tests and benches start here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::{Request, Response};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin::webhook::Webhook;
use crate::admin::{self, Admin, Control, Purge, PurgeError, Purged};
use crate::clock::{Clock, Stopwatch, SystemClock};
use crate::config::{Config, Upstream};
use crate::listener::{BindError, Handler, Listener, Peer, ServeReport};
use crate::message::body::Body;
use crate::message::plain::Plain;
use crate::origin::{Origin, chrome, remote};
use crate::policy::client::Trust;
use crate::proxy::lookup::Tier;
use crate::proxy::respond::{Outcome, Verdict};
use crate::proxy::route::Routes;
use crate::proxy::{self, Proxy, short};
use crate::store::{self, Store};
use crate::telemetry;
use crate::telemetry::access::{AccessLog, Answered, Exchange};
use crate::telemetry::counters::Counters;
use crate::telemetry::exposition::Sample;

mod figures;
pub mod purges;

use purges::Purges;

/// How long the end waits at least for fetches to be stored.
const LAST_FETCHES: Duration = Duration::from_secs(1);

/// Why tintype does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// A remote origin could not be set up.
    #[error("upstream `{name}`: {source}")]
    Remote {
        /// Its name in proxy.toml.
        name: String,
        /// Why.
        source: remote::Error,
    },
    /// The capture engine could not be set up.
    #[error("upstream `{name}`: {source}")]
    Chrome {
        /// Its name in proxy.toml.
        name: String,
        /// Why.
        source: chrome::StartError,
    },
    /// A route names an upstream that does not exist.
    #[error("no upstream is called `{0}`")]
    NoUpstream(String),
    /// The log filter cannot be read.
    #[error("log.level: {0}")]
    LogLevel(String),
    /// The system refuses to tell us of signals.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}

/// Serves until SIGTERM or SIGINT, then drains. Says on standard output where it listens.
///
/// # Errors
/// Everything that keeps it from starting.
pub async fn run(config: Config) -> Result<(), Error> {
    use tokio::signal::unix::{SignalKind, signal};
    telemetry::start(&config.log).map_err(|error| Error::LogLevel(error.to_string()))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let try_path = example_path(&config);
    let app = App::start(config, Arc::new(SystemClock)).await?;
    app.announce(&try_path);
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
        _ = interrupt.recv() => tracing::info!("SIGINT: draining"),
    }
    app.shutdown().await;
    Ok(())
}

/// tintype at work.
pub struct App {
    /// Where the data plane listens.
    pub address: SocketAddr,
    /// Where the control plane listens, if there is one.
    pub admin_address: Option<SocketAddr>,
    proxy: Arc<Proxy>,
    store: Arc<dyn Store>,
    origins: Vec<(String, Arc<dyn Origin>)>,
    drain_grace: Duration,
    stop: watch::Sender<bool>,
    data_plane: JoinHandle<ServeReport>,
    control_plane: Option<JoinHandle<ServeReport>>,
    stop_control: watch::Sender<bool>,
    secure: bool,
}

impl App {
    /// Starts everything that `config` names.
    ///
    /// # Errors
    /// Everything that keeps it from starting.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let ttl = figures::capture_ttl(&config);
        let trust = Arc::new(config.trust);
        // Listeners first: a taken port is the commonest fault, and costs no browser.
        let (secure, drain_grace) = (config.server.tls.is_some(), config.server.drain_grace);
        let listener = Listener::bind(config.server).await?;
        let control = match &config.admin {
            Some(admin) => Some((Listener::bind(admin.listener.clone()).await?, admin.token.clone())),
            None => None,
        };
        let store = store::open(&config.store).await?;
        let origins = origins(config.upstreams, &clock).await?;
        let routes = Routes::new(&config.proxy, |name| {
            let (_, origin, host) = origins.iter().find(|(known, ..)| known == name)?;
            Some((Arc::clone(origin), *host))
        })
        .map_err(Error::NoUpstream)?;
        let origins: Vec<_> = origins.into_iter().map(|(name, origin, _)| (name, origin)).collect();

        let counters = Arc::new(Counters::default());
        let proxy =
            Proxy::new(config.proxy, routes, Arc::clone(&store), Arc::clone(&clock), Arc::clone(&counters));
        let (stop, stopping) = watch::channel(false);
        let (stop_control, control_stopping) = watch::channel(false);
        let (address, admin_address) =
            (listener.local_addr(), control.as_ref().map(|(listener, _)| listener.local_addr()));
        let access = AccessLog::new(config.log.access, Arc::clone(&counters), Arc::clone(&clock));
        let purges = Purges::new(
            Arc::clone(&proxy),
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&counters),
            config.purge,
            stopping.clone(),
        );
        let parts = Arc::new(Parts {
            proxy: Arc::clone(&proxy),
            store: Arc::clone(&store),
            counters,
            origins: origins.clone(),
            purges,
            up: Stopwatch::start(),
            clock: Arc::clone(&clock),
            ttl,
        });
        let webhook = config.webhook.map(|webhook| {
            let (on_control, on_data) = (webhook.on_control, webhook.on_data);
            let webhook = Webhook::new(webhook, Arc::clone(&parts) as Arc<dyn Control>, clock);
            (on_control.then(|| Arc::clone(&webhook)), on_data.then_some(webhook))
        });
        let (on_control, on_data) = webhook.unwrap_or_default();
        let data_plane = DataPlane {
            proxy: Arc::clone(&proxy),
            access,
            parts: Arc::clone(&parts),
            webhook: on_data,
            trust,
        };
        let control_plane = control.map(|(listener, token)| {
            let admin = Admin::new(parts, token, on_control);
            tokio::spawn(listener.serve(ControlPlane(admin), stopped(control_stopping)))
        });
        Ok(App {
            address,
            admin_address,
            proxy,
            store,
            origins,
            drain_grace,
            stop,
            data_plane: tokio::spawn(listener.serve(data_plane, stopped(stopping))),
            control_plane,
            stop_control,
            secure,
        })
    }

    /// Ends in order: no new connections, current exchanges finish, fetches are stored, browsers go, the disk is flushed.
    pub async fn shutdown(self) {
        let stopping = Stopwatch::start();
        let _ = self.stop.send(true);
        match self.data_plane.await {
            Ok(report) => tracing::info!(?report, "data plane drained"),
            Err(error) => tracing::error!(%error, "data plane ended abnormally"),
        }
        self.proxy.stop_refreshing();
        // What an exchange ended with may still be on its way into the store, however long the others took.
        let left = self.drain_grace.saturating_sub(stopping.elapsed()).max(LAST_FETCHES);
        if tokio::time::timeout(left, self.proxy.settled()).await.is_err() {
            tracing::warn!(fetches = self.proxy.fetches_under_way(), "fetches were cut");
        }
        join_all(self.origins.iter().map(|(_, origin)| origin.shutdown())).await;
        self.store.close().await;
        // Last, so that health and figures can be asked for to the end.
        let _ = self.stop_control.send(true);
        if let Some(control_plane) = self.control_plane {
            let _ = control_plane.await;
        }
        tracing::info!("stopped");
    }

    fn announce(&self, try_path: &str) {
        let scheme = if self.secure { "https" } else { "http" };
        println!("tintype listens on {scheme}://{}", self.address);
        if let Some(admin) = self.admin_address {
            println!(
                "control plane on  http://{admin}  (/healthz /readyz /stats /metrics /explain /stored /purge)"
            );
        }
        println!("try: curl -sS -o picture -D - '{scheme}://{}{try_path}'", self.address);
    }
}

/// A path to try: a capture where there is a capture route.
fn example_path(config: &Config) -> String {
    match config.proxy.routes.iter().find(|route| route.capture) {
        Some(route) => format!("{}?url=https://example.com", route.path),
        None => config.proxy.routes.first().map_or("/".into(), |route| route.path.clone()),
    }
}

type Named = (String, Arc<dyn Origin>, bool);

/// Sets up every origin; the flag tells whether it is told the client's host.
async fn origins(upstreams: Vec<(String, Upstream)>, clock: &Arc<dyn Clock>) -> Result<Vec<Named>, Error> {
    let mut origins: Vec<Named> = Vec::with_capacity(upstreams.len());
    for (name, upstream) in upstreams {
        match upstream {
            Upstream::Remote(config) => {
                let told_host = config.preserve_host;
                let origin = remote::Remote::new(*config)
                    .map_err(|source| Error::Remote { name: name.clone(), source })?;
                origins.push((name, Arc::new(origin), told_host));
            }
            Upstream::Chrome(config) => {
                let engine = chrome::Engine::start(*config, Arc::clone(clock))
                    .map_err(|source| Error::Chrome { name: name.clone(), source })?;
                origins.push((name, engine, false));
            }
        }
    }
    Ok(origins)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the app; without it there is nobody left to serve for.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The data plane as the listener sees it.
#[derive(Clone)]
struct DataPlane {
    proxy: Arc<Proxy>,
    access: AccessLog,
    parts: Arc<Parts>,
    webhook: Option<Arc<Webhook>>,
    trust: Arc<Trust>,
}

impl DataPlane {
    async fn answer(&self, request: Request<Body>, peer: Peer) -> Response<Body> {
        let address = peer.address.ip();
        if request.method().as_str() == "PURGE" && self.parts.purges.allows(address) {
            return admin::purge::by_method(&*self.parts, request).await;
        }
        match &self.webhook {
            Some(webhook) if request.uri().path() == admin::webhook::PATH => webhook.handle(request).await,
            _ => self.proxy.handle(request, address, peer.tls).await,
        }
    }
}

impl Handler for DataPlane {
    async fn handle(&self, mut request: Request<Body>, mut peer: Peer) -> Response<Body> {
        // Whose request is it, where a proxy in front of us is trusted to say so?
        if let Some(chain) = self.trust.chain(peer.address.ip(), request.headers()) {
            peer.address.set_ip(chain.client());
            request.extensions_mut().insert(chain);
        }
        let exchange = Exchange::begin(&request, peer.address);
        let response = self.answer(request, peer).await;
        let answered = match response.extensions().get::<Outcome>() {
            Some(outcome) => Answered {
                cache: outcome.verdict.name(),
                detail: outcome.detail.unwrap_or("-"),
                served: Some(outcome.verdict.served(outcome.detail)),
            },
            None => Answered { cache: "-", detail: "-", served: None },
        };
        self.access.end(exchange, answered, response)
    }

    fn short(&self, plain: &Plain<'_>, peer: Peer, head: &mut Vec<u8>) -> Option<Bytes> {
        let started = Stopwatch::start();
        let answer = self.proxy.short(plain, head)?;
        let served = Some(short::Answer::SERVED);
        let answered = Answered { cache: Verdict::Hit.name(), detail: Tier::Memory.name(), served };
        let sent = (answer.status, answer.body.len() as u64);
        let mut client = peer.address;
        if let Some(chain) = self.trust.chain_in(client.ip(), |name| plain.lines(name)) {
            client.set_ip(chain.client());
        }
        self.access.answered(started, plain.target, client, answered, sent);
        Some(answer.body)
    }
}

/// The control plane as the listener sees it.
#[derive(Clone)]
struct ControlPlane(Arc<Admin>);

impl Handler for ControlPlane {
    async fn handle(&self, request: Request<Body>, _: Peer) -> Response<Body> {
        self.0.handle(request).await
    }
}

/// What the control plane controls.
struct Parts {
    proxy: Arc<proxy::Proxy>,
    store: Arc<dyn Store>,
    counters: Arc<Counters>,
    origins: Vec<(String, Arc<dyn Origin>)>,
    purges: Purges,
    up: Stopwatch,
    clock: Arc<dyn Clock>,
    /// How long a capture is fresh, for the forms of figures that say so.
    ttl: Option<Duration>,
}

impl Control for Parts {
    fn readiness(&self) -> Vec<(String, bool)> {
        // A disk tier that fails costs hits, not answers; it shows in the figures.
        self.origins.iter().map(|(name, origin)| (format!("upstream.{name}"), origin.is_ready())).collect()
    }

    fn stats(&self) -> Value {
        self.all_stats()
    }

    fn figures(&self) -> admin::stats::Figures {
        self.cache_figures()
    }

    fn samples(&self) -> Vec<Sample> {
        self.all_samples()
    }

    fn explain(&self, ask: admin::explain::Ask) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(self.explained(ask))
    }

    fn purge(&self, what: Purge) -> BoxFuture<'_, Result<Purged, PurgeError>> {
        Box::pin(self.purges.purge(what))
    }

    fn stored(&self, ask: &admin::stored::Ask) -> Result<admin::stored::Page, PurgeError> {
        self.purges.stored(ask)
    }

    fn drop_useless(&self) -> BoxFuture<'_, u64> {
        Box::pin(self.purges.drop_useless())
    }
}
