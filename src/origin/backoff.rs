//! How long to wait before one more try: twice as long each time, up to a bound, a little off so that many do not come at once.

use std::time::Duration;

/// The part by which a wait is off at most, in either direction.
const JITTER: f64 = 0.1;

/// The wait before try number `tries` + 1, where `dice` is from 0 to 1.
pub fn wait(tries: u32, base: Duration, most: Duration, dice: f64) -> Duration {
    let doubled = base.saturating_mul(1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(most).mul_f64(1.0 + JITTER * (2.0 * dice - 1.0))
}

/// A number from 0 to 1: good enough to be a little off, for nothing else.
pub fn dice() -> f64 {
    fastrand::f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_bound_and_are_a_little_off() {
        let millis = Duration::from_millis;
        for (tries, dice, expected) in [
            (1, 0.5, 500),
            (2, 0.5, 1000),
            (3, 0.5, 2000),
            (3, 0.0, 1800),
            (3, 1.0, 2200),
            (6, 0.5, 10_000),
            (40, 0.5, 10_000),
        ] {
            let found = wait(tries, millis(500), millis(10_000), dice);
            assert_eq!(found.as_millis(), expected, "{tries} {dice}");
        }
        assert!((0..100).all(|_| (0.0..=1.0).contains(&dice())));
    }
}
