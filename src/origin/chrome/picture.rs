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
pub(super) enum PixelError {
    /// The browser gave something else than a PNG.
    #[error("unreadable PNG: {0}")]
    Decode(#[from] DecodingError),
    /// It could not be written.
    #[error("cannot write a PNG: {0}")]
    Encode(#[from] EncodingError),
    /// Tiles of different widths, or none.
    #[error("tiles do not fit together")]
    Misfit,
}

/// A finished PNG.
#[derive(Debug)]
pub(super) struct Developed {
    pub(super) bytes: Vec<u8>,
    /// Every pixel has the same colour.
    pub(super) blank: bool,
}

/// Encodes PNGs of one width as a single one, from top to bottom, one row in memory at a time.
pub(super) fn develop(tiles: &[Vec<u8>]) -> Result<Developed, PixelError> {
    let form = Form::of(tiles)?;
    let (blank, filter) = survey(tiles, &form)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, form.width, form.height);
    encoder.set_color(form.color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_deflate_compression(DeflateCompression::Level(LEVEL));
    encoder.set_filter(filter);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer_with_size(CHUNK)?;
    for tile in tiles {
        let mut rows = rows(tile, form.color)?;
        while let Some(row) = rows.next_row()? {
            stream.write_all(row.data()).map_err(EncodingError::from)?;
        }
    }
    stream.finish()?;
    writer.finish()?;
    Ok(Developed { bytes, blank })
}

/// Whether every pixel of a PNG is the same. Reads no further than to the first that differs.
pub(super) fn is_one_colour(png: &[u8]) -> Result<bool, PixelError> {
    let mut rows = rows(png, ColorType::Rgba)?;
    let mut colour = OneColour::new(rows.output_color_type().0.samples());
    while let Some(row) = rows.next_row()? {
        if !colour.holds(row.data()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What all tiles have in common.
struct Form {
    width: u32,
    height: u32,
    color: ColorType,
}

impl Form {
    fn of(tiles: &[Vec<u8>]) -> Result<Self, PixelError> {
        let mut form = Form { width: 0, height: 0, color: ColorType::Rgb };
        for tile in tiles {
            let decoder = png::Decoder::new(Cursor::new(tile.as_slice())).read_info()?;
            let info = decoder.info();
            if form.width != 0 && info.width != form.width {
                return Err(PixelError::Misfit);
            }
            form.width = info.width;
            form.height = form.height.saturating_add(info.height);
            // One with transparency makes the whole have it.
            if info.color_type != ColorType::Rgb {
                form.color = ColorType::Rgba;
            }
        }
        if tiles.is_empty() { Err(PixelError::Misfit) } else { Ok(form) }
    }
}

/// Whether the picture is blank, and the filter that makes it smaller: differences where colours flow into one another, as
/// in photographs, none where they repeat.
fn survey(tiles: &[Vec<u8>], form: &Form) -> Result<(bool, Filter), PixelError> {
    let pixel = form.color.samples();
    let mut colour = OneColour::new(pixel);
    let (mut plain, mut differences, mut taken) = (Meter::new(), Meter::new(), 0);
    let mut line = Vec::new();
    for tile in tiles {
        let mut rows = rows(tile, form.color)?;
        if rows.output_color_type() != (form.color, BitDepth::Eight) {
            return Err(PixelError::Misfit);
        }
        let mut number = 0;
        while let Some(row) = rows.next_row()? {
            let row = row.data();
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
        }
    }
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
        let joined = develop(&[upper.clone(), lower.clone()]).unwrap();
        let expected = [A, B, B, A, B, B].iter().flat_map(|pixel| &pixel[..3]).copied().collect();
        assert_eq!(pixels(&joined.bytes), (ColorType::Rgb, expected));
        assert!(!joined.blank);
        assert!(develop(&[lower.clone(), lower]).unwrap().blank);

        // One with transparency makes the whole have it.
        let clear = develop(&[upper.clone(), picture(2, &[CLEAR, A], ColorType::Rgba)]).unwrap();
        assert_eq!(pixels(&clear.bytes), (ColorType::Rgba, [A, B, B, A, CLEAR, A].concat()));
        assert!(matches!(develop(&[upper, picture(1, &[A], ColorType::Rgb)]), Err(PixelError::Misfit)));
        assert!(matches!(develop(&[picture(1, &[A], ColorType::Grayscale)]), Err(PixelError::Misfit)));
        assert!(matches!(develop(&[]), Err(PixelError::Misfit)));
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
            let given = [picture(64, &colours, ColorType::Rgb)];
            assert_eq!(survey(&given, &Form::of(&given).unwrap()).unwrap(), (false, expected));
            assert_eq!(pixels(&develop(&given).unwrap().bytes), pixels(&given[0]));
        }
    }
}
