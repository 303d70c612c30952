//! The picture of a page that stands still: its bounds, its tiles, and whether it is worth keeping.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::page::{Bounds, Document};
use super::{Failure, NO_PICTURE, Report, Shot};
use crate::origin::Flaw;
use crate::origin::chrome::Limits;
use crate::origin::chrome::picture::{self, Developed, PixelError};
use crate::origin::chrome::spec::{Area, CaptureSpec, Clip, Format, View, pixels};
use crate::origin::chrome::tab::Tab;

/// Device pixels of a side beyond which Chrome repeats or blackens parts of a picture.
const MAX_TEXTURE: u64 = 16_384;
/// Device pixels of one tile's height.
const TILE: f64 = 8192.0;
/// Tiles begin at multiples of so many CSS pixels, which are whole device pixels for every common scale.
const TILE_STEP: u32 = 200;
/// Device pixels of a side of a WebP; lossy pictures are not joined from tiles.
const MAX_LOSSY: u64 = 16_383;

/// Takes the picture.
pub(super) async fn shoot(
    tab: &mut Tab,
    spec: &CaptureSpec,
    document: &Document,
    limits: &Limits,
) -> Result<Shot, Failure> {
    let mut page_height = None;
    let clip = match &spec.area {
        Area::Viewport => None,
        Area::Clip(clip) => Some(*clip),
        Area::Element(selector) => {
            let bounds = document.element.and_then(|bounds| element(bounds, &spec.view, limits.max_pixels));
            let hidden =
                || Failure::Flawed(Flaw::Selector, format!("{selector:?} takes no room on the page"));
            Some(bounds.ok_or_else(hidden)?)
        }
        Area::FullPage(max) => {
            let metrics = tab.call("Page.getLayoutMetrics", json!({})).await?;
            let content = metrics["cssContentSize"]["height"].as_f64().unwrap_or_default();
            page_height = Some(content.ceil() as u64);
            let height = full_height(content, &spec.view, *max, limits.max_pixels);
            Some(Clip { x: 0, y: 0, width: spec.view.width, height })
        }
    };
    let clip = clip.map(|clip| within_format(clip, spec));
    let shot = match (spec.format, clip) {
        (Format::Png, Some(clip)) if pixels(clip.height, spec.view.scale) > MAX_TEXTURE => {
            let mut tiles = Vec::new();
            for tile in tiles_of(clip, spec.view.scale) {
                tiles.push(screenshot(tab, &how(spec, spec.format, Some(tile))).await?);
            }
            develop(tiles).await?
        }
        (Format::Png, _) => develop(vec![screenshot(tab, &how(spec, spec.format, clip)).await?]).await?,
        (Format::Jpeg | Format::Webp, _) => lossy(tab, spec, clip).await?,
    };
    if shot.bytes.len() < limits.min_picture_bytes {
        let why = format!("the picture has {} bytes only", shot.bytes.len());
        return Err(Failure::Flawed(Flaw::Small, why));
    }
    if shot.blank && !spec.rules.allow_blank {
        return Err(Failure::Flawed(Flaw::Blank, "the picture is of one colour".into()));
    }
    Ok(Shot { bytes: shot.bytes, page_height, report: Report::default() })
}

/// A picture as the browser encodes it. One that may be blank is looked at once more, without the loss.
async fn lossy(tab: &mut Tab, spec: &CaptureSpec, clip: Option<Clip>) -> Result<Developed, Failure> {
    let bytes = screenshot(tab, &how(spec, spec.format, clip)).await?;
    let (width, height) = clip.map_or((spec.view.width, spec.view.height), |clip| (clip.width, clip.height));
    let area = pixels(width, spec.view.scale) * pixels(height, spec.view.scale);
    let mut blank = false;
    if !spec.rules.allow_blank && may_be_blank(bytes.len(), area) {
        let exact = screenshot(tab, &how(spec, Format::Png, clip)).await?;
        blank = blocking(move || picture::is_one_colour(&exact)).await?;
    }
    Ok(Developed { bytes, blank })
}

async fn develop(tiles: Vec<Vec<u8>>) -> Result<Developed, Failure> {
    blocking(move || picture::develop(&tiles)).await
}

/// Whether a lossy picture of so many pixels has so few bytes that there may be nothing on it.
fn may_be_blank(bytes: usize, pixels: u64) -> bool {
    (bytes as u64) < 2048 + pixels / 80
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PixelError> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Failure::Page(format!("the picture was given up: {error}")))?;
    done.map_err(|error| Failure::Page(error.to_string()))
}

fn how(spec: &CaptureSpec, format: Format, clip: Option<Clip>) -> Value {
    let mut how = json!({ "format": format.name() });
    match format {
        // It is encoded anew, see picture.rs.
        Format::Png => how["optimizeForSpeed"] = true.into(),
        Format::Jpeg | Format::Webp => how["quality"] = spec.quality.into(),
    }
    if let Some(Clip { x, y, width, height }) = clip {
        how["captureBeyondViewport"] = true.into();
        how["clip"] = json!({ "x": x, "y": y, "width": width, "height": height, "scale": 1 });
    }
    how
}

async fn screenshot(tab: &mut Tab, how: &Value) -> Result<Vec<u8>, Failure> {
    let shot = tab.call("Page.captureScreenshot", how.clone()).await?;
    let picture = BASE64_STANDARD.decode(shot["data"].as_str().unwrap_or_default());
    match picture {
        Ok(picture) if !picture.is_empty() => Ok(picture),
        _ => Err(Failure::Page(NO_PICTURE.into())),
    }
}

/// Height of a full page in CSS pixels: all of it, within both bounds.
fn full_height(content: f64, view: &View, max: u32, max_pixels: u64) -> u32 {
    let wide = pixels(view.width, view.scale).max(1);
    let by_pixels = (max_pixels / wide) as f64 / view.scale;
    // At least the viewport, whose pixels were checked with the request.
    let height = content.ceil().min(by_pixels.floor()).min(f64::from(max));
    (height as u32).max(view.height.min(max)).max(1)
}

/// The whole pixels that an element covers; none if it covers nothing.
fn element(bounds: Bounds, view: &View, max_pixels: u64) -> Option<Clip> {
    let (left, top) = (bounds.x.max(0.0).floor(), bounds.y.max(0.0).floor());
    let (right, bottom) = ((bounds.x + bounds.width).ceil(), (bounds.y + bounds.height).ceil());
    let (width, height) = ((right - left) as u32, (bottom - top) as u32);
    if bounds.width <= 0.0 || bounds.height <= 0.0 || width == 0 || height == 0 {
        return None;
    }
    // One that is too large is cut, as a page is.
    let width = width.min(MAX_TEXTURE as u32).min(((MAX_TEXTURE as f64) / view.scale) as u32).max(1);
    let rows = max_pixels / pixels(width, view.scale).max(1);
    let height = height.min(((rows as f64) / view.scale) as u32).max(1);
    Some(Clip { x: left as u32, y: top as u32, width, height })
}

/// What the format has room for.
fn within_format(clip: Clip, spec: &CaptureSpec) -> Clip {
    match spec.format {
        Format::Png => clip,
        Format::Jpeg | Format::Webp => {
            let most = (MAX_LOSSY as f64 / spec.view.scale) as u32;
            Clip { height: clip.height.min(most), width: clip.width.min(most), ..clip }
        }
    }
}

/// Parts of `clip` from top to bottom, each small enough for one texture.
fn tiles_of(clip: Clip, scale: f64) -> Vec<Clip> {
    let step = ((TILE / scale) as u32 / TILE_STEP * TILE_STEP).max(TILE_STEP);
    (0..clip.height)
        .step_by(step as usize)
        .map(|top| Clip { y: clip.y + top, height: step.min(clip.height - top), ..clip })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(width: u32, height: u32, scale: f64) -> View {
        View { width, height, scale, mobile: false, touch: false }
    }

    #[test]
    fn full_pages_are_cut_at_both_bounds() {
        for (content, view, expected) in [
            (3000.0, view(100, 50, 1.0), 3000),
            (3000.2, view(100, 50, 1.0), 3001),
            (20.0, view(100, 50, 1.0), 50),
            (9000.0, view(100, 50, 1.0), 8000),
            (9000.0, view(4000, 50, 1.0), 4000),
            (9000.0, view(2000, 50, 2.0), 2000),
            (f64::MAX, view(100, 50, 1.0), 8000),
            (f64::NAN, view(100, 50, 1.0), 8000),
        ] {
            assert_eq!(full_height(content, &view, 8000, 16_000_000), expected, "{content} {view:?}");
        }
    }

    #[test]
    fn elements_are_whole_pixels_within_the_bounds() {
        for (x, y, width, height, scale, expected) in [
            (1.0, 2.0, 3.0, 4.0, 1.0, Some((1, 2, 3, 4))),
            (1.5, 2.5, 3.0, 4.0, 1.0, Some((1, 2, 4, 5))),
            (-5.0, 0.0, 10.0, 4.0, 2.0, Some((0, 0, 5, 4))),
            (-50.0, 0.0, 10.0, 4.0, 1.0, None),
            (0.0, 0.0, 0.0, 4.0, 1.0, None),
            (0.0, 0.0, 1000.0, 90_000.0, 1.0, Some((0, 0, 1000, 16_000))),
            (0.0, 0.0, 1000.0, 90_000.0, 2.0, Some((0, 0, 1000, 4_000))),
            (f64::NAN, 0.0, 4.0, 4.0, 1.0, None),
        ] {
            let found = element(Bounds { x, y, width, height }, &view(100, 50, scale), 16_000_000);
            let expected = expected.map(|(x, y, width, height)| Clip { x, y, width, height });
            assert_eq!(found, expected, "{x} {y} {width} {height}");
        }
    }

    #[test]
    fn tiles_cover_all_of_a_page_once() {
        for (height, scale, expected) in [
            (20_000, 1.0, vec![(5, 8000), (8005, 8000), (16_005, 4000)]),
            (9_000, 2.0, vec![(5, 4000), (4005, 4000), (8005, 1000)]),
            (6_000, 3.0, vec![(5, 2600), (2605, 2600), (5205, 800)]),
        ] {
            let clip = Clip { x: 1, y: 5, width: 7, height };
            let tiles = tiles_of(clip, scale);
            assert!(tiles.iter().all(|tile| (tile.x, tile.width) == (1, 7)));
            assert!(tiles.iter().all(|tile| pixels(tile.height, scale) <= MAX_TEXTURE));
            let tiles: Vec<_> = tiles.iter().map(|tile| (tile.y, tile.height)).collect();
            assert_eq!(tiles, expected, "{height} {scale}");
        }
    }

    #[test]
    fn few_bytes_make_a_lossy_picture_suspect() {
        let screen = 1280 * 720;
        for (bytes, pixels, expected) in
            [(6_000, screen, true), (40_000, screen, false), (600, 100, true), (5_000, 64_000, false)]
        {
            assert_eq!(may_be_blank(bytes, pixels), expected, "{bytes} {pixels}");
        }
    }
}
