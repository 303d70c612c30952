//! The script that tells what a page has scheduled: its timers, animation frames and drawing. See monitor.js.

use std::sync::OnceLock;

use super::freeze;

const MONITOR: &str = include_str!("monitor.js");

/// The name of the events by which the monitor is asked. Pages cannot know it.
pub(crate) fn token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(freeze::unguessable)
}

/// The expression that installs the monitor in a document.
pub(crate) fn script() -> &'static str {
    static SCRIPT: OnceLock<String> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let function = MONITOR.find("token =>").map_or(MONITOR, |at| &MONITOR[at..]);
        format!("({function})({:?})", token())
    })
}
