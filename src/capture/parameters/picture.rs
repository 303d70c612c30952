//! The form of the picture.

use crate::capture::parameter::Alias::{Not, Same};
use crate::capture::parameter::{Absent, Bound, Class, Group, Kind, Parameter};
use crate::capture::reader::Reader;
use crate::capture::rendition::MAX_SIDE;

pub(super) const GROUP: Group = Group {
    name: "picture",
    parameters: &[&FORMAT, &QUALITY, &IMAGE_WIDTH, &IMAGE_HEIGHT, &FIT, &OMIT_BACKGROUND],
};

const fn rendition(name: &'static str, kind: Kind, doc: &'static str) -> Parameter {
    Parameter::new(name, Class::Rendition, kind, doc)
}

static FORMAT: Parameter = rendition(
    "format",
    Kind::Choice(&["png", "jpeg", "webp", "avif", "auto"], &[("jpg", "jpeg")]),
    "the format. Where renditions are made ([DERIVED.md](DERIVED.md)) also `avif`, in builds that have it, and \
     `auto`: the best that the client's `Accept` names",
)
.absent(Absent::Is("png"))
.allowed_is("png, jpeg or webp; where pictures are derived, auto, and avif in builds with it")
.aliases(&[("file_type", Same), ("outFormat", Same)]);
static QUALITY: Parameter =
    rendition("quality", Kind::Integer(1, Bound::Fixed(100)), "quality of all but `png`")
        .absent(Absent::UnlessLossy("80"))
        .aliases(&[("image_quality", Same)]);
static IMAGE_WIDTH: Parameter = rendition(
    "image_width",
    Kind::Integer(1, Bound::Fixed(MAX_SIDE)),
    "largest width of the answer in pixels, where renditions are made",
)
.default_is("as captured")
.allowed_is("a whole number from 1 to 16384, where pictures are derived")
.aliases(&[("imageWidth", Same), ("thumbnail_width", Same), ("thumb_width", Same), ("thumbWidth", Same)]);
static IMAGE_HEIGHT: Parameter = rendition(
    "image_height",
    Kind::Integer(1, Bound::Fixed(MAX_SIDE)),
    "largest height of the answer in pixels, where renditions are made",
)
.default_is("as captured")
.allowed_is("a whole number from 1 to 16384, where pictures are derived")
.aliases(&[("imageHeight", Same), ("thumbnail_height", Same), ("thumb_height", Same), ("thumbHeight", Same)]);
static FIT: Parameter = rendition(
    "fit",
    Kind::Choice(&["contain", "cover", "fill"], &[]),
    "with both sides given: all of the picture within them, cut to fill them, or stretched to fill them",
)
.absent(Absent::Is("contain"))
.allowed_is("contain, cover or fill, where pictures are derived")
.aliases(&[("img_fit", Same)]);
static OMIT_BACKGROUND: Parameter =
    Parameter::capture("omit_background", Kind::Flag, "no white behind the page (`png`, `webp`)")
        .absent(Absent::Is("false"))
        .aliases(&[("transparent", Same), ("omitBackground", Same), ("defaultBackground", Not)]);

/// Form of a picture as Chrome makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lossless.
    Png,
    /// Lossy.
    Jpeg,
    /// Lossy, smaller.
    Webp,
}

impl Format {
    const ALL: [Format; 3] = [Format::Png, Format::Jpeg, Format::Webp];

    /// Its name in a query and in DevTools.
    pub fn name(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Jpeg => "jpeg",
            Format::Webp => "webp",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Png => "image/png",
            Format::Jpeg => "image/jpeg",
            Format::Webp => "image/webp",
        }
    }
}

/// Format, quality, and whether the white background is left out.
pub(in crate::capture) fn read(r: &mut Reader<'_>) -> (Format, u8, bool) {
    let format = |text: &str| Format::ALL.into_iter().find(|format| format.name() == text);
    let format = r.choice(&FORMAT).and_then(|word| r.known(&FORMAT, format(word)));
    let format = format.unwrap_or(Format::Png);
    let quality = r.integer(&QUALITY).and_then(|quality| u8::try_from(quality).ok()).unwrap_or(80);
    let omit = r.flag(&OMIT_BACKGROUND).unwrap_or(false);
    if omit && format == Format::Jpeg {
        r.fault(&OMIT_BACKGROUND, "true", "false, or another format: a JPEG has no transparency");
    }
    // A cache in front makes renditions. What comes here is malformed, or nobody makes them.
    for other in [&IMAGE_WIDTH, &IMAGE_HEIGHT, &FIT] {
        r.take(other, |_| None::<()>);
    }
    (format, quality, omit)
}
