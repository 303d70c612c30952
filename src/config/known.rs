//! The settings that the reader asked for.

/// A setting that was asked for, whether it was given or not.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) path: String,
    /// Its default as it is written in TOML; settings that are off or derived without have none.
    pub(super) default: Option<String>,
    /// It is a table of further settings.
    pub(super) table: bool,
}
