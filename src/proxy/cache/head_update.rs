//! Updates of stored responses by a HEAD (RFC 9111 section 4.3.5).

use std::time::Duration;

use http::HeaderMap;

use super::Cache;
use super::stored::Stored;
use super::write::WriteContext;
use crate::clock::Timestamp;
use crate::policy::stored::StoredResponse;
use crate::policy::validation::{self, HeadSays};
use crate::proxy::request::CacheRequest;

impl Cache {
    /// Freshens `stored` if the fields of a 200 to HEAD confirm it, and makes it stale otherwise.
    /// Returns the freshened response.
    pub(crate) async fn update_from_head(
        &self,
        request: &CacheRequest,
        stored: &Stored,
        fields: &HeaderMap,
        sequence: u64,
        sent: Timestamp,
    ) -> Option<Stored> {
        // A response that was purged or replaced meanwhile must not come back.
        let found = self.look_up(&request.primary, &request.head).await;
        if found.stored.is_none_or(|(now, _)| now.record().sequence != stored.record().sequence) {
            return None;
        }
        let (head, body) = (stored.head(), stored.body());
        let says = validation::by_head(head, body.len() as u64, fields);
        let head = match says {
            HeadSays::Same => {
                let (terms, now) = (request.terms(), self.clock.now());
                match validation::freshen(head, fields, &request.head.headers, sent, now, &terms) {
                    Ok(fresh) => fresh,
                    Err(_) => {
                        // As after a 304: removed, unless only this request forbade to store it.
                        let no_fields = HeaderMap::new();
                        if validation::freshen(head, fields, &no_fields, sent, now, &terms).is_err() {
                            self.store.remove(&found.key);
                        }
                        return None;
                    }
                }
            }
            HeadSays::Other => StoredResponse { lifetime: Duration::ZERO, ..head.clone() },
        };
        let context = WriteContext {
            primary: &request.primary,
            request: &request.head,
            sequence,
            handles: &stored.record().handles,
            scope: request.route.scope(&request.head.uri),
            page: request.route.page(&request.head.uri),
        };
        let updated = self.write_as_is(context, head, body.clone()).await;
        (says == HeadSays::Same).then_some(updated)
    }
}
