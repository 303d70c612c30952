//! Why there is no picture of a page.

use std::time::Duration;

use super::tab::TabError;
use crate::capture::request::Fault;
use crate::origin::Flaw;
use crate::origin::chrome::network::barred::Barred;

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The page could not be driven on.
    #[error(transparent)]
    Tab(#[from] TabError),
    /// The page, or what it redirects to, may not or cannot be reached.
    #[error(transparent)]
    Barred(#[from] Barred),
    /// The page did not load in time.
    #[error("the page did not load within {0:?}")]
    Late(Duration),
    /// The navigation was given up: the page has no document, leads to another program, or its renderer died.
    #[error("the page gave no document")]
    Aborted,
    /// The shot has no bytes.
    #[error("the browser gave no picture")]
    NoPicture,
    /// The page did not become a picture.
    #[error("{0}")]
    Page(String),
    /// The picture would not be a good one.
    #[error("{1}")]
    Flawed(Flaw, String),
    /// Only the browser could tell that this parameter cannot be used.
    #[error("cannot use {}", .0.parameter)]
    Parameter(Fault),
}

impl Failure {
    /// Whether the next shot of the same page may succeed.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Failure::Tab(error) => error.is_refusal(),
            Failure::NoPicture => true,
            _ => false,
        }
    }
}
