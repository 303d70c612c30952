use super::*;

const HOUR: u32 = 3600;

/// Looks with their intervals in seconds, the oldest first; a negative interval is a change.
fn history(looks: &[i64]) -> History {
    looks.iter().fold(History::default(), |history, look| {
        history.with(Duration::from_secs(look.unsigned_abs()), *look < 0)
    })
}

fn adaptive(confidence: f64) -> Adaptive {
    let first = Some(Duration::from_secs(900));
    Adaptive { confidence, first, least: Duration::ZERO, most: Duration::MAX }
}

/// The published formula for equal intervals, with weights that fall with the age of a look.
#[test]
fn estimate_at_equal_intervals_matches_paper() {
    for pattern in
        ["x", "xx", "-x", "x-", "--x", "-x-x-x", "x---------", "xxxxxxxxxxxxxxxx", "-xxxxxxxxxxxxxxx"]
    {
        for interval in [1_i64, 60, 3600, 86_400 * 30] {
            let looks: Vec<i64> =
                pattern.chars().map(|c| if c == 'x' { -interval } else { interval }).collect();
            let weight = |at: usize| LOOK_DECAY.powi(i32::try_from(pattern.len() - 1 - at).unwrap());
            let n: f64 = (0..pattern.len()).map(weight).sum();
            let held: f64 = pattern.char_indices().filter(|(_, c)| *c == '-').map(|(at, _)| weight(at)).sum();
            let expected = -((held + 0.5) / (n + 0.5)).ln() / interval as f64;
            let found = history(&looks).rate();
            assert!((found / expected - 1.0).abs() < 1e-9, "{pattern} {interval}: {found} for {expected}");
        }
    }
}

/// One look with a change: `-ln(0.5 / 1.5)` changes in its interval.
#[test]
fn estimate_of_short_histories_matches_numbers() {
    for (looks, changes, interval) in [
        (vec![], 0, None),
        (vec![3600], 0, None),
        (vec![3600, 3600, 3600], 0, None),
        (vec![-3600], 1, Some(3276)),
        (vec![-60], 1, Some(54)),
        // Recent looks have more weight.
        (vec![-3600, 3600, 3600, 3600], 1, Some(17_590)),
        (vec![3600, 3600, 3600, -3600], 1, Some(12_292)),
        // A long look without a change outweighs a short one. A change within a minute counts for
        // more than one within a day.
        (vec![-60, 86_400], 1, Some(121_308)),
        (vec![-86_400, 60], 1, Some(55_183)),
    ] {
        let estimate = history(&looks).estimate();
        assert_eq!(estimate.looks, looks.len());
        assert_eq!(estimate.changes, changes, "{looks:?}");
        assert_eq!(estimate.interval.map(|interval| interval.as_secs()), interval, "{looks:?}");
    }
}

/// The estimate matches the rate of a simulated Poisson process that is observed at random
/// intervals.
#[test]
fn estimate_finds_simulated_rate() {
    let mut state = 0x1234_5678_9abc_def0_u64;
    let mut random = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    for mean in [600.0, 3600.0, 86_400.0] {
        let mut logs = Vec::new();
        for _ in 0..2000 {
            let mut found = History::default();
            for _ in 0..MAX_LOOKS {
                // From a fifth of the mean to twice the mean.
                let after: f64 = mean * (0.2 + 1.8 * random());
                let changed = random() < 1.0 - (-after / mean).exp();
                found = found.with(seconds(after), changed);
            }
            if let Some(interval) = found.estimate().interval {
                logs.push((interval.as_secs_f64() / mean).ln());
            }
        }
        let rates = logs.iter().map(|log: &f64| (-log).exp()).sum::<f64>() / logs.len() as f64;
        assert!((0.9..1.1).contains(&rates), "{mean}: the rate is off by {rates} on average");
        let close = logs.iter().filter(|log| log.abs() < 2.0_f64.ln()).count();
        assert!(close * 10 > logs.len() * 9, "{mean}: {close} of {} within a factor of two", logs.len());
    }
}

/// At the end of the lifetime, the probability of no change equals the confidence.
#[test]
fn adaptive_lifetime_follows_history() {
    for (confidence, looks, expected) in [
        // Without a look.
        (0.8, vec![], 900),
        // Without a change: twice the time watched, and at least the first lifetime.
        (0.8, vec![1], 900),
        (0.8, vec![900], 1800),
        (0.8, vec![900, 1800], 5400),
        (0.8, vec![900, 1800, 5400], 16_200),
        // A change: -ln(confidence) / rate.
        (0.8, vec![-3600], 731),
        (0.5, vec![-3600], 2271),
        (0.99, vec![-3600], 32),
        (0.8, vec![-3600, -731], 268),
        // A change long ago.
        (0.8, vec![-60, 3600, 3600, 3600], 3429),
    ] {
        let found = adaptive(confidence).lifetime(&history(&looks), None);
        assert_eq!(found.as_secs(), expected, "{confidence} {looks:?}");
    }
}

#[test]
fn adaptive_lifetime_stays_within_bounds() {
    let bounded =
        Adaptive { least: Duration::from_secs(60), most: Duration::from_secs(7200), ..adaptive(0.8) };
    for (looks, expected) in [(vec![-1; 16], 60), (vec![86_400; 16], 7200), (vec![], 900)] {
        assert_eq!(bounded.lifetime(&history(&looks), None).as_secs(), expected, "{looks:?}");
    }
    // Contradictory bounds do not panic.
    let torn = Adaptive { least: Duration::from_secs(600), most: Duration::from_secs(60), ..bounded };
    assert_eq!(torn.lifetime(&History::default(), None).as_secs(), 600);
    let unsaid = Adaptive { first: None, ..bounded };
    assert_eq!(unsaid.lifetime(&History::default(), None), DEFAULT_FIRST_LIFETIME);
    assert_eq!(unsaid.lifetime(&History::default(), Some(Duration::from_secs(77))).as_secs(), 77);
}

/// Hostile origins and clock errors: extreme intervals, and changes in each look.
#[test]
fn extreme_history_gives_finite_rate() {
    let long = i64::from(u32::MAX);
    for looks in [vec![-long; 40], vec![long; 40], vec![-1, long], vec![1, -long], vec![i64::MAX, -i64::MAX]]
    {
        let found = history(&looks);
        assert!(found.0.len() <= MAX_LOOKS);
        let rate = found.rate();
        assert!(rate.is_finite() && rate >= 0.0, "{looks:?}: {rate}");
        let _ = adaptive(0.8).lifetime(&found, None);
    }
}

#[test]
fn old_and_empty_looks_are_dropped() {
    let none = History::default().with(Duration::from_millis(999), true);
    assert!(none.is_empty());
    let quiet = history(&[i64::from(HOUR); MAX_LOOKS]);
    let once = history(&[-3600]);
    let faded = (0..MAX_LOOKS).fold(once, |seen, _| seen.with(Duration::from_secs(HOUR.into()), false));
    assert_eq!(faded, quiet, "what is older than the last looks is forgotten");
}

/// A page that never changes reaches the longest lifetime in a few steps, and one that always
/// changes the shortest.
#[test]
fn adaptive_lifetime_converges_to_bounds() {
    let adaptive = Adaptive {
        confidence: CONFIDENCE,
        first: None,
        least: DEFAULT_MIN_LIFETIME,
        most: DEFAULT_MAX_LIFETIME,
    };
    for (changed, expected) in [(false, DEFAULT_MAX_LIFETIME), (true, DEFAULT_MIN_LIFETIME)] {
        let mut seen = History::default();
        let mut steps = Vec::new();
        for _ in 0..8 {
            let lifetime = adaptive.lifetime(&seen, None);
            steps.push(lifetime);
            seen = seen.with(lifetime, changed);
        }
        assert_eq!(steps.last(), Some(&expected), "{steps:?}");
        let ordered = |pair: &[Duration]| if changed { pair[0] >= pair[1] } else { pair[0] <= pair[1] };
        assert!(steps.windows(2).all(ordered), "{steps:?}");
    }
}
