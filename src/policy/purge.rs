//! What an operator names to be purged, and how.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::stored::StoredResponse;
use crate::clock::Timestamp;

/// What is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The page of captures, in all sizes, formats and variants; or the URL of a request.
    Url(String),
    /// The key of one stored response as `Cache-Status` and the listing show it.
    Key(String),
    /// A tag that the origin gave.
    Tag(String),
    /// The host of pages.
    Host(String),
    /// Everything below a URL, on a segment border.
    Prefix(String),
    /// Everything.
    All,
}

/// How it is purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is not used again.
    #[default]
    Hard,
    /// It counts as stale from now on: validated, or served inside its stale windows.
    Soft,
    /// Soft, and fetched again in the background.
    Refresh,
}

impl Mode {
    /// The mode as a word.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Hard => "hard",
            Mode::Soft => "soft",
            Mode::Refresh => "refresh",
        }
    }

    /// The mode of this name.
    pub fn of_name(name: &str) -> Option<Mode> {
        [Mode::Hard, Mode::Soft, Mode::Refresh].into_iter().find(|mode| mode.name() == name)
    }
}

/// `head` as it is to be read after a soft purge at `since`: fresh no longer than until then, so that its stale windows
/// count from there. A response that became stale before that stays as it is.
pub fn soften(head: &StoredResponse, since: Timestamp) -> StoredResponse {
    // By the order of the two: what came after the purge was stale when it came.
    let age = head.initial_age.saturating_add(since.since(head.response_time));
    let lifetime = head.lifetime.min(age);
    StoredResponse { lifetime, immutable: false, ..head.clone() }
}

/// The moment from which on a stored response is of no use: stale beyond every window.
pub fn useful_until(head: &StoredResponse) -> Timestamp {
    let windows = [head.stale_while_revalidate, head.stale_if_error, head.stale_when_disconnected];
    let longest = windows.into_iter().max().filter(|_| !head.must_revalidate && !head.no_cache);
    head.fresh_until() + longest.unwrap_or(Duration::ZERO)
}

/// The octets of a key that is shown as text. Octets that text cannot have are shown percent-encoded, and a `%` is not, so one text can stand
/// for two keys.
pub fn keys_shown_as(text: &str) -> Vec<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octet = match after {
            [a, b, ..] if first == b'%' => {
                let mut octet = [0];
                hex::decode_to_slice([*a, *b], &mut octet).ok().map(|()| octet[0])
            }
            _ => None,
        };
        match octet.filter(|octet| !(b' '..=b'~').contains(octet)) {
            Some(octet) => {
                decoded.push(octet);
                rest = &rest[3..];
            }
            None => {
                decoded.push(first);
                rest = after;
            }
        }
    }
    let mut keys = vec![text.as_bytes().to_vec(), decoded];
    keys.dedup();
    keys
}

/// A key as text.
pub fn shown(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len());
    for &octet in key {
        match octet {
            b' '..=b'~' => text.push(char::from(octet)),
            _ => text.push_str(&format!("%{octet:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::directives::RequestDirectives;
    use super::super::reuse::{MustValidate, Reuse, StaleUse, covers_error, decide};
    use super::super::stored::tests::stored;
    use super::*;

    #[test]
    fn a_soft_purge_makes_stale_and_its_windows_count_from_it() {
        let lines = "max-age=1000, stale-while-revalidate=60, stale-if-error=600, immutable";
        let (head, start) = stored(&[("cache-control", lines)]);
        let at = |seconds| start + Duration::from_secs(seconds);
        let soft = soften(&head, at(100));
        let any = RequestDirectives::default();
        for (now, expected) in [
            (100, Reuse::Stale(StaleUse::WhileRevalidate)),
            (159, Reuse::Stale(StaleUse::WhileRevalidate)),
            (160, Reuse::Validate(MustValidate::Stale)),
        ] {
            assert_eq!(decide(&soft, &any, at(now)), expected, "{now}");
        }
        assert!(covers_error(&soft, true, at(699)) && !covers_error(&soft, true, at(700)));
        assert_eq!(useful_until(&soft), at(700));
    }

    #[test]
    fn what_was_stale_before_becomes_no_fresher() {
        let (head, start) = stored(&[("cache-control", "max-age=10, stale-while-revalidate=60")]);
        let soft = soften(&head, start + Duration::from_secs(50));
        assert_eq!(soft.lifetime, head.lifetime);
        // The clock may have been set back since.
        assert_eq!(soften(&head, start - Duration::from_secs(5)).lifetime, Duration::ZERO);
    }

    #[test]
    fn without_stale_answers_there_are_no_windows() {
        for (lines, until) in [
            ("max-age=10, stale-if-error=60", 70),
            ("max-age=10, stale-if-error=60, must-revalidate", 10),
            ("max-age=10", 10),
        ] {
            let (head, start) = stored(&[("cache-control", lines)]);
            assert_eq!(useful_until(&head), start + Duration::from_secs(until), "{lines}");
        }
    }

    #[test]
    fn keys_are_shown_and_read_back() {
        for key in [&b"r /a?b=%20c"[..], b"r /a\n?7", b"r /\xff%", b"r /a%0A"] {
            assert!(keys_shown_as(&shown(key)).iter().any(|read| read == key), "{}", key.escape_ascii());
        }
        assert_eq!(keys_shown_as("r /%41").len(), 1);
    }

    #[test]
    fn modes_have_names() {
        for mode in [Mode::Hard, Mode::Soft, Mode::Refresh] {
            assert_eq!(Mode::of_name(mode.name()), Some(mode));
        }
        assert_eq!(Mode::of_name("warm"), None);
    }
}
