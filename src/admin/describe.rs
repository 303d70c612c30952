//! The description of everything that can be asked for: OpenAPI for programs, one page for people. Neither tells anything of this tintype.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use crate::capture;
use crate::message::body::Body;

/// docs/openapi.json, with the capture parameters.
pub static OPENAPI: LazyLock<String> = LazyLock::new(|| {
    let text = include_str!("../../docs/openapi.json");
    serde_json::from_str(text).map_or_else(
        |_| text.to_owned(),
        |mut document| {
            capture::describe(&mut document);
            format!("{document:#}\n")
        },
    )
});
/// The page, but for the document.
const PAGE: &str = include_str!("docs.html");
/// Where the document stands in the page.
const PLACE: &str = "\"the document\"";

/// The page reads the document in itself, so it works from a file as well, and loads nothing.
static DOCS: LazyLock<Bytes> =
    LazyLock::new(|| PAGE.replacen(PLACE, &OPENAPI.replace("</", "<\\/"), 1).into());

pub(super) fn openapi() -> Response<Body> {
    answer("application/json", Bytes::from_static(OPENAPI.as_bytes()))
}

pub(super) fn docs() -> Response<Body> {
    let mut response = answer("text/html; charset=utf-8", DOCS.clone());
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                  frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// The other name of the page.
pub(super) fn redoc() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/docs"));
    response
}

fn answer(kind: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::whole(body));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
