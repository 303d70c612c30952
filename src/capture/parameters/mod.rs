//! The definitions of all parameters. Each file has a group: its definitions, the part of a
//! [`CaptureRequest`](super::request::CaptureRequest) that they become, and how it is read.

use super::parameter::Parameter;

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

/// Parameters with one table in docs/CAPTURE.md.
#[derive(Debug)]
pub struct Group {
    /// Its name in the markers of the table.
    pub name: &'static str,
    /// In the order of the table.
    pub parameters: &'static [&'static Parameter],
}

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
