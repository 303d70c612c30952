//! Errors of the client and its connections, as [`OriginError`]s.

use std::error::Error as StdError;
use std::time::Duration;

use crate::message::body::BodyError;
use crate::message::framing::Violation;
use crate::origin::OriginError;

/// The wait for a connection, as [`OriginError::TimedOut`] names it.
pub(super) const CONNECT: &str = "connect";
/// The wait for a response's head.
pub(super) const FIRST_BYTE: &str = "first byte";

/// Why no connection was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("cannot resolve {0}")]
    Resolve(String),
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("TLS handshake failed: {0}")]
    Tls(String),
    #[error("connecting took longer than {0:?}")]
    Slow(Duration),
}

impl From<Fault> for OriginError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Resolve(host) => OriginError::Resolve { host },
            Fault::Connect(reason) => OriginError::Connect(reason),
            Fault::Tls(reason) => OriginError::Tls(reason),
            Fault::Slow(after) => OriginError::TimedOut { phase: CONNECT, after },
        }
    }
}

/// What an error of the client means: the first cause in its chain that we know decides.
pub(super) fn classify(error: &(dyn StdError + 'static)) -> OriginError {
    for cause in causes(error) {
        if let Some(fault) = cause.downcast_ref::<Fault>() {
            return fault.clone().into();
        }
        if let Some(error) = cause.downcast_ref::<BodyError>() {
            return OriginError::Reset(format!("request body broke off: {error}"));
        }
        if let Some(violation) = violation(cause) {
            return OriginError::BadResponse(violation.to_string());
        }
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return OriginError::BadResponse(chain(cause));
        }
    }
    OriginError::Reset(chain(error))
}

/// The breach of framing that an I/O error carries, if it does: its own `source` leaves that out.
fn violation<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Violation> {
    error.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref()
}

/// An error and its causes, outermost first.
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| {
        let error: &'a (dyn StdError + 'static) = *error;
        error.source()
    })
}

/// An error's text with those of its causes that say more.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let cause = cause.to_string();
        if text.ends_with(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// An error of some library around `0`.
    #[derive(Debug, thiserror::Error)]
    #[error("client error")]
    struct Wrapped(#[source] Box<dyn StdError + Send + Sync>);

    #[test]
    fn the_known_cause_in_a_chain_decides() {
        let slow = Duration::from_secs(5);
        let reset = io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer");
        let broken = io::Error::new(io::ErrorKind::InvalidData, Violation::Coding);
        let cases: [(Box<dyn StdError + Send + Sync>, OriginError); 7] = [
            (broken.into(), OriginError::BadResponse("transfer coding other than chunked".into())),
            (Fault::Resolve("o.test".into()).into(), OriginError::Resolve { host: "o.test".into() }),
            (Fault::Connect("refused".into()).into(), OriginError::Connect("refused".into())),
            (Fault::Tls("expired".into()).into(), OriginError::Tls("expired".into())),
            (Fault::Slow(slow).into(), OriginError::TimedOut { phase: "connect", after: slow }),
            (BodyError::Stalled.into(), OriginError::Reset("request body broke off: body stalled".into())),
            (reset.into(), OriginError::Reset("client error: reset by peer".into())),
        ];
        for (cause, expected) in cases {
            let error = Wrapped(Wrapped(cause).into());
            assert_eq!(classify(&error), expected);
        }
    }
}
