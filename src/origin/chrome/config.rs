//! How the capture engine runs, what it may reach, and the bounds of what is asked of it.

use std::path::PathBuf;
use std::time::Duration;

use super::browser::endpoint::Endpoint;
use super::network::certificates::PageRoots;
use super::network::exception::{AllowedHost, AllowedRange};
use super::network::filter::FilterLists;
use super::network::upstream_proxy::UpstreamProxy;
use super::network::visitor::DefaultVisitor;
use crate::capture::limits::Limits;

/// Path of the engine's one resource.
pub const PATH: &str = "/screenshot";

/// How the capture engine runs and what it may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Program to run; the known places are searched without.
    pub program: Option<PathBuf>,
    /// Whether Chrome's own sandbox is on. As root it cannot be.
    pub sandbox: Sandbox,
    /// Captures at once.
    pub max_concurrent: usize,
    /// Pages opened ahead for each browser, in contexts of their own; each serves one capture.
    pub spare_pages: usize,
    /// Requests that may wait for a place; beyond, the engine is busy (503).
    pub max_queue: usize,
    /// A request that a client waits for and that would wait longer for a place is told to come again instead.
    pub queue_budget: Duration,
    /// Time for one capture, waiting included.
    pub deadline: Duration,
    /// Time for the browser to start.
    pub launch_timeout: Duration,
    /// Captures after which the browser is replaced.
    pub recycle_after: u64,
    /// Age at which the browser is replaced.
    pub recycle_age: Duration,
    /// Bytes of memory, of all its processes, at which the browser is replaced.
    pub recycle_memory: u64,
    /// Bytes of memory that one process of the browser may take; beyond, a renderer is killed, and for any other process
    /// the browser.
    pub max_page_memory: u64,
    /// Time between two looks at the browser's health.
    pub health_interval: Duration,
    /// Time in which a healthy browser answers, and in which it renders an empty page.
    pub health_timeout: Duration,
    /// Browsers that others run, used in place of an own one if there are any.
    pub remote: Vec<Endpoint>,
    /// PEM file with roots that vouch for them, beside the system's.
    pub remote_ca: Option<PathBuf>,
    /// Consent to remote browsers, whose pages reach what their network lets them reach.
    pub remote_unguarded: bool,
    /// Whether and how a conditional request is answered by a `HEAD` of the page, in place of a capture.
    pub probe: Option<Probe>,
    /// `max-age` on a capture.
    pub lifetime: Duration,
    /// `max-age` on an incomplete capture, whose page did not load within [`Limits::max_load`].
    pub incomplete_ttl: Duration,
    /// Default viewport and bounds of the parameters.
    pub limits: Limits,
    /// Hosts that may be reached although their address is private, on one port or on every port.
    pub allow_hosts: Vec<AllowedHost>,
    /// Address ranges that may be reached although they are private, on one port or on every port.
    pub allow_ranges: Vec<AllowedRange>,
    /// Ports of public addresses that pages may connect to.
    pub allow_ports: Vec<u16>,
    /// Further trusted roots for pages, beside the browser's own.
    pub page_ca: PageRoots,
    /// Bytes that one capture may load through the guard.
    pub max_page_bytes: u64,
    /// Connections that one capture may open through the guard.
    pub max_page_connections: usize,
    /// Requests that one capture may make through the guard, refused ones too. Within TLS they are not seen: there a
    /// connection is one.
    pub max_page_requests: usize,
    /// The operator's own filter lists.
    pub filters: FilterLists,
    /// Proxies that requests may choose to load their page through.
    pub egress: Vec<UpstreamProxy>,
    /// Who visits where a request does not say.
    pub visitor: DefaultVisitor,
}

impl Default for Config {
    fn default() -> Self {
        let secs = Duration::from_secs;
        Config {
            program: None,
            sandbox: Sandbox::Auto,
            max_concurrent: std::thread::available_parallelism().map_or(1, usize::from).min(256),
            spare_pages: 1,
            max_queue: 64,
            queue_budget: secs(20),
            deadline: secs(30),
            launch_timeout: secs(20),
            recycle_after: 500,
            recycle_age: secs(4 * 3600),
            recycle_memory: 2 << 30,
            max_page_memory: 1 << 30,
            health_interval: secs(10),
            health_timeout: secs(10),
            remote: Vec::new(),
            remote_ca: None,
            remote_unguarded: false,
            probe: None,
            lifetime: secs(900),
            incomplete_ttl: secs(60),
            limits: Limits::default(),
            allow_hosts: Vec::new(),
            allow_ranges: Vec::new(),
            allow_ports: vec![80, 443, 8080, 8443],
            page_ca: PageRoots::default(),
            max_page_bytes: 64 << 20,
            max_page_connections: 256,
            max_page_requests: 4096,
            filters: FilterLists::default(),
            egress: Vec::new(),
            visitor: DefaultVisitor::default(),
        }
    }
}

/// How pages are probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Time for all hops together.
    pub timeout: Duration,
    /// A page that cannot be asked is taken for unchanged.
    pub unchanged_on_error: bool,
}

/// Chrome's own sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// On, unless tintype runs as root (which is said loudly).
    #[default]
    Auto,
    /// On; refuses to start where it cannot be.
    On,
    /// Off.
    Off,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small, strict engine.
    pub(crate) fn config() -> Config {
        Config {
            max_concurrent: 2,
            max_queue: 4,
            queue_budget: Duration::from_secs(600),
            launch_timeout: Duration::from_secs(30),
            recycle_after: 100,
            recycle_age: Duration::from_secs(3600),
            recycle_memory: 1 << 40,
            max_page_memory: 1 << 40,
            health_interval: Duration::from_secs(3600),
            health_timeout: Duration::from_secs(30),
            limits: Limits {
                max_pixels: 16_000_000,
                max_page_pixels: 16_000_000,
                max_full_page_height: 8000,
                max_scale: 4.0,
                ..Limits::default()
            },
            allow_ports: vec![80, 443],
            max_page_connections: 64,
            max_page_requests: 1000,
            ..Config::default()
        }
    }
}
