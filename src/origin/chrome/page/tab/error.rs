//! What can go wrong with a page.

use crate::origin::chrome::protocol::client::CallError;

/// Why a page could not be driven on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TabError {
    /// The browser died, refused a call or does not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The process that renders the page died.
    #[error("the page crashed its renderer")]
    Crashed,
    /// This machine has no socket left for its traffic.
    #[error("no exit proxy: {0}")]
    NoExit(String),
    /// The document ended before it was whole.
    #[error("the page broke off")]
    BrokenOff,
    /// It went elsewhere again and again.
    #[error("the page does not come to rest")]
    Restless,
    /// It asked for more at once than is answered.
    #[error("the page makes too many requests at once")]
    Flooded,
    /// An event of it was larger or deeper than what is read.
    #[error("the page has the browser tell more than can be read")]
    Unreadable,
}

impl TabError {
    /// Whether the whole browser is gone, so that another one may do better.
    pub(crate) fn is_browser_gone(&self) -> bool {
        matches!(self, TabError::Call(CallError::Closed))
    }

    /// Whether it lies with the page alone.
    pub(crate) fn is_of_the_page(&self) -> bool {
        matches!(self, TabError::BrokenOff | TabError::Flooded | TabError::Restless | TabError::Unreadable)
            || self.is_unreadable_reply()
    }

    /// Whether the browser answered a call, larger or deeper than what is read.
    pub(crate) fn is_unreadable_reply(&self) -> bool {
        matches!(self, TabError::Call(CallError::Unreadable { .. }))
    }

    /// Whether the browser said no, for instance as the page went elsewhere during a call.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, TabError::Call(CallError::Refused { .. }))
    }
}
