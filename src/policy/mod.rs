//! DECISIONS, pure: no async, no clock, no log, no disk. Values in, a value out, `now` an argument.
//!
//! In the order in which a request meets them: [`signing`] says who may ask, [`key`] and [`vary`] say where to look, [`reuse`] whether what was found
//! may answer, [`short`] until when that is certain, [`rules`] what route and caller want beside, [`precondition`] whether a 304 will do, [`validation`] how to ask the origin and what its 304 changes,
//! [`admission`] whether an answer may be stored, with [`directives`] or [`targeted`] ones and [`freshness`] for how long, [`range`] which
//! parts of it are sent, [`invalidation`] and [`groups`] what an unsafe method spoils, [`purge`], [`tags`] and [`place`] by what it is purged,
//! [`asking`] how it is asked for again, [`audience`] what browsers and CDNs are told, and [`public_url`] what links begin with. [`sitemap`] lists what is worth storing ahead.

pub mod admission;
pub mod asking;
pub mod audience;
pub mod client;
pub mod directives;
pub mod freshness;
pub mod groups;
pub mod invalidation;
pub mod key;
pub mod no_vary_search;
pub mod place;
pub mod precondition;
pub mod provoked;
pub mod public_url;
pub mod purge;
pub mod query;
pub mod range;
pub mod reuse;
pub mod rules;
pub mod set_cookie;
pub mod short;
pub mod signing;
pub mod sitemap;
pub mod stored;
pub mod tags;
pub mod targeted;
pub mod validation;
pub mod vary;
pub mod wishes;
