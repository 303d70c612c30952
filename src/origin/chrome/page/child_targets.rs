//! The frames and workers of a page that have DevTools sessions of their own: those in other processes and threads.

use crate::origin::chrome::protocol::events::TargetType;

/// Sessions of one page that are kept; more frames and workers than this go on unwatched.
const MAX_CHILDREN: usize = 256;

/// What is attached to a page.
#[derive(Debug, Default)]
pub(crate) struct ChildTargets {
    children: Vec<Child>,
}

#[derive(Debug)]
struct Child {
    session: String,
    is_frame: bool,
}

impl ChildTargets {
    /// Keeps a session. Whether there was room for it.
    pub(crate) fn add(&mut self, session: &str, kind: TargetType) -> bool {
        let fits = self.children.len() < MAX_CHILDREN;
        if fits {
            self.children.push(Child { session: session.to_owned(), is_frame: kind == TargetType::Iframe });
        }
        fits
    }

    /// Its session ended.
    pub(crate) fn forget(&mut self, session: &str) {
        self.children.retain(|child| child.session != session);
    }

    /// The sessions of frames.
    pub(crate) fn frames(&self) -> Vec<String> {
        let frames = self.children.iter().filter(|child| child.is_frame);
        frames.map(|child| child.session.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_kept_as_there_is_room_for() {
        let mut family = ChildTargets::default();
        assert!(family.add("A", TargetType::Iframe) && family.add("B", TargetType::Worker));
        assert_eq!(family.frames(), ["A"]);
        family.forget("A");
        family.forget("nobody");
        assert!(family.frames().is_empty());
        for n in 1..MAX_CHILDREN {
            assert!(family.add(&n.to_string(), TargetType::Iframe));
        }
        assert!(!family.add("late", TargetType::Iframe));
    }
}
