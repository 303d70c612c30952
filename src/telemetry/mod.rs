//! Logs and counts.

pub mod counters;

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
