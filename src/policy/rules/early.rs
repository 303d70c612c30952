//! Early refresh: a stored response is fetched again shortly before it becomes stale. The
//! probability grows as that time comes nearer and as fetches take longer, so clients do not wait
//! for the fetch (XFetch: Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache
//! Stampede Prevention", 2015).

use std::time::Duration;

/// The upper bound of `-ln(random)`: the smallest result of [`uniform`] is 2^-53, and -ln(2^-53) is
/// 36.7.
const MAX_NEGATIVE_LN: f64 = 37.0;

/// Whether any random number could start a refresh. `remaining` is the time until the response is
/// stale, `cost` the duration of a fetch. This check is cheap, as it runs for each hit.
pub fn is_near(remaining: Duration, cost: Duration, beta: f64) -> bool {
    remaining.as_secs_f64() <= MAX_NEGATIVE_LN * beta * cost.as_secs_f64()
}

/// How long before the end of the lifetime [`is_near`] becomes true, rounded up. No refresh starts
/// earlier.
pub fn reach(cost: Duration, beta: f64) -> Duration {
    let seconds = MAX_NEGATIVE_LN * beta * cost.as_secs_f64();
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).saturating_add(Duration::from_millis(1))
}

/// Whether to refresh now: `now - cost * beta * ln(random) >= expiry`, for a uniform `random` above
/// 0 and at most 1.
pub fn is_due(remaining: Duration, cost: Duration, beta: f64, random: f64) -> bool {
    beta > 0.0 && remaining.as_secs_f64() <= -random.ln() * beta * cost.as_secs_f64()
}

/// The upper 53 bits of `bits` as a number above 0 and at most 1.
pub fn uniform(bits: u64) -> f64 {
    ((bits >> 11) + 1) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn early_refresh_is_due_by_random_number() {
        let e = std::f64::consts::E;
        for (remaining, cost, beta, random, expected) in [
            (3.0, 3.0, 1.0, 1.0 / e - 1e-9, true),
            (3.0, 3.0, 1.0, 1.0 / e + 1e-9, false),
            (6.0, 3.0, 2.0, 1.0 / e - 1e-9, true),
            (0.0, 3.0, 1.0, 1.0, true),
            (0.001, 3.0, 1.0, 1.0, false),
            (0.0, 3.0, 0.0, 0.5, false),
            (1.0, 0.0, 1.0, 1e-9, false),
        ] {
            let due = is_due(secs(remaining), secs(cost), beta, random);
            assert_eq!(due, expected, "{remaining} {cost} {beta} {random}");
        }
    }

    /// The share of requests that refresh is `exp(-remaining / (cost * beta))`, and [`is_near`]
    /// excludes none of them.
    #[test]
    fn early_refresh_share_is_exponential() {
        let mut state = 0x1234_5678_9abc_def0_u64;
        let mut random = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            uniform(z ^ (z >> 31))
        };
        const ROUNDS: u32 = 200_000;
        for (remaining, cost, beta) in
            [(1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (3.0, 1.0, 1.0), (3.0, 1.0, 3.0), (5.0, 2.0, 0.5)]
        {
            let (remaining_time, cost_time) = (secs(remaining), secs(cost));
            let due = (0..ROUNDS).filter(|_| is_due(remaining_time, cost_time, beta, random())).count();
            let (found, expected) = (due as f64 / f64::from(ROUNDS), (-remaining / (cost * beta)).exp());
            // Five standard deviations.
            let slack = 5.0 * (expected * (1.0 - expected) / f64::from(ROUNDS)).sqrt();
            assert!((found - expected).abs() < slack, "{remaining} {cost} {beta}: {found} for {expected}");
            assert!(is_near(remaining_time, cost_time, beta));
        }
        assert!(!is_near(secs(38.0), secs(1.0), 1.0));
        assert!(!is_due(secs(38.0), secs(1.0), 1.0, uniform(0)), "the smallest random number");
        assert!(uniform(0) > 0.0 && uniform(u64::MAX) <= 1.0);
    }
}
