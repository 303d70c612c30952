//! Logs, counts, metrics.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

pub mod access;
pub mod counters;
pub mod exposition;
pub mod histogram;
pub mod hours;
pub mod lag;
pub mod metric;
pub mod served;
pub mod tally;

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Text for people or JSON for programs.
    pub format: Format,
    /// A `tracing` filter: `info`, `tintype=debug,info`, ...
    pub level: String,
    /// One line per exchange.
    pub access: bool,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One readable line.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What speaks up only to warn, unless the configured filter says otherwise.
const QUIETER: &str = "foyer=warn,foyer_storage=warn,foyer_memory=warn";

/// Sends log lines to standard error, in colour on a terminal unless `NO_COLOR` is set. The first call counts.
///
/// # Errors
/// The filter cannot be read.
pub fn start(config: &Config) -> Result<(), tracing_subscriber::filter::ParseError> {
    // The disk engine tells its own life at `info`; who wants to hear it names it in the filter, which then counts.
    let filter = EnvFilter::builder().parse(format!("{QUIETER},{}", config.level))?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call, as in tests, leaves the first one's subscriber in place.
    let _ = match config.format {
        Format::Text => lines.with_ansi(colour).with_target(false).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}
