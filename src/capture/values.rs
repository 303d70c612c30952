//! How single values are read: pure, `None` for what cannot be used.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use url::Url;

/// Longest URL that is captured, in bytes.
const MAX_URL: usize = 16 * 1024;
/// Longest selector, in bytes.
const MAX_SELECTOR: usize = 1024;
/// Longest text that a page is searched for, in bytes.
const MAX_CONTENT: usize = 1024;
/// What no time is beyond, in microseconds: numbers up to here are exact.
const MAX_MICROSECONDS: f64 = 9e15;
/// Longest header field value, in bytes.
const MAX_FIELD: usize = 4096;
/// Where time stands still if the request does not say: 2025-01-01T00:00:00Z, in milliseconds.
pub(super) const EPOCH: u64 = 1_735_689_600_000;
/// Fields that belong to the browser or to the connection.
const NOT_TO_BE_SET: [&str; 14] = [
    "host",
    "connection",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "proxy-authorization",
    "proxy-connection",
    "cookie",
    "user-agent",
];

/// The word that `text` is, or is another name of.
pub(super) fn choice(
    words: &'static [&'static str],
    others: &'static [(&'static str, &'static str)],
    text: &str,
) -> Option<&'static str> {
    let text = text.trim();
    let word = words.iter().find(|word| word.eq_ignore_ascii_case(text)).copied();
    word.or_else(|| others.iter().find(|(other, _)| other.eq_ignore_ascii_case(text)).map(|(_, word)| *word))
}

/// `true`, `1`, `yes`, `on`, and their opposites, in any case.
pub(super) fn flag(value: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is(["true", "1", "yes", "on"]) {
        Some(true)
    } else if is(["false", "0", "no", "off"]) {
        Some(false)
    } else {
        None
    }
}

/// The spellings of a flag that the engine takes.
pub(super) fn plain_flag(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Seconds, or a time with units such as `1h 30m`.
pub(super) fn lifetime(text: &str) -> Option<Duration> {
    let text = text.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text).ok(),
    }
}

/// Four whole numbers with commas between them.
pub(super) fn sides(text: &str) -> Option<[u32; 4]> {
    let sides: Vec<u32> = text.split(',').map(|side| side.trim().parse().ok()).collect::<Option<_>>()?;
    sides.try_into().ok()
}

/// Milliseconds, or a number with the unit `ms` or `s`, to the microsecond.
pub(super) fn delay(text: &str) -> Option<Duration> {
    let (number, milliseconds) = match text.strip_suffix("ms") {
        Some(number) => (number, 1.0),
        None => text.strip_suffix('s').map_or((text, 1.0), |number| (number, 1000.0)),
    };
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let amount: f64 = number.parse().ok().filter(|_| number.chars().all(digits))?;
    // Whole microseconds: what the canonical request says has as many.
    let microseconds = (amount * milliseconds * 1000.0).round();
    (microseconds <= MAX_MICROSECONDS).then(|| Duration::from_micros(microseconds as u64))
}

pub(super) fn target(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| url.as_str().len() <= MAX_URL)?;
    let plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && plain).then_some(url)
}

/// Whether and where time stands still, in milliseconds since 1970: `true`, `false`, or an RFC 3339 instant in UTC.
pub(super) fn instant(text: &str) -> Option<Option<u64>> {
    if let Some(flag) = plain_flag(text) {
        return Some(flag.then_some(EPOCH));
    }
    // JavaScript has no instant beyond the year 275760, and this form none beyond 9999.
    let instant = humantime::parse_rfc3339(text).ok()?;
    let since = instant.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(Some)
}

/// The name of a proxy that the operator set up.
pub(super) fn proxy(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    ((1..=64).contains(&text.len()) && text.chars().all(plain)).then(|| text.to_owned())
}

/// A country as ISO 3166-1 has it, in lower case.
pub(super) fn country(text: &str) -> Option<String> {
    (text.len() == 2 && text.chars().all(|c| c.is_ascii_alphabetic())).then(|| text.to_ascii_lowercase())
}

/// The text on a page of which a picture is none, without the blanks around it.
pub(super) fn content(text: &str) -> Option<String> {
    let text = text.trim();
    (1..=MAX_CONTENT).contains(&text.len()).then(|| text.to_owned())
}

pub(super) fn selector(text: &str) -> Option<String> {
    let fine = !text.trim().is_empty() && text.len() <= MAX_SELECTOR && !text.contains(['{', '}']);
    fine.then(|| text.trim().to_owned())
}

/// `Name: value`.
pub(super) fn field(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once(':')?;
    let name: HeaderName = name.trim().parse().ok()?;
    let value = field_value(value)?;
    let barred = NOT_TO_BE_SET.contains(&name.as_str()) || name.as_str().starts_with("proxy-");
    (!barred && !name.as_str().starts_with("sec-")).then(|| (name.as_str().to_owned(), value))
}

/// The value of a field: visible ASCII and spaces.
pub(crate) fn field_value(text: &str) -> Option<String> {
    let text = text.trim();
    let fine = text.len() <= MAX_FIELD && !text.is_empty();
    let value = HeaderValue::from_str(text).ok().filter(|_| fine)?;
    value.to_str().ok().map(str::to_owned)
}

/// `name=value`, as in a Cookie field (RFC 6265 section 4.1.1, values a little wider, as browsers have it).
pub(super) fn cookie(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let token: HeaderName = name.trim().parse().ok()?;
    // The parser puts it in lower case; cookies have a case. Blanks around are no part of either (RFC 6265 section 5.2).
    let (name, value) = (name.trim().to_owned(), value.trim());
    let plain = |c: char| (' '..='~').contains(&c) && c != ';';
    (token.as_str().len() <= 256 && value.len() <= MAX_FIELD && value.chars().all(plain))
        .then(|| (name, value.to_owned()))
}

/// An IANA name such as `Europe/Berlin`; whether there is such a zone the browser knows.
pub(super) fn time_zone(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    ((1..=64).contains(&text.len()) && text.chars().all(plain)).then(|| text.to_owned())
}

/// A language tag such as `de-CH`.
pub(crate) fn locale(text: &str) -> Option<String> {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
    let mut parts = text.split('-');
    let language =
        parts.next().filter(|p| (2..=3).contains(&p.len()) && p.chars().all(|c| c.is_ascii_alphabetic()));
    (language.is_some() && text.len() <= 35 && parts.all(part)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("250", Some(250)),
            ("250ms", Some(250)),
            ("2s", Some(2000)),
            ("1.5s", Some(1500)),
            ("-1", None),
            ("1e3", None),
            ("inf", None),
            ("s", None),
            ("", None),
            ("1m", None),
        ] {
            assert_eq!(delay(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn instants_are_in_utc() {
        for (text, expected) in [
            ("true", Some(Some(EPOCH))),
            ("0", Some(None)),
            ("2025-01-01T00:00:00Z", Some(Some(EPOCH))),
            ("1970-01-01T00:00:01.5Z", Some(Some(1500))),
            ("1969-12-31T23:59:59Z", None),
            ("2025-01-01T00:00:00+01:00", None),
            ("2025-13-01T00:00:00Z", None),
            ("2025-01-01", None),
            ("now", None),
            ("", None),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }

    #[test]
    fn egress_is_named_plainly() {
        for (text, fine) in [("de-1", true), ("A_b", true), ("", false), ("a.b", false), ("http://x", false)]
        {
            assert_eq!(proxy(text).is_some(), fine, "{text}");
        }
        assert!(proxy(&"x".repeat(65)).is_none());
        for (text, expected) in
            [("DE", Some("de")), ("de", Some("de")), ("d", None), ("deu", None), ("d1", None)]
        {
            assert_eq!(country(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn fields_and_cookies_keep_their_form() {
        let pair = |name: &str, value: &str| Some((name.to_owned(), value.to_owned()));
        for (text, expected) in [
            ("X-Key: a b", pair("x-key", "a b")),
            ("X-Key:a:b", pair("x-key", "a:b")),
            ("X-Key:", None),
            ("Host: a", None),
            ("Cookie: a=b", None),
            ("Proxy-Authorization: x", None),
            ("Sec-Fetch-Site: x", None),
            ("X Key: a", None),
            ("X-Key: a\r\nHost: b", None),
            ("nothing", None),
        ] {
            assert_eq!(field(text), expected, "{text}");
        }
        for (text, expected) in [
            ("Sid=a=b", pair("Sid", "a=b")),
            ("sid=", pair("sid", "")),
            ("=x", None),
            ("sid", None),
            ("sid=a;b", None),
            ("sid=\u{e9}", None),
        ] {
            assert_eq!(cookie(text), expected, "{text}");
        }
    }

    #[test]
    fn words_are_read_as_people_write_them() {
        for (text, fine) in
            [("de", true), ("de-CH", true), ("zh-Hans-CN", true), ("d", false), ("de_CH", false), ("", false)]
        {
            assert_eq!(locale(text).is_some(), fine, "{text}");
        }
        for (text, fine) in [("Europe/Berlin", true), ("Etc/GMT+5", true), ("", false), ("a b", false)] {
            assert_eq!(time_zone(text).is_some(), fine, "{text}");
        }
        for (text, fine) in [(".a > b, #c", true), (" ", false), ("a{}", false)] {
            assert_eq!(selector(text).is_some(), fine, "{text}");
        }
    }
}
