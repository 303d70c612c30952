//! What both planes work with, whatever configuration is in force.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::generation::Generation;
use super::reloads::{Reloads, Request};
use crate::admin::{NotReloaded, Reloaded};
use crate::clock::{Clock, Stopwatch};
use crate::jobs::Jobs;
use crate::origin::Origin;
use crate::store::Store;
use crate::tasks::Tasks;
use crate::telemetry::counters::Counters;

/// What both planes work with, whatever configuration is in force.
pub(super) struct Shared {
    /// The configuration in force.
    pub(super) current: ArcSwap<Generation>,
    pub(super) store: Arc<dyn Store>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) up: Stopwatch,
    pub(super) jobs: Arc<Jobs>,
    pub(super) reloads: Arc<Reloads>,
    /// Origins that no configuration in force names, and that are still in use.
    pub(super) retiring: Mutex<Vec<Arc<dyn Origin>>>,
    /// `/readyz` waits for what is stored before anybody asks.
    pub(super) warming: AtomicBool,
    pub(super) to_reloader: mpsc::Sender<Request>,
    pub(super) tasks: Tasks,
}

impl Shared {
    pub(super) async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let (answer, outcome) = oneshot::channel();
        // It fails only when the process is ending.
        let _ = self.to_reloader.send(answer).await;
        outcome.await.unwrap_or_else(|_| Err(NotReloaded::new("tintype is stopping")))
    }

    /// Warming is done, or was cut short.
    pub(super) fn is_warm(&self) {
        self.warming.store(false, Ordering::Relaxed);
    }
}
