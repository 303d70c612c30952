//! What a capture request says: which picture it means, and what it wishes of the cache.
//!
//! The *canonical form* is the same for all requests that mean the same picture, whoever they are written for: unambiguous aliases are
//! mapped, values spelled one way, defaults left out, names sorted. Its key holds what affects the picture and nothing else: no
//! credentials of the caller, no signature, no `ttl`. It is stable: tests/capture_keys.txt holds keys of the first version.

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
mod spelling;
#[cfg(test)]
mod tests;
mod values;

pub use canonical::{Canonical, DEFAULT_VIEWPORT, Defaults, Parameters};
pub use describe::{describe, help, openapi_parameters, openapi_properties};
pub use parameter::Parameter;
pub use parameters::{GROUPS, Group, all, is_parameter, names};
