//! `GET /healthz`, `/readyz` and `/health`: whether the process works.

use std::collections::BTreeMap;

use axum::extract::State;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::answer::answer;
use super::context::Context;
use super::figures::Health;
use crate::message::body::Body;

/// Where `tintype health` asks.
pub const HEALTHZ: &str = "/healthz";
pub(super) const READYZ: &str = "/readyz";
pub(super) const HEALTH: &str = "/health";

/// Whether everything that responses need can work.
#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    ready: bool,
    /// Each part by name, and whether it works.
    parts: BTreeMap<String, bool>,
}

/// Whether the process runs
///
/// And every task that must live does.
#[utoipa::path(get, path = HEALTHZ, operation_id = "isAlive", tag = "Health", responses(
    (status = 200, description = "It does.", body = Object),
    (status = 503, description = "It is about to end.", body = Object),
))]
pub(super) async fn alive(State(context): State<Context>) -> Response<Body> {
    match context.control.failure() {
        None => answer(StatusCode::OK, json!({ "status": "ok" })),
        Some(why) => answer(StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "failed", "why": why })),
    }
}

/// Whether everything that responses need can work
#[utoipa::path(get, path = READYZ, operation_id = "isReady", tag = "Health", responses(
    (status = 200, description = "It can; each part by name.", body = Ready),
    (status = 503, description = "Some part cannot.", body = Ready),
))]
pub(super) async fn ready(State(context): State<Context>) -> Response<Body> {
    let parts: BTreeMap<_, _> = context.control.readiness().into_iter().collect();
    let ready = parts.values().all(|works| *works);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, Ready { ready, parts })
}

/// How the services are
///
/// On which listener it is, is set in `[compat]`.
#[utoipa::path(get, path = HEALTH, operation_id = "health", tag = "Health", responses(
    (status = 200, description = "It can answer.", body = Health),
    (status = 503, description = "It cannot.", body = Health),
))]
pub(super) async fn health(State(context): State<Context>) -> Response<Body> {
    let (works, health) = context.control.figures().health(&context.control.readiness());
    let works = works && context.control.failure().is_none();
    answer(if works { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, health)
}
