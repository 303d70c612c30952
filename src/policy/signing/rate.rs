//! Rate limits: a token bucket that fills steadily ([`Rate`], [`Bucket`]).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::clock::Timestamp;

/// A number of tokens per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens per period, and also the largest burst.
    pub count: u32,
    /// The period: a second, a minute, an hour or a day.
    pub period: Duration,
}

const PERIODS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
/// The largest count of a rate.
const MAX_COUNT: u32 = 1_000_000;

impl FromStr for Rate {
    type Err = ();

    /// Parses a rate such as `100/h`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (count, unit) = text.split_once('/').ok_or(())?;
        let count = count.trim().parse().map_err(|_| ())?;
        let (_, seconds) = PERIODS.iter().find(|(name, _)| *name == unit.trim()).ok_or(())?;
        let rate = Rate { count, period: Duration::from_secs(*seconds) };
        if (1..=MAX_COUNT).contains(&count) { Ok(rate) } else { Err(()) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = PERIODS.iter().find(|(_, seconds)| *seconds == self.period.as_secs());
        write!(f, "{}/{}", self.count, unit.map_or("?", |(name, _)| name))
    }
}

/// The state of a token bucket. Integers in units of milliseconds times tokens avoid rounding in
/// favour of the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Used and not yet refilled: milliseconds of the period, times tokens.
    used: u64,
    at: Timestamp,
}

impl Bucket {
    /// Takes one token.
    ///
    /// # Errors
    /// The time until the next token, if there is none.
    pub fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Duration> {
        let period = u64::try_from(rate.period.as_millis()).unwrap_or(u64::MAX).max(1);
        let count = u64::from(rate.count.max(1));
        // A clock that was set back refills nothing; the bucket continues from the new time.
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        self.used = self.used.saturating_sub(passed.saturating_mul(count));
        self.at = now;
        let room = period.saturating_mul(count);
        let after = self.used.saturating_add(period);
        if after > room {
            return Err(Duration::from_millis((after - room).div_ceil(count)));
        }
        self.used = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_text_round_trips() {
        for good in ["1/s", "100/h", "10000/h", "5/m", "7/d"] {
            assert_eq!(good.parse::<Rate>().expect(good).to_string(), good);
        }
        for bad in ["", "5", "0/h", "-1/h", "5/y", "/h", "1000001/h", "1.5/h"] {
            assert_eq!(bad.parse::<Rate>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn token_bucket_refills_steadily() {
        let rate: Rate = "3/m".parse().expect("a rate");
        let start = Timestamp::from_secs(1_000_000);
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            assert_eq!(bucket.take(rate, start), Ok(()));
        }
        let wait = Duration::from_secs(20);
        assert_eq!(bucket.take(rate, start), Err(wait));
        assert_eq!(bucket.take(rate, start + wait - Duration::from_millis(1)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(rate, start + wait), Ok(()));
        assert_eq!(bucket.take(rate, start + wait), Err(wait));
        // After the clock was set back, the bucket is not refilled, and does not wait for the old
        // time.
        assert_eq!(bucket.take(rate, Timestamp::from_secs(5)), Err(wait));
        assert_eq!(bucket.take(rate, Timestamp::from_secs(25)), Ok(()));
        let much = start + Duration::from_secs(1 << 40);
        let mut taken = 0;
        while bucket.take(rate, much).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, 3, "no more than a period's worth is saved up");
    }
}
