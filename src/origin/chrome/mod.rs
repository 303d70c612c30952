//! The chrome origin: the built-in engine that drives headless Chrome.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// How the capture engine runs and what it may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Program to run; the known places are searched without.
    pub program: Option<PathBuf>,
    /// Whether Chrome's own sandbox is on. As root it cannot be.
    pub sandbox: Sandbox,
    /// Captures at once.
    pub max_concurrent: usize,
    /// Requests that may wait for a place; beyond, the engine is busy (503).
    pub max_queue: usize,
    /// Time for one capture, waiting included.
    pub deadline: Duration,
    /// Time for the browser to start.
    pub launch_timeout: Duration,
    /// Captures after which the browser is replaced.
    pub recycle_after: u64,
    /// `max-age` on a capture.
    pub lifetime: Duration,
    /// Default viewport and bounds of the parameters.
    pub limits: Limits,
    /// Hosts that may be captured although their address is private: exact names, or `*.suffix`.
    pub allow_hosts: Vec<String>,
    /// Address ranges that may be reached although they are private.
    pub allow_ranges: Vec<IpNet>,
    /// Ports that pages may connect to.
    pub allow_ports: Vec<u16>,
    /// Bytes that one capture may load through the guard.
    pub max_page_bytes: u64,
    /// Connections that one capture may open through the guard.
    pub max_page_connections: usize,
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

/// Bounds of what a request may ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Viewport width in CSS pixels where none is asked for.
    pub default_width: u32,
    /// Viewport height in CSS pixels where none is asked for.
    pub default_height: u32,
    /// Largest width or height in CSS pixels.
    pub max_side: u32,
    /// Largest picture in device pixels.
    pub max_pixels: u64,
    /// Largest height of a full page in CSS pixels; taller pages are cut there.
    pub max_full_page_height: u32,
    /// Largest scale (device pixel ratio).
    pub max_scale: f64,
    /// Longest delay after load.
    pub max_delay: Duration,
}

impl Eq for Limits {}
