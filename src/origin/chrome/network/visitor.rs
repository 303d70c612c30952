//! Who visits a page where a request does not say.

use crate::capture::request::{field_value, locale};

/// Languages of `accept_language`.
const MAX_LANGUAGES: usize = 16;

/// Who a page is told is visiting, where a request does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultVisitor {
    /// `User-Agent`; the browser's own, without the word Headless, where there is none.
    pub user_agent: Option<String>,
    /// The languages of `Accept-Language`, the best first.
    pub languages: Vec<String>,
}

impl DefaultVisitor {
    /// [`languages`](Self::languages) of the default, as a setting has them.
    pub const LANGUAGES: &str = "en-US,en;q=0.9";

    /// A `User-Agent`: visible ASCII of a bounded length.
    pub fn read_user_agent(text: &str) -> Option<String> {
        field_value(text)
    }

    /// Languages in the form of `Accept-Language` (RFC 9110 section 12.5.4), in the order of their weights. Chrome takes
    /// a list and gives it weights by itself.
    pub fn read_languages(text: &str) -> Option<Vec<String>> {
        let mut languages: Vec<(String, f64)> = text.split(',').map(weighed).collect::<Option<_>>()?;
        languages.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        (languages.len() <= MAX_LANGUAGES)
            .then(|| languages.into_iter().map(|(language, _)| language).collect())
    }
}

impl Default for DefaultVisitor {
    fn default() -> Self {
        let languages = Self::read_languages(Self::LANGUAGES).unwrap_or_default();
        DefaultVisitor { user_agent: None, languages }
    }
}

/// `de-CH` or `de-CH;q=0.8`.
fn weighed(text: &str) -> Option<(String, f64)> {
    let (language, weight) = match text.split_once(';') {
        Some((language, weight)) => (language, weight.trim().strip_prefix("q=")?.parse().ok()?),
        None => (text, 1.0),
    };
    let weight = Some(weight).filter(|weight| *weight > 0.0 && *weight <= 1.0)?;
    Some((locale(language.trim())?, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_in_the_order_of_their_weights() {
        for (text, expected) in [
            (DefaultVisitor::LANGUAGES, Some(&["en-US", "en"][..])),
            ("de-CH, de ,en", Some(&["de-CH", "de", "en"])),
            ("en;q=0.5,fr,de;q=0.9", Some(&["fr", "de", "en"])),
            ("en; q=0.5", Some(&["en"])),
            ("en;q=0", None),
            ("en;q=2", None),
            ("en;q=NaN", None),
            ("en;q=x", None),
            ("en;level=1", None),
            ("*", None),
            ("en,,de", None),
            ("en_US", None),
            ("", None),
        ] {
            let languages = DefaultVisitor::read_languages(text);
            let expected = expected.map(|list| list.iter().map(|&l| l.to_owned()).collect::<Vec<_>>());
            assert_eq!(languages, expected, "{text}");
        }
        assert!(DefaultVisitor::read_languages(&["en"; MAX_LANGUAGES].join(",")).is_some());
        assert!(DefaultVisitor::read_languages(&["en"; MAX_LANGUAGES + 1].join(",")).is_none());
    }
}
