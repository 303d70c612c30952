//! What a fetch tells of how often a picture changes, for adaptive lifetimes. An equal entity tag says at once that it did not; where the tags
//! differ, or there are none, the whole body is compared, since some origins give the same picture another tag each time.

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Method};

use crate::clock::Timestamp;
use crate::message::entity_tag::EntityTag;
use crate::policy::admission::{self, RequestFacts, Terms};
use crate::policy::stored::StoredResponse;
use crate::proxy::Proxy;
use crate::proxy::cache::lookup::Stored;
use crate::proxy::fetch::run::Fetch;

/// What is learnt from an answer that takes the place of what is stored.
pub(crate) struct Lesson {
    /// The terms with what its head tells in them: no change where the tags are the same, else a change until the body says otherwise.
    terms: Terms,
    /// What is decided again where the body says otherwise.
    doubt: Option<Box<Doubt>>,
}

struct Doubt {
    stored: Stored,
    /// The terms before.
    terms: Terms,
    answer: Parts,
    sent: Timestamp,
    received: Timestamp,
}

impl Proxy {
    /// What the head of an answer to `fetch` tells; nothing where lifetimes are not adaptive, or nothing is stored.
    pub(crate) fn lesson(
        &self,
        fetch: &Fetch,
        answer: &Parts,
        sent: Timestamp,
        received: Timestamp,
    ) -> Option<Lesson> {
        let terms = &fetch.terms;
        terms.ruled.adaptive?;
        let stored = fetch.stored.as_ref().filter(|stored| !self.was_purged(stored))?;
        let head = stored.head();
        let same = match (EntityTag::of(&head.fields), EntityTag::of(&answer.headers)) {
            (Some(before), Some(now)) => before.weak_eq(now),
            _ => false,
        };
        let learnt = terms.having_seen(head, !same, &answer.headers, sent, received).into_owned();
        let doubt = (!same).then(|| {
            let mut copy = http::Response::new(()).into_parts().0;
            copy.status = answer.status;
            copy.headers.clone_from(&answer.headers);
            Box::new(Doubt { stored: stored.clone(), terms: terms.clone(), answer: copy, sent, received })
        });
        Some(Lesson { terms: learnt, doubt })
    }
}

impl Lesson {
    /// The terms on which the answer is stored.
    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The head to store, decided anew, where the whole body says that nothing changed against what the head had made one think.
    pub(crate) fn of_body(self, body: &Bytes, request: &HeaderMap) -> Option<StoredResponse> {
        let Doubt { stored, terms, answer, sent, received } = *self.doubt?;
        let (head, before) = (stored.head(), stored.body());
        if before != body || head.status != answer.status {
            return None;
        }
        let terms = terms.having_seen(head, false, &answer.headers, sent, received);
        let facts = RequestFacts { method: &Method::GET, fields: request, sent };
        admission::admit(facts, answer.status, &answer.headers, received, &terms).ok()
    }
}
