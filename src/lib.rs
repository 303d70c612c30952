//! tintype: a caching HTTP reverse proxy for screenshots of web pages.
//!
//! Modules in the order in which a request meets them:
//!
//! - [`config`] reads `proxy.toml` into a valid [`config::Config`]; [`app`] composes the parts from
//!   it.
//! - [`listener`] accepts connections: limits, TLS, protocol detection, drain.
//! - [`message`] is HTTP vocabulary without I/O.
//! - [`policy`] holds the decisions, pure functions from values to values.
//! - [`capture`] defines a capture request: its parameters, its cache key, the dialects of other
//!   services.
//! - [`proxy`] is the data plane: route, key, lookup, decide, fetch, respond.
//! - [`mod@derive`] makes renditions: other sizes and formats of a stored picture.
//! - [`store`] keeps stored responses, in memory and on disk, and the purge ledger.
//! - [`origin`] is where responses come from: a remote server or headless Chrome.
//! - [`purge`] and [`jobs`] are use cases of both planes.
//! - [`admin`] is the control plane on its own listener.
//! - [`telemetry`] sets up logs and counts.
//! - [`tasks`] owns the tasks that must live, and counts panics.
//!
//! Directions: `policy` and `message` import no module above them. `origin` does not know that
//! there is a cache. `proxy` and `admin` meet only in `app`. Modules do not import `config`.

pub mod admin;
pub mod app;
pub mod capture;
pub mod clock;
pub mod config;
pub mod derive;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
pub mod jobs;
pub mod listener;
pub mod message;
pub mod origin;
pub mod policy;
pub mod proxy;
pub mod purge;
pub mod store;
pub mod tasks;
pub mod telemetry;
