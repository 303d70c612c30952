//! Authorisation of requests: signed links, API keys, and rates. Pure functions.
//!
//! The algorithm of tintype is in [`own`]; those of other services are with their dialects. All of
//! them are HMAC-SHA256 with the secret of a key. The signed text of [`own`] begins with a fixed
//! line, so its signatures are never valid for the other algorithms.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::message::outcome::ErrorReason;

pub mod own;
pub mod rate;
pub mod sizes;

/// How far a request may use the origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Render {
    /// Not at all: it gets a fresh response, or a stale one within stale-while-revalidate.
    Never,
    /// Not at all: it gets a stored response, however stale.
    Stale,
    /// Without limits: the origin is asked if needed.
    #[default]
    Allow,
}

impl Render {
    /// All values with their names, in ascending order.
    pub const ALL: [(&str, Render); 3] =
        [("never", Render::Never), ("stale", Render::Stale), ("allow", Render::Allow)];

    /// The name in links and in proxy.toml.
    pub fn name(self) -> &'static str {
        match self {
            Render::Never => "never",
            Render::Stale => "stale",
            Render::Allow => "allow",
        }
    }

    /// Parses a name; `None` if it is unknown.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, render)| *render)
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// It has no signature, or a signature cannot cover it: another method, or content.
    #[error("the request is not signed")]
    Unsigned,
    /// The signature is for another request, or by another secret.
    #[error("the signature does not fit the request")]
    Altered,
    /// The link or its key has expired.
    #[error("the link has expired")]
    Expired,
    /// No key has this name.
    #[error("the key is not known")]
    UnknownKey,
    /// The link does not allow the requested size.
    #[error("the link does not allow this size")]
    Size,
    /// The key does not allow pages of this host.
    #[error("the key is not for pages of this host")]
    Host,
    /// An API key is required.
    #[error("the request has no API key, or one that is not known")]
    NoKey,
}

impl Denial {
    /// The reason for problem details, logs and metrics.
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

/// A secret. It is compared in constant time and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret in clear text.
    pub fn new(text: String) -> Self {
        Secret(text)
    }

    /// Whether `given` equals the secret, in constant time.
    pub fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// HMAC-SHA256 (RFC 2104) of the concatenated parts of a message. It is always `Some`, as keys of
/// any length are valid.
pub(crate) fn hmac_sha256(key: &[u8], message: &[&[u8]]) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    message.iter().for_each(|part| mac.update(part));
    Some(mac.finalize().into_bytes().into())
}

/// HMAC-SHA256 with the secret of a key.
pub(crate) fn mac(secret: &Secret, message: &[u8]) -> [u8; 32] {
    hmac_sha256(secret.0.as_bytes(), &[message]).unwrap_or_default()
}

/// Whether `given` is the signature of `message`, in constant time. It is hexadecimal, or base64url
/// without padding.
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

    /// RFC 4231 section 4.3 (test case 2).
    #[test]
    fn signature_other_than_hex_or_base64url_is_refused() {
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
            // A correct prefix in whole octets.
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
    fn render_values_are_ordered_and_parsed() {
        assert!(Render::Never < Render::Stale && Render::Stale < Render::Allow);
        assert_eq!(
            Render::ALL.map(|(name, render)| (Render::of(name) == Some(render), render.name() == name)),
            [(true, true); 3]
        );
    }
}
