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
use crate::origin::chrome::filter::Filter;
use crate::origin::chrome::spec::{CaptureSpec, Category};
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

/// Hides what `filters` are against, frame by frame.
pub(super) async fn hide(tab: &mut Tab, filters: &[Arc<Filter>], limits: &Limits) -> Result<(), Failure> {
    if filters.is_empty() {
        return Ok(());
    }
    for frame in frames(tab).await? {
        let names = ask(tab, &frame, Step::Names, &json!({}), limits.max_settle).await?;
        let read = |names: &Value| -> Vec<String> {
            let names = names.as_array().into_iter().flatten();
            names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
        };
        let (classes, ids) = (read(&names["classes"]), read(&names["ids"]));
        let (mut all, mut consent) = (Vec::new(), Vec::new());
        for filter in filters {
            let hidden = filter.hidden(&frame.url, &classes, &ids);
            if filter.category == Category::CookieBanners {
                consent.extend_from_slice(&hidden);
            }
            all.extend(hidden);
        }
        if !all.is_empty() {
            let want = json!({ "hide": all, "consent": consent });
            ask(tab, &frame, Step::Filter, &want, limits.max_settle).await?;
        }
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
        ask(tab, &frame, Step::Still, &want, limits.max_wait).await?;
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
    let asked = async {
        let world = json!({ "frameId": frame.id, "worldName": "tintype" });
        let world = tab.call_in(&frame.session, "Page.createIsolatedWorld", world).await?;
        let ask = json!({
            "expression": script::expression(&[step], want), "contextId": world["executionContextId"],
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

/// A frame may go at any time, and its session with it.
fn pardoned(answer: Result<Value, TabError>) -> Result<Value, Failure> {
    match answer {
        Err(gone) if gone.is_refusal() => Ok(Value::Null),
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
