//! Adaptive lifetimes: how long a picture stays valid is estimated from how often it had changed
//! when it was fetched again. [`History`] records the looks, [`Adaptive`] turns them into a
//! lifetime.
//!
//! Changes are modelled as a Poisson process. Each look only tells whether there was a change since
//! the look before. The rate is estimated by Cho and Garcia-Molina ("Estimating Frequency of
//! Change", ACM TOIT 3(3), 2003). For `n` looks at one interval `I`, of which `X` found a change,
//! it is `-ln((n - X + 0.5) / (n + 0.5)) / I`, without the bias of the maximum likelihood estimate.
//!
//! For different intervals, the rate is where the likelihood has its maximum, with half an
//! unchanged look of the mean interval added. For equal intervals, this is the same formula. Older
//! looks have less weight, and the oldest are dropped.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Limit on the looks in a history.
const MAX_LOOKS: usize = 16;
/// The weight of a look relative to the next younger one.
const LOOK_DECAY: f64 = 0.9;
/// How far a lifetime may reach, as a multiple of the time observed since the last change.
const REACH_FACTOR: u32 = 2;

/// The shortest lifetime, unless the rule or the route sets one.
pub const DEFAULT_MIN_LIFETIME: Duration = Duration::from_secs(60);
/// The longest lifetime, unless the rule or the route sets one.
pub const DEFAULT_MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// The lifetime before the first look, unless something else sets one.
pub const DEFAULT_FIRST_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// The probability that a picture is still valid at the end of its lifetime, unless the route sets
/// one.
pub const CONFIDENCE: f64 = 0.8;

/// One comparison of a new response with the stored one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Seconds since the look before, or since the response was first stored; at least 1.
    pub after: u32,
    /// Whether the content had changed.
    pub changed: bool,
}

/// The last looks at a cache key, the youngest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History(Vec<Look>);

/// The estimate that a history gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number of looks.
    pub looks: usize,
    /// The number of looks that found a change.
    pub changes: usize,
    /// The mean time between two changes; `None` without a change.
    pub interval: Option<Duration>,
}

/// The parameters of an adaptive lifetime.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// The probability that the picture is still valid at the end of its lifetime: above 0, below
    /// 1.
    pub confidence: f64,
    /// The lifetime before the first look.
    pub first: Option<Duration>,
    /// The shortest lifetime, even for a page that always changes.
    pub least: Duration,
    /// The longest lifetime; `least` takes precedence.
    pub most: Duration,
}

impl History {
    /// The history with one more look, `after` this time. A look within one second adds nothing: an
    /// intermediate cache may have repeated the same response.
    pub fn with(&self, after: Duration, changed: bool) -> History {
        if after < Duration::from_secs(1) {
            return self.clone();
        }
        let look = Look { after: u32::try_from(after.as_secs()).unwrap_or(u32::MAX), changed };
        History(std::iter::once(look).chain(self.0.iter().copied()).take(MAX_LOOKS).collect())
    }

    /// Whether there was no look yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes in memory, including the heap.
    pub fn weight(&self) -> usize {
        size_of::<History>() + self.0.capacity() * size_of::<Look>()
    }

    /// The number of looks and changes, and the mean time between changes.
    pub fn estimate(&self) -> Estimate {
        let rate = self.rate();
        Estimate {
            looks: self.0.len(),
            changes: self.0.iter().filter(|look| look.changed).count(),
            interval: (rate > 0.0).then(|| seconds(1.0 / rate)),
        }
    }

    /// Changes per second; 0 without a change.
    fn rate(&self) -> f64 {
        // For each look: its weight, its interval, and whether it found a change.
        let mut weight = 1.0 / LOOK_DECAY;
        let looks: Vec<(f64, f64, bool)> = self
            .0
            .iter()
            .map(|look| {
                weight *= LOOK_DECAY;
                (weight, f64::from(look.after.max(1)), look.changed)
            })
            .collect();
        if looks.iter().all(|(_, _, changed)| !changed) {
            return 0.0;
        }
        let weights: f64 = looks.iter().map(|(weight, ..)| weight).sum();
        let mean = looks.iter().map(|(weight, after, _)| weight * after).sum::<f64>() / weights;
        let unchanged = looks.iter().filter(|(_, _, changed)| !changed);
        let held: f64 = unchanged.map(|(weight, after, _)| weight * after).sum::<f64>() + 0.5 * mean;
        // The derivative of the likelihood is decreasing and has one zero. Find it by bisection.
        let slope = |rate: f64| {
            let changed = looks.iter().filter(|(_, _, changed)| *changed);
            changed.map(|(weight, after, _)| weight * after / (rate * after).exp_m1()).sum::<f64>() - held
        };
        let (mut low, mut high) = (-40.0_f64, 5.0_f64);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if slope(middle.exp()) > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high).exp()
    }

    /// The longest lifetime that the looks justify: a picture that was watched for a minute is not
    /// known to be valid for a day.
    fn reach(&self) -> Duration {
        let held = self.0.iter().take_while(|look| !look.changed);
        let held: u64 = held.map(|look| u64::from(look.after)).sum();
        let last = self.0.first().map_or(0, |look| u64::from(look.after));
        Duration::from_secs(held.max(last)).saturating_mul(REACH_FACTOR)
    }
}

impl Adaptive {
    /// The lifetime of a response with this history. `said` is the lifetime that the origin gives.
    pub fn lifetime(&self, history: &History, said: Option<Duration>) -> Duration {
        let first = self.first.or(said).unwrap_or(DEFAULT_FIRST_LIFETIME);
        let most = self.most.max(self.least);
        if history.is_empty() {
            return first.clamp(self.least, most);
        }
        let reach = history.reach().max(first);
        let lifetime = match history.rate() {
            rate if rate > 0.0 => seconds(-self.confidence.ln() / rate).min(reach),
            _ => reach,
        };
        lifetime.clamp(self.least, most)
    }
}

/// Whole seconds, as in `max-age`.
fn seconds(seconds: f64) -> Duration {
    // `as` saturates, and turns NaN into 0.
    Duration::from_secs(seconds as u64)
}

#[cfg(test)]
mod tests;
