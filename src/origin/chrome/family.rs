//! The frames and workers of a page that have DevTools sessions of their own: those in other processes and threads.

use serde_json::{Value, json};

/// Sessions of one page that are kept; more frames and workers than this go on unwatched.
const MAX_CHILDREN: usize = 256;

/// What is attached to a page.
#[derive(Debug, Default)]
pub(super) struct Family {
    children: Vec<Child>,
    /// Workers that ever were.
    workers_seen: usize,
}

#[derive(Debug)]
struct Child {
    session: String,
    is_frame: bool,
    /// Its own script runs, or ran.
    begun: bool,
}

impl Family {
    /// How further ones are attached (`Target.setAutoAttach`); if `wait`, before they begin.
    pub(super) fn attach(&self, wait: bool) -> Value {
        json!({ "autoAttach": true, "waitForDebuggerOnStart": wait, "flatten": true })
    }

    /// Keeps a session of this kind, as DevTools names kinds. Whether there was room for it.
    pub(super) fn add(&mut self, session: &str, kind: &str) -> bool {
        let fits = self.children.len() < MAX_CHILDREN;
        if fits {
            self.workers_seen += usize::from(kind == "worker");
            self.children.push(Child {
                session: session.to_owned(),
                is_frame: kind == "iframe",
                begun: false,
            });
        }
        fits
    }

    /// Its session ended.
    pub(super) fn forget(&mut self, session: &str) {
        self.children.retain(|child| child.session != session);
    }

    /// The sessions of frames.
    pub(super) fn frames(&self) -> Vec<String> {
        self.of(true)
    }

    /// The sessions of workers.
    pub(super) fn workers(&self) -> Vec<String> {
        self.of(false)
    }

    /// Its own script is about to run.
    pub(super) fn begin(&mut self, session: &str) {
        for child in self.children.iter_mut().filter(|child| child.session == session) {
            child.begun = true;
        }
    }

    /// Whether its own script has begun; none where there is no such session any more.
    pub(super) fn has_begun(&self, session: &str) -> Option<bool> {
        self.children.iter().find(|child| child.session == session).map(|child| child.begun)
    }

    /// How many workers there ever were.
    pub(super) fn workers_seen(&self) -> usize {
        self.workers_seen
    }

    fn of(&self, is_frame: bool) -> Vec<String> {
        let kind = self.children.iter().filter(|child| child.is_frame == is_frame);
        kind.map(|child| child.session.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_kept_as_there_is_room_for() {
        let mut family = Family::default();
        assert!(family.add("A", "iframe") && family.add("B", "worker"));
        assert_eq!((family.frames(), family.workers()), (vec!["A".to_owned()], vec!["B".to_owned()]));
        assert_eq!((family.has_begun("B"), family.has_begun("C")), (Some(false), None));
        family.begin("B");
        assert_eq!(family.has_begun("B"), Some(true));
        family.forget("A");
        family.forget("nobody");
        assert_eq!((family.frames().len(), family.workers().len()), (0, 1));
        for n in 1..MAX_CHILDREN {
            assert!(family.add(&n.to_string(), "iframe"));
        }
        assert!(!family.add("late", "iframe"));
    }
}
