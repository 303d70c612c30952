//! Plain requests: a `GET` over HTTP/1.1 that depends on few fields. They are read directly from
//! the bytes of a connection for the fast path. All other requests take the full path. Main types:
//! [`Plain`] and [`Begins`].

use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::{EMPTY_HEADER, Request, Status};

/// Limit on the fields of a head that is examined.
const MAX_FIELDS: usize = 64;

/// The parts of a plain request that its response depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plain<'a> {
    /// The request target in origin-form.
    pub target: &'a str,
    /// The value of `Host`.
    pub host: &'a [u8],
    /// The value of `If-None-Match`, if there is one.
    pub if_none_match: Option<&'a [u8]>,
    /// The value of `Accept`, if there is one.
    pub accept: Option<&'a [u8]>,
    /// The whole head as received.
    pub head: &'a [u8],
    /// The value of `If-Modified-Since`. It is ignored beside `If-None-Match` (RFC 9110 section
    /// 13.1.3).
    pub if_modified_since: Option<&'a [u8]>,
}

impl Plain<'_> {
    /// The lines of the field `name`, from the head.
    pub fn lines(&self, name: &HeaderName) -> HeaderMap {
        let mut fields = [EMPTY_HEADER; MAX_FIELDS];
        let mut request = Request::new(&mut fields);
        let parsed = request.parse(self.head);
        let named = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name.as_str()));
        let values = named.filter_map(|field| HeaderValue::from_bytes(field.value).ok());
        match parsed {
            Ok(Status::Complete(_)) => values.map(|value| (name.clone(), value)).collect(),
            _ => HeaderMap::new(),
        }
    }
}

/// How the bytes on a connection begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins<'a> {
    /// With a plain request of this length in bytes.
    Plain(Plain<'a>, usize),
    /// With the complete head of another request, of this length in bytes. It has no content, and
    /// the connection stays open.
    Bare(usize),
    /// With anything else, or an incomplete head.
    Other,
}

/// The meaning of a field in a request without content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The host of the target URI.
    Host,
    /// A condition by entity tag.
    IfNoneMatch,
    /// A condition by date.
    IfModifiedSince,
    /// The acceptable media types.
    Accept,
    /// The field affects the cache or the response, so the target alone does not decide.
    Cache,
    /// The field affects the framing of the message, or the connection.
    Framing,
    /// The field has no effect unless a stored response names it in `Vary`.
    Nothing,
}

/// The meaning of the field `name`, in any case.
pub fn meaning(name: &str) -> Meaning {
    // Match by length first: most fields then need one comparison.
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    match name.len() {
        4 if is("host") => Meaning::Host,
        5 if is("range") => Meaning::Cache,
        6 if is("accept") => Meaning::Accept,
        6 if is("pragma") => Meaning::Cache,
        6 if is("expect") => Meaning::Framing,
        7 if is("upgrade") || is("trailer") => Meaning::Framing,
        8 if is("if-range") || is("if-match") => Meaning::Cache,
        10 if is("connection") || is("keep-alive") => Meaning::Framing,
        13 if is("if-none-match") => Meaning::IfNoneMatch,
        13 if is("cache-control") || is("authorization") => Meaning::Cache,
        14 if is("http2-settings") || is("content-length") => Meaning::Framing,
        16 if is("proxy-connection") => Meaning::Framing,
        17 if is("if-modified-since") => Meaning::IfModifiedSince,
        17 if is("transfer-encoding") => Meaning::Framing,
        19 if is("if-unmodified-since") || is("proxy-authorization") => Meaning::Cache,
        _ => Meaning::Nothing,
    }
}

/// Examines the start of `bytes` with the parser that hyper uses. A head of more than `most` fields
/// is [`Begins::Other`].
pub fn begins(bytes: &[u8], most: usize) -> Begins<'_> {
    let mut fields = [EMPTY_HEADER; MAX_FIELDS];
    let fields = &mut fields[..most.min(MAX_FIELDS)];
    let mut request = Request::new(fields);
    let Ok(Status::Complete(length)) = request.parse(bytes) else { return Begins::Other };
    let (Some(method), Some(target), Some(1)) = (request.method, request.path, request.version) else {
        return Begins::Other;
    };
    if method == "CONNECT" || has_bare_line_end(&bytes[..length]) {
        return Begins::Other;
    }
    let mut plain = Plain { target, head: &bytes[..length], ..Plain::default() };
    let mut is_plain = method == "GET" && target.starts_with('/');
    let mut hosts = 0;
    for field in request.headers.iter() {
        let once = |known: &mut Option<&[u8]>| known.replace(&[]).is_none();
        match meaning(field.name) {
            Meaning::Nothing => {}
            Meaning::Host => {
                hosts += 1;
                plain.host = field.value;
            }
            Meaning::IfNoneMatch => {
                is_plain &= once(&mut plain.if_none_match);
                plain.if_none_match = Some(field.value);
            }
            Meaning::IfModifiedSince => {
                is_plain &= once(&mut plain.if_modified_since);
                plain.if_modified_since = Some(field.value);
            }
            Meaning::Accept => {
                is_plain &= once(&mut plain.accept);
                plain.accept = Some(field.value);
            }
            Meaning::Cache => is_plain = false,
            // The default: the connection persists, and there is no content.
            Meaning::Framing if is_usual(field.name, field.value) => {
                is_plain &= field.name.len() == CONNECTION_LENGTH
            }
            Meaning::Framing => return Begins::Other,
        }
    }
    if is_plain && hosts == 1 { Begins::Plain(plain, length) } else { Begins::Bare(length) }
}

/// Whether a line ends with LF alone. This parser accepts it, and others may not (RFC 9112 section
/// 2.2).
fn has_bare_line_end(head: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head.get(at - 1) != Some(&b'\r'))
}

/// The length of the field name `Connection`.
const CONNECTION_LENGTH: usize = 10;

fn is_usual(name: &str, value: &[u8]) -> bool {
    name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case(b"keep-alive")
        || name.eq_ignore_ascii_case("content-length") && value == b"0"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &str) -> &'static str {
        match begins(bytes.as_bytes(), 3) {
            Begins::Plain(_, length) if length == bytes.len() => "plain",
            Begins::Bare(length) if length == bytes.len() => "bare",
            Begins::Plain(..) | Begins::Bare(_) => "more",
            Begins::Other => "other",
        }
    }

    #[test]
    fn plain_request_is_recognised() {
        for (bytes, expected) in [
            ("GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n", "plain"),
            ("GET / HTTP/1.1\r\nhost: h\r\nConnection: Keep-Alive\r\nCookie: a=b\r\n\r\n", "plain"),
            ("GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"x\"\r\nIf-Modified-Since: y\r\n\r\n", "plain"),
            ("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET", "more"),
            // The full path handles these.
            ("GET / HTTP/1.1\r\n\r\n", "bare"),
            ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", "bare"),
            ("GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "bare"),
            ("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", "bare"),
            ("GET / HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\n\r\n", "bare"),
            ("GET / HTTP/1.1\r\nHost: h\r\nCache-Control: no-cache\r\n\r\n", "bare"),
            ("GET / HTTP/1.1\r\nHost: h\r\nPragma: no-cache\r\n\r\n", "bare"),
            ("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: x\r\n\r\n", "bare"),
            ("GET / HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"x\"\r\nIf-None-Match: \"y\"\r\n\r\n", "bare"),
            ("GET / HTTP/1.1\r\nHost: h\r\nAccept: a/b\r\nAccept: */*\r\n\r\n", "bare"),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "bare"),
            ("POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\n\r\n", "bare"),
            // Bytes after the head may belong to these, or they end the connection.
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: +0\r\n\r\n", "other"),
            ("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n", "other"),
            ("GET / HTTP/1.0\r\nHost: h\r\n\r\n", "other"),
            ("POST / HTTP/1.1\r\nHost: h\r\n\r\n", "bare"),
            ("GET / HTTP/1.1\r\nHost: h\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", "other"),
            ("GET / HTTP/1.1\nHost: h\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: h\r\n\n", "other"),
            ("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "plain"),
            ("GET / HTTP/1.1\r\n folded: h\r\n\r\n", "other"),
            ("GET / HTTP/1.1\r\nHost: h\r\na: b\r\nc: d\r\n\r\n", "plain"),
            ("GET / HTTP/1.1\r\nHost: h\r\na: b\r\nc: d\r\ne: f\r\n\r\n", "other"),
            ("\x16\x03\x01", "other"),
            ("", "other"),
        ] {
            assert_eq!(kind(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn field_meaning_ignores_case() {
        for name in [
            "Host",
            "Accept",
            "RANGE",
            "pragma",
            "Expect",
            "upgrade",
            "Trailer",
            "If-Range",
            "if-match",
            "Connection",
            "keep-alive",
            "if-none-match",
            "Cache-Control",
            "Authorization",
            "http2-settings",
            "Content-Length",
            "proxy-connection",
            "if-modified-since",
            "transfer-encoding",
            "if-unmodified-since",
            "proxy-authorization",
        ] {
            assert_ne!(meaning(name), Meaning::Nothing, "{name}");
            assert_eq!(meaning(name), meaning(&name.to_ascii_uppercase()), "{name}");
        }
        for name in ["accepts", "cookie", "user-agent", "x-range", "hosts"] {
            assert_eq!(meaning(name), Meaning::Nothing, "{name}");
        }
    }
}
