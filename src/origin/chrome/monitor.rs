//! The script that tells what a page has scheduled: its timers, animation frames and drawing. See capture/monitor.js.

use std::sync::OnceLock;

use super::page_clock;

const MONITOR: &str = include_str!("capture/monitor.js");

/// The name of the events by which the monitor is asked. Pages cannot know it.
pub(super) fn token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(page_clock::unguessable)
}

/// The expression that installs the monitor in a document.
pub(super) fn script() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let function = MONITOR.find("token =>").map_or(MONITOR, |at| &MONITOR[at..]);
        format!("({function})({:?})", token())
    })
}
