//! The time that is left for the screenshots of a long page.

use std::time::Duration;

use crate::clock::Stopwatch;

/// Kept back for the way of the picture to the client.
const RESERVE: Duration = Duration::from_secs(1);
/// Time to join one pixel, generously: a loaded machine takes about half of it.
const JOIN_PIXEL: Duration = Duration::from_nanos(60);

/// When a picture that is made of many screenshots has to be joined, so that it is finished before the deadline of the capture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    watch: Stopwatch,
    /// None where a picture that is not whole is not wanted: the deadline ends the capture.
    left: Option<Duration>,
}

impl Budget {
    /// Begins now.
    pub(crate) fn start(left: Option<Duration>) -> Self {
        Budget { watch: Stopwatch::start(), left }
    }

    /// Whether the picture, with `pixels` so far, is to be joined now, because another row of screenshots takes as long as
    /// `row` and might be too late.
    pub(super) fn ends_before(&self, row: Duration, pixels: u64) -> bool {
        self.left.is_some_and(|left| is_too_late(self.watch.elapsed(), left, row, pixels))
    }
}

fn is_too_late(elapsed: Duration, left: Duration, row: Duration, pixels: u64) -> bool {
    let joining = JOIN_PIXEL.saturating_mul(u32::try_from(pixels).unwrap_or(u32::MAX));
    elapsed.saturating_add(row).saturating_add(joining).saturating_add(RESERVE) > left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_too_late_counts_the_next_row_and_the_joining() {
        let ms = Duration::from_millis;
        for (elapsed, row, pixels, expected) in [
            (ms(0), ms(100), 921_600, false),
            (ms(28_000), ms(100), 921_600, false),
            (ms(28_900), ms(100), 921_600, true),
            (ms(28_000), ms(2000), 921_600, true),
            // 100 million pixels take 6 s.
            (ms(22_800), ms(100), 100_000_000, false),
            (ms(23_000), ms(100), 100_000_000, true),
            (ms(0), ms(100), u64::MAX, true),
            (Duration::MAX, Duration::MAX, u64::MAX, true),
        ] {
            let found = is_too_late(elapsed, ms(30_000), row, pixels);
            assert_eq!(found, expected, "{elapsed:?} {row:?} {pixels}");
        }
    }
}
