//! How the cache handled a request, and why. `X-Cache`, `Cache-Status`, metric labels and access
//! log lines are made from these enums; nothing parses them back. Main types: [`CacheOutcome`],
//! [`NotStored`] and [`ErrorReason`].

pub use super::reason::{ErrorReason, Flaw, NotStored, OriginFailure};

/// How the cache handled one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// A fresh stored response was served.
    Hit(Tier),
    /// The origin's response was served; with the reason if it is not stored.
    Miss(Option<NotStored>),
    /// A stale stored response was served.
    Stale(StaleReason),
    /// A stored response was served after the origin validated it.
    Revalidated,
    /// The request was forwarded without the cache; with the reason if a rule or the request caused
    /// it.
    Bypass(Option<NotStored>),
    /// tintype generated an error response.
    Error(ErrorReason),
}

impl CacheOutcome {
    /// The value of `X-Cache`.
    pub const fn x_cache(self) -> &'static str {
        match self {
            CacheOutcome::Hit(_) => "HIT",
            CacheOutcome::Miss(_) => "MISS",
            CacheOutcome::Stale(_) => "STALE",
            CacheOutcome::Revalidated => "REVALIDATED",
            CacheOutcome::Bypass(_) => "BYPASS",
            CacheOutcome::Error(_) => "ERROR",
        }
    }

    /// The `detail` in `Cache-Status` and in access log lines.
    pub const fn detail(self) -> Option<&'static str> {
        match self {
            CacheOutcome::Hit(tier) => Some(tier.name()),
            CacheOutcome::Stale(reason) => Some(reason.name()),
            CacheOutcome::Error(reason) => Some(reason.name()),
            CacheOutcome::Miss(Some(reason)) | CacheOutcome::Bypass(Some(reason)) => Some(reason.name()),
            CacheOutcome::Miss(None) | CacheOutcome::Bypass(None) | CacheOutcome::Revalidated => None,
        }
    }

    /// The value of the metric label `cache`.
    pub const fn result(self) -> CacheResult {
        match self {
            CacheOutcome::Hit(Tier::Memory) => CacheResult::HitMemory,
            CacheOutcome::Hit(Tier::Disk) => CacheResult::HitDisk,
            CacheOutcome::Miss(_) => CacheResult::Miss,
            CacheOutcome::Stale(StaleReason::MaxStale) => CacheResult::StaleAllowed,
            CacheOutcome::Stale(StaleReason::WhileRevalidate) => CacheResult::StaleWhileRevalidate,
            CacheOutcome::Stale(
                StaleReason::IfError | StaleReason::Incomplete | StaleReason::OriginFailed(_),
            ) => CacheResult::StaleIfError,
            CacheOutcome::Revalidated => CacheResult::Revalidated,
            CacheOutcome::Bypass(_) => CacheResult::Bypass,
            CacheOutcome::Error(_) => CacheResult::Error,
        }
    }

    /// Whether the body is that of a stored response.
    pub const fn is_from_store(self) -> bool {
        matches!(self, CacheOutcome::Hit(_) | CacheOutcome::Stale(_) | CacheOutcome::Revalidated)
    }
}

/// The tier of the store that held the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Memory, in front of the disk.
    Memory,
    /// Disk, behind the memory tier.
    Disk,
}

impl Tier {
    /// The name in `Cache-Status`.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Memory => "memory",
            Tier::Disk => "disk",
        }
    }
}

/// Why a stale response was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleReason {
    /// The request allows it by `max-stale` (RFC 9111 section 5.2.1.2).
    MaxStale,
    /// It is within stale-while-revalidate and validated in the background (RFC 5861 section 3).
    WhileRevalidate,
    /// The origin answers, or answered shortly before, with an error status code (RFC 5861 section
    /// 4).
    IfError,
    /// The new picture is incomplete and the stored one is complete.
    Incomplete,
    /// The origin gave no response.
    OriginFailed(OriginFailure),
}

impl StaleReason {
    /// The name in `Cache-Status`.
    pub const fn name(self) -> &'static str {
        match self {
            StaleReason::MaxStale => "max-stale",
            StaleReason::WhileRevalidate => "stale-while-revalidate",
            StaleReason::IfError => "stale-if-error",
            StaleReason::Incomplete => "incomplete",
            StaleReason::OriginFailed(failure) => failure.name(),
        }
    }
}

/// The metric label `cache`: [`CacheOutcome`] without its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheResult {
    /// A fresh response of the memory tier.
    HitMemory,
    /// A fresh response of the disk tier.
    HitDisk,
    /// The response of the origin.
    Miss,
    /// A stored response that the origin validated.
    Revalidated,
    /// A stale response that is validated in the background.
    StaleWhileRevalidate,
    /// A stale response that the client accepts.
    StaleAllowed,
    /// A stale response in place of an origin error.
    StaleIfError,
    /// Forwarded without the cache.
    Bypass,
    /// An error response of tintype itself.
    Error,
}

impl CacheResult {
    /// All values, in the order of their discriminants.
    pub const ALL: [CacheResult; 9] = [
        CacheResult::HitMemory,
        CacheResult::HitDisk,
        CacheResult::Miss,
        CacheResult::Revalidated,
        CacheResult::StaleWhileRevalidate,
        CacheResult::StaleAllowed,
        CacheResult::StaleIfError,
        CacheResult::Bypass,
        CacheResult::Error,
    ];

    /// The value of the label.
    pub const fn name(self) -> &'static str {
        match self {
            CacheResult::HitMemory => "hit_memory",
            CacheResult::HitDisk => "hit_disk",
            CacheResult::Miss => "miss",
            CacheResult::Revalidated => "revalidated",
            CacheResult::StaleWhileRevalidate => "stale_while_revalidate",
            CacheResult::StaleAllowed => "stale_allowed",
            CacheResult::StaleIfError => "stale_if_error",
            CacheResult::Bypass => "bypass",
            CacheResult::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_result_discriminants_match_order() {
        for (place, result) in CacheResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, place);
        }
    }

    #[test]
    fn outcome_gives_x_cache_detail_and_label() {
        use CacheOutcome::*;
        let resolve = OriginFailure::Resolve;
        for (outcome, x_cache, detail, label) in [
            (Hit(Tier::Memory), "HIT", Some("memory"), "hit_memory"),
            (Hit(Tier::Disk), "HIT", Some("disk"), "hit_disk"),
            (Miss(None), "MISS", None, "miss"),
            (Miss(Some(NotStored::Private)), "MISS", Some("private"), "miss"),
            (Stale(StaleReason::MaxStale), "STALE", Some("max-stale"), "stale_allowed"),
            (
                Stale(StaleReason::WhileRevalidate),
                "STALE",
                Some("stale-while-revalidate"),
                "stale_while_revalidate",
            ),
            (Stale(StaleReason::IfError), "STALE", Some("stale-if-error"), "stale_if_error"),
            (Stale(StaleReason::Incomplete), "STALE", Some("incomplete"), "stale_if_error"),
            (Stale(StaleReason::OriginFailed(resolve)), "STALE", Some("resolve"), "stale_if_error"),
            (Revalidated, "REVALIDATED", None, "revalidated"),
            (Bypass(None), "BYPASS", None, "bypass"),
            (Bypass(Some(NotStored::Rule)), "BYPASS", Some("rule"), "bypass"),
            (Error(ErrorReason::NoRoute), "ERROR", Some("no-route"), "error"),
        ] {
            let found = (outcome.x_cache(), outcome.detail(), outcome.result().name());
            assert_eq!(found, (x_cache, detail, label), "{outcome:?}");
            assert_eq!(outcome.is_from_store(), matches!(x_cache, "HIT" | "STALE" | "REVALIDATED"));
        }
    }
}
