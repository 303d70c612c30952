//! The part of a page that is captured, and the screens that it is joined from. A page is scrolled
//! to each of them, so that all of it is drawn as a visitor sees it: Chrome draws frames of other
//! origins, fixed backgrounds and much else on the screen only.

use serde::Deserialize;

use super::pixels::Part;
use crate::capture::request::{Area, Clip, View, pixels};

/// Screens beside each other that a full page has at most. Wider content is a mistake or an attack, and each screen is a
/// screenshot of its own.
const MAX_ACROSS: f64 = 8.0;

/// Screens at most for one picture.
const MAX_WINDOWS: usize = 4096;
/// CSS pixels that a screen may begin higher so that it begins on a whole device pixel.
const MAX_SHIFT: u32 = 64;

/// What `script/area.js` tells, in CSS pixels from where the page begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layout {
    /// The screen, at the least zoom.
    pub(super) width: f64,
    pub(super) height: f64,
    /// The part of it that is seen, and its zoom. They differ on mobile devices.
    pub(super) seen_width: f64,
    pub(super) seen_height: f64,
    pub(super) scale: f64,
    /// How far the page scrolls.
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    /// Where it is scrolled to.
    pub(super) x: f64,
    pub(super) y: f64,
    /// The wanted element.
    #[serde(default)]
    pub(super) element: Option<Bounds>,
}

/// A box in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct Bounds {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// What is captured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Region {
    /// In CSS pixels from where the page begins.
    pub(super) bounds: Bounds,
    /// In device pixels.
    pub(super) width: u32,
    pub(super) height: u32,
    /// Device pixels for each CSS pixel.
    pub(super) scale: f64,
}

/// One screen of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// Where the page is scrolled to.
    pub(super) x: f64,
    pub(super) y: f64,
    /// What of the picture is there, in device pixels from where the page begins.
    pub(super) left: i64,
    pub(super) top: i64,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Layout {
    /// Height of the whole page.
    pub(super) fn page_height(&self) -> f64 {
        self.bottom - self.top + self.height
    }

    fn page_width(&self) -> f64 {
        self.right - self.left + self.width
    }

    /// What of this page is captured; none if the element covers nothing.
    pub(super) fn region(&self, area: &Area, view: &View, max_pixels: u64) -> Option<Region> {
        match area {
            Area::Viewport => None,
            Area::FullPage(max) => {
                // As large as it is first shown, but not larger than the device: a page that is
                // wider is zoomed out.
                let scale = view.scale * self.scale.min(1.0);
                let screen = device(self.height, scale).max(1);
                let wide = self.page_width().min(self.width * MAX_ACROSS);
                let across = device(wide, scale).clamp(1, rows(max_pixels, screen));
                let width = wide.min(f64::from(across) / scale);
                let height = self.page_height().max(1.0).min(f64::from(*max));
                // One that is too wide is cut where it ends.
                let x = if self.left < 0.0 { self.left + self.page_width() - width } else { self.left };
                let bounds = Bounds { x, y: self.top, width, height };
                let height = device(height, scale).clamp(1, rows(max_pixels, across));
                Some(Region { bounds, width: across, height, scale })
            }
            Area::Clip(Clip { x, y, width, height }) => {
                let bounds = Bounds {
                    x: f64::from(*x),
                    y: f64::from(*y),
                    width: f64::from(*width),
                    height: f64::from(*height),
                };
                Some(whole(bounds, view.scale, max_pixels))
            }
            Area::Element(_) => {
                let element = self.element?;
                let (left, top) = (element.x.max(self.left).floor(), element.y.max(self.top).floor());
                let right = (element.x + element.width).min(self.left + self.page_width()).ceil();
                let bottom = (element.y + element.height).min(self.top + self.page_height()).ceil();
                let bounds = Bounds { x: left, y: top, width: right - left, height: bottom - top };
                let covers = element.width > 0.0 && element.height > 0.0;
                (covers && bounds.width >= 1.0 && bounds.height >= 1.0)
                    .then(|| whole(bounds, view.scale, max_pixels))
            }
        }
    }

    /// Whether scrolling brings all of it to the screen.
    pub(super) fn reaches(&self, region: &Region) -> bool {
        let Bounds { x, y, width, height } = region.bounds;
        x >= self.left
            && y >= self.top
            && x + width <= self.left + self.page_width() + 0.5
            && y + height <= self.top + self.page_height() + 0.5
    }

    /// Whether a plain screenshot shows the whole screen at the scale of the region.
    pub(super) fn is_plain(&self, region: &Region, view: &View) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-6 * b.abs().max(1.0);
        near(region.scale, view.scale * self.scale)
            && self.seen_width + 1.0 > self.width
            && self.seen_height + 1.0 > self.height
    }

    /// The screens that show the region, in rows from top to bottom, each from left to right.
    pub(super) fn windows(&self, region: &Region) -> Option<Vec<Vec<Window>>> {
        let Region { bounds, width, height, scale } = *region;
        let across = Axis {
            now: self.x,
            least: self.left,
            most: self.right,
            screen: self.seen(self.width, self.seen_width),
            scale,
        };
        let down = Axis {
            now: self.y,
            least: self.top,
            most: self.bottom,
            screen: self.seen(self.height, self.seen_height),
            scale,
        };
        let columns = across.spans((bounds.x * scale).round() as i64, width)?;
        let rows = down.spans((bounds.y * scale).round() as i64, height)?;
        if columns.len().saturating_mul(rows.len()) > MAX_WINDOWS {
            return None;
        }
        let row = |row: &Span| -> Vec<Window> {
            let window = |column: &Span| Window {
                x: column.scroll,
                y: row.scroll,
                left: column.from,
                top: row.from,
                width: column.length,
                height: row.length,
            };
            columns.iter().map(window).collect()
        };
        Some(rows.iter().map(row).collect())
    }

    /// CSS pixels of a side of the screen. What is seen is exact where it is about all.
    fn seen(&self, screen: f64, seen: f64) -> f64 {
        if (screen - seen).abs() < 1.0 { seen } else { screen }
    }
}

impl Window {
    /// The part of a screenshot that was made with the page scrolled to `x` and `y`.
    pub(super) fn part(&self, x: f64, y: f64, scale: f64) -> Option<Part> {
        let from = |at: i64, scroll: f64| u32::try_from(at - (scroll * scale).round() as i64).ok();
        Some(Part { x: from(self.left, x)?, y: from(self.top, y)?, width: self.width, height: self.height })
    }
}

/// Device pixels of a length.
fn device(length: f64, scale: f64) -> u32 {
    (length * scale).round() as u32
}

/// All of a box whose sides are whole CSS pixels, cut below where it has too many pixels.
fn whole(bounds: Bounds, scale: f64, max_pixels: u64) -> Region {
    let side = |length: f64| pixels(length as u32, scale).clamp(1, u64::from(u32::MAX)) as u32;
    let width = side(bounds.width).min(rows(max_pixels, 1));
    Region { bounds, width, height: side(bounds.height).min(rows(max_pixels, width)), scale }
}

/// Rows of so many pixels that a picture may have, one at the least.
fn rows(max_pixels: u64, width: u32) -> u32 {
    (max_pixels / u64::from(width.max(1))).clamp(1, u64::from(u32::MAX)) as u32
}

/// One direction.
struct Axis {
    /// Where the page is scrolled to, and how far it scrolls, in CSS pixels.
    now: f64,
    least: f64,
    most: f64,
    /// CSS pixels of the screen.
    screen: f64,
    scale: f64,
}

/// A part of one direction that is on the screen when the page is scrolled to `scroll`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    scroll: f64,
    /// In device pixels.
    from: i64,
    length: u32,
}

impl Axis {
    /// The screens that show `length` device pixels from `from` on.
    fn spans(&self, from: i64, length: u32) -> Option<Vec<Span>> {
        let to = from + i64::from(length);
        // What is there already stays.
        if from >= self.begin(self.now) && to <= self.end(self.now) {
            return Some(vec![Span { scroll: self.now, from, length }]);
        }
        let (mut at, mut spans) = (from, Vec::new());
        while at < to {
            let scroll = self.scroll_to(at);
            let end = self.end(scroll).min(to);
            if self.begin(scroll) > at || end <= at || spans.len() >= MAX_WINDOWS {
                return None;
            }
            spans.push(Span { scroll, from: at, length: (end - at) as u32 });
            at = end;
        }
        Some(spans)
    }

    /// The first device pixel on the screen.
    fn begin(&self, scroll: f64) -> i64 {
        (scroll * self.scale).round() as i64
    }

    /// The first device pixel below the screen. Half a one is shown at the end of the page only.
    fn end(&self, scroll: f64) -> i64 {
        let screen = self.screen * self.scale;
        let is_last = scroll + 1e-6 >= self.most;
        self.begin(scroll) + if is_last { screen.round() } else { (screen + 1e-6).floor() } as i64
    }

    /// Where to scroll so that the screen begins at a device pixel, or a little before it where
    /// that is a whole CSS pixel.
    fn scroll_to(&self, at: i64) -> f64 {
        let wanted = at as f64 / self.scale;
        if wanted >= self.most {
            return self.most;
        }
        let off = |scroll: f64| (scroll * self.scale - (scroll * self.scale).round()).abs();
        let mut best = wanted.floor();
        for shift in 0..=MAX_SHIFT.min((self.screen / 4.0) as u32) {
            if off(best) < 1e-3 {
                break;
            }
            let scroll = wanted.floor() - f64::from(shift);
            if off(scroll) + 1e-6 < off(best) {
                best = scroll;
            }
        }
        best.max(self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(width: u32, height: u32, scale: f64) -> View {
        View { width, height, scale, mobile: false, touch: false }
    }

    /// A page of this size, scrolled to its beginning.
    fn layout(width: f64, height: f64, view: &View) -> Layout {
        let screen = (f64::from(view.width), f64::from(view.height));
        Layout {
            width: screen.0,
            height: screen.1,
            seen_width: screen.0,
            seen_height: screen.1,
            scale: 1.0,
            left: 0.0,
            top: 0.0,
            right: (width - screen.0).max(0.0),
            bottom: (height - screen.1).max(0.0),
            x: 0.0,
            y: 0.0,
            element: None,
        }
    }

    #[test]
    fn full_pages_are_cut_at_both_bounds() {
        for (width, height, view, expected) in [
            (100.0, 3000.0, view(100, 50, 1.0), (100, 3000)),
            (100.0, 20.0, view(100, 50, 1.0), (100, 50)),
            (100.0, 9000.0, view(100, 50, 1.0), (100, 8000)),
            (4000.0, 9000.0, view(4000, 50, 1.0), (4000, 4000)),
            (2000.0, 9000.0, view(2000, 50, 2.0), (4000, 4000)),
            (150.0, 9000.0, view(100, 50, 1.0), (150, 8000)),
            (1e9, 100.0, view(100, 50, 1.0), (800, 100)),
            (100.0, f64::MAX, view(100, 50, 1.0), (100, 8000)),
        ] {
            let page = layout(width, height, &view);
            let region = page.region(&Area::FullPage(8000), &view, 16_000_000).unwrap();
            assert_eq!((region.width, region.height), expected, "{width} {height} {view:?}");
            assert!(page.reaches(&region));
        }
    }

    #[test]
    fn a_page_from_right_to_left_is_cut_on_its_left() {
        let view = view(100, 50, 1.0);
        let page = Layout { left: -899.0, right: 0.0, ..layout(100.0, 50.0, &view) };
        let region = page.region(&Area::FullPage(8000), &view, 10_000).unwrap();
        assert_eq!((region.bounds.x, region.width, region.height), (-100.0, 200, 50));
    }

    #[test]
    fn elements_are_whole_pixels_within_the_bounds() {
        for (x, y, width, height, scale, expected) in [
            (1.0, 2.0, 3.0, 4.0, 1.0, Some((1.0, 2.0, 3, 4))),
            (1.5, 2.5, 3.0, 4.0, 1.0, Some((1.0, 2.0, 4, 5))),
            (-5.0, 0.0, 10.0, 4.0, 2.0, Some((0.0, 0.0, 10, 8))),
            (-50.0, 0.0, 10.0, 4.0, 1.0, None),
            (0.0, 0.0, 0.0, 4.0, 1.0, None),
            (0.0, 0.0, 1000.0, 90_000.0, 1.0, Some((0.0, 0.0, 1000, 16_000))),
            (0.0, 0.0, 1000.0, 90_000.0, 2.0, Some((0.0, 0.0, 2000, 8000))),
        ] {
            let view = view(100, 50, scale);
            let element = Some(Bounds { x, y, width, height });
            let page = Layout { element, ..layout(5000.0, 90_000.0, &view) };
            let region = page.region(&Area::Element("p".into()), &view, 16_000_000);
            let found = region.map(|found| (found.bounds.x, found.bounds.y, found.width, found.height));
            assert_eq!(found, expected, "{x} {y} {width} {height} {scale}");
        }
    }

    #[test]
    fn boxes_beyond_the_page_are_not_reached() {
        let view = view(100, 50, 1.0);
        let page = layout(100.0, 1000.0, &view);
        for (clip, expected) in [
            (Clip { x: 0, y: 900, width: 100, height: 100 }, true),
            (Clip { x: 1, y: 900, width: 100, height: 100 }, false),
            (Clip { x: 0, y: 901, width: 100, height: 100 }, false),
        ] {
            let region = page.region(&Area::Clip(clip), &view, 16_000_000).unwrap();
            assert_eq!(page.reaches(&region), expected, "{clip:?}");
        }
    }

    #[test]
    fn screens_cover_a_page_once_and_begin_on_whole_pixels() {
        for scale in [0.5, 1.0, 1.5, 2.0, 2.625, 3.0] {
            for screen in [57.0, 200.0, 720.0] {
                let length = 6001.0;
                let axis = Axis { now: 0.0, least: 0.0, most: length - screen, screen, scale };
                let (mut at, all) = (0, device(length, scale));
                for span in axis.spans(0, all).unwrap() {
                    let begin = axis.begin(span.scroll);
                    assert_eq!(span.from, at, "{scale} {screen}");
                    assert!(span.scroll >= 0.0 && span.scroll <= axis.most && begin <= at);
                    at += i64::from(span.length);
                    assert!(at <= axis.end(span.scroll));
                    let off = (span.scroll * scale - begin as f64).abs();
                    assert!(off < 0.01 || span.scroll == axis.most, "{scale} {screen} {}", span.scroll);
                }
                assert_eq!(at, i64::from(all), "{scale} {screen}");
            }
        }
    }

    #[test]
    fn what_is_on_the_screen_is_not_scrolled_to() {
        let axis = Axis { now: 500.0, least: 0.0, most: 1000.0, screen: 200.0, scale: 1.0 };
        assert_eq!(axis.spans(510, 100), Some(vec![Span { scroll: 500.0, from: 510, length: 100 }]));
        let left = Axis { now: 0.0, least: -600.0, most: 0.0, screen: 400.0, scale: 1.0 };
        let places: Vec<_> = left.spans(-600, 1000).unwrap().iter().map(|span| span.scroll).collect();
        assert_eq!(places, [-600.0, -200.0, 0.0]);
        assert_eq!(axis.spans(-10, 300), None, "there is nothing before a page");
    }
}
