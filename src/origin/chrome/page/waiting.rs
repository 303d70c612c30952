//! What a page is still waiting for.

use super::pending::Kind;

/// What a page was still waiting for when it was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
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
    pub(crate) fn of_script(name: &str) -> Option<Self> {
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
    pub(crate) fn name(self) -> &'static str {
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

#[cfg(test)]
mod tests {
    use super::*;

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
