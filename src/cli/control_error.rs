//! [`ControlError`]: why a subcommand that talks to the control plane failed.

use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use tintype::config::Problems;

use super::terminal::Exit;

/// The reason that a request to the control plane failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ControlError {
    // The URL is not shown, because it may hold credentials.
    #[error(
        "what --admin names is no http:// or https:// URL of a control plane, without credentials or query"
    )]
    Address,
    #[error("{0}Name the control plane by --admin to do without the configuration")]
    Config(#[from] Problems),
    #[error("the control plane is off (admin.enabled is false)")]
    Off,
    #[error("the token cannot be read from {}: {cause}", file.display())]
    TokenFile { file: PathBuf, cause: std::io::Error },
    #[error("{0} is no bearer token: there is none, or it has spaces or other characters")]
    Token(String),
    #[error("nobody listens at {0}: is tintype running? --admin names another address")]
    Nobody(String),
    #[error("{0} gives no answer within {1:?}")]
    TimedOut(String, Duration),
    #[error("{0} gives no answer: {1}")]
    NoAnswer(String, String),
    #[error(
        "{0} wants its bearer token, the one that admin.token or admin.token_file is set to there: give it by --token-file \
         FILE or TINTYPE_ADMIN__TOKEN"
    )]
    TokenMissing(String),
    #[error(
        "{0} does not take the bearer token from {1}: admin.token or admin.token_file is another one there"
    )]
    TokenWrong(String, &'static str),
    #[error("{0} has no {1}: it is no control plane, or that of an older tintype")]
    NotThere(String, String),
    #[error("{1}")]
    Refused(StatusCode, String),
    #[error("{0} answers with what is not JSON: is it the control plane?")]
    NotJson(String),
    #[error("{0}")]
    Misused(String),
    #[error("{0}")]
    Failed(String),
}

impl ControlError {
    /// Whether nothing listens there, perhaps for a moment only.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, ControlError::Nobody(_) | ControlError::NoAnswer(..) | ControlError::TimedOut(..))
    }

    pub(super) fn exit(&self) -> Exit {
        use ControlError::{Address, Config, Misused, Off, Refused, Token, TokenFile};
        match self {
            Address | Config(_) | Off | TokenFile { .. } | Token(_) | Misused(_) => Exit::Misused,
            Refused(StatusCode::BAD_REQUEST, _) => Exit::Misused,
            _ => Exit::Failed,
        }
    }
}
