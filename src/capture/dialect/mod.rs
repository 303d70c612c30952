//! The dialects of other services: which picture a request for one of them means, in our own names and units, what else it wants of the
//! answer, and what of it cannot be had here. Pure. docs/DIALECTS.md has the tables for people.
//!
//! Each service has a file that implements [`Dialect`]: a table of its names, which `mapping` applies, its answers and its signatures.

mod apiflash;
mod given;
pub mod imgproxy;
mod mapping;
mod microlink;
mod read;
pub mod reply;
mod request;
mod screenshotone;
mod service;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;
mod urlbox;
mod web2img;

pub use mapping::{Mapping, Rule};
pub use read::{Meaning, Outgoing, Picture, RouteDialect, json, query, read};
pub use request::{Asked, Content, Form};
pub use service::Dialect;

pub use crate::message::problem::Fault;

/// All dialects.
pub const ALL: [&dyn Dialect; 6] = [
    &screenshotone::ScreenshotOne,
    &urlbox::Urlbox,
    &apiflash::ApiFlash,
    &microlink::Microlink,
    &web2img::Web2img,
    &imgproxy::Imgproxy,
];
