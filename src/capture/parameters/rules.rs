//! When there is no picture although there could be one.

use crate::capture::parameter::Alias::{Means, Same};
use crate::capture::parameter::{Absent, Group, Kind, Parameter};
use crate::capture::reader::Reader;
use crate::capture::values;

pub(super) const GROUP: Group =
    Group { name: "rules", parameters: &[&FAIL_ON_STATUS, &FAIL_ON_CONTENT, &ALLOW_BLANK, &ON_TIMEOUT] };

static FAIL_ON_STATUS: Parameter = Parameter::capture(
    "fail_on_status",
    Kind::Words,
    "statuses of the page: codes, classes and ranges up to 999 (`404,5xx,600-999`), or `none`. List",
)
.allowed_is("codes, classes and ranges of statuses such as 404,5xx,600-999, or none")
.default_is("all but 200 to 399")
.aliases(&[("fail_on_4xx", Means("4xx")), ("fail_on_5xx", Means("5xx")), ("failOnHttpStatusCodes", Same)]);
static FAIL_ON_CONTENT: Parameter =
    Parameter::capture("fail_on_content", Kind::TextSet, "texts that must not be on the page. List")
        .allowed_is("a text of 1 to 1024 bytes")
        .aliases(&[("fail_if_content_contains", Same)]);
// Whether there is a picture, not what is on it. It is in the key all the same: a request that takes
// blank pictures would leave one for those that do not.
static ALLOW_BLANK: Parameter =
    Parameter::capture("allow_blank", Kind::Flag, "keep a picture of one colour").default_is("*allow_blank*");
static ON_TIMEOUT: Parameter = Parameter::capture(
    "on_timeout",
    Kind::Choice(&["picture", "error"], &[]),
    "a page that is not loaded within *max_load*, or too long for *deadline*: `picture` captures it as far as it \
     is there, `error` gives no picture",
)
.absent(Absent::Is("picture"));

/// When there is no picture although there could be one. Not part of what is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Statuses of the page.
    pub statuses: Vec<StatusRange>,
    /// Texts on the page.
    pub content: Vec<String>,
    /// Keep a picture of one colour.
    pub allow_blank: bool,
    /// What becomes of a page that does not load in time.
    pub on_timeout: OnTimeout,
}

/// What becomes of a page that is not loaded within [`Limits::max_load`](crate::capture::limits::Limits::max_load).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// It is captured as it is, and the picture is marked as incomplete.
    Picture,
    /// There is no picture.
    Error,
}

/// Statuses from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl StatusRange {
    /// All but successes and redirects, `HTTP/1.1 999 Denied` too. A status that the browser does not
    /// tell is 0, and no error.
    pub const ERRORS: [StatusRange; 2] =
        [StatusRange { from: 1, to: 199 }, StatusRange { from: 400, to: u16::MAX }];

    /// Whether it has this status.
    pub fn has(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
    }
}

pub(in crate::capture) fn read(r: &mut Reader<'_>) -> Rules {
    let none = r.found(&FAIL_ON_STATUS) == "none";
    let read = if none { Vec::new() } else { r.take_all(&FAIL_ON_STATUS, status) };
    Rules {
        statuses: if r.is_given(&FAIL_ON_STATUS) { read } else { StatusRange::ERRORS.to_vec() },
        content: r.take_all(&FAIL_ON_CONTENT, values::content),
        allow_blank: r.flag(&ALLOW_BLANK).unwrap_or(r.limits.allow_blank),
        on_timeout: match r.choice(&ON_TIMEOUT) {
            Some("error") => OnTimeout::Error,
            _ => OnTimeout::Picture,
        },
    }
}

/// `404`, `4xx` or `500-503`. Servers answer with codes up to 999, which are of no class (RFC 9110
/// section 15).
fn status(text: &str) -> Option<StatusRange> {
    let code = |text: &str| text.parse().ok().filter(|code| (100..=999).contains(code));
    let text = text.trim();
    if let Some(class) = text.strip_suffix("xx") {
        let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
        return Some(StatusRange { from: class * 100, to: class * 100 + 99 });
    }
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let range = StatusRange { from: code(from)?, to: code(to)? };
    (range.from <= range.to).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_codes_classes_and_ranges() {
        for (text, expected) in [
            ("404", Some((404, 404))),
            ("4xx", Some((400, 499))),
            ("500-503", Some((500, 503))),
            ("503-500", None),
            ("999", Some((999, 999))),
            ("400-999", Some((400, 999))),
            ("1000", None),
            ("600-1000", None),
            ("6xx", None),
            ("99", None),
            ("xx", None),
            ("", None),
        ] {
            assert_eq!(status(text), expected.map(|(from, to)| StatusRange { from, to }), "{text}");
        }
    }
}
