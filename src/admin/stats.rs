//! `GET /stats` and `GET /cache/stats`.

use axum::extract::State;
use http::{Response, StatusCode};

use super::answer::answer;
use super::context::Context;
use super::figures::CacheStats;
use crate::message::body::Body;

/// Where the figures are.
pub const STATS: &str = "/stats";
pub(super) const CACHE_STATS: &str = "/cache/stats";

/// Figures
#[utoipa::path(get, path = STATS, operation_id = "stats", tag = "Figures", responses(
    (status = 200, description = "All figures.", body = Object),
))]
pub(super) async fn stats(State(context): State<Context>) -> Response<Body> {
    answer(StatusCode::OK, context.control.stats())
}

/// The figures of the cache, in short
///
/// On which listener it is, is set in `[compat]`.
#[utoipa::path(get, path = CACHE_STATS, operation_id = "cacheStats", tag = "Figures", responses(
    (status = 200, description = "The figures.", body = CacheStats),
))]
pub(super) async fn cache_stats(State(context): State<Context>) -> Response<Body> {
    answer(StatusCode::OK, context.control.figures().of_cache())
}
