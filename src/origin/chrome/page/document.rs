//! What is asked of a page by script, in a world of its own. One that goes elsewhere meanwhile is asked again.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::Failure;
use super::script::{self, Step};
use super::tab::{Milestone, Tab, TabError};
use super::waiting::Waiting;
use super::{freeze, monitor};
use crate::capture::request::{Area, CaptureRequest, Fault, Until};
use crate::clock::Stopwatch;
use crate::origin::Flaw;
use crate::origin::chrome::Limits;
use crate::origin::chrome::network::intercept::WORLD;

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
        let selectors: Vec<Value> = (look.hide.iter().map(|selector| ("hide_selectors", selector)))
            .chain(spec.wait.selector.iter().map(|selector| ("wait_for_selector", selector)))
            .chain(wanted.map(|selector| ("selector", selector)))
            .map(|(parameter, selector)| json!({ "parameter": parameter, "selector": selector }))
            .collect();
        if selectors.is_empty() && look.css.is_empty() {
            return Ok(());
        }
        let step = json!({ "selectors": selectors, "css": look.css, "hide": look.hide });
        let answer = self.ask(&[Step::Dress], step).await?;
        match &answer["bad"] {
            Value::Null => Ok(()),
            bad => Err(Failure::Parameter(Fault {
                parameter: bad["parameter"].as_str().unwrap_or_default().to_owned(),
                found: bad["selector"].as_str().unwrap_or_default().to_owned(),
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
            let ask = json!({
                "expression": format!("(async () => {{\n{script}\n}})()"), "awaitPromise": true,
                "userGesture": true,
            });
            let run = tokio::time::timeout(patience, self.tab.call("Runtime.evaluate", ask)).await;
            match run.map_err(|_| failed(&format!("it took longer than {patience:?}")))? {
                Ok(result) => {
                    let exception = &result["exceptionDetails"];
                    let said = exception["exception"]["description"].as_str().or(exception["text"].as_str());
                    if let Some(said) = said {
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
        let want = json!({ "selector": selector, "ms": millis(patience) });
        let answer = self.ask(&[Step::Wait], want).await?;
        if answer["missing"] == true {
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
            let want = json!({
                "settle": true, "ms": millis(left()), "fullPage": full_page, "monitor": monitor::token(),
                "arrived": arrived, "painted": !spec.rules.allow_blank, "viewport": spec.area == Area::Viewport,
            });
            let answer = self.ask(&[Step::Rest], want).await?;
            let mut waiting = answer["waiting"].as_str().and_then(Waiting::of_script);
            if waiting.is_none() && answer["frames"] != 0 {
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
        let step = json!({
            "ms": millis(limits.max_settle),
            "content": spec.rules.content,
            "frozen": spec.freeze.map(|_| freeze::token()),
            "patience": millis(self.tab.time_to_run_out()),
        });
        let answer = self.ask(&[Step::Still, Step::Scripting, Step::Measure], step).await?;
        serde_json::from_value(answer).map_err(|_| Failure::Page("the document cannot be read".into()))
    }

    /// Has everything load that the wanted part of the page loads or shows by its place on the screen.
    async fn reveal(&mut self, spec: &CaptureRequest, limits: &Limits) -> Result<(), Failure> {
        let mut want = script::area(&spec.area);
        want["ms"] = millis(limits.max_settle).into();
        want["patience"] = millis(limits.max_wait).into();
        want["listens"] = self.listens_to_scrolling().await?.into();
        self.ask(&[Step::Scroll, Step::Reveal], want).await?;
        Ok(())
    }

    /// Whether scripts of the page are told when it scrolls. They often look a while later only.
    async fn listens_to_scrolling(&mut self) -> Result<bool, Failure> {
        let ask = json!({
            "expression": "[window, document, document.documentElement, document.body]\
                .some(target => target && 'scroll' in getEventListeners(target))",
            "includeCommandLineAPI": true, "returnByValue": true,
        });
        match self.tab.call("Runtime.evaluate", ask).await {
            Ok(answer) => Ok(answer["result"]["value"] == true),
            Err(gone) if gone.is_refusal() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn ask(&mut self, steps: &[Step], want: Value) -> Result<Value, Failure> {
        for _ in 0..MAX_DETOURS {
            self.tab.reached(self.loader, self.milestone).await?;
            match self.evaluate(steps, &want).await {
                Ok(answer) => return Ok(answer),
                Err(gone) if gone.is_refusal() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::Page("the page does not come to rest".into()))
    }

    async fn evaluate(&mut self, steps: &[Step], want: &Value) -> Result<Value, TabError> {
        let world = json!({ "frameId": self.tab.frame, "worldName": WORLD });
        let world = self.tab.call("Page.createIsolatedWorld", world).await?;
        let ask = json!({
            "expression": script::expression(steps, want), "contextId": world["executionContextId"],
            "awaitPromise": true, "returnByValue": true,
        });
        let mut answer = self.tab.call("Runtime.evaluate", ask).await?;
        if let Some(thrown) = answer.get("exceptionDetails") {
            tracing::debug!(%thrown, "a step on the page failed");
        }
        Ok(answer["result"]["value"].take())
    }
}

/// Whole milliseconds, as scripts take them.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
