//! Targeted cache-control fields such as `CDN-Cache-Control` (RFC 9213).

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::directives::{MAX_DELTA, Qualified, ResponseDirectives};

/// The directives for this cache: from the first valid field of `targets`, otherwise from
/// `Cache-Control`.
pub fn for_cache(fields: &HeaderMap, targets: &[HeaderName]) -> ResponseDirectives {
    match directives(fields, targets) {
        Some(directives) => ResponseDirectives { targeted: true, ..directives },
        None => ResponseDirectives::of(fields),
    }
}

/// The directives of the first field of `targets` that is present, not empty, and a valid
/// Dictionary. It replaces `Cache-Control` and `Expires` (RFC 9213 sections 2.1 and 2.2). `None`
/// leaves them in force.
pub fn directives(fields: &HeaderMap, targets: &[HeaderName]) -> Option<ResponseDirectives> {
    targets.iter().find_map(|target| parse(&joined(fields, target)?))
}

/// All lines of a structured field as one value (RFC 9651 section 4.2); `None` if it is absent.
pub(super) fn joined(fields: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let mut lines = fields.get_all(name).iter();
    let mut all = lines.next()?.as_bytes().to_vec();
    for line in lines {
        all.extend_from_slice(b", ");
        all.extend_from_slice(line.as_bytes());
    }
    Some(all)
}

fn parse(text: &[u8]) -> Option<ResponseDirectives> {
    let dictionary: Dictionary = Parser::new(text).parse().ok()?;
    if dictionary.is_empty() {
        return None;
    }
    let mut all = ResponseDirectives::default();
    for (name, entry) in &dictionary {
        let value = match entry {
            ListEntry::Item(item) => Some(&item.bare_item),
            ListEntry::InnerList(_) => None,
        };
        match name.as_str() {
            "no-store" => all.no_store = holds(value),
            "no-cache" => all.no_cache = qualified(value),
            "private" => all.private = qualified(value),
            "public" => all.public = value == Some(&BareItem::Boolean(true)),
            "must-revalidate" => all.must_revalidate = holds(value),
            "proxy-revalidate" => all.proxy_revalidate = holds(value),
            "must-understand" => all.must_understand = holds(value),
            "immutable" => all.immutable = holds(value),
            "max-age" => all.max_age = Some(seconds(value)),
            "s-maxage" => all.s_maxage = Some(seconds(value)),
            "stale-while-revalidate" => all.stale_while_revalidate = Some(seconds(value)),
            "stale-if-error" => all.stale_if_error = Some(seconds(value)),
            _ => {}
        }
    }
    Some(all)
}

/// A restricting flag holds unless it is `?0`, so that an invalid value is read restrictively.
fn holds(value: Option<&BareItem>) -> bool {
    value != Some(&BareItem::Boolean(false))
}

/// `no-cache` and `private`; a String limits them to fields, as in `Cache-Control`.
fn qualified(value: Option<&BareItem>) -> Qualified {
    match value {
        Some(BareItem::Boolean(false)) => Qualified::Absent,
        Some(BareItem::String(names)) => Qualified::fields(names.as_str().as_bytes()),
        _ => Qualified::Whole,
    }
}

/// Delta-seconds; zero for anything but a non-negative Integer.
fn seconds(value: Option<&BareItem>) -> Duration {
    let seconds = match value {
        Some(BareItem::Integer(seconds)) => u64::try_from(i64::from(*seconds)).unwrap_or(0),
        _ => 0,
    };
    Duration::from_secs(seconds.min(MAX_DELTA))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const TARGETS: [HeaderName; 2] =
        [HeaderName::from_static("tintype-cache-control"), HeaderName::from_static("cdn-cache-control")];

    fn of(lines: &[(&'static str, &'static str)]) -> Option<ResponseDirectives> {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_static(value));
        }
        directives(&fields, &TARGETS)
    }

    /// RFC 9213 section 2.1: a Dictionary. A parse error or an empty value leaves `Cache-Control`
    /// in force.
    #[test]
    fn targeted_field_invalid_is_ignored() {
        let max_age = |line: &'static str| {
            of(&[("cdn-cache-control", line)]).map(|all| all.max_age.map(|age| age.as_secs()))
        };
        for (line, expected) in [
            ("max-age=60", Some(Some(60))),
            ("max-age=60;whatever=1, foo=(a b)", Some(Some(60))),
            ("max-age=10, max-age=60", Some(Some(60))),
            ("no-store", Some(None)),
            ("max-age=999999999999999", Some(Some(1 << 31))),
            ("max-age=-5", Some(Some(0))),
            ("max-age=1.5", Some(Some(0))),
            ("max-age=\"60\"", Some(Some(0))),
            ("max-age", Some(Some(0))),
            ("", None),
            ("MAX-AGE=60", None),
            ("max-age =60", None),
            ("max-age= 60", None),
            ("max-age=60,", None),
            ("max-age=60 no-store", None),
            ("&", None),
        ] {
            assert_eq!(max_age(line), expected, "{line}");
        }
    }

    #[test]
    fn targeted_flags_and_qualified_directives_are_parsed() {
        let all =
            of(&[("cdn-cache-control", "no-store=?0, must-revalidate, private=\"x-a\", no-cache, public=1")])
                .expect("valid");
        assert!(!all.no_store && all.must_revalidate && !all.public);
        assert_eq!(all.private, Qualified::Fields(vec![HeaderName::from_static("x-a")]));
        assert_eq!(all.no_cache, Qualified::Whole);
    }

    /// RFC 9213 section 2.2: the first field of the target list that is present and valid is used.
    /// Several lines are one value.
    #[test]
    fn targeted_most_specific_valid_field_wins() {
        let own = ("tintype-cache-control", "max-age=1");
        let cdn = ("cdn-cache-control", "max-age=2");
        let age = |lines: &[_]| of(lines).and_then(|all| all.max_age).map(|age| age.as_secs());
        assert_eq!(age(&[cdn, own]), Some(1));
        assert_eq!(age(&[cdn, ("tintype-cache-control", "!")]), Some(2));
        assert_eq!(age(&[("cdn-cache-control", "foo"), cdn]), Some(2));
        assert_eq!(age(&[("cache-control", "max-age=3")]), None);
    }
}
