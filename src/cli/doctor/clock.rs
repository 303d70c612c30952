//! Checks whether the clock can be right, because all freshness depends on it.

use std::time::Duration;

use tintype::clock::{Clock, SystemClock, Timestamp};
use tintype::message::date;

use super::finding::Finding;

/// tintype did not exist before 2025-11-01.
const LEAST: Timestamp = Timestamp::from_secs(1_761_955_200);
/// Time zones and archives make the time of a program file inexact.
const SLACK: Duration = Duration::from_secs(24 * 3600);
/// Seconds of difference to the clock of an origin that do no harm.
const TOLERANCE: u64 = 30;
const REMEDY: &str = "set the clock, and keep it so with NTP (chrony, systemd-timesyncd)";

/// Checks that the time is later than that of the program file.
pub(super) fn check() -> Finding {
    let program = std::env::current_exe().and_then(std::fs::metadata).and_then(|program| program.modified());
    judge(SystemClock.now(), program.map_or(LEAST, Timestamp::from_system).max(LEAST))
}

fn judge(now: Timestamp, made: Timestamp) -> Finding {
    let date = |moment: Timestamp| httpdate::fmt_http_date(moment.to_system());
    if now + SLACK < made {
        let says = format!("it is {}, which is before this program was made ({})", date(now), date(made));
        return Finding::failure("clock", says, REMEDY);
    }
    Finding::good("clock", date(now))
}

/// Compares the clock with the `Date` of an origin's response, and its `Age`.
pub(super) fn compare(origin: &str, now: Timestamp, said: &str, age: u64) -> Option<Finding> {
    let theirs = date::parse(said.as_bytes())?.as_secs().saturating_add(age);
    let ours = now.as_secs();
    let apart = ours.abs_diff(theirs);
    if apart <= TOLERANCE {
        return Some(Finding::good("clock", format!("within {TOLERANCE} s of the clock of {origin}")));
    }
    let which = if ours > theirs { "ahead of" } else { "behind" };
    let says =
        format!("{apart} s {which} the clock of {origin}: pictures look older or younger than they are");
    Some(Finding::warning("clock", says, format!("{REMEDY}, here or there")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Mark;

    #[test]
    fn a_clock_from_before_the_program_is_wrong() {
        let made = Timestamp::from_secs(LEAST.as_secs() + 1_000_000);
        for (now, expected) in [
            (Timestamp::from_secs(0), Mark::Failure),
            (made - SLACK - Duration::from_secs(1), Mark::Failure),
            (made - SLACK, Mark::Good),
            (made + SLACK, Mark::Good),
        ] {
            assert_eq!(judge(now, made).mark, expected, "{now:?}");
        }
    }

    #[test]
    fn clocks_are_compared_with_the_age_of_the_answer() {
        let now = Timestamp::from_secs(784_111_777);
        for (date, age, expected) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0, Some(Mark::Good)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", 0, Some(Mark::Good)),
            ("Sun, 06 Nov 1994 08:49:06 GMT", 0, Some(Mark::Warning)),
            ("Sun, 06 Nov 1994 08:39:37 GMT", 600, Some(Mark::Good)),
            ("Sun, 06 Nov 1994 08:59:37 GMT", 0, Some(Mark::Warning)),
            ("yesterday", 0, None),
        ] {
            assert_eq!(compare("api", now, date, age).map(|f| f.mark), expected, "{date} {age}");
        }
    }
}
