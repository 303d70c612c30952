//! The answers that are tintype's own: refusals and failures, each mapped to a status here and
//! nowhere else.

use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};

use crate::derive::DeriveError;
use crate::message::body::Body;
use crate::message::class::LastOnConnection;
use crate::message::outcome::ErrorReason;
use crate::message::problem::{Fault, Layout, Problem};
use crate::origin::OriginError;
use crate::policy::signing::Denial;
use crate::policy::signing::rate::Rate;

/// Why a request gets an answer that neither the origin nor the store gave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No route matches.
    #[error("no route matches this host and path")]
    NoRoute,
    /// The request has no usable host.
    #[error("the request names no host, or two that differ")]
    BadHost,
    /// The target can be read in more than one way.
    #[error("the request target has dot segments, a backslash, a control octet, or is no path")]
    BadTarget,
    /// What the client expects is not `100-continue` (RFC 9110 section 10.1.1).
    #[error("the request expects something else than 100-continue")]
    Expectation,
    /// The target is longer than `max_uri_bytes`.
    #[error("the request target is longer than {limit} bytes (server.max_uri_bytes)")]
    UriTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is longer than `max_request_body`.
    #[error("the request body is longer than {limit} bytes (server.max_request_body)")]
    BodyTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The body did not arrive whole.
    #[error("the request body did not arrive whole: {0}")]
    BodyBroken(String),
    /// CONNECT and TRACE are not for a cache.
    #[error("method {0} is not supported here")]
    Method(http::Method),
    /// The request cannot mean a picture, for these reasons.
    #[error("cannot use: {}", names(.0))]
    Parameters(Vec<Fault>),
    /// The signature of the path is missing or wrong.
    #[error("the signature is missing or wrong")]
    Signature,
    /// A size or format could not be made of a picture.
    #[error("{0}")]
    Derive(DeriveError),
    /// `only-if-cached`, and nothing usable is stored (RFC 9111 section 5.2.1.7).
    #[error("nothing usable is stored and the request said only-if-cached")]
    OnlyIfCached,
    /// It is not admitted.
    #[error("{0}")]
    Denied(Denial),
    /// The origin would have to be asked, and may not be for this request.
    #[error("nothing usable is stored and nothing may be rendered for this request")]
    NotRendered,
    /// There were too many with its key.
    #[error("there were more requests with this key than {rate}")]
    TooMany {
        /// How many are allowed.
        rate: Rate,
        /// When there may be one more.
        retry_after: Duration,
    },
    /// The origin gave no answer.
    #[error("{0}")]
    Origin(#[from] OriginError),
}

impl Refusal {
    /// The status that the client gets.
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::NoRoute | Refusal::NotRendered => StatusCode::NOT_FOUND,
            Refusal::Denied(Denial::NoKey) => StatusCode::UNAUTHORIZED,
            Refusal::Denied(_) => StatusCode::FORBIDDEN,
            Refusal::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::BadHost | Refusal::BadTarget | Refusal::BodyBroken(_) | Refusal::Parameters(_) => {
                StatusCode::BAD_REQUEST
            }
            Refusal::Signature => StatusCode::FORBIDDEN,
            Refusal::Expectation => StatusCode::EXPECTATION_FAILED,
            Refusal::UriTooLong { .. } => StatusCode::URI_TOO_LONG,
            Refusal::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::OnlyIfCached => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Derive(DeriveError::Busy) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Derive(_) => StatusCode::BAD_GATEWAY,
            Refusal::Origin(OriginError::TimedOut { .. }) => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Origin(OriginError::Busy { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Origin(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// What the cause is.
    pub fn reason(&self) -> ErrorReason {
        match self {
            Refusal::NoRoute => ErrorReason::NoRoute,
            Refusal::BadHost => ErrorReason::BadHost,
            Refusal::BadTarget => ErrorReason::BadTarget,
            Refusal::Signature => ErrorReason::Signature,
            Refusal::Expectation => ErrorReason::Expectation,
            Refusal::UriTooLong { .. } => ErrorReason::UriTooLong,
            Refusal::BodyTooLarge { .. } => ErrorReason::BodyTooLarge,
            Refusal::BodyBroken(_) => ErrorReason::BodyBroken,
            Refusal::Method(_) => ErrorReason::Method,
            Refusal::Parameters(_) => ErrorReason::BadParameters,
            Refusal::OnlyIfCached => ErrorReason::OnlyIfCached,
            Refusal::Denied(denial) => denial.reason(),
            Refusal::NotRendered => ErrorReason::NotRendered,
            Refusal::TooMany { .. } => ErrorReason::TooMany,
            Refusal::Derive(DeriveError::Busy) => ErrorReason::Busy,
            Refusal::Derive(_) => ErrorReason::Derive,
            Refusal::Origin(error) => ErrorReason::Origin(error.failure()),
        }
    }

    /// A short, stable name for logs, metrics and `Cache-Status`.
    pub fn name(&self) -> &'static str {
        self.reason().name()
    }

    /// The answer: a problem document (RFC 9457), never to be stored.
    pub fn to_response(&self) -> Response<Body> {
        let mut problem = Problem::new(self.status(), self.to_string());
        problem.reason = Some(self.reason());
        if let Refusal::Parameters(faults) = self {
            problem.faults.clone_from(faults);
        }
        let mut response = problem.into_response(Layout::Line);
        if matches!(self, Refusal::BadHost | Refusal::BadTarget | Refusal::BodyBroken(_)) {
            response.extensions_mut().insert(LastOnConnection);
        }
        let fields = response.headers_mut();
        if let Refusal::Denied(Denial::NoKey) = self {
            fields.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Refusal::Origin(OriginError::Busy { retry_after }) | Refusal::TooMany { retry_after, .. } =
            self
        {
            fields.insert(header::RETRY_AFTER, seconds_up(*retry_after));
        }
        if let Refusal::Derive(DeriveError::Busy) = self {
            fields.insert(header::RETRY_AFTER, HeaderValue::from(1));
        }
        if let Refusal::Method(_) = self {
            fields.insert(
                header::ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            );
        }
        response
    }
}

fn names(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.parameter.as_str()).collect::<Vec<_>>().join(", ")
}

/// Whole seconds, at least one, rounded up: a client that waits so long does not come early.
fn seconds_up(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_millis().div_ceil(1000).clamp(1, 1 << 31) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_origin_error_has_its_status() {
        for (error, status) in [
            (OriginError::Resolve { host: "h".into() }, 502),
            (OriginError::Connect("c".into()), 502),
            (OriginError::Tls("t".into()), 502),
            (OriginError::Reset("r".into()), 502),
            (OriginError::TimedOut { phase: "first byte", after: Duration::from_secs(1) }, 504),
            (OriginError::BadResponse("b".into()), 502),
            (OriginError::Busy { retry_after: Duration::from_millis(1500) }, 503),
            (OriginError::Browser("b".into()), 502),
            (OriginError::Capture("c".into()), 502),
            (OriginError::Flawed { flaw: crate::origin::Flaw::Blank, detail: "d".into() }, 502),
        ] {
            let response = Refusal::Origin(error.clone()).to_response();
            assert_eq!(response.status().as_u16(), status, "{error}");
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
    }

    #[test]
    fn busy_says_when_to_come_back() {
        let busy = Refusal::Origin(OriginError::Busy { retry_after: Duration::from_millis(1500) });
        assert_eq!(busy.to_response().headers()["retry-after"], "2");
    }
}
