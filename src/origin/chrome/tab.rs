//! One page in one isolated context: opened, listened to while it is called, and disposed of when dropped.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::browser::Browser;
use super::devtools::{CallError, Event};
use super::exit::ExitProxy;
use super::intercept::Intercept;
use super::isolation;
use super::roads::{Destination, Roads};
use super::slots::Place;

/// Time in which a living browser disposes of a context; one that does not is hung.
const DISPOSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Time after loading stopped in which a page that goes elsewhere begins to.
const GOING_ELSEWHERE: Duration = Duration::from_secs(2);

/// Shared and service workers ask for things on their own, past every session of the page; a page whose requests are looked
/// at has none of them, as in browsers without.
const NO_LONE_WORKERS: &str = "delete self.SharedWorker; delete Navigator.prototype.serviceWorker;";

/// Why a page could not be driven on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TabError {
    /// The browser died, refused a call or does not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The process that renders the page died.
    #[error("the page crashed its renderer")]
    Crashed,
    /// This machine has no socket left for its traffic.
    #[error("no exit proxy: {0}")]
    NoExit(String),
    /// The document ended before it was whole.
    #[error("the page broke off")]
    BrokenOff,
    /// It asked for more at once than is answered.
    #[error("the page makes too many requests at once")]
    Flooded,
}

impl TabError {
    /// Whether the whole browser is gone, so that another one may do better.
    pub(super) fn is_browser_gone(&self) -> bool {
        matches!(self, TabError::Call(CallError::Closed))
    }

    /// Whether it lies with the page alone.
    pub(super) fn is_of_the_page(&self) -> bool {
        matches!(self, TabError::BrokenOff | TabError::Flooded)
    }

    /// Whether the browser said no, for instance as the page went elsewhere during a call.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, TabError::Call(CallError::Refused { .. }))
    }
}

/// A page with a context, an exit and a place of its own.
pub(super) struct Tab {
    context: Context,
    session: String,
    /// Its target id, which is also the id of its main frame.
    pub(super) frame: String,
    events: mpsc::Receiver<Event>,
    documents: Documents,
    intercept: Intercept,
}

/// How far a document has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Milestone {
    /// It is parsed.
    Parsed,
    /// It is loaded, with all that it needs.
    Loaded,
    /// It is loaded, and the network was silent for half a second.
    Idle,
}

/// The documents that the main frame began to show, as the events told.
#[derive(Debug, Default)]
struct Documents {
    begun: Vec<String>,
    /// The last that reached each milestone.
    last_parsed: Option<String>,
    last_loaded: Option<String>,
    last_idle: Option<String>,
    /// Nothing more is being loaded.
    stopped: bool,
}

/// Documents of one capture that are remembered; a page that goes elsewhere more often is never loaded.
const MAX_DOCUMENTS: usize = 32;

impl Documents {
    fn on_lifecycle(&mut self, name: &str, loader: &str) {
        // What a document that stopped still draws makes it no whole one.
        self.stopped &= name != "init";
        match name {
            "init" if self.begun.len() < MAX_DOCUMENTS => self.begun.push(loader.to_owned()),
            "DOMContentLoaded" => self.last_parsed = Some(loader.to_owned()),
            "load" => self.last_loaded = Some(loader.to_owned()),
            "networkIdle" => self.last_idle = Some(loader.to_owned()),
            _ => {}
        }
    }

    /// The last document is as whole as it will ever be.
    fn give_up(&mut self) {
        (self.last_parsed, self.last_loaded) = (self.begun.last().cloned(), self.begun.last().cloned());
    }

    /// Whether the document of `loader`, or the last that came after it, has come so far.
    fn has_reached(&self, loader: &str, milestone: Milestone) -> bool {
        let current = self.begun.last();
        self.begun.iter().any(|begun| begun == loader)
            && match milestone {
                Milestone::Parsed => current == self.last_parsed.as_ref(),
                Milestone::Loaded => current == self.last_loaded.as_ref(),
                Milestone::Idle => current == self.last_loaded.as_ref() && current == self.last_idle.as_ref(),
            }
    }
}

impl Tab {
    /// Opens an empty page whose traffic goes through `exit` alone.
    ///
    /// Not cancellable: run it in a task of its own, so that a context that was just made is known to be
    /// disposed of.
    pub(super) async fn open(browser: Arc<Browser>, exit: ExitProxy) -> Result<Self, TabError> {
        let context = browser.context(exit.address());
        let made = browser.devtools.call(None, "Target.createBrowserContext", context).await?;
        let id = text(&made, "browserContextId");
        let context = Context { browser, id, exit: Some(exit), place: None, runtime: Handle::current() };
        let devtools = &context.browser.devtools;

        let blank = json!({ "url": "about:blank", "browserContextId": context.id });
        let (_, made) = tokio::try_join!(
            isolation::deny(devtools, &context.id),
            devtools.call(None, "Target.createTarget", blank)
        )?;
        let frame = text(&made, "targetId");
        let attach = json!({ "targetId": frame, "flatten": true });
        let session = text(&devtools.call(None, "Target.attachToTarget", attach).await?, "sessionId");
        let main = frame.clone();
        let events = devtools.events(&session, move |event| is_heeded(event, &main));
        let told = |method: &'static str, params| devtools.call(Some(&session), method, params);
        tokio::try_join!(
            told("Inspector.enable", json!({})),
            told("Page.enable", json!({})),
            told("Page.setLifecycleEventsEnabled", json!({ "enabled": true })),
        )?;
        Ok(Tab {
            context,
            session,
            frame,
            events,
            documents: Documents::default(),
            intercept: Intercept::default(),
        })
    }

    /// Whether nothing befell it since it was opened.
    pub(super) fn is_alive(&mut self) -> bool {
        loop {
            match self.events.try_recv() {
                Ok(event) => {
                    // An empty page has nothing that would have to be waited for.
                    if self.heed(Some(event)).now_or_never() != Some(Ok(())) {
                        return false;
                    }
                }
                Err(mpsc::error::TryRecvError::Empty) => return true,
                Err(mpsc::error::TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Has it serve one capture: its place is free again when the page is gone, and its exit opens to the roads of `to`.
    pub(super) fn assign(&mut self, place: Arc<Place>, to: Destination) {
        self.context.place = Some(place);
        if let Some(exit) = &self.context.exit {
            exit.roads().open(to);
        }
    }

    /// Calls the page, heeding its events meanwhile.
    pub(super) async fn call(&mut self, method: &str, params: Value) -> Result<Value, TabError> {
        let devtools = self.context.browser.devtools.clone();
        let session = self.session.clone();
        let call = devtools.call(Some(&session), method, params);
        tokio::pin!(call);
        loop {
            tokio::select! {
                // A crash is known before the call that it leaves hanging.
                biased;
                event = self.events.recv() => self.heed(event).await?,
                result = &mut call => return Ok(result?),
            }
        }
    }

    /// Has the page's requests answered by `intercept` from now on.
    pub(super) async fn intercept(&mut self, intercept: Intercept) -> Result<(), TabError> {
        let patterns = intercept.patterns();
        if intercept.has_rules() {
            self.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": NO_LONE_WORKERS })).await?;
        }
        self.intercept = intercept;
        if let Some(patterns) = patterns {
            self.call("Fetch.enable", patterns).await?;
        }
        Ok(())
    }

    /// Grants a permission to every page of this context.
    pub(super) async fn grant(&mut self, permission: &str) -> Result<(), TabError> {
        let devtools = self.context.browser.devtools.clone();
        let grant = json!({ "permissions": [permission], "browserContextId": self.context.id });
        devtools.call(None, "Browser.grantPermissions", grant).await?;
        Ok(())
    }

    /// The browser's own `User-Agent`.
    pub(super) async fn user_agent(&mut self) -> Result<String, TabError> {
        let devtools = self.context.browser.devtools.clone();
        Ok(text(&devtools.call(None, "Browser.getVersion", json!({})).await?, "userAgent"))
    }

    /// Waits until the document of `loader`, or the one that it gave way to, has come so far.
    pub(super) async fn reached(&mut self, loader: &str, milestone: Milestone) -> Result<(), TabError> {
        while !self.documents.has_reached(loader, milestone) {
            // Of the network nothing is said before a while after everything else.
            let event = match self.documents.stopped && milestone != Milestone::Idle {
                false => self.events.recv().await,
                // Chrome says of a document that ends short only that it stopped. Unless it goes elsewhere next.
                true => match tokio::time::timeout(GOING_ELSEWHERE, self.events.recv()).await {
                    Ok(event) => event,
                    Err(_) if self.stopped_itself().await? => {
                        self.documents.give_up();
                        continue;
                    }
                    Err(_) => return Err(TabError::BrokenOff),
                },
            };
            self.heed(event).await?;
        }
        Ok(())
    }

    /// Whether a document that stopped did so by its own will, as by a link to a mail program or to a download: it is then
    /// what a person would see. One whose bytes ended short is still being read.
    async fn stopped_itself(&mut self) -> Result<bool, TabError> {
        let ask = json!({ "expression": "document.readyState", "returnByValue": true });
        Ok(self.call("Runtime.evaluate", ask).await?["result"]["value"] == "complete")
    }

    /// Waits `time`, heeding events.
    pub(super) async fn rest(&mut self, time: Duration) -> Result<(), TabError> {
        let sleep = tokio::time::sleep(time);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                event = self.events.recv() => self.heed(event).await?,
                () = &mut sleep => return Ok(()),
            }
        }
    }

    /// The roads that this page takes.
    pub(super) fn roads(&self) -> Option<&Roads> {
        self.context.exit.as_ref().map(ExitProxy::roads)
    }

    async fn heed(&mut self, event: Option<Event>) -> Result<(), TabError> {
        let Some(event) = event else {
            let gone = self.context.browser.devtools.is_closed();
            return Err(if gone { CallError::Closed.into() } else { TabError::Flooded });
        };
        match event.method.as_str() {
            "Page.lifecycleEvent" => {
                let of = |name| event.params[name].as_str().unwrap_or_default();
                self.documents.on_lifecycle(of("name"), of("loaderId"));
            }
            "Page.frameStartedLoading" => self.documents.stopped = false,
            "Page.frameStoppedLoading" => self.documents.stopped = true,
            "Fetch.requestPaused" => {
                let (method, answer) = self.intercept.answer(&event.params);
                self.context.browser.devtools.notify(&self.session, method, answer).await;
            }
            // Nobody will ever answer it, and the page stands still until somebody does.
            "Page.javascriptDialogOpening" => {
                let accept = event.params["type"] == "beforeunload";
                let answer = json!({ "accept": accept });
                let devtools = &self.context.browser.devtools;
                devtools.notify(&self.session, "Page.handleJavaScriptDialog", answer).await;
            }
            _ => return Err(TabError::Crashed),
        }
        Ok(())
    }
}

fn is_heeded(event: &Event, main_frame: &str) -> bool {
    match event.method.as_str() {
        "Page.lifecycleEvent" => {
            let name = event.params["name"].as_str().unwrap_or_default();
            event.params["frameId"] == main_frame
                && matches!(name, "init" | "DOMContentLoaded" | "load" | "networkIdle")
        }
        "Page.frameStartedLoading" | "Page.frameStoppedLoading" => event.params["frameId"] == main_frame,
        "Fetch.requestPaused" => true,
        "Page.javascriptDialogOpening" | "Inspector.targetCrashed" | "Inspector.detached" => true,
        _ => false,
    }
}

fn text(result: &Value, name: &str) -> String {
    result[name].as_str().unwrap_or_default().to_owned()
}

/// What has to be given back when a capture is over, however it ended.
struct Context {
    browser: Arc<Browser>,
    id: String,
    exit: Option<ExitProxy>,
    place: Option<Arc<Place>>,
    runtime: Handle,
}

impl Drop for Context {
    fn drop(&mut self) {
        let (browser, id) = (self.browser.clone(), std::mem::take(&mut self.id));
        let (exit, place) = (self.exit.take(), self.place.take());
        self.runtime.spawn(async move {
            // No further byte for the page; its place is free once it is gone.
            drop(exit);
            let gone = browser.devtools.call(
                None,
                "Target.disposeBrowserContext",
                json!({ "browserContextId": id }),
            );
            if tokio::time::timeout(DISPOSE_TIMEOUT, gone).await.is_err() {
                tracing::warn!(pid = browser.pid, "the browser hangs");
                browser.condemn();
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_loaded_when_its_last_document_is() {
        for (events, expected) in [
            ("", false),
            ("init A", false),
            ("init A, load A", true),
            ("init 0, load 0", false),
            ("init 0, load 0, init A", false),
            ("init 0, init A, load A", true),
            ("init A, init B", false),
            ("init A, load A, init B", false),
            ("init A, init B, load A", false),
            ("init A, init B, load B", true),
            ("init A, DOMContentLoaded A, networkIdle A", false),
        ] {
            let mut documents = Documents::default();
            for event in events.split(", ").filter(|event| !event.is_empty()) {
                let (name, loader) = event.split_once(' ').unwrap();
                documents.on_lifecycle(name, loader);
            }
            assert_eq!(documents.has_reached("A", Milestone::Loaded), expected, "{events}");
        }
    }
}
