//! The browser context of a tab.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::origin::chrome::browser::instance::Browser;
use crate::origin::chrome::network::egress_proxy::EgressProxy;
use crate::origin::chrome::protocol::client::CallError;
use crate::origin::chrome::protocol::commands::DisposeBrowserContext;
use crate::origin::chrome::queue::Slot;
use crate::tasks;

/// Time in which a living browser disposes of a context; one that does not is hung.
const DISPOSE_TIMEOUT: Duration = Duration::from_secs(15);

/// What has to be given back when a capture is over, however it ended.
pub(in crate::origin::chrome::page) struct Context {
    pub(in crate::origin::chrome::page) browser: Arc<Browser>,
    pub(in crate::origin::chrome::page) id: String,
    pub(in crate::origin::chrome::page) exit: Option<EgressProxy>,
    pub(in crate::origin::chrome::page) place: Option<Arc<Slot>>,
    runtime: Handle,
}

impl Context {
    pub(in crate::origin::chrome::page) async fn create(
        browser: Arc<Browser>,
        exit: EgressProxy,
    ) -> Result<Self, CallError> {
        let made = browser.devtools.call(None, browser.context(exit.address())).await?;
        let id = made.browser_context_id;
        Ok(Context { browser, id, exit: Some(exit), place: None, runtime: Handle::current() })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let (browser, id) = (self.browser.clone(), std::mem::take(&mut self.id));
        let (exit, place) = (self.exit.take(), self.place.take());
        self.runtime.spawn(tasks::named("tab-disposal", async move {
            // No further byte for the page; its place is free once it is gone.
            drop(exit);
            let gone = browser.devtools.call(None, DisposeBrowserContext { browser_context_id: id });
            if tokio::time::timeout(DISPOSE_TIMEOUT, gone).await.is_err() {
                tracing::warn!(pid = browser.pid, "the browser hangs");
                browser.condemn();
            }
            drop(place);
        }));
    }
}
