//! The script that hides what filters name, see filter.js.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::script::literal;
use crate::origin::chrome::network::filter::Cosmetics;

const SCRIPT: &str = include_str!("filter.js");

/// A step of the script in one document.
#[derive(Serialize)]
#[serde(tag = "step", rename_all = "lowercase")]
pub(crate) enum FilterStep<'a> {
    /// Rules for this document.
    Document { parts: &'a [Cosmetics] },
    /// Tells the names on the page, if rules are about names.
    Look { names: bool },
    /// Further rules; first those for every document where the script has not begun.
    Apply {
        parts: &'a [Cosmetics],
        #[serde(skip_serializing_if = "Option::is_none")]
        begin: Option<Vec<Value>>,
    },
}

/// What there is in a document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Looked {
    pub(crate) classes: Vec<String>,
    pub(crate) ids: Vec<String>,
    /// The rules for every document are in.
    pub(crate) begun: bool,
    /// The rules for this document are in.
    pub(crate) known: bool,
}

impl FilterStep<'_> {
    /// The expression that does this step.
    pub(crate) fn expression(&self) -> String {
        format!("({SCRIPT})({})", literal(self))
    }

    /// The expression that does this step in a document where [`begin`] ran.
    pub(crate) fn continued(&self) -> String {
        format!("filterStep({})", literal(self))
    }
}

/// What every document runs before anything of its own, with the generic rules of some categories.
pub(crate) fn begin(generic: &[&str]) -> String {
    let parts = generic.join(",");
    format!("globalThis.filterStep = ({SCRIPT}); filterStep({{\"step\":\"begin\",\"parts\":[{parts}]}})")
}
