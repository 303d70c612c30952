//! Pictures as pixels: developed from what the browser gives, and whether one is blank. Takes processor time: off the
//! async threads.
//!
//! Chrome encodes on the one thread that serves all of its pages, and takes 45 ms for a screen. It is asked to do it fast and
//! loose, and what it gives is encoded anew here: a fifth of the time, on any thread, and fewer bytes.

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use png::{
    BitDepth, ColorType, DecodingError, DeflateCompression, EncodingError, Filter, Reader, Transformations,
};

/// Effort for the bytes of a picture: beyond it twice the time saves a twentieth of them.
const LEVEL: u8 = 4;
/// Pieces of a picture on which filters are tried: so many rows of every so many, and no more bytes than that.
const SAMPLE_ROWS: u32 = 16;
const SAMPLE_STEP: u32 = 128;
const MAX_SAMPLE: usize = 2 << 20;
/// Bytes of one chunk of the file.
const CHUNK: usize = 64 << 10;

/// Why pixels could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PixelError {
    /// The browser gave something else than a PNG.
    #[error("unreadable PNG: {0}")]
    Decode(#[from] DecodingError),
    /// It could not be written.
    #[error("cannot write a PNG: {0}")]
    Encode(#[from] EncodingError),
    /// Tiles of different widths, or none.
    #[error("tiles do not fit together")]
    Misfit,
    /// It could not be written as a JPEG or WebP.
    #[error("cannot write a picture: {0}")]
    Lossy(String),
}

/// A screenshot, and which of its pixels belong to the picture.
#[derive(Clone, Debug)]
pub(crate) struct Tile {
    pub(crate) png: Vec<u8>,
    /// All of it where none is said.
    pub(crate) part: Option<Part>,
}

/// A box of pixels in a screenshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Tile {
    /// A whole screenshot.
    pub(crate) fn whole(png: Vec<u8>) -> Self {
        Tile { png, part: None }
    }
}

/// Tiles of one height, from left to right.
pub(crate) type Band = Vec<Tile>;

/// A finished PNG.
#[derive(Debug)]
pub(crate) struct Developed {
    pub(crate) bytes: Vec<u8>,
    /// Every pixel has the same colour.
    pub(crate) blank: bool,
}

/// Encodes bands of one width as a single PNG, from top to bottom, one row in memory at a time.
pub(crate) fn develop(bands: &[Band]) -> Result<Developed, PixelError> {
    let form = Form::of(bands)?;
    let (blank, filter) = survey(bands, &form)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, form.width, form.height);
    encoder.set_color(form.color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_deflate_compression(DeflateCompression::Level(LEVEL));
    encoder.set_filter(filter);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer_with_size(CHUNK)?;
    each_row(bands, &form, |row| stream.write_all(row).map_err(|error| EncodingError::from(error).into()))?;
    stream.finish()?;
    writer.finish()?;
    Ok(Developed { bytes, blank })
}

/// Encodes bands as one picture in a lossy format. All of its pixels are in memory meanwhile.
pub(crate) fn develop_lossy(bands: &[Band], format: Lossy, quality: u8) -> Result<Developed, PixelError> {
    let form = Form::of(bands)?;
    let mut colour = OneColour::new(form.color.samples());
    let mut pixels = Vec::new();
    let is_opaque = format == Lossy::Jpeg && form.color == ColorType::Rgba;
    each_row(bands, &form, |row| {
        colour.holds(row);
        match is_opaque {
            true => pixels.extend(row.chunks_exact(4).flat_map(|pixel| &pixel[..3])),
            false => pixels.extend_from_slice(row),
        }
        Ok(())
    })?;
    let bytes = match format {
        Lossy::Jpeg => {
            let mut bytes = Vec::new();
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
                .encode(&pixels, form.width, form.height, image::ExtendedColorType::Rgb8)
                .map_err(|error| PixelError::Lossy(error.to_string()))?;
            bytes
        }
        Lossy::Webp => {
            let encoder = match form.color {
                ColorType::Rgba => webp::Encoder::from_rgba(&pixels, form.width, form.height),
                _ => webp::Encoder::from_rgb(&pixels, form.width, form.height),
            };
            let made = encoder.encode_simple(false, f32::from(quality));
            made.map_err(|error| PixelError::Lossy(format!("libwebp: {error:?}")))?.to_vec()
        }
    };
    Ok(Developed { bytes, blank: colour.held })
}

/// A format that loses something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lossy {
    Jpeg,
    Webp,
}

/// Whether every pixel of a PNG is the same. Reads no further than to the first that differs.
pub(crate) fn is_one_colour(png: &[u8]) -> Result<bool, PixelError> {
    let mut rows = rows(png, ColorType::Rgba)?;
    let mut colour = OneColour::new(rows.output_color_type().0.samples());
    while let Some(row) = rows.next_row()? {
        if !colour.holds(row.data()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What all bands have in common.
struct Form {
    width: u32,
    height: u32,
    color: ColorType,
}

impl Form {
    fn of(bands: &[Band]) -> Result<Self, PixelError> {
        let mut form = Form { width: 0, height: 0, color: ColorType::Rgb };
        for band in bands {
            let (mut width, mut height) = (0_u32, 0);
            for tile in band {
                let decoder = png::Decoder::new(Cursor::new(tile.png.as_slice())).read_info()?;
                let info = decoder.info();
                let part = tile.part_of(info.width, info.height)?;
                if height != 0 && part.height != height {
                    return Err(PixelError::Misfit);
                }
                height = part.height;
                width = width.saturating_add(part.width);
                // One with transparency makes the whole have it.
                if info.color_type != ColorType::Rgb {
                    form.color = ColorType::Rgba;
                }
            }
            if width == 0 || height == 0 || form.width != 0 && width != form.width {
                return Err(PixelError::Misfit);
            }
            form.width = width;
            form.height = form.height.saturating_add(height);
        }
        if bands.is_empty() { Err(PixelError::Misfit) } else { Ok(form) }
    }
}

impl Tile {
    /// Its part of a screenshot of this size.
    fn part_of(&self, width: u32, height: u32) -> Result<Part, PixelError> {
        let part = self.part.unwrap_or(Part { x: 0, y: 0, width, height });
        let is_within =
            |from: u32, length: u32, all: u32| from.checked_add(length).is_some_and(|to| to <= all);
        if is_within(part.x, part.width, width) && is_within(part.y, part.height, height) {
            Ok(part)
        } else {
            Err(PixelError::Misfit)
        }
    }
}

/// Gives `take` the rows of the whole picture from top to bottom.
fn each_row(
    bands: &[Band],
    form: &Form,
    mut take: impl FnMut(&[u8]) -> Result<(), PixelError>,
) -> Result<(), PixelError> {
    let pixel = form.color.samples();
    let mut line = Vec::with_capacity(form.width as usize * pixel);
    for band in bands {
        let mut readers = Vec::with_capacity(band.len());
        let mut height = 0;
        for tile in band {
            let mut rows = rows(&tile.png, form.color)?;
            if rows.output_color_type() != (form.color, BitDepth::Eight) {
                return Err(PixelError::Misfit);
            }
            let part = tile.part_of(rows.info().width, rows.info().height)?;
            for _ in 0..part.y {
                rows.next_row()?;
            }
            height = part.height;
            readers.push((rows, part));
        }
        for _ in 0..height {
            line.clear();
            for (rows, part) in &mut readers {
                let row = rows.next_row()?.ok_or(PixelError::Misfit)?;
                let from = part.x as usize * pixel;
                let to = from + part.width as usize * pixel;
                line.extend_from_slice(row.data().get(from..to).ok_or(PixelError::Misfit)?);
            }
            take(&line)?;
        }
    }
    Ok(())
}

/// Whether the picture is blank, and the filter that makes it smaller: differences where colours flow into one another, as
/// in photographs, none where they repeat.
fn survey(bands: &[Band], form: &Form) -> Result<(bool, Filter), PixelError> {
    let pixel = form.color.samples();
    let mut colour = OneColour::new(pixel);
    let (mut plain, mut differences, mut taken) = (Meter::new(), Meter::new(), 0);
    let (mut line, mut number) = (Vec::new(), 0);
    each_row(bands, form, |row| {
        colour.holds(row);
        if number % SAMPLE_STEP < SAMPLE_ROWS && taken < MAX_SAMPLE {
            line.clear();
            line.extend_from_slice(&row[..pixel.min(row.len())]);
            line.extend(row.iter().skip(pixel).zip(row).map(|(here, left)| here.wrapping_sub(*left)));
            plain.add(row);
            differences.add(&line);
            taken += row.len();
        }
        number += 1;
        Ok(())
    })?;
    let filter = if plain.bytes() <= differences.bytes() { Filter::NoFilter } else { Filter::Sub };
    Ok((colour.held, filter))
}

/// Counts the bytes that something compresses to.
struct Meter(ZlibEncoder<Count>);

#[derive(Default)]
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Meter {
    fn new() -> Self {
        Meter(ZlibEncoder::new(Count::default(), Compression::new(u32::from(LEVEL) - 1)))
    }

    fn add(&mut self, bytes: &[u8]) {
        // Counting does not fail.
        let _ = self.0.write_all(bytes);
    }

    fn bytes(self) -> u64 {
        self.0.finish().map_or(u64::MAX, |count| count.0)
    }
}

/// Whether all rows so far have had one colour.
struct OneColour {
    pixel: usize,
    first: Option<Vec<u8>>,
    held: bool,
}

impl OneColour {
    fn new(pixel: usize) -> Self {
        OneColour { pixel, first: None, held: true }
    }

    fn holds(&mut self, row: &[u8]) -> bool {
        if self.held {
            let first = self.first.get_or_insert_with(|| row[..self.pixel.min(row.len())].to_vec());
            self.held = row.chunks_exact(self.pixel).all(|pixel| pixel == first.as_slice());
        }
        self.held
    }
}

/// The rows of a PNG as `color` has them: opaque pictures get their alpha for [`ColorType::Rgba`].
fn rows(png: &[u8], color: ColorType) -> Result<Reader<Cursor<&[u8]>>, PixelError> {
    let mut decoder = png::Decoder::new(Cursor::new(png));
    // Palettes and fewer bits become whole bytes.
    let whole = Transformations::normalize_to_color8();
    let alpha = if color == ColorType::Rgba { Transformations::ALPHA } else { Transformations::IDENTITY };
    decoder.set_transformations(whole | alpha);
    Ok(decoder.read_info()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, colours: &[[u8; 4]], color: ColorType) -> Vec<u8> {
        let mut bytes = Vec::new();
        let height = colours.len() as u32 / width;
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        let data: Vec<u8> = colours.iter().flat_map(|colour| &colour[..color.samples()]).copied().collect();
        encoder.write_header().unwrap().write_image_data(&data).unwrap();
        bytes
    }

    const A: [u8; 4] = [1, 2, 3, 255];
    const B: [u8; 4] = [1, 2, 4, 255];
    const CLEAR: [u8; 4] = [1, 2, 3, 0];

    #[test]
    fn one_pixel_more_is_no_blank() {
        for (colours, color, expected) in [
            (&[A, A, A, A][..], ColorType::Rgba, true),
            (&[A, A, A, A], ColorType::Rgb, true),
            (&[A, A, A, B], ColorType::Rgb, false),
            (&[A, A, A, CLEAR], ColorType::Rgba, false),
            (&[CLEAR, CLEAR], ColorType::Rgba, true),
            (&[A, B], ColorType::Grayscale, true),
            (&[B, B, CLEAR, B], ColorType::Rgb, false),
        ] {
            assert_eq!(is_one_colour(&picture(2, colours, color)).unwrap(), expected, "{colours:?}");
        }
        assert!(is_one_colour(b"GIF89a").is_err());
    }

    fn whole(png: &[u8]) -> Band {
        vec![Tile::whole(png.to_vec())]
    }

    fn pixels(png: &[u8]) -> (ColorType, Vec<u8>) {
        let mut reader = png::Decoder::new(Cursor::new(png)).read_info().unwrap();
        let (color, mut seen) = (reader.info().color_type, Vec::new());
        while let Some(row) = reader.next_row().unwrap() {
            seen.extend_from_slice(row.data());
        }
        (color, seen)
    }

    #[test]
    fn tiles_are_joined_from_top_to_bottom() {
        let upper = picture(2, &[A, B, B, A], ColorType::Rgb);
        let lower = picture(2, &[B, B], ColorType::Rgb);
        let joined = develop(&[whole(&upper), whole(&lower)]).unwrap();
        let expected = [A, B, B, A, B, B].iter().flat_map(|pixel| &pixel[..3]).copied().collect();
        assert_eq!(pixels(&joined.bytes), (ColorType::Rgb, expected));
        assert!(!joined.blank);
        assert!(develop(&[whole(&lower), whole(&lower)]).unwrap().blank);

        // One with transparency makes the whole have it.
        let clear = develop(&[whole(&upper), whole(&picture(2, &[CLEAR, A], ColorType::Rgba))]).unwrap();
        assert_eq!(pixels(&clear.bytes), (ColorType::Rgba, [A, B, B, A, CLEAR, A].concat()));
        assert!(matches!(
            develop(&[whole(&upper), whole(&picture(1, &[A], ColorType::Rgb))]),
            Err(PixelError::Misfit)
        ));
        assert!(matches!(
            develop(&[whole(&picture(1, &[A], ColorType::Grayscale))]),
            Err(PixelError::Misfit)
        ));
        assert!(matches!(develop(&[]), Err(PixelError::Misfit)));
    }

    #[test]
    fn parts_are_joined_from_left_to_right() {
        let part = |png: &[u8], x, y, width, height| Tile {
            png: png.to_vec(),
            part: Some(Part { x, y, width, height }),
        };
        let left = picture(3, &[A, A, A, A, B, A, B, A, A], ColorType::Rgb);
        let right = picture(2, &[B, B, B, A, A, A], ColorType::Rgb);
        let joined = develop(&[vec![part(&left, 1, 1, 2, 2), part(&right, 1, 0, 1, 2)]]).unwrap();
        let expected = [B, A, B, A, A, A].iter().flat_map(|pixel| &pixel[..3]).copied().collect();
        assert_eq!(pixels(&joined.bytes), (ColorType::Rgb, expected));
        for bad in [part(&left, 2, 0, 2, 1), part(&left, 0, 3, 1, 1), part(&left, 0, u32::MAX, 1, 2)] {
            assert!(matches!(develop(&[vec![bad]]), Err(PixelError::Misfit)));
        }
        let uneven = vec![part(&left, 0, 0, 1, 1), part(&right, 0, 0, 1, 2)];
        assert!(matches!(develop(&[uneven]), Err(PixelError::Misfit)));
    }

    #[test]
    fn lossy_pictures_are_joined_as_well() {
        let upper = picture(2, &[A, A, A, A], ColorType::Rgb);
        let lower = picture(2, &[A, A], ColorType::Rgba);
        for (format, head) in [(Lossy::Jpeg, &b"\xff\xd8\xff"[..]), (Lossy::Webp, b"RIFF")] {
            let made = develop_lossy(&[whole(&upper), whole(&lower)], format, 80).unwrap();
            assert!(made.bytes.starts_with(head) && made.blank);
        }
    }

    #[test]
    fn no_pixel_changes_and_the_better_filter_is_found() {
        let ramp = |step: u32| -> Vec<[u8; 4]> {
            let pixel =
                |at: u32| [at * step % 251, at * at * step % 241, (at >> 3) * step % 239].map(|v| v as u8);
            (0..64 * 64).map(pixel).map(|[r, g, b]| [r, g, b, 255]).collect()
        };
        let stripes: Vec<[u8; 4]> = (0..64 * 64).map(|at| if at / 64 % 7 < 3 { A } else { B }).collect();
        for (colours, expected) in [(ramp(1), Filter::Sub), (stripes, Filter::NoFilter)] {
            let png = picture(64, &colours, ColorType::Rgb);
            let given = [whole(&png)];
            assert_eq!(survey(&given, &Form::of(&given).unwrap()).unwrap(), (false, expected));
            assert_eq!(pixels(&develop(&given).unwrap().bytes), pixels(&png));
        }
    }
}
