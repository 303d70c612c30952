//! `POST /reload`.

use axum::extract::State;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::answer::{answer, problem_with};
use super::context::Context;
use super::control::{NotReloaded, Reloaded};
use super::describe::Problem;
use crate::message::body::Body;

/// Where a reload is posted.
pub const RELOAD: &str = "/reload";

/// What a reload did.
#[derive(Serialize, ToSchema)]
pub(super) struct Reload {
    reloaded: bool,
    /// Settings that were changed and stay as they were until a restart.
    needs_restart: Vec<String>,
}

/// Put the configuration in force as it is now
#[utoipa::path(post, path = RELOAD, operation_id = "reload", tag = "Control", responses(
    (status = 200, description = "It is in force.", body = Reload),
    (status = 422, description = "What is wrong with it; nothing has changed.", body = Problem,
        content_type = "application/problem+json"),
))]
pub(super) async fn reload(State(context): State<Context>) -> Response<Body> {
    match context.control.reload().await {
        Ok(Reloaded { needs_restart }) => answer(StatusCode::OK, Reload { reloaded: true, needs_restart }),
        Err(NotReloaded { why, problems }) => {
            let more = json!({ "reloaded": false, "problems": problems });
            problem_with(StatusCode::UNPROCESSABLE_ENTITY, &why, more)
        }
    }
}
