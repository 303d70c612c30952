//! [`Known`]: a setting that the reader asked for.

/// A setting that the reader asked for, given or not.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) path: String,
    /// The default as written in TOML. `None` if the setting is off or derived when it is not
    /// given.
    pub(super) default: Option<String>,
    /// The setting is a table of further settings.
    pub(super) table: bool,
}
