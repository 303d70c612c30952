//! From what came of a fetch to the answer of one who waited for it.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use tokio::sync::oneshot;

use super::fetch::Share;
use super::flight::{Arrival, Arriving, Cause, Landing};
use super::keep::same_variant;
use super::lookup::Stored;
use super::refusal::Refusal;
use super::respond::{Told, Verdict};
use super::{Asked, Proxy};
use crate::message::body::Body;
use crate::message::cache_status::{CacheStatus, Forward};
use crate::origin::OriginError;
use crate::store::Record;
use crate::telemetry::counters::Count;

/// Whether a follower may be answered with what the leader's request brought.
pub(super) fn is_for(landing: &Landing, follower: &Parts, leader: &Parts) -> bool {
    match landing {
        Landing::Stored(record, _) | Landing::Covered(record, _) => Stored::new(Arc::clone(record))
            .is_some_and(|stored| stored.head().is_some_and(|head| same_variant(head, follower, leader))),
        Landing::Arriving(arriving) => {
            same_variant(&arriving.head, follower, leader) && arriving.body.not_kept().is_none()
        }
        Landing::Failed(_) => true,
        Landing::NotShared => false,
    }
}

impl Proxy {
    /// Answers `asked` with `landing`; the leader has its `share`.
    pub(super) async fn landed(
        &self,
        asked: &Asked,
        landing: Landing,
        share: Option<oneshot::Receiver<Share>>,
        why: Forward,
    ) -> Response<Body> {
        let collapsed = share.is_none();
        let status = CacheStatus { forward: Some(why), collapsed, ..CacheStatus::default() };
        match landing {
            Landing::Stored(record, arrival) => {
                let status = CacheStatus { stored: true, ..status };
                match arrival {
                    Arrival::Fetched => {
                        let Some(stored) = Stored::new(record) else { return self.lost(status) };
                        self.counters.add(Count::Misses);
                        self.from_store(asked, &stored, Told::new(Verdict::Miss, status))
                    }
                    Arrival::Validated => self.confirmed(asked, record, status),
                }
            }
            Landing::Arriving(arriving) => self.arriving(asked, &arriving, share, status).await,
            Landing::Covered(record, cause) => {
                let Some(stored) = Stored::new(record) else { return self.lost(status) };
                self.covering(asked, &stored, &cause, status)
            }
            Landing::Failed(error) => self.refuse(&Refusal::Origin(error), status),
            Landing::NotShared => match share {
                Some(share) => match share.await {
                    Ok(Share::Whole(response, reason)) => {
                        self.counters.add(Count::Misses);
                        let status = CacheStatus { detail: Some(reason.name()), ..status };
                        let mut response = self.from_origin(response, Told::new(Verdict::Miss, status));
                        self.suit(&mut response, asked);
                        response
                    }
                    Ok(Share::Confirmed(record)) => self.confirmed(asked, record, status),
                    _ => self.lost(status),
                },
                None => self.lost(status),
            },
        }
    }

    /// The answer with what covers an origin error.
    pub(super) fn covering(
        &self,
        asked: &Asked,
        stored: &Stored,
        cause: &Cause,
        status: CacheStatus,
    ) -> Response<Body> {
        self.counters.add(Count::StaleOnError);
        let status = match cause {
            Cause::Status(code) => CacheStatus {
                forward_status: Some(code.as_u16()),
                detail: Some("stale-if-error"),
                ..status
            },
            Cause::NoAnswer(error) => CacheStatus { detail: Some(error.name()), ..status },
        };
        self.from_store(asked, stored, Told::new(Verdict::Stale, status))
    }

    /// The answer with what a 304 confirmed.
    fn confirmed(&self, asked: &Asked, record: Arc<Record>, status: CacheStatus) -> Response<Body> {
        let Some(stored) = Stored::new(record) else { return self.lost(status) };
        self.counters.add(Count::Revalidated);
        let status = CacheStatus { forward_status: Some(304), ..status };
        self.from_store(asked, &stored, Told::new(Verdict::Revalidated, status))
    }

    async fn arriving(
        &self,
        asked: &Asked,
        arriving: &Arc<Arriving>,
        share: Option<oneshot::Receiver<Share>>,
        status: CacheStatus,
    ) -> Response<Body> {
        let reader = match share {
            Some(share) => match share.await {
                Ok(Share::Reader(reader)) => Some(reader),
                _ => arriving.body.reader(),
            },
            None => arriving.body.reader(),
        };
        let Some(reader) = reader else { return self.lost(status) };
        self.counters.add(Count::Misses);
        let told = Told::new(Verdict::Miss, CacheStatus { stored: true, ..status });
        let now = self.clock.now();
        self.from_stored(&asked.request, &arriving.head, Body::stream(reader), told, now)
    }

    /// A HEAD that was fetched as a GET gets no body.
    fn suit(&self, response: &mut Response<Body>, asked: &Asked) {
        if asked.request.method == http::Method::HEAD {
            *response.body_mut() = Body::Empty;
        }
    }

    /// What was announced is gone: only a fault of ours, or a reader that came a moment too late.
    fn lost(&self, status: CacheStatus) -> Response<Body> {
        self.refuse(&Refusal::Origin(OriginError::BadResponse("the response was gone".into())), status)
    }
}
