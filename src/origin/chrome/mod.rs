//! The chrome origin: the built-in engine that drives headless Chrome.
//!
//! - [`engine`](Engine) answers `GET /screenshot`: it reads the request, waits for a place in the `queue`, makes its `attempts`, and
//!   the `response`.
//!   A `probe` may find that the page has not changed, without a browser.
//! - `browser` keeps browsers warm: process, supervisor, health, and tabs opened ahead.
//! - `protocol` speaks DevTools with them.
//! - `network` decides what a page may reach, by which way, and as which visitor.
//! - `page` opens it, prepares it, and waits until it is at rest.
//! - `capture` takes the picture.

mod attempts;
mod browser;
mod capture;
mod config;
mod counts;
mod engine;
mod network;
mod page;
mod probe;
mod protocol;
mod queue;
mod request;
mod response;

pub use crate::capture::limits::Limits;
pub use browser::endpoint::Endpoint;
pub use browser::program::{StartError, check, find as find_program, sandboxed};
pub use config::{Config, PATH, Probe, Sandbox};
pub use engine::Engine;
pub use network::certificates::{CertificateFault, PageRoots, PageRootsError, TlsSetupError};
pub use network::exception::{AllowedHost, AllowedRange, ExceptionError, is_host};
pub use network::filter::{FilterList, FilterLists, MAX_LIST, Unused, Usage};
pub use network::upstream_proxy::UpstreamProxy;
pub use network::visitor::DefaultVisitor;
pub use network::{address, barred, guard, resolver};
