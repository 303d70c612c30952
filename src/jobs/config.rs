//! Settings of jobs.

use std::path::PathBuf;
use std::time::Duration;

use crate::origin::chrome::{AllowedHost, AllowedRange};
use crate::policy::public_url::PublicUrl;

/// Bounds of jobs, and where they are.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// They are on the control plane.
    pub on_control: bool,
    /// They are on the data plane.
    pub on_data: bool,
    /// Where they are kept; in memory only without.
    pub folder: Option<PathBuf>,
    /// The route that takes the pictures; without, the first one that captures and is asked so.
    pub route: Option<String>,
    /// What the URLs of pictures begin with; without, as the route or `[server]` says.
    pub public_url: Option<PublicUrl>,
    /// Bytes of a request.
    pub max_body: usize,
    /// Items of one job.
    pub max_items: usize,
    /// Jobs that are known at once.
    pub max_jobs: usize,
    /// Items of all jobs at once.
    pub concurrency: usize,
    /// Items of one job at once where it does not say.
    pub parallel: usize,
    /// The most that it may say.
    pub max_parallel: usize,
    /// Time for one item where the job does not say.
    pub timeout: Duration,
    /// The most that it may say.
    pub max_timeout: Duration,
    /// How long a job is known after its end.
    pub retention: Duration,
    /// How their end is told.
    pub webhook: Telling,
}

/// How webhooks are told of the end of a job.
#[derive(Clone, PartialEq)]
pub struct Telling {
    /// What is told is signed with it.
    pub secret: Option<String>,
    /// Time for one try.
    pub timeout: Duration,
    /// Tries.
    pub attempts: u32,
    /// The first wait between two.
    pub retry_base: Duration,
    /// The longest wait.
    pub retry_max: Duration,
    /// Hosts that are told though their addresses are private.
    pub allow_hosts: Vec<AllowedHost>,
    /// Private addresses that are told.
    pub allow_ranges: Vec<AllowedRange>,
    /// Ports of others.
    pub allow_ports: Vec<u16>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            on_control: true,
            on_data: false,
            folder: None,
            route: None,
            public_url: None,
            max_body: 1 << 20,
            max_items: 50,
            max_jobs: 1000,
            concurrency: 10,
            parallel: 3,
            max_parallel: 10,
            timeout: Duration::from_secs(30),
            max_timeout: Duration::from_secs(60),
            retention: Duration::from_secs(24 * 3600),
            webhook: Telling::default(),
        }
    }
}

impl Default for Telling {
    fn default() -> Self {
        Telling {
            secret: None,
            timeout: Duration::from_secs(10),
            attempts: 6,
            retry_base: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
            allow_hosts: Vec::new(),
            allow_ranges: Vec::new(),
            allow_ports: vec![80, 443, 8080, 8443],
        }
    }
}

/// Without the secret.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Config { on_control, on_data, folder, max_items, max_jobs, .. } = self;
        f.debug_struct("Config")
            .field("on_control", on_control)
            .field("on_data", on_data)
            .field("folder", folder)
            .field("max_items", max_items)
            .field("max_jobs", max_jobs)
            .finish_non_exhaustive()
    }
}
