//! The scripts that a capture evaluates in the isolated world of a page.

use serde_json::{Value, json};

use crate::capture::request::Area;

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
pub(crate) fn expression(steps: &[Step], want: &Value) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("({})", trimmed(step.source()))).collect();
    format!("({})({want}, {})", trimmed(COMMON), steps.join(", "))
}

/// What the steps are told of the part of the page that is captured.
pub(crate) fn area(area: &Area) -> Value {
    let (full_page, max_height) = match area {
        Area::FullPage(height) => (true, *height),
        _ => (false, 0),
    };
    let clip = match area {
        Area::Clip(clip) => {
            json!({ "x": clip.x, "y": clip.y, "width": clip.width, "height": clip.height })
        }
        _ => Value::Null,
    };
    json!({ "fullPage": full_page, "maxHeight": max_height, "clip": clip, "selector": selector(area) })
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
