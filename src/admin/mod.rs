//! CONTROL PLANE on its own listener.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /healthz` | 200 while the process runs |
//! | `GET /readyz` | 200 if the store and every origin can work, else 503; JSON names each |
//! | `GET /stats` | figures as JSON |
//! | `GET /metrics` | figures for Prometheus |
//! | `GET /cache/stats` | the figures of one cache, in short |
//! | `GET /explain` | what a request `url` (or of a page, `target`) would get and why; `method`, `header=Name: value`; so does `?explain` on any other path |
//! | `POST /purge` | purges `?url=URL` or `{"url": URL}`, or everything by `?all=true` or `{"all": true}` |
//!
//! All but health want the bearer token where one is configured; a control plane that is not on loopback must have one.

use std::io;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::message::body::Body;
use crate::telemetry::exposition::Sample;

pub mod auth;
pub mod explain;
mod metrics;
pub mod stats;

/// Bytes of a request body that are read.
const MAX_BODY: usize = 64 * 1024;

/// Who may use the control plane.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Its listener.
    pub listener: crate::listener::Config,
    /// Bearer token; needed unless the listener is on loopback.
    pub token: Option<String>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.token.as_ref().map(|_| "[redacted]");
        f.debug_struct("Config").field("listener", &self.listener).field("token", &token).finish()
    }
}

/// What the control plane can do; `app` connects it to the data plane and the store.
pub trait Control: Send + Sync + 'static {
    /// Each part that must work for a request to be answered, and whether it does.
    fn readiness(&self) -> Vec<(String, bool)>;

    /// Figures.
    fn stats(&self) -> Value;

    /// What verdicts and the forms of other caches are made of.
    fn figures(&self) -> stats::Figures;

    /// Every metric at this moment.
    fn samples(&self) -> Vec<Sample>;

    /// What a request would get and why, without making it.
    ///
    /// # Errors
    /// In words, why nothing can be said.
    fn explain(&self, ask: explain::Ask) -> BoxFuture<'_, Result<Value, String>>;

    /// Purges, durably when it returns. The count is that of the purges entered, not of what they hit.
    fn purge(&self, what: Purge) -> BoxFuture<'_, Result<usize, PurgeError>>;
}

/// What to purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purge {
    /// The response to this URL with all its variants, and every capture of it.
    Url(String),
    /// Everything.
    All,
}

/// Why a purge did not happen.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// Neither the URL of a request to this proxy nor of a page.
    #[error("`{0}` is neither a URL nor a path that this proxy serves")]
    NotAUrl(String),
    /// It could not be made durable.
    #[error("the purge ledger cannot be written: {0}")]
    Ledger(#[from] io::Error),
}

/// The control plane.
pub struct Admin {
    control: Arc<dyn Control>,
    token: Option<String>,
}

impl Admin {
    /// A control plane over `control`; `token` where one is needed.
    pub fn new(control: Arc<dyn Control>, token: Option<String>) -> Arc<Self> {
        Arc::new(Admin { control, token })
    }

    /// Answers one request.
    pub async fn handle(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => answer(StatusCode::OK, json!({ "status": "ok" })),
            (&Method::GET | &Method::HEAD, "/readyz") => self.ready(),
            (method, path @ ("/stats" | "/purge")) => {
                if let Err(denied) = auth::check(self.token.as_deref(), request.headers()) {
                    return deny(denied);
                }
                match (method, path) {
                    (&Method::GET | &Method::HEAD, "/stats") => answer(StatusCode::OK, self.control.stats()),
                    (&Method::POST, "/purge") => self.purge(request).await,
                    (_, "/stats") => not_allowed("GET, HEAD"),
                    _ => not_allowed("POST"),
                }
            }
            (_, "/healthz" | "/readyz") => not_allowed("GET, HEAD"),
            _ if explain::is_for(request.uri()) => self.look(request).await,
            _ => problem(
                StatusCode::NOT_FOUND,
                "there is /healthz, /readyz, /stats, /metrics, /cache/stats, /explain and /purge",
            ),
        }
    }

    fn ready(&self) -> Response<Body> {
        let parts = self.control.readiness();
        let ready = parts.iter().all(|(_, works)| *works);
        let parts: serde_json::Map<String, Value> =
            parts.into_iter().map(|(name, works)| (name, Value::Bool(works))).collect();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        answer(status, json!({ "ready": ready, "parts": parts }))
    }

    async fn purge(&self, request: Request<Body>) -> Response<Body> {
        let what = match wanted(request).await {
            Ok(what) => what,
            Err(problem) => return problem,
        };
        match self.control.purge(what.clone()).await {
            Ok(purges) => {
                tracing::info!(?what, purges, "purged");
                let what = match what {
                    Purge::Url(url) => json!({ "url": url }),
                    Purge::All => json!({ "all": true }),
                };
                answer(StatusCode::OK, json!({ "purged": what }))
            }
            Err(error @ PurgeError::NotAUrl(_)) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
            Err(error @ PurgeError::Ledger(_)) => {
                tracing::error!(%error, "purge failed");
                problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
            }
        }
    }
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PurgeRequest {
    url: Option<String>,
    #[serde(default)]
    all: bool,
}

/// What a purge request asks for, by its query or its JSON body.
async fn wanted(request: Request<Body>) -> Result<Purge, Response<Body>> {
    const USAGE: &str =
        "name what to purge: ?url=URL or ?all=true, or JSON {\"url\": URL} or {\"all\": true}";
    let bad = |detail: &str| problem(StatusCode::BAD_REQUEST, detail);
    let mut asked = PurgeRequest::default();
    for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()) {
        match (&*name, &*value) {
            ("url", url) => asked.url = Some(url.to_owned()),
            ("all", "" | "1" | "true") => asked.all = true,
            ("all", "0" | "false") => {}
            _ => return Err(bad(USAGE)),
        }
    }
    let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|_| problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"))?.to_bytes();
    if !body.trim_ascii().is_empty() {
        let more: PurgeRequest =
            serde_json::from_slice(&body).map_err(|error| bad(&format!("{USAGE} ({error})")))?;
        asked = PurgeRequest { url: more.url.or(asked.url), all: more.all || asked.all };
    }
    match asked {
        PurgeRequest { url: Some(url), all: false } if !url.is_empty() => Ok(Purge::Url(url)),
        PurgeRequest { url: None, all: true } => Ok(Purge::All),
        _ => Err(bad(USAGE)),
    }
}

fn deny(denied: auth::Denied) -> Response<Body> {
    match denied {
        auth::Denied::Token => {
            let mut response = problem(StatusCode::UNAUTHORIZED, "the bearer token is missing or wrong");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        auth::Denied::Browser => problem(
            StatusCode::FORBIDDEN,
            "web pages may not use the control plane; set admin.token to allow it with the token",
        ),
    }
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("allowed here: {allowed}"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// A problem document (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    let mut response = answer(status, body);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

fn answer(status: StatusCode, body: Value) -> Response<Body> {
    let mut response = Response::new(Body::whole(format!("{body:#}\n")));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
