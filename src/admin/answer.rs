//! The form of answers: JSON, and problem documents (RFC 9457), never to be stored.

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use crate::message::body::Body;
use crate::message::problem::{Layout, Problem};
use crate::purge::PurgeError;

/// A problem document.
pub(super) fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    problem_with(status, detail, json!({}))
}

/// A problem document with the members of `more` besides.
pub(super) fn problem_with(status: StatusCode, detail: &str, mut more: Value) -> Response<Body> {
    let more = more.as_object_mut().map(std::mem::take).unwrap_or_default();
    Problem { more, ..Problem::new(status, detail) }.into_response(Layout::Indented)
}

/// JSON, indented for people.
pub(super) fn answer(status: StatusCode, body: impl Serialize) -> Response<Body> {
    // By way of a value: its members are in the order of their names.
    let Ok(body) = serde_json::to_value(body) else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "internal fault");
    };
    let mut response = Response::new(Body::whole(format!("{body:#}\n")));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The status of a response that tells of `error`.
pub(super) fn status_of(error: &PurgeError) -> StatusCode {
    match error {
        PurgeError::NamesNothing(_) => StatusCode::BAD_REQUEST,
        PurgeError::Ledger(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
