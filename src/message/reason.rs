//! Why a response was not stored, and why there is an error: reasons with stable names.

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStored {
    /// The request method is not GET.
    Method,
    /// The status code is interim, 206 or 304, is excluded by the route, or is not understood
    /// beside `must-understand`.
    Status,
    /// The status code is an error that the request's fields may have provoked.
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
    /// The response has `Set-Cookie` and no explicit freshness, or the route stores no such
    /// response.
    SetCookie,
    /// The response can never be reused: no lifetime, no validator, no stale window.
    NoLifetime,
    /// The body is longer than `max_stored_bytes`.
    TooLarge,
    /// All fetches together have reached the limit of their buffers.
    BufferFull,
    /// A rule has the lifetime `never`.
    Rule,
    /// The page has a cache-busting parameter, and no rule allows that.
    CacheBuster,
    /// The request has scripts, and no rule allows that.
    Scripts,
    /// The client asked for it with a control parameter.
    Caller,
}

impl NotStored {
    /// The name in `Cache-Status`.
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

    /// Whether the reason was known before the fetch: by a rule or a control parameter.
    pub const fn is_planned(self) -> bool {
        matches!(self, NotStored::Rule | NotStored::CacheBuster | NotStored::Scripts | NotStored::Caller)
    }
}

/// How an origin failed to give a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFailure {
    /// The name did not resolve to an address.
    Resolve,
    /// No connection was established.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The connection ended before the response did.
    Reset,
    /// A phase of the fetch exceeded its timeout.
    Timeout,
    /// The response violated the protocol or a limit.
    BadResponse,
    /// The origin cannot accept more work now.
    Busy,
    /// The browser could not be started, or crashed.
    Browser,
    /// The page could not be captured.
    Capture,
    /// The page or its picture has a flaw that is known.
    Flawed(Flaw),
}

impl OriginFailure {
    /// All failures, each flaw included.
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

    /// The stable name for logs, metrics and `Cache-Status`.
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

    /// Whether a page could not be captured well.
    pub const fn is_of_capture(self) -> bool {
        match self {
            OriginFailure::Capture => true,
            OriginFailure::Flawed(flaw) => !matches!(flaw, Flaw::NotPicture),
            _ => false,
        }
    }
}

/// Why a page or its picture must not be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Every pixel has the same colour.
    Blank,
    /// The picture has fewer bytes than the configured minimum.
    Small,
    /// The page has a status code that counts as a failure.
    Status,
    /// The page has a text that counts as a failure.
    Content,
    /// The page is an error page of the browser itself.
    ErrorPage,
    /// No element matches the selector to capture or to wait for.
    Selector,
    /// A script of the request failed.
    Script,
    /// The URL is a download and not a page.
    Download,
    /// The page needs more memory than its limit.
    Memory,
    /// The response of a remote service is not a complete picture.
    NotPicture,
}

impl Flaw {
    /// All flaws, in the order of their definition.
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

    /// The stable name for logs, metrics and `Cache-Status`.
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

/// Why tintype generated an error response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorReason {
    /// No route matches the request.
    NoRoute,
    /// The request has no valid host.
    BadHost,
    /// The request target is ambiguous.
    BadTarget,
    /// The signature of an imgproxy path is missing or wrong.
    Signature,
    /// The request has an expectation other than `100-continue` (RFC 9110 section 10.1.1).
    Expectation,
    /// The request target is longer than its limit.
    UriTooLong,
    /// The request body is longer than its limit.
    BodyTooLarge,
    /// The request body ended early.
    BodyBroken,
    /// The method is not supported.
    Method,
    /// The parameters of a capture request are not valid.
    BadParameters,
    /// The page is one that must not be captured.
    TargetRefused,
    /// The request has `only-if-cached`, and no usable response is stored (RFC 9111 section
    /// 5.2.1.7).
    OnlyIfCached,
    /// The request is not signed.
    Unsigned,
    /// The signature does not match the request.
    Altered,
    /// The link or its key has expired.
    Expired,
    /// No key has this name.
    UnknownKey,
    /// The link does not allow the requested size.
    SizeNotAllowed,
    /// The key does not allow pages of this host.
    HostNotAllowed,
    /// An API key is required.
    NoKey,
    /// No usable response is stored, and this request may not use the origin.
    NotRendered,
    /// The key has exceeded its rate.
    TooMany,
    /// Too many conversions of pictures run at once.
    Busy,
    /// A rendition could not be made.
    Derive,
    /// The origin gave no usable response.
    Origin(OriginFailure),
}

impl ErrorReason {
    /// All reasons except [`Origin`](Self::Origin).
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

    /// The stable name for logs, metrics, problem details and `Cache-Status`.
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

    /// Parses the name in a problem document of another service; `None` if it is unknown.
    pub fn parse(name: &str) -> Option<Self> {
        let origin = OriginFailure::ALL.into_iter().map(ErrorReason::Origin);
        ErrorReason::OWN.into_iter().chain(origin).find(|reason| reason.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_reason_name_round_trips() {
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
