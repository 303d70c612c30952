//! Whether a response differs from the stored one, for adaptive lifetimes.
//!
//! An equal entity tag says at once that nothing changed. Where the tags differ or are missing, the
//! whole bodies are compared, since some origins give the same picture another tag each time.

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Method};

use crate::clock::Timestamp;
use crate::message::entity_tag::EntityTag;
use crate::policy::admission::{self, RequestFacts, Terms};
use crate::policy::stored::StoredResponse;
use crate::proxy::cache::stored::Stored;

/// What the head of a response says about changes, and what is needed to decide again when the body
/// is there.
pub(super) struct ChangeHistory {
    /// The terms of storing with the change, or its absence, entered.
    terms: Terms,
    /// Set if the head leaves it open whether something changed. Until then a change is assumed.
    open: Option<Box<Open>>,
}

struct Open {
    stored: Stored,
    /// The terms without the change.
    terms: Terms,
    answer: Parts,
    sent: Timestamp,
    received: Timestamp,
}

impl ChangeHistory {
    /// What the head of `answer` says beside `stored`. `None` where lifetimes are not adaptive, or
    /// nothing is stored.
    pub(super) fn of(
        terms: &Terms,
        stored: Option<&Stored>,
        answer: &Parts,
        sent: Timestamp,
        received: Timestamp,
    ) -> Option<Self> {
        terms.ruled.adaptive?;
        let stored = stored?;
        let head = stored.head();
        let same = match (EntityTag::of(&head.fields), EntityTag::of(&answer.headers)) {
            (Some(before), Some(now)) => before.weak_eq(now),
            _ => false,
        };
        let learnt = terms.having_seen(head, !same, &answer.headers, sent, received).into_owned();
        let open = (!same).then(|| {
            let mut copy = http::Response::new(()).into_parts().0;
            copy.status = answer.status;
            copy.headers.clone_from(&answer.headers);
            Box::new(Open { stored: stored.clone(), terms: terms.clone(), answer: copy, sent, received })
        });
        Some(ChangeHistory { terms: learnt, open })
    }

    /// The terms on which the response is stored.
    pub(super) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The head to store if the body turns out to be the stored one although the head left that
    /// open.
    pub(super) fn head_if_same(self, body: &Bytes, request: &HeaderMap) -> Option<StoredResponse> {
        let Open { stored, terms, answer, sent, received } = *self.open?;
        let (head, before) = (stored.head(), stored.body());
        if before != body || head.status != answer.status {
            return None;
        }
        let terms = terms.having_seen(head, false, &answer.headers, sent, received);
        let facts = RequestFacts { method: &Method::GET, fields: request, sent };
        admission::admit(facts, answer.status, &answer.headers, received, &terms).ok()
    }
}
