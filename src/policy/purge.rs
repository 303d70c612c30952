//! Purges: what an operator can name ([`Named`]) and how it is purged ([`Mode`]).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::stored::StoredResponse;
use crate::clock::Timestamp;

/// What a purge covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A captured page, in all sizes, formats and variants; or the URL of a request.
    Url(String),
    /// One cache key, as `Cache-Status` and the listing show it.
    Key(String),
    /// A tag that the origin gave in `Cache-Tag`, `Surrogate-Key` or `xkey`.
    Tag(String),
    /// All captured pages of a host.
    Host(String),
    /// All URLs below a URL, by whole path segments.
    Prefix(String),
    /// Every response in the store.
    All,
}

/// How stored responses are purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The stored response is not used again.
    #[default]
    Hard,
    /// The stored response becomes stale: it is validated, or served within its stale windows.
    Soft,
    /// As `Soft`, and the response is fetched again in the background.
    Refresh,
}

impl Mode {
    /// The mode as the control plane and the ledger write it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Hard => "hard",
            Mode::Soft => "soft",
            Mode::Refresh => "refresh",
        }
    }

    /// Parses a mode; `None` if the name is unknown.
    pub fn of_name(name: &str) -> Option<Mode> {
        [Mode::Hard, Mode::Soft, Mode::Refresh].into_iter().find(|mode| mode.name() == name)
    }
}

/// The head of a stored response after a soft purge at `since`. It is fresh until then at most, so
/// its stale windows count from there. A response that became stale earlier is unchanged.
pub fn soften(head: &StoredResponse, since: Timestamp) -> StoredResponse {
    // The difference saturates at zero: a response that arrived after the purge is stale from its
    // arrival.
    let age = head.initial_age.saturating_add(since.since(head.response_time));
    let lifetime = head.lifetime.min(age);
    StoredResponse { lifetime, immutable: false, ..head.clone() }
}

/// When a stored response is beyond every stale window and has no further use.
pub fn useful_until(head: &StoredResponse) -> Timestamp {
    let windows = [head.stale_while_revalidate, head.stale_if_error, head.stale_when_disconnected];
    let longest = windows.into_iter().max().filter(|_| !head.must_revalidate && !head.no_cache);
    head.fresh_until() + longest.unwrap_or(Duration::ZERO)
}

/// The cache keys that [`shown`] prints as `text`. There may be two: octets outside of printable
/// ASCII are percent-encoded, but a `%` is not.
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

/// A cache key as printable text.
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
    fn soft_purge_starts_stale_windows() {
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
    fn soft_purge_of_stale_response_changes_nothing() {
        let (head, start) = stored(&[("cache-control", "max-age=10, stale-while-revalidate=60")]);
        let soft = soften(&head, start + Duration::from_secs(50));
        assert_eq!(soft.lifetime, head.lifetime);
        // The clock may have been set back since the response was stored.
        assert_eq!(soften(&head, start - Duration::from_secs(5)).lifetime, Duration::ZERO);
    }

    #[test]
    fn useful_until_ignores_forbidden_stale_windows() {
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
    fn shown_key_is_parsed_back() {
        for key in [&b"r /a?b=%20c"[..], b"r /a\n?7", b"r /\xff%", b"r /a%0A"] {
            assert!(keys_shown_as(&shown(key)).iter().any(|read| read == key), "{}", key.escape_ascii());
        }
        assert_eq!(keys_shown_as("r /%41").len(), 1);
    }

    #[test]
    fn purge_mode_name_round_trips() {
        for mode in [Mode::Hard, Mode::Soft, Mode::Refresh] {
            assert_eq!(Mode::of_name(mode.name()), Some(mode));
        }
        assert_eq!(Mode::of_name("warm"), None);
    }
}
