//! The priority of a request ([`Class`]) and its sender ([`Caller`]). They are extensions of a
//! request and are set inside the process, never by a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use http::{Extensions, Method};

/// The priority of a request, the highest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A client waits for the response.
    #[default]
    Viewer,
    /// A client waits, to learn whether the page has changed.
    Monitor,
    /// A stored response is refreshed in the background.
    Refresh,
    /// A response is stored before a client asks for it.
    Warm,
}

/// The sender of a request, as far as it is known before authentication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caller {
    /// A client of the data plane.
    #[default]
    Client,
    /// The operator, authenticated by the control plane or named by the configuration: jobs and
    /// warming.
    Operator,
}

impl Caller {
    /// The sender in the extensions of a request; a client by default.
    pub fn of(extensions: &Extensions) -> Caller {
        extensions.get().copied().unwrap_or_default()
    }
}

impl Class {
    /// The priority in the extensions of a request; a viewer by default.
    pub fn of(extensions: &Extensions) -> Class {
        extensions.get().copied().unwrap_or_default()
    }

    /// Whether a client waits for the response.
    pub fn is_awaited(self) -> bool {
        matches!(self, Class::Viewer | Class::Monitor)
    }
}

/// Marks a request as safe (RFC 9110 section 9.2.1) although its method is not, such as a capture
/// request by POST.
#[derive(Clone, Copy, Debug)]
pub struct Safe;

impl Safe {
    /// Whether a request with this method and these extensions is safe.
    pub fn is(method: &Method, extensions: &Extensions) -> bool {
        matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || extensions.get::<Safe>().is_some()
    }
}

/// Marks the response to a malformed request. Over HTTP/1.1, the connection is closed after it,
/// because recipients may disagree on where the next request begins (RFC 9112 sections 3 and 11.2).
#[derive(Clone, Copy, Debug)]
pub struct LastOnConnection;

/// The shared priority of a fetch. It rises when a request with a higher priority joins the fetch.
#[derive(Clone, Debug)]
pub struct Standing(Arc<AtomicU8>);

impl Standing {
    /// A new fetch with the priority `class`.
    pub fn new(class: Class) -> Self {
        Standing(Arc::new(AtomicU8::new(class as u8)))
    }

    /// The fetch in the extensions of a request, or a new one with the request's priority.
    pub fn of(extensions: &Extensions) -> Standing {
        extensions.get().cloned().unwrap_or_else(|| Standing::new(Class::of(extensions)))
    }

    /// The current priority of the fetch.
    pub fn class(&self) -> Class {
        let ours = self.0.load(Ordering::Relaxed);
        let all = [Class::Viewer, Class::Monitor, Class::Refresh, Class::Warm];
        all.into_iter().find(|class| *class as u8 == ours).unwrap_or_default()
    }

    /// Raises the priority to `class`, unless it is as high already.
    pub fn raise(&self, class: Class) {
        self.0.fetch_min(class as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_raised_by_lower_class_is_unchanged() {
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
