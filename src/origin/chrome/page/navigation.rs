//! The documents that a page shows one after the other, and how far they have come.

use crate::origin::chrome::protocol::events::Lifecycle;

/// How far a document has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Milestone {
    /// It is parsed.
    Parsed,
    /// It is loaded, with all that it needs.
    Loaded,
    /// It is loaded, and the network was silent for half a second.
    Idle,
}

/// The documents that the main frame began to show, as the events told.
#[derive(Debug, Default)]
pub(crate) struct Navigation {
    begun: Vec<String>,
    /// The last that reached each milestone.
    last_parsed: Option<String>,
    last_loaded: Option<String>,
    last_idle: Option<String>,
    /// There were more than are remembered.
    pub(crate) restless: bool,
    /// Nothing more is being loaded.
    pub(crate) stopped: bool,
}

/// Navigation of one capture that are remembered; a page that goes elsewhere more often comes to no rest.
const MAX_DOCUMENTS: usize = 32;

impl Navigation {
    pub(crate) fn on_lifecycle(&mut self, name: Lifecycle, loader: &str) {
        // What a document that stopped still draws makes it no whole one.
        self.stopped &= name != Lifecycle::Init;
        self.restless |= name == Lifecycle::Init && self.begun.len() >= MAX_DOCUMENTS;
        match name {
            Lifecycle::Init if self.begun.len() < MAX_DOCUMENTS => self.begun.push(loader.to_owned()),
            Lifecycle::DomContentLoaded => self.last_parsed = Some(loader.to_owned()),
            Lifecycle::Load => self.last_loaded = Some(loader.to_owned()),
            Lifecycle::NetworkIdle => self.last_idle = Some(loader.to_owned()),
            Lifecycle::Init | Lifecycle::Other => {}
        }
    }

    /// How many were begun.
    pub(crate) fn begun(&self) -> usize {
        self.begun.len()
    }

    /// The loader of the document that is shown.
    pub(crate) fn current(&self) -> Option<&str> {
        self.begun.last().map(String::as_str)
    }

    /// The last document is as whole as it will ever be.
    pub(crate) fn give_up(&mut self) {
        (self.last_parsed, self.last_loaded) = (self.begun.last().cloned(), self.begun.last().cloned());
    }

    /// Whether the document of `loader`, or the last that came after it, has come so far.
    pub(crate) fn has_reached(&self, loader: &str, milestone: Milestone) -> bool {
        let current = self.begun.last();
        self.begun.iter().any(|begun| begun == loader)
            && match milestone {
                Milestone::Parsed => current == self.last_parsed.as_ref(),
                Milestone::Loaded => current == self.last_loaded.as_ref(),
                Milestone::Idle => current == self.last_loaded.as_ref() && current == self.last_idle.as_ref(),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_loaded_when_its_last_document_is() {
        for (events, expected) in [
            ("", false),
            ("init A", false),
            ("init A, load A", true),
            ("init 0, load 0", false),
            ("init 0, load 0, init A", false),
            ("init 0, init A, load A", true),
            ("init A, init B", false),
            ("init A, load A, init B", false),
            ("init A, init B, load A", false),
            ("init A, init B, load B", true),
            ("init A, DOMContentLoaded A, networkIdle A", false),
        ] {
            let mut documents = Navigation::default();
            for event in events.split(", ").filter(|event| !event.is_empty()) {
                let (name, loader) = event.split_once(' ').unwrap();
                let name = serde_json::from_value(name.into()).unwrap();
                documents.on_lifecycle(name, loader);
            }
            assert_eq!(documents.has_reached("A", Milestone::Loaded), expected, "{events}");
        }
    }
}
