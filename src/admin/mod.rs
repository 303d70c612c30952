//! CONTROL PLANE on its own listener.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /healthz` | 200 while the process runs and every task that must live does, else 503 |
//! | `GET /readyz` | 200 if the store and every origin can work, else 503; JSON names each |
//! | `GET /health` | how the services are: 503 if none can answer |
//! | `GET /stats` | figures as JSON |
//! | `GET /metrics` | figures for Prometheus |
//! | `GET /cache/stats` | the figures of one cache, in short |
//! | `GET /explain` | what a request `url` (or of a page, `target`) would get and why; `method`, `header=Name: value`; so does `?explain` on any other path |
//! | `POST /purge` | purges by `url`, `urls`, `key`, `tag`, `tags`, `host`, `prefix` or `all`, as query or JSON; with `mode`, `dry_run`, `list` |
//! | `DELETE /cache` | purges everything: 204 |
//! | `DELETE /cache/url?url=URL` | purges one URL: `{"invalidated": n}` |
//! | `GET /stored` | what is stored, by `host`, `tag`, `prefix`, `url`, `key`; paged by `cursor` and `limit` |
//! | `POST /reload` | puts the configuration in force as it is now: `{"reloaded": true, "needs_restart": []}`, or 422 with what is wrong |
//! | `POST /gc` | drops what is stale beyond every window: `{"dropped": n}` |
//! | `GET /openapi.json`, `GET /docs` | what there is, for programs and for people; `/redoc` leads to the latter |
//! | `POST /api/cache/invalidate` | purges by webhook, signed ([`webhook`]), if it is set up |
//! | `POST /batch/screenshots`, `GET /batch/screenshots/{id}`, `GET /batch/screenshots/{id}/results` | jobs ([`jobs`]) |
//!
//! Where `/health`, `/cache/stats`, `/cache`, `/cache/url` and the description are, here or on the data plane, is configured ([`compat`]).
//!
//! All but health, the description and the webhook want the bearer token where one is configured; a control plane that is not on loopback must have one.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::message::body::Body;
use crate::telemetry::exposition::Sample;

mod answer;
pub mod auth;
pub mod compat;
pub mod describe;
pub mod explain;
pub mod jobs;
mod metrics;
pub mod purge;
mod reload;
pub mod stats;
pub mod stored;
pub mod webhook;

use answer::{answer, not_allowed, problem};
use jobs::Jobs;
pub use purge::{Purge, PurgeError, Purged};
pub use reload::{NotReloaded, Reloaded};
use webhook::Webhook;

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

    /// Why the process is about to end, if it is: a task that must live has ended.
    fn failure(&self) -> Option<String> {
        None
    }

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
    fn explain(&self, ask: explain::Ask) -> BoxFuture<'_, Result<Value, explain::NotExplained>>;

    /// Purges, durably when it returns.
    fn purge(&self, what: Purge) -> BoxFuture<'_, Result<Purged, PurgeError>>;

    /// A page of what is stored.
    ///
    /// # Errors
    /// A filter that can name nothing.
    fn stored(&self, ask: &stored::Ask) -> Result<stored::Page, PurgeError>;

    /// Drops what is stale beyond every window, and tells how many.
    fn drop_useless(&self) -> BoxFuture<'_, u64>;

    /// Reads the configuration again and puts it in force.
    ///
    /// # Errors
    /// What is wrong with it; then nothing has changed.
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, NotReloaded>>;
}

/// The control plane.
pub struct Admin {
    control: Arc<dyn Control>,
    token: Option<String>,
    webhook: Option<Arc<Webhook>>,
    jobs: Option<Arc<Jobs>>,
    places: compat::Config,
}

impl Admin {
    /// A control plane over `control`; `token` where one is needed, `webhook` and `jobs` where they are to be here, `places` for what may be
    /// elsewhere.
    pub fn new(
        control: Arc<dyn Control>,
        token: Option<String>,
        webhook: Option<Arc<Webhook>>,
        jobs: Option<Arc<Jobs>>,
        places: compat::Config,
    ) -> Arc<Self> {
        Arc::new(Admin { control, token, webhook, jobs, places })
    }

    /// Answers one request on the data plane: of jobs, or one that [`compat::Config::is_on_data`].
    pub async fn handle_on_data(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        self.answer(request).await
    }

    /// Answers one request.
    pub async fn handle(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        if let (Some(webhook), webhook::PATH) = (&self.webhook, request.uri().path()) {
            return webhook.handle(request).await;
        }
        if self.places.hides(request.uri()) {
            return problem(StatusCode::NOT_FOUND, "it is not on this listener ([compat] in proxy.toml)");
        }
        self.answer(request).await
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        if let Some(jobs) = self.jobs.as_ref().filter(|_| Jobs::is_for(request.uri().path())) {
            return match auth::check(self.token.as_deref(), request.headers()) {
                Ok(()) => jobs.handle(request).await,
                Err(denied) => deny(denied),
            };
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => self.alive(),
            (&Method::GET | &Method::HEAD, "/readyz") => self.ready(),
            (&Method::GET | &Method::HEAD, "/health") => self.health(),
            (&Method::GET | &Method::HEAD, "/openapi.json") => describe::openapi(),
            (&Method::GET | &Method::HEAD, "/docs") => describe::docs(),
            (&Method::GET | &Method::HEAD, "/redoc") => describe::redoc(),
            (_, "/healthz" | "/readyz" | "/health" | "/openapi.json" | "/docs" | "/redoc") => {
                not_allowed("GET, HEAD")
            }
            (_, "/stats" | "/stored" | "/purge" | "/gc" | "/reload" | "/cache" | "/cache/url") => {
                self.guarded(request).await
            }
            _ if explain::is_for(request.uri()) => self.look(request).await,
            _ => problem(
                StatusCode::NOT_FOUND,
                "there is /healthz, /readyz, /stats, /metrics, /explain, /stored, /purge, /gc, /reload, /cache and /docs",
            ),
        }
    }

    /// What wants the token.
    async fn guarded(&self, request: Request<Body>) -> Response<Body> {
        if let Err(denied) = auth::check(self.token.as_deref(), request.headers()) {
            return deny(denied);
        }
        let control = &*self.control;
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/stats") => answer(StatusCode::OK, control.stats()),
            (&Method::GET | &Method::HEAD, "/stored") => stored::get(control, &request),
            (_, "/stats" | "/stored") => not_allowed("GET, HEAD"),
            (&Method::POST, "/purge") => purge::post(control, request).await,
            (&Method::POST, "/gc") => stored::gc(control).await,
            (&Method::POST, "/reload") => reload::post(control).await,
            (&Method::DELETE, "/cache") => purge::delete_all(control).await,
            (&Method::DELETE, "/cache/url") => purge::delete_url(control, request).await,
            (method, path) => purge::wrong_method(method, path),
        }
    }

    fn alive(&self) -> Response<Body> {
        match self.control.failure() {
            None => answer(StatusCode::OK, json!({ "status": "ok" })),
            Some(why) => answer(StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "failed", "why": why })),
        }
    }

    fn health(&self) -> Response<Body> {
        let (works, health) = self.control.figures().health(&self.control.readiness());
        let works = works && self.control.failure().is_none();
        answer(if works { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, health)
    }

    fn ready(&self) -> Response<Body> {
        let parts = self.control.readiness();
        let ready = parts.iter().all(|(_, works)| *works);
        let parts: serde_json::Map<String, Value> =
            parts.into_iter().map(|(name, works)| (name, Value::Bool(works))).collect();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        answer(status, json!({ "ready": ready, "parts": parts }))
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
