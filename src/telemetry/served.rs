//! What the cache did for one answer: the label `cache` of the metrics.

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Served {
    /// From memory, fresh.
    HitMemory,
    /// From disk, fresh.
    HitDisk,
    /// By the origin.
    Miss,
    /// With a stored response that the origin confirmed just now.
    Revalidated,
    /// Stale, while it is validated.
    StaleWhileRevalidate,
    /// Stale, as the client allowed.
    StaleAllowed,
    /// Stale, because the origin failed.
    StaleIfError,
    /// Past the cache.
    Bypass,
    /// By tintype itself: a refusal or a failure.
    Error,
}

impl Served {
    /// All of them.
    pub const ALL: [Served; 9] = [
        Served::HitMemory,
        Served::HitDisk,
        Served::Miss,
        Served::Revalidated,
        Served::StaleWhileRevalidate,
        Served::StaleAllowed,
        Served::StaleIfError,
        Served::Bypass,
        Served::Error,
    ];

    /// The value of the label.
    pub fn name(self) -> &'static str {
        match self {
            Served::HitMemory => "hit_memory",
            Served::HitDisk => "hit_disk",
            Served::Miss => "miss",
            Served::Revalidated => "revalidated",
            Served::StaleWhileRevalidate => "stale_while_revalidate",
            Served::StaleAllowed => "stale_allowed",
            Served::StaleIfError => "stale_if_error",
            Served::Bypass => "bypass",
            Served::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_place() {
        for (place, served) in Served::ALL.into_iter().enumerate() {
            assert_eq!(served as usize, place);
        }
    }
}
