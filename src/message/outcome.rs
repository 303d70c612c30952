//! What the cache did with one request, and why. `X-Cache`, `Cache-Status`, the metric labels, access
//! lines and figures are made from these enums; nothing reads them back from text.

/// What the cache did with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// Answered from the store, fresh.
    Hit(Tier),
    /// Answered by the origin; with the reason if the response is not stored.
    Miss(Option<NotStored>),
    /// Answered from the store, stale.
    Stale(StaleReason),
    /// Answered from the store after the origin confirmed it.
    Revalidated,
    /// Forwarded past the cache; with the reason if a rule or the request asked for it.
    Bypass(Option<NotStored>),
    /// Answered by tintype itself.
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

    /// The `detail` of `Cache-Status` and of access lines.
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

/// The part of the store that a response was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Memory.
    Memory,
    /// Disk.
    Disk,
}

impl Tier {
    /// The tier as a token.
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
    /// The request allows it (`max-stale`).
    MaxStale,
    /// It is validated in the background (RFC 5861 section 3).
    WhileRevalidate,
    /// The origin answers, or answered shortly before, with an error status (RFC 5861 section 4).
    IfError,
    /// The new picture is incomplete and the stored one is complete.
    Incomplete,
    /// The origin gave no response.
    OriginFailed(OriginFailure),
}

impl StaleReason {
    /// The reason as a token.
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

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// The request method is not GET.
    Method,
    /// The status is interim, partial, a 304, or not understood where it must be.
    Status,
    /// An error that the request's fields may have provoked.
    Provoked,
    /// The request said `no-store`.
    RequestNoStore,
    /// The response said `no-store`.
    NoStore,
    /// The response is `private`.
    Private,
    /// The request had credentials and the response does not allow sharing.
    Authorization,
    /// The response varies on everything (`Vary: *`).
    VaryAll,
    /// The response has `Set-Cookie`, and no explicit freshness or a route that stores no such response.
    SetCookie,
    /// Nothing gives it a use: no lifetime, no validator, and no window in which it may be stale.
    NoLifetime,
    /// The body is longer than `max_stored_bytes`.
    TooLarge,
    /// All fetches together hold as much as they may.
    BufferFull,
    /// A rule says `never`.
    Rule,
    /// The target has a cache-busting parameter, and no rule is for such.
    CacheBuster,
    /// The request brings scripts, and no rule is for such.
    Scripts,
    /// The caller wants it so.
    Caller,
}

impl NotStored {
    /// The reason as a token.
    pub const fn name(self) -> &'static str {
        match self {
            NotStored::Method => "method",
            NotStored::Status => "status",
            NotStored::Provoked => "provoked",
            NotStored::RequestNoStore => "request-no-store",
            NotStored::NoStore => "no-store",
            NotStored::Private => "private",
            NotStored::Authorization => "authorization",
            NotStored::VaryAll => "vary-all",
            NotStored::SetCookie => "set-cookie",
            NotStored::NoLifetime => "no-lifetime",
            NotStored::TooLarge => "too-large",
            NotStored::BufferFull => "buffer-full",
            NotStored::Rule => "rule",
            NotStored::CacheBuster => "cache-buster",
            NotStored::Scripts => "scripts",
            NotStored::Caller => "caller",
        }
    }

    /// Whether it was known before the origin was asked: by rule, or as the caller's wish.
    pub const fn is_planned(self) -> bool {
        matches!(self, NotStored::Rule | NotStored::CacheBuster | NotStored::Scripts | NotStored::Caller)
    }
}

/// How an origin failed to give a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFailure {
    /// The name has no address.
    Resolve,
    /// No connection.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The connection ended early.
    Reset,
    /// A phase took too long.
    Timeout,
    /// The response broke the protocol or a limit.
    BadResponse,
    /// It cannot take more work now.
    Busy,
    /// The browser could not be started, or died.
    Browser,
    /// The page could not be turned into a picture.
    Capture,
    /// The page or its picture has a flaw.
    Flawed(Flaw),
}

impl OriginFailure {
    /// All of them.
    pub const ALL: [OriginFailure; 9 + Flaw::ALL.len()] = [
        OriginFailure::Resolve,
        OriginFailure::Connect,
        OriginFailure::Tls,
        OriginFailure::Reset,
        OriginFailure::Timeout,
        OriginFailure::BadResponse,
        OriginFailure::Busy,
        OriginFailure::Browser,
        OriginFailure::Capture,
        OriginFailure::Flawed(Flaw::Blank),
        OriginFailure::Flawed(Flaw::Small),
        OriginFailure::Flawed(Flaw::Status),
        OriginFailure::Flawed(Flaw::Content),
        OriginFailure::Flawed(Flaw::ErrorPage),
        OriginFailure::Flawed(Flaw::Selector),
        OriginFailure::Flawed(Flaw::Script),
        OriginFailure::Flawed(Flaw::Download),
        OriginFailure::Flawed(Flaw::Memory),
        OriginFailure::Flawed(Flaw::NotPicture),
    ];

    /// A short, stable name for logs, metrics and `Cache-Status` details.
    pub const fn name(self) -> &'static str {
        match self {
            OriginFailure::Resolve => "resolve",
            OriginFailure::Connect => "connect",
            OriginFailure::Tls => "tls",
            OriginFailure::Reset => "reset",
            OriginFailure::Timeout => "timeout",
            OriginFailure::BadResponse => "bad-response",
            OriginFailure::Busy => "busy",
            OriginFailure::Browser => "browser",
            OriginFailure::Capture => "capture",
            OriginFailure::Flawed(flaw) => flaw.name(),
        }
    }

    /// Whether a page could not be turned into a good picture.
    pub const fn is_of_capture(self) -> bool {
        match self {
            OriginFailure::Capture => true,
            OriginFailure::Flawed(flaw) => !matches!(flaw, Flaw::NotPicture),
            _ => false,
        }
    }
}

/// What is wrong with a page or its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Every pixel has the same colour.
    Blank,
    /// Fewer bytes than a picture has.
    Small,
    /// The page answered with a status that is no page.
    Status,
    /// The page says what it must not say.
    Content,
    /// The browser's own error page.
    ErrorPage,
    /// Nothing on the page is what was to be captured or waited for.
    Selector,
    /// The script that was given failed.
    Script,
    /// The URL is a file and not a page.
    Download,
    /// The page takes more memory than one may.
    Memory,
    /// The response of a remote service is no picture, or not a whole one.
    NotPicture,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Flaw; 10] = [
        Flaw::Blank,
        Flaw::Small,
        Flaw::Status,
        Flaw::Content,
        Flaw::ErrorPage,
        Flaw::Selector,
        Flaw::Script,
        Flaw::Download,
        Flaw::Memory,
        Flaw::NotPicture,
    ];

    /// A short, stable name for logs, metrics and `Cache-Status` details.
    pub const fn name(self) -> &'static str {
        match self {
            Flaw::Blank => "capture-blank",
            Flaw::Small => "capture-small",
            Flaw::Status => "capture-status",
            Flaw::Content => "capture-content",
            Flaw::ErrorPage => "capture-error-page",
            Flaw::Selector => "capture-selector",
            Flaw::Script => "capture-script",
            Flaw::Download => "capture-download",
            Flaw::Memory => "capture-memory",
            Flaw::NotPicture => "not-a-picture",
        }
    }
}

/// Why tintype answers with an error of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorReason {
    /// No route matches.
    NoRoute,
    /// The request has no usable host.
    BadHost,
    /// The target can be read in more than one way.
    BadTarget,
    /// The signature of an imgproxy path is missing or wrong.
    Signature,
    /// An expectation other than `100-continue`.
    Expectation,
    /// The target is too long.
    UriTooLong,
    /// The body is too long.
    BodyTooLarge,
    /// The body did not arrive whole.
    BodyBroken,
    /// The method is not supported.
    Method,
    /// Parameters cannot be used.
    BadParameters,
    /// The page may not be captured.
    TargetRefused,
    /// `only-if-cached`, and nothing usable is stored.
    OnlyIfCached,
    /// The request is not signed.
    Unsigned,
    /// The signature does not fit.
    Altered,
    /// The link or its key has expired.
    Expired,
    /// No such key.
    UnknownKey,
    /// The link is for other sizes.
    SizeNotAllowed,
    /// The key is for pages of other hosts.
    HostNotAllowed,
    /// An API key is needed.
    NoKey,
    /// Nothing usable is stored, and the origin may not be asked for this request.
    NotRendered,
    /// Too many requests with this key.
    TooMany,
    /// Too many conversions are under way.
    Busy,
    /// A size or format could not be made.
    Derive,
    /// The origin gave no response.
    Origin(OriginFailure),
}

impl ErrorReason {
    /// All of them, but for [`Origin`](Self::Origin).
    pub const OWN: [ErrorReason; 23] = [
        ErrorReason::NoRoute,
        ErrorReason::BadHost,
        ErrorReason::BadTarget,
        ErrorReason::Signature,
        ErrorReason::Expectation,
        ErrorReason::UriTooLong,
        ErrorReason::BodyTooLarge,
        ErrorReason::BodyBroken,
        ErrorReason::Method,
        ErrorReason::BadParameters,
        ErrorReason::TargetRefused,
        ErrorReason::OnlyIfCached,
        ErrorReason::Unsigned,
        ErrorReason::Altered,
        ErrorReason::Expired,
        ErrorReason::UnknownKey,
        ErrorReason::SizeNotAllowed,
        ErrorReason::HostNotAllowed,
        ErrorReason::NoKey,
        ErrorReason::NotRendered,
        ErrorReason::TooMany,
        ErrorReason::Busy,
        ErrorReason::Derive,
    ];

    /// A short, stable name for logs, metrics, problems and `Cache-Status`.
    pub const fn name(self) -> &'static str {
        match self {
            ErrorReason::NoRoute => "no-route",
            ErrorReason::BadHost => "bad-host",
            ErrorReason::BadTarget => "bad-target",
            ErrorReason::Signature => "signature",
            ErrorReason::Expectation => "expectation",
            ErrorReason::UriTooLong => "uri-too-long",
            ErrorReason::BodyTooLarge => "body-too-large",
            ErrorReason::BodyBroken => "body-broken",
            ErrorReason::Method => "method",
            ErrorReason::BadParameters => "bad-parameters",
            ErrorReason::TargetRefused => "target-refused",
            ErrorReason::OnlyIfCached => "only-if-cached",
            ErrorReason::Unsigned => "unsigned",
            ErrorReason::Altered => "altered",
            ErrorReason::Expired => "expired",
            ErrorReason::UnknownKey => "unknown-key",
            ErrorReason::SizeNotAllowed => "size-not-allowed",
            ErrorReason::HostNotAllowed => "host-not-allowed",
            ErrorReason::NoKey => "no-key",
            ErrorReason::NotRendered => "not-rendered",
            ErrorReason::TooMany => "too-many",
            ErrorReason::Busy => "busy",
            ErrorReason::Derive => "derive",
            ErrorReason::Origin(failure) => failure.name(),
        }
    }

    /// The reason of this name, in a problem document of another service.
    pub fn parse(name: &str) -> Option<Self> {
        let origin = OriginFailure::ALL.into_iter().map(ErrorReason::Origin);
        ErrorReason::OWN.into_iter().chain(origin).find(|reason| reason.name() == name)
    }
}

/// The metric label `cache`: [`CacheOutcome`] without its reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheResult {
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

impl CacheResult {
    /// All of them, in the order of their discriminants.
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
    fn each_has_its_place() {
        for (place, result) in CacheResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, place);
        }
    }

    #[test]
    fn outcome_table() {
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

    #[test]
    fn reasons_are_found_by_their_names() {
        for reason in ErrorReason::OWN {
            assert_eq!(ErrorReason::parse(reason.name()), Some(reason));
        }
        for failure in OriginFailure::ALL {
            assert_eq!(ErrorReason::parse(failure.name()).map(ErrorReason::name), Some(failure.name()));
            assert_eq!(failure.is_of_capture(), failure.name().starts_with("capture"), "{failure:?}");
        }
        for flaw in Flaw::ALL {
            assert!(OriginFailure::ALL.contains(&OriginFailure::Flawed(flaw)), "{flaw:?}");
        }
        assert_eq!(ErrorReason::parse("blank"), None);
    }
}
