//! What came of the last fetch for a key of which nothing was stored: so that it can be told why.

use crate::clock::Timestamp;
use crate::origin::OriginError;
use crate::policy::admission::NotStored;
use crate::proxy::cache::recent_keys::RecentKeys;
use crate::store::CacheKey;

/// Keys that are remembered.
const MOST: usize = 4096;
/// Characters of a cause that are kept.
const LONGEST: usize = 200;

/// Why nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    /// The name of the reason, as in log and metrics.
    pub(crate) name: &'static str,
    /// In words.
    pub(crate) words: String,
    /// When.
    pub(crate) at: Timestamp,
}

impl Reason {
    /// The response was not for storing.
    pub(crate) fn refused(reason: NotStored, at: Timestamp) -> Self {
        Reason { name: reason.name(), words: in_words(reason).to_owned(), at }
    }

    /// No usable response came.
    pub(crate) fn failed(error: &OriginError, at: Timestamp) -> Self {
        Reason { name: error.name(), words: error.to_string().chars().take(LONGEST).collect(), at }
    }

    /// A picture of a page that was not loaded came.
    pub(crate) fn incomplete(at: Timestamp) -> Self {
        Reason { name: "incomplete", words: "the page did not load in time".to_owned(), at }
    }

    /// An error status came.
    pub(crate) fn status(status: http::StatusCode, at: Timestamp) -> Self {
        Reason { name: "status", words: format!("the origin answered {status}"), at }
    }
}

/// The last reasons, bounded. Written on the miss path only.
#[derive(Default)]
pub(crate) struct Unstored(RecentKeys<Reason, MOST>);

impl Unstored {
    /// Remembers why nothing was stored for `key`.
    pub(crate) fn note(&self, key: &CacheKey, reason: Reason) {
        let at = reason.at;
        self.0.insert(key, reason, at);
    }

    /// Something was stored for `key`.
    pub(crate) fn forget(&self, key: &CacheKey) {
        self.0.remove(key);
    }

    /// Why nothing was stored for `key`, if that is remembered.
    pub(crate) fn of(&self, key: &CacheKey) -> Option<Reason> {
        self.0.get(key).map(|(reason, _)| reason)
    }
}

/// A reason not to store, for people.
fn in_words(reason: NotStored) -> &'static str {
    match reason {
        NotStored::Method => "only answers to GET are stored",
        NotStored::Status => "a response of this status is not stored",
        NotStored::Provoked => "it is an error that the request's own fields may have provoked",
        NotStored::RequestNoStore => "the request said no-store",
        NotStored::NoStore => "the response said no-store",
        NotStored::Private => "the response said private",
        NotStored::Authorization => {
            "the request had credentials, and the response does not say that it may be shared"
        }
        NotStored::VaryAll => "the response varies on everything (Vary: *)",
        NotStored::SetCookie => {
            "the response sets a cookie; the route says what becomes of such (set_cookie)"
        }
        NotStored::NoLifetime => {
            "nothing gives the response a lifetime, a validator, or a window in which it may be stale"
        }
        NotStored::TooLarge => "the response is longer than store.max_stored_bytes",
        NotStored::BufferFull => "all fetches together held as much as they may (store.max_fetch_buffer)",
        NotStored::Rule => "a rule of the route says never",
        NotStored::CacheBuster => "the page's URL has a cache-busting parameter, and no rule is for such",
        NotStored::Scripts => "the request brings scripts, and no rule is for such",
        NotStored::Caller => "the request asked not to store it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reason_is_told_until_something_is_stored() {
        let (unstored, key) = (Unstored::default(), CacheKey::new(*b"k"));
        assert_eq!(unstored.of(&key), None);
        unstored.note(&key, Reason::refused(NotStored::Private, Timestamp(1)));
        unstored.note(&key, Reason::failed(&OriginError::Connect("x".repeat(1000)), Timestamp(2)));
        let reason = unstored.of(&key).expect("a reason");
        assert_eq!((reason.name, reason.at, reason.words.len()), ("connect", Timestamp(2), LONGEST));
        unstored.forget(&key);
        assert_eq!(unstored.of(&key), None);
    }

    #[test]
    fn every_reason_not_to_store_has_words() {
        use NotStored::*;
        for reason in [
            Method,
            Status,
            RequestNoStore,
            NoStore,
            Private,
            Authorization,
            VaryAll,
            SetCookie,
            NoLifetime,
            TooLarge,
            BufferFull,
            Rule,
            CacheBuster,
            Scripts,
            Caller,
        ] {
            assert!(!in_words(reason).is_empty(), "{reason:?}");
        }
    }

    #[test]
    fn reasons_are_bounded() {
        let unstored = Unstored::default();
        for i in 0..(MOST as u64 * 2) {
            let key = CacheKey::new(i.to_be_bytes());
            unstored.note(&key, Reason::refused(NotStored::NoStore, Timestamp(i)));
        }
        assert!(unstored.0.len() <= MOST);
    }
}
