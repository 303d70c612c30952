//! Signed links of tintype ([`Link`]), see docs/SIGNING.md. The signed text is
//!
//! ```text
//! tintype-embed-1
//! PATH
//! QUERY
//! ```
//!
//! - PATH is the path as it stands in the URL.
//! - QUERY has the parameters sorted by name; those of one name keep their order. Names and values
//!   are percent-encoded except for letters, digits and `-._~`.
//! - `signature` is left out, and so are `width` and `height` if there is a `sizes`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use super::sizes::Sizes;
use super::{Denial, Render, Secret, base64url, mac, verify};

const FIRST_LINE: &str = "tintype-embed-1";
const PERCENT_ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Limit on the parameters of a link's query.
const MAX_PARAMETERS: usize = 256;
/// The parameters that describe the link itself and not the requested response.
const LINK_PARAMETERS: [&str; 5] = ["key", "expires", "render", "sizes", "signature"];

/// A signed link as received. None of its content is trusted before [`verify`](Self::verify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The name of the key that signed it.
    pub key: String,
    signature: String,
    pairs: Vec<(String, String)>,
}

/// What a verified link allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Unix seconds at which the link expires.
    pub expires: Option<u64>,
    /// How far the link may use the origin.
    pub render: Render,
    /// The query without the link's own parameters, in the canonical form that was signed. A client
    /// cannot vary it.
    pub query: String,
}

/// What a new link is to allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    /// The name of the key.
    pub key: &'a str,
    /// Unix seconds at which the link expires.
    pub expires: Option<u64>,
    /// How far the link may use the origin.
    pub render: Render,
    /// The sizes that a client may append to the link as `width` and `height`.
    pub sizes: Option<&'a Sizes>,
}

impl Link {
    /// The link in `query`; `None` if it has no `key` or no `signature`.
    ///
    /// # Errors
    /// A parameter of the link itself is repeated, or is not UTF-8.
    pub fn read(query: &str) -> Result<Option<Self>, Denial> {
        let names = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        if !names("signature") || !names("key") {
            return Ok(None);
        }
        let mut pairs = read(query).ok_or(Denial::Altered)?;
        if LINK_PARAMETERS.iter().any(|about| pairs.iter().filter(|(name, _)| name == about).count() > 1) {
            return Err(Denial::Altered);
        }
        let signature = pairs.extract_if(.., |(name, _)| name == "signature").next();
        let key = pairs.iter().find(|(name, _)| name == "key");
        match (key.map(|(_, key)| key.clone()), signature) {
            (Some(key), Some((_, signature))) => Ok(Some(Link { key, signature, pairs })),
            _ => Err(Denial::Altered),
        }
    }

    /// Verifies that the link is signed for `path` with `secret` and has not expired at `now`, in
    /// Unix seconds. Returns what it allows.
    ///
    /// # Errors
    /// Why the link is refused.
    pub fn verify(&self, path: &str, secret: &Secret, now: u64) -> Result<Granted, Denial> {
        let value = |wanted: &str| {
            self.pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
        };
        if !verify(secret, message(path, &self.pairs).as_bytes(), &self.signature) {
            return Err(Denial::Altered);
        }
        // The holder of the secret wrote the rest. Values that cannot be parsed still allow
        // nothing.
        let expires = value("expires").map(|at| at.parse().map_err(|_| Denial::Expired)).transpose()?;
        if expires.is_some_and(|expires| now >= expires) {
            return Err(Denial::Expired);
        }
        let render = match value("render") {
            Some(name) => Render::of(name).ok_or(Denial::Altered)?,
            None => Render::Stale,
        };
        if let Some(sizes) = value("sizes") {
            let sizes: Sizes = sizes.parse().map_err(|()| Denial::Size)?;
            let of = |side: &str| {
                let mut given =
                    self.pairs.iter().filter(|(name, _)| name == side).map(|(_, value)| value.as_str());
                (given.next(), given.next().is_none())
            };
            let ((width, one_width), (height, one_height)) = (of("width"), of("height"));
            if !one_width || !one_height || !sizes.allow(width, height) {
                return Err(Denial::Size);
            }
        }
        let rest = self.pairs.iter().filter(|(name, _)| !LINK_PARAMETERS.contains(&name.as_str()));
        Ok(Granted { expires, render, query: encode(rest) })
    }
}

/// Signs a link to `path` with the parameters of `query`; returns its query. `None` if `query` has
/// too many parameters or is not UTF-8.
pub fn sign(path: &str, query: &str, grant: &Grant<'_>, secret: &Secret) -> Option<String> {
    let mut pairs = read(query)?;
    pairs.retain(|(name, _)| !LINK_PARAMETERS.contains(&name.as_str()));
    let mut say = |name: &str, value: String| pairs.push((name.to_owned(), value));
    say("key", grant.key.to_owned());
    say("render", grant.render.name().to_owned());
    if let Some(expires) = grant.expires {
        say("expires", expires.to_string());
    }
    if let Some(sizes) = grant.sizes {
        say("sizes", sizes.to_string());
    }
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let signature = base64url(&mac(secret, message(path, &pairs).as_bytes()));
    Some(format!("{}&signature={signature}", encode(pairs.iter())))
}

/// `query` without the parameters that describe a link; `None` as in [`sign`].
pub fn without(query: &str) -> Option<String> {
    let mut pairs = read(query)?;
    pairs.retain(|(name, _)| !LINK_PARAMETERS.contains(&name.as_str()));
    Some(encode(pairs.iter()))
}

fn message(path: &str, pairs: &[(String, String)]) -> String {
    let sized = pairs.iter().any(|(name, _)| name == "sizes");
    let signed = pairs.iter().filter(|(name, _)| !(sized && (name == "width" || name == "height")));
    format!("{FIRST_LINE}\n{path}\n{}", encode(signed))
}

/// The parameters of `query`, sorted by name. `None` if there are too many, or if one is not UTF-8:
/// two different ones could then decode to the same text.
fn read(query: &str) -> Option<Vec<(String, String)>> {
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_decode(spaced.as_bytes()).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    (pairs.len() <= MAX_PARAMETERS).then_some(pairs)
}

fn encode<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, PERCENT_ENCODED));
        text.push('=');
        text.extend(utf8_percent_encode(value, PERCENT_ENCODED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new("correct horse battery".into())
    }

    fn granted(query: &str, now: u64) -> Result<Granted, Denial> {
        let link = Link::read(query)?.ok_or(Denial::Unsigned)?;
        link.verify("/screenshot", &secret(), now)
    }

    /// Computed by Python: `hmac.new(secret, text.encode(), "sha256")` with the text
    /// `"tintype-embed-1\n/screenshot\n" + "&".join(quote(n, safe="") + "=" + quote(v, safe="")
    /// for n, v in sorted(pairs))`.
    const VECTORS: [(&str, &str, &str); 3] = [
        (
            "url=https%3A%2F%2Fexample.com%2F&key=web&expires=1793491200&render=stale",
            "mjoTTORFfnimI4n3709xT4TR2tQPrq-cb--MYp3pRPM",
            "url=https%3A%2F%2Fexample.com%2F",
        ),
        (
            "url=https://example.com/?a=b%26c&css=b%7B%7D&css=a%7B%7D&x=%C3%BC+y!~*&key=web&render=never&sizes=800x600,400x*&width=400",
            "ZskTInpCDZrD-MkT0TM5w7blbK21i7VMABwSvsSUBSg",
            "css=b%7B%7D&css=a%7B%7D&url=https%3A%2F%2Fexample.com%2F%3Fa%3Db%26c&width=400&x=%C3%BC%20y%21~%2A",
        ),
        ("key=web", "cac5c2fdf197e9f97826515c5713099bccbcd33579c93c28b788b4f517820e10", ""),
    ];

    #[test]
    fn link_signed_by_python_is_verified() {
        for (query, signature, rest) in VECTORS {
            let link = format!("{query}&signature={signature}");
            let granted = granted(&link, 1_793_491_199).unwrap_or_else(|denial| panic!("{denial}: {query}"));
            assert_eq!(granted.query, rest);
        }
        let (query, signature, _) = VECTORS[0];
        let link = format!("signature={signature}&{query}");
        assert_eq!(granted(&link, 0).map(|granted| granted.render), Ok(Render::Stale));
        assert_eq!(granted(&link, 1_793_491_200), Err(Denial::Expired));
    }

    /// Another order or encoding of the same parameters is valid; any change of meaning is not.
    #[test]
    fn link_with_changed_meaning_is_refused() {
        let (query, signature, _) = VECTORS[0];
        let same = "render=st%61le&&expires=1793491200&key=web&url=https://example.com/";
        assert_eq!(
            granted(&format!("{same}&signature={signature}"), 0),
            granted(&format!("{query}&signature={signature}"), 0)
        );
        for (from, to) in [
            ("example.com", "example.org"),
            ("stale", "allow"),
            ("1793491200", "1993491200"),
            ("key=web", "key=other"),
            ("&render=stale", ""),
            ("&render=stale", "&render=stale&render=stale"),
            ("&render=stale", "&render=stale&width=5"),
            ("&render=stale", "&render=stale&sizes=*x*"),
            ("url=", "Url="),
            ("url=", "url=%FF"),
            ("key=web", "key=web&key=web"),
        ] {
            let altered = query.replace(from, to);
            assert_ne!(altered, query);
            assert_eq!(
                granted(&format!("{altered}&signature={signature}"), 0),
                Err(Denial::Altered),
                "{altered}"
            );
        }
        assert_eq!(Link::read(query), Ok(None));
        assert_eq!(Link::read(&format!("{query}&signature=a&signature=b")), Err(Denial::Altered));
        let link = Link::read(&format!("{query}&signature={signature}")).ok().flatten().expect("a link");
        assert_eq!(link.verify("/other", &secret(), 0), Err(Denial::Altered));
        assert_eq!(link.verify("/screenshot", &Secret::new("another".into()), 0), Err(Denial::Altered));
    }

    #[test]
    fn link_with_sizes_accepts_only_listed_sizes() {
        let (query, signature, _) = VECTORS[1];
        let query = query.replace("&width=400", "");
        for (size, expected) in [
            ("width=800&height=600", Ok(())),
            ("width=400&height=9999", Ok(())),
            ("width=400", Ok(())),
            ("width=800&height=601", Err(Denial::Size)),
            ("width=800", Err(Denial::Size)),
            ("", Err(Denial::Size)),
            ("width=400&width=400", Err(Denial::Size)),
            ("width=%20400", Err(Denial::Size)),
            ("width=0400", Err(Denial::Size)),
            ("width=400&w=400", Err(Denial::Altered)),
        ] {
            let found = granted(&format!("{query}&{size}&signature={signature}"), 0);
            assert_eq!(found.map(|_| ()), expected, "{size}");
        }
    }

    /// Links that only the holder of the secret can make: values that cannot be parsed allow
    /// nothing.
    #[test]
    fn link_with_invalid_values_grants_nothing() {
        let signed = |query: &str| {
            let pairs = read(query).expect("pairs");
            let signature = base64url(&mac(&secret(), message("/screenshot", &pairs).as_bytes()));
            granted(&format!("{query}&signature={signature}"), 5)
        };
        for (query, expected) in [
            ("key=web", Ok(Render::Stale)),
            ("key=web&render=allow&expires=6", Ok(Render::Allow)),
            ("key=web&expires=5", Err(Denial::Expired)),
            ("key=web&expires=never", Err(Denial::Expired)),
            ("key=web&expires=", Err(Denial::Expired)),
            ("key=web&expires=99999999999999999999", Err(Denial::Expired)),
            ("key=web&render=always", Err(Denial::Altered)),
            ("key=web&render=", Err(Denial::Altered)),
            ("key=web&sizes=all&width=1", Err(Denial::Size)),
            ("key=web&sizes=*x*&height=1&height=1", Err(Denial::Size)),
            ("key=web&sizes=*x*&width=1&width=1", Err(Denial::Size)),
        ] {
            assert_eq!(signed(query).map(|granted| granted.render), expected, "{query}");
        }
        // Parameters that are not UTF-8 are refused, and so are too many.
        assert_eq!(read("a=%FF"), None);
        assert_eq!(read(&"a&".repeat(MAX_PARAMETERS)).map(|pairs| pairs.len()), Some(MAX_PARAMETERS));
        assert_eq!(read(&"a&".repeat(MAX_PARAMETERS + 1)), None);
    }

    #[test]
    fn link_signed_here_is_verified() {
        let sizes: Sizes = "800x600".parse().expect("sizes");
        let grant = Grant { key: "web", expires: Some(9), render: Render::Allow, sizes: Some(&sizes) };
        let link = sign("/screenshot", "url=https://a.example/?b=c&render=never&key=x", &grant, &secret())
            .expect("a link");
        assert!(link.starts_with("expires=9&key=web&render=allow&sizes=800x600&url=https%3A%2F%2Fa.example%2F%3Fb%3Dc&signature="), "{link}");
        let given = granted(&format!("{link}&width=800&height=600"), 8).expect("good");
        assert_eq!((given.render, given.expires), (Render::Allow, Some(9)));
        assert_eq!(given.query, "height=600&url=https%3A%2F%2Fa.example%2F%3Fb%3Dc&width=800");
        assert_eq!(without(&link).as_deref(), Some("url=https%3A%2F%2Fa.example%2F%3Fb%3Dc"));
    }
}
