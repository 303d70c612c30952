//! Signed links of ScreenshotOne: `…&signature=HEX`. The signature is HMAC-SHA256 of the query as
//! it stands, without `signature`. `access_key` names the key.

use super::{Secret, mac, verify};

/// A signed query that is not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The value of `access_key`.
    pub key: String,
    signature: String,
    signed: String,
}

impl Link {
    /// The signed link in `query`; `None` without exactly one `signature` and one `access_key`.
    pub fn read(query: &str) -> Option<Self> {
        let is_signature = |pair: &&str| pair.starts_with("signature=");
        let mut signatures = query.split('&').filter(is_signature);
        let signature = signatures.next()?.strip_prefix("signature=")?.to_owned();
        if signatures.next().is_some() {
            return None;
        }
        let signed: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
        Some(Link { key: key(query)?, signature, signed: signed.join("&") })
    }

    /// Whether the query is signed with `secret`.
    pub fn is_by(&self, secret: &Secret) -> bool {
        self.signature.len() == 64 && verify(secret, self.signed.as_bytes(), &self.signature)
    }
}

/// The value of the only `access_key` in `query`.
pub fn key(query: &str) -> Option<String> {
    let mut keys = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "access_key");
    let (_, key) = keys.next()?;
    keys.next().is_none().then(|| key.into_owned())
}

/// `query` with `access_key` and `signature` appended.
pub fn sign(query: &str, key: &str, secret: &Secret) -> String {
    let mut query = query.to_owned();
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str("access_key=");
    query.extend(form_urlencoded::byte_serialize(key.as_bytes()));
    let signature = hex::encode(mac(secret, query.as_bytes()));
    format!("{query}&signature={signature}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the service's documentation (screenshotone.com/docs/signed-requests).
    const QUERY: &str = "access_key=0Ij4LFMtFnGUrA&url=https://apple.com";
    const SIGNATURE: &str = "70bea3e52efc43834129ecbea236f38bf9bb4a7cd7c2e1951017435defd4dbaf";

    #[test]
    fn screenshotone_documented_example_is_verified() {
        let secret = Secret::new("m9ajW9br9hTw2A".into());
        let by = |query: &str| Link::read(query).map(|link| (link.key.clone(), link.is_by(&secret)));
        let good = Some(("0Ij4LFMtFnGUrA".to_owned(), true));
        assert_eq!(by(&format!("{QUERY}&signature={SIGNATURE}")), good);
        assert_eq!(by(&format!("signature={SIGNATURE}&{QUERY}")), good);
        for altered in [
            format!("{QUERY}&width=5&signature={SIGNATURE}"),
            format!("{QUERY}&&signature={SIGNATURE}"),
            format!("{QUERY}&signature={SIGNATURE}&url=https://b.example"),
            format!("url=https://apple.com&access_key=0Ij4LFMtFnGUrA&signature={SIGNATURE}"),
            format!("{QUERY}&signature="),
        ] {
            assert_eq!(by(&altered).map(|(_, good)| good), Some(false), "{altered}");
        }
        // The same signature in base64url: the service accepts hexadecimal only.
        let spelled = super::super::base64url(&mac(&secret, QUERY.as_bytes()));
        assert_eq!(by(&format!("{QUERY}&signature={spelled}")).map(|(_, good)| good), Some(false));
        for unsigned in [
            QUERY.to_owned(),
            format!("{QUERY}&signature={SIGNATURE}&signature={SIGNATURE}"),
            format!("{QUERY}&access_key=other&signature={SIGNATURE}"),
        ] {
            assert_eq!(by(&unsigned), None);
        }
        assert_eq!(
            sign("url=https://a.example", "k&", &secret).split("&signature=").next(),
            Some("url=https://a.example&access_key=k%26")
        );
        assert!(
            Link::read(&sign("url=x", "k", &secret))
                .is_some_and(|link| link.key == "k" && link.is_by(&secret))
        );
    }
}
