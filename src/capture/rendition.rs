//! Sizes and formats that are made of a stored picture: which one a request asks for, how large it becomes, and which format a client can
//! show. None of it is part of the capture.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, header};

use super::parameter::Pair;

/// Parameters that say what is made of the picture.
const NAMES: [&str; 5] = ["fit", "format", "image_height", "image_width", "quality"];
/// Pixels of the longest side that can be asked for.
pub const MAX_SIDE: u32 = 16_384;
/// Pixels of the longest side of a WebP.
const MAX_WEBP_SIDE: u32 = 16_383;
/// Quality where none is asked for.
const QUALITY: u8 = 80;

/// A format that pictures are made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Without loss.
    Png,
    /// Without transparency: on white.
    Jpeg,
    /// At most 16,383 pixels a side.
    Webp,
    /// Only in builds with the feature `avif`, as they are by default.
    Avif,
}

impl Format {
    /// The formats that this build makes.
    pub const KNOWN: &[Format] = if cfg!(feature = "avif") {
        &[Format::Avif, Format::Webp, Format::Jpeg, Format::Png]
    } else {
        &[Format::Webp, Format::Jpeg, Format::Png]
    };

    /// The best format that a client accepts, by its `Accept` lines (RFC 9110 section 12.5.1). Of equal weights WebP comes before AVIF:
    /// rav1e takes ten times as long for a screenshot as libwebp, and at quality 50 and 80 makes it larger and less alike. A wildcard
    /// accepts neither, since clients that cannot show them send it too. Allocates nothing, as it runs on every hit.
    pub fn shown_best<'a>(accept: impl Iterator<Item = &'a [u8]>) -> Format {
        const NAMES: [&str; 5] = ["image/png", "image/*", "*/*", "image/webp", "image/avif"];
        let mut weights = [None; NAMES.len()];
        let text = |line: &'a [u8]| {
            let visible = line.iter().all(|octet| matches!(octet, b' '..=b'~' | b'\t'));
            std::str::from_utf8(line).ok().filter(|_| visible)
        };
        for (range, weight) in accept.filter_map(text).flat_map(|line| line.split(',')).filter_map(range) {
            if let Some(at) = NAMES.iter().position(|name| range.eq_ignore_ascii_case(name)) {
                weights[at].get_or_insert(weight);
            }
        }
        let [png, images, all, webp, avif] = weights;
        let mut best = (Format::Png, png.or(images).or(all).unwrap_or(0));
        // The later of two equals is the better one.
        for (format, weight) in [(Format::Avif, avif), (Format::Webp, webp)] {
            let weight = weight.filter(|_| Format::KNOWN.contains(&format)).unwrap_or(0);
            if weight > 0 && weight >= best.1 {
                best = (format, weight);
            }
        }
        best.0
    }

    /// As in the parameter.
    pub fn name(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Jpeg => "jpeg",
            Format::Webp => "webp",
            Format::Avif => "avif",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Png => "image/png",
            Format::Jpeg => "image/jpeg",
            Format::Webp => "image/webp",
            Format::Avif => "image/avif",
        }
    }
}

/// How a picture is made to fit into a box of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// All of it, no larger than it is.
    #[default]
    Contain,
    /// The box is filled, and what stands out is cut off on both sides alike.
    Cover,
    /// The box is filled, whatever becomes of its proportions.
    Fill,
}

/// What a request asks to be made of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivative {
    width: Option<u32>,
    height: Option<u32>,
    fit: Fit,
    /// None for what the client can show.
    format: Option<Format>,
    quality: u8,
}

/// What is to be made of a picture of known size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Make {
    /// Its format.
    pub format: Format,
    /// 1 to 100.
    pub quality: u8,
    /// Its pixels.
    pub size: (u32, u32),
    /// Proportions are kept by cutting off.
    pub crop: bool,
}

impl Derivative {
    /// Takes out of `pairs`, which are spelled canonically, what does not concern the capture. None if nothing is to be made; then, too, if
    /// something of it is bad, which stays, for the engine to refuse together with all else.
    pub(super) fn take(pairs: &mut Vec<Pair>) -> Option<Self> {
        let says = |name: &str, value: &str| pairs.iter().any(|(n, v)| n == name && v == value);
        // Nothing makes that of it.
        let opaque = says("omit_background", "true") && says("format", "jpeg");
        let mut made = Derivative {
            width: None,
            height: None,
            fit: Fit::Contain,
            format: Some(Format::Png),
            quality: QUALITY,
        };
        let bad: Vec<&str> = NAMES
            .into_iter()
            .filter(|name| {
                let mut given =
                    pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
                let Some(value) = given.next() else { return false };
                given.next().is_some() || opaque && *name == "format" || made.set(name, value).is_none()
            })
            .collect();
        pairs.retain(|(name, _)| !NAMES.contains(&name.as_str()) || bad.contains(&name.as_str()));
        let something = made.format != Some(Format::Png) || made.resizes();
        (something && bad.is_empty()).then_some(made)
    }

    /// Whether a parameter is about what is made of the picture.
    pub(super) fn concerns(name: &str) -> bool {
        NAMES.contains(&name)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "image_width" => self.width = Some(side(value)?),
            "image_height" => self.height = Some(side(value)?),
            "fit" => self.fit = fit(value)?,
            "format" => self.format = format(value)?,
            _ => self.quality = value.parse().ok().filter(|quality| (1..=100).contains(quality))?,
        }
        Some(())
    }

    fn resizes(&self) -> bool {
        self.width.is_some() || self.height.is_some()
    }

    /// The answer depends on what the client can show.
    pub fn negotiates(&self) -> bool {
        self.format.is_none()
    }

    /// The format for a client with these fields.
    pub fn format_for(&self, fields: &HeaderMap) -> Format {
        self.format.unwrap_or_else(|| {
            Format::shown_best(fields.get_all(header::ACCEPT).iter().map(HeaderValue::as_bytes))
        })
    }

    /// What tells it apart from others of the same picture.
    pub fn key(&self, format: Format) -> String {
        let mut key = format!("format={}", format.name());
        if format != Format::Png {
            let _ = write!(key, "&quality={}", self.quality);
        }
        for (name, side) in [("image_width", self.width), ("image_height", self.height)] {
            if let Some(side) = side {
                let _ = write!(key, "&{name}={side}");
            }
        }
        if self.width.is_some() && self.height.is_some() {
            match self.fit {
                Fit::Contain => {}
                Fit::Cover => key.push_str("&fit=cover"),
                Fit::Fill => key.push_str("&fit=fill"),
            }
        }
        key
    }

    /// What is to be made of a PNG, or, if not `png`, of another picture, with these pixels; None if it is that already.
    pub fn plan(&self, source: (u32, u32), png: bool, fields: &HeaderMap) -> Option<Make> {
        let (size, crop) = self.size_of(source);
        let mut format = self.format_for(fields);
        if self.negotiates() && format == Format::Webp && size.0.max(size.1) > MAX_WEBP_SIDE {
            format = Format::Png;
        }
        let same = png && format == Format::Png && size == source;
        (!same).then_some(Make { format, quality: self.quality, size, crop })
    }

    /// The pixels that it has, made of `source`; and whether something is cut off.
    fn size_of(&self, source: (u32, u32)) -> ((u32, u32), bool) {
        let (width, height) = (f64::from(source.0.max(1)), f64::from(source.1.max(1)));
        let scaled = |scale: f64| {
            let side = |length: f64| (length * scale).round().clamp(1.0, f64::from(u32::MAX)) as u32;
            (side(width), side(height))
        };
        match (self.width, self.height, self.fit) {
            (None, None, _) => (source, false),
            (Some(w), Some(h), Fit::Fill) => ((w, h), false),
            (Some(w), Some(h), Fit::Cover) => ((w, h), true),
            (w, h, _) => {
                let of = |side: Option<u32>, length: f64| {
                    side.map_or(f64::INFINITY, |side| f64::from(side) / length)
                };
                let scale = of(w, width).min(of(h, height)).min(1.0);
                let (made_w, made_h) = scaled(scale);
                // Rounding must not leave the box.
                ((made_w.min(w.unwrap_or(u32::MAX)), made_h.min(h.unwrap_or(u32::MAX))), false)
            }
        }
    }
}

impl Make {
    /// Why no encoder takes it, if none does.
    pub fn impossible(&self) -> Option<String> {
        let longest = self.size.0.max(self.size.1);
        (self.format == Format::Webp && longest > MAX_WEBP_SIDE).then(|| {
            format!("png or jpeg: a WebP has at most {MAX_WEBP_SIDE} pixels a side, and this has {longest}")
        })
    }
}

fn side(value: &str) -> Option<u32> {
    value.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side))
}

fn fit(value: &str) -> Option<Fit> {
    match value {
        "contain" => Some(Fit::Contain),
        "cover" => Some(Fit::Cover),
        "fill" => Some(Fit::Fill),
        _ => None,
    }
}

#[expect(clippy::option_option, reason = "bad, any that can be shown, and this one are three things")]
fn format(value: &str) -> Option<Option<Format>> {
    if value == "auto" {
        return Some(None);
    }
    Format::KNOWN.iter().find(|format| format.name() == value).map(|format| Some(*format))
}

/// A media range without parameters, and its weight in thousandths.
fn range(member: &str) -> Option<(&str, u16)> {
    let mut parts = member.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let mut weight = 1000;
    for part in parts {
        if let Some((name, value)) = part.split_once('=')
            && name.trim().eq_ignore_ascii_case("q")
        {
            let value: f32 = value.trim().parse().ok().filter(|value| (0.0..=1.0).contains(value))?;
            weight = (value * 1000.0).round() as u16;
        }
    }
    Some((range, weight))
}

#[cfg(test)]
mod tests;
