//! What is asked of a page by script, in a world of its own. One that goes elsewhere meanwhile is asked again.

use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::script::{
    self, Dress, Dressed, Part, Rest, Rested, Reveal, Selector, Step, Still, Wait, Waited, millis,
};
use super::tab::{Milestone, Tab, TabError};
use super::waiting::Waiting;
use super::{freeze, monitor};
use crate::capture::limits::Limits;
use crate::capture::request::{Area, CaptureRequest, Fault, Until};
use crate::clock::Stopwatch;
use crate::origin::Flaw;
use crate::origin::chrome::protocol::commands::CreateIsolatedWorld;
use crate::origin::chrome::protocol::evaluate::{Evaluate, Evaluated};

/// Times that a page may go elsewhere during one step.
const MAX_DETOURS: usize = 8;
/// A page, and how far its documents have to come before they are asked.
pub(crate) struct Driver<'t> {
    pub(crate) tab: &'t mut Tab,
    pub(crate) loader: &'t str,
    pub(crate) milestone: Milestone,
}

/// The document that came to rest.
#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    pub(crate) url: String,
    pub(crate) status: u16,
    /// The text on it that must not be there.
    #[serde(default)]
    pub(crate) content: Option<String>,
    /// Frames in it, at least.
    #[serde(default)]
    pub(crate) frames: usize,
}

impl Driver<'_> {
    /// Hides and styles, and has every selector read by the browser before anything waits for one.
    pub(crate) async fn dress(&mut self, spec: &CaptureRequest) -> Result<(), Failure> {
        let look = &spec.look;
        let wanted = match &spec.area {
            Area::Element(selector) => Some(selector),
            _ => None,
        };
        let selectors: Vec<Selector<'_>> = (look.hide.iter().map(|selector| ("hide_selectors", selector)))
            .chain(spec.wait.selector.iter().map(|selector| ("wait_for_selector", selector)))
            .chain(wanted.map(|selector| ("selector", selector)))
            .map(|(parameter, selector)| Selector { parameter, selector })
            .collect();
        if selectors.is_empty() && look.css.is_empty() {
            return Ok(());
        }
        let step = Dress { selectors, css: &look.css, hide: &look.hide };
        let dressed: Dressed = self.ask(&[Step::Dress], step).await?.unwrap_or_default();
        match dressed.bad {
            None => Ok(()),
            Some(bad) => Err(Failure::Parameter(Fault {
                parameter: bad.parameter,
                found: bad.selector,
                allowed: "a CSS selector that browsers can read".to_owned(),
            })),
        }
    }

    /// Runs the client's scripts, one after the other, in the page's own world.
    pub(crate) async fn run_scripts(
        &mut self,
        scripts: &[String],
        patience: Duration,
    ) -> Result<(), Failure> {
        let failed = |why: &str| Failure::Flawed(Flaw::Script, format!("the script failed: {why}"));
        for script in scripts {
            let script = Evaluate::new(format!("(async () => {{\n{script}\n}})()"));
            let call = self.tab.call(script.awaited().unread().by_user());
            let run = tokio::time::timeout(patience, call).await;
            match run.map_err(|_| failed(&format!("it took longer than {patience:?}")))? {
                Ok(evaluated) => {
                    if let Some(said) = evaluated.thrown() {
                        return Err(failed(said.lines().next().unwrap_or_default()));
                    }
                }
                // It went elsewhere, as it may.
                Err(gone) if gone.is_refusal() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits for an element.
    pub(crate) async fn wait_for(&mut self, selector: &str, patience: Duration) -> Result<(), Failure> {
        let want = Wait { selector, ms: millis(patience) };
        let waited: Waited = self.ask(&[Step::Wait], want).await?.unwrap_or_default();
        if waited.missing {
            let why = format!("nothing on the page matches {selector:?} within {patience:?}");
            return Err(Failure::Flawed(Flaw::Selector, why));
        }
        Ok(())
    }

    /// Waits until the page is at rest. Where more than the screen is wanted, what is beyond it is revealed then, and the page
    /// comes to rest again. Answers with what it still waits for.
    pub(crate) async fn rest(
        &mut self,
        spec: &CaptureRequest,
        limits: &Limits,
    ) -> Result<Option<Waiting>, Failure> {
        let waiting = self.at_rest(spec, limits).await?;
        if spec.area == Area::Viewport {
            return Ok(waiting);
        }
        self.reveal(spec, limits).await?;
        self.at_rest(spec, limits).await
    }

    /// Waits until nothing is under way, for *max_settle* at most. Answers with what still is.
    async fn at_rest(&mut self, spec: &CaptureRequest, limits: &Limits) -> Result<Option<Waiting>, Failure> {
        let since = Stopwatch::start();
        let left = || limits.max_settle.saturating_sub(since.elapsed());
        if !matches!(spec.wait.until, Until::Settled | Until::NetworkIdle) {
            return Ok(None);
        }
        let full_page = matches!(spec.area, Area::FullPage(_));
        let mut arrived = false;
        loop {
            // Requests first: what they bring may begin more of anything.
            arrived |= self.tab.requests.awaited().is_some();
            self.tab.requests_ended(left()).await?;
            let begun = self.tab.requests.begun();
            let want = Rest {
                settle: true,
                inner: false,
                ms: millis(left()),
                full_page,
                viewport: spec.area == Area::Viewport,
                arrived,
                painted: !spec.rules.allow_blank,
                monitor: monitor::token(),
            };
            let rested: Rested = self.ask(&[Step::Rest], want).await?.unwrap_or_default();
            let mut waiting = rested.waiting.as_deref().and_then(Waiting::of_script);
            if waiting.is_none() && rested.frames != Some(0) {
                waiting = super::frames::rest(self.tab, left()).await?;
            }
            let requested = self.tab.requests.begun() != begun;
            arrived = requested;
            let awaited = self.tab.requests.awaited();
            if left() == Duration::ZERO {
                return Ok(awaited.map(Waiting::Request).or(waiting));
            }
            if !requested && awaited.is_none() {
                return Ok(waiting);
            }
        }
    }

    /// Makes the page stand still, and looks at its document.
    pub(crate) async fn stand_still(
        &mut self,
        spec: &CaptureRequest,
        limits: &Limits,
    ) -> Result<Document, Failure> {
        let step = Still {
            ms: Some(millis(limits.max_settle)),
            content: &spec.rules.content,
            frozen: spec.freeze.map(|_| freeze::token()),
            patience: millis(self.tab.time_to_run_out()),
        };
        let answer = self.ask(&[Step::Still, Step::Scripting, Step::Measure], step).await?;
        answer.ok_or_else(|| Failure::Page("the document cannot be read".into()))
    }

    /// Has everything load that the wanted part of the page loads or shows by its place on the screen.
    async fn reveal(&mut self, spec: &CaptureRequest, limits: &Limits) -> Result<(), Failure> {
        let want = Reveal {
            part: Part::of(&spec.area),
            ms: millis(limits.max_settle),
            patience: millis(limits.max_wait),
            listens: self.listens_to_scrolling().await?,
        };
        self.ask::<IgnoredAny>(&[Step::Scroll, Step::Reveal], want).await?;
        Ok(())
    }

    /// Whether scripts of the page are told when it scrolls. They often look a while later only.
    async fn listens_to_scrolling(&mut self) -> Result<bool, Failure> {
        let ask = Evaluate::new(
            "[window, document, document.documentElement, document.body]\
                .some(target => target && 'scroll' in getEventListeners(target))",
        );
        match self.tab.call(ask.with_console()).await {
            Ok(evaluated) => Ok(evaluated.read() == Some(true)),
            Err(gone) if gone.is_refusal() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The answer to `steps`; none if it is not what was asked for.
    async fn ask<T: DeserializeOwned>(
        &mut self,
        steps: &[Step],
        want: impl Serialize,
    ) -> Result<Option<T>, Failure> {
        let expression = script::expression(steps, &want);
        for _ in 0..MAX_DETOURS {
            self.tab.reached(self.loader, self.milestone).await?;
            match self.evaluate(&expression).await {
                Ok(evaluated) => return Ok(evaluated.read()),
                Err(gone) if gone.is_refusal() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::Page("the page does not come to rest".into()))
    }

    async fn evaluate(&mut self, expression: &str) -> Result<Evaluated, TabError> {
        let world = CreateIsolatedWorld::of(&self.tab.frame);
        let world = self.tab.call(world).await?.execution_context_id;
        self.tab.call(Evaluate::new(expression).in_world(world).awaited()).await
    }
}
