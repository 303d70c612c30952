//! The period in which a stored response is known to be a fresh hit for plain requests. The fast
//! path serves it then without a new decision.

use std::ops::Range;
use std::time::Duration;

use super::rules::{Plan, early};
use super::stored::StoredResponse;
use crate::clock::Timestamp;

/// The period in which [`Plan::decide`] returns [`Fresh`](super::reuse::Reuse::Fresh) for every
/// request without directives, and no early refresh with this beta can begin. `None` if there is no
/// such period. It starts when the response arrived: before that, the clock was set back.
pub fn certain(plan: &Plan, stored: &StoredResponse, beta: f64) -> Option<Range<Timestamp>> {
    if stored.no_cache || plan.refused.is_some() || plan.force.is_some() {
        return None;
    }
    let reach = if beta > 0.0 { early::reach(stored.cost, beta) } else { Duration::ZERO };
    let lifetime = stored.lifetime.saturating_sub(reach);
    let lifetime = plan.ttl().map_or(lifetime, |ttl| lifetime.min(ttl));
    let left = lifetime.checked_sub(stored.initial_age)?;
    // Timestamps are whole milliseconds; a shorter rest is no period.
    let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let came = stored.response_time;
    (left > 0).then(|| came..Timestamp(came.0.saturating_add(left)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::directives::RequestDirectives;
    use crate::policy::reuse::Reuse;
    use crate::policy::rules::Lifetimes;
    use crate::policy::stored::tests::stored;
    use crate::policy::wishes::Wishes;

    /// The decision at each millisecond within the period is a fresh hit, for all kinds of
    /// lifetimes, ages, costs and client parameters.
    #[test]
    fn certain_period_matches_decision() {
        let lines: [&[(&str, &str)]; 7] = [
            &[("cache-control", "max-age=10")],
            &[("cache-control", "max-age=10"), ("age", "3")],
            &[("cache-control", "max-age=10"), ("age", "30")],
            &[("cache-control", "max-age=10, no-cache")],
            &[("cache-control", "max-age=10, must-revalidate")],
            &[("cache-control", "max-age=10, stale-while-revalidate=60")],
            &[("cache-control", "max-age=0"), ("etag", "\"x\"")],
        ];
        let wishes = [
            Wishes::default(),
            Wishes { ttl: Some(Duration::from_secs(4)), ..Wishes::default() },
            Wishes { ttl: Some(Duration::ZERO), ..Wishes::default() },
            Wishes { ttl: Some(Duration::from_secs(40)), ..Wishes::default() },
            Wishes { force: true, ..Wishes::default() },
            Wishes { no_cache: true, ..Wishes::default() },
            Wishes { stale_ttl: Some(Duration::from_secs(4)), ..Wishes::default() },
        ];
        let lifetimes = Lifetimes { caller_ttl: true, ..Lifetimes::default() };
        let (mut sure_of, mut unsure_of) = (0, 0);
        for lines in lines {
            for wishes in &wishes {
                for (cost, beta) in [(0, 0.0), (0, 1.0), (20, 1.0), (100, 0.5), (100_000, 1.0)] {
                    let (mut head, start) = stored(&static_lines(lines));
                    head.cost = Duration::from_millis(cost);
                    let plan = lifetimes.plan(None, wishes);
                    let sure = certain(&plan, &head, beta);
                    for milliseconds in (0..12_000).step_by(7).chain(9_990..10_010).chain(6_990..7_010) {
                        let now = start - Duration::from_secs(1) + Duration::from_millis(milliseconds);
                        if !sure.as_ref().is_some_and(|sure| sure.contains(&now)) {
                            unsure_of += 1;
                            continue;
                        }
                        sure_of += 1;
                        let decided = plan.decide(&head, &RequestDirectives::default(), now);
                        assert_eq!(
                            decided,
                            Reuse::Fresh,
                            "{lines:?} {wishes:?} {cost} {beta} {milliseconds}"
                        );
                        let remaining = head.lifetime.saturating_sub(head.current_age(now));
                        assert!(
                            plan.refused.is_none()
                                && (beta == 0.0 || !early::is_near(remaining, head.cost, beta))
                        );
                    }
                }
            }
        }
        assert!(sure_of > 10_000 && unsure_of > 10_000, "{sure_of} {unsure_of}");
    }

    /// Where only the lifetime decides, the period is as long as possible.
    #[test]
    fn certain_period_is_as_long_as_possible() {
        let (head, start) = stored(&[("cache-control", "max-age=10"), ("age", "3")]);
        let sure = certain(&Plan::default(), &head, 0.0).expect("certain");
        assert_eq!(sure, start..start + Duration::from_secs(7));
        assert_ne!(Plan::default().decide(&head, &RequestDirectives::default(), sure.end), Reuse::Fresh);
    }

    fn static_lines(lines: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
        lines.to_vec()
    }
}
