//! Authenticated render links of urlbox: `/v1/KEY/TOKEN/FORMAT?QUERY`. The token is the hexadecimal
//! HMAC-SHA256 of the query as it stands. As at urlbox, neither key nor format are signed.

use super::{Secret, mac, verify};

/// An authenticated link that is not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The name of the key in the path.
    pub key: &'a str,
    token: &'a str,
}

impl<'a> Link<'a> {
    /// The link in `path`; `None` if it has no token.
    pub fn read(path: &'a str) -> Option<Self> {
        let at = path.rfind("/v1/")?;
        let mut parts = path[at + 4..].split('/').filter(|part| !part.is_empty());
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(key), Some(token), Some(_), None) if key != "render" => Some(Link { key, token }),
            _ => None,
        }
    }

    /// Whether the token signs `query` with `secret`.
    pub fn is_by(&self, query: &str, secret: &Secret) -> bool {
        self.token.len() == 64 && verify(secret, query.as_bytes(), self.token)
    }
}

/// Inserts a key and a token for `query` into the path of a link, `…/v1/-/FORMAT`. `None` for
/// another path.
pub fn sign(path: &str, query: &str, key: &str, secret: &Secret) -> Option<String> {
    let (before, format) = path.rsplit_once("/-/")?;
    Some(format!("{before}/{key}/{}/{format}", hex::encode(mac(secret, query.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The output of `echo -n "url=urlbox.io&width=300" | openssl sha256 -hmac my_secret_key`. The
    /// query is the service's example, whose documentation still shows an HMAC-SHA1.
    const TOKEN: &str = "dec3d2b9503f96a15eac3b3c7c663ab39012bbaf7f59919e40deab2fbd1bce22";

    #[test]
    fn urlbox_token_for_altered_query_is_refused() {
        let secret = Secret::new("my_secret_key".into());
        let path = format!("/v1/KEY/{TOKEN}/png");
        let link = Link::read(&path).expect("a link");
        assert_eq!(link.key, "KEY");
        assert!(link.is_by("url=urlbox.io&width=300", &secret));
        for altered in ["url=urlbox.io&width=301", "width=300&url=urlbox.io", "url=urlbox.io&width=300&", ""]
        {
            assert!(!link.is_by(altered, &secret), "{altered}");
        }
        for none in ["/v1/KEY/png", "/v1/render/sync", "/v1/render/sync/x", "/screenshot", "/v1/K/T/png/more"]
        {
            assert_eq!(Link::read(none), None, "{none}");
        }
        let short = Link::read("/v1/KEY/a6f5fb4b61eaba63a4546b87c14091c9ca3fbe73/png").expect("a link");
        assert!(!short.is_by("url=urlbox.io&width=300", &secret), "SHA1");
        let spelled = super::super::base64url(&mac(&secret, b"url=urlbox.io&width=300"));
        let path = format!("/v1/KEY/{spelled}/png");
        let other = Link::read(&path).expect("a link");
        assert!(!other.is_by("url=urlbox.io&width=300", &secret), "the service takes one spelling");
        let signed = sign("/pre/v1/-/jpg", "url=x", "KEY", &secret).expect("a link");
        assert!(
            signed.starts_with("/pre/v1/KEY/")
                && Link::read(&signed).is_some_and(|link| link.is_by("url=x", &secret))
        );
    }
}
