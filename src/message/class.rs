//! For whom a request is made: what goes first where there is not room for all. A client cannot say it, it is told inside of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::{Extensions, Method};

/// For whom a request is made, in the order in which they go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Somebody waits for it.
    #[default]
    Viewer,
    /// Somebody asks whether it changed.
    Monitor,
    /// It is stored, and is to be renewed behind everybody's back.
    Refresh,
    /// It is to be stored before anybody asks.
    Warm,
}

/// Who sends a request, where that is known before it is authenticated. Goes with its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caller {
    /// A client of the data plane.
    #[default]
    Client,
    /// The operator, who proved that to the control plane or by the configuration: jobs and warming.
    Operator,
}

impl Caller {
    /// That of a request with these extensions.
    pub fn of(extensions: &Extensions) -> Caller {
        extensions.get().copied().unwrap_or_default()
    }
}

impl Class {
    /// That of a request with these extensions.
    pub fn of(extensions: &Extensions) -> Class {
        extensions.get().copied().unwrap_or_default()
    }

    /// Whether a client waits for it.
    pub fn is_awaited(self) -> bool {
        matches!(self, Class::Viewer | Class::Monitor)
    }
}

/// Marks a request that is safe (RFC 9110 section 9.2.1) although its method is not: a capture that a service takes by
/// POST. Goes with its request.
#[derive(Clone, Copy, Debug)]
pub struct Safe;

impl Safe {
    /// Whether a request with this method and these extensions is safe.
    pub fn is(method: &Method, extensions: &Extensions) -> bool {
        matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || extensions.get::<Safe>().is_some()
    }
}

/// Marks the response to a malformed request. Over HTTP/1 the connection ends after it, because recipients may disagree on
/// where the next request begins (RFC 9112 sections 3 and 11.2).
#[derive(Clone, Copy, Debug)]
pub struct LastOnConnection;

/// The class of a fetch, which rises when somebody joins it who is more in a hurry. Goes with its request.
#[derive(Clone, Debug)]
pub struct Standing(Arc<AtomicU8>);

impl Standing {
    /// One that begins with `class`.
    pub fn new(class: Class) -> Self {
        Standing(Arc::new(AtomicU8::new(class as u8)))
    }

    /// That of a request with these extensions.
    pub fn of(extensions: &Extensions) -> Standing {
        extensions.get().cloned().unwrap_or_else(|| Standing::new(Class::of(extensions)))
    }

    /// The class as it is by now.
    pub fn class(&self) -> Class {
        let ours = self.0.load(Ordering::Relaxed);
        let all = [Class::Viewer, Class::Monitor, Class::Refresh, Class::Warm];
        all.into_iter().find(|class| *class as u8 == ours).unwrap_or_default()
    }

    /// Raises it to `class`, unless it is there or above.
    pub fn raise(&self, class: Class) {
        self.0.fetch_min(class as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_only_rises() {
        let standing = Standing::new(Class::Warm);
        for (by, to) in [
            (Class::Refresh, Class::Refresh),
            (Class::Warm, Class::Refresh),
            (Class::Viewer, Class::Viewer),
            (Class::Monitor, Class::Viewer),
        ] {
            standing.clone().raise(by);
            assert_eq!(standing.class(), to);
        }
    }
}
