//! Logs, counts and metrics: [`start`] sets up the log.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

pub mod access;
mod collect;
pub mod counters;
pub mod exposition;
pub mod histogram;
pub mod hours;
pub mod lag;
pub mod metric;
pub mod output;
pub mod tally;

/// The settings of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Text for people or JSON for programs.
    pub format: Format,
    /// A `tracing` filter, such as `info` or `tintype=debug,info`.
    pub level: String,
    /// Whether each exchange gets an access line.
    pub access: bool,
    /// Bytes of lines that may wait to be written. Lines beyond are lost.
    pub max_buffer: u64,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One readable line for each event.
    #[default]
    Text,
    /// One JSON object on each line.
    Json,
}

/// Crates that log at `warn` only, unless the configured filter says otherwise.
const QUIETER: &str = "foyer=warn,foyer_storage=warn,foyer_memory=warn";

/// Sends log lines to standard error, in colour on a terminal unless `NO_COLOR` is set. Only the
/// first call has an effect.
///
/// # Errors
/// The filter cannot be parsed.
pub fn start(config: &Config) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = filter(&config.level)?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let output = output::Output::to_stderr(config.max_buffer);
    // Errors of the subscriber itself would go to standard error, and panic where that is closed.
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(output).log_internal_errors(false);
    // A second call, as in tests, leaves the first subscriber in place.
    match config.format {
        Format::Text => {
            let lines = lines.with_ansi(colour).with_target(false).with_filter_reloading();
            let handle = lines.reload_handle();
            if lines.try_init().is_ok() {
                let _ = SET_FILTER.set(Box::new(move |filter| handle.reload(filter)));
            }
        }
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let handle = lines.reload_handle();
            if lines.try_init().is_ok() {
                let _ = SET_FILTER.set(Box::new(move |filter| handle.reload(filter)));
            }
        }
    }
    Ok(())
}

/// Changes the level or filter of the log.
///
/// # Errors
/// The filter cannot be parsed.
pub fn set_level(level: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = filter(level)?;
    // If we did not start the log, another subscriber has it.
    if let Some(set) = SET_FILTER.get()
        && let Err(error) = set(filter)
    {
        tracing::warn!(%error, "the level of the log stays as it was");
    }
    Ok(())
}

type SetFilter = Box<dyn Fn(EnvFilter) -> Result<(), tracing_subscriber::reload::Error> + Send + Sync>;

/// Changes the filter of the log. Set when the log starts.
static SET_FILTER: OnceLock<SetFilter> = OnceLock::new();

fn filter(level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    // The disk engine logs every step at `info`. A filter that names it overrides this.
    EnvFilter::builder().parse(format!("{QUIETER},{level}"))
}
