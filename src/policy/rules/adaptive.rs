//! Adaptive lifetimes: how long a picture holds is learnt from how often it had changed when it was looked at again.
//!
//! Changes are taken to come by chance at a steady rate (a Poisson process), of which each look tells only whether there was one since the look
//! before. The rate is estimated as Cho and Garcia-Molina have it ("Estimating Frequency of Change", ACM TOIT 3(3), 2003): for looks at one
//! interval `I`, of which `X` in `n` found a change, `-ln((n - X + 0.5) / (n + 0.5)) / I`, without the bias of the plain maximum of likelihood.
//! Looks at other intervals each count as what they are: the rate is where the likelihood has its maximum, with half an unchanged look of the
//! mean interval added, which is the same formula where all intervals are the same. Older looks count for less, and in the end for nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Looks that are remembered.
const MOST: usize = 16;
/// What a look counts for beside the next younger one.
const FADE: f64 = 0.9;
/// How much longer than what was seen to hold is believed to hold.
const AHEAD: u32 = 2;

/// The shortest lifetime where neither rule nor route has one.
pub const SHORTEST: Duration = Duration::from_secs(60);
/// The longest lifetime where neither rule nor route has one.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The lifetime of what was never looked at again, where nothing gives one.
pub const UNSEEN: Duration = Duration::from_secs(15 * 60);
/// How surely a picture still holds at the end of its lifetime, where the route does not say.
pub const CONFIDENCE: f64 = 0.8;

/// One look at what was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Seconds since the look before, or since it was first stored; one at least.
    pub after: u32,
    /// It had changed.
    pub changed: bool,
}

/// What was seen of a stored response, and of those that it came in place of: the last looks, the youngest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History(Vec<Look>);

/// What a history comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Looks.
    pub looks: usize,
    /// Those that found a change.
    pub changes: usize,
    /// The mean time between two changes; none where none was seen.
    pub interval: Option<Duration>,
}

/// How lifetimes are made of a history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// How surely it still holds at the end of its lifetime: above 0, below 1.
    pub confidence: f64,
    /// The lifetime of what was never looked at again.
    pub first: Option<Duration>,
    /// The shortest lifetime.
    pub least: Duration,
    /// The longest lifetime.
    pub most: Duration,
}

impl History {
    /// The history after one more look, `after` this time. A look at the same moment, or one that a cache on the way answered with what it
    /// had shown before, tells nothing.
    pub fn with(&self, after: Duration, changed: bool) -> History {
        if after < Duration::from_secs(1) {
            return self.clone();
        }
        let look = Look { after: u32::try_from(after.as_secs()).unwrap_or(u32::MAX), changed };
        History(std::iter::once(look).chain(self.0.iter().copied()).take(MOST).collect())
    }

    /// Whether there was no look yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that it takes in memory.
    pub fn weight(&self) -> usize {
        size_of::<History>() + self.0.capacity() * size_of::<Look>()
    }

    /// What it comes to.
    pub fn estimate(&self) -> Estimate {
        let rate = self.rate();
        Estimate {
            looks: self.0.len(),
            changes: self.0.iter().filter(|look| look.changed).count(),
            interval: (rate > 0.0).then(|| seconds(1.0 / rate)),
        }
    }

    /// Changes in a second; 0 where none was seen.
    fn rate(&self) -> f64 {
        // Of each look: what it counts for, its interval, whether it found a change.
        let mut weight = 1.0 / FADE;
        let looks: Vec<(f64, f64, bool)> = self
            .0
            .iter()
            .map(|look| {
                weight *= FADE;
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
        // The slope of the likelihood falls from above to below zero, once.
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

    /// How far ahead what was seen reaches: no picture is known to hold for a day that was watched for a minute.
    fn reach(&self) -> Duration {
        let held = self.0.iter().take_while(|look| !look.changed);
        let held: u64 = held.map(|look| u64::from(look.after)).sum();
        let last = self.0.first().map_or(0, |look| u64::from(look.after));
        Duration::from_secs(held.max(last)).saturating_mul(AHEAD)
    }
}

impl Adaptive {
    /// The lifetime of a response with this history; `said` is what its origin gives it, if it does.
    pub fn lifetime(&self, history: &History, said: Option<Duration>) -> Duration {
        let first = self.first.or(said).unwrap_or(UNSEEN);
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

/// Whole seconds, as lifetimes are told.
fn seconds(seconds: f64) -> Duration {
    // `as` saturates, and makes no number 0.
    Duration::from_secs(seconds as u64)
}

#[cfg(test)]
mod tests;
