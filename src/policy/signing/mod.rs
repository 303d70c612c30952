//! Who may ask for what: signatures of links, keys, and how much browser time they may spend. Pure.
//!
//! Our own algorithm is in [`own`], those of other services are with their dialects. All are HMAC-SHA256 with the secret of a key. What
//! is signed in our own begins with a line of its own, so that no signature of one is one of another.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::message::outcome::ErrorReason;

pub mod own;
pub mod rate;
pub mod sizes;

/// How much of the origin a request may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Render {
    /// Nothing: it gets what is fresh, or stale within stale-while-revalidate.
    Never,
    /// Nothing: it gets what is stored, however stale.
    Stale,
    /// Whatever it takes.
    #[default]
    Allow,
}

impl Render {
    /// All of them, by name.
    pub const ALL: [(&str, Render); 3] =
        [("never", Render::Never), ("stale", Render::Stale), ("allow", Render::Allow)];

    /// Its name in links and in proxy.toml.
    pub fn name(self) -> &'static str {
        match self {
            Render::Never => "never",
            Render::Stale => "stale",
            Render::Allow => "allow",
        }
    }

    /// The one of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, render)| *render)
    }
}

/// Why a request gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// It has no signature, or one that does not cover what it asks: another method, content.
    #[error("the request is not signed")]
    Unsigned,
    /// The signature is of another request, or by another secret.
    #[error("the signature does not fit the request")]
    Altered,
    /// The link, or its key, is no longer good.
    #[error("the link has expired")]
    Expired,
    /// Nobody has this key.
    #[error("the key is not known")]
    UnknownKey,
    /// The link is for other sizes.
    #[error("the link does not allow this size")]
    Size,
    /// The key is for pages of other hosts.
    #[error("the key is not for pages of this host")]
    Host,
    /// An API key is needed.
    #[error("the request has no API key, or one that is not known")]
    NoKey,
}

impl Denial {
    /// The same for problems, logs and figures.
    pub fn reason(self) -> ErrorReason {
        match self {
            Denial::Unsigned => ErrorReason::Unsigned,
            Denial::Altered => ErrorReason::Altered,
            Denial::Expired => ErrorReason::Expired,
            Denial::UnknownKey => ErrorReason::UnknownKey,
            Denial::Size => ErrorReason::SizeNotAllowed,
            Denial::Host => ErrorReason::HostNotAllowed,
            Denial::NoKey => ErrorReason::NoKey,
        }
    }
}

/// What must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// `text` as a secret.
    pub fn new(text: String) -> Self {
        Secret(text)
    }

    /// Whether `given` is the same, in constant time.
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// HMAC-SHA256 (RFC 2104) of all parts of a message in a row. `None` never happens: a key of any length is one.
pub(crate) fn hmac_sha256(key: &[u8], message: &[&[u8]]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    message.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}

/// HMAC-SHA256 with a key's secret.
pub(crate) fn mac(secret: &Secret, message: &[u8]) -> [u8; 32] {
    hmac_sha256(secret.0.as_bytes(), &[message]).unwrap_or_default()
}

/// Whether `given` is the signature of `message`, in constant time: hexadecimal, or base64url without padding.
pub(crate) fn verify(secret: &Secret, message: &[u8], given: &str) -> bool {
    let ours = mac(secret, message);
    let theirs = match given.len() {
        64 => hex::decode(given).ok(),
        _ => URL_SAFE_NO_PAD.decode(given).ok(),
    };
    theirs.is_some_and(|theirs| ours.as_slice().ct_eq(&theirs).into())
}

pub(crate) fn base64url(mac: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(mac)
}

/// The one `access_key` in `query`.
pub fn access_key(query: &str) -> Option<String> {
    let mut keys = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "access_key");
    let (_, key) = keys.next()?;
    keys.next().is_none().then(|| key.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 section 4.3.
    #[test]
    fn both_spellings_of_a_signature_are_taken_and_nothing_else() {
        let secret = Secret::new("Jefe".into());
        let message = b"what do ya want for nothing?";
        let right = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(mac(&secret, message)), right);
        let short = base64url(&mac(&secret, message));
        for good in [right.to_owned(), right.to_uppercase(), short.clone()] {
            assert!(verify(&secret, message, &good), "{good}");
        }
        for bad in [
            "",
            "5b",
            &right[..63],
            &right[..62],
            &format!("{right}0"),
            &format!("{right}00"),
            &format!("{short}="),
            &short[..42],
            // Whole octets, all of them right.
            &short[..4],
            &short[..40],
            &right.replace('5', "g"),
        ] {
            assert!(!verify(&secret, message, bad), "{bad}");
        }
        assert!(!verify(&Secret::new("jefe".into()), message, right));
        for (given, same) in [("Jefe", true), ("Jef", false), ("", false), ("Jefe ", false), ("jefe", false)]
        {
            assert_eq!(secret.is(given), same, "{given:?}");
        }
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn less_is_less() {
        assert!(Render::Never < Render::Stale && Render::Stale < Render::Allow);
        assert_eq!(
            Render::ALL.map(|(name, render)| (Render::of(name) == Some(render), render.name() == name)),
            [(true, true); 3]
        );
    }
}
