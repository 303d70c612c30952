//! The frames of a page, those of other origins and processes too: what is hidden in them, and that they stand still. A frame that
//! does not answer costs no picture.
//!
//! Frames are asked all at once. In a frame of another origin that is out of sight Chrome runs timers once a second only (Chrome
//! Platform Status 5701844080787456), and pages with advertisements have dozens of these.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::timeout;

use super::failure::Failure;
use super::filter_script::{FilterStep, Looked};
use super::script::{self, Rest, Rested, Step, Still, millis};
use super::tab::{Tab, TabError};
use super::waiting::Waiting;
use super::{freeze, monitor};
use crate::capture::limits::Limits;
use crate::capture::request::CaptureRequest;
use crate::origin::chrome::network::filter::{Cosmetics, Filter};
use crate::origin::chrome::protocol::client::{CallError, Devtools};
use crate::origin::chrome::protocol::commands::{
    Command, CreateIsolatedWorld, FrameTree, GetFrameTree, SetScriptExecutionDisabled,
};
use crate::origin::chrome::protocol::evaluate::{Evaluate, Evaluated};

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
/// [`Intercept::scripts`](crate::origin::chrome::network::intercept::Intercept::scripts).
pub(crate) async fn hide(tab: &mut Tab, filters: &[Arc<Filter>], limits: &Limits) -> Result<(), Failure> {
    if filters.is_empty() {
        return Ok(());
    }
    let is_by_name = filters.iter().any(|filter| filter.is_by_name());
    let look = FilterStep::Look { names: is_by_name }.expression();
    let frames = frames(tab).await?;
    let looks = frames.iter().map(|frame| (frame, look.clone())).collect();
    let found = evaluate_all(tab, looks, limits.max_settle).await?;
    let hiding = frames
        .iter()
        .zip(found)
        .filter_map(|(frame, found)| Some((frame, hiding(filters, &frame.url, &found?)?)));
    let hiding = hiding.collect();
    evaluate_all::<IgnoredAny>(tab, hiding, limits.max_settle).await?;
    Ok(())
}

/// The next step of the filter script in the frame at `url`, by what it has `found` there; none if nothing is to be hidden.
fn hiding(filters: &[Arc<Filter>], url: &str, found: &Looked) -> Option<String> {
    let Looked { classes, ids, begun, known } = found;
    let mut parts: Vec<Cosmetics> = Vec::new();
    if !*known {
        parts.extend(filters.iter().map(|filter| filter.at(url)));
    }
    if !classes.is_empty() || !ids.is_empty() {
        parts.extend(filters.iter().map(|filter| filter.named(url, classes, ids)));
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() && *begun {
        return None;
    }
    let generic = filters.iter().filter_map(|filter| serde_json::from_str(filter.generic()).ok());
    let begin = (!begun).then(|| generic.collect());
    Some(FilterStep::Apply { parts: &parts, begin }.expression())
}

/// Waits until every frame below the page's own is at rest, for `patience` in all. Answers with what one still waits for.
pub(crate) async fn rest(tab: &mut Tab, patience: Duration) -> Result<Option<Waiting>, Failure> {
    let (ms, monitor) = (millis(patience), monitor::token());
    let want = Rest { settle: true, inner: true, ms, monitor, ..Rest::default() };
    let answers: Vec<Option<Rested>> = ask_all(tab, &[Step::Rest], &want, patience).await?;
    let mut waiting = answers.into_iter().filter_map(|answer| answer?.waiting);
    Ok(waiting.find_map(|name| Waiting::of_script(&name)))
}

/// Has every frame below the page's own stand still.
pub(crate) async fn still(tab: &mut Tab, spec: &CaptureRequest, limits: &Limits) -> Result<(), Failure> {
    let want = Still {
        ms: None,
        content: &[],
        frozen: spec.freeze.map(|_| freeze::token()),
        patience: millis(tab.time_to_run_out()),
    };
    ask_all::<IgnoredAny>(tab, &[Step::Still, Step::Scripting], &want, limits.max_wait).await?;
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
    call_all(tab, SetScriptExecutionDisabled { value: disabled }).await?;
    Ok(())
}

/// The answers of the page, and of its frames that have sessions of their own; none for a frame that has gone or does not answer.
async fn call_all<C: Command + Clone>(
    tab: &mut Tab,
    command: C,
) -> Result<Vec<(String, Option<C::Reply>)>, Failure> {
    let mut sessions = tab.frame_sessions();
    let frames = sessions.split_off(1);
    let own = sessions.swap_remove(0);
    let answer = pardoned(tab.call_in(&own, command.clone()).await)?;
    let mut answers = vec![(own, answer)];
    let devtools = tab.devtools();
    let calls = frames.iter().map(|session| timeout(ANSWER, devtools.call(Some(session), command.clone())));
    let called = tab.attend(join_all(calls)).await?;
    for (session, answer) in frames.into_iter().zip(called) {
        let answer = answer.map_or(Ok(None), |answer| pardoned(answer.map_err(TabError::from)))?;
        answers.push((session, answer));
    }
    Ok(answers)
}

/// All frames, the page's own first.
async fn frames(tab: &mut Tab) -> Result<Vec<Frame>, Failure> {
    let mut frames = Vec::new();
    for (session, tree) in call_all(tab, GetFrameTree {}).await? {
        collect(tree.unwrap_or_default(), &session, &mut frames);
    }
    // Chrome does not tell of frames that are nested more than some 145 deep ("CBOR: stack limit exceeded").
    if frames.is_empty() {
        let url = tab.call(Evaluate::new("location.href")).await?.read().unwrap_or_default();
        let session = tab.frame_sessions().swap_remove(0);
        frames.push(Frame { session, id: tab.frame.clone(), url });
    }
    Ok(frames)
}

fn collect(tree: FrameTree, session: &str, found: &mut Vec<Frame>) {
    let room = MAX_FRAMES.saturating_sub(found.len());
    let frames = tree.0.into_iter().take(room);
    found.extend(frames.map(|frame| Frame { session: session.to_owned(), id: frame.id, url: frame.url }));
}

/// The answers of the frames below the page's own to some steps; none for those that have gone or take too long.
async fn ask_all<T: DeserializeOwned>(
    tab: &mut Tab,
    steps: &[Step],
    want: &impl Serialize,
    patience: Duration,
) -> Result<Vec<Option<T>>, Failure> {
    let frames = frames(tab).await?;
    let expression = script::expression(steps, want);
    let asked = frames.iter().skip(1).map(|frame| (frame, expression.clone())).collect();
    evaluate_all(tab, asked, patience).await
}

/// The value of an expression in each of these frames; none for a frame that has gone or takes too long. A frame that has not
/// answered before is not asked.
async fn evaluate_all<T: DeserializeOwned>(
    tab: &mut Tab,
    asked: Vec<(&Frame, String)>,
    patience: Duration,
) -> Result<Vec<Option<T>>, Failure> {
    let devtools = tab.devtools();
    let mute = tab.mute_frames.clone();
    let answers = asked.iter().map(async |(frame, expression)| match mute.contains(&frame.id) {
        true => Asked::Slow,
        false => evaluate(&devtools, frame, expression, patience).await,
    });
    let answers = tab.attend(join_all(answers)).await?;
    let mut values = Vec::with_capacity(answers.len());
    for ((frame, _), answer) in asked.iter().zip(answers) {
        values.push(match answer {
            Asked::Answer(answer) => pardoned(answer.map_err(TabError::from))?.and_then(Evaluated::read),
            Asked::Slow => None,
            Asked::Mute => {
                tracing::debug!(url = frame.url, "a frame does not answer");
                tab.mute_frames.insert(frame.id.clone());
                None
            }
        });
    }
    Ok(values)
}

/// What came of an expression.
enum Asked {
    Answer(Result<Evaluated, CallError>),
    /// It takes too long.
    Slow,
    /// The frame does not answer at all.
    Mute,
}

async fn evaluate(devtools: &Devtools, frame: &Frame, expression: &str, patience: Duration) -> Asked {
    let session = Some(frame.session.as_str());
    let making = devtools.call(session, CreateIsolatedWorld::of(&frame.id));
    let world = match timeout(ANSWER, making).await {
        Ok(Ok(world)) => world.execution_context_id,
        Ok(Err(error)) => return Asked::Answer(Err(error)),
        Err(_) => return Asked::Mute,
    };
    let ask = Evaluate::new(expression).in_world(world).awaited();
    match timeout(patience.saturating_add(ANSWER), devtools.call(session, ask)).await {
        Ok(answer) => Asked::Answer(answer),
        Err(_) => Asked::Slow,
    }
}

/// A frame may go at any time, and its session with it. One that tells more than can be read is left as it is.
fn pardoned<T>(answer: Result<T, TabError>) -> Result<Option<T>, Failure> {
    match answer {
        Err(error) if error.is_refusal() || error.is_unreadable_reply() => Ok(None),
        other => Ok(Some(other?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn frames_are_found_in_the_order_of_the_page() {
        let frame =
            |id: &str, children: Value| json!({ "frame": { "id": id, "url": "u" }, "childFrames": children });
        let tree = frame("A", json!([frame("B", json!([frame("C", json!([]))])), frame("D", json!([]))]));
        let mut found = Vec::new();
        let collect = |tree: &Value, found: &mut Vec<Frame>| {
            let tree = json!({ "frameTree": tree });
            super::collect(serde_json::from_value(tree).unwrap(), "S", found);
        };
        collect(&tree, &mut found);
        assert_eq!(found.iter().map(|frame| frame.id.as_str()).collect::<String>(), "ABCD");
        collect(&Value::Null, &mut found);
        assert_eq!(found.len(), 4);
        let many = frame("A", (0..100).map(|n| frame(&n.to_string(), json!([]))).collect());
        collect(&many, &mut found);
        assert_eq!(found.len(), MAX_FRAMES);
    }
}
