//! The route table of the control plane.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /healthz` | 200 while the process runs and every task that must live does, else 503 |
//! | `GET /readyz` | 200 if the store and every origin can work, else 503; JSON names each |
//! | `GET /health` | how the services are: 503 if none can answer |
//! | `GET /stats` | figures as JSON |
//! | `GET /metrics` | figures for Prometheus |
//! | `GET /cache/stats` | the figures of one cache, in short |
//! | `GET /explain` | what a request would get and why; so does `?explain` on any other path |
//! | `POST /purge` | purges by `url`, `urls`, `key`, `tag`, `tags`, `host`, `prefix` or `all` |
//! | `DELETE /cache` | purges everything: 204 |
//! | `DELETE /cache/url?url=URL` | purges one URL |
//! | `GET /stored` | what is stored, page by page |
//! | `POST /reload` | puts the configuration in force as it is now, or 422 with what is wrong |
//! | `POST /gc` | drops what is stale beyond every window |
//! | `GET /openapi.json`, `GET /docs` | what there is, for programs and for people; `/redoc` leads to the latter |
//! | `POST /api/cache/invalidate` | purges by webhook, signed, if it is set up |
//! | `POST /batch/screenshots`, `GET /batch/screenshots/{id}`, `GET /batch/screenshots/{id}/results` | jobs |
//! | `GET /jobs` | how every batch job stands, the newest first; those of one `status` |
//!
//! To add a route: a handler with its path and `#[utoipa::path]` in a file beside this one, and its row here,
//! in the table above and in the function of its group.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Extension, Router, middleware};
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, Ref, RefOr, SecurityRequirement};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::context::Context;
use super::webhook::Webhook;
use super::{describe, explain, health, jobs, layers, metrics, purge, reload, stats, stored, webhook};

/// Bytes of a request body, but for jobs.
const MAX_BODY: usize = 64 * 1024;

/// What everybody may use.
fn open() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::health))
        .routes(routes!(describe::openapi))
        .routes(routes!(describe::docs))
        .routes(routes!(describe::redoc))
        .route("/docs/{file}", axum::routing::get(describe::file))
}

/// What wants the bearer token.
fn guarded() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(stats::stats))
        .routes(routes!(metrics::metrics))
        .routes(routes!(stats::cache_stats))
        .routes(routes!(explain::explain))
        .routes(routes!(stored::stored))
        .routes(routes!(purge::purge))
        .routes(routes!(purge::delete_cache))
        .routes(routes!(purge::delete_url))
        .routes(routes!(stored::gc))
        .routes(routes!(reload::reload))
        .routes(routes!(jobs::list))
}

/// Jobs, which want the bearer token too.
fn batch() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(jobs::submit))
        .routes(routes!(jobs::status))
        .routes(routes!(jobs::results))
        .route("/batch/screenshots/", axum::routing::post(jobs::submit))
}

/// The webhook, whose signature is its authorization.
fn signed() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(webhook::invalidate))
}

/// The routes of a control plane, with the webhook and batch jobs where they are to be there.
pub(super) fn router(context: &Context, webhook: Option<Arc<Webhook>>, with_batch: bool) -> Router {
    let authorized = || middleware::from_fn_with_state(context.clone(), layers::authorized);
    let limit = |most| RequestBodyLimitLayer::new(most);
    let (open, _) = open().split_for_parts();
    let (guarded, _) = guarded().route_layer(limit(MAX_BODY)).route_layer(authorized()).split_for_parts();
    let mut router = open.merge(guarded).fallback(explain::fallback);
    if with_batch {
        let batch = batch().route_layer(limit(context.jobs.max_body())).route_layer(authorized());
        router = router.merge(batch.split_for_parts().0);
    }
    if let Some(webhook) = webhook {
        let signed = signed().route_layer(limit(MAX_BODY)).route_layer(Extension(webhook));
        router = router.merge(signed.split_for_parts().0);
    }
    // The layers above are the limits.
    router.layer(DefaultBodyLimit::disable()).with_state(context.clone())
}

/// All routes, as OpenAPI describes them.
pub(super) fn described() -> OpenApi {
    let (mut described, mut with_token) = (open().into_openapi(), guarded().merge(batch()).into_openapi());
    for operation in with_token.paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(vec![
            SecurityRequirement::default(),
            SecurityRequirement::new::<_, [String; 0], String>("token", []),
        ]);
        let denied = RefOr::Ref(Ref::from_response_name("NoToken"));
        operation.responses.responses.insert("401".to_owned(), denied);
    }
    described.merge(with_token);
    described.merge(signed().into_openapi());
    described
}

/// The operations at one path.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// What is announced at the start.
pub const ANNOUNCED: [&str; 8] = [
    health::HEALTHZ,
    health::READYZ,
    stats::STATS,
    metrics::METRICS,
    explain::EXPLAIN,
    stored::STORED,
    purge::PURGE,
    reload::RELOAD,
];
