//! The engine's HTTP answers: pictures and problems.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::Body as _;

use super::capture::Report;
use super::network::barred::Barred;
use crate::capture::request::Format;
use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::capture::X_CAPTURE;
use crate::message::entity_tag::{self, EntityTag, TagList};
use crate::message::outcome::ErrorReason;
use crate::message::problem::{Fault, Layout, Problem};

/// A picture, and when it was made.
pub(crate) struct Picture {
    pub(crate) bytes: Vec<u8>,
    pub(crate) format: Format,
    pub(crate) captured: Timestamp,
    /// Height of the whole page in CSS pixels, where all of it was wanted.
    pub(crate) page_height: Option<u64>,
    pub(crate) report: Report,
}

/// The height of the whole page in CSS pixels; a picture of less was cut.
const PAGE_HEIGHT: header::HeaderName = header::HeaderName::from_static("x-page-height");

/// 200 with the picture, or 304 if the client named its entity tag (RFC 9110 section 13.1.2).
pub(crate) fn picture(
    picture: Picture,
    lifetime: Duration,
    method: &Method,
    asked: &HeaderMap,
) -> Response<Body> {
    let tag = entity_tag::of_body(&picture.bytes);
    let unchanged = TagList::of(asked, &header::IF_NONE_MATCH)
        .is_some_and(|listed| listed.matches_weakly(EntityTag::parse(tag.as_bytes())));
    let mut response = Response::new(Body::Empty);
    response.headers_mut().insert(header::ETAG, tag.clone());
    let captured = httpdate::fmt_http_date(picture.captured.to_system());
    set(
        &mut response,
        &[
            (header::LAST_MODIFIED, &captured),
            (header::CACHE_CONTROL, &format!("public, max-age={}", lifetime.as_secs())),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_CAPTURE, &picture.report.to_string()),
        ],
    );
    if let Some(height) = picture.page_height {
        set(&mut response, &[(PAGE_HEIGHT, &height.to_string())]);
    }
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    set(
        &mut response,
        &[
            (header::CONTENT_TYPE, picture.format.media_type()),
            (header::CONTENT_LENGTH, &picture.bytes.len().to_string()),
        ],
    );
    if method != Method::HEAD {
        *response.body_mut() = Body::whole(picture.bytes);
    }
    response
}

/// 404: the engine has one resource.
pub(crate) fn not_found(path: &str) -> Response<Body> {
    let detail = format!("this origin answers {} only", crate::origin::chrome::config::PATH);
    let mut problem = Problem::new(StatusCode::NOT_FOUND, detail);
    problem.more.insert("instance".to_owned(), path.into());
    tell(problem)
}

/// 405 with `Allow`.
pub(crate) fn method_not_allowed() -> Response<Body> {
    let detail = "a capture is read with GET or HEAD, or with POST and JSON";
    let mut response = tell(Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail));
    set(&mut response, &[(header::ALLOW, "GET, HEAD, POST")]);
    response
}

/// 413: the body is longer than any set of parameters.
pub(crate) fn body_too_large(limit: u64) -> Response<Body> {
    let detail = format!("parameters may have {limit} bytes");
    let title = Some("Content Too Large");
    tell(Problem { title, ..Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail) })
}

/// 415: parameters come as JSON.
pub(crate) fn not_json() -> Response<Body> {
    tell(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the parameters have to be application/json"))
}

/// 400: the body ended before it was whole.
pub(crate) fn body_broken(cause: &str) -> Response<Body> {
    tell(Problem::new(StatusCode::BAD_REQUEST, cause))
}

/// 400 that names each bad parameter.
pub(crate) fn bad_parameters(faults: &[Fault]) -> Response<Body> {
    let names: Vec<&str> = faults.iter().map(|fault| fault.parameter.as_str()).collect();
    tell(Problem {
        title: Some("Bad parameters"),
        reason: Some(ErrorReason::BadParameters),
        typed: true,
        faults: faults.to_vec(),
        ..Problem::new(StatusCode::BAD_REQUEST, format!("cannot use: {}", names.join(", ")))
    })
}

/// 403: the target, or what it redirects to, may not be captured.
pub(crate) fn refused(why: &Barred) -> Response<Body> {
    tell(Problem {
        title: Some("Target refused"),
        reason: Some(ErrorReason::TargetRefused),
        typed: true,
        ..Problem::new(StatusCode::FORBIDDEN, why.to_string())
    })
}

/// A cache has no use for a problem: the rules may change, and it costs nothing to make.
fn tell(problem: Problem) -> Response<Body> {
    let mut response = problem.into_response(Layout::Compact);
    let length = response.body().size_hint().exact().unwrap_or_default().to_string();
    set(&mut response, &[(header::CONTENT_LENGTH, &length), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")]);
    response
}

fn set(response: &mut Response<Body>, lines: &[(header::HeaderName, &str)]) {
    for (name, value) in lines {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn ask(method: Method, if_none_match: &str) -> Response<Body> {
        let mut asked = HeaderMap::new();
        if !if_none_match.is_empty() {
            asked.insert(header::IF_NONE_MATCH, if_none_match.parse().unwrap());
        }
        let captured = Timestamp::from_secs(784_111_777);
        let bytes = b"abc".to_vec();
        let made = Picture {
            bytes,
            format: Format::Webp,
            captured,
            page_height: Some(1234),
            report: Report::default(),
        };
        picture(made, Duration::from_secs(900), &method, &asked)
    }

    #[test]
    fn a_picture_has_its_validators_and_its_lifetime() {
        let response = ask(Method::GET, "");
        let value = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(response.status(), 200);
        assert_eq!(value("etag"), "\"ba7816bf8f01cfea\"");
        assert_eq!(value("last-modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(value("cache-control"), "public, max-age=900");
        assert_eq!((value("content-type"), value("content-length")), ("image/webp".into(), "3".into()));
        assert_eq!(value("x-content-type-options"), "nosniff");
        assert_eq!(value("x-page-height"), "1234");
        assert_eq!(response.body().as_whole().unwrap(), "abc");
        let head = ask(Method::HEAD, "");
        assert_eq!(head.headers(), response.headers());
        assert!(head.body().as_whole().is_none());
    }

    #[test]
    fn a_known_tag_is_answered_304() {
        for (wanted, status) in [
            ("\"ba7816bf8f01cfea\"", 304),
            ("W/\"ba7816bf8f01cfea\"", 304),
            ("\"x\", \"ba7816bf8f01cfea\"", 304),
            ("*", 304),
            ("\"x\"", 200),
            ("ba7816bf8f01cfea", 200),
        ] {
            let response = ask(Method::GET, wanted);
            assert_eq!(response.status(), status, "{wanted}");
            assert_eq!(response.headers().contains_key("content-type"), status == 200);
            assert!(response.headers().contains_key("etag"));
        }
    }

    #[test]
    fn a_problem_names_each_bad_parameter() {
        let fault = |name: &str| Fault { parameter: name.into(), found: "x".into(), allowed: "y".into() };
        let response = bad_parameters(&[fault("width"), fault("scale")]);
        let body: Value = serde_json::from_slice(response.body().as_whole().unwrap()).unwrap();
        assert_eq!(body["status"], 400);
        assert_eq!(body["detail"], "cannot use: width, scale");
        assert_eq!(body["errors"][1], json!({ "parameter": "scale", "found": "x", "allowed": "y" }));
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
