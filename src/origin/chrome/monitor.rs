//! The script that tells what a page has scheduled: its timers, animation frames and drawing. See capture/monitor.js.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

const MONITOR: &str = include_str!("capture/monitor.js");

/// The name of the events by which the monitor is asked. Pages cannot know it.
pub(super) fn token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| format!("tintype-{:016x}", RandomState::new().hash_one(1)))
}

/// The expression that installs the monitor in a document.
pub(super) fn script() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let function = MONITOR.find("token =>").map_or(MONITOR, |at| &MONITOR[at..]);
        format!("({function})({:?})", token())
    })
}
