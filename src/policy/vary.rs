//! Selecting header fields and variant keys (RFC 9111 section 4.1).

use http::{HeaderMap, HeaderName, header};

use crate::message::fields;

/// Comma-separated lists whose order has or may have a meaning; only blanks around members are
/// removed (RFC 9110 section 5.6.1). [`is_list`] has the lists whose order has none. In an unknown
/// field, a comma may not be a separator.
const ORDERED_LISTS: [HeaderName; 13] = [
    HeaderName::from_static("a-im"),
    header::ACCESS_CONTROL_REQUEST_HEADERS,
    header::CACHE_CONTROL,
    HeaderName::from_static("cdn-loop"),
    header::FORWARDED,
    HeaderName::from_static("prefer"),
    HeaderName::from_static("priority"),
    HeaderName::from_static("sec-ch-ua"),
    HeaderName::from_static("sec-ch-ua-form-factors"),
    HeaderName::from_static("sec-ch-ua-full-version-list"),
    HeaderName::from_static("want-content-digest"),
    HeaderName::from_static("want-repr-digest"),
    HeaderName::from_static("x-forwarded-for"),
];

/// The selecting header fields that `Vary` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selecting {
    /// No field: one response answers every request.
    Nothing,
    /// These fields, sorted and without duplicates.
    Fields(Vec<HeaderName>),
    /// `*`, or a value that cannot be parsed: no other request matches.
    All,
}

/// Parses all `Vary` lines.
pub fn selecting(response: &HeaderMap) -> Selecting {
    let mut names = Vec::new();
    for member in fields::list(response, &header::VARY) {
        match HeaderName::from_bytes(member) {
            // `*` is a valid token, so it parses as a field name.
            Ok(name) if name.as_str() != "*" => names.push(name),
            _ => return Selecting::All,
        }
    }
    names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    names.dedup();
    if names.is_empty() { Selecting::Nothing } else { Selecting::Fields(names) }
}

/// The cache key of the variant that `request` selects: the primary key, then each selecting header
/// field with its normalised value. An absent field differs from an empty one.
pub fn variant_key<'a>(
    primary: &[u8],
    names: impl IntoIterator<Item = &'a HeaderName>,
    request: &HeaderMap,
) -> Vec<u8> {
    let mut key = primary.to_vec();
    for name in names {
        key.push(b'\n');
        key.extend_from_slice(name.as_str().as_bytes());
        if request.contains_key(name) {
            key.push(b':');
            append_value(&mut key, name, request);
        }
    }
    key
}

/// Appends the normalised value of a selecting header field.
///
/// In a list whose order has no meaning, lines are joined, members sorted, and blanks around them
/// removed. In other known lists, the order is kept. In all other fields, only the lines are joined
/// (RFC 9110 section 5.3).
fn append_value(key: &mut Vec<u8>, name: &HeaderName, request: &HeaderMap) {
    let mut members: Vec<Vec<u8>> = if name == header::ACCEPT_ENCODING {
        admitted_codings(request)
    } else if is_list(name) {
        let mut members: Vec<_> =
            fields::list(request, name).map(|member| normal_member(name, member)).collect();
        members.sort_unstable();
        members
    } else if ORDERED_LISTS.contains(name) {
        fields::list(request, name).map(<[u8]>::to_vec).collect()
    } else {
        request.get_all(name).iter().map(|line| line.as_bytes().trim_ascii().to_vec()).collect()
    };
    members.dedup_by(|a, b| is_list(name) && a == b);
    key.extend_from_slice(&members.join(&b", "[..]));
}

/// The codings that `Accept-Encoding` allows, sorted. A weight of zero is kept for `identity`, for
/// `*`, and for exceptions to an allowed `*`. All allowed codings are acceptable, whatever their
/// weight (RFC 9110 section 12.5.3).
fn admitted_codings(request: &HeaderMap) -> Vec<Vec<u8>> {
    let (mut codings, mut refused) = (Vec::new(), Vec::new());
    for member in fields::list(request, &header::ACCEPT_ENCODING) {
        let mut parts = member.split(|&b| b == b';').map(<[u8]>::trim_ascii);
        let mut coding = parts.next().unwrap_or_default().to_ascii_lowercase();
        if matches!(coding.as_slice(), b"x-gzip" | b"x-compress") {
            // x-gzip and x-compress are aliases (RFC 9110 section 8.4.1).
            coding.drain(..2);
        }
        if !parts.any(is_zero_weight) {
            codings.push(coding);
        } else {
            let lasting = matches!(coding.as_slice(), b"identity" | b"*");
            coding.extend_from_slice(b";q=0");
            if lasting { &mut codings } else { &mut refused }.push(coding);
        }
    }
    if codings.iter().any(|coding| coding == b"*") {
        codings.append(&mut refused);
    }
    codings.sort_unstable();
    codings
}

/// Whether a parameter is a weight of zero: `q=0`, `q=0.000`.
fn is_zero_weight(parameter: &[u8]) -> bool {
    let Some(at) = parameter.iter().position(|&b| b == b'=') else {
        return false;
    };
    let (name, weight) = (parameter[..at].trim_ascii(), parameter[at + 1..].trim_ascii());
    name.eq_ignore_ascii_case(b"q")
        && weight.first() == Some(&b'0')
        && weight[1..].iter().all(|b| matches!(b, b'0' | b'.'))
}

/// Normalises one member of a list: no blanks around parameters, lower case, one form of each
/// weight. The parameters of a media type keep their case, which may matter (RFC 9110 section
/// 8.3.1).
fn normal_member(name: &HeaderName, member: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(member.len());
    if member.contains(&b'\\') {
        // Escapes in a quoted-string are too rare to normalise.
        key.extend_from_slice(member);
        return key;
    }
    let mut quoted = false;
    let parameters = member.split(|&b| {
        quoted ^= b == b'"';
        b == b';' && !quoted
    });
    let mut parts = parameters.map(<[u8]>::trim_ascii).enumerate().peekable();
    while let Some((i, part)) = parts.next() {
        let weight = weight(part).filter(|_| i > 0);
        // A weight of 1 is the default (RFC 9110 section 12.4.2). Parameters after a weight are
        // extensions and are kept.
        if weight == Some(b"1") && parts.peek().is_none() {
            continue;
        }
        if i > 0 {
            key.push(b';');
        }
        if let Some(weight) = weight {
            key.extend_from_slice(b"q=");
            key.extend_from_slice(weight);
            continue;
        }
        let sensitive = match part.iter().position(|&b| b == b'=') {
            Some(at) if name == header::ACCEPT => at,
            _ => part.len(),
        };
        key.extend(part[..sensitive].iter().map(u8::to_ascii_lowercase));
        key.extend_from_slice(&part[sensitive..]);
    }
    key
}

/// The value of a weight without trailing zeros: `0.5` for `q=0.500`, `1` for `q=1.0`. `None` if
/// the grammar does not allow it (RFC 9110 section 12.4.2).
fn weight(parameter: &[u8]) -> Option<&[u8]> {
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, digits) = match value {
        [whole @ (b'0' | b'1')] => (*whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', digits @ ..] => (*whole, digits),
        _ => return None,
    };
    let valid =
        digits.len() <= 3 && digits.iter().all(|b| b.is_ascii_digit() && (whole == b'0' || *b == b'0'));
    let kept = digits.iter().rposition(|b| *b != b'0').map_or(1, |last| last + 3);
    valid.then(|| &value[..kept])
}

/// The content negotiation fields: lists of mostly case-insensitive members (RFC 9110 section
/// 12.5).
fn is_list(name: &HeaderName) -> bool {
    [header::ACCEPT, header::ACCEPT_CHARSET, header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE].contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::lines as fields;

    #[test]
    fn vary_in_all_forms_is_parsed() {
        let name = HeaderName::from_static;
        for (lines, expected) in [
            (vec![], Selecting::Nothing),
            (vec![""], Selecting::Nothing),
            (vec!["Foo"], Selecting::Fields(vec![name("foo")])),
            (vec!["foo, Accept ,foo"], Selecting::Fields(vec![name("accept"), name("foo")])),
            (vec!["foo", "bar"], Selecting::Fields(vec![name("bar"), name("foo")])),
            (vec!["*"], Selecting::All),
            (vec!["foo, *"], Selecting::All),
            (vec!["*, *"], Selecting::All),
            (vec!["foo", " * "], Selecting::All),
            (vec!["a b"], Selecting::All),
        ] {
            let lines: Vec<_> = lines.into_iter().map(|line| ("vary", line)).collect();
            assert_eq!(selecting(&fields(&lines)), expected, "{lines:?}");
        }
    }

    #[test]
    fn variant_key_of_equivalent_values_is_equal() {
        let key = |name: &'static str, lines: &[(&'static str, &'static str)]| {
            variant_key(b"k", &[HeaderName::from_static(name)], &fields(lines))
        };
        for (name, a, b, same) in [
            ("accept-encoding", vec!["gzip, br"], vec!["gzip", "br"], true),
            ("accept-encoding", vec!["gzip,br"], vec!["GZIP ,  br"], true),
            ("accept-encoding", vec!["br, gzip"], vec!["gzip;q=0.5, br;q=1"], true),
            ("accept-encoding", vec!["x-gzip"], vec!["gzip"], true),
            ("accept-encoding", vec!["gzip, br;q=0"], vec!["gzip"], true),
            ("accept-encoding", vec!["gzip, br;q=0.000"], vec!["gzip, br"], false),
            ("accept-encoding", vec!["gzip, br;q=0.001"], vec!["gzip, br"], true),
            ("accept-encoding", vec!["gzip, identity;q=0"], vec!["gzip"], false),
            ("accept-encoding", vec!["*;q=0"], vec![""], false),
            ("accept-encoding", vec!["gzip;q=0, *"], vec!["*"], false),
            ("accept-encoding", vec!["gzip;q=0, br"], vec!["br"], true),
            ("accept-encoding", vec![], vec![""], false),
            ("accept-language", vec!["en, de"], vec!["de", "en"], true),
            ("accept-language", vec!["en, de;q=0.5"], vec!["de, en;q=0.5"], false),
            ("x-a", vec!["1, 2"], vec!["1", "2"], true),
            ("x-a", vec!["1", "2"], vec!["2", "1"], false),
            ("x-a", vec!["1", "1"], vec!["1"], false),
            ("accept-language", vec!["de;q=0.5"], vec!["de; q=0.5"], true),
            ("accept-language", vec!["en, de;q=0.5"], vec!["de;q=0.5,en"], true),
            ("accept-language", vec!["en, de;q=0.5"], vec!["de;q=0.500 , EN;q=1.0"], true),
            ("accept-language", vec!["en;q=1"], vec!["en"], true),
            ("accept-language", vec!["en;q=0"], vec!["en;q=0.000"], true),
            ("accept-language", vec!["en;q=0"], vec!["en"], false),
            ("accept-language", vec!["en;q=0"], vec![""], false),
            ("accept-language", vec!["en;q=0.5"], vec!["en;q=0.05"], false),
            ("accept-language", vec!["en;q=0.5"], vec!["en;q=0.5000"], false),
            ("accept-language", vec!["en;q=1"], vec!["en;q=1.001"], false),
            ("accept-language", vec!["en;q=1"], vec!["en;q=10"], false),
            ("accept-language", vec!["en, de;q=0.5"], vec!["de", "en;q=0.5"], false),
            ("accept-language", vec!["en, de;q=0.5"], vec!["en", "de;q=0.5"], true),
            ("accept-language", vec!["en, de"], vec!["fr;q=0.5, de"], false),
            ("accept", vec!["a/b;q=1;x=1"], vec!["a/b;x=1"], false),
            ("accept", vec!["a/b;x=1;q=1.000"], vec!["a/b;x=1"], true),
            ("accept", vec!["q=1"], vec![""], false),
            ("prefer", vec!["wait=5,return=minimal"], vec!["wait=5 ,\t return=minimal"], true),
            ("prefer", vec!["wait=5, return=minimal"], vec!["wait=5", "return=minimal"], true),
            ("prefer", vec!["wait=5, return=minimal"], vec!["return=minimal, wait=5"], false),
            ("prefer", vec!["a=\"1, 2\""], vec!["a=\"1,2\""], false),
            ("sec-ch-ua", vec!["\"A\";v=\"1\",\"B\""], vec!["\"A\";v=\"1\", \"B\""], true),
            ("access-control-request-headers", vec!["x-a,x-b"], vec!["x-a, x-b"], true),
            ("x-forwarded-for", vec!["1.2.3.4,5.6.7.8"], vec!["1.2.3.4, 5.6.7.8"], true),
            ("x-a", vec!["1,2"], vec!["1, 2"], false),
            ("x-a", vec![" 1, 2 "], vec!["1, 2"], true),
            ("accept-language", vec!["de"], vec!["en"], false),
            ("accept-language", vec!["de"], vec!["de", "en"], false),
            ("accept", vec!["Text/HTML; Q=0.5 , */*"], vec!["text/html;q=0.5,*/*"], true),
            ("accept", vec!["a/b;profile=\"X\""], vec!["a/b;profile=\"x\""], false),
            ("accept", vec!["a/b;profile=\"1 2\""], vec!["a/b;profile=\"12\""], false),
            ("accept", vec!["a/b;profile=\"1;  2\""], vec!["a/b;profile=\"1;2\""], false),
            ("accept", vec![r#"a/b;p="\";X""#], vec![r#"a/b;p="\";x""#], false),
            ("accept-language", vec!["d e"], vec!["de"], false),
            ("user-agent", vec!["A,b"], vec!["A, b"], false),
            ("user-agent", vec!["A"], vec!["a"], false),
            ("x-a", vec![], vec![""], false),
        ] {
            let lines = |values: Vec<&'static str>| values.into_iter().map(|v| (name, v)).collect::<Vec<_>>();
            let (a, b) = (lines(a), lines(b));
            assert_eq!(key(name, &a) == key(name, &b), same, "{a:?} {b:?}");
        }
    }

    #[test]
    fn variant_key_of_crafted_value_is_distinct() {
        let names = [HeaderName::from_static("a"), HeaderName::from_static("b")];
        let one = variant_key(b"k", &names, &fields(&[("a", "1,b:2")]));
        let two = variant_key(b"k", &names, &fields(&[("a", "1"), ("b", "2")]));
        assert_ne!(one, two);
    }
}
