//! Reads `[derive]`, the bounds of renditions.

use super::section::Section;
use crate::derive::Config;

pub(super) fn read(mut s: Section<'_>) -> Config {
    let default = Config::default();
    Config {
        max_concurrent: s.number("max_concurrent", default.max_concurrent, 1..=256),
        queue: s.number("queue", default.queue, 0..=65_535),
        max_pixels: s.number("max_pixels", default.max_pixels, 256..=268_435_456),
    }
}
