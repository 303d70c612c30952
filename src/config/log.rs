//! Reads `[log]`, the settings of the log.

use tracing_subscriber::EnvFilter;

use super::problem::Kind;
use super::section::Section;
use crate::telemetry::{Config, Format};

pub(super) fn read(mut s: Section<'_>) -> Config {
    Config {
        format: s.choice("format", [("text", Format::Text), ("json", Format::Json)]),
        level: level(&mut s),
        access: s.flag("access", true),
        max_buffer: s.size("max_buffer", 4 << 20, 64 << 10..=1 << 30),
    }
}

/// Reads a level, or a `tracing` filter. A single word that is no level is refused: as a filter it
/// would name a module and silence everything else.
fn level(s: &mut Section<'_>) -> String {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let allowed = "off, error, warn, info, debug, trace, or a filter such as \"info,tintype::store=debug\"";
    let read = s.read("level", Some("\"info\"".to_owned()), allowed, |node| {
        let level = node.text()?.trim();
        let is_directive = |part: &str| part.contains(['=', '[']) || LEVELS.contains(&part.trim());
        match level.split(',').all(is_directive) && EnvFilter::try_new(level).is_ok() {
            true => Ok(level.to_owned()),
            false => Err(Kind::Malformed.into()),
        }
    });
    read.unwrap_or_else(|| "info".to_owned())
}
