//! The attempts at one capture: a browser, a tab, the picture, and once more if something crashed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::browser::instance::Outgrown;
use super::browser::pool::Pool;
use super::browser::prewarmed_tabs::PrewarmedTabs;
use super::browser::process_memory::Role;
use super::browser::watchdog::{self, Patience};
use super::capture::{Shot, capture};
use super::config::Config;
use super::network::filter::Filters;
use super::network::identity::Identity;
use super::network::page_network::Destination;
use super::page::failure::Failure;
use super::page::tab::TabError;
use super::queue::Slot;
use crate::capture::limits::Limits;
use crate::capture::request::CaptureRequest;
use crate::clock::{Clock, Stopwatch, Timestamp};
use crate::origin::Flaw;

/// Times that one capture is tried.
const MAX_TRIES: u32 = 2;

/// What attempts are made with.
pub(super) struct Attempts {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    pub(super) pool: Pool,
    prewarmed: Arc<PrewarmedTabs>,
    filters: Filters,
    /// One by one captures are tried again whose browser was killed for its memory.
    suspects: Semaphore,
}

/// Whether browser or renderer died, which another try may survive. A renderer that dies before the document is there only
/// aborts the navigation.
fn is_crash(failure: &Failure) -> bool {
    match failure {
        Failure::Tab(error) => error.is_browser_gone() || *error == TabError::Crashed,
        Failure::Aborted => true,
        _ => false,
    }
}

/// Why one try gave no picture.
pub(super) enum Try {
    Engine(String),
    Page(Failure),
    /// The browser was killed for its memory.
    Outgrown(Outgrown),
}

impl Attempts {
    pub(super) fn new(
        config: Arc<Config>,
        clock: Arc<dyn Clock>,
        pool: Pool,
        prewarmed: Arc<PrewarmedTabs>,
    ) -> Self {
        let filters = Filters::new(config.filters.clone());
        Attempts { config, clock, pool, prewarmed, filters, suspects: Semaphore::new(1) }
    }

    /// Captures `spec`, and tries once more if browser or renderer crashed. Answers with the picture and the moment from which
    /// on changes of the page may not be on it.
    pub(super) async fn run(
        &self,
        spec: &CaptureRequest,
        to: Destination,
        place: Arc<Slot>,
        left: impl Fn() -> Duration,
    ) -> Result<(Shot, Timestamp), Try> {
        let (mut tried, mut _alone) = (0, None);
        loop {
            tried += 1;
            let captured = self.clock.now();
            let host = &to.host;
            match self.once(spec, to.clone(), place.clone(), tried, left()).await {
                // Which of several pages made a process of the browser grow shows when they are tried one by one.
                Err(Try::Outgrown(Outgrown { running: 2.., .. })) if tried < MAX_TRIES => {
                    tracing::warn!(host, "the browser was killed for its memory, trying once more");
                    _alone = self.suspects.acquire().await.ok();
                }
                Err(Try::Page(failure)) if is_crash(&failure) && tried < MAX_TRIES => {
                    tracing::warn!(host, error = %failure, "crashed under a capture, trying once more");
                }
                other => return other.map(|shot| (shot, captured)),
            }
        }
    }

    /// Why a page has no picture whose process of this role took too much memory.
    pub(super) fn too_large(&self, role: Role) -> String {
        let (limit, process) = (self.config.max_page_memory, role.name());
        format!("the page takes more than {limit} bytes of memory in the {process} process")
    }

    async fn once(
        &self,
        spec: &CaptureRequest,
        to: Destination,
        place: Arc<Slot>,
        tried: u32,
        left: Duration,
    ) -> Result<Shot, Try> {
        let watch = Stopwatch::start();
        // A page that does not finish loading is captured before the deadline, also after a wait in the queue.
        let limits = Limits { max_load: self.config.limits.max_load.min(left / 2), ..self.config.limits };
        let filters = self.filters.of(&spec.block.lists).await;
        let filters = filters.map_err(|error| Try::Engine(format!("no filters: {error}")))?;
        let lease = self.pool.browser().await.map_err(|error| Try::Engine(error.to_string()))?;
        let (prewarmed, browser) = (self.prewarmed.clone(), lease.browser.clone());
        let identity = Identity::of(&browser.version, &spec.visitor, &self.config.visitor);
        let opening = async move {
            let mut tab = match tried {
                1 => prewarmed.take(browser).await?,
                _ => prewarmed.open(browser).await?,
            };
            tab.assign(place, to);
            tab.welcome(identity).await?;
            Ok(tab)
        };
        let culled = lease.browser.culled();
        let patience = Patience::new(self.config.deadline, self.config.health_timeout);
        let shot = tokio::select! {
            shot = capture(opening, spec, &filters, &limits, left.saturating_sub(watch.elapsed())) => shot,
            never = watchdog::keep(&lease.browser, patience) => match never {},
        };
        let shot = match shot {
            Err(error) if is_crash(&error) => match lease.browser.outgrown() {
                Some(outgrown) => return Err(Try::Outgrown(outgrown)),
                None if lease.browser.culled() != culled => {
                    Err(Failure::Flawed(Flaw::Memory, self.too_large(Role::Renderer)))
                }
                None => Err(error),
            },
            other => other,
        };
        // Time that runs out drops the lease unsettled, which has the browser looked at.
        match &shot {
            Ok(_) => lease.settle(true),
            Err(Failure::Tab(error)) if !error.is_of_the_page() => drop(lease),
            Err(_) => lease.settle(false),
        }
        shot.map_err(Try::Page)
    }
}
