//! What a capture request says: which picture it means, and what it wishes of the cache.
//!
//! The *canonical form* is the same for all requests that mean the same picture, whoever they are written for: unambiguous aliases are
//! mapped, values spelled one way, defaults left out, names sorted. Its key holds what affects the picture and nothing else: no
//! credentials of the caller, no signature, no `ttl`. It is stable: tests/capture_keys.txt holds keys of the first version.

use std::sync::Arc;

use crate::policy::wishes::Wishes;

mod canonical;
mod describe;
pub mod devices;
pub mod dialect;
mod given;
pub mod limits;
mod markdown;
mod parameter;
mod parameters;
mod reader;
pub mod rendition;
pub mod request;
#[cfg(test)]
mod tests;
mod values;

pub use describe::{describe, help, openapi_parameters, openapi_properties};
pub use parameter::{Parameter, all};
pub use parameters::{GROUPS, Group};

/// Viewport of a request that names none, in CSS pixels.
pub const DEFAULT_VIEWPORT: (u32, u32) = (1280, 720);

/// A capture request in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// The query of its key.
    pub key: String,
    /// What is wished of the cache.
    pub wishes: Wishes,
    /// What is made of the picture; none for the picture itself.
    pub derivative: Option<rendition::Derivative>,
    /// What the origin is asked for.
    pub parameters: Parameters,
}

/// Canonical names and values of a capture request, sorted. The proxy hands them to the capture engine in the extensions
/// of the request, so that it does not read the query again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters(Arc<Vec<(String, String)>>);

/// What holds where a request says nothing; sizes in CSS pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// Viewport width.
    pub width: u32,
    /// Viewport height.
    pub height: u32,
    /// What the route asks for where a request says nothing of it: canonical names and values.
    pub parameters: Vec<(String, String)>,
    /// Sizes and formats are made of one stored picture, and are not asked of the origin.
    pub derive: bool,
}

/// The canonical names of all parameters.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|parameter| parameter.name)
}

/// Whether `name` is the canonical name of a parameter that says what is on a picture, or whether there is one.
pub fn is_parameter(name: &str) -> bool {
    use parameter::Class;
    parameter::find(name)
        .is_some_and(|known| matches!(known.class, Class::Capture | Class::Private | Class::Rendition))
}

impl Default for Defaults {
    fn default() -> Self {
        let (width, height) = DEFAULT_VIEWPORT;
        Defaults { width, height, parameters: Vec::new(), derive: false }
    }
}
