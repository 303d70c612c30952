//! The parameters of a request to another service as they were given, by query, JSON or form.

use serde_json::Value;

use super::super::given::{self, text};
use super::super::parameter::Pair;
use super::request::{Asked, Content};
use crate::message::json;

pub(super) use super::super::given::MAX_PAIRS;

/// All pairs of `asked`. `None` for what cannot be read.
pub(super) fn all(asked: &Asked<'_>) -> Option<Vec<Pair>> {
    let mut pairs = given::query(asked.query)?;
    match asked.content {
        Content::Nothing => {}
        Content::Json(body) => {
            let Ok(Value::Object(members)) = json::from_slice(body) else { return None };
            for (name, value) in members {
                flatten(&mut pairs, name, value, 0);
            }
        }
        Content::Form(body) => pairs.extend(given::query(std::str::from_utf8(body).ok()?)?),
    }
    (pairs.len() <= MAX_PAIRS).then_some(pairs)
}

/// Lists as repeated names, objects as `name.member`.
fn flatten(pairs: &mut Vec<Pair>, name: String, value: Value, depth: usize) {
    if pairs.len() > MAX_PAIRS {
        return;
    }
    match value {
        Value::Null => {}
        Value::Array(values) => {
            pairs.extend(values.iter().take(MAX_PAIRS + 1).map(|value| (name.clone(), text(value))));
        }
        Value::Object(members) if depth < 3 => {
            for (member, value) in members {
                flatten(pairs, format!("{name}.{member}"), value, depth + 1);
            }
        }
        value => pairs.push((name, text(&value))),
    }
}
