//! One page in one isolated context: opened, listened to while it is called, and disposed of when dropped.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::child_targets::ChildTargets;
use super::freeze::PageClock;
use super::monitor;
use super::navigation::Navigation;
use super::pending::Requests;
use super::permissions;
use crate::clock::Stopwatch;
use crate::origin::chrome::browser::instance::Browser;
use crate::origin::chrome::network::egress_proxy::EgressProxy;
use crate::origin::chrome::network::identity::Identity;
use crate::origin::chrome::network::intercept::{Intercept, WORLD};
use crate::origin::chrome::network::page_network::{Destination, PageNetwork};
pub(crate) use crate::origin::chrome::page::navigation::Milestone;
use crate::origin::chrome::protocol::client::{CallError, Devtools, Event, UNREADABLE};
use crate::origin::chrome::queue::Slot;
use crate::tasks;

mod error;

pub(crate) use error::TabError;

/// Time in which a living browser disposes of a context; one that does not is hung.
const DISPOSE_TIMEOUT: Duration = Duration::from_secs(15);

/// Time for the answer to a call after another document began.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// Time after loading stopped in which a page that goes elsewhere begins to.
const GOING_ELSEWHERE: Duration = Duration::from_secs(2);

/// Time for a document to be parsed after the connections that it waited for were cut.
const AFTER_CUT: Duration = Duration::from_secs(2);
/// The call that says who is visiting, and in which languages.
const USER_AGENT: &str = "Emulation.setUserAgentOverride";

/// Shared and service workers ask for things on their own, past every session of the page; a page whose requests are looked
/// at has none of them, as in browsers without.
const NO_LONE_WORKERS: &str = "delete self.SharedWorker; delete Navigator.prototype.serviceWorker;";

/// A page with a context, an exit and a place of its own.
pub(crate) struct Tab {
    context: Context,
    session: String,
    /// Its target id, which is also the id of its main frame.
    pub(crate) frame: String,
    events: mpsc::Receiver<Event>,
    documents: Navigation,
    /// Its requests that are under way, and those of its frames and workers.
    pub(crate) requests: Requests,
    intercept: Intercept,
    /// What every frame and worker runs before anything of its own.
    script: Option<String>,
    /// The clock of a frozen page.
    clock: Option<PageClock>,
    family: ChildTargets,
    /// Whom the page takes for its visitor.
    identity: Identity,
    /// Ids of frames that did not answer.
    pub(crate) mute_frames: HashSet<String>,
}

impl Tab {
    /// Opens an empty page whose traffic goes through `exit` alone, and that is visited by `identity`.
    ///
    /// Not cancellable: run it in a task of its own, so that a context that was just made is known to be
    /// disposed of.
    pub(crate) async fn open(
        browser: Arc<Browser>,
        exit: EgressProxy,
        identity: Identity,
    ) -> Result<Self, TabError> {
        let context = browser.context(exit.address());
        let made = browser.devtools.call(None, "Target.createBrowserContext", context).await?;
        let id = text(&made, "browserContextId");
        let context = Context { browser, id, exit: Some(exit), place: None, runtime: Handle::current() };
        let devtools = &context.browser.devtools;

        let blank = json!({ "url": "about:blank", "browserContextId": context.id });
        let (_, made) = tokio::try_join!(
            permissions::deny(devtools, &context.id),
            devtools.call(None, "Target.createTarget", blank)
        )?;
        let frame = text(&made, "targetId");
        let attach = json!({ "targetId": frame, "flatten": true });
        let session = text(&devtools.call(None, "Target.attachToTarget", attach).await?, "sessionId");
        let (main, requests) = (frame.clone(), Requests::new());
        let seen = requests.clone();
        let events = devtools.events(&session, move |event| {
            seen.observe(event);
            is_heeded(event, &main)
        });
        let told = |method: &'static str, params| devtools.call(Some(&session), method, params);
        tokio::try_join!(
            told("Inspector.enable", json!({})),
            told("Page.enable", json!({})),
            told("Page.setLifecycleEventsEnabled", json!({ "enabled": true })),
            told("Page.addScriptToEvaluateOnNewDocument", json!({ "source": monitor::script() })),
            told("Network.enable", unbuffered()),
            async {
                let families = told("Page.setFontFamilies", json!({ "fontFamilies": font_families() })).await;
                // An experimental method: remote browsers of another version may not have it.
                if matches!(families, Err(CallError::Refused { .. })) { Ok(Value::Null) } else { families }
            },
            told(USER_AGENT, identity.overrides()),
        )?;
        if let Some(locale) = identity.locale() {
            told("Emulation.setLocaleOverride", json!({ "locale": locale })).await?;
        }
        Ok(Tab {
            context,
            session,
            frame,
            events,
            documents: Navigation::default(),
            requests,
            intercept: Intercept::default(),
            script: None,
            clock: None,
            family: ChildTargets::default(),
            identity,
            mute_frames: HashSet::new(),
        })
    }

    /// Has it be visited by `identity`.
    pub(crate) async fn welcome(&mut self, identity: Identity) -> Result<(), TabError> {
        if self.identity != identity {
            self.call(USER_AGENT, identity.overrides()).await?;
            self.identity = identity;
        }
        Ok(())
    }

    /// Whether nothing befell it since it was opened.
    pub(crate) fn is_alive(&mut self) -> bool {
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

    /// Has it serve one capture: its place is free again when the page is gone, and its exit opens to the network of `to`.
    pub(crate) fn assign(&mut self, place: Arc<Slot>, to: Destination) {
        self.context.place = Some(place);
        if let Some(exit) = &self.context.exit {
            exit.network().open(to);
        }
    }

    /// Calls the page, heeding its events meanwhile.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Result<Value, TabError> {
        let session = self.session.clone();
        self.call_in(&session, method, params).await
    }

    /// The connection to the browser, for calls that are made at once. See [`attend`](Tab::attend).
    pub(crate) fn devtools(&self) -> Devtools {
        self.context.browser.devtools.clone()
    }

    /// Waits for `calls` while the events of the page are handled.
    pub(crate) async fn attend<T>(&mut self, calls: impl Future<Output = T>) -> Result<T, TabError> {
        tokio::pin!(calls);
        loop {
            tokio::select! {
                // A crash is known before the call that it leaves hanging.
                biased;
                event = self.events.recv() => self.heed(event).await?,
                answers = &mut calls => return Ok(answers),
            }
            if self.documents.restless {
                return Err(TabError::Restless);
            }
        }
    }

    /// Calls a frame or worker of the page that has a session of its own, or the page.
    pub(crate) async fn call_in(
        &mut self,
        session: &str,
        method: &str,
        params: Value,
    ) -> Result<Value, TabError> {
        let devtools = self.context.browser.devtools.clone();
        let call = devtools.call(Some(session), method, params);
        let begun = self.documents.begun();
        // Chrome forgets to answer some calls whose document goes away under them.
        let forgotten = tokio::time::sleep(Duration::MAX);
        tokio::pin!(call, forgotten);
        let mut replaced = false;
        loop {
            tokio::select! {
                // A crash is known before the call that it leaves hanging.
                biased;
                event = self.events.recv() => self.heed(event).await?,
                result = &mut call => return Ok(result?),
                () = &mut forgotten, if replaced => {
                    let message = "the page went elsewhere".to_owned();
                    return Err(CallError::Refused { method: method.to_owned(), message }.into());
                }
            }
            if self.documents.restless {
                return Err(TabError::Restless);
            }
            if !replaced && self.documents.begun() != begun {
                replaced = true;
                forgotten.as_mut().reset(tokio::time::Instant::now() + FORGOTTEN);
            }
        }
    }

    /// Has the page's requests answered by `intercept` from now on, and has every frame and worker run `script` first.
    pub(crate) async fn watch(
        &mut self,
        intercept: Intercept,
        script: Option<String>,
    ) -> Result<(), TabError> {
        let patterns = intercept.patterns();
        if intercept.has_rules() {
            self.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": NO_LONE_WORKERS })).await?;
        }
        self.intercept = intercept;
        self.script = match (self.identity.script(), script) {
            (Some(first), Some(script)) => Some(format!("{first}{script}")),
            (first, script) => first.or(script),
        };
        if let Some(script) = self.script.clone() {
            let devtools = self.context.browser.devtools.clone();
            self.clock = Some(PageClock::new(devtools, self.session.clone(), self.requests.clone()));
            self.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await?;
        }
        for script in self.intercept.scripts().to_vec() {
            let source = json!({ "source": script, "worldName": WORLD });
            self.call("Page.addScriptToEvaluateOnNewDocument", source).await?;
        }
        if let Some(patterns) = patterns {
            self.call("Fetch.enable", patterns).await?;
        }
        // Frames and workers do not begin before they are set up.
        let attach = self.family.attach(true);
        self.context.browser.devtools.notify(&self.session, "Target.setAutoAttach", attach).await;
        Ok(())
    }

    /// The page's session, and those of its frames that live in other processes.
    pub(crate) fn frame_sessions(&self) -> Vec<String> {
        std::iter::once(self.session.clone()).chain(self.family.frames()).collect()
    }

    /// Has the time of a frozen page pass from now on. Its timers and animation frames run out within `patience`, or the
    /// clock stands for good.
    pub(crate) fn start_clock(&mut self, patience: Duration) {
        if let Some(clock) = &mut self.clock {
            clock.start(patience);
        }
    }

    /// Waits until nothing more is to come of a frozen page.
    pub(crate) async fn run_out(&mut self) -> Result<(), TabError> {
        let Some(clock) = &mut self.clock else { return Ok(()) };
        let since = Stopwatch::start();
        let idle = tokio::time::timeout(clock.patience(), clock.idle());
        tokio::pin!(idle);
        let is_idle = loop {
            tokio::select! {
                event = self.events.recv() => self.heed(event).await?,
                ended = &mut idle => break ended.is_ok(),
            }
        };
        if let Some(clock) = &mut self.clock {
            clock.waited(since.elapsed());
            if !is_idle {
                tracing::debug!("the clock of the page stops at its bound");
                clock.stop();
            }
        }
        Ok(())
    }

    /// Time that is left for a frozen page to run out; none where it has or is not frozen.
    pub(crate) fn time_to_run_out(&self) -> Duration {
        self.clock.as_ref().map(PageClock::patience).unwrap_or_default()
    }

    /// Grants a permission to every page of this context.
    pub(crate) async fn grant(&mut self, permission: &str) -> Result<(), TabError> {
        let devtools = self.context.browser.devtools.clone();
        let grant = json!({ "permissions": [permission], "browserContextId": self.context.id });
        devtools.call(None, "Browser.grantPermissions", grant).await?;
        Ok(())
    }

    /// Waits until the document of `loader`, or the one that it gave way to, has come so far.
    pub(crate) async fn reached(&mut self, loader: &str, milestone: Milestone) -> Result<(), TabError> {
        self.reached_within(Duration::MAX, loader, milestone).await.map(|_| ())
    }

    /// As [`reached`](Tab::reached), for `patience` at most. Whether it has come so far.
    pub(crate) async fn reached_within(
        &mut self,
        patience: Duration,
        loader: &str,
        milestone: Milestone,
    ) -> Result<bool, TabError> {
        let late = tokio::time::sleep(patience);
        tokio::pin!(late);
        while !self.documents.has_reached(loader, milestone) {
            if self.documents.restless {
                return Err(TabError::Restless);
            }
            // Chrome says of a document that ends short only that it stopped. Unless it goes elsewhere next.
            // The network is reported idle a while after everything else.
            let stopped = self.documents.stopped && milestone != Milestone::Idle;
            let broken = tokio::time::sleep(if stopped { GOING_ELSEWHERE } else { Duration::MAX });
            tokio::select! {
                event = self.events.recv() => self.heed(event).await?,
                () = &mut late => return Ok(false),
                () = broken => match self.stopped_itself().await? {
                    true => self.documents.give_up(),
                    false => return Err(TabError::BrokenOff),
                },
            }
        }
        Ok(true)
    }

    /// Stops the loading of the document of `loader`, which did not reach `milestone`, and takes it as it is. Answers with
    /// the number of requests that had not ended.
    ///
    /// A script that holds up the parser fails instead, so that the rest of the document is parsed. A document whose own
    /// bytes do not end is stopped where it is.
    pub(crate) async fn stop_loading(
        &mut self,
        loader: &str,
        milestone: Milestone,
    ) -> Result<usize, TabError> {
        let unfinished = self.requests.unfinished();
        let is_parsed = self.documents.has_reached(loader, Milestone::Parsed);
        let is_whole = !self.documents.current().is_some_and(|current| self.requests.is_pending(current));
        if let (false, true, Some(exit)) = (is_parsed, is_whole, &self.context.exit) {
            exit.cut();
            if self.reached_within(AFTER_CUT, loader, milestone).await? {
                return Ok(unfinished);
            }
        }
        self.call("Page.stopLoading", json!({})).await?;
        self.documents.give_up();
        Ok(unfinished)
    }

    /// Waits until the page waits for no request, for `patience` at most.
    pub(crate) async fn requests_ended(&mut self, patience: Duration) -> Result<(), TabError> {
        let requests = self.requests.clone();
        let ended = tokio::time::timeout(patience, requests.none_awaited());
        tokio::pin!(ended);
        loop {
            tokio::select! {
                event = self.events.recv() => self.heed(event).await?,
                _ = &mut ended => return Ok(()),
            }
        }
    }

    /// Whether a document that stopped did so by its own will, as by a link to a mail program or to a download: it is then
    /// what a person would see. One whose bytes ended short is still being read.
    async fn stopped_itself(&mut self) -> Result<bool, TabError> {
        let ask = json!({ "expression": "document.readyState", "returnByValue": true });
        Ok(self.call("Runtime.evaluate", ask).await?["result"]["value"] == "complete")
    }

    /// Waits `time`, heeding events.
    pub(crate) async fn rest(&mut self, time: Duration) -> Result<(), TabError> {
        let sleep = tokio::time::sleep(time);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                event = self.events.recv() => self.heed(event).await?,
                () = &mut sleep => return Ok(()),
            }
        }
    }

    /// The network that this page takes.
    pub(crate) fn network(&self) -> Option<&PageNetwork> {
        self.context.exit.as_ref().map(EgressProxy::network)
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
            "Target.attachedToTarget" => self.adopt(&event).await,
            "Target.detachedFromTarget" => {
                let session = event.params["sessionId"].as_str().unwrap_or_default();
                self.family.forget(session);
                if let Some(clock) = &self.clock {
                    clock.forget(session);
                }
            }
            "Debugger.paused" => {
                let devtools = &self.context.browser.devtools;
                if let Some(script) = &self.script {
                    devtools
                        .notify(&event.session, "Runtime.evaluate", json!({ "expression": script }))
                        .await;
                }
                // With this it goes on.
                devtools.notify(&event.session, "Debugger.disable", json!({})).await;
                if let Some(clock) = &self.clock {
                    clock.begin(&event.session);
                }
            }
            "Page.frameStartedLoading" => self.documents.stopped = false,
            "Page.frameStoppedLoading" => self.documents.stopped = true,
            "Fetch.requestPaused" => {
                let (method, answer) = self.intercept.answer(&event.params);
                if let Some(script) = self.intercept.script_for(&event.params) {
                    let source = json!({ "source": script, "worldName": WORLD });
                    let devtools = &self.context.browser.devtools;
                    devtools.notify(&event.session, "Page.addScriptToEvaluateOnNewDocument", source).await;
                }
                self.context.browser.devtools.notify(&event.session, method, answer).await;
            }
            // Nobody will ever answer it, and the page stands still until somebody does.
            "Page.javascriptDialogOpening" => {
                let accept = event.params["type"] == "beforeunload";
                let answer = json!({ "accept": accept });
                let devtools = &self.context.browser.devtools;
                devtools.notify(&event.session, "Page.handleJavaScriptDialog", answer).await;
            }
            UNREADABLE => return Err(TabError::Unreadable),
            _ => return Err(TabError::Crashed),
        }
        Ok(())
    }

    /// Sets up a frame or worker that has a session of its own, and lets it go on.
    async fn adopt(&mut self, event: &Event) {
        let child = event.params["sessionId"].as_str().unwrap_or_default();
        let kind = event.params["targetInfo"]["type"].as_str().unwrap_or_default();
        let devtools = &self.context.browser.devtools;
        if self.family.add(child, kind) {
            let seen = self.requests.clone();
            devtools.join(&self.session, child, move |event| {
                seen.observe(event);
                is_heeded_of_child(event)
            });
            devtools.notify(child, "Network.enable", unbuffered()).await;
            if let Some(clock) = &self.clock {
                clock.add(child, kind);
            }
            if let Some(patterns) = self.intercept.patterns() {
                devtools.notify(child, "Fetch.enable", patterns).await;
            }
            // Chrome tells workers the page's user agent, but neither its languages nor its hints.
            devtools.notify(child, USER_AGENT, self.identity.overrides()).await;
            let attach = self.family.attach(true);
            devtools.notify(child, "Target.setAutoAttach", attach).await;
            if kind == "iframe" && !self.intercept.scripts().is_empty() {
                devtools.notify(child, "Page.enable", json!({})).await;
                for script in self.intercept.scripts() {
                    let source = json!({ "source": script, "worldName": WORLD, "runImmediately": true });
                    devtools.notify(child, "Page.addScriptToEvaluateOnNewDocument", source).await;
                }
            }
            match &self.script {
                Some(script) if kind == "iframe" => {
                    devtools.notify(child, "Page.enable", json!({})).await;
                    let source = json!({ "source": script, "runImmediately": true });
                    devtools.notify(child, "Page.addScriptToEvaluateOnNewDocument", source).await;
                }
                // A worker has no globals yet; it is stopped again right before its own script.
                Some(_) => {
                    devtools.notify(child, "Debugger.enable", json!({})).await;
                    let before = json!({ "instrumentation": "beforeScriptExecution" });
                    devtools.notify(child, "Debugger.setInstrumentationBreakpoint", before).await;
                }
                None => {}
            }
        }
        if event.params["waitingForDebugger"] == true {
            devtools.notify(child, "Runtime.runIfWaitingForDebugger", json!({})).await;
        }
    }
}

/// The generic families as Chrome with a window has them on Linux. Headless shell has others: its `monospace` is Courier New,
/// which is not what a visitor sees.
fn font_families() -> Value {
    json!({
        "standard": "Times New Roman", "serif": "Times New Roman", "sansSerif": "Arial", "fixed": "Monospace",
        "cursive": "Comic Sans MS", "fantasy": "Impact",
    })
}

/// Parameters of `Network.enable`: bodies are not asked for, so Chrome keeps none.
fn unbuffered() -> Value {
    json!({ "maxTotalBufferSize": 0, "maxResourceBufferSize": 0 })
}

fn is_heeded(event: &Event, main_frame: &str) -> bool {
    match event.method.as_str() {
        "Page.lifecycleEvent" => {
            let name = event.params["name"].as_str().unwrap_or_default();
            event.params["frameId"] == main_frame
                && matches!(name, "init" | "DOMContentLoaded" | "load" | "networkIdle")
        }
        "Page.frameStartedLoading" | "Page.frameStoppedLoading" => event.params["frameId"] == main_frame,
        "Fetch.requestPaused" | "Target.attachedToTarget" | "Target.detachedFromTarget" => true,
        "Page.javascriptDialogOpening" | "Inspector.targetCrashed" | "Inspector.detached" => true,
        _ => false,
    }
}

fn is_heeded_of_child(event: &Event) -> bool {
    matches!(
        event.method.as_str(),
        "Fetch.requestPaused" | "Target.attachedToTarget" | "Target.detachedFromTarget" | "Debugger.paused"
    )
}

fn text(result: &Value, name: &str) -> String {
    result[name].as_str().unwrap_or_default().to_owned()
}

/// What has to be given back when a capture is over, however it ended.
struct Context {
    browser: Arc<Browser>,
    id: String,
    exit: Option<EgressProxy>,
    place: Option<Arc<Slot>>,
    runtime: Handle,
}

impl Drop for Context {
    fn drop(&mut self) {
        let (browser, id) = (self.browser.clone(), std::mem::take(&mut self.id));
        let (exit, place) = (self.exit.take(), self.place.take());
        self.runtime.spawn(tasks::named("tab-disposal", async move {
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
        }));
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
            let mut documents = Navigation::default();
            for event in events.split(", ").filter(|event| !event.is_empty()) {
                let (name, loader) = event.split_once(' ').unwrap();
                documents.on_lifecycle(name, loader);
            }
            assert_eq!(documents.has_reached("A", Milestone::Loaded), expected, "{events}");
        }
    }
}
