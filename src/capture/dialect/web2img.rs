//! web2img: `POST /screenshot?cache=…` with JSON, answered with a link to the picture; a `GET` of the same is the picture.

use super::super::parameter::Pair;
use super::super::values;
use super::mapping::Rule::{Is, Own, Words};
use super::mapping::{Mapping, Rule};
use super::reply::{ErrorReply, json_error};
use super::request::{Asked, Content, Form};
use super::service::Dialect;
use crate::message::outcome::{ErrorReason, OriginFailure};
use crate::message::problem::Problem;
use serde_json::json;

/// The service of that name that people run themselves.
pub(super) struct Web2img;

impl Dialect for Web2img {
    fn name(&self) -> &'static str {
        "web2img"
    }

    fn rules(&self) -> &'static [(&'static str, Rule)] {
        RULES
    }

    fn defaults(&self) -> &'static [(&'static str, &'static str)] {
        &[("width", "1280"), ("height", "720"), ("format", "png")]
    }

    fn begin(&self, mapping: &mut Mapping, asked: &Asked<'_>) -> bool {
        if asked.content != Content::Nothing {
            mapping.form = Form::Link;
        }
        !asked.path.contains("/batch/")
    }

    fn end(&self, mapping: &mut Mapping) {
        if let Some(cache) = mapping.take("cache") {
            match values::flag(&cache) {
                Some(true) => {}
                Some(false) => mapping.add("force", "cache", "true".into()),
                None => mapping.cannot_answer("cache", &cache, "true or false"),
            }
        }
    }

    fn link_path(&self, path: &str, pairs: &mut Vec<Pair>) -> String {
        // The link is to what is stored.
        pairs.retain(|(name, _)| name != "cache");
        path.to_owned()
    }

    fn ask(&self, path: &str, _: &mut Vec<Pair>) -> Option<String> {
        Some(path.to_owned())
    }

    fn error(&self, problem: &Problem) -> ErrorReply {
        use ErrorReason::{Busy, Origin};
        let code = match (problem.status.as_u16(), &problem.reason) {
            (_, Some(Busy | Origin(OriginFailure::Busy))) => "system_overloaded",
            (400..=499, _) => "validation_error",
            (504, _) => "navigation_error",
            (_, Some(Origin(failure))) if failure.is_of_capture() => "screenshot_error",
            _ => "internal_error",
        };
        let mut document = json!({ "error": true, "error_code": code, "message": problem.sentence() });
        if !problem.faults.is_empty() {
            document["details"] = json!({ "fields": problem.faults });
        }
        json_error(&document)
    }

    fn links_to_signed_paths(&self) -> bool {
        true
    }

    fn takes_jobs(&self) -> bool {
        true
    }
}

const RULES: &[(&str, Rule)] = &[
    ("url", Is("url")),
    ("format", Words("format", &[("png", "png"), ("jpeg", "jpeg"), ("webp", "webp")])),
    ("width", Is("width")),
    ("height", Is("height")),
    ("cache", Own),
];
