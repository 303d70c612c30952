//! Decline log: why the last fetch for a key stored nothing, for `explain`.

use super::recent_keys::RecentKeys;
use crate::clock::Timestamp;
use crate::origin::OriginError;
use crate::policy::admission::NotStored;
use crate::store::CacheKey;

/// Keys that are remembered at once.
const MAX_KEYS: usize = 4096;
/// Characters of an origin error that are kept.
const MAX_ERROR_CHARS: usize = 200;

/// Why nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declined {
    /// The name of the reason, as in log and metrics.
    pub(crate) name: &'static str,
    pub(crate) words: String,
    pub(crate) at: Timestamp,
}

impl Declined {
    /// The response may not be stored.
    pub(crate) fn not_stored(reason: NotStored, at: Timestamp) -> Self {
        Declined { name: reason.name(), words: in_words(reason).to_owned(), at }
    }

    /// No usable response came.
    pub(crate) fn failed(error: &OriginError, at: Timestamp) -> Self {
        Declined { name: error.name(), words: error.to_string().chars().take(MAX_ERROR_CHARS).collect(), at }
    }

    /// The picture shows a page that was not loaded.
    pub(crate) fn incomplete(at: Timestamp) -> Self {
        Declined { name: "incomplete", words: "the page did not load in time".to_owned(), at }
    }

    /// The origin answered with an error status.
    pub(crate) fn status(status: http::StatusCode, at: Timestamp) -> Self {
        Declined { name: "status", words: format!("the origin answered {status}"), at }
    }
}

/// The last reasons, bounded. Written when a fetch ends only.
#[derive(Default)]
pub(crate) struct DeclineLog(RecentKeys<Declined, MAX_KEYS>);

impl DeclineLog {
    pub(crate) fn note(&self, key: &CacheKey, declined: Declined) {
        let at = declined.at;
        self.0.insert(key, declined, at);
    }

    /// Something was stored for `key`.
    pub(crate) fn forget(&self, key: &CacheKey) {
        self.0.remove(key);
    }

    pub(crate) fn get(&self, key: &CacheKey) -> Option<Declined> {
        self.0.get(key).map(|(declined, _)| declined)
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
    fn the_last_reason_is_kept_until_something_is_stored() {
        let (log, key) = (DeclineLog::default(), CacheKey::new(*b"k"));
        assert_eq!(log.get(&key), None);
        log.note(&key, Declined::not_stored(NotStored::Private, Timestamp(1)));
        log.note(&key, Declined::failed(&OriginError::Connect("x".repeat(1000)), Timestamp(2)));
        let reason = log.get(&key).expect("a reason");
        assert_eq!((reason.name, reason.at, reason.words.len()), ("connect", Timestamp(2), MAX_ERROR_CHARS));
        log.forget(&key);
        assert_eq!(log.get(&key), None);
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
        let log = DeclineLog::default();
        for i in 0..(MAX_KEYS as u64 * 2) {
            let key = CacheKey::new(i.to_be_bytes());
            log.note(&key, Declined::not_stored(NotStored::NoStore, Timestamp(i)));
        }
        assert!(log.0.len() <= MAX_KEYS);
    }
}
