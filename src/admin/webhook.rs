//! `POST /api/cache/invalidate`: a purge by whoever can sign it. The signature is the authorization.
//!
//! `X-Signature` is the HMAC-SHA256 of the raw body in hexadecimal, perhaps after `sha256=`. The body is JSON: `url` or `urls`, perhaps
//! `mode`, and perhaps `timestamp` in seconds since 1970. With one, a request that is too old, or was taken before, is refused like
//! one with a wrong signature.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;

use super::answer::{answer, status_of};
use super::control::Control;
use crate::clock::{Clock, Timestamp};
use crate::message::body::Body;
use crate::message::json::from_slice;
use crate::policy::purge::{Mode, Named};
use crate::policy::signing::hmac_sha256;
use crate::purge::{Purge, PurgeError};

pub(crate) const WEBHOOK: &str = "/api/cache/invalidate";

/// URLs in one request.
const MOST_URLS: usize = 1000;
/// Signatures that are remembered at once; the window bounds them further.
const MOST_SEEN: usize = 10_000;

/// The secret, and where the webhook is.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// What requests are signed with.
    pub secret: String,
    /// It is on the control plane.
    pub on_control: bool,
    /// It is on the data plane.
    pub on_data: bool,
    /// How far a timestamp may be from now, and how long a signature is remembered.
    pub window: Duration,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Config { on_control, on_data, window, .. } = self;
        write!(
            f,
            "Config {{ secret: [redacted], on_control: {on_control}, on_data: {on_data}, window: {window:?} }}"
        )
    }
}

/// How many stored responses were purged.
#[derive(Serialize, ToSchema)]
pub(super) struct Purged {
    purged: u64,
}

/// What a webhook names.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes what `Signed::read` reads")]
struct WebhookRequest {
    url: Option<String>,
    urls: Option<Vec<String>>,
    mode: Option<Mode>,
    /// Seconds since 1970. With it, a request is taken once, and only near that time.
    timestamp: Option<f64>,
}

/// Purge by a signed webhook
///
/// Only where `[webhook]` sets it up; on either listener.
#[utoipa::path(post, path = WEBHOOK, operation_id = "webhook", tag = "Purging", params(
    ("X-Signature" = String, Header, description = "HMAC-SHA256 of the body in hexadecimal, perhaps after `sha256=`."),
), request_body = WebhookRequest, responses(
    (status = 200, description = "How many stored responses were purged.", body = Purged),
    (status = 400, description = "It names no URL."),
    (status = 401, description = "The signature is missing or wrong."),
    (status = 429, description = "Too many signatures are remembered."),
))]
pub(super) async fn invalidate(
    Extension(webhook): Extension<Arc<Webhook>>,
    fields: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    webhook.answer(&fields, &body).await
}

/// The webhook at work.
pub struct Webhook {
    config: Config,
    control: Arc<dyn Control>,
    clock: Arc<dyn Clock>,
    seen: Mutex<HashMap<Signature, Timestamp>>,
}

type Signature = [u8; 32];

impl Webhook {
    /// A webhook that purges by `control`.
    pub fn new(config: Config, control: Arc<dyn Control>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Webhook { config, control, clock, seen: Mutex::default() })
    }

    /// Answers a request: what it purged, or why not.
    async fn answer(&self, given: &HeaderMap, body: &[u8]) -> Response<Body> {
        match self.purge(given, body).await {
            Ok(hit) => answer(StatusCode::OK, Purged { purged: hit }),
            Err(Refused::Signature) => error(StatusCode::UNAUTHORIZED, "invalid signature"),
            Err(Refused::Request(why)) => error(StatusCode::BAD_REQUEST, why),
            Err(Refused::TooMany) => {
                let mut response = error(StatusCode::TOO_MANY_REQUESTS, "too many requests");
                let wait = HeaderValue::from(self.config.window.as_secs().max(1));
                response.headers_mut().insert(header::RETRY_AFTER, wait);
                response
            }
            Err(Refused::Purge(failed)) => {
                if matches!(failed, PurgeError::Ledger(_)) {
                    tracing::error!(error = %failed, "purge by webhook failed");
                }
                error(status_of(&failed), &failed.to_string())
            }
        }
    }

    async fn purge(&self, given: &HeaderMap, body: &[u8]) -> Result<u64, Refused> {
        let signature = verified(&self.config.secret, body, given).ok_or(Refused::Signature)?;
        let signed = Signed::read(body)?;
        let taken = match signed.timestamp {
            Some(timestamp) => self.take(signature, timestamp)?,
            None => false,
        };
        let purge = Purge::of(signed.urls.into_iter().map(Named::Url).collect(), signed.mode);
        let (names, mode) = (purge.named.len(), purge.mode.name());
        match self.control.purge(purge).await {
            Ok(purged) => {
                tracing::info!(names, mode, hit = purged.hit, "purged by webhook");
                Ok(purged.hit)
            }
            Err(error) => {
                if taken {
                    // It did not happen: the sender may try again.
                    self.seen.lock().remove(&signature);
                }
                Err(Refused::Purge(error))
            }
        }
    }

    /// Takes a signature, once, and only as long as its timestamp is near.
    fn take(&self, signature: Signature, timestamp: u64) -> Result<bool, Refused> {
        let (now, then) = (self.clock.now(), Timestamp::from_secs(timestamp));
        remember(&mut self.seen.lock(), signature, then, now, self.config.window)?;
        Ok(true)
    }
}

/// Puts a signature of `then` among those that were `seen`, if that is near and has room for it.
fn remember(
    seen: &mut HashMap<Signature, Timestamp>,
    signature: Signature,
    then: Timestamp,
    now: Timestamp,
    window: Duration,
) -> Result<(), Refused> {
    if now.since(then).max(then.since(now)) > window {
        return Err(Refused::Signature);
    }
    // By its own timestamp: as long as that is near, it could be sent again.
    seen.retain(|_, then| now.since(*then) <= window);
    if seen.contains_key(&signature) {
        return Err(Refused::Signature);
    }
    if seen.len() >= MOST_SEEN {
        return Err(Refused::TooMany);
    }
    seen.insert(signature, then);
    Ok(())
}

enum Refused {
    Signature,
    Request(&'static str),
    TooMany,
    Purge(PurgeError),
}

/// What was signed.
#[derive(Debug, PartialEq, Eq)]
struct Signed {
    urls: Vec<String>,
    mode: Mode,
    timestamp: Option<u64>,
}

impl Signed {
    /// Fields that it does not know are the sender's own affair.
    fn read(body: &[u8]) -> Result<Signed, Refused> {
        let body: Value = from_slice(body).map_err(|_| Refused::Request("invalid JSON"))?;
        let urls = body["url"].as_str().into_iter().map(str::to_owned);
        let more = body["urls"].as_array().into_iter().flatten();
        let urls: Vec<String> = urls.chain(more.filter_map(|url| url.as_str().map(str::to_owned))).collect();
        let timestamp = match &body["timestamp"] {
            Value::Null => None,
            number => {
                let seconds = number.as_f64().or_else(|| number.as_str()?.trim().parse().ok());
                let seconds = seconds.filter(|seconds: &f64| seconds.is_finite());
                Some(seconds.ok_or(Refused::Request("timestamp is not a number of seconds"))? as u64)
            }
        };
        let mode = match &body["mode"] {
            Value::Null => Mode::Hard,
            name => name
                .as_str()
                .and_then(Mode::of_name)
                .ok_or(Refused::Request("mode is hard, soft or refresh"))?,
        };
        match urls.len() {
            _ if urls.iter().any(String::is_empty) => Err(Refused::Request("url required")),
            0 => Err(Refused::Request("url required")),
            1..=MOST_URLS => Ok(Signed { urls, mode, timestamp }),
            _ => Err(Refused::Request("too many urls")),
        }
    }
}

/// The signature of `body`, if it is the one that was given. Compared in constant time.
fn verified(secret: &str, body: &[u8], given: &HeaderMap) -> Option<Signature> {
    let given = given.get("x-signature")?.as_bytes();
    let given = given.strip_prefix(b"sha256=").unwrap_or(given);
    let (signature, hexadecimal) = sign(secret, body)?;
    let same = hexadecimal.as_bytes().ct_eq(&given.to_ascii_lowercase());
    bool::from(same).then_some(signature)
}

/// The signature of `body`, as octets and in hexadecimal.
fn sign(secret: &str, body: &[u8]) -> Option<(Signature, String)> {
    let signature: Signature = hmac_sha256(secret.as_bytes(), &[body])?;
    Some((signature, hex::encode(signature)))
}

fn error(status: StatusCode, why: &str) -> Response<Body> {
    answer(status, json!({ "error": why }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 section 4.3.
    #[test]
    fn the_signature_is_hmac_sha256_of_the_body() {
        let right = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        for (given, expected) in [
            (right.to_owned(), true),
            (format!("sha256={right}"), true),
            (right.to_uppercase(), true),
            (right.replace('5', "6"), false),
            (right[..62].to_owned(), false),
            (format!("sha1={right}"), false),
            (String::new(), false),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert("x-signature", HeaderValue::from_str(&given).expect("value"));
            let found = verified("Jefe", b"what do ya want for nothing?", &fields);
            assert_eq!(found.is_some(), expected, "{given}");
        }
        assert!(verified("Jefe", b"", &HeaderMap::new()).is_none());
    }

    #[test]
    fn so_many_signatures_are_remembered_while_they_are_near() {
        let (window, now) = (Duration::from_secs(300), Timestamp::from_secs(1_000_000));
        let signature = |n: usize| {
            let mut signature = Signature::default();
            signature[..8].copy_from_slice(&n.to_le_bytes());
            signature
        };
        let mut seen: HashMap<_, _> = (1..MOST_SEEN).map(|n| (signature(n), now)).collect();
        let mut told = |n: usize, then: Timestamp, now: Timestamp| match remember(
            &mut seen,
            signature(n),
            then,
            now,
            window,
        ) {
            Ok(()) => "taken",
            Err(Refused::Signature) => "refused",
            Err(Refused::TooMany) => "too many",
            Err(_) => "other",
        };
        assert_eq!(told(0, now, now), "taken");
        assert_eq!((told(0, now, now), told(MOST_SEEN, now, now)), ("refused", "too many"));
        let late = now + window + Duration::from_secs(1);
        assert_eq!((told(0, now, late), told(0, late, now)), ("refused", "refused"), "too old, too new");
        assert_eq!((told(0, late, late), told(MOST_SEEN, late, late)), ("taken", "taken"));
    }

    #[test]
    fn so_many_urls_and_no_more() {
        for (count, expected) in [(MOST_URLS, Ok(MOST_URLS)), (MOST_URLS + 1, Err("too many urls"))] {
            let body = json!({ "urls": vec!["https://a.example"; count] }).to_string();
            let read = match Signed::read(body.as_bytes()) {
                Ok(signed) => Ok(signed.urls.len()),
                Err(Refused::Request(why)) => Err(why),
                Err(_) => Err("other"),
            };
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn bodies_are_read_or_refused() {
        for (body, expected) in [
            (r#"{"url":"https://a.example"}"#, Ok((1, Mode::Hard, None))),
            (
                r#"{"url":"a","urls":["b","c"],"mode":"refresh","timestamp":5,"x":1}"#,
                Ok((3, Mode::Refresh, Some(5))),
            ),
            (r#"{}"#, Err("url required")),
            (r#"{"url":""}"#, Err("url required")),
            (r#"{"url":7}"#, Err("url required")),
            (r#"[]"#, Err("url required")),
            (r#"{"url":"a","mode":"warm"}"#, Err("mode is hard, soft or refresh")),
            (r#"{"url":"a","timestamp":"now"}"#, Err("timestamp is not a number of seconds")),
            ("url=a", Err("invalid JSON")),
        ] {
            let read = match Signed::read(body.as_bytes()) {
                Ok(signed) => Ok((signed.urls.len(), signed.mode, signed.timestamp)),
                Err(Refused::Request(why)) => Err(why),
                Err(_) => Err("refused"),
            };
            assert_eq!(read, expected, "{body}");
        }
    }
}
