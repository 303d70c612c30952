//! Keeps one browser warm: launches it or connects to it, looks after it, replaces it when it dies, hangs, fails its
//! check or is worn, ends it at shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::attach::{self, Attach};
use super::health::{self, Rules};
use super::instance::{Browser, Fate, NoBrowser};
use super::process::{Launch, Owner, launch};
use crate::clock::Stopwatch;
use crate::tasks;

/// Pause after a launch that failed, doubled up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// A browser that dies sooner than this after its launch is not replaced without a pause.
const SHORT_LIFE: Duration = Duration::from_secs(2);

/// Where a browser comes from.
#[derive(Clone)]
pub(crate) enum Source {
    /// A process of our own.
    Launch(Launch),
    /// A browser that somebody else runs.
    Attach(Attach),
}

impl Source {
    async fn open(&self, stop: watch::Receiver<bool>) -> Result<(Arc<Browser>, Owner), NoBrowser> {
        match self {
            Source::Launch(how) => launch(how, stop).await,
            Source::Attach(how) => attach::attach(how, stop).await,
        }
    }
}

/// Where the one browser stands.
enum Phase {
    /// It is being launched.
    Starting,
    /// It takes captures.
    Ready(Arc<Browser>),
    /// It could not be launched; another try comes after a pause.
    Failed(NoBrowser),
    /// It is gone for good.
    Stopped,
}

/// The one browser and its successors.
pub(crate) struct Supervisor {
    phase: watch::Receiver<Phase>,
    stop: watch::Sender<bool>,
    keeper: Mutex<Option<JoinHandle<Option<()>>>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    restarts: AtomicU64,
    unhealthy: AtomicU64,
}

impl Supervisor {
    /// Begins to launch in the background. Needs a running tokio runtime.
    pub(crate) fn start(source: Source, rules: Rules) -> Self {
        let (phases, phase) = watch::channel(Phase::Starting);
        let (stop, stopped) = watch::channel(false);
        let counts = Arc::new(Counts::default());
        let keeper = Keeper { source, rules, phases, stop: stopped, counts: counts.clone() };
        let told = keeper.stop.clone();
        // The sender is dropped with the engine.
        let is_told = move || *told.borrow() || told.has_changed().is_err();
        let keeper = Mutex::new(Some(tasks::vital("browser-keeper", is_told, keeper.keep())));
        Supervisor { phase, stop, keeper, counts }
    }

    /// Waits until a capture may begin, or there is no browser to wait for.
    pub(crate) async fn wait(&self) -> Result<(), NoBrowser> {
        let mut phase = self.phase.clone();
        let settled = phase.wait_for(|phase| match phase {
            Phase::Starting => false,
            // A dead one is about to be replaced.
            Phase::Ready(browser) => browser.is_open(),
            Phase::Failed(_) | Phase::Stopped => true,
        });
        match &*settled.await.map_err(|_| NoBrowser::KeeperGone)? {
            Phase::Ready(_) => Ok(()),
            Phase::Failed(why) => Err(why.clone()),
            Phase::Starting | Phase::Stopped => Err(NoBrowser::Stopped),
        }
    }

    /// The browser that takes captures now.
    pub(crate) fn ready(&self) -> Option<Arc<Browser>> {
        match &*self.phase.borrow() {
            Phase::Ready(browser) if browser.is_open() => Some(browser.clone()),
            _ => None,
        }
    }

    /// Browsers launched, or connected to, after the first one.
    pub(crate) fn restarts(&self) -> u64 {
        self.counts.restarts.load(Ordering::Relaxed)
    }

    /// Browsers given up because they hung or failed their check.
    pub(crate) fn unhealthy(&self) -> u64 {
        self.counts.unhealthy.load(Ordering::Relaxed)
    }

    /// Ends every browser and waits until it is gone.
    pub(crate) async fn shutdown(&self) {
        self.stop.send_replace(true);
        if let Some(keeper) = self.keeper.lock().await.take() {
            let _ = keeper.await;
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

struct Keeper {
    source: Source,
    rules: Rules,
    phases: watch::Sender<Phase>,
    stop: watch::Receiver<bool>,
    counts: Arc<Counts>,
}

impl Keeper {
    async fn keep(mut self) {
        // Every browser that still lives, the worn ones too, which finish their captures.
        let mut owners = JoinSet::new();
        let mut pause = FIRST_PAUSE;
        let mut launched = false;
        while !*self.stop.borrow() {
            let rest = match self.source.open(self.stop.clone()).await {
                Ok((browser, owner)) => {
                    self.counts.restarts.fetch_add(u64::from(launched), Ordering::Relaxed);
                    launched = true;
                    pause = FIRST_PAUSE;
                    owners.spawn(tasks::named("browser-owner", owner.run(self.stop.clone())));
                    self.phases.send_replace(Phase::Ready(browser.clone()));
                    self.serve(browser).await
                }
                Err(why) => {
                    tracing::error!(why = why.to_string(), retry_in = ?pause, "no browser");
                    let rest = pause;
                    pause = (pause * 2).min(MAX_PAUSE);
                    self.do_without(why, rest).await;
                    Duration::ZERO
                }
            };
            let mut stop = self.stop.clone();
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            while owners.try_join_next().is_some() {}
        }
        self.phases.send_replace(Phase::Stopped);
        while owners.join_next().await.is_some() {}
    }

    /// Looks after the browser until another one is needed, and tells how long that may wait.
    async fn serve(&mut self, browser: Arc<Browser>) -> Duration {
        let (outlived, life) = (browser.outlived(), Stopwatch::start());
        tokio::select! {
            () = outlived => {}
            () = health::watch(&browser, &self.rules) => {}
            _ = self.stop.wait_for(|stop| *stop) => return Duration::ZERO,
        }
        let fate = browser.fate();
        // One that a page made too large was well.
        if matches!(fate, Fate::Sick | Fate::Condemned) && browser.outgrown().is_none() {
            self.counts.unhealthy.fetch_add(1, Ordering::Relaxed);
        }
        // A worn one serves until its successor is there, the others cannot.
        let died = !browser.is_open();
        if died {
            self.phases.send_replace(Phase::Starting);
        }
        tracing::info!(pid = browser.pid, ?fate, died, after = ?life.elapsed(), "replacing the browser");
        if died && life.elapsed() < SHORT_LIFE { FIRST_PAUSE } else { Duration::ZERO }
    }

    /// Lets `pause` pass after a launch that failed, during which a worn browser serves on if there is one.
    async fn do_without(&mut self, why: NoBrowser, pause: Duration) {
        let worn = match &*self.phases.borrow() {
            Phase::Ready(browser) if browser.is_open() => Some(browser.shut()),
            _ => None,
        };
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        if let Some(shut) = worn {
            tokio::select! {
                () = shut => {}
                () = &mut over => return,
                _ = self.stop.wait_for(|stop| *stop) => return,
            }
        }
        self.phases.send_replace(Phase::Failed(why));
        tokio::select! {
            () = over => {}
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
    }
}
