//! `GET /metrics`.

use http::{HeaderValue, Request, Response, StatusCode, header};

use super::{Control, problem};
use crate::message::body::Body;
use crate::telemetry::exposition::{self, Format};

/// All metrics, in the format that the client accepts.
pub(super) fn get(control: &dyn Control, request: &Request<Body>) -> Response<Body> {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept);
    let Ok(text) = exposition::write(control.samples(), format) else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written");
    };
    let mut response = Response::new(Body::whole(text));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}
