//! `GET /metrics`.

use axum::extract::State;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::answer::problem;
use super::context::Context;
use crate::message::body::Body;
use crate::telemetry::exposition::{self, Format};

pub(super) const METRICS: &str = "/metrics";

/// Figures for Prometheus
#[utoipa::path(get, path = METRICS, operation_id = "metrics", tag = "Figures", responses(
    (status = 200, description = "OpenMetrics or the older text, as the client accepts.",
        content(("text/plain"), ("application/openmetrics-text"))),
))]
pub(super) async fn metrics(State(context): State<Context>, fields: HeaderMap) -> Response<Body> {
    let accept = fields.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::accepted(accept);
    let Ok(text) = exposition::write(context.control.samples(), format) else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written");
    };
    let mut response = Response::new(Body::whole(text));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}
