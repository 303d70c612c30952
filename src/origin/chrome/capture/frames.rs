//! The frames of a page one by one, those of other origins and processes too: what is hidden in them, and that they stand
//! still. A frame that does not answer costs no picture.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Failure;
use super::page::millis;
use super::report::Waiting;
use super::script::{self, Step};
use crate::clock::Stopwatch;
use crate::origin::chrome::filter::{Cosmetics, Filter};
use crate::origin::chrome::intercept::{FILTER_SCRIPT, WORLD};
use crate::origin::chrome::spec::CaptureSpec;
use crate::origin::chrome::tab::{Tab, TabError};
use crate::origin::chrome::{Limits, monitor, page_clock};

/// Frames and workers that are asked; pages with more have most of them out of sight.
const MAX_FRAMES: usize = 64;

/// One frame.
struct Frame {
    session: String,
    id: String,
    url: String,
}

/// Applies `filters` to what is on the page by now, frame by frame. The first part of them is in before the document, see
/// [`Intercept::scripts`](crate::origin::chrome::intercept::Intercept::scripts).
pub(super) async fn hide(tab: &mut Tab, filters: &[Arc<Filter>], limits: &Limits) -> Result<(), Failure> {
    if filters.is_empty() {
        return Ok(());
    }
    let is_by_name = filters.iter().any(|filter| filter.is_by_name());
    let look = json!({ "step": "look", "names": is_by_name });
    for frame in frames(tab).await? {
        let expression = format!("({FILTER_SCRIPT})({look})");
        let names = evaluate(tab, &frame, &expression, limits.max_settle).await?;
        if names.is_null() {
            continue;
        }
        let read = |names: &Value| -> Vec<String> {
            let names = names.as_array().into_iter().flatten();
            names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let (classes, ids) = (read(&names["classes"]), read(&names["ids"]));
        let (begun, known) = (names["begun"] == true, names["known"] == true);
        let mut parts: Vec<Cosmetics> = Vec::new();
        if !known {
            parts.extend(filters.iter().map(|filter| filter.at(&frame.url)));
        }
        if !classes.is_empty() || !ids.is_empty() {
            parts.extend(filters.iter().map(|filter| filter.named(&frame.url, &classes, &ids)));
        }
        parts.retain(|part| !part.is_empty());
        if parts.is_empty() && begun {
            continue;
        }
        let mut step = json!({ "step": "apply", "parts": parts });
        if !begun {
            let generic = filters.iter().filter_map(|filter| serde_json::from_str(filter.generic()).ok());
            step["begin"] = generic.collect::<Vec<Value>>().into();
        }
        let expression = format!("({FILTER_SCRIPT})({step})");
        evaluate(tab, &frame, &expression, limits.max_settle).await?;
    }
    Ok(())
}

/// Waits until every frame below the page's own is at rest, for `patience` in all. Answers with what one still waits for.
pub(super) async fn rest(tab: &mut Tab, patience: Duration) -> Result<Option<Waiting>, Failure> {
    let since = Stopwatch::start();
    let mut waiting = None;
    for frame in frames(tab).await?.into_iter().skip(1) {
        let left = patience.saturating_sub(since.elapsed());
        let want = json!({ "settle": true, "inner": true, "ms": millis(left), "monitor": monitor::token() });
        let answer = ask(tab, &frame, Step::Rest, &want, left).await?;
        waiting = waiting.or(answer["waiting"].as_str().and_then(Waiting::of_script));
    }
    Ok(waiting)
}

/// Has every frame below the page's own stand still.
pub(super) async fn still(tab: &mut Tab, spec: &CaptureSpec, limits: &Limits) -> Result<(), Failure> {
    let want = json!({
        "frozen": spec.freeze.map(|_| page_clock::token()), "patience": millis(tab.time_to_run_out()),
    });
    for frame in frames(tab).await?.into_iter().skip(1) {
        ask_all(tab, &frame, &[Step::Still, Step::Scripting], &want, limits.max_wait).await?;
    }
    Ok(())
}

/// Has no script of the page run any more, so that nothing is drawn while the picture is taken.
pub(super) async fn stop(tab: &mut Tab) -> Result<(), Failure> {
    scripts_disabled(tab, true).await
}

/// Lets scripts run again.
pub(super) async fn go_on(tab: &mut Tab) -> Result<(), Failure> {
    scripts_disabled(tab, false).await
}

async fn scripts_disabled(tab: &mut Tab, disabled: bool) -> Result<(), Failure> {
    for session in tab.frame_sessions() {
        let value = json!({ "value": disabled });
        pardoned(tab.call_in(&session, "Emulation.setScriptExecutionDisabled", value).await)?;
    }
    Ok(())
}

/// All frames, the page's own first.
async fn frames(tab: &mut Tab) -> Result<Vec<Frame>, Failure> {
    let mut frames = Vec::new();
    for session in tab.frame_sessions() {
        if frames.len() >= MAX_FRAMES {
            break;
        }
        let tree = tab.call_in(&session, "Page.getFrameTree", json!({})).await;
        collect(&pardoned(tree)?["frameTree"], &session, &mut frames);
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

/// One step in one frame; nothing if it has gone or takes too long.
async fn ask(
    tab: &mut Tab,
    frame: &Frame,
    step: Step,
    want: &Value,
    patience: Duration,
) -> Result<Value, Failure> {
    ask_all(tab, frame, &[step], want, patience).await
}

/// Some steps in one frame.
async fn ask_all(
    tab: &mut Tab,
    frame: &Frame,
    steps: &[Step],
    want: &Value,
    patience: Duration,
) -> Result<Value, Failure> {
    evaluate(tab, frame, &script::expression(steps, want), patience).await
}

/// The value of an expression in one frame; nothing if the frame has gone or takes too long.
async fn evaluate(
    tab: &mut Tab,
    frame: &Frame,
    expression: &str,
    patience: Duration,
) -> Result<Value, Failure> {
    let asked = async {
        let world = json!({ "frameId": frame.id, "worldName": WORLD });
        let world = tab.call_in(&frame.session, "Page.createIsolatedWorld", world).await?;
        let ask = json!({
            "expression": expression, "contextId": world["executionContextId"],
            "awaitPromise": true, "returnByValue": true,
        });
        let mut answer = tab.call_in(&frame.session, "Runtime.evaluate", ask).await?;
        Ok(answer["result"]["value"].take())
    };
    match tokio::time::timeout(patience.saturating_add(Duration::from_secs(1)), asked).await {
        Ok(answer) => pardoned(answer),
        Err(_) => Ok(Value::Null),
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
