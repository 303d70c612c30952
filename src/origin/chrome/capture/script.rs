//! The scripts that a capture evaluates in the isolated world of a page.

use serde_json::Value;

const COMMON: &str = include_str!("script/common.js");

/// One step of a capture on the page. Each is a file in `script/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Dress,
    Filter,
    Measure,
    Names,
    Rest,
    Reveal,
    Still,
    Wait,
}

impl Step {
    fn source(self) -> &'static str {
        match self {
            Step::Dress => include_str!("script/dress.js"),
            Step::Filter => include_str!("script/filter.js"),
            Step::Measure => include_str!("script/measure.js"),
            Step::Names => include_str!("script/names.js"),
            Step::Rest => include_str!("script/rest.js"),
            Step::Reveal => include_str!("script/reveal.js"),
            Step::Still => include_str!("script/still.js"),
            Step::Wait => include_str!("script/wait.js"),
        }
    }
}

/// An expression that runs `steps` in order with the parameters `want`. Its value is what the last step answers.
pub(super) fn expression(steps: &[Step], want: &Value) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("({})", trimmed(step.source()))).collect();
    format!("({})({want}, {})", trimmed(COMMON), steps.join(", "))
}

/// The function of a file without the comment above it.
fn trimmed(source: &str) -> &str {
    source.find("async (").map_or(source, |at| &source[at..])
}
