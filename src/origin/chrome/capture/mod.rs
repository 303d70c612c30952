//! One capture, from an open tab to the bytes of a picture.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::capture::limits::Limits;
use crate::capture::request::{Area, CaptureRequest, OnTimeout, Page, Until};
use crate::clock::Stopwatch;
use crate::origin::Flaw;
use crate::origin::chrome::network::barred::Barred;
use crate::origin::chrome::network::filter::Filter;
use crate::origin::chrome::network::guard::is_web;
use crate::origin::chrome::network::intercept::HTML_URL;
use crate::origin::chrome::network::page_network::PageNetwork;
use crate::origin::chrome::page::document::{self, Document};
use crate::origin::chrome::page::failure::Failure;
use crate::origin::chrome::page::tab::{Milestone, Tab, TabError};
use crate::origin::chrome::page::{frames, prepare};
use crate::origin::chrome::protocol::commands::{GetFrameTree, Navigate};
use crate::tasks;
pub(crate) use budget::Budget;
pub(crate) use report::{Report, Shot};

mod area;
mod budget;
mod pixels;
mod report;
mod screenshot;

/// Looked for by Chrome when an error answer has no body; the status is read from the document then.
const STATUS_ERROR: &str = "net::ERR_HTTP_RESPONSE_CODE_FAILURE";
/// What Chrome says of a navigation that was given up.
const ABORTED: &str = "net::ERR_ABORTED";

/// The status that the exit answers with once it is closed.
const CLOSED_EXIT: u16 = 504;

/// Captures `spec` with the page that `opening` gives, in an isolated context. The caller bounds the time; `left` is what is
/// left of it.
pub(crate) async fn capture(
    opening: impl Future<Output = Result<Tab, TabError>> + Send + 'static,
    spec: &CaptureRequest,
    filters: &[Arc<Filter>],
    limits: &Limits,
    left: Duration,
) -> Result<Shot, Failure> {
    let left = (spec.rules.on_timeout == OnTimeout::Picture).then_some(left);
    let budget = Budget::start(left);
    // It is disposed of even if nobody waits for it any more.
    let opening = tasks::spawn("tab-opening", opening);
    let mut tab = opening.await.map_err(|error| Failure::Page(format!("cannot open a tab: {error}")))??;

    // The page and its picture. A page whose bytes were cut is none, whatever came of it.
    let shot = picture(&mut tab, spec, filters, limits, &budget).await;
    match tab.network().and_then(PageNetwork::spent) {
        Some(spent) => Err(spent.into()),
        None => shot,
    }
}

async fn picture(
    tab: &mut Tab,
    spec: &CaptureRequest,
    filters: &[Arc<Filter>],
    limits: &Limits,
    budget: &Budget,
) -> Result<Shot, Failure> {
    // The screen and the visitor that the page will see; then the page.
    prepare::prepare(tab, spec, filters).await?;
    let since = Stopwatch::start();
    let phase = |name: &str| tracing::debug!(phase = name, after = ?since.elapsed(), "capture");
    let Loaded { loader, milestone, pending } = load(tab, spec, limits).await?;
    phase("loaded");
    tab.start_clock(limits.max_freeze);

    // What is changed about it, and waited for.
    let mut page = document::Driver { tab, loader: &loader, milestone };
    page.dress(spec).await?;
    page.run_scripts(&spec.look.js, limits.max_wait).await?;
    phase("dressed");
    if spec.wait.until == Until::NetworkIdle {
        // A network that never rests is not waited for longer than this.
        let idle = page.tab.reached(&loader, Milestone::Idle);
        if let Ok(reached) = tokio::time::timeout(limits.max_wait, idle).await {
            reached?;
        }
    }
    for selector in spec.wait.selector.iter().chain(element(spec)) {
        page.wait_for(selector, limits.max_wait).await?;
    }
    if spec.wait.delay > Duration::ZERO {
        page.tab.rest(spec.wait.delay).await?;
    }

    // At rest, and what was wanted; once more where the page went elsewhere under the shot. What came meanwhile is hidden as well.
    let mut tried = false;
    loop {
        page.tab.run_out().await?;
        frames::hide(page.tab, filters, limits).await?;
        phase("waited");
        let waiting = page.rest(spec, limits).await?;
        phase("at rest");
        let report = Report { after: since.elapsed(), waiting, pending, cut: None };
        let document = page.stand_still(spec, limits).await?;
        frames::hide(page.tab, filters, limits).await?;
        if document.frames > 0 {
            frames::still(page.tab, spec, limits).await?;
        }
        phase("still");
        // A page that was stopped and goes elsewhere all the same gets no other document: its exit is closed.
        if report.pending.is_some() && document.status == CLOSED_EXIT {
            return Err(Failure::Late(limits.max_load));
        }
        check(page.tab, &document, spec).await?;
        frames::stop(page.tab).await?;
        phase("stopped");
        match screenshot::shoot(page.tab, spec, limits, budget).await.map(|shot| shot.reported(report)) {
            Err(error) if !tried && error.may_pass() => {
                tracing::debug!(%error, "no picture, settling once more");
                tried = true;
                frames::go_on(page.tab).await?;
            }
            other => return other,
        }
    }
}

/// How far the page came.
struct Loaded {
    loader: String,
    milestone: Milestone,
    /// Requests under way when loading was stopped; none if the page was loaded.
    pending: Option<usize>,
}

/// Goes to the page, and waits until it is loaded, or stops loading it.
async fn load(tab: &mut Tab, spec: &CaptureRequest, limits: &Limits) -> Result<Loaded, Failure> {
    let url = match &spec.page {
        Page::Url(url) => url.as_str(),
        Page::Html(_) => HTML_URL,
    };
    let since = Stopwatch::start();
    let loader = navigate(tab, url).await?;
    let milestone = match spec.wait.until {
        Until::DomContentLoaded => Milestone::Parsed,
        Until::Load | Until::Settled | Until::NetworkIdle => Milestone::Loaded,
    };
    let mut pending = None;
    if !tab.reached_within(limits.max_load.saturating_sub(since.elapsed()), &loader, milestone).await? {
        if spec.rules.on_timeout == OnTimeout::Error {
            return Err(Failure::Late(limits.max_load));
        }
        pending = Some(tab.stop_loading(&loader, milestone).await?);
    }
    Ok(Loaded { loader, milestone, pending })
}

fn element(spec: &CaptureRequest) -> Option<&String> {
    match &spec.area {
        Area::Element(selector) => Some(selector),
        _ => None,
    }
}

async fn navigate(tab: &mut Tab, url: &str) -> Result<String, Failure> {
    let navigated = tab.call(Navigate { url: url.to_owned() }).await?;
    match navigated.error_text.as_str() {
        "" | STATUS_ERROR => {}
        _ if navigated.is_download => {
            return Err(Failure::Flawed(Flaw::Download, "the URL is a download".into()));
        }
        ABORTED => return Err(Failure::Aborted),
        error => {
            let (to, trouble) = not_loaded(tab).await?;
            let failure = || Failure::Page(format!("cannot load {to}: {error}"));
            return Err(trouble.map_or_else(failure, Failure::Barred));
        }
    }
    navigated.loader_id.ok_or_else(|| Failure::Page("the URL leads to no document".into()))
}

/// Where the page's own document was to come from, and why it could not, if it was the exit that failed. What failed of the
/// parts of a page is no reason.
async fn not_loaded(tab: &mut Tab) -> Result<(String, Option<Barred>), Failure> {
    let page = tab.call(GetFrameTree {}).await?.0.into_iter().next();
    let url = page.and_then(|page| Url::parse(&page.unreachable_url?).ok());
    let site = url.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    let Some((host, port)) = site else { return Ok(("the page".to_owned(), None)) };
    Ok((format!("{host}:{port}"), tab.network().and_then(|network| network.trouble_with(host, port))))
}

/// Whether the document is what was wanted, and not an error of the site, of the exit or of Chrome.
async fn check(tab: &mut Tab, document: &Document, spec: &CaptureRequest) -> Result<(), Failure> {
    let url = Url::parse(&document.url).map_err(|_| Failure::Page("the document has no URL".into()))?;
    if url.scheme() == "chrome-error" {
        let (to, trouble) = not_loaded(tab).await?;
        let error =
            || Failure::Flawed(Flaw::ErrorPage, format!("the page went to an error: cannot load {to}"));
        return Err(trouble.map_or_else(error, Failure::Barred));
    }
    if !is_web(&url) {
        return Err(Failure::Page(format!("the page went to a {}: URL", url.scheme())));
    }
    if let Some(text) = &document.content {
        return Err(Failure::Flawed(Flaw::Content, format!("the page says {text:?}")));
    }
    let status = document.status;
    if status >= 400 {
        // An answer of the exit, in the place of one that the page could not have, is none of the page.
        if let Some(trouble) = tab.network().and_then(|network| network.trouble_at(&url)) {
            return Err(trouble.into());
        }
    }
    if spec.rules.statuses.iter().any(|range| range.has(status)) {
        return Err(Failure::Flawed(Flaw::Status, format!("the page answered with status {status}")));
    }
    Ok(())
}
