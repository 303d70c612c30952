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
        Shot { report: Report { cut: self.report.cut, ..report }, ..self }
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
    /// Rows of pixels of a picture that ends before its page does, because the time of the capture was over.
    pub(crate) cut: Option<u64>,
}

impl Report {
    /// Whether the picture lacks something of the page.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.pending.is_some() || self.cut.is_some()
    }
}

/// The value of `X-Capture`.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pending, self.cut, self.waiting) {
            (Some(pending), Some(height), _) => write!(f, "{INCOMPLETE}; pending={pending}; height={height}"),
            (Some(pending), None, _) => write!(f, "{INCOMPLETE}; pending={pending}"),
            (None, Some(height), _) => write!(f, "{INCOMPLETE}; height={height}"),
            (None, None, Some(waiting)) => write!(f, "bounded; waiting={}", waiting.name()),
            (None, None, None) => write!(f, "settled; after={}ms", self.after.as_millis()),
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
        for (waiting, pending, cut, expected) in [
            (None, None, None, "settled; after=812ms"),
            (Some(Waiting::Request(Kind::Fetch)), None, None, "bounded; waiting=fetch"),
            (Some(Waiting::Drawing), None, None, "bounded; waiting=drawing"),
            (None, Some(3), None, "incomplete; pending=3"),
            (Some(Waiting::Timer), Some(0), None, "incomplete; pending=0"),
            (Some(Waiting::Timer), None, Some(7200), "incomplete; height=7200"),
            (None, Some(3), Some(7200), "incomplete; pending=3; height=7200"),
        ] {
            assert_eq!(Report { after, waiting, pending, cut }.to_string(), expected);
        }
    }
}
