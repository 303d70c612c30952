//! The picture of a page that stands still, joined from screens, and whether it is worth keeping.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::area::{Layout, Region, Window};
use super::budget::Budget;
use super::pixels::{self, Band, Developed, Lossy, PixelError, Tile};
use super::report::{Report, Shot};
use crate::capture::limits::Limits;
use crate::capture::request::{Area, CaptureRequest, Format, pixels};
use crate::clock::Stopwatch;
use crate::origin::Flaw;
use crate::origin::chrome::page::failure::Failure;
use crate::origin::chrome::page::script::{self, Step};
use crate::origin::chrome::page::tab::Tab;
use crate::origin::chrome::protocol::commands::{CaptureScreenshot, CreateIsolatedWorld, Viewport};
use crate::origin::chrome::protocol::evaluate::Evaluate;

/// Device pixels of the height of one screenshot beyond the screen.
const MAX_TILE: u32 = 8192;
/// Such screenshots begin at multiples of so many device pixels, which are whole CSS pixels for
/// every common scale.
const TILE_STEP: u32 = 200;
/// Device pixels of a side of a WebP, and of a JPEG in most programs.
const MAX_LOSSY: u32 = 16_383;

/// Screenshots at most of one screen that is not drawn yet.
const MAX_SHOTS: u32 = 5;

/// Takes the picture.
pub(crate) async fn shoot(
    tab: &mut Tab,
    spec: &CaptureRequest,
    limits: &Limits,
    budget: &Budget,
) -> Result<Shot, Failure> {
    let (shot, page_height, cut) = match spec.area {
        Area::Viewport => (screen(tab, spec).await?, None, None),
        _ => part(tab, spec, limits, budget).await?,
    };
    if shot.bytes.len() < limits.min_picture_bytes {
        let why = format!("the picture has {} bytes only", shot.bytes.len());
        return Err(Failure::Flawed(Flaw::Small, why));
    }
    if shot.blank && !spec.rules.allow_blank {
        return Err(Failure::Flawed(Flaw::Blank, "the picture is of one colour".into()));
    }
    Ok(Shot { bytes: shot.bytes, page_height, report: Report { cut, ..Report::default() } })
}

/// What the screen shows.
async fn screen(tab: &mut Tab, spec: &CaptureRequest) -> Result<Developed, Failure> {
    match spec.format {
        Format::Png => {
            let png = screenshot(tab, CaptureScreenshot::fast()).await?;
            develop(spec, vec![vec![Tile::whole(png)]]).await
        }
        Format::Jpeg | Format::Webp => lossy_screen(tab, spec).await,
    }
}

/// The screen as the browser encodes it. A picture that may be blank is looked at once more,
/// without the loss.
async fn lossy_screen(tab: &mut Tab, spec: &CaptureRequest) -> Result<Developed, Failure> {
    let bytes = screenshot(tab, CaptureScreenshot::lossy(spec.format.name(), spec.quality)).await?;
    let area = pixels(spec.view.width, spec.view.scale) * pixels(spec.view.height, spec.view.scale);
    let mut blank = false;
    if !spec.rules.allow_blank && may_be_blank(bytes.len(), area) {
        let exact = screenshot(tab, CaptureScreenshot::fast()).await?;
        blank = blocking(move || pixels::is_one_colour(&exact)).await?;
    }
    Ok(Developed { bytes, blank })
}

/// Another part of the page than the screen shows, the height of the page where all of it is wanted, and the rows of pixels
/// that there was time for if those are not all.
async fn part(
    tab: &mut Tab,
    spec: &CaptureRequest,
    limits: &Limits,
    budget: &Budget,
) -> Result<(Developed, Option<u64>, Option<u64>), Failure> {
    let mut page = Page::of(tab).await?;
    let want = script::Part::of(&spec.area);
    let layout: Option<Layout> = page.ask(&[Step::Scroll, Step::Pin, Step::Area], &want).await?;
    let layout = layout.ok_or_else(|| Failure::Page("the layout of the document cannot be read".into()))?;
    // A PNG is joined row by row, others from all of their pixels.
    let max_pixels = match (&spec.area, spec.format) {
        (Area::FullPage(_) | Area::Element(_), Format::Png) => limits.max_page_pixels,
        _ => limits.max_pixels,
    };
    let region_of = |max_pixels| {
        let region = layout.region(&spec.area, &spec.view, max_pixels);
        let mut region = region.ok_or_else(|| {
            let selector = script::selector(&spec.area).unwrap_or_default();
            Failure::Flawed(Flaw::Selector, format!("{selector:?} takes no room on the page"))
        })?;
        if spec.format != Format::Png {
            region.width = region.width.min(MAX_LOSSY);
            region.height = region.height.min(MAX_LOSSY);
        }
        Ok::<_, Failure>(region)
    };
    let region = region_of(max_pixels)?;
    let windows = layout.reaches(&region).then(|| layout.windows(&region)).flatten();
    let mut cut = None;
    let bands = if let Some(windows) = windows {
        let (bands, height) = page.scroll_through(spec, &layout, &region, windows, budget).await?;
        cut = (height < region.height).then_some(u64::from(height));
        bands
    } else {
        // These screenshots are larger than a screen.
        let region = region_of(limits.max_pixels)?;
        page.beyond_the_screen(&layout, &region, spec.view.scale).await?
    };
    let all = matches!(spec.area, Area::FullPage(_)).then(|| layout.page_height().ceil() as u64);
    Ok((develop(spec, bands).await?, all, cut))
}

/// A page whose scripts are disabled.
struct Page<'t> {
    tab: &'t mut Tab,
    /// The world that our scripts run in.
    world: i64,
}

impl<'t> Page<'t> {
    async fn of(tab: &'t mut Tab) -> Result<Self, Failure> {
        let world = tab.call(CreateIsolatedWorld::of(&tab.frame)).await?.execution_context_id;
        Ok(Page { tab, world })
    }

    async fn ask<T: DeserializeOwned>(
        &mut self,
        steps: &[Step],
        want: &impl Serialize,
    ) -> Result<Option<T>, Failure> {
        let ask = Evaluate::new(script::expression(steps, want)).in_world(self.world).awaited();
        Ok(self.tab.call(ask).await?.read())
    }

    /// Scrolls to each screen and takes its part of the picture, for as many rows of screens as there is time for. Returns
    /// these rows, and their height in device pixels.
    async fn scroll_through(
        &mut self,
        spec: &CaptureRequest,
        layout: &Layout,
        region: &Region,
        windows: Vec<Vec<Window>>,
        budget: &Budget,
    ) -> Result<(Vec<Band>, u32), Failure> {
        let is_plain = layout.is_plain(region, &spec.view);
        let mut bands = Vec::with_capacity(windows.len());
        let (mut height, mut slowest_row) = (0_u32, Duration::ZERO);
        for row in windows {
            let pixels = u64::from(region.width) * u64::from(height);
            if !bands.is_empty() && budget.ends_before(slowest_row, pixels) {
                break;
            }
            let watch = Stopwatch::start();
            height = height.saturating_add(row.first().map_or(0, |window| window.height));
            let mut band = Band::with_capacity(row.len());
            let is_wide = row.len() > 1;
            for window in row {
                let wanted = script::Window { x: window.x, y: window.y };
                let script::Window { x, y } = self.ask(&[Step::Window], &wanted).await?.unwrap_or(wanted);
                let tile = if is_plain {
                    let png = self.whole_screen(is_wide).await?;
                    let moved = || Failure::Page("the page does not scroll to a part of the picture".into());
                    let part = window.part(x, y, region.scale).ok_or_else(moved)?;
                    Tile { png, part: Some(part) }
                } else {
                    let from = |at: i64| at as f64 / region.scale;
                    let length = |pixels: u32| f64::from(pixels) / region.scale;
                    let clip = Viewport {
                        x: from(window.left) - layout.left,
                        y: from(window.top) - layout.top,
                        width: length(window.width),
                        height: length(window.height),
                        scale: region.scale / spec.view.scale,
                    };
                    let how = CaptureScreenshot { clip: Some(clip), ..CaptureScreenshot::fast() };
                    Tile::whole(screenshot(self.tab, how).await?)
                };
                band.push(tile);
            }
            bands.push(band);
            slowest_row = slowest_row.max(watch.elapsed());
        }
        Ok((bands, height))
    }

    /// The screen. Where a page is scrolled sideways Chrome sometimes gives it before all of it is
    /// drawn: it is taken until two are alike.
    async fn whole_screen(&mut self, is_wide: bool) -> Result<Vec<u8>, Failure> {
        let mut shot = screenshot(self.tab, CaptureScreenshot::fast()).await?;
        if is_wide {
            for _ in 1..MAX_SHOTS {
                let again = screenshot(self.tab, CaptureScreenshot::fast()).await?;
                let is_drawn = again == shot;
                shot = again;
                if is_drawn {
                    break;
                }
            }
        }
        Ok(shot)
    }

    /// A box that goes beyond the page, as Chrome lays it out there. What is not on the screen may
    /// be missing.
    async fn beyond_the_screen(
        &mut self,
        layout: &Layout,
        region: &Region,
        scale: f64,
    ) -> Result<Vec<Band>, Failure> {
        let mut bands = Vec::new();
        for (top, height) in tiles(region.height) {
            // Chrome counts from where the content begins, also to the left of the screen.
            let clip = Viewport {
                x: region.bounds.x - layout.left,
                y: region.bounds.y - layout.top + f64::from(top) / region.scale,
                width: f64::from(region.width) / region.scale,
                height: f64::from(height) / region.scale,
                scale: region.scale / scale,
            };
            let how = CaptureScreenshot {
                capture_beyond_viewport: Some(true),
                clip: Some(clip),
                ..CaptureScreenshot::fast()
            };
            bands.push(vec![Tile::whole(screenshot(self.tab, how).await?)]);
        }
        Ok(bands)
    }
}

async fn develop(spec: &CaptureRequest, bands: Vec<Band>) -> Result<Developed, Failure> {
    let quality = spec.quality;
    match spec.format {
        Format::Png => blocking(move || pixels::develop(&bands)).await,
        Format::Jpeg => blocking(move || pixels::develop_lossy(&bands, Lossy::Jpeg, quality)).await,
        Format::Webp => blocking(move || pixels::develop_lossy(&bands, Lossy::Webp, quality)).await,
    }
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

async fn screenshot(tab: &mut Tab, how: CaptureScreenshot) -> Result<Vec<u8>, Failure> {
    tab.call(how).await?.bytes().ok_or(Failure::NoPicture)
}

/// Beginning and height of parts from top to bottom, each small enough for one screenshot.
fn tiles(height: u32) -> impl Iterator<Item = (u32, u32)> {
    let step = MAX_TILE / TILE_STEP * TILE_STEP;
    (0..height).step_by(step as usize).map(move |top| (top, step.min(height - top)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_all_of_a_box_once() {
        assert_eq!(tiles(20_000).collect::<Vec<_>>(), [(0, 8000), (8000, 8000), (16_000, 4000)]);
        assert_eq!(tiles(8000).collect::<Vec<_>>(), [(0, 8000)]);
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
