//! What the head of a message says about its length (RFC 9112 sections 4 to 6).

use super::violation::Violation;

/// What follows the head of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Nothing: the message has no content.
    Empty,
    /// Nothing, although content was announced. Further bytes on the connection cannot be
    /// attributed.
    Unsound,
    /// Another head: this response is interim.
    Interim,
    /// Content of this many bytes.
    Length(u64),
    /// Content in the chunked transfer coding.
    Chunked,
    /// Content until the connection ends.
    UntilClose,
}

/// The parts of a head that decide the framing.
#[derive(Debug, Default)]
pub(super) struct Head {
    kind: HeadKind,
    /// The status code of a response.
    status: u16,
    /// The version is HTTP/1.0, which has no transfer codings.
    old: bool,
    length: Option<u64>,
    chunked: bool,
}

/// The kind of message that a head belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HeadKind {
    #[default]
    Response,
    /// A request that tintype sent.
    OurRequest,
    Request,
}

impl Head {
    pub(super) fn new(kind: HeadKind) -> Self {
        Head { kind, ..Head::default() }
    }

    /// Whether the head is parsed strictly, without the leniency that RFC 9112 permits to a
    /// recipient.
    pub(super) fn is_strict(&self) -> bool {
        self.kind == HeadKind::Request
    }

    pub(super) fn start(&mut self, line: &[u8]) -> Result<(), Violation> {
        match self.kind {
            HeadKind::OurRequest => return Ok(()),
            HeadKind::Request => return self.request_line(line),
            HeadKind::Response => {}
        }
        let (version, rest) =
            line.strip_prefix(b"HTTP/1.").and_then(<[u8]>::split_first).ok_or(Violation::StartLine)?;
        let (status, reason) = rest.split_at_checked(4).ok_or(Violation::StartLine)?;
        let [b' ', digits @ ..] = status else { return Err(Violation::StartLine) };
        let known = matches!(version, b'0' | b'1');
        if !known || !digits.iter().all(u8::is_ascii_digit) || !matches!(reason, [] | [b' ', ..]) {
            return Err(Violation::StartLine);
        }
        if !reason.iter().all(|&octet| is_text(octet)) {
            return Err(Violation::StartLine);
        }
        self.old = *version == b'0';
        self.status = digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
        if (100..600).contains(&self.status) { Ok(()) } else { Err(Violation::Status) }
    }

    /// Parses a request line: three parts with single spaces (RFC 9112 section 3).
    fn request_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        let mut parts = line.split(|&octet| octet == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Violation::StartLine);
        };
        // A request target has no fragment; recipients disagree on one.
        let odd = |octet: &u8| !matches!(octet, b'!'..=b'~' | 0x80..) || *octet == b'#';
        if method.is_empty() || !method.iter().all(|&octet| is_token(octet)) || target.is_empty() {
            return Err(Violation::StartLine);
        }
        if target.iter().any(odd) || !matches!(version, b"HTTP/1.1" | b"HTTP/1.0") {
            return Err(Violation::StartLine);
        }
        self.old = version == b"HTTP/1.0";
        Ok(())
    }

    pub(super) fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            let before = self.length;
            self.length = content_length([value])?;
            // Refuse a repeated length in a request: other recipients may add the values or choose
            // one.
            let again = before.is_some() && (before != self.length || self.is_strict());
            if again || self.is_strict() && value.contains(&b',') {
                return Err(Violation::Length);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            // tintype sends no TE, so an origin may use no other coding, and chunked only once.
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::Coding);
            }
            self.chunked = true;
        }
        Ok(())
    }

    /// What follows the head of a request (RFC 9112 section 6.3).
    pub(super) fn request_extent(&self) -> Result<Extent, Violation> {
        Ok(match (self.chunked, self.length) {
            (true, Some(_)) => return Err(Violation::Both),
            (true, None) if self.old => return Err(Violation::Coding),
            (true, None) => Extent::Chunked,
            (false, length) => Extent::Length(length.unwrap_or(0)),
        })
    }

    /// What follows the head of a response; `to_head` if it answers a HEAD request (RFC 9112
    /// section 6.3).
    pub(super) fn response_extent(&self, to_head: bool) -> Result<Extent, Violation> {
        match (self.chunked, self.length) {
            (true, Some(_)) => return Err(Violation::Both),
            (true, None) if self.old => return Err(Violation::Coding),
            _ => {}
        }
        let announced = self.chunked || self.length.is_some_and(|length| length > 0);
        Ok(match (self.status, self.length) {
            (101, _) => return Err(Violation::Switch),
            (100..200, _) if announced => return Err(Violation::InterimContent),
            (100..200, _) => Extent::Interim,
            (204, _) if announced => Extent::Unsound,
            (204 | 304, _) => Extent::Empty,
            _ if to_head => Extent::Empty,
            _ if self.chunked => Extent::Chunked,
            (_, Some(length)) => Extent::Length(length),
            (_, None) => Extent::UntilClose,
        })
    }
}

/// Splits a field line. Refuses folded lines and invalid octets (RFC 9112 section 5).
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    let colon = line.iter().position(|&octet| octet == b':').ok_or(Violation::Field)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|&octet| is_token(octet)) || !value.iter().all(|&v| is_text(v)) {
        return Err(Violation::Field);
    }
    Ok((name, value.trim_ascii()))
}

/// The only length that all `values` of `Content-Length` give (RFC 9110 section 8.6); `None`
/// without values.
pub(crate) fn content_length<'a>(
    values: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<u64>, Violation> {
    let mut found = None;
    for member in values.into_iter().flat_map(|value| value.split(|&octet| octet == b',')) {
        let length = digits(member.trim_ascii()).ok_or(Violation::Length)?;
        if found.is_some_and(|found| found != length) {
            return Err(Violation::Length);
        }
        found = Some(length);
    }
    Ok(found)
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn is_token(octet: u8) -> bool {
    /// A table, as every octet of every field name is checked.
    const TOKEN: [bool; 256] = {
        let (mut table, mut octet) = ([false; 256], 0);
        while octet < 256 {
            table[octet] = matches!(octet as u8, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'!' | b'#'..=b'\'' | b'*'
                | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
            octet += 1;
        }
        table
    };
    TOKEN[usize::from(octet)]
}

fn is_text(octet: u8) -> bool {
    matches!(octet, b'\t' | b' '..=b'~' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(start: &str, fields: &[&str]) -> Result<Extent, Violation> {
        let mut head = Head::default();
        head.start(start.as_bytes())?;
        fields.iter().try_for_each(|line| head.field(line.as_bytes()))?;
        head.response_extent(false)
    }

    #[test]
    fn content_length_invalid_is_refused() {
        use Extent::Length;
        for (fields, expected) in [
            (&["Content-Length: 5"][..], Ok(Length(5))),
            (&["Content-Length: 5, 5"], Ok(Length(5))),
            (&["Content-Length: 5", "content-length:5\t"], Ok(Length(5))),
            (&["Content-Length: 005"], Ok(Length(5))),
            (&["Content-Length: 18446744073709551615"], Ok(Length(u64::MAX))),
            (&["Content-Length: 18446744073709551616"], Err(Violation::Length)),
            (&["Content-Length: 5, 6"], Err(Violation::Length)),
            (&["Content-Length: 5", "Content-Length: 6"], Err(Violation::Length)),
            (&["Content-Length:"], Err(Violation::Length)),
            (&["Content-Length: ,5"], Err(Violation::Length)),
            (&["Content-Length: -5"], Err(Violation::Length)),
            (&["Content-Length: +5"], Err(Violation::Length)),
            (&["Content-Length: 5 5"], Err(Violation::Length)),
            (&["Content-Length: 0x5"], Err(Violation::Length)),
            (&["Content-Length: 5.0"], Err(Violation::Length)),
            (&["Content-Length: \"5\""], Err(Violation::Length)),
            (&["Content-Length: \u{665}"], Err(Violation::Length)),
            (&["X-Content-Length: 5"], Ok(Extent::UntilClose)),
        ] {
            assert_eq!(extent("HTTP/1.1 200 OK", fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn transfer_coding_other_than_chunked_is_refused() {
        for (fields, expected) in [
            (&["Transfer-Encoding: chunked"][..], Ok(Extent::Chunked)),
            (&["transfer-encoding:CHUNKED "], Ok(Extent::Chunked)),
            (&["Transfer-Encoding: gzip, chunked"], Err(Violation::Coding)),
            (&["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"], Err(Violation::Coding)),
            (&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], Err(Violation::Coding)),
            (&["Transfer-Encoding: chunked, chunked"], Err(Violation::Coding)),
            (&["Transfer-Encoding: chunked, identity"], Err(Violation::Coding)),
            (&["Transfer-Encoding: identity"], Err(Violation::Coding)),
            (&["Transfer-Encoding: xchunked"], Err(Violation::Coding)),
            (&["Transfer-Encoding: chunked;q=1"], Err(Violation::Coding)),
            (&["Transfer-Encoding:"], Err(Violation::Coding)),
            (&["Transfer-Encoding: \u{b}chunked"], Err(Violation::Field)),
            (&["Transfer-Encoding : chunked"], Err(Violation::Field)),
            (&["Content-Length: 5", "Transfer-Encoding: chunked"], Err(Violation::Both)),
            (&["Transfer-Encoding: chunked", "Content-Length: 5"], Err(Violation::Both)),
        ] {
            assert_eq!(extent("HTTP/1.1 200 OK", fields), expected, "{fields:?}");
        }
        assert_eq!(extent("HTTP/1.0 200 OK", &["Transfer-Encoding: chunked"]), Err(Violation::Coding));
    }

    #[test]
    fn status_line_invalid_is_refused() {
        for (line, expected) in [
            ("HTTP/1.1 200", Ok(Extent::UntilClose)),
            ("HTTP/1.0 200 ", Ok(Extent::UntilClose)),
            ("HTTP/1.1 599 \u{e9}", Ok(Extent::UntilClose)),
            ("HTTP/1.1 101 Switching Protocols", Err(Violation::Switch)),
            ("HTTP/1.1 099 No", Err(Violation::Status)),
            ("HTTP/1.1 600 No", Err(Violation::Status)),
            ("HTTP/1.1 1000 No", Err(Violation::StartLine)),
            ("HTTP/1.1 20 OK", Err(Violation::StartLine)),
            ("HTTP/1.1  200 OK", Err(Violation::StartLine)),
            ("HTTP/1.1 -20 OK", Err(Violation::StartLine)),
            ("HTTP/1.2 200 OK", Err(Violation::StartLine)),
            ("HTTP/2 200 OK", Err(Violation::StartLine)),
            ("http/1.1 200 OK", Err(Violation::StartLine)),
            ("HTTP/1.1\t200 OK", Err(Violation::StartLine)),
            ("HTTP/1.1 200 O\0K", Err(Violation::StartLine)),
            ("<html>", Err(Violation::StartLine)),
            ("", Err(Violation::StartLine)),
        ] {
            assert_eq!(extent(line, &[]), expected, "{line:?}");
        }
    }

    #[test]
    fn field_line_invalid_is_refused() {
        for line in
            ["X", ": 1", "X : 1", " X: 1", "\tfolded", "X\0: 1", "X: \0", "X: a\rb", "X: \u{7f}", "X(: 1"]
        {
            assert_eq!(field(line.as_bytes()), Err(Violation::Field), "{line:?}");
        }
        assert_eq!(field(b"X:\t a b \xff "), Ok((&b"X"[..], &b"a b \xff"[..])));
    }
}
