//! The frames of a page one by one, those of other origins and processes too: what is hidden in them, and that they stand
//! still. A frame that does not answer costs no picture.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Failure;
use super::prepare::frozen_token;
use super::script::{self, Step};
use crate::origin::chrome::Limits;
use crate::origin::chrome::filter::Filter;
use crate::origin::chrome::spec::{CaptureSpec, Category};
use crate::origin::chrome::tab::{Tab, TabError};

/// Frames and workers that are asked; pages with more have most of them out of sight.
const MAX_FRAMES: usize = 64;

/// Time between two looks at a worker that has not begun.
const WORKER_STEP: Duration = Duration::from_millis(20);
/// Looks at most for workers that were made and are not there; one whose script cannot be had never is.
const WORKER_STEPS: u32 = 100;

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

/// Waits until nothing more is to come of a frozen page. What its workers tell it counts as well.
pub(super) async fn run_out(tab: &mut Tab, limits: &Limits) -> Result<(), Failure> {
    let want = json!({ "frozen": frozen_token(), "patience": millis(limits.max_wait) });
    let mut made = 0;
    for frame in frames(tab).await? {
        let answer = ask(tab, &frame, Step::RunOut, &want, limits.max_wait).await?;
        made += answer["workers"].as_u64().unwrap_or_default();
    }
    // Those that were made will be attached.
    for _ in 0..WORKER_STEPS {
        if tab.workers_seen() as u64 >= made {
            break;
        }
        tab.rest(WORKER_STEP).await?;
    }
    let workers = tab.worker_sessions();
    if workers.is_empty() {
        return Ok(());
    }
    let all = async {
        for session in workers.into_iter().take(MAX_FRAMES) {
            while !worker_ran_out(tab, &session).await? {
                tab.rest(WORKER_STEP).await?;
            }
        }
        Ok::<(), Failure>(())
    };
    // A worker that never begins is not waited for longer than this.
    if let Ok(done) = tokio::time::timeout(limits.max_wait, all).await {
        done?;
    }
    // What they said last is on its way to the page.
    let want = json!({ "frozen": frozen_token(), "patience": millis(limits.max_wait), "listen": true });
    for frame in frames(tab).await? {
        ask(tab, &frame, Step::RunOut, &want, limits.max_wait).await?;
    }
    Ok(())
}

/// Whether a worker, if it is still there, has begun and nothing more is to come of it.
async fn worker_ran_out(tab: &mut Tab, session: &str) -> Result<bool, Failure> {
    // To ask one that has not begun would be taken for its beginning.
    match tab.has_begun(session) {
        None => return Ok(true),
        Some(false) => return Ok(false),
        Some(true) => {}
    }
    let token = json!(frozen_token());
    let run = json!({
        "expression": format!("self[{token}] ? self[{token}]().then(() => true) : false"),
        "awaitPromise": true, "returnByValue": true,
    });
    let ran = pardoned(tab.call_in(session, "Runtime.evaluate", run).await)?;
    let gone = || tab.has_begun(session).is_none();
    Ok(if ran.is_null() { gone() } else { ran["result"]["value"] == true })
}

/// Has every frame below the page's own stand still.
pub(super) async fn still(tab: &mut Tab, spec: &CaptureSpec, limits: &Limits) -> Result<(), Failure> {
    let want = json!({
        "frozen": spec.freeze.map(|_| frozen_token()), "patience": millis(limits.max_settle),
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
    let asked = async {
        let world = json!({ "frameId": frame.id, "worldName": "tintype" });
        let world = tab.call_in(&frame.session, "Page.createIsolatedWorld", world).await?;
        let ask = json!({
            "expression": script::expression(steps, want), "contextId": world["executionContextId"],
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

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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
