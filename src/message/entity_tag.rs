//! Entity tags and their comparison (RFC 9110 section 8.8.3).

use http::{HeaderMap, HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};

/// An entity tag, borrowed from its field value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Whether it begins with `W/`.
    pub weak: bool,
    /// The octets between the quotes.
    pub opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Parses `"x"` or `W/"x"`; `None` for anything else.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let (weak, quoted) = match text.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let opaque = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let valid = opaque.iter().all(|&b| b == 0x21 || (0x23..=0x7e).contains(&b) || b >= 0x80);
        valid.then_some(EntityTag { weak, opaque })
    }

    /// The entity tag in the fields of a message; `None` unless there is exactly one and it is
    /// valid.
    pub fn of(fields: &'a HeaderMap) -> Option<Self> {
        let mut lines = fields.get_all(header::ETAG).iter();
        let tag = Self::parse(lines.next()?.as_bytes())?;
        lines.next().is_none().then_some(tag)
    }

    /// Strong comparison: equal octets, and neither tag is weak (RFC 9110 section 8.8.3.2).
    pub fn strong_eq(self, other: EntityTag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// Weak comparison: equal octets (RFC 9110 section 8.8.3.2).
    pub fn weak_eq(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// The value of `If-Match` or `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagList<'a> {
    /// `*`: any current representation.
    Any,
    /// These tags, without the invalid members.
    Tags(Vec<EntityTag<'a>>),
}

impl<'a> TagList<'a> {
    /// Parses all lines of `name`; `None` if the field is absent. `*` is valid only alone.
    pub fn of(fields: &'a HeaderMap, name: &HeaderName) -> Option<Self> {
        if !fields.contains_key(name) {
            return None;
        }
        let members: Vec<&[u8]> =
            fields.get_all(name).iter().flat_map(|line| members(line.as_bytes())).collect();
        if members == [b"*"] {
            return Some(TagList::Any);
        }
        Some(TagList::Tags(members.into_iter().filter_map(EntityTag::parse).collect()))
    }

    /// Whether the list matches a representation with the tag `current`, by weak comparison.
    pub fn matches_weakly(&self, current: Option<EntityTag<'_>>) -> bool {
        match (self, current) {
            (TagList::Any, _) => true,
            (TagList::Tags(tags), Some(current)) => tags.iter().any(|tag| tag.weak_eq(current)),
            (TagList::Tags(_), None) => false,
        }
    }
}

/// The members of one line of a tag list. A backslash is an ordinary octet in an entity tag
/// (RFC 9110 section 8.8.3), so `fields::split_list` does not fit.
fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    line.split(move |&b| {
        quoted ^= b == b'"';
        b == b',' && !quoted
    })
    .map(<[u8]>::trim_ascii)
    .filter(|member| !member.is_empty())
}

/// The strong tag for a body without one: the first 16 hexadecimal digits of its SHA-256, quoted.
pub fn of_body(body: &[u8]) -> HeaderValue {
    let tag = format!("\"{}\"", hex::encode(&Sha256::digest(body)[..8]));
    HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tag_is_parsed_by_grammar() {
        for (text, weak, opaque) in [
            (r#""a""#, false, "a"),
            (r#"W/"a""#, true, "a"),
            (r#""""#, false, ""),
            (r#" "a,b" "#, false, "a,b"),
        ] {
            assert_eq!(
                EntityTag::parse(text.as_bytes()),
                Some(EntityTag { weak, opaque: opaque.as_bytes() }),
                "{text}"
            );
        }
        for text in ["a", r#""a"#, r#"w/"a""#, r#""a b""#, r#""a"b""#, "*", "", r#"""#] {
            assert_eq!(EntityTag::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn entity_tag_comparison_matches_rfc_9110() {
        for (a, b, strong, weak) in [
            (r#"W/"1""#, r#"W/"1""#, false, true),
            (r#"W/"1""#, r#"W/"2""#, false, false),
            (r#"W/"1""#, r#""1""#, false, true),
            (r#""1""#, r#""1""#, true, true),
        ] {
            let tag = |text: &'static str| EntityTag::parse(text.as_bytes()).expect(text);
            assert_eq!(tag(a).strong_eq(tag(b)), strong, "{a} {b}");
            assert_eq!(tag(a).weak_eq(tag(b)), weak, "{a} {b}");
        }
    }

    /// RFC 9110 sections 8.8.3 and 13.1.2.
    #[test]
    fn tag_list_is_parsed_by_own_grammar() {
        let of = |lines: &[&'static str]| {
            let mut fields = HeaderMap::new();
            for line in lines {
                fields.append(header::IF_NONE_MATCH, HeaderValue::from_static(line));
            }
            TagList::of(&fields, &header::IF_NONE_MATCH).map(|list| match list {
                TagList::Any => "*".to_owned(),
                TagList::Tags(tags) => {
                    let tags: Vec<_> = tags.iter().map(|tag| String::from_utf8_lossy(tag.opaque)).collect();
                    tags.join(" ")
                }
            })
        };
        for (lines, expected) in [
            (&[][..], None),
            (&[""], Some("")),
            (&["*"], Some("*")),
            (&[" * ,"], Some("*")),
            (&["*, \"a\""], Some("a")),
            (&["\"a\"", "*"], Some("a")),
            (&["*", "*"], Some("")),
            (&[r#""a", W/"b,c" ,"d""#], Some("a b,c d")),
            (&[r#""a\", "b""#], Some(r"a\ b")),
            (&[r#""open, "b""#], Some("")),
            (&[r#""open"#, r#""b""#], Some("b")),
        ] {
            assert_eq!(of(lines).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn generated_tag_is_hash_prefix() {
        assert_eq!(of_body(b"abc"), "\"ba7816bf8f01cfea\"");
    }
}
