//! Captures without a waiting client: batch jobs, which a client submits and asks for later, and the
//! captures that warm the cache at the start. Each is a request through the proxy, behind those of clients.
//!
//! A job is on disk before it is accepted ([`Jobs::submit`]), so that a restart, orderly or not,
//! continues where it was. The routes of the control plane for jobs are in `admin::jobs`.

mod arrived;
mod ask;
mod capture_client;
mod config;
mod event;
mod job;
mod journal;
pub mod list;
mod queue;
mod report;
mod run;
pub mod sitemaps;
pub mod warm;

pub use arrived::{Arrived, Plane};
pub use ask::{Fault, Item};
pub use capture_client::{CaptureClient, Captured, DataPlane, NotCaptured, route};
pub use config::{Config, Telling};
pub use job::Job;
pub use queue::{Jobs, NotAccepted};
pub use report::{BatchRequest, ItemResult, ItemState, JobResults, JobStatus, Progress};
