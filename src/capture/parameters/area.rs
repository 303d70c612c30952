//! The part of the page that is captured.

use super::wait::SELECTORS;
use crate::capture::parameter::Alias::Same;
use crate::capture::parameter::{Absent, Bound, Group, Kind, Parameter};
use crate::capture::reader::Reader;
use crate::capture::values;

pub(super) const GROUP: Group =
    Group { name: "area", parameters: &[&FULL_PAGE, &FULL_PAGE_MAX_HEIGHT, &SELECTOR, &CLIP] };

static FULL_PAGE: Parameter =
    Parameter::capture("full_page", Kind::Flag, "the whole page instead of the viewport")
        .absent(Absent::Is("false"))
        .aliases(&[("fullPage", Same), ("fullpage", Same), ("isFullPage", Same)]);
static FULL_PAGE_MAX_HEIGHT: Parameter = Parameter::capture(
    "full_page_max_height",
    Kind::Integer(1, Bound::Setting("max_full_page_height", |limits| f64::from(limits.max_full_page_height))),
    "cut a full page here, in CSS pixels",
)
.absent(Absent::UnlessFullPage)
.default_is("*max_full_page_height*");
static SELECTOR: Parameter = Parameter::capture(
    "selector",
    Kind::Text,
    "the first element that matches, waited for up to *max_wait*; also in open shadow trees and frames of the \
     same origin",
)
.allowed_is(SELECTORS)
.aliases(&[("element", Same)]);
pub(in crate::capture) static CLIP: Parameter = Parameter::capture(
    "clip",
    Kind::Box,
    "a box of the page in CSS pixels, `x,y,width,height`; in JSON also a list or an object",
);

/// The part of the page that is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Area {
    /// What the screen shows.
    Viewport,
    /// All of it, up to this height in CSS pixels.
    FullPage(u32),
    /// The first element that matches this selector.
    Element(String),
    /// A box, from the page's upper left corner.
    Clip(Clip),
}

/// A box in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

pub(in crate::capture) fn read(r: &mut Reader<'_>) -> Area {
    let full_page = r.flag(&FULL_PAGE).unwrap_or(false);
    let max = r.limits.max_full_page_height;
    let max_height = r.integer(&FULL_PAGE_MAX_HEIGHT).unwrap_or(max);
    let selector = r.take(&SELECTOR, values::selector);
    let clip = r.take(&CLIP, |text| clip(text, max));
    for (other, is_given) in [(&SELECTOR, selector.is_some()), (&CLIP, clip.is_some())] {
        if full_page && is_given {
            let found = r.found(other);
            r.fault(other, &found, "not together with full_page");
        }
    }
    match (selector, clip) {
        (Some(_), Some(_)) => {
            let found = r.found(&CLIP);
            r.fault(&CLIP, &found, "not together with selector");
            Area::Viewport
        }
        (Some(selector), None) => Area::Element(selector),
        (None, Some(clip)) => Area::Clip(clip),
        (None, None) if full_page => Area::FullPage(max_height),
        (None, None) => Area::Viewport,
    }
}

fn clip(text: &str, max: u32) -> Option<Clip> {
    let [x, y, width, height] = values::sides(text)?;
    let fine = x <= max && y <= max && (1..=max).contains(&width) && (1..=max).contains(&height);
    fine.then_some(Clip { x, y, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_are_four_numbers_within_the_largest_page() {
        for (text, expected) in [
            ("0,0,10,20", Some((0, 0, 10, 20))),
            (" 5, 6 ,7,8", Some((5, 6, 7, 8))),
            ("100,100,100,100", Some((100, 100, 100, 100))),
            ("0,0,0,20", None),
            ("0,0,20", None),
            ("0,0,20,20,20", None),
            ("-1,0,20,20", None),
            ("0,0,101,20", None),
            ("101,0,1,20", None),
            ("a,0,1,1", None),
        ] {
            let expected = expected.map(|(x, y, width, height)| Clip { x, y, width, height });
            assert_eq!(clip(text, 100), expected, "{text}");
        }
    }
}
