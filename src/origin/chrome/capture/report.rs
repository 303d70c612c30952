//! A picture, and what a capture tells of the way its page came to rest: for the response field `X-Capture`, logs and metrics.

use std::fmt;
use std::time::Duration;

use crate::message::capture::INCOMPLETE;
use crate::origin::chrome::page::waiting::Waiting;

/// A picture.
#[derive(Debug)]
pub(crate) struct Shot {
    pub(crate) bytes: Vec<u8>,
    /// Height of the whole page in CSS pixels, where all of it was wanted.
    pub(crate) page_height: Option<u64>,
    pub(crate) report: Report,
}

impl Shot {
    pub(crate) fn reported(self, report: Report) -> Self {
        Shot { report, ..self }
    }
}

/// How a page came to rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Time from the beginning of the navigation until the page was captured as it was.
    pub(crate) after: Duration,
    /// What it was still waiting for; none if it was at rest.
    pub(crate) waiting: Option<Waiting>,
    /// Requests under way when loading was stopped; none if the page was loaded.
    pub(crate) pending: Option<usize>,
}

/// The value of `X-Capture`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pending, self.waiting) {
            (Some(pending), _) => write!(f, "{INCOMPLETE}; pending={pending}"),
            (None, Some(waiting)) => write!(f, "bounded; waiting={}", waiting.name()),
            (None, None) => write!(f, "settled; after={}ms", self.after.as_millis()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::chrome::page::pending::Kind;

    #[test]
    fn the_field_names_the_state_first() {
        let after = Duration::from_millis(812);
        for (waiting, pending, expected) in [
            (None, None, "settled; after=812ms"),
            (Some(Waiting::Request(Kind::Fetch)), None, "bounded; waiting=fetch"),
            (Some(Waiting::Drawing), None, "bounded; waiting=drawing"),
            (None, Some(3), "incomplete; pending=3"),
            (Some(Waiting::Timer), Some(0), "incomplete; pending=0"),
        ] {
            assert_eq!(Report { after, waiting, pending }.to_string(), expected);
        }
    }
}
