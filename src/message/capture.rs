//! The field `X-Capture`: how a page came to rest. The capture engine sets it, and the cache reads
//! it.

use http::{HeaderMap, HeaderName};

/// The field name. Values are `settled; after=812ms`, `bounded; waiting=fetch` or `incomplete;
/// pending=3`.
pub const X_CAPTURE: HeaderName = HeaderName::from_static("x-capture");

/// The first word of `X-Capture` for a page that was not loaded.
pub const INCOMPLETE: &str = "incomplete";

/// Whether the response is an incomplete picture: the page was not loaded.
pub fn is_incomplete(fields: &HeaderMap) -> bool {
    let state = fields.get(X_CAPTURE).map(|value| value.as_bytes());
    let word = state.and_then(|state| state.split(|byte| *byte == b';').next());
    word.is_some_and(|word| word.trim_ascii().eq_ignore_ascii_case(INCOMPLETE.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_is_read_from_first_word() {
        for (value, expected) in [
            ("incomplete; pending=3", true),
            ("Incomplete", true),
            (" incomplete ;pending=0", true),
            ("incomplete-not; x", false),
            ("settled; after=1ms", false),
            ("bounded; waiting=incomplete", false),
            ("", false),
        ] {
            let fields = HeaderMap::from_iter([(X_CAPTURE, value.parse().expect("a value"))]);
            assert_eq!(is_incomplete(&fields), expected, "{value:?}");
        }
        assert!(!is_incomplete(&HeaderMap::new()));
    }
}
