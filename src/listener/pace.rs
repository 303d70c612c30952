//! [`Pace`]: whether a peer is too slow. It counts the bytes of the last ticks in which the peer
//! had to act.

use std::time::Duration;

/// Ticks within one idle timeout. More ticks would find slow peers sooner and wake idle connections
/// more often.
pub(super) const TICKS: u32 = 4;

/// Bytes moved in the last ticks in which the peer had to act.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Bytes that are enough for all ticks together; at least one.
    need: u64,
    moved: [u64; TICKS as usize],
    /// Ticks in a row in which the peer had to act.
    waited: u32,
}

impl Pace {
    /// Requires `rate` bytes a second, on average over `window`. With a rate of 0, any byte is
    /// enough.
    pub(super) fn new(rate: u64, window: Duration) -> Self {
        let need = u128::from(rate) * window.as_millis() / 1000;
        Pace { need: u64::try_from(need).unwrap_or(u64::MAX).max(1), ..Pace::default() }
    }

    /// Ends a tick in which `moved` bytes moved. `theirs` says whether the peer had to act. Returns
    /// true if the peer had to act for the whole window and moved too little.
    pub(super) fn tick(&mut self, theirs: bool, moved: u64) -> bool {
        self.moved.rotate_left(1);
        if let Some(last) = self.moved.last_mut() {
            *last = moved;
        }
        self.waited = if theirs { self.waited.saturating_add(1) } else { 0 };
        self.waited >= TICKS && self.moved.iter().fold(0, |sum: u64, n| sum.saturating_add(*n)) < self.need
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_window_of_waiting_with_too_few_bytes_is_too_slow() {
        // 10 bytes a second over 4 seconds are 40 bytes.
        for (ticks, expected) in [
            (&[(true, 9), (true, 9), (true, 9), (true, 9)][..], true),
            (&[(true, 0), (true, 40), (true, 0), (true, 0)], false),
            (&[(true, 0), (true, 40), (true, 0), (true, 0), (true, 0)], false),
            (&[(true, 40), (true, 0), (true, 0), (true, 0), (true, 0)], true),
            (&[(true, 0), (true, 0), (true, 0)], false),
            (&[(true, 0), (true, 0), (true, 0), (false, 0)], false),
            (&[(true, 0), (false, 0), (true, 0), (true, 0), (true, 0)], false),
            (&[(false, 0), (true, 0), (true, 0), (true, 0), (true, 0)], true),
        ] {
            let mut pace = Pace::new(10, Duration::from_secs(4));
            let mut slow = false;
            for (theirs, moved) in ticks {
                slow = pace.tick(*theirs, *moved);
            }
            assert_eq!(slow, expected, "{ticks:?}");
        }
    }

    #[test]
    fn without_a_rate_any_byte_will_do() {
        let mut pace = Pace::new(0, Duration::from_secs(4));
        assert!(![1, 0, 0, 0].iter().any(|moved| pace.tick(true, *moved)));
        assert!(pace.tick(true, 0));
    }
}
