//! One page in one isolated context: opened, listened to while it is called, and disposed of when dropped.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::child_targets::ChildTargets;
use super::freeze::PageClock;
use super::monitor;
use super::navigation::Navigation;
use super::pending::Requests;
use super::permissions;
use super::wanted_events::is_wanted;
use crate::clock::Stopwatch;
use crate::origin::chrome::browser::instance::Browser;
use crate::origin::chrome::network::egress_proxy::EgressProxy;
use crate::origin::chrome::network::identity::Identity;
use crate::origin::chrome::network::intercept::{Intercept, NO_LONE_WORKERS};
use crate::origin::chrome::network::page_network::{Destination, PageNetwork};
pub(crate) use crate::origin::chrome::page::navigation::Milestone;
use crate::origin::chrome::protocol::client::{CallError, Devtools};
use crate::origin::chrome::protocol::commands::{
    AddScript, AttachToTarget, Command, CreateTarget, EnableInspector, EnableNetwork, EnablePage,
    FontFamilies, GrantPermissions, SetAutoAttach, SetFontFamilies, SetLifecycleEventsEnabled,
    SetLocaleOverride, StopLoading,
};
use crate::origin::chrome::protocol::evaluate::Evaluate;
use crate::origin::chrome::protocol::events::Event;
use crate::origin::chrome::queue::Slot;

mod context;
mod error;

use context::Context;
pub(crate) use error::TabError;

/// Time for the answer to a call after another document began.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// Time after loading stopped in which a page that goes elsewhere begins to.
const GOING_ELSEWHERE: Duration = Duration::from_secs(2);

/// Time for a document to be parsed after the connections that it waited for were cut.
const AFTER_CUT: Duration = Duration::from_secs(2);

/// A page with a context, an exit and a place of its own.
pub(crate) struct Tab {
    pub(super) context: Context,
    pub(super) session: String,
    /// Its target id, which is also the id of its main frame.
    pub(crate) frame: String,
    events: mpsc::Receiver<Event>,
    pub(super) documents: Navigation,
    /// Its requests that are under way, and those of its frames and workers.
    pub(crate) requests: Requests,
    pub(super) intercept: Intercept,
    /// What every frame and worker runs before anything of its own.
    pub(super) script: Option<String>,
    /// The clock of a frozen page.
    pub(super) clock: Option<PageClock>,
    pub(super) family: ChildTargets,
    /// Whom the page takes for its visitor.
    pub(super) identity: Identity,
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
        let context = Context::create(browser, exit).await?;
        let devtools = &context.browser.devtools;
        let (_, made) = tokio::try_join!(
            permissions::deny(devtools, &context.id),
            devtools.call(None, CreateTarget::blank(&context.id))
        )?;
        let frame = made.target_id;
        let session = devtools.call(None, AttachToTarget::flat(&frame)).await?.session_id;
        let (main, requests) = (frame.clone(), Requests::new());
        let seen = requests.clone();
        let events = devtools.events(&session, move |event| {
            seen.observe(event);
            is_wanted(event, &main)
        });
        let page = Some(session.as_str());
        tokio::try_join!(
            devtools.call(page, EnableInspector {}),
            devtools.call(page, EnablePage {}),
            devtools.call(page, SetLifecycleEventsEnabled { enabled: true }),
            devtools.call(page, AddScript::in_page(monitor::script())),
            devtools.call(page, EnableNetwork::unbuffered()),
            async {
                match devtools.call(page, SetFontFamilies { font_families: FontFamilies::LINUX }).await {
                    // An experimental method: remote browsers of another version may not have it.
                    Ok(_) | Err(CallError::Refused { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            },
            devtools.call(page, identity.overrides()),
        )?;
        if let Some(locale) = identity.locale() {
            devtools.call(page, SetLocaleOverride { locale: locale.to_owned() }).await?;
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
            self.call(identity.overrides()).await?;
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
    pub(crate) async fn call<C: Command>(&mut self, command: C) -> Result<C::Reply, TabError> {
        let session = self.session.clone();
        self.call_in(&session, command).await
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
    pub(crate) async fn call_in<C: Command>(
        &mut self,
        session: &str,
        command: C,
    ) -> Result<C::Reply, TabError> {
        let devtools = self.context.browser.devtools.clone();
        let call = devtools.call(Some(session), command);
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
                    return Err(CallError::Refused { method: C::METHOD, message }.into());
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
            self.call(AddScript::in_page(NO_LONE_WORKERS)).await?;
        }
        self.intercept = intercept;
        self.script = match (self.identity.script(), script) {
            (Some(first), Some(script)) => Some(format!("{first}{script}")),
            (first, script) => first.or(script),
        };
        if let Some(script) = self.script.clone() {
            let devtools = self.context.browser.devtools.clone();
            self.clock = Some(PageClock::new(devtools, self.session.clone(), self.requests.clone()));
            self.call(AddScript::in_page(script)).await?;
        }
        for script in self.intercept.scripts().to_vec() {
            self.call(AddScript::in_world(script)).await?;
        }
        if let Some(patterns) = patterns {
            self.call(patterns).await?;
        }
        // Frames and workers do not begin before they are set up.
        self.context.browser.devtools.notify(&self.session, SetAutoAttach::waiting()).await;
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
    pub(crate) async fn grant(&mut self, permission: &'static str) -> Result<(), TabError> {
        let devtools = self.context.browser.devtools.clone();
        let context = self.context.id.clone();
        let grant = GrantPermissions { permissions: vec![permission], browser_context_id: context };
        devtools.call(None, grant).await?;
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
        self.call(StopLoading {}).await?;
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
        let state: Option<String> = self.call(Evaluate::new("document.readyState")).await?.read();
        Ok(state.as_deref() == Some("complete"))
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
}
