//! Checks whether a response of an origin is a picture that is worth storing.

use std::io::Cursor;

use bytes::Bytes;
use http::{HeaderMap, header};
use image::ImageReader;

/// The reason that a response of an origin is not stored as a picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The body is no picture, or not a whole one.
    #[error("{0}")]
    NotPicture(String),
    /// All pixels have the same colour.
    #[error("the picture is of one colour")]
    Blank,
}

/// Checks that the fields of a response name a picture type.
///
/// # Errors
/// [`Unfit::NotPicture`] with the type that was found.
pub fn picture_type(fields: &HeaderMap) -> Result<(), Unfit> {
    let media_type = fields.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match media_type {
        Some(found)
            if found.trim_start().get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case("image/")) =>
        {
            Ok(())
        }
        Some(found) => Err(not_picture(format!("the origin answered with {found:?} and not with a picture"))),
        None => Err(not_picture("the origin answered without a Content-Type".to_owned())),
    }
}

/// Checks that `body` is a whole picture and, unless `allow_blank`, has more than one colour.
///
/// PNG, JPEG and WebP of at most `max_pixels` are decoded. Of larger and other pictures, only the
/// outer structure is checked.
///
/// # Errors
/// Either kind of [`Unfit`].
pub(super) fn judge(body: &Bytes, max_pixels: u64, allow_blank: bool) -> Result<(), Unfit> {
    if body.is_empty() {
        return Err(not_picture("the origin answered with an empty picture".to_owned()));
    }
    let is_blank = match Kind::of(body) {
        Kind::Png if has_png_end(body) => decoded(body, max_pixels)?,
        Kind::Jpeg if has_jpeg_end(body) => decoded(body, max_pixels)?,
        Kind::Webp => webp(body, max_pixels)?,
        Kind::Gif if body.trim_ascii_end().last() == Some(&0x3b) => false,
        Kind::Boxes if ends_with_a_box(body) => false,
        Kind::Svg => false,
        Kind::Png | Kind::Jpeg | Kind::Gif | Kind::Boxes => {
            return Err(not_picture("the picture ends early".to_owned()));
        }
        Kind::Unknown => return Err(not_picture("the content is no picture of a known format".to_owned())),
    };
    if is_blank && !allow_blank {
        return Err(Unfit::Blank);
    }
    Ok(())
}

fn not_picture(detail: String) -> Unfit {
    Unfit::NotPicture(detail)
}

/// A picture format, found by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Png,
    Jpeg,
    Webp,
    Gif,
    /// AVIF, HEIC and JPEG XL, which are ISO base media files.
    Boxes,
    Svg,
    Unknown,
}

impl Kind {
    fn of(body: &[u8]) -> Self {
        let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
        match body {
            [0x89, b'P', b'N', b'G', ..] => Kind::Png,
            [0xff, 0xd8, 0xff, ..] => Kind::Jpeg,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Kind::Webp,
            [b'G', b'I', b'F', b'8', ..] => Kind::Gif,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => {
                Kind::Boxes
            }
            _ if text.starts_with(b"<?xml") || text.starts_with(b"<svg") || text.starts_with(b"<!--") => {
                Kind::Svg
            }
            _ => Kind::Unknown,
        }
    }
}

/// Whether all pixels of a PNG or JPEG have the same colour.
fn decoded(body: &Bytes, max_pixels: u64) -> Result<bool, Unfit> {
    let unreadable =
        |error: image::ImageError| not_picture(format!("the picture cannot be decoded: {error}"));
    let reader = || ImageReader::new(Cursor::new(body.as_ref())).with_guessed_format();
    let reader = || reader().map_err(|error| not_picture(format!("the picture cannot be read: {error}")));
    let (width, height) = reader()?.into_dimensions().map_err(unreadable)?;
    if u64::from(width) * u64::from(height) > max_pixels {
        return Ok(false);
    }
    let picture = reader()?.decode().map_err(unreadable)?;
    let size = usize::from(picture.color().bytes_per_pixel());
    Ok(is_one_colour(picture.as_bytes(), size))
}

/// Whether all pixels of a WebP have the same colour.
fn webp(body: &Bytes, max_pixels: u64) -> Result<bool, Unfit> {
    let unreadable = || not_picture("the picture cannot be decoded as WebP, or ends early".to_owned());
    let features = webp::BitstreamFeatures::new(body).ok_or_else(unreadable)?;
    // The simple decoder of libwebp takes no animations.
    if features.has_animation() || u64::from(features.width()) * u64::from(features.height()) > max_pixels {
        let length = body.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        let is_whole = length.is_some_and(|length| u64::from(length) + 8 <= body.len() as u64);
        return if is_whole { Ok(false) } else { Err(unreadable()) };
    }
    let picture = webp::Decoder::new(body).decode().ok_or_else(unreadable)?;
    Ok(is_one_colour(&picture, if picture.is_alpha() { 4 } else { 3 }))
}

fn is_one_colour(octets: &[u8], size: usize) -> bool {
    let mut pixels = octets.chunks_exact(size.max(1));
    let first = pixels.next();
    pixels.all(|pixel| Some(pixel) == first)
}

/// Whether the last chunk of a PNG is whole: its name and a checksum of 4 bytes. Decoders accept a
/// PNG without it.
fn has_png_end(body: &[u8]) -> bool {
    let end = body.windows(4).rposition(|name| name == b"IEND");
    end.is_some_and(|end| body.len() - end >= 8)
}

/// Whether the end of a JPEG comes after its last scan. Decoders fill missing parts with grey.
fn has_jpeg_end(body: &[u8]) -> bool {
    let last = |marker: u8| body.windows(2).rposition(|pair| pair == [0xff, marker]);
    last(0xda).is_some_and(|scan| last(0xd9).is_some_and(|end| end > scan))
}

/// Whether the last box of an ISO base media file is whole.
fn ends_with_a_box(body: &[u8]) -> bool {
    let mut rest = body;
    while let Some(length) = rest.get(..4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes) {
        let length = match length {
            // A size of 0 means that the box ends with the file.
            0 => return true,
            1 => rest.get(8..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes),
            length => u64::from(length),
        };
        match usize::try_from(length) {
            Ok(length) if length >= 8 && length <= rest.len() => rest = &rest[length..],
            _ => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::rendition::{Format, Make};

    fn png(colours: [u8; 2]) -> Bytes {
        let mut octets = Vec::new();
        let picture =
            image::GrayImage::from_fn(64, 48, |x, y| image::Luma([colours[usize::from(x < 9 && y < 9)]]));
        picture.write_to(&mut Cursor::new(&mut octets), image::ImageFormat::Png).expect("a PNG");
        octets.into()
    }

    /// `blank`, or `no picture`, or nothing if the picture is good.
    fn flaw(body: &[u8]) -> Option<&'static str> {
        match judge(&Bytes::copy_from_slice(body), 1 << 20, false) {
            Ok(()) => None,
            Err(Unfit::Blank) => Some("blank"),
            Err(Unfit::NotPicture(_)) => Some("no picture"),
        }
    }

    #[test]
    fn whole_pictures_of_more_than_one_colour_are_good() {
        let source = png([0, 200]);
        let (two, one) = (decode_to_formats(&source), decode_to_formats(&png([90, 90])));
        for (format, body) in &two {
            assert_eq!(flaw(body), None, "{format:?}");
            for cut in [1, 3, body.len() / 3, body.len() / 2] {
                assert_eq!(flaw(&body[..body.len() - cut]), Some("no picture"), "{format:?} without {cut}");
            }
        }
        for (format, body) in one {
            // AVIF and pictures that are too large to decode are not checked for a single colour.
            let expected = (format != Format::Avif).then_some("blank");
            assert_eq!(flaw(&body), expected, "{format:?}");
            assert!(judge(&body, 1 << 20, true).is_ok() && judge(&body, 10, false).is_ok(), "{format:?}");
        }
    }

    fn decode_to_formats(source: &Bytes) -> Vec<(Format, Bytes)> {
        let formats = Format::KNOWN.iter().copied();
        let made = formats.map(|format| {
            let make = Make { format, quality: 80, size: (64, 48), crop: false };
            (format, super::super::picture::make(source, make).expect("a picture"))
        });
        made.collect()
    }

    #[test]
    fn other_content_is_no_picture() {
        for body in [
            &b""[..],
            b"{\"error\":\"quota\"}",
            b"<!doctype html><p>Sorry",
            b"\x89PNG\r\n\x1a\n",
            b"RIFF",
            b"ok",
        ] {
            assert_eq!(flaw(body), Some("no picture"), "{:?}", String::from_utf8_lossy(body));
        }
        for body in [&b"GIF89a\x01\x00\x01\x00;"[..], b" <svg xmlns='http://www.w3.org/2000/svg'/>"] {
            assert_eq!(flaw(body), None, "{:?}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn the_type_of_a_picture_is_that_of_an_image() {
        for (found, good) in [
            (Some("image/png"), true),
            (Some("Image/WebP; q=1"), true),
            (Some("application/json"), false),
            (Some("text/html"), false),
            (Some("imagepng"), false),
            (None, false),
        ] {
            let mut fields = HeaderMap::new();
            if let Some(found) = found {
                fields.insert(header::CONTENT_TYPE, found.parse().expect("a value"));
            }
            assert_eq!(picture_type(&fields).is_ok(), good, "{found:?}");
        }
    }
}
