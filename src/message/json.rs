//! JSON as JavaScript writes it.
//!
//! A JavaScript string is any sequence of 16-bit units. `JSON.stringify` (ECMA-262,
//! QuoteJSONString) and Chrome write an unpaired surrogate as an escape such as `\ud83d`.
//! serde_json then refuses the whole text.

use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

/// The replacement of an unpaired surrogate: U+FFFD, as in `String::from_utf8_lossy`.
const REPLACEMENT: &[u8; 6] = br"\ufffd";

/// Whether the content is JSON without a content coding.
pub(crate) fn is_json(fields: &HeaderMap) -> bool {
    let kind = fields.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
        && !fields.contains_key(header::CONTENT_ENCODING)
}

/// Parses JSON whose strings may have unpaired surrogates.
///
/// # Errors
/// The text is not JSON, or does not match `T`.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    // RFC 8259 section 8.1 permits a parser to ignore the byte order mark that some editors and
    // shells add.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).or_else(|error| {
        let mut replaced = bytes.to_vec();
        match replace_unpaired_surrogates(&mut replaced) {
            true => serde_json::from_slice(&replaced),
            false => Err(error),
        }
    })
}

/// Replaces each escape of an unpaired surrogate; true if there was one.
pub(crate) fn replace_unpaired_surrogates(bytes: &mut [u8]) -> bool {
    let (mut at, mut any) = (0, false);
    while let Some(backslash) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'\\')) {
        at += backslash;
        at += match (escaped_unit(bytes, at), escaped_unit(bytes, at + REPLACEMENT.len())) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * REPLACEMENT.len(),
            (Some(0xd800..=0xdfff), _) => {
                bytes[at..at + REPLACEMENT.len()].copy_from_slice(REPLACEMENT);
                any = true;
                REPLACEMENT.len()
            }
            (Some(_), _) => REPLACEMENT.len(),
            // Any other escape is a backslash and one more byte, which may be a backslash too.
            (None, _) => 2,
        };
    }
    any
}

/// The unit of a `\uXXXX` that begins at `at`.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + REPLACEMENT.len())?.strip_prefix(br"\u")?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn unpaired_surrogate_is_replaced() {
        for (text, expected) in [
            (r#""a""#, Some(json!("a"))),
            ("\u{feff}[1]", Some(json!([1]))),
            ("\u{feff}\u{feff}[1]", None),
            (r#""\ud83d""#, Some(json!("\u{fffd}"))),
            (r#""\uD83D""#, Some(json!("\u{fffd}"))),
            (r#""\udc00""#, Some(json!("\u{fffd}"))),
            (r#""a\ud83db\udc00c""#, Some(json!("a\u{fffd}b\u{fffd}c"))),
            (r#""\udc00\ud83d""#, Some(json!("\u{fffd}\u{fffd}"))),
            (r#""\ud83d\ud83d""#, Some(json!("\u{fffd}\u{fffd}"))),
            (r#""\ud83d\ude00""#, Some(json!("\u{1f600}"))),
            (r#""\ud83d\ud83d\ude00\ude00""#, Some(json!("\u{fffd}\u{1f600}\u{fffd}"))),
            // An escaped backslash before `ud83d`.
            (r#""\\ud83d""#, Some(json!(r"\ud83d"))),
            (r#""\\\ud83d""#, Some(json!("\\\u{fffd}"))),
            (r#""\\\\ud83d\ud83d""#, Some(json!("\\\\ud83d\u{fffd}"))),
            (r#""\ud83d\\udc00""#, Some(json!("\u{fffd}\\udc00"))),
            (r#""\ud83d\n\"\ud83d""#, Some(json!("\u{fffd}\n\"\u{fffd}"))),
            (r#"{"\ud83d":["\udfff"]}"#, Some(json!({ "\u{fffd}": ["\u{fffd}"] }))),
            ("\"\\ud83d\u{1f600}\"", Some(json!("\u{fffd}\u{1f600}"))),
            // Invalid JSON stays invalid.
            (r#""\ud83""#, None),
            (r#""\ud83d"#, None),
            (r#""\ud83d\u12""#, None),
            (r#""\u+83d""#, None),
            (r#"{"a":\ud83d}"#, None),
            (r"\", None),
            ("", None),
        ] {
            assert_eq!(from_slice::<Value>(text.as_bytes()).ok(), expected, "{text}");
        }
    }

    /// Requests must be UTF-8: a silently changed byte would make another request.
    #[test]
    fn invalid_utf8_is_refused() {
        assert!(from_slice::<Value>(b"\"\xff\"").is_err());
        assert!(from_slice::<Value>(b"\"\xff\\ud83d\"").is_err());
    }
}
