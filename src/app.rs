//! The composition root: a [`Config`] becomes parts, parts become listeners; and the order in which all of it ends.
//! `main`, tests and benches start here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::admin::jobs::Jobs;
use crate::admin::{Control, NotReloaded, Reloaded};
use crate::clock::{Clock, Stopwatch, SystemClock};
use crate::config::{Config, Sources};
use crate::listener::{BindError, Inherited, Listener, ServeReport};
use crate::origin::{Origin, chrome, remote};
use crate::store::{self, Store};
use crate::tasks::{self, Failure, Tasks};
use crate::telemetry;
use crate::telemetry::counters::Counters;

mod control;
mod figures;
mod generation;
mod handover;
mod pictures;
mod planes;
pub mod preflight;
pub mod purges;
mod reload;
pub mod warm;
mod watch_files;

use generation::{Generation, Lasting};
use pictures::Pictures;
use planes::{ControlPlane, DataPlane, Doors};
use reload::{Reloader, Reloads};

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
    /// A capture engine has no browser in time.
    #[error("upstream `{name}`: no browser is ready after {after:?}")]
    NotReady {
        /// Its name in proxy.toml.
        name: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// A route names an upstream that does not exist.
    #[error("no upstream is called `{0}`")]
    NoUpstream(String),
    /// The log filter cannot be read.
    #[error("log.level: {0}")]
    LogLevel(String),
    /// A task ended that must live.
    #[error("{0}; the log has more")]
    TaskEnded(Failure),
    /// The system refuses to tell us of signals.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}

/// Serves until SIGTERM or SIGINT, then drains; SIGHUP reloads. Says on standard output where it listens, and to systemd how it is.
///
/// # Errors
/// Everything that keeps it from starting.
pub async fn run(sources: Sources, config: Config, inherited: Inherited) -> Result<(), Error> {
    use sd_notify::NotifyState;
    use tokio::signal::unix::{SignalKind, signal};
    telemetry::start(&config.log).map_err(|error| Error::LogLevel(error.to_string()))?;
    tasks::count_panics();
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Signals)?;
    let try_path = example_path(&config);
    let beginning = Beginning { sources: Some(sources), inherited };
    let app = App::begin(config, Arc::new(SystemClock), beginning).await?;
    app.announce(&try_path);
    notify(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                tracing::info!("SIGTERM: draining");
                break;
            }
            _ = interrupt.recv() => {
                tracing::info!("SIGINT: draining");
                break;
            }
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: reloading");
                if let Ok(now) = NotifyState::monotonic_usec_now() {
                    notify(&[NotifyState::Reloading, now]);
                }
                // What came of it is logged there.
                let _ = app.reload().await;
                notify(&[NotifyState::Ready]);
            }
            failure = app.tasks.failed() => {
                notify(&[NotifyState::Stopping]);
                return Err(Error::TaskEnded(failure));
            }
        }
    }
    notify(&[NotifyState::Stopping]);
    app.shutdown().await;
    Ok(())
}

/// Tells systemd, if it started us and wants to know.
fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd could not be told");
    }
}

/// tintype at work.
pub struct App {
    /// Where the data plane listens.
    pub address: SocketAddr,
    /// Where the control plane listens, if there is one.
    pub admin_address: Option<SocketAddr>,
    parts: Arc<Parts>,
    jobs: Arc<Jobs>,
    store: Arc<dyn Store>,
    stop: watch::Sender<bool>,
    tasks: Tasks,
    data_plane: JoinHandle<Option<ServeReport>>,
    control_plane: Option<JoinHandle<Option<ServeReport>>>,
    stop_control: watch::Sender<bool>,
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
        &self.tasks
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
        let listener = match inherited.data {
            Some(socket) => Listener::inherit(config.server.clone(), socket)?,
            None => Listener::bind(config.server.clone()).await?,
        };
        let control = match (&config.admin, inherited.control) {
            (Some(admin), Some(socket)) => Some(Listener::inherit(admin.listener.clone(), socket)?),
            (Some(admin), None) => Some(Listener::bind(admin.listener.clone()).await?),
            (None, _) => None,
        };
        // One that takes over from another is ready before it makes the other one give up the cache folder.
        let upstreams = match config.server.reuse_port {
            true => Some(started(&config, &clock).await?),
            false => None,
        };
        let store = store::open(&config.store).await?;
        let upstreams = match upstreams {
            Some(upstreams) => upstreams,
            None => generation::upstreams(&config.upstreams, &[], &clock)?,
        };
        let listener = listener.listen()?;
        let control = control.map(Listener::listen).transpose()?;

        let (stop, stopping) = watch::channel(false);
        let (stop_control, control_stopping) = watch::channel(false);
        let lasting = Lasting {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            counters: Arc::new(Counters::default()),
            stopping: stopping.clone(),
        };
        let warms = config.warm.hold_ready && !config.warm.is_empty();
        let first = Generation::first(config, upstreams, &lasting)?;
        let (to_reloader, requests) = mpsc::channel(1);
        let parts = Arc::new(Parts {
            current: ArcSwap::from_pointee(first),
            store: Arc::clone(&store),
            counters: Arc::clone(&lasting.counters),
            clock: Arc::clone(&clock),
            up: Stopwatch::start(),
            reloads: Reloads::default(),
            retiring: Mutex::default(),
            warming: AtomicBool::new(warms),
            to_reloader,
            tasks: tasks.clone(),
        });
        let pictures = Pictures::new(Arc::clone(&parts), listener.local_addr());
        let jobs = Jobs::new(
            parts.current.load().config.jobs.clone(),
            Arc::clone(&pictures) as _,
            Arc::clone(&clock),
        );
        let (resumed, warmed) = (Arc::clone(&jobs), Arc::clone(&parts));
        // Before anybody is let in, who would be told that an earlier job is not known.
        if let Err(error) = tokio::task::spawn_blocking(move || resumed.resume()).await {
            tracing::error!(%error, "the jobs of an earlier process could not be taken up");
        }
        tasks::spawn("warmer", warm::run(warmed, pictures, stopping.clone()));
        let control_parts = Arc::clone(&parts) as Arc<dyn Control>;
        let doors = Doors::new(&parts.current.load().config, &control_parts, &clock, &jobs, None);
        let doors = Arc::new(ArcSwap::from_pointee(doors));
        let reloader = Reloader {
            parts: Arc::clone(&parts),
            lasting,
            doors: Arc::clone(&doors),
            data: listener.tuner(),
            control: control.as_ref().map(Listener::tuner),
            sources,
            jobs: Arc::clone(&jobs),
        };
        tasks::vital("reloader", is_told(&stopping), reloader.run(requests));
        if let Some((sources, known)) = watched {
            let watching = watch_files::run(Arc::clone(&parts), sources, known, stopping.clone());
            tasks::vital("config-watcher", is_told(&stopping), watching);
        }
        let data_plane = DataPlane { parts: Arc::clone(&parts), doors: Arc::clone(&doors) };
        Ok(App {
            address: listener.local_addr(),
            admin_address: control.as_ref().map(Listener::local_addr),
            parts,
            jobs,
            store,
            stop,
            tasks,
            data_plane: tasks::vital(
                "data-plane",
                is_told(&stopping),
                listener.serve(data_plane, stopped(stopping)),
            ),
            control_plane: control.map(|control| {
                let is_told = is_told(&control_stopping);
                tasks::vital(
                    "control-plane",
                    is_told,
                    control.serve(ControlPlane(doors), stopped(control_stopping)),
                )
            }),
            stop_control,
        })
    }

    /// Reads the configuration again, and puts it in force if it is good.
    ///
    /// # Errors
    /// What is wrong with it. The one before stays in force.
    pub async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        self.parts.reload().await
    }

    /// Ends in order: no new connections, current exchanges finish, fetches are stored, browsers go, the disk is flushed.
    pub async fn shutdown(self) {
        self.tasks.end();
        let server = self.parts.current.load().config.server.clone();
        // Before another process may have the folder.
        self.jobs.stop().await;
        if server.reuse_port {
            self.hand_over().await;
        }
        let stopping = Stopwatch::start();
        let _ = self.stop.send(true);
        match self.data_plane.await {
            Ok(Some(report)) => tracing::info!(?report, "data plane drained"),
            Ok(None) => tracing::error!("data plane ended abnormally"),
            Err(error) => tracing::error!(%error, "data plane ended abnormally"),
        }
        let last = self.parts.current.load_full();
        last.proxy.stop_refreshing();
        // What an exchange ended with may still be on its way into the store, however long the others took.
        let left = server.drain_grace.saturating_sub(stopping.elapsed()).max(LAST_FETCHES);
        if tokio::time::timeout(left, last.proxy.settled()).await.is_err() {
            tracing::warn!(fetches = last.proxy.fetches_under_way(), "fetches were cut");
        }
        let mut origins: Vec<_> = last.upstreams.iter().map(|one| Arc::clone(&one.origin)).collect();
        origins.append(&mut self.parts.retiring.lock());
        generation::end(&origins).await;
        self.store.close().await;
        // Last, so that health and figures can be asked for to the end.
        let _ = self.stop_control.send(true);
        if let Some(control_plane) = self.control_plane {
            let _ = control_plane.await;
        }
        tracing::info!("stopped");
    }

    /// Lets the process that is to follow have the cache folder, and waits until it listens.
    async fn hand_over(&self) {
        let last = self.parts.current.load_full();
        // From here on the memory tier answers alone, and the successor may open the folder.
        self.store.close().await;
        let taken = handover::wait(self.address, last.config.store.dir.as_deref()).await;
        tracing::info!(to_another_process = taken, "handed over");
        if taken {
            // Purges are for the one that has the ledger.
            let _ = self.stop_control.send(true);
        }
    }

    /// Says where it listens. In a thread of its own: nobody may read what it writes, or the disk may be full.
    fn announce(&self, try_path: &str) {
        use std::fmt::Write as _;
        let secure = self.parts.current.load().config.server.tls.is_some();
        let scheme = if secure { "https" } else { "http" };
        let mut text = format!("tintype listens on {scheme}://{}\n", self.address);
        if let Some(admin) = self.admin_address {
            let paths = "/healthz /readyz /stats /metrics /explain /stored /purge /reload";
            let _ = writeln!(text, "control plane on  http://{admin}  ({paths})");
        }
        let _ = writeln!(text, "try: curl -sS -o picture -D - '{scheme}://{}{try_path}'", self.address);
        let write = move || {
            use std::io::Write as _;

            let mut stdout = std::io::stdout();
            let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
            if let Err(error) = written {
                tracing::warn!(%error, "standard output takes nothing: {}", text.trim_end());
            }
        };
        if let Err(error) = std::thread::Builder::new().name("announcement".to_owned()).spawn(write) {
            tracing::warn!(%error, "no thread for the announcement");
        }
    }
}

/// Every origin of `config`, ready.
async fn started(config: &Config, clock: &Arc<dyn Clock>) -> Result<Vec<generation::Running>, Error> {
    let upstreams = generation::upstreams(&config.upstreams, &[], clock)?;
    for upstream in &upstreams {
        upstream.ready().await?;
    }
    Ok(upstreams)
}

/// A path to try: a capture where there is a capture route.
fn example_path(config: &Config) -> String {
    match config.proxy.routes.iter().find(|route| route.capture) {
        Some(route) => format!("{}?url=https://example.com", route.path),
        None => config.proxy.routes.first().map_or("/".into(), |route| route.path.clone()),
    }
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

/// What both planes work with.
struct Parts {
    /// The configuration in force.
    current: ArcSwap<Generation>,
    store: Arc<dyn Store>,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
    up: Stopwatch,
    reloads: Reloads,
    /// Origins that no configuration in force names, and that are still in use.
    retiring: Mutex<Vec<Arc<dyn Origin>>>,
    /// `/readyz` waits for what is stored before anybody asks.
    warming: AtomicBool,
    to_reloader: mpsc::Sender<reload::Request>,
    tasks: Tasks,
}

impl Parts {
    async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let (answer, outcome) = oneshot::channel();
        // It fails only when the process is ending.
        let _ = self.to_reloader.send(answer).await;
        outcome.await.unwrap_or_else(|_| Err(NotReloaded::new("tintype is stopping")))
    }
}
