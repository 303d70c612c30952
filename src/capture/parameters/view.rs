//! The screen that a page is shown on.

use crate::capture::devices::{self, Device};
use crate::capture::parameter::Alias::{Means, Same, Viewport};
use crate::capture::parameter::{Absent, Bound, Group, Kind, Parameter};
use crate::capture::reader::Reader;

pub(super) const GROUP: Group =
    Group { name: "view", parameters: &[&DEVICE, &WIDTH, &HEIGHT, &SCALE, &MOBILE, &TOUCH, &LANDSCAPE] };

const MAX_SIDE: Bound = Bound::Setting("max_side", |limits| f64::from(limits.max_side));

pub(in crate::capture) static DEVICE: Parameter = Parameter::capture(
    "device",
    Kind::Choice(&devices::NAMES, &[]),
    "a preset. Other parameters of the request win over it",
)
.aliases(&[("viewport_device", Same), ("emulateDevice", Same)]);
static WIDTH: Parameter =
    Parameter::capture("width", Kind::Integer(1, MAX_SIDE), "width of the viewport in CSS pixels")
        .default_is("*default_width*")
        .aliases(&[
            ("viewport_width", Same),
            ("viewport.width", Same),
            ("resX", Same),
            ("vpw", Same),
            ("chrome-window-x", Same),
            ("viewport", Viewport),
            ("dimension", Viewport),
        ]);
static HEIGHT: Parameter =
    Parameter::capture("height", Kind::Integer(1, MAX_SIDE), "height of the viewport in CSS pixels")
        .default_is("*default_height*")
        .aliases(&[
            ("viewport_height", Same),
            ("viewport.height", Same),
            ("resY", Same),
            ("vph", Same),
            ("chrome-window-y", Same),
        ]);
static SCALE: Parameter = Parameter::capture(
    "scale",
    Kind::Number(0.1, Bound::Setting("max_scale", |limits| limits.max_scale)),
    "device pixels for each CSS pixel",
)
.absent(Absent::UnlessDevice("1"))
.aliases(&[
    ("viewport.deviceScaleFactor", Same),
    ("device_scale_factor", Same),
    ("deviceScaleFactor", Same),
    ("scale_factor", Same),
    ("scaleFactor", Same),
    ("dpr", Same),
    ("force_dpr", Same),
    ("retina", Means("2")),
]);
static MOBILE: Parameter = Parameter::capture(
    "mobile",
    Kind::Flag,
    "follow the page's own `<meta name=viewport>`, as mobile browsers do",
)
.absent(Absent::UnlessDevice("false"))
.default_is("the device's, else `false`")
.aliases(&[("viewport.isMobile", Same), ("viewport_mobile", Same)]);
static TOUCH: Parameter = Parameter::capture("touch", Kind::Flag, "touch events")
    .absent(Absent::UnlessMobile("false"))
    .default_is("as `mobile`")
    .aliases(&[("viewport.hasTouch", Same), ("viewport_has_touch", Same)]);
static LANDSCAPE: Parameter =
    Parameter::capture("landscape", Kind::Flag, "the longer side of the viewport is its width")
        .absent(Absent::Is("false"))
        .aliases(&[("viewport.isLandscape", Same), ("viewport_landscape", Same)]);

/// The screen that a page is shown on.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Viewport width in CSS pixels.
    pub width: u32,
    /// Viewport height in CSS pixels.
    pub height: u32,
    /// Device pixels for each CSS pixel.
    pub scale: f64,
    /// Use the viewport that the page sets for mobile devices.
    pub mobile: bool,
    /// Touch events.
    pub touch: bool,
}

/// Device pixels of a side, rounded as Chrome rounds.
pub fn pixels(side: u32, scale: f64) -> u64 {
    (f64::from(side) * scale).round() as u64
}

impl View {
    fn fits(&self, width: u32, height: u32, max: u64) -> bool {
        pixels(width, self.scale) * pixels(height, self.scale) <= max
    }
}

pub(in crate::capture) fn read(r: &mut Reader<'_>) -> (View, Option<&'static Device>) {
    let device = r.take(&DEVICE, devices::find);
    let width = r.integer(&WIDTH).or(device.map(|d| d.width)).unwrap_or(r.limits.default_width);
    let height = r.integer(&HEIGHT).or(device.map(|d| d.height)).unwrap_or(r.limits.default_height);
    // A device is within the bounds too.
    let of_device = device.map(|d| d.scale.min(r.limits.max_scale));
    let scale = r.number(&SCALE).or(of_device).unwrap_or(1.0);
    let mobile = r.flag(&MOBILE).unwrap_or(device.is_some_and(|d| d.mobile));
    let touch = r.flag(&TOUCH).unwrap_or(mobile);
    let landscape = r.flag(&LANDSCAPE).unwrap_or(false);
    let (width, height) = if landscape { (width.max(height), width.min(height)) } else { (width, height) };
    (View { width, height, scale, mobile, touch }, device)
}

/// Names every parameter that has a share in a picture that is too large: the viewport, or a box in `clip`.
pub(in crate::capture) fn bound_pixels(
    r: &mut Reader<'_>,
    view: &View,
    clip: Option<(&'static Parameter, u32, u32)>,
) {
    let max = r.limits.max_pixels;
    let allowed = format!("at most {max} device pixels: width x scale x height x scale");
    if !view.fits(view.width, view.height, max) {
        let given: Vec<_> =
            [&DEVICE, &WIDTH, &HEIGHT, &SCALE].into_iter().filter(|share| r.is_given(share)).collect();
        for share in if given.is_empty() { vec![&WIDTH] } else { given } {
            let found = r.found(share);
            r.fault(share, &found, &allowed);
        }
    }
    if let Some((clip, width, height)) = clip
        && !view.fits(width, height, max)
    {
        let found = r.found(clip);
        r.fault(clip, &found, &allowed);
    }
}
