//! imgproxy: `/SIGNATURE/resize:fit:W:H/format:F/SOURCE`, a subset of its paths. The source, in base64url or after `plain/`, is the URL of a
//! page, or a capture in our own names (`url=…&width=…`): what imgproxy would fetch is captured here.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use subtle::ConstantTimeEq as _;

use super::super::given;
use super::mapping::{Mapping, Rule};
use super::request::Asked;
use super::service::Dialect;
use crate::policy::signing::hmac_sha256;

/// The service that resizes images. Here it resizes captures.
pub(super) struct Imgproxy;

impl Dialect for Imgproxy {
    fn name(&self) -> &'static str {
        "imgproxy"
    }

    fn rules(&self) -> &'static [(&'static str, Rule)] {
        &[]
    }

    fn begin(&self, mapping: &mut Mapping, asked: &Asked<'_>) -> bool {
        // Nothing of it is said by query, and a signed path must not be changed by one.
        mapping.by_fields = true;
        mapping.given.clear();
        let mut rest =
            asked.path.strip_prefix('/').and_then(|path| path.split_once('/')).map_or("", |(_, rest)| rest);
        while let Some((option, behind)) = rest.split_once('/')
            && option.contains(':')
            && !option.starts_with("plain")
        {
            take(mapping, option);
            rest = behind;
        }
        let Some((source, format)) = source(rest) else {
            mapping.cannot("path", rest, "a source in base64url, or plain/ and a URL, behind options");
            return true;
        };
        if let Some(format) = format {
            set(mapping, "format", format);
        }
        if source.starts_with("http://") || source.starts_with("https://") {
            mapping.add("url", "path", source);
        } else {
            mapping.pairs.extend(given::query(&source).unwrap_or_default().into_iter().filter(
                |(name, _)| {
                    // What is made of it is said by the path alone.
                    !["format", "quality", "image_width", "image_height", "fit"].contains(&name.as_str())
                },
            ));
        }
        true
    }

    fn has_signed_paths(&self) -> bool {
        true
    }
}

const OPTIONS: &str =
    "resize:TYPE:W:H, size:W:H, width:W, height:H, format:F, quality:Q, or their short names";

/// What paths are signed with, as imgproxy has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// `IMGPROXY_KEY`, decoded.
    pub key: Vec<u8>,
    /// `IMGPROXY_SALT`, decoded.
    pub salt: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys([redacted])")
    }
}

impl Keys {
    fn mac(&self, path: &str) -> Option<[u8; 32]> {
        hmac_sha256(&self.key, &[&self.salt, path.as_bytes()])
    }

    /// `path`, which begins with a slash, with its signature before it.
    pub fn sign(&self, path: &str) -> String {
        let signature = self.mac(path).map(|mac| URL_SAFE_NO_PAD.encode(mac));
        format!("/{}{path}", signature.unwrap_or_default())
    }

    /// Whether `path` begins with the signature of what follows. In constant time.
    pub fn verify(&self, path: &str) -> bool {
        let Some((signature, _)) = path.strip_prefix('/').and_then(|rest| rest.split_once('/')) else {
            return false;
        };
        let signed = &path[1 + signature.len()..];
        let given = URL_SAFE_NO_PAD.decode(signature.trim_end_matches('='));
        match (self.mac(signed), given) {
            (Some(mac), Ok(given)) => mac.as_slice().ct_eq(&given).into(),
            _ => false,
        }
    }
}

/// The path, yet to be signed, of the capture that this query asks for, within a box, in a format.
pub fn path(query: &str, (width, height): (u32, u32), format: &str) -> String {
    format!("/resize:fit:{width}:{height}/format:{format}/{}", URL_SAFE_NO_PAD.encode(query))
}

fn take(mapping: &mut Mapping, option: &str) {
    let mut parts = option.split(':');
    let name = parts.next().unwrap_or_default();
    let values: Vec<&str> = parts.collect();
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    let most = match name {
        "resize" | "rs" => {
            fit(mapping, at(0));
            sides(mapping, at(1), at(2));
            3
        }
        "size" | "s" => {
            sides(mapping, at(0), at(1));
            2
        }
        "resizing_type" | "rt" => {
            fit(mapping, at(0));
            1
        }
        "width" | "w" => {
            sides(mapping, at(0), "");
            1
        }
        "height" | "h" => {
            sides(mapping, "", at(0));
            1
        }
        "format" | "f" | "ext" => {
            set(mapping, "format", at(0).to_owned());
            1
        }
        "quality" | "q" => {
            set(mapping, "quality", at(0).to_owned());
            1
        }
        _ => 0,
    };
    if values.len() > most {
        mapping.cannot(name, option, OPTIONS);
    }
}

/// The last one counts.
fn set(mapping: &mut Mapping, name: &'static str, value: String) {
    if !matches!(value.as_str(), "" | "0") {
        mapping.pairs.retain(|(known, _)| known != name);
        mapping.add(name, name, value);
    }
}

fn sides(mapping: &mut Mapping, width: &str, height: &str) {
    set(mapping, "image_width", width.to_owned());
    set(mapping, "image_height", height.to_owned());
}

fn fit(mapping: &mut Mapping, kind: &str) {
    match kind {
        "" => {}
        "fit" => set(mapping, "fit", "contain".into()),
        "fill" => set(mapping, "fit", "cover".into()),
        "force" => set(mapping, "fit", "fill".into()),
        other => mapping.cannot("resize", other, "fit, fill or force"),
    }
}

/// The source, and the format at its end.
fn source(rest: &str) -> Option<(String, Option<String>)> {
    if let Some(plain) = rest.strip_prefix("plain/") {
        let (plain, format) = match plain.rsplit_once('@') {
            Some((plain, format)) => (plain, Some(format.to_owned())),
            None => (plain, None),
        };
        let text = percent_decode_str(plain).decode_utf8().ok().filter(|text| !text.is_empty())?;
        return Some((text.into_owned(), format));
    }
    let (encoded, format) = match rest.split_once('.') {
        Some((encoded, format)) => (encoded, Some(format.to_owned())),
        None => (rest, None),
    };
    // Long ones may be broken by slashes.
    let encoded = encoded.replace('/', "");
    let octets = URL_SAFE_NO_PAD.decode(&encoded).or_else(|_| URL_SAFE.decode(&encoded)).ok()?;
    let text = String::from_utf8(octets).ok().filter(|text| !text.is_empty())?;
    Some((text, format))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{IMGPROXY, URL, meant, ours};
    use super::super::{Content, Meaning};
    use super::*;

    fn key_of(path: &str) -> Result<String, Vec<String>> {
        match meant(IMGPROXY, false, path, "format=gif", Content::Nothing) {
            Meaning::Picture(picture) => Ok(picture.canonical.key),
            Meaning::Bad(faults) => Err(faults.into_iter().map(|fault| fault.parameter).collect()),
            Meaning::Other => Err(Vec::new()),
        }
    }

    /// The example of imgproxy's documentation on signing a URL.
    #[test]
    fn signed_as_imgproxy_signs() {
        let keys = Keys { key: b"secret".to_vec(), salt: b"hello".to_vec() };
        let path = "/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png";
        let signed = keys.sign(path);
        assert_eq!(signed, format!("/oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8{path}"));
        assert!(keys.verify(&signed) && keys.verify(&signed.replacen("XH8", "XH8=", 1)));
        for bad in [
            signed.replace("300", "301"),
            // Whole octets of the right one, but not all.
            signed.replacen("_rIjOtdtzJ3QFsUcXH8", "", 1),
            signed.replacen("fUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8", "fU", 1),
            format!("/{path}"),
            path.to_owned(),
            "/".into(),
            String::new(),
        ] {
            assert!(!keys.verify(&bad), "{bad}");
        }
        assert_eq!(format!("{keys:?}"), "Keys([redacted])");
    }

    #[test]
    fn paths_table() {
        let page = URL_SAFE_NO_PAD.encode("https://a.example/");
        let broken = format!("{}/{}", &page[..6], &page[6..]);
        let made = "format=webp&image_height=200&image_width=300";
        for (path, expected) in [
            (format!("/s/{page}"), String::new()),
            (format!("/s/resize:fit:300:200/format:webp/{page}"), made.into()),
            (format!("/s/rs:fit:300:200/f:webp/{broken}"), made.into()),
            (format!("/s/w:300/h:200/{page}.webp"), made.into()),
            ("/s/s:300:200/plain/https%3A%2F%2Fa.example%2F@webp".into(), made.into()),
            (
                format!("/s/rs:fill:300:200/q:50/f:jpg/{page}"),
                format!("{}&quality=50&fit=cover", made.replace("webp", "jpeg")),
            ),
            (format!("/s/rs:force:300:0/{page}"), "image_width=300&fit=fill".into()),
            (
                format!("/s/f:webp/{}", URL_SAFE_NO_PAD.encode(format!("{URL}&width=800&format=gif"))),
                "width=800&format=webp".into(),
            ),
        ] {
            assert_eq!(key_of(&path), Ok(ours(&format!("{URL}&{expected}"))), "{path}");
        }
        for (bad, named) in [
            (format!("/s/blur:5/{page}"), "blur"),
            (format!("/s/rs:auto:1:1/{page}"), "resize"),
            (format!("/s/rs:fit:1:1:1/{page}"), "rs"),
            ("/s/f:png/!!".into(), "path"),
            ("/s".into(), "path"),
        ] {
            assert!(key_of(&bad).unwrap_err().iter().any(|name| name == named), "{bad}");
        }
        let link = path("url=https://a.example/", (1, 2), "png");
        assert_eq!(key_of(&format!("/s{link}")), Ok(ours(&format!("{URL}&image_width=1&image_height=2"))));
    }
}
