//! What came of the requests of the engine, counted since start.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::capture::Report;
use crate::origin::OriginError;
use crate::origin::stats::CaptureStats;

#[derive(Default)]
pub(super) struct Counts {
    captures: AtomicU64,
    failures: AtomicU64,
    refused: AtomicU64,
    busy: AtomicU64,
    reasons: Mutex<BTreeMap<&'static str, u64>>,
    waiting_for: Mutex<BTreeMap<&'static str, u64>>,
    bounded: AtomicU64,
    incomplete: AtomicU64,
}

impl Counts {
    pub(super) fn picture(&self, report: &Report) {
        count(&self.captures);
        let state = match report.waiting {
            _ if report.is_incomplete() => {
                count(&self.incomplete);
                "incomplete"
            }
            Some(waiting) => {
                count(&self.bounded);
                waiting.name()
            }
            None => "rest",
        };
        *self.waiting_for.lock().entry(state).or_default() += 1;
    }

    pub(super) fn refused(&self) {
        count(&self.refused);
    }

    pub(super) fn error(&self, error: &OriginError) {
        *self.reasons.lock().entry(error.name()).or_default() += 1;
        count(if matches!(error, OriginError::Busy { .. }) { &self.busy } else { &self.failures });
    }

    /// The counts alone, without the present state.
    pub(super) fn read(&self) -> CaptureStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CaptureStats {
            captures: read(&self.captures),
            failures: read(&self.failures),
            reasons: self.reasons.lock().clone(),
            waiting_for: self.waiting_for.lock().clone(),
            bounded: read(&self.bounded),
            incomplete: read(&self.incomplete),
            refused: read(&self.refused),
            busy: read(&self.busy),
            ..CaptureStats::default()
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
