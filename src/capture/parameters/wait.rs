//! What is waited for before the picture is taken.

use std::time::Duration;

use crate::capture::parameter::Alias::Same;
use crate::capture::parameter::{Absent, Group, Kind, Parameter};
use crate::capture::reader::Reader;
use crate::capture::values;

pub(super) const GROUP: Group =
    Group { name: "wait", parameters: &[&WAIT_UNTIL, &WAIT_FOR_SELECTOR, &DELAY] };

pub(super) const SELECTORS: &str = "a CSS selector of at most 1024 bytes, without braces";

static WAIT_UNTIL: Parameter = Parameter::capture(
    "wait_until",
    Kind::Choice(
        &["settled", "load", "domcontentloaded", "networkidle"],
        &[
            ("networkidle0", "networkidle"),
            ("networkidle2", "networkidle"),
            ("network_idle", "networkidle"),
            ("requestsfinished", "networkidle"),
            ("mostrequestsfinished", "networkidle"),
            ("domloaded", "domcontentloaded"),
            ("dom_loaded", "domcontentloaded"),
            ("dom_content_loaded", "domcontentloaded"),
            ("loaded", "load"),
            ("page_loaded", "load"),
        ],
    ),
    "`settled`: the load event, then until the page is at rest \
     ([when](#when-a-page-is-at-rest)); `load`; `domcontentloaded`; \
     `networkidle`: load, half a second without traffic but at most *max_wait*, then as `settled`",
)
.absent(Absent::Is("settled"))
.aliases(&[("waitUntil", Same)]);
static WAIT_FOR_SELECTOR: Parameter = Parameter::capture(
    "wait_for_selector",
    Kind::Text,
    "then an element, up to *max_wait*; without it there is no picture",
)
.allowed_is(SELECTORS)
.aliases(&[("wait_for", Same), ("waitForSelector", Same), ("waitForElement", Same)]);
static DELAY: Parameter = Parameter::capture(
    "delay",
    Kind::Delay,
    "then this long: milliseconds, or with a unit `1500ms`, `1.5s`; up to *max_delay*",
)
.absent(Absent::Is("0"))
.aliases(&[("wait", Same), ("waitForTimeout", Same), ("waitTime", Same)]);

/// What is waited for, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The page's progress.
    pub until: Until,
    /// An element that matches this.
    pub selector: Option<String>,
    /// This long.
    pub delay: Duration,
}

/// Progress of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// `DOMContentLoaded`.
    DomContentLoaded,
    /// `load`.
    Load,
    /// `load`, and nothing on the network for half a second; capped.
    NetworkIdle,
    /// `load`, and at rest: fonts, images in view, no layout shifts; capped. The default.
    Settled,
}

pub(in crate::capture) fn read(r: &mut Reader<'_>) -> Wait {
    let until = match r.choice(&WAIT_UNTIL) {
        Some("load") => Until::Load,
        Some("domcontentloaded") => Until::DomContentLoaded,
        Some("networkidle") => Until::NetworkIdle,
        _ => Until::Settled,
    };
    let selector = r.take(&WAIT_FOR_SELECTOR, values::selector);
    let max = r.limits.max_delay;
    let delay = r.take(&DELAY, |text| values::delay(text).filter(|&delay| delay <= max));
    Wait { until, selector, delay: delay.unwrap_or(Duration::ZERO) }
}
