//! What a capture tells of the way its page came to rest: for the response field `X-Capture`, logs and metrics.

use std::fmt;
use std::time::Duration;

use crate::message::capture::INCOMPLETE;
use crate::origin::chrome::pending::Kind;

/// What a page was still waiting for when it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::origin::chrome) enum Waiting {
    /// A request of this kind.
    Request(Kind),
    /// Fonts that are used and not loaded.
    Font,
    /// Images that are not decoded.
    Image,
    /// The layout shifts.
    Layout,
    /// A scroll is under way.
    Scroll,
    /// A timer that is due soon.
    Timer,
    /// A script that has arrived and not run, or a module of WebAssembly that is compiled.
    Script,
    /// Custom elements that are not defined.
    Element,
    /// An answer of a worker.
    Worker,
    /// Scripts draw, frame by frame.
    Drawing,
    /// The first content to be painted.
    Paint,
}

impl Waiting {
    /// All that the script rest.js answers with.
    pub(super) fn of_script(name: &str) -> Option<Self> {
        Some(match name {
            "font" => Waiting::Font,
            "image" => Waiting::Image,
            "layout" => Waiting::Layout,
            "scroll" => Waiting::Scroll,
            "timer" => Waiting::Timer,
            "script" => Waiting::Script,
            "element" => Waiting::Element,
            "worker" => Waiting::Worker,
            "drawing" => Waiting::Drawing,
            "paint" => Waiting::Paint,
            _ => return None,
        })
    }

    /// A short, stable name for logs, metrics and `X-Capture`.
    pub(in crate::origin::chrome) fn name(self) -> &'static str {
        match self {
            Waiting::Request(kind) => kind.name(),
            Waiting::Font => "font",
            Waiting::Image => "image",
            Waiting::Layout => "layout",
            Waiting::Scroll => "scroll",
            Waiting::Timer => "timer",
            Waiting::Script => "script",
            Waiting::Element => "element",
            Waiting::Worker => "worker",
            Waiting::Drawing => "drawing",
            Waiting::Paint => "paint",
        }
    }
}

/// How a page came to rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::origin::chrome) struct Report {
    /// Time from the beginning of the navigation until the page was captured as it was.
    pub(in crate::origin::chrome) after: Duration,
    /// What it was still waiting for; none if it was at rest.
    pub(in crate::origin::chrome) waiting: Option<Waiting>,
    /// Requests under way when loading was stopped; none if the page was loaded.
    pub(in crate::origin::chrome) pending: Option<usize>,
}

/// The value of `X-Capture`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pending, self.waiting) {
            (Some(pending), _) => write!(f, "{INCOMPLETE}; pending={pending}"),
            (None, Some(waiting)) => write!(f, "bounded; waiting={}", waiting.name()),
            (None, None) => write!(f, "settled; after={}ms", self.after.as_millis()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_names_the_state_first() {
        let after = Duration::from_millis(812);
        for (waiting, pending, expected) in [
            (None, None, "settled; after=812ms"),
            (Some(Waiting::Request(Kind::Fetch)), None, "bounded; waiting=fetch"),
            (Some(Waiting::Drawing), None, "bounded; waiting=drawing"),
            (None, Some(3), "incomplete; pending=3"),
            (Some(Waiting::Timer), Some(0), "incomplete; pending=0"),
        ] {
            assert_eq!(Report { after, waiting, pending }.to_string(), expected);
        }
    }

    #[test]
    fn what_the_script_answers_has_the_same_name() {
        for name in
            ["font", "image", "layout", "scroll", "timer", "script", "element", "worker", "drawing", "paint"]
        {
            assert_eq!(Waiting::of_script(name).map(Waiting::name), Some(name));
        }
        assert_eq!(Waiting::of_script("fetch"), None);
    }
}
