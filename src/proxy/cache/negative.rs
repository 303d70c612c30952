//! What is remembered of keys without a stored response to remember it: that their answers are not for sharing, and that their
//! origin failed a short while ago.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::proxy::cache::recent_keys::RecentKeys;
use crate::store::CacheKey;

/// Marks that are kept at once.
const MOST: usize = 20_000;
/// How long requests for an uncacheable answer do not wait for each other.
const PASS_FOR: Duration = Duration::from_secs(120);
/// How long a failed origin is not asked again where a stale response can answer.
const QUIET_FOR: Duration = Duration::from_secs(5);
/// How long a failure is remembered, so that the next attempt is made behind the client's back.
const REMEMBER_FAILURE: Duration = Duration::from_secs(600);

/// What a key is remembered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Its last answer could not be shared: requests go on their own, side by side.
    Pass,
    /// Its origin failed.
    Failed {
        /// By an answer, or by none.
        answered: bool,
        /// So short a while ago that a stale response answers without asking; later one does so too, and the origin is asked in the
        /// background.
        just_now: bool,
    },
}

/// What was noted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Noted {
    Pass,
    Failed { answered: bool },
}

/// The marks, bounded. Two keys whose hashes are equal share a mark, which costs a fetch side by side, or
/// one that is not made for a few seconds.
#[derive(Default)]
pub(crate) struct Marks(RecentKeys<Noted, MOST>);

impl Marks {
    /// What `key` is remembered for at `now`.
    pub(crate) fn of(&self, key: &CacheKey, now: Timestamp) -> Option<Mark> {
        let (noted, since) = self.0.get(key)?;
        // A clock that is stepped back makes no mark last.
        let ago = now.apart(since);
        match noted {
            Noted::Pass => (ago < PASS_FOR).then_some(Mark::Pass),
            Noted::Failed { answered } => {
                (ago < REMEMBER_FAILURE).then_some(Mark::Failed { answered, just_now: ago < QUIET_FOR })
            }
        }
    }

    /// The answer for `key` could not be shared.
    pub(crate) fn set_pass(&self, key: &CacheKey, now: Timestamp) {
        self.0.insert(key, Noted::Pass, now);
    }

    /// The origin failed for `key`: by an answer, or by none.
    pub(crate) fn set_failed(&self, key: &CacheKey, answered: bool, now: Timestamp) {
        self.0.insert(key, Noted::Failed { answered }, now);
    }

    /// All is well with `key` again.
    pub(crate) fn clear(&self, key: &CacheKey) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_fade() {
        let (marks, key, start) = (Marks::default(), CacheKey::new(*b"k"), Timestamp::from_secs(1_000_000));
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(marks.of(&key, start), None);
        marks.set_pass(&key, start);
        assert_eq!(marks.of(&key, at(119)), Some(Mark::Pass));
        assert_eq!(marks.of(&key, at(120)), None);
        marks.set_failed(&key, true, start);
        assert_eq!(marks.of(&key, at(4)), Some(Mark::Failed { answered: true, just_now: true }));
        assert_eq!(marks.of(&key, at(5)), Some(Mark::Failed { answered: true, just_now: false }));
        assert_eq!(marks.of(&key, at(600)), None);
        assert_eq!(marks.of(&key, start - Duration::from_secs(3600)), None);
        marks.clear(&key);
        assert_eq!(marks.of(&key, start), None);
    }

    #[test]
    fn marks_are_bounded() {
        let marks = Marks::default();
        for i in 0..(MOST as u64 * 2) {
            marks.set_pass(&CacheKey::new(i.to_be_bytes()), Timestamp(i));
        }
        assert!(marks.0.len() <= MOST);
    }
}
