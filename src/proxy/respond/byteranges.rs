//! Parts of a stored whole (RFC 9110 sections 14 and 15.3.7): 206 with one part or several, 416.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use sha2::{Digest, Sha256};

use crate::message::body::Body;
use crate::policy::range::{self, Selected};

/// Digests of what is sent, not of what it is a part of (RFC 9530 section 2).
const OF_CONTENT: [HeaderName; 2] =
    [HeaderName::from_static("content-digest"), HeaderName::from_static("content-md5")];

/// Cuts `response`, a 200 from the store, down to what `request` selects of it. A body that is not
/// in one piece stays whole.
pub(crate) fn cut(request: &Parts, response: &mut Response<Body>) {
    if response.status() != StatusCode::OK {
        return;
    }
    let Some(whole) = response.body().as_whole().cloned() else {
        return;
    };
    let length = whole.len() as u64;
    match range::select(&request.method, &request.headers, response.headers(), length) {
        Selected::Whole => return,
        // Its parts are coded, a multipart of them is not, and no field could say so (RFC 9110
        // section 8.4).
        Selected::Parts(_) if response.headers().contains_key(header::CONTENT_ENCODING) => return,
        Selected::Part(part) => {
            let fields = response.headers_mut();
            insert(fields, header::CONTENT_RANGE, &content_range(&part, length));
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.body_mut() = Body::whole(slice(&whole, &part));
        }
        Selected::Parts(parts) => several(response, &whole, &parts),
        Selected::Unsatisfiable => {
            let fields = response.headers_mut();
            insert(fields, header::CONTENT_RANGE, &format!("bytes */{length}"));
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
            fields.remove(header::CONTENT_TYPE);
            fields.remove(header::CONTENT_ENCODING);
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            *response.body_mut() = Body::Empty;
        }
    }
    for name in OF_CONTENT {
        response.headers_mut().remove(name);
    }
}

/// `multipart/byteranges` (RFC 9110 section 14.6), without copying the parts.
fn several(response: &mut Response<Body>, whole: &Bytes, parts: &[Range<u64>]) {
    let length = whole.len() as u64;
    let boundary = boundary(whole, parts);
    let kind = response.headers().get(header::CONTENT_TYPE).cloned();
    let mut pieces = Vec::with_capacity(parts.len() * 2 + 1);
    for part in parts {
        let mut head = format!("\r\n--{boundary}\r\n").into_bytes();
        if let Some(kind) = &kind {
            head.extend_from_slice(b"Content-Type: ");
            head.extend_from_slice(kind.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(format!("Content-Range: {}\r\n\r\n", content_range(part, length)).as_bytes());
        pieces.push(Bytes::from(head));
        pieces.push(slice(whole, part));
    }
    pieces.push(Bytes::from(format!("\r\n--{boundary}--\r\n")));
    let total: usize = pieces.iter().map(Bytes::len).sum();

    let fields = response.headers_mut();
    insert(fields, header::CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(total));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
    *response.body_mut() = Body::stream(StreamBody::new(stream::iter(frames)));
}

/// A line that does not begin a line of any part: from a hash over the whole, which nobody can
/// write into itself.
fn boundary(whole: &Bytes, parts: &[Range<u64>]) -> String {
    let mut hash = Sha256::new();
    hash.update(whole);
    for part in parts {
        hash.update(part.start.to_be_bytes());
    }
    hex::encode(&hash.finalize()[..12])
}

fn content_range(part: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", part.start, part.end - 1)
}

/// `part` lies within `whole`, as `range::select` gives it.
fn slice(whole: &Bytes, part: &Range<u64>) -> Bytes {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
    whole.slice(at(part.start)..at(part.end))
}

fn insert(fields: &mut http::HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        fields.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;
    use http_body_util::BodyExt;

    fn cut_by(range: &str) -> Response<Body> {
        let request = Request::get("http://h/").header("range", range).body(()).expect("request");
        let mut response = Response::new(Body::whole("0123456789"));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        cut(&request.into_parts().0, &mut response);
        response
    }

    #[test]
    fn one_part_is_a_206_with_its_place() {
        let response = cut_by("bytes=2-4");
        assert_eq!(response.status(), 206);
        assert_eq!(response.headers()["content-range"], "bytes 2-4/10");
        assert_eq!(response.headers()["content-length"], "3");
        assert_eq!(response.body().as_whole().expect("whole"), "234");
    }

    #[test]
    fn nothing_of_it_is_a_416_with_its_length() {
        let response = cut_by("bytes=10-");
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-range"]),
            (416, &HeaderValue::from_static("bytes */10"))
        );
        assert!(response.body().as_whole().is_none());
    }

    #[tokio::test]
    async fn several_parts_are_a_multipart_of_the_announced_length() {
        let response = cut_by("bytes=0-1,-2");
        let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("multipart").to_owned();
        let announced = response.headers()["content-length"].to_str().expect("text").to_owned();
        let body = response.into_body().collect().await.expect("body").to_bytes();
        assert_eq!(announced, body.len().to_string());
        let expected = format!(
            "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
             \r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--{boundary}--\r\n"
        );
        assert_eq!(String::from_utf8_lossy(&body), expected);
    }
}
