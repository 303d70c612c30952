//! The bounds of a capture request, which the operator sets for each engine.

use std::time::Duration;

/// Bounds of what a request may ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Viewport width in CSS pixels where none is asked for.
    pub default_width: u32,
    /// Viewport height in CSS pixels where none is asked for.
    pub default_height: u32,
    /// Largest width or height in CSS pixels.
    pub max_side: u32,
    /// Largest screen or box that a request may name, and largest JPEG or WebP, in device pixels.
    pub max_pixels: u64,
    /// Largest PNG of a full page or an element in device pixels; it is cut below where it has more. It is joined from
    /// screens row by row, so it takes less memory than its pixels.
    pub max_page_pixels: u64,
    /// Largest height of a full page in CSS pixels; taller pages are cut there.
    pub max_full_page_height: u32,
    /// Largest scale (device pixel ratio).
    pub max_scale: f64,
    /// Longest delay after load.
    pub max_delay: Duration,
    /// Time for a page to load; it is captured as it is then, and the picture is marked as incomplete.
    pub max_load: Duration,
    /// Time for a page to come to rest after load; it is captured as it is then.
    pub max_settle: Duration,
    /// Time to wait for an element, a script or an idle network.
    pub max_wait: Duration,
    /// Time for the timers and animation frames of a page whose clock stands to run out.
    pub max_freeze: Duration,
    /// Largest document that is given in place of a URL, in bytes.
    pub max_html: usize,
    /// Largest style sheet or script that is given, in bytes.
    pub max_text: usize,
    /// Smallest picture that is one, in bytes.
    pub min_picture_bytes: usize,
    /// Keep pictures of one colour where the request does not say.
    pub allow_blank: bool,
    /// Have the page's clock stand still where the request does not say.
    pub freeze_time: bool,
    /// Requests may ask for pages whose certificates are not valid.
    pub allow_ignore_https_errors: bool,
}

impl Eq for Limits {}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            default_width: 1280,
            default_height: 720,
            max_side: 4096,
            max_pixels: 40_000_000,
            max_page_pixels: 1 << 28,
            max_full_page_height: 200_000,
            max_scale: 3.0,
            max_delay: Duration::from_secs(10),
            max_load: Duration::from_secs(15),
            max_settle: Duration::from_secs(5),
            max_wait: Duration::from_secs(10),
            max_freeze: Duration::from_secs(3),
            max_html: 2 << 20,
            max_text: 64 << 10,
            min_picture_bytes: 64,
            allow_blank: false,
            freeze_time: false,
            allow_ignore_https_errors: false,
        }
    }
}
