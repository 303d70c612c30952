//! The frames of a page, those of other origins and processes too: what is hidden in them, and that they stand still. A frame that
//! does not answer costs no picture.
//!
//! Frames are asked all at once. In a frame of another origin that is out of sight Chrome runs timers once a second only (Chrome
//! Platform Status 5701844080787456), and pages with advertisements have dozens of these.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::document::millis;
use super::failure::Failure;
use super::script::{self, Step};
use super::tab::{Tab, TabError};
use super::waiting::Waiting;
use super::{freeze, monitor};
use crate::capture::request::CaptureRequest;
use crate::origin::chrome::Limits;
use crate::origin::chrome::network::filter::{Cosmetics, Filter};
use crate::origin::chrome::network::intercept::{FILTER_SCRIPT, WORLD};
use crate::origin::chrome::protocol::client::{CallError, Devtools};

/// Frames and workers that are asked; pages with more have most of them out of sight.
const MAX_FRAMES: usize = 64;

/// A frame that is there answers within this, whatever it does.
const ANSWER: Duration = Duration::from_secs(1);

/// One frame.
struct Frame {
    session: String,
    id: String,
    url: String,
}

/// Applies `filters` to what is on the page by now, frame by frame. The first part of them is in before the document, see
/// [`Intercept::scripts`](crate::origin::chrome::intercept::Intercept::scripts).
pub(crate) async fn hide(tab: &mut Tab, filters: &[Arc<Filter>], limits: &Limits) -> Result<(), Failure> {
    if filters.is_empty() {
        return Ok(());
    }
    let is_by_name = filters.iter().any(|filter| filter.is_by_name());
    let look = format!("({FILTER_SCRIPT})({})", json!({ "step": "look", "names": is_by_name }));
    let frames = frames(tab).await?;
    let looks = frames.iter().map(|frame| (frame, look.clone())).collect();
    let found = evaluate_all(tab, looks, limits.max_settle).await?;
    let hiding = frames.iter().zip(&found).filter_map(|(frame, found)| {
        let step = hiding(filters, &frame.url, found)?;
        Some((frame, format!("({FILTER_SCRIPT})({step})")))
    });
    let hiding = hiding.collect();
    evaluate_all(tab, hiding, limits.max_settle).await?;
    Ok(())
}

/// The next step of the filter script in the frame at `url`, by what it has `found` there; none if nothing is to be hidden.
fn hiding(filters: &[Arc<Filter>], url: &str, found: &Value) -> Option<Value> {
    if found.is_null() {
        return None;
    }
    let read = |names: &Value| -> Vec<String> {
        let names = names.as_array().into_iter().flatten();
        names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let (classes, ids) = (read(&found["classes"]), read(&found["ids"]));
    let (begun, known) = (found["begun"] == true, found["known"] == true);
    let mut parts: Vec<Cosmetics> = Vec::new();
    if !known {
        parts.extend(filters.iter().map(|filter| filter.at(url)));
    }
    if !classes.is_empty() || !ids.is_empty() {
        parts.extend(filters.iter().map(|filter| filter.named(url, &classes, &ids)));
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() && begun {
        return None;
    }
    let mut step = json!({ "step": "apply", "parts": parts });
    if !begun {
        let generic = filters.iter().filter_map(|filter| serde_json::from_str(filter.generic()).ok());
        step["begin"] = generic.collect::<Vec<Value>>().into();
    }
    Some(step)
}

/// Waits until every frame below the page's own is at rest, for `patience` in all. Answers with what one still waits for.
pub(crate) async fn rest(tab: &mut Tab, patience: Duration) -> Result<Option<Waiting>, Failure> {
    let want = json!({ "settle": true, "inner": true, "ms": millis(patience), "monitor": monitor::token() });
    let answers = ask_all(tab, &[Step::Rest], &want, patience).await?;
    Ok(answers.iter().find_map(|answer| answer["waiting"].as_str().and_then(Waiting::of_script)))
}

/// Has every frame below the page's own stand still.
pub(crate) async fn still(tab: &mut Tab, spec: &CaptureRequest, limits: &Limits) -> Result<(), Failure> {
    let want = json!({
        "frozen": spec.freeze.map(|_| freeze::token()), "patience": millis(tab.time_to_run_out()),
    });
    ask_all(tab, &[Step::Still, Step::Scripting], &want, limits.max_wait).await?;
    Ok(())
}

/// Has no script of the page run any more, so that nothing is drawn while the picture is taken.
pub(crate) async fn stop(tab: &mut Tab) -> Result<(), Failure> {
    scripts_disabled(tab, true).await
}

/// Lets scripts run again.
pub(crate) async fn go_on(tab: &mut Tab) -> Result<(), Failure> {
    scripts_disabled(tab, false).await
}

async fn scripts_disabled(tab: &mut Tab, disabled: bool) -> Result<(), Failure> {
    let value = json!({ "value": disabled });
    call_all(tab, "Emulation.setScriptExecutionDisabled", &value).await?;
    Ok(())
}

/// The answers of the page, and of its frames that have sessions of their own; null for a frame that has gone or does not answer.
async fn call_all(tab: &mut Tab, method: &str, params: &Value) -> Result<Vec<(String, Value)>, Failure> {
    let mut sessions = tab.frame_sessions();
    let frames = sessions.split_off(1);
    let own = sessions.swap_remove(0);
    let answer = pardoned(tab.call_in(&own, method, params.clone()).await)?;
    let mut answers = vec![(own, answer)];
    let devtools = tab.devtools();
    let calls =
        frames.iter().map(|session| timeout(ANSWER, devtools.call(Some(session), method, params.clone())));
    let called = tab.attend(join_all(calls)).await?;
    for (session, answer) in frames.into_iter().zip(called) {
        let answer = answer.map_or(Ok(Value::Null), |answer| pardoned(answer.map_err(TabError::from)))?;
        answers.push((session, answer));
    }
    Ok(answers)
}

/// All frames, the page's own first.
async fn frames(tab: &mut Tab) -> Result<Vec<Frame>, Failure> {
    let mut frames = Vec::new();
    for (session, tree) in call_all(tab, "Page.getFrameTree", &json!({})).await? {
        collect(&tree["frameTree"], &session, &mut frames);
    }
    // Chrome does not tell of frames that are nested more than some 145 deep ("CBOR: stack limit exceeded").
    if frames.is_empty() {
        let ask = json!({ "expression": "location.href", "returnByValue": true });
        let url = tab.call("Runtime.evaluate", ask).await?["result"]["value"].take();
        let session = tab.frame_sessions().swap_remove(0);
        frames.push(Frame {
            session,
            id: tab.frame.clone(),
            url: url.as_str().unwrap_or_default().to_owned(),
        });
    }
    Ok(frames)
}

fn collect(tree: &Value, session: &str, found: &mut Vec<Frame>) {
    let mut rest = vec![tree];
    while let Some(tree) = rest.pop() {
        let of = |name: &str| tree["frame"][name].as_str().unwrap_or_default().to_owned();
        if found.len() < MAX_FRAMES && !of("id").is_empty() {
            found.push(Frame { session: session.to_owned(), id: of("id"), url: of("url") });
        }
        rest.extend(tree["childFrames"].as_array().into_iter().flatten().rev());
    }
}

/// The answers of the frames below the page's own to some steps; null for those that have gone or take too long.
async fn ask_all(
    tab: &mut Tab,
    steps: &[Step],
    want: &Value,
    patience: Duration,
) -> Result<Vec<Value>, Failure> {
    let frames = frames(tab).await?;
    let expression = script::expression(steps, want);
    let asked = frames.iter().skip(1).map(|frame| (frame, expression.clone())).collect();
    evaluate_all(tab, asked, patience).await
}

/// The value of an expression in each of these frames; null for a frame that has gone or takes too long. A frame that has not
/// answered before is not asked.
async fn evaluate_all(
    tab: &mut Tab,
    asked: Vec<(&Frame, String)>,
    patience: Duration,
) -> Result<Vec<Value>, Failure> {
    let devtools = tab.devtools();
    let mute = tab.mute_frames.clone();
    let answers = asked.iter().map(async |(frame, expression)| match mute.contains(&frame.id) {
        true => Evaluated::Slow,
        false => evaluate(&devtools, frame, expression, patience).await,
    });
    let answers = tab.attend(join_all(answers)).await?;
    let mut values = Vec::with_capacity(answers.len());
    for ((frame, _), answer) in asked.iter().zip(answers) {
        values.push(match answer {
            Evaluated::Answer(answer) => pardoned(answer.map_err(TabError::from))?,
            Evaluated::Slow => Value::Null,
            Evaluated::Mute => {
                tracing::debug!(url = frame.url, "a frame does not answer");
                tab.mute_frames.insert(frame.id.clone());
                Value::Null
            }
        });
    }
    Ok(values)
}

/// What came of an expression.
enum Evaluated {
    Answer(Result<Value, CallError>),
    /// It takes too long.
    Slow,
    /// The frame does not answer at all.
    Mute,
}

async fn evaluate(devtools: &Devtools, frame: &Frame, expression: &str, patience: Duration) -> Evaluated {
    let session = Some(frame.session.as_str());
    let world = json!({ "frameId": frame.id, "worldName": WORLD });
    let making = devtools.call(session, "Page.createIsolatedWorld", world);
    let world = match timeout(ANSWER, making).await {
        Ok(Ok(world)) => world,
        Ok(Err(error)) => return Evaluated::Answer(Err(error)),
        Err(_) => return Evaluated::Mute,
    };
    let ask = json!({
        "expression": expression, "contextId": world["executionContextId"],
        "awaitPromise": true, "returnByValue": true,
    });
    match timeout(patience.saturating_add(ANSWER), devtools.call(session, "Runtime.evaluate", ask)).await {
        Ok(answer) => Evaluated::Answer(answer.map(|mut answer| answer["result"]["value"].take())),
        Err(_) => Evaluated::Slow,
    }
}

/// A frame may go at any time, and its session with it. One that tells more than can be read is left as it is.
fn pardoned(answer: Result<Value, TabError>) -> Result<Value, Failure> {
    match answer {
        Err(error) if error.is_refusal() || error.is_unreadable_reply() => Ok(Value::Null),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_in_the_order_of_the_page() {
        let frame =
            |id: &str, children: Value| json!({ "frame": { "id": id, "url": "u" }, "childFrames": children });
        let tree = frame("A", json!([frame("B", json!([frame("C", json!([]))])), frame("D", json!([]))]));
        let mut found = Vec::new();
        collect(&tree, "S", &mut found);
        assert_eq!(found.iter().map(|frame| frame.id.as_str()).collect::<String>(), "ABCD");
        collect(&Value::Null, "S", &mut found);
        assert_eq!(found.len(), 4);
        let many = frame("A", (0..100).map(|n| frame(&n.to_string(), json!([]))).collect());
        collect(&many, "S", &mut found);
        assert_eq!(found.len(), MAX_FRAMES);
    }
}
