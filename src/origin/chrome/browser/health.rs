//! Whether a browser is well: it answers, a fresh page renders, and it is neither too old nor too large.

use std::time::Duration;

use super::instance::{Browser, Fate};
use super::process_memory;
use crate::clock::Stopwatch;
use crate::origin::chrome::protocol::client::{CallError, Devtools};
use crate::origin::chrome::protocol::commands::{
    AttachToTarget, CaptureScreenshot, CreateBrowserContext, CreateTarget, DisposeBrowserContext, GetVersion,
    Rgba, SetDefaultBackgroundColorOverride, SetDeviceMetricsOverride,
};

/// Pause between two checks, however many doubts there are.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// Checks in a row that have to fail before a browser that still answers is given up.
const MAX_BLANKS: u32 = 2;
/// Viewport of the page that is rendered.
const SIDE: u32 = 16;

/// When a browser is looked at, and when it is replaced.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Time between two looks.
    pub(crate) interval: Duration,
    /// Time for an answer, and for a page to render.
    pub(crate) timeout: Duration,
    /// Age at which it is replaced.
    pub(crate) age: Duration,
    /// Bytes of memory, of all its processes, at which it is replaced.
    pub(crate) memory: u64,
}

/// What is wrong with a browser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ailment {
    /// It does not answer at all.
    #[error("it does not answer within {0:?}")]
    Mute(Duration),
    /// A fresh page is not shown.
    #[error("an empty page does not render: {0}")]
    Blank(String),
}

/// Looks after `browser` until it is dropped: turns its fate when it fails, or is worn by age or size.
pub(crate) async fn watch(browser: &Browser, rules: &Rules) {
    let life = Stopwatch::start();
    let (mut blanks, mut proofs) = (0, browser.pictures());
    loop {
        let left = rules.age.saturating_sub(life.elapsed());
        let doubted = tokio::select! {
            () = tokio::time::sleep(rules.interval.min(left)) => false,
            () = browser.doubted() => true,
        };
        if life.elapsed() >= rules.age {
            tracing::info!(pid = browser.pid, age = ?life.elapsed(), "the browser is old");
            browser.turn(Fate::Worn);
        }
        let bytes = process_memory::of_group(browser.pid).await;
        if bytes.is_some_and(|bytes| bytes >= rules.memory) {
            tracing::info!(pid = browser.pid, bytes, "the browser is large");
            browser.turn(Fate::Worn);
        }

        // Pictures of late are proof enough that pages render, unless something went wrong since.
        let proved = browser.pictures() != proofs && !doubted && blanks == 0;
        proofs = browser.pictures();
        let found = match proved {
            true => answers(&browser.devtools, rules.timeout).await,
            false => check(&browser.devtools, rules.timeout).await,
        };
        match found {
            Ok(()) => blanks = 0,
            Err(ailment @ Ailment::Mute(_)) => {
                tracing::warn!(pid = browser.pid, %ailment, "the browser hangs");
                browser.condemn();
            }
            Err(ailment @ Ailment::Blank(_)) => {
                blanks += 1;
                tracing::warn!(pid = browser.pid, %ailment, blanks, "the browser fails its check");
                if blanks >= MAX_BLANKS {
                    browser.turn(Fate::Sick);
                }
                // Its own failure is a doubt, which the next look has to clear up soon.
                browser.doubt();
            }
        }
        tokio::time::sleep(MIN_PAUSE.min(rules.interval)).await;
    }
}

/// Whether the browser answers, and a fresh page in a fresh context shows two colours as two pictures.
pub(crate) async fn check(devtools: &Devtools, timeout: Duration) -> Result<(), Ailment> {
    answers(devtools, timeout).await?;
    let late = || Ailment::Blank(format!("nothing within {timeout:?}"));
    let made = devtools.call(None, CreateBrowserContext::direct());
    let made = tokio::time::timeout(timeout, made).await.map_err(|_| late())?.map_err(blank)?;
    let context = made.browser_context_id;
    let seen = tokio::time::timeout(timeout, renders(devtools, &context)).await;
    // Whatever came of it, nothing is left of it.
    let gone = devtools.call(None, DisposeBrowserContext { browser_context_id: context });
    let gone = tokio::time::timeout(timeout, gone).await;
    seen.map_err(|_| late())??;
    gone.map_err(|_| late())?.map(|_| ()).map_err(blank)
}

async fn answers(devtools: &Devtools, timeout: Duration) -> Result<(), Ailment> {
    let answer = tokio::time::timeout(timeout, devtools.call(None, GetVersion {})).await;
    match answer {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Ailment::Mute(timeout)),
    }
}

async fn renders(devtools: &Devtools, context: &str) -> Result<(), Ailment> {
    let target = devtools.call(None, CreateTarget::blank(context)).await.map_err(blank)?;
    let attached = devtools.call(None, AttachToTarget::flat(&target.target_id)).await.map_err(blank)?;
    let session = Some(attached.session_id.as_str());

    let metrics = SetDeviceMetricsOverride {
        width: SIDE,
        height: SIDE,
        device_scale_factor: 1.0,
        mobile: false,
        screen_width: None,
        screen_height: None,
    };
    devtools.call(session, metrics).await.map_err(blank)?;
    let mut pictures = Vec::new();
    for (r, g) in [(255, 0), (0, 255)] {
        let color = Rgba { r, g, b: 0, a: 1 };
        devtools.call(session, SetDefaultBackgroundColorOverride { color }).await.map_err(blank)?;
        let shot = devtools.call(session, CaptureScreenshot::exact()).await.map_err(blank)?;
        pictures.push(shot.bytes().unwrap_or_default());
    }
    match pictures.as_slice() {
        [one, two] if !one.is_empty() && !two.is_empty() && one != two => Ok(()),
        _ => Err(Ailment::Blank("it does not show what it is told to".into())),
    }
}

fn blank(error: CallError) -> Ailment {
    Ailment::Blank(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::chrome::protocol::pipe::Messages;
    use serde_json::{Value, json};
    use tokio::io::AsyncWriteExt;

    /// Checks a browser that shows `pictures`, answers nothing after `limit` calls, and has its calls counted by name.
    async fn checked(pictures: [&str; 2], limit: usize) -> (Result<(), Ailment>, Vec<String>) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (input, output) = tokio::io::split(near);
        let devtools = Devtools::connect(input, output, 1 << 16, Duration::from_secs(60));
        let (input, mut output) = tokio::io::split(far);
        let mut input = Messages::new(input, 1 << 16);
        let (mut called, mut shown) = (Vec::new(), pictures.into_iter());
        let play = async {
            while let Ok(Some(message)) = input.next().await {
                let call: Value = serde_json::from_slice(&message).unwrap();
                let method = call["method"].as_str().unwrap().to_owned();
                let result = match method.as_str() {
                    "Target.createBrowserContext" => json!({ "browserContextId": "C" }),
                    "Target.createTarget" => json!({ "targetId": "T" }),
                    "Target.attachToTarget" => json!({ "sessionId": "S" }),
                    "Page.captureScreenshot" => json!({ "data": shown.next() }),
                    _ => json!({}),
                };
                called.push(method);
                if called.len() <= limit {
                    let answer = json!({ "id": call["id"], "result": result });
                    output.write_all(format!("{answer}\0").as_bytes()).await.unwrap();
                }
            }
        };
        let timeout = Duration::from_millis(if limit == usize::MAX { 60_000 } else { 500 });
        let result = tokio::select! {
            result = check(&devtools, timeout) => result,
            () = play => unreachable!("the connection stays open"),
        };
        (result, called)
    }

    #[tokio::test]
    async fn two_colours_have_to_be_two_pictures() {
        for (pictures, healthy) in [(["AAAA", "BBBB"], true), (["AAAA", "AAAA"], false), (["", ""], false)] {
            let (result, called) = checked(pictures, usize::MAX).await;
            assert_eq!(result.is_ok(), healthy, "{pictures:?}");
            assert_eq!(called.last().map(String::as_str), Some("Target.disposeBrowserContext"));
        }
    }

    #[tokio::test]
    async fn a_browser_that_answers_nothing_is_told_from_one_that_renders_nothing() {
        let (result, _) = checked(["AAAA", "BBBB"], 0).await;
        assert_eq!(result, Err(Ailment::Mute(Duration::from_millis(500))));
        // From the page on there is no answer; the context is given up all the same.
        let (result, called) = checked(["AAAA", "BBBB"], 3).await;
        assert!(matches!(result, Err(Ailment::Blank(_))), "{result:?}");
        assert_eq!(called.last().map(String::as_str), Some("Target.disposeBrowserContext"));
    }
}
