//! What became of reloads so far, for `/stats` and `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::admin::{NotReloaded, Reloaded};
use crate::clock::Timestamp;
use crate::message::date;
use crate::telemetry::exposition::Sample;
use crate::telemetry::metric::Metric;

/// Who waits for a reload.
pub(super) type Request = oneshot::Sender<Result<Reloaded, NotReloaded>>;

/// What became of reloads so far.
#[derive(Default)]
pub(super) struct Reloads {
    taken: AtomicU64,
    refused: AtomicU64,
    last: Mutex<Option<(Timestamp, Result<Reloaded, NotReloaded>)>>,
}

impl Reloads {
    /// Notes what became of one at `now`.
    pub(super) fn note(&self, now: Timestamp, outcome: Result<Reloaded, NotReloaded>) {
        let count = if outcome.is_ok() { &self.taken } else { &self.refused };
        count.fetch_add(1, Ordering::Relaxed);
        *self.last.lock() = Some((now, outcome));
    }

    /// Reloads that were taken, and that were refused.
    fn counts(&self) -> (u64, u64) {
        (self.taken.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// The metrics of reloads.
    pub(super) fn samples(&self) -> [Sample; 3] {
        let (taken, refused) = self.counts();
        let is_good = !matches!(&*self.last.lock(), Some((_, Err(_))));
        [
            Sample::whole(Metric::Reloads, taken).of("taken"),
            Sample::whole(Metric::Reloads, refused).of("refused"),
            Sample::whole(Metric::GoodConfiguration, is_good.into()),
        ]
    }

    /// For `/stats`.
    pub(super) fn stats(&self) -> Value {
        let (taken, refused) = self.counts();
        let last = self.last.lock();
        let last = last.as_ref().map(|(at, outcome)| {
            let at = date::format(*at);
            let at = at.to_str().unwrap_or_default();
            match outcome {
                Ok(Reloaded { needs_restart }) => {
                    json!({ "at": at, "outcome": "taken", "needs_restart": needs_restart })
                }
                Err(NotReloaded { why, problems }) => {
                    json!({ "at": at, "outcome": "refused", "why": why, "problems": problems })
                }
            }
        });
        json!({ "taken": taken, "refused": refused, "last": last })
    }
}
