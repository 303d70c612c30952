//! Converts one picture into another: decodes, crops and scales, encodes.

use std::io::Cursor;

use bytes::Bytes;
use fast_image_resize::images::Image;
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageReader};

use super::error::DeriveError;
use crate::capture::rendition::{Format, Make};

/// Width and height of a PNG or a JPEG in pixels, from its head.
pub fn size(picture: &[u8]) -> Option<(u32, u32)> {
    ImageReader::new(Cursor::new(picture)).with_guessed_format().ok()?.into_dimensions().ok()
}

/// Eight bits a channel: red, green, blue, and perhaps alpha.
struct Pixels {
    size: (u32, u32),
    alpha: bool,
    octets: Vec<u8>,
}

/// Converts `source` as `make` says.
pub(super) fn make(source: &Bytes, make: Make) -> Result<Bytes, DeriveError> {
    let pixels = resize(decode(source)?, make)?;
    let octets = match make.format {
        Format::Png => png(&pixels)?,
        Format::Jpeg => jpeg(&pixels, make.quality)?,
        Format::Webp => webp(&pixels, make.quality)?,
        Format::Avif => avif(pixels, make.quality)?,
    };
    Ok(octets.into())
}

fn failed(error: impl std::fmt::Display) -> DeriveError {
    DeriveError::Failed(error.to_string())
}

fn decode(source: &Bytes) -> Result<Pixels, DeriveError> {
    let picture: DynamicImage = ImageReader::new(Cursor::new(source.as_ref()))
        .with_guessed_format()
        .map_err(failed)?
        .decode()
        .map_err(failed)?;
    let size = (picture.width(), picture.height());
    let alpha = picture.color().has_alpha();
    let octets = match alpha {
        true => picture.into_rgba8().into_raw(),
        false => picture.into_rgb8().into_raw(),
    };
    Ok(Pixels { size, alpha, octets })
}

fn resize(pixels: Pixels, make: Make) -> Result<Pixels, DeriveError> {
    if pixels.size == make.size {
        return Ok(pixels);
    }
    let kind = if pixels.alpha { PixelType::U8x4 } else { PixelType::U8x3 };
    let (width, height) = pixels.size;
    let from = Image::from_vec_u8(width, height, pixels.octets, kind).map_err(failed)?;
    let mut to = Image::new(make.size.0, make.size.1, kind);
    let mut options = ResizeOptions::new();
    if make.crop {
        options = options.fit_into_destination(Some((0.5, 0.5)));
    }
    Resizer::new().resize(&from, &mut to, &options).map_err(failed)?;
    Ok(Pixels { size: make.size, alpha: pixels.alpha, octets: to.into_vec() })
}

fn png(pixels: &Pixels) -> Result<Vec<u8>, DeriveError> {
    let mut octets = Vec::new();
    let kind = if pixels.alpha { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
    PngEncoder::new_with_quality(&mut octets, CompressionType::Default, FilterType::Adaptive)
        .write_image(&pixels.octets, pixels.size.0, pixels.size.1, kind)
        .map_err(failed)?;
    Ok(octets)
}

fn jpeg(pixels: &Pixels, quality: u8) -> Result<Vec<u8>, DeriveError> {
    let mut octets = Vec::new();
    let flat = if pixels.alpha { on_white(&pixels.octets) } else { Vec::new() };
    let opaque = if pixels.alpha { &flat } else { &pixels.octets };
    JpegEncoder::new_with_quality(&mut octets, quality)
        .write_image(opaque, pixels.size.0, pixels.size.1, ExtendedColorType::Rgb8)
        .map_err(failed)?;
    Ok(octets)
}

/// The pixels with their alpha blended over white.
fn on_white(octets: &[u8]) -> Vec<u8> {
    let seen = |channel: u8, alpha: u8| {
        let (channel, alpha) = (u16::from(channel), u16::from(alpha));
        ((channel * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let pixels = octets.chunks_exact(4).flat_map(|pixel| [0, 1, 2].map(|at| seen(pixel[at], pixel[3])));
    pixels.collect()
}

fn webp(pixels: &Pixels, quality: u8) -> Result<Vec<u8>, DeriveError> {
    let (width, height) = pixels.size;
    let encoder = if pixels.alpha {
        webp::Encoder::from_rgba(&pixels.octets, width, height)
    } else {
        webp::Encoder::from_rgb(&pixels.octets, width, height)
    };
    let made = encoder.encode_simple(false, f32::from(quality));
    made.map(|made| made.to_vec()).map_err(|error| failed(format!("libwebp: {error:?}")))
}

#[cfg(feature = "avif")]
fn avif(pixels: Pixels, quality: u8) -> Result<Vec<u8>, DeriveError> {
    use ravif::{Encoder, Img};
    let (width, height) = (pixels.size.0 as usize, pixels.size.1 as usize);
    // The fastest speed. Even so, a page takes half a second of one processor.
    let encoder = Encoder::new().with_quality(f32::from(quality)).with_speed(10).with_num_threads(Some(1));
    let made = if pixels.alpha {
        let rgba: Vec<_> =
            pixels.octets.chunks_exact(4).map(|p| ravif::RGBA8::new(p[0], p[1], p[2], p[3])).collect();
        encoder.encode_rgba(Img::new(&rgba, width, height))
    } else {
        let rgb: Vec<_> = pixels.octets.chunks_exact(3).map(|p| ravif::RGB8::new(p[0], p[1], p[2])).collect();
        encoder.encode_rgb(Img::new(&rgb, width, height))
    };
    made.map(|made| made.avif_file).map_err(failed)
}

#[cfg(not(feature = "avif"))]
fn avif(_: Pixels, _: u8) -> Result<Vec<u8>, DeriveError> {
    Err(DeriveError::Impossible("png, jpeg or webp: this build makes no AVIF".into()))
}
