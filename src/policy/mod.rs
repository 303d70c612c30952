//! Cache decisions as pure functions: no async, no clock, no log, no disk. The current time is an
//! argument, `now`.
//!
//! In the order in which a request meets them:
//! - [`signing`] decides whether a client may send the request.
//! - [`client`], [`query`], [`key`], [`no_vary_search`] and [`vary`] give the client address and
//!   the cache key.
//! - [`rules`] and [`wishes`] turn the route's rules and the client's parameters into a plan.
//! - [`reuse`] decides whether a stored response may answer, [`short`] until when that holds for
//!   plain requests.
//! - [`precondition`] decides between 200 and 304, [`range`] which parts are sent.
//! - [`validation`] makes the conditional request to the origin and applies its 304.
//! - [`admission`] decides whether a response is stored, by [`directives`] or [`targeted`] ones,
//!   [`freshness`], [`set_cookie`] and [`provoked`]. [`stored`] is the result.
//! - [`invalidation`] and [`groups`] list what an unsafe method invalidates.
//! - [`purge`], [`tags`] and [`place`] give the names by which stored responses are purged,
//!   [`asking`] the request that fetches one again.
//! - [`audience`] sets the caching fields for browsers and CDNs, [`public_url`] the base of links.
//! - [`sitemap`] reads the pages to warm.

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
