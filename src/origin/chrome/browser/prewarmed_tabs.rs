//! Pages opened ahead: contexts with an exit and an empty page, ready when the next capture begins. Each serves one capture
//! and is never used again; none holds a place among the captures, and none outlives the service of its browser.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::instance::{Browser, Fate};
use crate::capture::request::Visitor;
use crate::origin::chrome::network::egress_proxy::EgressProxy;
use crate::origin::chrome::network::guard::Guard;
use crate::origin::chrome::network::identity::Identity;
use crate::origin::chrome::network::page_network::PageNetwork;
use crate::origin::chrome::network::tls_bridge::TlsBridge;
use crate::origin::chrome::network::visitor::DefaultVisitor;
use crate::origin::chrome::page::tab::{Tab, TabError};
use crate::tasks;

/// The pages that lie ready.
pub(crate) struct PrewarmedTabs {
    guard: Arc<Guard>,
    bridge: Option<Arc<TlsBridge>>,
    /// Whom a page expects that lies ready.
    visitor: DefaultVisitor,
    /// How many for each browser.
    wanted: usize,
    shelf: Mutex<Vec<Spare>>,
}

struct Spare {
    browser: Arc<Browser>,
    /// None while it is being opened.
    tab: Option<Tab>,
    number: u64,
    /// When this goes, so does the watch over the browser.
    _kept: oneshot::Sender<()>,
}

impl PrewarmedTabs {
    pub(crate) fn new(
        guard: Arc<Guard>,
        bridge: Option<Arc<TlsBridge>>,
        visitor: DefaultVisitor,
        wanted: usize,
    ) -> Arc<Self> {
        Arc::new(PrewarmedTabs { guard, bridge, visitor, wanted, shelf: Mutex::default() })
    }

    /// A page of `browser`: one that lies ready, unless it died there, or a new one. Another one is opened in the background.
    ///
    /// Not cancellable, like [`Tab::open`].
    pub(crate) async fn take(self: Arc<Self>, browser: Arc<Browser>) -> Result<Tab, TabError> {
        let ready = self.ready(&browser);
        self.clone().refill(&browser);
        match ready {
            Some(tab) => Ok(tab),
            None => self.open(browser).await,
        }
    }

    /// A new page, whatever lies ready: for a second try, as what killed the first page may have killed those too.
    pub(crate) async fn open(&self, browser: Arc<Browser>) -> Result<Tab, TabError> {
        let exit = EgressProxy::open(PageNetwork::closed(self.guard.clone()), self.bridge.clone()).await;
        let exit = exit.map_err(|error| TabError::NoExit(error.to_string()))?;
        let identity = Identity::of(&browser.version, &Visitor::default(), &self.visitor);
        Tab::open(browser, exit, identity).await
    }

    fn ready(&self, browser: &Arc<Browser>) -> Option<Tab> {
        loop {
            let mut shelf = self.shelf.lock();
            let is_ready = |spare: &Spare| spare.tab.is_some() && Arc::ptr_eq(&spare.browser, browser);
            let at = shelf.iter().position(is_ready)?;
            let tab = shelf.swap_remove(at).tab;
            drop(shelf);
            if let Some(mut tab) = tab
                && tab.is_alive()
            {
                return Some(tab);
            }
        }
    }

    /// Opens one more in the background, if one is missing.
    fn refill(self: Arc<Self>, browser: &Arc<Browser>) {
        let (kept, dropped) = oneshot::channel();
        let number = {
            let mut shelf = self.shelf.lock();
            let there = shelf.iter().filter(|spare| Arc::ptr_eq(&spare.browser, browser)).count();
            // In a browser that others run, a page that waits may cost them a place or its rent.
            if browser.pid.is_none() || there >= self.wanted || browser.fate() != Fate::Serving {
                return;
            }
            let number = shelf.iter().map(|spare| spare.number).max().unwrap_or_default() + 1;
            shelf.push(Spare { browser: browser.clone(), tab: None, number, _kept: kept });
            number
        };
        let browser = browser.clone();
        tasks::spawn("spare-tab", async move {
            let opened = self.open(browser.clone()).await;
            let mut outlived = Box::pin(browser.outlived());
            drop(browser);
            // A tab that nobody takes is dropped outside of the lock.
            let unwanted = match opened {
                Ok(tab) => self.put(number, tab),
                Err(error) => {
                    tracing::debug!(%error, "no page could be opened ahead");
                    self.forget(number);
                    None
                }
            };
            drop(unwanted);
            let shelf = Arc::downgrade(&self);
            drop(self);
            tokio::select! {
                () = &mut outlived => {}
                // Taken, or the engine is gone.
                _ = dropped => return,
            }
            drop(shelf.upgrade().and_then(|spares| spares.forget(number)));
        });
    }

    /// Lays a page on the place that was kept for it; gives it back if that is gone.
    fn put(&self, number: u64, tab: Tab) -> Option<Tab> {
        match self.shelf.lock().iter_mut().find(|spare| spare.number == number) {
            Some(spare) => spare.tab.replace(tab),
            None => Some(tab),
        }
    }

    fn forget(&self, number: u64) -> Option<Spare> {
        let mut shelf = self.shelf.lock();
        let at = shelf.iter().position(|spare| spare.number == number)?;
        Some(shelf.swap_remove(at))
    }
}
