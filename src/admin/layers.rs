//! What holds for every request to the control plane: who may make it, how long it may take and be, and
//! the form of errors. Tower layers around the routes.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use http::{HeaderValue, Method, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::timeout::TimeoutLayer;

use super::answer::problem;
use super::auth;
use super::config::Config;
use super::context::Context;

/// `routes` within the bounds of `config`.
pub(super) fn around(routes: Router, config: Option<&Config>) -> Router {
    // A service of its own, so that these layers see the 405 of the router with its `Allow`.
    let mut router = Router::new().fallback_service(routes);
    if let Some(config) = config {
        router = router
            .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, config.request_timeout));
    }
    router = router.layer(CatchPanicLayer::new()).layer(middleware::map_response(explained));
    match config.map(|config| &config.cors_origins).filter(|origins| !origins.is_empty()) {
        Some(origins) => router.layer(
            CorsLayer::new()
                .allow_origin(AllowOrigin::list(origins.iter().cloned()))
                .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
                .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE]),
        ),
        None => router,
    }
}

/// Lets pass what has the token.
pub(super) async fn authorized(State(context): State<Context>, request: Request, next: Next) -> Response {
    match auth::check(context.token.as_deref(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(denied) => deny(denied),
    }
}

fn deny(denied: auth::Denied) -> Response {
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
    .into_response()
}

/// Errors of the libraries become problem documents too.
async fn explained(response: Response<Body>) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_ours = kind.is_some_and(|kind| kind.starts_with("application/"));
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let mut explained = match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = response.headers().get(header::ALLOW).and_then(|allowed| allowed.to_str().ok());
            let allowed = allowed.unwrap_or_default().replace(',', ", ");
            let mut explained = problem(status, &format!("allowed here: {allowed}"));
            explained
                .headers_mut()
                .extend(HeaderValue::try_from(allowed).ok().map(|one| (header::ALLOW, one)));
            explained
        }
        StatusCode::PAYLOAD_TOO_LARGE => problem(status, "the body is too long, or broke off"),
        StatusCode::SERVICE_UNAVAILABLE => problem(status, "it took longer than admin.request_timeout"),
        StatusCode::INTERNAL_SERVER_ERROR => problem(status, "internal fault"),
        _ => problem(status, status.canonical_reason().unwrap_or_default()),
    };
    *explained.version_mut() = response.version();
    explained.into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn what_panics_or_takes_too_long_is_a_problem() {
        async fn slow() {
            std::future::pending().await
        }
        async fn panics() {
            panic!("a fault")
        }
        let routes = Router::new().route("/slow", get(slow)).route("/panics", get(panics));
        let config = crate::config::Config::from_toml(
            "[upstream.o]\nkind = \"remote\"\nurl = \"http://127.0.0.1:1\"\n[route.all]\nupstream = \"o\"\n",
        );
        let mut config = config.expect("a configuration").admin.expect("a control plane");
        config.request_timeout = Duration::from_millis(1);
        let router = around(routes, Some(&config));
        for (path, status) in [("/slow", 503), ("/panics", 500)] {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            let response = router.clone().oneshot(request).await.expect("a response");
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{path}");
        }
    }
}
