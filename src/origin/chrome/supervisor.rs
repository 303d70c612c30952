//! Keeps one browser warm: launches it, replaces it when it dies, hangs or is worn, ends it at shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::process::{Browser, Launch, launch};
use crate::clock::Stopwatch;

/// Pause after a launch that failed, doubled up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// A browser that dies sooner than this after its launch is not replaced without a pause.
const SHORT_LIFE: Duration = Duration::from_secs(2);

/// Where the one browser stands.
enum Phase {
    /// It is being launched.
    Starting,
    /// It takes captures.
    Ready(Arc<Browser>),
    /// It could not be launched; another try comes after a pause.
    Failed(String),
    /// It is gone for good.
    Stopped,
}

/// The one browser and its successors.
pub(super) struct Supervisor {
    phase: watch::Receiver<Phase>,
    stop: watch::Sender<bool>,
    keeper: Mutex<Option<JoinHandle<()>>>,
    restarts: Arc<AtomicU64>,
    recycle_after: u64,
}

impl Supervisor {
    /// Begins to launch in the background. Needs a running tokio runtime.
    pub(super) fn start(how: Launch, recycle_after: u64) -> Self {
        let (phases, phase) = watch::channel(Phase::Starting);
        let (stop, stopped) = watch::channel(false);
        let restarts = Arc::new(AtomicU64::new(0));
        let keeper = tokio::spawn(keep(how, phases, stopped, restarts.clone()));
        Supervisor { phase, stop, keeper: Mutex::new(Some(keeper)), restarts, recycle_after }
    }

    /// A browser for one capture; waits while one is launched.
    pub(super) async fn browser(&self) -> Result<Arc<Browser>, String> {
        let mut phase = self.phase.clone();
        let settled = phase.wait_for(|phase| match phase {
            Phase::Starting => false,
            // A dead one is about to be replaced.
            Phase::Ready(browser) => browser.is_open(),
            Phase::Failed(_) | Phase::Stopped => true,
        });
        match &*settled.await.map_err(|_| "the browser's keeper is gone".to_owned())? {
            Phase::Ready(browser) => {
                browser.take(self.recycle_after);
                Ok(browser.clone())
            }
            Phase::Failed(why) => Err(why.clone()),
            Phase::Starting | Phase::Stopped => Err("the engine has stopped".into()),
        }
    }

    /// The process id of the browser that takes captures now.
    pub(super) fn pid(&self) -> Option<u32> {
        match &*self.phase.borrow() {
            Phase::Ready(browser) if browser.is_open() => Some(browser.pid),
            _ => None,
        }
    }

    /// Browsers launched after the first one.
    pub(super) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Ends every browser and waits until it is gone.
    pub(super) async fn shutdown(&self) {
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

async fn keep(
    how: Launch,
    phases: watch::Sender<Phase>,
    mut stop: watch::Receiver<bool>,
    restarts: Arc<AtomicU64>,
) {
    // Every browser that still lives, the worn ones too, which finish their captures.
    let mut owners = JoinSet::new();
    let mut pause = FIRST_PAUSE;
    let mut launched = false;
    while !*stop.borrow() {
        let rest = match launch(&how, stop.clone()).await {
            Ok((browser, owner)) => {
                restarts.fetch_add(u64::from(launched), Ordering::Relaxed);
                launched = true;
                pause = FIRST_PAUSE;
                owners.spawn(owner.run(stop.clone()));
                let (outlived, life) = (browser.outlived(), Stopwatch::start());
                phases.send_replace(Phase::Ready(browser));
                tokio::select! {
                    () = outlived => {}
                    _ = stop.wait_for(|stop| *stop) => break,
                }
                // A worn one serves until its successor is there, a dead one cannot.
                let died = phases.send_if_modified(|phase| {
                    let dead = matches!(phase, Phase::Ready(browser) if !browser.is_open());
                    if dead {
                        *phase = Phase::Starting;
                    }
                    dead
                });
                tracing::info!(died, after = ?life.elapsed(), "replacing the browser");
                if died && life.elapsed() < SHORT_LIFE { FIRST_PAUSE } else { Duration::ZERO }
            }
            Err(why) => {
                tracing::error!(why, retry_in = ?pause, "no browser");
                phases.send_replace(Phase::Failed(why));
                let rest = pause;
                pause = (pause * 2).min(MAX_PAUSE);
                rest
            }
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        while owners.try_join_next().is_some() {}
    }
    phases.send_replace(Phase::Stopped);
    while owners.join_next().await.is_some() {}
}
