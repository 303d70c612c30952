//! `POST /reload`.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::Control;
use super::answer::{answer, problem_with};
use crate::message::body::Body;

/// Another configuration is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Settings that were changed and stay as they were until a restart.
    pub needs_restart: Vec<String>,
}

/// Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReloaded {
    /// Everything that is wrong, in words.
    pub why: String,
    /// The same for programs, as `tintype check --json` has it; empty where the configuration as such is good.
    pub problems: Value,
}

impl NotReloaded {
    /// For this reason alone.
    pub fn new(why: &str) -> Self {
        NotReloaded { why: why.to_owned(), problems: json!([]) }
    }
}

pub(super) async fn post(control: &dyn Control) -> Response<Body> {
    match control.reload().await {
        Ok(Reloaded { needs_restart }) => {
            answer(StatusCode::OK, json!({ "reloaded": true, "needs_restart": needs_restart }))
        }
        Err(NotReloaded { why, problems }) => {
            let more = json!({ "reloaded": false, "problems": problems });
            problem_with(StatusCode::UNPROCESSABLE_ENTITY, &why, more)
        }
    }
}
