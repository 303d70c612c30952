//! The form of answers: JSON, and problem documents (RFC 9457), never to be stored.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use crate::message::body::Body;
use crate::message::problem::{Layout, Problem};

/// Bytes of a request body that are read.
const MAX_BODY: usize = 64 * 1024;

pub(super) async fn read_body(request: Request<Body>) -> Result<Bytes, Response<Body>> {
    read_body_of(request, MAX_BODY).await
}

/// A body of at most so many bytes.
pub(super) async fn read_body_of(request: Request<Body>, most: usize) -> Result<Bytes, Response<Body>> {
    let body = Limited::new(request.into_body(), most).collect().await;
    let too_long = |_| problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long, or broke off");
    Ok(body.map_err(too_long)?.to_bytes())
}

pub(super) fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("allowed here: {allowed}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// A problem document.
pub(super) fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    problem_with(status, detail, json!({}))
}

/// A problem document with the members of `more` besides.
pub(super) fn problem_with(status: StatusCode, detail: &str, mut more: Value) -> Response<Body> {
    let more = more.as_object_mut().map(std::mem::take).unwrap_or_default();
    Problem { more, ..Problem::new(status, detail) }.into_response(Layout::Indented)
}

pub(super) fn answer(status: StatusCode, body: Value) -> Response<Body> {
    let mut response = Response::new(Body::whole(format!("{body:#}\n")));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
