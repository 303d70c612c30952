//! What is changed about a page.

use super::wait::SELECTORS;
use crate::capture::parameter::Alias::{ColorScheme, Not, Same};
use crate::capture::parameter::{Group, Kind, Parameter};
use crate::capture::reader::Reader;
use crate::capture::values;

pub(super) const GROUP: Group = Group {
    name: "look",
    parameters: &[&HIDE_SELECTORS, &CSS, &JS, &DARK_MODE, &REDUCED_MOTION, &MEDIA_TYPE, &FREEZE_TIME],
};

static HIDE_SELECTORS: Parameter =
    Parameter::capture("hide_selectors", Kind::TextSet, "elements that are not shown. List")
        .allowed_is(SELECTORS)
        .aliases(&[
            ("hide_selector", Same),
            ("hideElements", Same),
            ("hideSelectors", Same),
            ("removeElements", Same),
        ]);
static CSS: Parameter =
    Parameter::capture("css", Kind::Texts, "style sheets after the page's own, up to *max_text* each. List")
        .aliases(&[("styles", Same), ("addStyleTag", Same)]);
static JS: Parameter = Parameter::capture(
    "js",
    Kind::Texts,
    "scripts that run in the page after load, up to *max_text* each; `await` may be used, for *max_wait*. One \
     that throws means no picture. List",
)
.aliases(&[("scripts", Same), ("javascript", Same), ("addScriptTag", Same)]);
static DARK_MODE: Parameter =
    Parameter::capture("dark_mode", Kind::Flag, "`prefers-color-scheme` is `dark`, or `light` with `false`")
        .default_is("the browser's")
        .aliases(&[
            ("darkMode", Same),
            ("dark", Same),
            ("colorScheme", ColorScheme),
            ("color_scheme", ColorScheme),
        ]);
static REDUCED_MOTION: Parameter = Parameter::capture(
    "reduced_motion",
    Kind::Flag,
    "`prefers-reduced-motion` is `reduce`, or `no-preference` with `false`",
)
.default_is("the browser's")
.aliases(&[("reducedMotion", Same), ("disable_animations", Same), ("animations", Not)]);
static MEDIA_TYPE: Parameter = Parameter::capture(
    "media_type",
    Kind::Choice(&["screen", "print"], &[]),
    "the media type of style sheets",
)
.default_is("`screen`")
.aliases(&[("media", Same), ("emulateMediaType", Same), ("mediaType", Same)]);
static FREEZE_TIME: Parameter = Parameter::capture(
    "freeze_time",
    Kind::Text,
    "`true`, or an instant in UTC such as `2025-06-01T12:00:00Z`, at which the page's clock stands; `true` is \
     2025-01-01T00:00:00Z",
)
.allowed_is("true, false, or an instant such as 2025-01-01T12:00:00Z")
.default_is("*freeze_time*");

/// What is changed about a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Selectors of what is not shown.
    pub hide: Vec<String>,
    /// Style sheets that come after the page's own.
    pub css: Vec<String>,
    /// Scripts that run once the page is there.
    pub js: Vec<String>,
    /// `prefers-color-scheme`.
    pub dark_mode: Option<bool>,
    /// `prefers-reduced-motion`.
    pub reduced_motion: Option<bool>,
    /// `print` or `screen`.
    pub media_type: Option<&'static str>,
}

pub(in crate::capture) fn read(r: &mut Reader<'_>) -> Look {
    let max = r.limits.max_text;
    let text = |text: &str| (text.len() <= max).then(|| text.to_owned());
    // An empty style sheet or script is none.
    let given = |mut texts: Vec<String>| {
        texts.retain(|text| !text.is_empty());
        texts
    };
    Look {
        hide: r.take_all(&HIDE_SELECTORS, values::selector),
        css: given(r.take_all(&CSS, text)),
        js: given(r.take_all(&JS, text)),
        dark_mode: r.flag(&DARK_MODE),
        reduced_motion: r.flag(&REDUCED_MOTION),
        media_type: r.choice(&MEDIA_TYPE),
    }
}

/// Where the page's clock stands, in milliseconds since 1970, if it does not run.
pub(in crate::capture) fn read_freeze_time(r: &mut Reader<'_>) -> Option<u64> {
    match r.take(&FREEZE_TIME, values::instant) {
        Some(asked) => asked,
        None => r.limits.freeze_time.then_some(values::EPOCH),
    }
}
