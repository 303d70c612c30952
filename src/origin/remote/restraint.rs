//! What keeps us from asking: an origin that wants to be left alone, one that fails again and again, a budget that is spent. Pure but for
//! its lock: `now` is an argument.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::message::date;
use crate::origin::stats::{BreakerState, BudgetStats, RestraintStats};

/// The part of a budget that is kept for clients.
const KEPT: u64 = 5;
/// When to come again where one request finds out whether the origin is back.
const SOON: Duration = Duration::from_secs(1);

/// So many calls in each stretch of time, which begin at whole multiples of it since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Calls.
    pub calls: u64,
    /// The stretch of time.
    pub per: Duration,
}

/// When to hold back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// The longest that an origin is left alone because it said so.
    pub max_retry_after: Duration,
    /// Failures in a row after which it is not asked for a while; 0 for never.
    pub threshold: u32,
    /// That while.
    pub reset: Duration,
    /// Calls that may be made.
    pub budget: Option<Budget>,
}

impl Default for How {
    fn default() -> Self {
        How {
            max_retry_after: Duration::from_secs(300),
            threshold: 0,
            reset: Duration::from_secs(300),
            budget: None,
        }
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Restraint {
    how: How,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    opened: Option<Timestamp>,
    probing: bool,
    /// Nobody asks before that.
    alone_until: Option<Timestamp>,
    /// Nobody asks before that for whom no client waits.
    quiet_until: Option<Timestamp>,
    window: u64,
    used: u64,
    refused: u64,
}

/// The right to ask. Dropped without a word of what came of it, it never was.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    restraint: &'a Restraint,
    probe: bool,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.restraint.state.lock().probing = false;
        }
    }
}

impl Restraint {
    pub(super) fn new(how: How) -> Self {
        Restraint { how, state: Mutex::default() }
    }

    /// Whether one may ask now; else when to come again.
    pub(super) fn admit(&self, now: Timestamp, awaited: bool) -> Result<Admitted<'_>, Duration> {
        let mut state = self.state.lock();
        let admitted = state.admit(&self.how, now, awaited);
        state.refused += u64::from(admitted.is_err());
        admitted.map(|probe| Admitted { restraint: self, probe })
    }

    /// Whether one may ask once more on the same account.
    pub(super) fn again(&self, now: Timestamp, awaited: bool) -> bool {
        self.state.lock().spend(&self.how, now, awaited).is_ok()
    }

    /// No answer came, or this one.
    pub(super) fn heard(&self, now: Timestamp, answer: Option<(StatusCode, &HeaderMap)>) {
        let mut state = self.state.lock();
        let failed = answer.is_none_or(|(status, _)| matches!(status.as_u16(), 502..=504));
        if let Some((status, fields)) = answer
            && matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            && let Some(wait) = retry_after(fields, now)
        {
            let until = Some(now + wait.min(self.how.max_retry_after));
            match status {
                // That is about us, whatever we ask for.
                StatusCode::TOO_MANY_REQUESTS => state.alone_until = until,
                _ => state.quiet_until = until,
            }
        }
        match failed {
            false => (state.failures, state.opened) = (0, None),
            true => {
                state.failures = state.failures.saturating_add(1);
                if self.how.threshold > 0 && state.failures >= self.how.threshold {
                    state.opened = Some(now);
                }
            }
        }
    }

    /// Figures.
    pub(super) fn stats(&self, now: Timestamp) -> RestraintStats {
        let state = self.state.lock();
        let breaker = match state.opened {
            None => BreakerState::Closed,
            Some(opened) if now.apart(opened) >= self.how.reset => BreakerState::HalfOpen,
            Some(_) => BreakerState::Open,
        };
        let left_alone = state.alone_until.map_or(Duration::ZERO, |until| until.since(now));
        let budget = self.how.budget.map(|budget| {
            let used = if state.window == budget.window(now) { state.used } else { 0 };
            BudgetStats {
                calls: budget.calls,
                used,
                left: budget.calls.saturating_sub(used),
                renewed_in_seconds: budget.left(now).as_secs(),
            }
        });
        RestraintStats {
            breaker,
            failures_in_a_row: state.failures,
            left_alone_seconds: left_alone.as_secs(),
            not_asked: state.refused,
            budget,
        }
    }
}

impl State {
    /// Whether it is the one that finds out.
    fn admit(&mut self, how: &How, now: Timestamp, awaited: bool) -> Result<bool, Duration> {
        let wait =
            |until: Option<Timestamp>| until.filter(|until| *until > now).map(|until| until.since(now));
        if let Some(wait) = wait(self.alone_until) {
            return Err(wait);
        }
        if let Some(wait) = wait(self.quiet_until).filter(|_| !awaited) {
            return Err(wait);
        }
        let probe = match self.opened {
            None => false,
            Some(opened) if now.apart(opened) < how.reset => return Err(how.reset - now.apart(opened)),
            Some(_) if self.probing => return Err(SOON),
            Some(_) => true,
        };
        self.spend(how, now, awaited)?;
        self.probing |= probe;
        Ok(probe)
    }

    fn spend(&mut self, how: &How, now: Timestamp, awaited: bool) -> Result<(), Duration> {
        let Some(budget) = how.budget else { return Ok(()) };
        let window = budget.window(now);
        if self.window != window {
            (self.window, self.used) = (window, 0);
        }
        let kept = if awaited { 0 } else { budget.calls.div_ceil(KEPT) };
        if self.used >= budget.calls.saturating_sub(kept) {
            return Err(budget.left(now));
        }
        self.used += 1;
        Ok(())
    }
}

impl Budget {
    fn millis(self) -> u64 {
        u64::try_from(self.per.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn window(self, now: Timestamp) -> u64 {
        now.0 / self.millis()
    }

    /// The time until it is renewed.
    fn left(self, now: Timestamp) -> Duration {
        Duration::from_millis(self.millis() - now.0 % self.millis())
    }
}

/// What `Retry-After` says (RFC 9110 section 10.2.3).
fn retry_after(fields: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = fields.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => date::parse(value.as_bytes()).map(|then| then.since(now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOW: How = How {
        max_retry_after: Duration::from_secs(60),
        threshold: 3,
        reset: Duration::from_secs(300),
        budget: None,
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn admitted(restraint: &Restraint, seconds: u64, awaited: bool) -> Result<(), u64> {
        restraint.admit(at(seconds), awaited).map(drop).map_err(|wait| wait.as_secs())
    }

    #[test]
    fn an_origin_that_says_so_is_left_alone_within_bounds() {
        let date = httpdate::fmt_http_date(at(20).to_system());
        for (status, said, at_10, background_at_10) in [
            (429, "20", Err(10), Err(10)),
            (429, date.as_str(), Err(10), Err(10)),
            (429, "9999999", Err(50), Err(50)),
            (429, "soon", Ok(()), Ok(())),
            (503, "20", Ok(()), Err(10)),
            (500, "20", Ok(()), Ok(())),
            (200, "20", Ok(()), Ok(())),
        ] {
            let restraint = Restraint::new(HOW);
            let mut fields = HeaderMap::new();
            fields.insert(header::RETRY_AFTER, said.parse().unwrap());
            restraint.heard(at(0), Some((StatusCode::from_u16(status).unwrap(), &fields)));
            assert_eq!(admitted(&restraint, 10, true), at_10, "{status} {said}");
            assert_eq!(admitted(&restraint, 10, false), background_at_10, "{status} {said}");
            assert_eq!(admitted(&restraint, 61, false), Ok(()), "{status} {said}");
        }
    }

    #[test]
    fn one_that_fails_again_and_again_is_asked_by_one_after_a_while() {
        let (restraint, none) = (Restraint::new(HOW), HeaderMap::new());
        let failed = |seconds| restraint.heard(at(seconds), None);
        let good = |seconds| restraint.heard(at(seconds), Some((StatusCode::NOT_FOUND, &none)));
        failed(0);
        failed(0);
        good(0);
        failed(1);
        restraint.heard(at(1), Some((StatusCode::BAD_GATEWAY, &none)));
        assert_eq!(admitted(&restraint, 1, true), Ok(()), "two in a row");
        failed(1);
        assert_eq!(admitted(&restraint, 101, true), Err(200));
        assert_eq!(restraint.stats(at(101)).breaker, BreakerState::Open);
        let probe = restraint.admit(at(301), true).unwrap();
        assert_eq!(admitted(&restraint, 301, true), Err(1), "one at a time");
        assert_eq!(restraint.stats(at(301)).breaker, BreakerState::HalfOpen);
        // It failed: all over again.
        failed(302);
        drop(probe);
        assert_eq!(admitted(&restraint, 303, true), Err(299));
        // One that nothing came of lets another find out.
        drop(restraint.admit(at(602), true).unwrap());
        let probe = restraint.admit(at(602), true).unwrap();
        good(603);
        drop(probe);
        assert_eq!(admitted(&restraint, 603, true), Ok(()));
        let off = Restraint::new(How { threshold: 0, ..HOW });
        (0..100).for_each(|_| off.heard(at(0), None));
        assert_eq!(admitted(&off, 0, true), Ok(()));
    }

    #[test]
    fn a_budget_is_spent_and_renewed_and_its_last_fifth_is_for_clients() {
        let budget = Some(Budget { calls: 10, per: Duration::from_secs(1000) });
        let restraint = Restraint::new(How { budget, ..HOW });
        for call in 0..8 {
            assert_eq!(admitted(&restraint, 100, false), Ok(()), "{call}");
        }
        assert_eq!(admitted(&restraint, 100, false), Err(900));
        assert_eq!(admitted(&restraint, 100, true), Ok(()));
        assert!(restraint.again(at(100), true));
        assert_eq!(admitted(&restraint, 400, true), Err(600));
        assert_eq!(restraint.stats(at(400)).budget.map(|budget| budget.left), Some(0));
        assert_eq!(restraint.stats(at(1000)).budget.map(|budget| budget.left), Some(10));
        assert_eq!(admitted(&restraint, 1000, true), Ok(()));
    }
}
