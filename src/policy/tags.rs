//! Tags by which an origin groups responses for purges: `Cache-Tag`, `Surrogate-Key`, `xkey`.

use http::{HeaderMap, HeaderName};

/// Limit on the tags kept for one response.
const MAX_TAGS: usize = 64;
/// Longest tag that is kept, in bytes.
const MAX_TAG_BYTES: usize = 256;

/// `Cache-Tag` (Cloudflare): separated by commas.
pub const CACHE_TAG: HeaderName = HeaderName::from_static("cache-tag");
/// `Surrogate-Key` (Fastly): separated by spaces.
pub const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
/// `xkey` (Varnish): separated by spaces or commas.
pub const XKEY: HeaderName = HeaderName::from_static("xkey");

/// The tags of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The tags that are kept, without duplicates.
    pub told: Vec<String>,
    /// Some tags were dropped, as there were too many or too long ones. Any purge by tag then
    /// removes the response.
    pub untold: bool,
}

/// Reads the tags of a response, and keeps at most `most` of them.
pub fn of(fields: &HeaderMap, most: usize) -> Tags {
    let mut tags = Tags::default();
    let comma: fn(char) -> bool = |c| c == ',';
    let space: fn(char) -> bool = |c| c.is_ascii_whitespace();
    let either: fn(char) -> bool = |c| c == ',' || c.is_ascii_whitespace();
    for (name, separates) in [(CACHE_TAG, comma), (SURROGATE_KEY, space), (XKEY, either)] {
        for line in fields.get_all(name) {
            let line = String::from_utf8_lossy(line.as_bytes());
            for tag in line.split(separates).map(str::trim).filter(|tag| !tag.is_empty()) {
                if tags.told.iter().any(|known| known == tag) {
                    continue;
                }
                if tag.len() > MAX_TAG_BYTES || tags.told.len() >= most.min(MAX_TAGS) {
                    tags.untold = true;
                } else {
                    tags.told.push(tag.to_owned());
                }
            }
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_str(value).expect("value"));
        }
        fields
    }

    #[test]
    fn tags_are_split_by_separator_of_field() {
        for (lines, expected) in [
            (vec![("cache-tag", "a, b c,,a")], vec!["a", "b c"]),
            (vec![("cache-tag", "a"), ("cache-tag", "b")], vec!["a", "b"]),
            (vec![("surrogate-key", "a  b,c a")], vec!["a", "b,c"]),
            (vec![("xkey", "a b, c")], vec!["a", "b", "c"]),
            (vec![("xkey", "a"), ("cache-tag", "A")], vec!["A", "a"]),
            (vec![], vec![]),
        ] {
            assert_eq!(of(&fields(&lines), 64).told, expected, "{lines:?}");
        }
    }

    #[test]
    fn tags_beyond_limit_are_marked() {
        let many: Vec<String> = (0..65).map(|n| format!("t{n}")).collect();
        let tags = of(&fields(&[("cache-tag", &many.join(","))]), 64);
        assert_eq!((tags.told.len(), tags.untold), (64, true));
        let tags = of(&fields(&[("cache-tag", &"x".repeat(257))]), 64);
        assert_eq!((tags.told.len(), tags.untold), (0, true));
        let tags = of(&fields(&[("cache-tag", "a,b,c")]), 2);
        assert_eq!((tags.told.len(), tags.untold), (2, true));
    }
}
