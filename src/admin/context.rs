//! What every handler of the control plane is given.

use std::ops::Deref;
use std::sync::Arc;

use super::control::Control;
use crate::jobs::Jobs;

/// What every handler of the control plane is given.
#[derive(Clone)]
pub(super) struct Context(Arc<Parts>);

/// The parts of one control plane.
pub(super) struct Parts {
    pub(super) control: Arc<dyn Control>,
    pub(super) token: Option<String>,
    pub(super) jobs: Arc<Jobs>,
    /// The description, as OpenAPI.
    pub(super) openapi: &'static str,
}

impl Context {
    pub(super) fn new(parts: Parts) -> Self {
        Context(Arc::new(parts))
    }
}

impl Deref for Context {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
