//! `Runtime.evaluate`: expressions that are evaluated in pages and workers. All results are read here.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::commands::Command;

/// An expression. Its value comes as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Evaluate {
    expression: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_id: Option<i64>,
    await_promise: bool,
    return_by_value: bool,
    user_gesture: bool,
    #[serde(rename = "includeCommandLineAPI")]
    include_command_line_api: bool,
}

impl Command for Evaluate {
    const METHOD: &'static str = "Runtime.evaluate";
    type Reply = Evaluated;
}

impl Evaluate {
    /// In the page's own world, or in a worker.
    pub(crate) fn new(expression: impl Into<String>) -> Self {
        Evaluate {
            expression: expression.into(),
            context_id: None,
            await_promise: false,
            return_by_value: true,
            user_gesture: false,
            include_command_line_api: false,
        }
    }

    /// In another world of a frame.
    pub(crate) fn in_world(self, context_id: i64) -> Self {
        Evaluate { context_id: Some(context_id), ..self }
    }

    /// Waits for the value of a promise.
    pub(crate) fn awaited(self) -> Self {
        Evaluate { await_promise: true, ..self }
    }

    /// The value stays in the page.
    pub(crate) fn unread(self) -> Self {
        Evaluate { return_by_value: false, ..self }
    }

    /// As after a click, so that what needs one works.
    pub(crate) fn by_user(self) -> Self {
        Evaluate { user_gesture: true, ..self }
    }

    /// With the functions of the console, such as `getEventListeners`.
    pub(crate) fn with_console(self) -> Self {
        Evaluate { include_command_line_api: true, ..self }
    }
}

/// What came of an expression.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Evaluated {
    result: RemoteObject,
    exception_details: Option<Thrown>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RemoteObject {
    value: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Thrown {
    text: Option<String>,
    exception: Exception,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Exception {
    description: Option<String>,
}

impl Evaluated {
    /// The value as `T`; none if it is something else, or if the expression threw. What pages answer is not trusted.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Option<T> {
        if let Some(thrown) = &self.exception_details {
            tracing::debug!(?thrown, "an expression failed");
        }
        serde_json::from_value(self.result.value).ok()
    }

    /// What it threw, in words.
    pub(crate) fn thrown(&self) -> Option<&str> {
        let thrown = self.exception_details.as_ref()?;
        thrown.exception.description.as_deref().or(thrown.text.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn evaluated(reply: Value) -> Evaluated {
        serde_json::from_value(reply).unwrap()
    }

    #[test]
    fn a_value_is_read_as_what_is_wanted_or_not_at_all() {
        for (reply, expected) in [
            (json!({ "result": { "type": "number", "value": 7 } }), Some(7)),
            (json!({ "result": { "type": "string", "value": "7" } }), None),
            (json!({ "result": { "type": "undefined" } }), None),
            (json!({ "result": {}, "exceptionDetails": { "text": "Uncaught" } }), None),
            (json!({}), None),
        ] {
            assert_eq!(evaluated(reply.clone()).read::<u32>(), expected, "{reply}");
        }
    }

    #[test]
    fn what_was_thrown_is_described() {
        let details = json!({ "text": "Uncaught", "exception": { "description": "Error: no" } });
        assert_eq!(evaluated(json!({ "exceptionDetails": details })).thrown(), Some("Error: no"));
        assert_eq!(
            evaluated(json!({ "exceptionDetails": { "text": "Uncaught" } })).thrown(),
            Some("Uncaught")
        );
        assert_eq!(evaluated(json!({ "result": { "value": 1 } })).thrown(), None);
    }
}
