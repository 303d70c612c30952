//! The definitions of all parameters. Each file has a group: its definitions, the part of a
//! [`CaptureRequest`](super::request::CaptureRequest) that they become, and how it is read.

pub use super::parameter::Group;
use super::parameter::{Alias, Class, Parameter, Shape};

pub(super) mod area;
pub(super) mod blocking;
pub(super) mod control;
pub(super) mod look;
pub(super) mod page;
pub(super) mod picture;
pub(super) mod rules;
pub(super) mod view;
pub(super) mod visitor;
pub(super) mod wait;

/// All groups, in the order in which clients see them.
pub const GROUPS: &[Group] = &[
    page::GROUP,
    view::GROUP,
    picture::GROUP,
    area::GROUP,
    wait::GROUP,
    look::GROUP,
    blocking::GROUP,
    visitor::GROUP,
    rules::GROUP,
    control::CACHE,
    control::DELIVERY,
];

/// All parameters, in the order in which they are listed to clients.
pub fn all() -> impl Iterator<Item = &'static Parameter> {
    GROUPS.iter().flat_map(|group| group.parameters.iter().copied())
}

/// The parameter of this canonical name.
pub(in crate::capture) fn find(name: &str) -> Option<&'static Parameter> {
    all().find(|parameter| parameter.name == name)
}

/// The parameter that has this other name, and what that means.
pub(in crate::capture) fn alias(name: &str) -> Option<(&'static Parameter, Alias)> {
    all().find_map(|parameter| {
        let (_, alias) = parameter.aliases.iter().find(|(known, _)| *known == name)?;
        Some((parameter, *alias))
    })
}

/// What stands between name and value where `name`, which may be an alias, takes pairs: as they are
/// written, not as they are spelled.
pub(in crate::capture) fn between(name: &str) -> Option<&'static str> {
    let parameter = match alias(name) {
        Some((parameter, Alias::Same)) => Some(parameter),
        _ => find(name),
    };
    match parameter?.shape() {
        Shape::Pairs(":") => Some(": "),
        Shape::Pairs(between) => Some(between),
        _ => None,
    }
}

/// The canonical names of all parameters.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|parameter| parameter.name)
}

/// Whether `name` is the canonical name of a parameter that affects the picture, or whether there is one.
pub fn is_parameter(name: &str) -> bool {
    find(name).is_some_and(|known| matches!(known.class, Class::Capture | Class::Private | Class::Rendition))
}
