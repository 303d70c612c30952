//! Header fields: lists, hop-by-hop fields, and their serialisation.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The fields that concern one connection only, in addition to those that `Connection` lists
/// (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// The members of a comma-separated list over all lines of `name`, trimmed and without empty ones
/// (RFC 9110 section 5.6.1). Commas in quoted strings do not separate. Lines are split as bytes,
/// whatever octets they have.
pub fn list<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    fields.get_all(name).into_iter().flat_map(|line| split_list(line.as_bytes()))
}

/// The members of one comma-separated line. Commas in quoted strings do not separate. An unclosed
/// quote is an ordinary octet, so that it cannot hide the members after it.
pub fn split_list(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut quotes) = (Some(line), true);
    std::iter::from_fn(move || {
        while let Some(text) = rest {
            let member = match member_end(text, &mut quotes) {
                Some(at) => {
                    rest = Some(&text[at + 1..]);
                    &text[..at]
                }
                None => {
                    rest = None;
                    text
                }
            };
            let member = member.trim_ascii();
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    })
}

/// The end of the first member of `text`: the first comma outside of a quoted-string. `quotes`
/// becomes false at an unclosed quote. Later quotes are then ignored, so that each line is read in
/// linear time.
fn member_end(text: &[u8], quotes: &mut bool) -> Option<usize> {
    let mut at = 0;
    while let Some(&octet) = text.get(at) {
        let length = match octet {
            b',' => return Some(at),
            b'"' if *quotes => quoted_string(&text[at..]),
            _ => Some(1),
        };
        *quotes &= length.is_some();
        at += length.unwrap_or(1);
    }
    None
}

/// The length of the quoted-string at the start of `text`, with both quotes (RFC 9110 section
/// 5.6.4); `None` if it is unclosed.
pub fn quoted_string(text: &[u8]) -> Option<usize> {
    let mut octets = text.iter().enumerate().skip(1);
    while let Some((at, &octet)) = octets.next() {
        match octet {
            b'"' => return Some(at + 1),
            b'\\' => drop(octets.next()),
            _ => {}
        }
    }
    None
}

/// Removes hop-by-hop fields and those that `Connection` names (RFC 9110 section 7.6.1).
///
/// Fields for all recipients (`Cache-Control`, `Host`, `Vary`, ...) stay even if `Connection` names
/// them. Otherwise a peer could remove the fields that decide for which clients and for how long a
/// response may be used.
pub fn remove_hop_by_hop(fields: &mut HeaderMap) {
    const KEPT: [HeaderName; 12] = [
        header::AGE,
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        HeaderName::from_static("cdn-cache-control"),
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::COOKIE,
        header::DATE,
        header::EXPIRES,
        header::HOST,
        header::VARY,
    ];
    let listed: Vec<HeaderName> = list(fields, &header::CONNECTION)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .filter(|name| !KEPT.contains(name))
        .collect();
    for name in listed.iter().chain(&HOP_BY_HOP) {
        fields.remove(name);
    }
}

/// Copies the values into memory of their own. A value that was read from a connection is a slice
/// of the read buffer, and would keep the whole buffer alive.
pub fn own(fields: &mut HeaderMap) {
    let mut octets = BytesMut::with_capacity(fields.values().map(HeaderValue::len).sum());
    for value in fields.values_mut() {
        octets.extend_from_slice(value.as_bytes());
        let copy = HeaderValue::from_maybe_shared(octets.split().freeze());
        // A copy of a valid value is valid.
        if let Ok(mut copy) = copy {
            copy.set_sensitive(value.is_sensitive());
            *value = copy;
        }
    }
}

/// Serialises a [`HeaderMap`] as pairs of octet strings, with lines in order.
pub mod octets {
    use super::{HeaderMap, HeaderName, HeaderValue};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    /// Serialises the lines for `#[serde(with)]`.
    pub fn serialize<S: Serializer>(fields: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
        let lines: Vec<(&str, &[u8])> = fields.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        lines.serialize(serializer)
    }

    /// Deserialises for `#[serde(with)]`.
    ///
    /// # Errors
    /// A name or value is not valid in HTTP, or there are more lines than a map can hold.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderMap, D::Error> {
        // Borrow the names and values: the head of a record is read for each hit on disk.
        let lines = Vec::<(&str, &[u8])>::deserialize(deserializer)?;
        let mut fields = HeaderMap::try_with_capacity(lines.len()).map_err(D::Error::custom)?;
        for (name, value) in lines {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(D::Error::custom)?;
            let value = HeaderValue::from_bytes(value).map_err(D::Error::custom)?;
            fields.try_append(name, value).map_err(D::Error::custom)?;
        }
        Ok(fields)
    }
}

/// Whether a request has credentials, for the origin or for a proxy.
pub fn has_credentials(request: &HeaderMap) -> bool {
    request.contains_key(header::AUTHORIZATION) || request.contains_key(header::PROXY_AUTHORIZATION)
}

#[cfg(test)]
pub(crate) fn lines(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.append(*name, HeaderValue::from_static(value));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(line: &str) -> Vec<String> {
        split_list(line.as_bytes()).map(|m| String::from_utf8_lossy(m).into_owned()).collect()
    }

    #[test]
    fn list_with_quoted_commas_is_split_outside_quotes() {
        for (line, expected) in [
            ("a, b", vec!["a", "b"]),
            (" , ,a,,", vec!["a"]),
            (r#"x="1,2", y"#, vec![r#"x="1,2""#, "y"]),
            (r#"x="\",", y"#, vec![r#"x="\",""#, "y"]),
            (r#"x="open, y"#, vec![r#"x="open"#, "y"]),
            (r#"x="open\", y"#, vec![r#"x="open\""#, "y"]),
            (r#"x="1", y="2,3"#, vec![r#"x="1""#, r#"y="2"#, "3"]),
            ("", vec![]),
        ] {
            assert_eq!(members(line), expected, "{line}");
        }
    }

    #[test]
    fn regression_kept_values_release_read_buffer() {
        let mut buffer = BytesMut::with_capacity(64 << 10);
        let mut read = |text: &[u8]| {
            buffer.extend_from_slice(text);
            HeaderValue::from_maybe_shared(buffer.split().freeze()).expect("a value")
        };
        let mut secret = read(b"secret");
        secret.set_sensitive(true);
        let mut fields = HeaderMap::new();
        fields.append(header::CONTENT_TYPE, read(b"text/html"));
        fields.append(header::VARY, read(b"a"));
        fields.append(header::VARY, read(b"b"));
        fields.append(header::AUTHORIZATION, secret);
        fields.append(header::ETAG, HeaderValue::from_static(""));
        let before: Vec<_> = fields.iter().map(|(n, v)| (n.clone(), v.as_bytes().to_vec())).collect();

        own(&mut fields);
        let after: Vec<_> = fields.iter().map(|(n, v)| (n.clone(), v.as_bytes().to_vec())).collect();
        assert_eq!(after, before);
        assert!(fields[header::AUTHORIZATION].is_sensitive());
        assert!(buffer.try_reclaim(64 << 10), "somebody has it still");
    }

    #[test]
    fn too_many_lines_are_refused_without_panic() {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Head(#[serde(with = "octets")] HeaderMap);
        let read = |lines: &[(&str, &[u8])]| {
            let written = postcard::to_allocvec(lines).expect("written");
            postcard::from_bytes::<Head>(&written).map(|head| head.0.len())
        };
        assert_eq!(read(&[("a", b"1"), ("a", b"2")]), Ok(2));
        assert!(read(&vec![("a", &b"1"[..]); 50_000]).is_err());
        assert!(read(&[("a b", b"1")]).is_err());
    }

    #[test]
    fn connection_removes_listed_but_not_essential_fields() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret, Cache-Control, vary, Age"),
            ("connection", "Expires"),
            ("x-secret", "1"),
            ("cache-control", "no-store"),
            ("te", "trailers"),
            ("accept", "*/*"),
            ("vary", "accept"),
            ("age", "5"),
            ("expires", "0"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut fields);
        let mut left: Vec<&str> = fields.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "age", "cache-control", "expires", "vary"]);
    }
}
