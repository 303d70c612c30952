//! One capture, from an open tab to the bytes of a picture.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::Limits;
use super::browser::Browser;
use super::exit::ExitProxy;
use super::guard::{Barred, is_web};
use super::roads::Roads;
use super::slots::Place;
use super::spec::{CaptureSpec, Format, pixels};
use super::tab::{Tab, TabError};

/// Times that a page may go elsewhere while it settles.
const MAX_DETOURS: usize = 8;
/// Looked for by Chrome when an error answer has no body; the status is read from the document then.
const STATUS_ERROR: &str = "net::ERR_HTTP_RESPONSE_CODE_FAILURE";

/// Waits for fonts and for the images in view to be decoded, 2 s at most, then for two frames, and tells which
/// document it was. It runs in a world of its own, where the page has nothing to tamper with.
const SETTLE: &str = r"(async () => {
    const pause = ms => new Promise(done => setTimeout(done, ms));
    const frame = () => new Promise(done => requestAnimationFrame(done));
    const inView = image => {
        const box = image.getBoundingClientRect();
        return box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    };
    const images = Array.from(document.images || [])
        .filter(image => image.loading !== 'lazy' || inView(image))
        .map(image => image.decode().catch(() => {}));
    const fonts = document.fonts ? document.fonts.ready : undefined;
    await Promise.race([Promise.all([fonts, ...images]), pause(2000)]);
    await Promise.race([frame().then(frame), pause(500)]);
    const navigation = performance.getEntriesByType('navigation')[0];
    return { url: location.href, status: navigation ? navigation.responseStatus : 0 };
})()";

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The page could not be driven on.
    #[error(transparent)]
    Tab(#[from] TabError),
    /// The page, or what it redirects to, may not or cannot be reached.
    #[error(transparent)]
    Barred(#[from] Barred),
    /// The page did not become a picture.
    #[error("{0}")]
    Page(String),
}

/// The document that was loaded.
#[derive(Debug, Deserialize)]
struct Document {
    url: String,
    status: u16,
}

/// Captures `spec` on `browser`. The caller bounds the time.
pub(super) async fn capture(
    browser: Arc<Browser>,
    exit: ExitProxy,
    place: Arc<Place>,
    spec: &CaptureSpec,
    limits: &Limits,
) -> Result<Vec<u8>, Failure> {
    // An isolated context; it is disposed of even if nobody waits for it any more.
    let opening = tokio::spawn(Tab::open(browser, exit, place));
    let mut tab = opening.await.map_err(|error| Failure::Page(format!("cannot open a tab: {error}")))??;

    // The page and its picture. A page whose bytes were cut is none, whatever came of it.
    let shot = picture(&mut tab, spec, limits).await;
    match tab.roads().and_then(Roads::spent) {
        Some(spent) => Err(spent.into()),
        None => shot,
    }
}

async fn picture(tab: &mut Tab, spec: &CaptureSpec, limits: &Limits) -> Result<Vec<u8>, Failure> {
    // The page, at its size, until it has loaded.
    let metrics = json!({
        "width": spec.width, "height": spec.height, "deviceScaleFactor": spec.scale, "mobile": false,
    });
    tab.call("Emulation.setDeviceMetricsOverride", metrics).await?;
    let loader = navigate(tab, &spec.url).await?;
    tab.loaded(&loader).await?;
    if spec.delay > Duration::ZERO {
        tab.rest(spec.delay).await?;
    }

    // At rest, and what was wanted.
    let document = settle(tab, &loader).await?;
    check(tab, &document)?;
    shoot(tab, spec, limits).await
}

async fn navigate(tab: &mut Tab, url: &Url) -> Result<String, Failure> {
    let going = tab.call("Page.navigate", json!({ "url": url.as_str() })).await?;
    match going["errorText"].as_str() {
        None | Some("" | STATUS_ERROR) => {}
        Some(_) if going["isDownload"] == true => return Err(Failure::Page("the URL is a download".into())),
        Some(error) => {
            // Nothing of the page has run yet: what failed last is what it was asked for or redirects to.
            let trouble = tab.roads().and_then(Roads::last_trouble);
            return Err(trouble.map_or_else(|| Failure::Page(error.to_owned()), Failure::Barred));
        }
    }
    let loader = going["loaderId"].as_str().map(str::to_owned);
    loader.ok_or_else(|| Failure::Page("the URL leads to no document".into()))
}

/// Lets the page come to rest; one that goes elsewhere meanwhile is waited for again.
async fn settle(tab: &mut Tab, loader: &str) -> Result<Document, Failure> {
    for _ in 0..MAX_DETOURS {
        tab.loaded(loader).await?;
        match document(tab).await {
            Ok(result) => {
                return serde_json::from_value(result["result"]["value"].clone())
                    .map_err(|_| Failure::Page("the document cannot be read".into()));
            }
            Err(gone) if gone.is_refusal() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::Page("the page does not come to rest".into()))
}

async fn document(tab: &mut Tab) -> Result<Value, TabError> {
    let world = json!({ "frameId": tab.frame, "worldName": "tintype" });
    let world = tab.call("Page.createIsolatedWorld", world).await?;
    let ask = json!({
        "expression": SETTLE, "contextId": world["executionContextId"], "awaitPromise": true, "returnByValue": true,
    });
    tab.call("Runtime.evaluate", ask).await
}

/// Whether the document is what was wanted, and not an error of the site, of the exit or of Chrome.
fn check(tab: &Tab, document: &Document) -> Result<(), Failure> {
    let url = Url::parse(&document.url).map_err(|_| Failure::Page("the document has no URL".into()))?;
    if url.scheme() == "chrome-error" {
        let trouble = tab.roads().and_then(Roads::last_trouble);
        return Err(
            trouble.map_or_else(|| Failure::Page("the page went to an error".into()), Failure::Barred)
        );
    }
    if !is_web(&url) {
        return Err(Failure::Page(format!("the page went to a {}: URL", url.scheme())));
    }
    if document.status < 400 {
        return Ok(());
    }
    let trouble = match (tab.roads(), url.host_str(), url.port_or_known_default()) {
        (Some(roads), Some(host), Some(port)) => roads.trouble_with(host, port),
        _ => None,
    };
    let status = || Failure::Page(format!("the page answered with status {}", document.status));
    Err(trouble.map_or_else(status, Failure::Barred))
}

async fn shoot(tab: &mut Tab, spec: &CaptureSpec, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let mut how = json!({ "format": spec.format.name() });
    if spec.format != Format::Png {
        how["quality"] = spec.quality.into();
    }
    if spec.full_page {
        let metrics = tab.call("Page.getLayoutMetrics", json!({})).await?;
        let content = metrics["cssContentSize"]["height"].as_f64().unwrap_or_default();
        let height = full_height(content, spec, limits);
        how["captureBeyondViewport"] = true.into();
        how["clip"] = json!({ "x": 0, "y": 0, "width": spec.width, "height": height, "scale": 1 });
    }
    let shot = tab.call("Page.captureScreenshot", how).await?;
    let picture = BASE64_STANDARD.decode(shot["data"].as_str().unwrap_or_default());
    match picture {
        Ok(picture) if !picture.is_empty() => Ok(picture),
        _ => Err(Failure::Page("the browser gave no picture".into())),
    }
}

/// Height of a full page in CSS pixels: all of it, within both bounds.
fn full_height(content: f64, spec: &CaptureSpec, limits: &Limits) -> u32 {
    let wide = pixels(spec.width, spec.scale).max(1);
    let by_pixels = (limits.max_pixels / wide) as f64 / spec.scale;
    // At least the viewport, whose pixels were checked with the request.
    let height = content.ceil().min(by_pixels.floor()).min(f64::from(limits.max_full_page_height));
    (height as u32).max(spec.height.min(limits.max_full_page_height)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_pages_are_cut_at_both_bounds() {
        let limits = super::super::tests::config().limits;
        let spec = |query: &str| CaptureSpec::parse(&format!("url=http://a&{query}"), &limits).unwrap();
        assert_eq!((limits.max_pixels, limits.max_full_page_height), (16_000_000, 8000));
        for (content, query, expected) in [
            (3000.0, "width=100&height=50", 3000),
            (3000.2, "width=100&height=50", 3001),
            (20.0, "width=100&height=50", 50),
            (9000.0, "width=100&height=50", 8000),
            (9000.0, "width=4000&height=50", 4000),
            (9000.0, "width=2000&height=50&scale=2", 2000),
            (f64::MAX, "width=100&height=50", 8000),
            (f64::NAN, "width=100&height=50", 8000),
        ] {
            assert_eq!(full_height(content, &spec(query), &limits), expected, "{content} {query}");
        }
    }
}
