//! Pictures as pixels: whether one is blank, and tiles joined to one. Takes processor time: off the async threads.

use std::io::Cursor;

use png::{BitDepth, ColorType, Compression, DecodingError, EncodingError, Filter, Transformations};

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

type Rows<'a> = png::Reader<Cursor<&'a [u8]>>;

fn rows(png: &[u8]) -> Result<Rows<'_>, PixelError> {
    let mut decoder = png::Decoder::new(Cursor::new(png));
    // Palettes and fewer bits become whole bytes, opaque pictures get their alpha: every pixel has four bytes.
    decoder.set_transformations(Transformations::normalize_to_color8() | Transformations::ALPHA);
    Ok(decoder.read_info()?)
}

/// Whether every pixel of a PNG is the same. Reads no further than to the first that differs.
pub(super) fn is_one_colour(png: &[u8]) -> Result<bool, PixelError> {
    let mut rows = rows(png)?;
    let bytes = rows.output_color_type().0.samples();
    let mut first: Option<Vec<u8>> = None;
    while let Some(row) = rows.next_row()? {
        let row = row.data();
        let colour = first.get_or_insert_with(|| row[..bytes.min(row.len())].to_vec());
        if row.chunks_exact(bytes).any(|pixel| pixel != colour.as_slice()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Joins PNGs of one width, from top to bottom, one row in memory at a time.
pub(super) fn join(tiles: &[Vec<u8>]) -> Result<Vec<u8>, PixelError> {
    let (mut width, mut height, mut opaque) = (0, 0_u32, true);
    for tile in tiles {
        let decoder = png::Decoder::new(Cursor::new(tile.as_slice())).read_info()?;
        let info = decoder.info();
        if width != 0 && info.width != width {
            return Err(PixelError::Misfit);
        }
        width = info.width;
        height = height.saturating_add(info.height);
        opaque &= info.color_type == ColorType::Rgb;
    }
    if tiles.is_empty() {
        return Err(PixelError::Misfit);
    }
    let mut joined = Vec::new();
    let mut encoder = png::Encoder::new(&mut joined, width, height);
    encoder.set_color(if opaque { ColorType::Rgb } else { ColorType::Rgba });
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    encoder.set_filter(Filter::Sub);
    let mut writer = encoder.write_header()?;
    let mut stream = writer.stream_writer()?;
    let mut line = Vec::new();
    for tile in tiles {
        let mut rows = rows(tile)?;
        if rows.output_color_type() != (ColorType::Rgba, BitDepth::Eight) {
            return Err(PixelError::Misfit);
        }
        while let Some(row) = rows.next_row()? {
            line.clear();
            match opaque {
                true => line.extend(row.data().chunks_exact(4).flat_map(|pixel| &pixel[..3])),
                false => line.extend_from_slice(row.data()),
            }
            std::io::Write::write_all(&mut stream, &line).map_err(EncodingError::from)?;
        }
    }
    stream.finish()?;
    writer.finish()?;
    Ok(joined)
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

    #[test]
    fn tiles_are_joined_from_top_to_bottom() {
        let upper = picture(2, &[A, B, B, A], ColorType::Rgb);
        let lower = picture(2, &[B, B], ColorType::Rgb);
        let joined = join(&[upper.clone(), lower.clone()]).unwrap();
        let mut reader = rows(&joined).unwrap();
        assert_eq!((reader.info().width, reader.info().height), (2, 3));
        assert_eq!(reader.info().color_type, ColorType::Rgb);
        let mut seen = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            seen.extend_from_slice(row.data());
        }
        assert_eq!(seen, [A, B, B, A, B, B].concat());

        // One with transparency makes the whole have it.
        let clear = join(&[upper.clone(), picture(2, &[CLEAR, A], ColorType::Rgba)]).unwrap();
        assert_eq!(rows(&clear).unwrap().info().color_type, ColorType::Rgba);
        assert!(matches!(join(&[upper, picture(1, &[A], ColorType::Rgb)]), Err(PixelError::Misfit)));
        assert!(matches!(join(&[]), Err(PixelError::Misfit)));
    }
}
