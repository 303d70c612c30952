//! What a tab does about the events of its page.

use super::tab::{Tab, TabError};
use super::wanted_events::is_wanted_of_child;
use crate::origin::chrome::protocol::client::CallError;
use crate::origin::chrome::protocol::commands::{
    AddScript, DisableDebugger, EnableDebugger, EnableNetwork, EnablePage, HandleJavaScriptDialog,
    RunIfWaitingForDebugger, SetAutoAttach, SetInstrumentationBreakpoint,
};
use crate::origin::chrome::protocol::evaluate::Evaluate;
use crate::origin::chrome::protocol::events::{
    AttachedToTarget, DialogType, Event, EventKind, RequestPaused, TargetType,
};

impl Tab {
    pub(super) async fn heed(&mut self, event: Option<Event>) -> Result<(), TabError> {
        let Some(Event { session, kind }) = event else {
            let gone = self.context.browser.devtools.is_closed();
            return Err(if gone { CallError::Closed.into() } else { TabError::Flooded });
        };
        match kind {
            EventKind::LifecycleEvent(event) => self.documents.on_lifecycle(event.name, &event.loader_id),
            EventKind::AttachedToTarget(event) => self.adopt(&event).await,
            EventKind::DetachedFromTarget(event) => {
                self.family.forget(&event.session_id);
                if let Some(clock) = &self.clock {
                    clock.forget(&event.session_id);
                }
            }
            EventKind::Paused(_) => self.begin_worker(&session).await,
            EventKind::FrameStartedLoading(_) => self.documents.stopped = false,
            EventKind::FrameStoppedLoading(_) => self.documents.stopped = true,
            EventKind::RequestPaused(paused) => self.answer(&session, &paused).await,
            // Nobody will ever answer it, and the page stands still until somebody does.
            EventKind::JavascriptDialogOpening(event) => {
                let accept = event.r#type == DialogType::Beforeunload;
                let devtools = &self.context.browser.devtools;
                devtools.notify(&session, HandleJavaScriptDialog { accept }).await;
            }
            EventKind::Unreadable => return Err(TabError::Unreadable),
            _ => return Err(TabError::Crashed),
        }
        Ok(())
    }

    /// A worker stands right before its own script.
    async fn begin_worker(&mut self, session: &str) {
        let devtools = &self.context.browser.devtools;
        if let Some(script) = &self.script {
            devtools.notify(session, Evaluate::new(script.as_str()).unread()).await;
        }
        // With this it goes on.
        devtools.notify(session, DisableDebugger {}).await;
        if let Some(clock) = &self.clock {
            clock.begin(session);
        }
    }

    /// A request waits to be let through.
    async fn answer(&mut self, session: &str, paused: &RequestPaused) {
        let answer = self.intercept.answer(paused);
        let devtools = &self.context.browser.devtools;
        if let Some(script) = self.intercept.script_for(paused) {
            devtools.notify(session, AddScript::in_world(script)).await;
        }
        answer.send(devtools, session).await;
    }

    /// Sets up a frame or worker that has a session of its own, and lets it go on.
    async fn adopt(&mut self, event: &AttachedToTarget) {
        let (child, kind) = (event.session_id.as_str(), event.target_info.r#type);
        let devtools = &self.context.browser.devtools;
        if self.family.add(child, kind) {
            let seen = self.requests.clone();
            devtools.join(&self.session, child, move |event| {
                seen.observe(event);
                is_wanted_of_child(event)
            });
            devtools.notify(child, EnableNetwork::unbuffered()).await;
            if let Some(clock) = &self.clock {
                clock.add(child, kind);
            }
            if let Some(patterns) = self.intercept.patterns() {
                devtools.notify(child, patterns).await;
            }
            // Chrome tells workers the page's user agent, but neither its languages nor its hints.
            devtools.notify(child, self.identity.overrides()).await;
            devtools.notify(child, SetAutoAttach::waiting()).await;
            self.run_first(child, kind).await;
        }
        if event.waiting_for_debugger {
            devtools.notify(child, RunIfWaitingForDebugger {}).await;
        }
    }

    /// Has a frame or worker run our scripts before anything of its own.
    async fn run_first(&self, child: &str, kind: TargetType) {
        let devtools = &self.context.browser.devtools;
        if kind == TargetType::Iframe && !self.intercept.scripts().is_empty() {
            devtools.notify(child, EnablePage {}).await;
            for script in self.intercept.scripts() {
                devtools.notify(child, AddScript::in_world(script).at_once()).await;
            }
        }
        match &self.script {
            Some(script) if kind == TargetType::Iframe => {
                devtools.notify(child, EnablePage {}).await;
                devtools.notify(child, AddScript::in_page(script).at_once()).await;
            }
            // A worker has no globals yet; it is stopped again right before its own script.
            Some(_) => {
                devtools.notify(child, EnableDebugger {}).await;
                let before = SetInstrumentationBreakpoint { instrumentation: "beforeScriptExecution" };
                devtools.notify(child, before).await;
            }
            None => {}
        }
    }
}
