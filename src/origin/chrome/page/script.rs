//! The scripts that a capture evaluates in the isolated world of a page.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::capture::request::{Area, Clip};

const COMMON: &str = include_str!("script/common.js");

/// One step of a capture on the page. Each is a file in `script/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Area,
    Dress,
    Measure,
    Pin,
    Rest,
    Reveal,
    Scripting,
    Scroll,
    Still,
    Wait,
    Window,
}

impl Step {
    fn source(self) -> &'static str {
        match self {
            Step::Area => include_str!("script/area.js"),
            Step::Dress => include_str!("script/dress.js"),
            Step::Measure => include_str!("script/measure.js"),
            Step::Pin => include_str!("script/pin.js"),
            Step::Rest => include_str!("script/rest.js"),
            Step::Reveal => include_str!("script/reveal.js"),
            Step::Scripting => include_str!("script/scripting.js"),
            Step::Scroll => include_str!("script/scroll.js"),
            Step::Still => include_str!("script/still.js"),
            Step::Wait => include_str!("script/wait.js"),
            Step::Window => include_str!("script/window.js"),
        }
    }
}

/// An expression that runs `steps` in order with the parameters `want`. Its value is what the last step answers.
pub(crate) fn expression(steps: &[Step], want: &impl Serialize) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("({})", trimmed(step.source()))).collect();
    format!("({})({}, {})", trimmed(COMMON), literal(want), steps.join(", "))
}

/// A value as a literal of JavaScript.
pub(crate) fn literal(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Whole milliseconds, as scripts take them.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Serialize)]
pub(crate) struct Dress<'a> {
    pub(crate) selectors: Vec<Selector<'a>>,
    pub(crate) css: &'a [String],
    pub(crate) hide: &'a [String],
}

/// A selector of the client's, and the parameter that it came by.
#[derive(Serialize)]
pub(crate) struct Selector<'a> {
    pub(crate) parameter: &'static str,
    pub(crate) selector: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Dressed {
    /// A selector that browsers cannot read.
    pub(crate) bad: Option<BadSelector>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BadSelector {
    pub(crate) parameter: String,
    pub(crate) selector: String,
}

#[derive(Serialize)]
pub(crate) struct Wait<'a> {
    pub(crate) selector: &'a str,
    pub(crate) ms: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Waited {
    pub(crate) missing: bool,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rest {
    pub(crate) settle: bool,
    /// In a frame below the page's own.
    pub(crate) inner: bool,
    pub(crate) ms: u64,
    pub(crate) full_page: bool,
    pub(crate) viewport: bool,
    /// Something has just come from the network.
    pub(crate) arrived: bool,
    /// Something has to be painted.
    pub(crate) painted: bool,
    pub(crate) monitor: &'static str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Rested {
    /// What is still waited for, see [`Waiting::of_script`](super::waiting::Waiting::of_script).
    pub(crate) waiting: Option<String>,
    /// Frames on the page.
    pub(crate) frames: Option<u64>,
}

#[derive(Serialize)]
pub(crate) struct Still<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ms: Option<u64>,
    /// Texts that must not be on the page.
    pub(crate) content: &'a [String],
    /// The token of a frozen page.
    pub(crate) frozen: Option<&'static str>,
    pub(crate) patience: u64,
}

/// The part of the page that is captured.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part<'a> {
    full_page: bool,
    max_height: u32,
    clip: Option<Box>,
    selector: Option<&'a str>,
}

#[derive(Serialize)]
struct Box {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl<'a> Part<'a> {
    pub(crate) fn of(area: &'a Area) -> Self {
        let (full_page, max_height) = match area {
            Area::FullPage(height) => (true, *height),
            _ => (false, 0),
        };
        let clip = match area {
            Area::Clip(Clip { x, y, width, height }) => {
                Some(Box { x: (*x).into(), y: (*y).into(), width: (*width).into(), height: (*height).into() })
            }
            _ => None,
        };
        Part { full_page, max_height, clip, selector: selector(area) }
    }
}

#[derive(Serialize)]
pub(crate) struct Reveal<'a> {
    #[serde(flatten)]
    pub(crate) part: Part<'a>,
    pub(crate) ms: u64,
    pub(crate) patience: u64,
    /// Scripts of the page are told when it scrolls.
    pub(crate) listens: bool,
}

/// Where the page is scrolled to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// The element that is captured.
pub(crate) fn selector(area: &Area) -> Option<&str> {
    match area {
        Area::Element(selector) => Some(selector),
        _ => None,
    }
}

/// The function of a file without the comment above it.
fn trimmed(source: &str) -> &str {
    source.find("async ").map_or(source, |at| &source[at..])
}
