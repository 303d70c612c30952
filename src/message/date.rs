//! HTTP dates (RFC 9110 section 5.6.7).

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::Timestamp;

/// Longest date that is parsed, in bytes. An RFC 850 date with the longest weekday has 33.
const MAX_DATE_BYTES: usize = 40;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Parses a date in any of the three formats, in any case and with any weekday; `None` for
/// everything else.
pub fn parse(text: &[u8]) -> Option<Timestamp> {
    let text = text.trim_ascii();
    if text.len() > MAX_DATE_BYTES {
        return None;
    }
    let usual = usual_case(text)?;
    let date = httpdate::parse_http_date(&usual).ok().or_else(|| with_another_weekday(&usual))?;
    Some(Timestamp::from_system(date))
}

/// The date in the field `name`; `None` if it is absent, invalid, or on several lines that differ.
pub fn of_field(fields: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let mut lines = fields.get_all(name).iter();
    let first = lines.next()?;
    if lines.any(|other| other != first) {
        return None;
    }
    parse(first.as_bytes())
}

/// Formats `time` as an IMF-fixdate. Times after the year 9999 become its last second.
pub fn format(time: Timestamp) -> HeaderValue {
    // The last second that an IMF-fixdate can express: 9999-12-31T23:59:59Z.
    let time = Timestamp::from_secs(time.as_secs().min(253_402_300_799));
    HeaderValue::try_from(httpdate::fmt_http_date(time.to_system()))
        .unwrap_or_else(|_| HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}

/// Parses a date with a wrong weekday. The grammar allows any weekday, and a recipient must accept
/// what the grammar allows. `httpdate` refuses such dates, so all weekdays are tried.
fn with_another_weekday(text: &str) -> Option<SystemTime> {
    let (said, rest) = text.split_at(text.find(|c: char| !c.is_ascii_alphabetic())?);
    let forms: [fn(&str) -> &str; 2] = [|day| day, |day| &day[..3]];
    let form = forms.into_iter().find(|form| WEEKDAYS.iter().any(|day| form(day) == said))?;
    WEEKDAYS.iter().find_map(|day| httpdate::parse_http_date(&format!("{}{rest}", form(day))).ok())
}

/// The date in its usual case: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn usual_case(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let mut inside = false;
    let mut usual = String::with_capacity(text.len());
    for c in text.chars() {
        usual.push(if inside { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() });
        inside = c.is_ascii_alphabetic();
    }
    if let Some(zone) = usual.strip_suffix("Gmt") {
        usual = format!("{zone}GMT");
    }
    // The grammar allows a leap second, but Unix time has none (RFC 9110 section 5.6.7).
    if usual.contains(" 23:59:60 ") {
        usual = usual.replacen("23:59:60", "23:59:59", 1);
    }
    Some(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_in_three_forms_and_any_case_is_parsed() {
        let expected = Some(Timestamp::from_secs(784_111_777));
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "sun, 06 nov 1994 08:49:37 gmt",
            "SUN, 06 NOV 1994 08:49:37 GMT",
            " Sun, 06 Nov 1994 08:49:37 GMT ",
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    /// RFC 9110 section 5.6.7: the grammar does not tie the weekday to the date.
    #[test]
    fn date_with_wrong_weekday_is_parsed() {
        let expected = Some(Timestamp::from_secs(784_111_777));
        for text in [
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Thursday, 06-Nov-94 08:49:37 GMT",
            "Thu Nov  6 08:49:37 1994",
            "THU NOV  6 08:49:37 1994",
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
        for text in [
            "Day, 06 Nov 1994 08:49:37 GMT",
            ", 06 Nov 1994 08:49:37 GMT",
            "06 Nov 1994 08:49:37 GMT",
            "Monday Nov  6 08:49:37 1994",
            "Mon Feb 31 08:49:37 1994",
            "Mon Nov  6 08:49:37 1994 GMT",
            "Mon Nov 6 08:49:37 1994",
            "M\u{e4}rz",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn date_with_leap_second_is_second_before() {
        let expected = parse(b"Sat, 31 Dec 2016 23:59:59 GMT");
        assert!(expected.is_some());
        for text in ["Sat, 31 Dec 2016 23:59:60 GMT", "Sat Dec 31 23:59:60 2016"] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn date_invalid_is_refused() {
        for text in [
            "Sun, 06 Nov 1994 08:59:60 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Wed, 31 Feb 1994 08:49:37 GMT",
            "0",
            "-1",
            "",
            "784111777",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08:49:37 GMT and a long tail that is not a date",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn date_field_with_differing_lines_is_ignored() {
        let mut fields = HeaderMap::new();
        fields.append("expires", HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        fields.append("expires", HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert!(of_field(&fields, &http::header::EXPIRES).is_some());
        fields.append("expires", HeaderValue::from_static("Sun, 06 Nov 2094 08:49:37 GMT"));
        assert_eq!(of_field(&fields, &http::header::EXPIRES), None);
    }

    #[test]
    fn date_format_round_trips() {
        let time = Timestamp::from_secs(784_111_777);
        assert_eq!(parse(format(time).as_bytes()), Some(time));
        assert_eq!(format(Timestamp(u64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
