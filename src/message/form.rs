//! Parameters of a query or form (application/x-www-form-urlencoded, URL Standard section 5.1),
//! without loss of octets that are not UTF-8.

use std::borrow::Cow;
use std::fmt::Write as _;

use percent_encoding::percent_decode;

/// A decoded name or value ([`pairs`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'q> {
    /// The text. Octets that are not UTF-8 stay percent-encoded, as in a URL.
    pub text: Cow<'q, str>,
    /// Whether all octets were UTF-8.
    pub is_utf8: bool,
}

/// The names and values of `query` as text, in order.
pub fn pairs(query: &str) -> impl Iterator<Item = (Text<'_>, Text<'_>)> {
    octets(query).map(|(name, value)| (text(name), text(value)))
}

/// The names and values of `query` as octets, in order.
pub fn octets(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

fn decode(raw: &str) -> Cow<'_, [u8]> {
    if raw.contains('+') {
        let spaced = raw.replace('+', " ");
        return Cow::Owned(percent_decode(spaced.as_bytes()).collect());
    }
    percent_decode(raw.as_bytes()).into()
}

fn text(octets: Cow<'_, [u8]>) -> Text<'_> {
    let octets = match octets {
        Cow::Borrowed(octets) => match std::str::from_utf8(octets) {
            Ok(known) => return Text { text: Cow::Borrowed(known), is_utf8: true },
            Err(_) => octets.to_vec(),
        },
        Cow::Owned(octets) => octets,
    };
    match String::from_utf8(octets) {
        Ok(known) => Text { text: Cow::Owned(known), is_utf8: true },
        Err(error) => Text { text: Cow::Owned(escaped(error.as_bytes())), is_utf8: false },
    }
}

/// Text of `octets`, with those that are not UTF-8 percent-encoded.
pub fn escaped(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        for octet in chunk.invalid() {
            // Writing to a `String` does not fail.
            let _ = write!(text, "%{octet:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_match_url_standard() {
        for query in [
            "",
            "a",
            "a=",
            "=b",
            "a=b&a=c",
            "&&a=b&",
            "a+b=c%20d",
            "%C3%A9=%e2%82%ac",
            "a=b=c",
            "a=%",
            "a=%zz%4",
        ] {
            let known: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
            let found: Vec<_> = pairs(query).map(|(name, value)| (name.text, value.text)).collect();
            assert_eq!(found, known, "{query}");
            assert!(pairs(query).all(|(name, value)| name.is_utf8 && value.is_utf8), "{query}");
        }
    }

    #[test]
    fn octets_not_utf8_stay_percent_encoded() {
        for (query, expected) in [
            ("url=http%3A%2F%2Fh%2Fcaf%E9", "http://h/caf%E9"),
            ("url=http%3A%2F%2Fh%2Fcaf%e8", "http://h/caf%E8"),
            ("url=%C3%A9+%C3%28", "é %C3("),
            ("url=%ff%FE", "%FF%FE"),
        ] {
            let (_, value) = pairs(query).next().expect("a pair");
            assert_eq!((value.text.as_ref(), value.is_utf8), (expected, false), "{query}");
        }
    }
}
