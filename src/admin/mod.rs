//! CONTROL PLANE on its own listener: an axum router whose table is [`routes`].
//!
//! `/openapi.json` and `/docs` are generated from the handlers and their types (`describe`). Which of `/health`, `/cache/stats`,
//! `/cache`, `/cache/url` and the description are on the data plane instead is configured ([`compat`]).
//!
//! All but health, the description and the webhook want the bearer token where one is configured. A control
//! plane that is not on loopback must have one.

use std::sync::{Arc, LazyLock};

use axum::Router;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::jobs::Jobs;
use crate::message::body::Body;

mod answer;
pub mod auth;
pub mod compat;
mod config;
mod context;
mod control;
mod describe;
pub mod explain;
pub mod figures;
pub mod health;
pub mod jobs;
mod layers;
mod metrics;
pub mod purge;
pub mod reload;
pub mod routes;
pub mod stats;
pub mod stored;
pub mod webhook;

use answer::problem;
pub use config::Config;
use context::{Context, Parts};
pub use control::{Control, NotExplained, NotReloaded, Question, Reloaded, What};
use webhook::Webhook;

/// The description of everything that can be asked for.
pub static OPENAPI: LazyLock<String> = LazyLock::new(|| match describe::document(routes::described()) {
    Ok(document) => document,
    Err(error) => {
        tracing::error!(%error, "the description cannot be written");
        String::new()
    }
});

/// The control plane, or what of it is on the data plane.
pub struct Admin {
    router: Router,
    places: compat::Config,
}

impl Admin {
    /// A control plane over `control`, with `webhook` and the routes of `batch` jobs where they are to be here. Without
    /// `config` there is no token. `places` says what may be elsewhere.
    pub fn new(
        control: Arc<dyn Control>,
        config: Option<&Config>,
        webhook: Option<Arc<Webhook>>,
        jobs: Arc<Jobs>,
        batch: bool,
        places: compat::Config,
    ) -> Self {
        let token = config.and_then(|config| config.token.clone());
        let context = Context::new(Parts { control, token, jobs, openapi: &OPENAPI });
        let routes = routes::router(&context, webhook, batch);
        Admin { router: layers::around(routes, config), places }
    }

    /// Answers one request on the data plane: of jobs, or one that [`compat::Config::is_on_data`].
    pub async fn handle_on_data(&self, request: Request<Body>) -> Response<Body> {
        let response = self.router.clone().oneshot(request).await;
        let (mut head, body) = response.unwrap_or_else(|never| match never {}).into_parts();
        match body.collect().await {
            Ok(body) => {
                if head.status == StatusCode::NO_CONTENT {
                    // RFC 9110 section 8.6.
                    head.headers.remove(http::header::CONTENT_LENGTH);
                }
                Response::from_parts(head, Body::whole(body.to_bytes()))
            }
            Err(error) => {
                tracing::error!(%error, "a response of the control plane broke off");
                problem(StatusCode::INTERNAL_SERVER_ERROR, "internal fault")
            }
        }
    }

    /// Answers one request on the control plane.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        if self.places.hides(request.uri()) {
            return problem(StatusCode::NOT_FOUND, "it is not on this listener ([compat] in proxy.toml)");
        }
        self.handle_on_data(request).await
    }
}

/// Whether a request for `target` is for jobs.
pub fn is_for_jobs(target: &Uri) -> bool {
    target.path().strip_prefix(jobs::BATCH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
