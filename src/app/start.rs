//! From a configuration to a running tintype.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::error::Error;
use super::generation::{self, Generation, Lasting, Running};
use super::planes::{ControlPlane, DataPlane, Doors};
use super::reload::Reloader;
use super::reloads::{Reloads, Request};
use super::shared::Shared;
use super::watch_files;
use crate::admin::{Control, NotReloaded, Reloaded};
use crate::clock::{Clock, Stopwatch};
use crate::config::{Config, Sources};
use crate::jobs::{CaptureClient, Jobs, warm};
use crate::listener::{Inherited, Listener, ServeReport};
use crate::store::{self, Store};
use crate::tasks::{self, Tasks};
use crate::telemetry::counters::Counters;

/// tintype at work.
pub struct App {
    /// Where the data plane listens.
    pub address: SocketAddr,
    /// Where the control plane listens, if there is one.
    pub admin_address: Option<SocketAddr>,
    pub(super) shared: Arc<Shared>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) data_plane: JoinHandle<Option<ServeReport>>,
    pub(super) control_plane: Option<JoinHandle<Option<ServeReport>>>,
    pub(super) stop_control: watch::Sender<bool>,
}

/// What a start has beside its configuration.
#[derive(Default)]
pub struct Beginning {
    /// Where the configuration came from; without it there is no reload.
    pub sources: Option<Sources>,
    /// Sockets that listen already.
    pub inherited: Inherited,
}

impl App {
    /// Starts everything that `config` names.
    ///
    /// # Errors
    /// Everything that keeps it from starting.
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::begin(config, clock, Beginning::default()).await
    }

    /// As [`start`](App::start), with what the process was given.
    ///
    /// # Errors
    /// As there.
    pub async fn begin(config: Config, clock: Arc<dyn Clock>, beginning: Beginning) -> Result<Self, Error> {
        let tasks = Tasks::default();
        Box::pin(tasks.scope(Self::compose(config, clock, beginning, tasks.clone()))).await
    }

    /// The owner of its tasks. For tests.
    #[doc(hidden)]
    pub fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    /// Reads the configuration again, and puts it in force if it is good.
    ///
    /// # Errors
    /// What is wrong with it. The one before stays in force.
    pub async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        self.shared.reload().await
    }

    /// Whether the data plane speaks TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.shared.current.load().config.server.tls.is_some()
    }

    async fn compose(
        config: Config,
        clock: Arc<dyn Clock>,
        beginning: Beginning,
        tasks: Tasks,
    ) -> Result<Self, Error> {
        let Beginning { sources, inherited } = beginning;
        let watched = sources.as_ref().filter(|_| config.watch);
        let watched = watched.map(|sources| (sources.clone(), watch_files::look_at_all(&config, sources)));
        // Listeners first: a taken port is the commonest fault, and costs no browser.
        let (listener, control) = bind(&config, inherited).await?;
        let (store, upstreams) = open(&config, &clock).await?;
        let listener = listener.listen()?;
        let control = control.map(Listener::listen).transpose()?;

        let (stop, stopping) = watch::channel(false);
        let lasting =
            Lasting { store, clock, counters: Arc::new(Counters::default()), stopping: stopping.clone() };
        let first = Generation::first(config, upstreams, &lasting)?;
        let captures = CaptureClient::new(first.for_captures(), listener.local_addr());
        let jobs = jobs(&first.config, &captures, &lasting.clock).await;
        let (shared, requests) = share(first, jobs, &lasting, tasks);
        spawn_warmer(&shared, captures, stopping.clone());

        let seen = Arc::clone(&shared) as Arc<dyn Control>;
        let doors = Doors::new(&shared.current.load().config, &seen, &shared.clock, &shared.jobs, None);
        let doors = Arc::new(ArcSwap::from_pointee(doors));
        let reloader = Reloader {
            shared: Arc::clone(&shared),
            lasting,
            doors: Arc::clone(&doors),
            data: listener.tuner(),
            control: control.as_ref().map(Listener::tuner),
            sources,
        };
        tasks::vital("reloader", is_told(&stopping), reloader.run(requests));
        if let Some((sources, known)) = watched {
            let watching = watch_files::run(Arc::clone(&shared), sources, known, stopping.clone());
            tasks::vital("config-watcher", is_told(&stopping), watching);
        }
        let (stop_control, control_stopping) = watch::channel(false);
        let data_plane = DataPlane { shared: Arc::clone(&shared), doors: Arc::clone(&doors) };
        Ok(App {
            address: listener.local_addr(),
            admin_address: control.as_ref().map(Listener::local_addr),
            shared,
            stop,
            data_plane: tasks::vital(
                "data-plane",
                is_told(&stopping),
                listener.serve(data_plane, stopped(stopping)),
            ),
            control_plane: control.map(|control| {
                let is_told = is_told(&control_stopping);
                let serving = control.serve(ControlPlane(doors), stopped(control_stopping));
                tasks::vital("control-plane", is_told, serving)
            }),
            stop_control,
        })
    }
}

/// The sockets of both planes.
async fn bind(config: &Config, inherited: Inherited) -> Result<(Listener, Option<Listener>), Error> {
    let listener = match inherited.data {
        Some(socket) => Listener::inherit(config.server.clone(), socket)?,
        None => Listener::bind(config.server.clone()).await?,
    };
    let control = match (&config.admin, inherited.control) {
        (Some(admin), Some(socket)) => Some(Listener::inherit(admin.listener.clone(), socket)?),
        (Some(admin), None) => Some(Listener::bind(admin.listener.clone()).await?),
        (None, _) => None,
    };
    Ok((listener, control))
}

/// The store and the origins. One that takes over from another process has its origins ready before it
/// makes the other one give up the cache folder.
async fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<(Arc<dyn Store>, Vec<Running>), Error> {
    let start = || generation::upstreams(&config.upstreams, &[], clock);
    if !config.server.reuse_port {
        let store = store::open(&config.store).await?;
        return Ok((store, start()?));
    }
    let upstreams = start()?;
    for upstream in &upstreams {
        upstream.ready().await?;
    }
    Ok((store::open(&config.store).await?, upstreams))
}

/// What both planes work with, and the requests for reloads.
fn share(
    first: Generation,
    jobs: Arc<Jobs>,
    lasting: &Lasting,
    tasks: Tasks,
) -> (Arc<Shared>, mpsc::Receiver<Request>) {
    let config = &first.config;
    let warms = config.warm.hold_ready && !config.warm.is_empty();
    let (to_reloader, requests) = mpsc::channel(1);
    let shared = Shared {
        current: ArcSwap::from_pointee(first),
        store: Arc::clone(&lasting.store),
        counters: Arc::clone(&lasting.counters),
        clock: Arc::clone(&lasting.clock),
        up: Stopwatch::start(),
        jobs,
        reloads: Arc::new(Reloads::default()),
        retiring: Mutex::default(),
        warming: AtomicBool::new(warms),
        to_reloader,
        tasks,
    };
    (Arc::new(shared), requests)
}

/// The jobs, with those of an earlier process.
async fn jobs(config: &Config, captures: &Arc<CaptureClient>, clock: &Arc<dyn Clock>) -> Arc<Jobs> {
    let jobs = Jobs::new(config.jobs.clone(), Arc::clone(captures), Arc::clone(clock));
    let resumed = Arc::clone(&jobs);
    // Before anybody is let in, who would be told that an earlier job is not known.
    if let Err(error) = tokio::task::spawn_blocking(move || resumed.resume()).await {
        tracing::error!(%error, "the jobs of an earlier process could not be taken up");
    }
    jobs
}

fn spawn_warmer(shared: &Arc<Shared>, captures: Arc<CaptureClient>, stopping: watch::Receiver<bool>) {
    let first = shared.current.load();
    let (config, upstreams, shared) =
        (first.config.warm.clone(), first.upstreams.clone(), Arc::clone(shared));
    let origins = async move {
        for upstream in &upstreams {
            // A browser that does not come is logged there.
            let _ = upstream.ready().await;
        }
    };
    tasks::spawn("warmer", async move {
        warm::run(config, &captures, origins, || shared.is_warm(), stopping).await;
    });
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the app; without it there is nobody left to serve for.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Whether what listens to `stop` has been told to end.
fn is_told(stop: &watch::Receiver<bool>) -> impl Fn() -> bool + Send + 'static {
    let stop = stop.clone();
    move || *stop.borrow()
}
