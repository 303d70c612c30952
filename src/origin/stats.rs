//! Figures of origins, as `/stats` shows them and the metrics are made from.

use std::collections::BTreeMap;

use serde::Serialize;

/// One origin.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OriginStats {
    /// Whether a request sent now has a chance.
    pub ready: bool,
    /// A capture engine's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captures: Option<CaptureStats>,
    /// A remote origin's own.
    #[serde(flatten)]
    pub remote: Option<RemoteStats>,
}

/// A remote origin: how it is spared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RemoteStats {
    /// Requests that were sent once more.
    pub retries: u64,
    /// Its circuit breaker and call budget.
    #[serde(flatten)]
    pub restraint: RestraintStats,
}

/// Circuit breaker and call budget of a remote origin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RestraintStats {
    /// The state of the circuit breaker.
    pub breaker: BreakerState,
    /// Failures since the last success.
    pub failures_in_a_row: u32,
    /// Seconds until it may be asked again, as it said itself.
    pub left_alone_seconds: u64,
    /// Requests that were not sent.
    pub not_asked: u64,
    /// The call budget, if there is one.
    pub budget: Option<BudgetStats>,
}

/// The state of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// Requests are sent.
    Closed,
    /// One request is sent to find out.
    HalfOpen,
    /// No request is sent.
    Open,
}

/// A call budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetStats {
    /// Calls in one window.
    pub calls: u64,
    /// Those used in this window.
    pub used: u64,
    /// Those left in this window.
    pub left: u64,
    /// Seconds until the next window.
    pub renewed_in_seconds: u64,
}

/// A capture engine: counters since start, and its present state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CaptureStats {
    /// Pictures made.
    pub captures: u64,
    /// Captures that ended without a picture: errors of page, browser and time.
    pub failures: u64,
    /// Those by the name of their [`OriginError`](super::OriginError), and requests that found no place.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Pictures by what their page still waited for, or `rest`; `incomplete` where it was not loaded.
    pub waiting_for: BTreeMap<&'static str, u64>,
    /// Pictures of pages that were captured before they were at rest.
    pub bounded: u64,
    /// Pictures of pages that were not loaded.
    pub incomplete: u64,
    /// Requests with bad parameters or refused targets.
    pub refused: u64,
    /// Requests that found the queue full, or waited in it in vain.
    pub busy: u64,
    /// Pages asked whether they changed.
    pub probes: u64,
    /// Captures that this made needless.
    pub probes_unchanged: u64,
    /// Pages that could not be asked.
    pub probes_failed: u64,
    /// Browsers launched, or connected to, after the first; with remote ones, after the first of each.
    pub restarts: u64,
    /// Browsers given up because they hung or failed their check.
    pub unhealthy: u64,
    /// Browsers that take captures.
    pub browsers: u64,
    /// Captures under way.
    pub running: u64,
    /// Requests in the queue.
    pub waiting: u64,
    /// Process id of our own browser that takes captures; also the number of its process group.
    pub browser: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn members_are_those_of_the_kind_of_origin() {
        let names = |stats: &OriginStats| match serde_json::to_value(stats).unwrap() {
            Value::Object(members) => members.keys().cloned().collect::<Vec<_>>().join(" "),
            other => panic!("{other}"),
        };
        let plain = OriginStats { ready: true, ..OriginStats::default() };
        assert_eq!(names(&plain), "ready");
        let engine = OriginStats { captures: Some(CaptureStats::default()), ..plain.clone() };
        assert_eq!(names(&engine), "captures ready");
        let restraint = RestraintStats {
            breaker: BreakerState::HalfOpen,
            failures_in_a_row: 1,
            left_alone_seconds: 0,
            not_asked: 2,
            budget: None,
        };
        let remote = OriginStats { remote: Some(RemoteStats { retries: 3, restraint }), ..plain };
        assert_eq!(
            names(&remote),
            "breaker budget failures_in_a_row left_alone_seconds not_asked ready retries"
        );
        let value = serde_json::to_value(&remote).unwrap();
        assert_eq!((&value["breaker"], &value["budget"]), (&json!("half-open"), &Value::Null));
    }
}
