//! A plain request as a message.

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use crate::message::plain::{Meaning, meaning};

/// A GET that nothing but its target, its `Host`, its conditions and `Accept` decides: what
/// [`Plain`](crate::message::plain::Plain) is in bytes of HTTP/1.1. It comes over HTTP/2, or
/// through hyper.
#[derive(Clone)]
pub(crate) struct PlainRequest {
    pub(super) host: HeaderValue,
    pub(super) target: PathAndQuery,
}

impl PlainRequest {
    pub(crate) fn of(request: &Parts) -> Option<Self> {
        if request.method != Method::GET {
            return None;
        }
        let plain = |name: &HeaderName, value: &HeaderValue| match meaning(name.as_str()) {
            Meaning::Host | Meaning::IfNoneMatch | Meaning::IfModifiedSince => true,
            Meaning::Accept | Meaning::Nothing => true,
            // Another value names fields that are removed.
            Meaning::Framing => {
                let usual = |usual: &&[u8]| value.as_bytes().eq_ignore_ascii_case(usual);
                name == header::CONNECTION && [&b"close"[..], b"keep-alive"].iter().any(usual)
            }
            Meaning::Cache => false,
        };
        let host = match (request.version, request.uri.authority()) {
            (Version::HTTP_11, None) => one(&request.headers, &header::HOST)?,
            (Version::HTTP_2, Some(authority)) if !request.headers.contains_key(header::HOST) => {
                HeaderValue::from_str(authority.as_str()).ok()?
            }
            _ => return None,
        };
        request.headers.iter().all(|(name, value)| plain(name, value)).then_some(())?;
        Some(PlainRequest { host, target: request.uri.path_and_query()?.clone() })
    }
}

/// The value of a field that is there once.
pub(super) fn one(fields: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut values = fields.get_all(name).iter();
    let value = values.next()?.clone();
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn plain_request_table() {
        for (version, target, fields, expected) in [
            (Version::HTTP_11, "/a?b", &[("host", "h"), ("accept", "*/*")][..], true),
            (Version::HTTP_11, "/a?b", &[("host", "h"), ("connection", "Close")], true),
            (Version::HTTP_11, "/a?b", &[("host", "h"), ("connection", "x")], false),
            (Version::HTTP_11, "/a?b", &[("host", "h"), ("host", "h")], false),
            (Version::HTTP_11, "http://h/a", &[("host", "h")], false),
            (Version::HTTP_11, "/a", &[("host", "h"), ("cache-control", "no-cache")], false),
            (Version::HTTP_11, "/a", &[("host", "h"), ("range", "bytes=0-1")], false),
            (Version::HTTP_2, "http://h/a", &[], true),
            (Version::HTTP_2, "http://h/a", &[("host", "h")], false),
            (Version::HTTP_10, "/a", &[("host", "h")], false),
        ] {
            let mut request = Request::get(target).version(version).body(()).expect("request");
            for (name, value) in fields {
                request.headers_mut().append(*name, HeaderValue::from_static(value));
            }
            let plain = PlainRequest::of(&request.into_parts().0);
            assert_eq!(plain.is_some(), expected, "{version:?} {target} {fields:?}");
        }
    }
}
