//! The description of everything that can be asked for: OpenAPI for programs, Swagger UI for people.
//! Neither tells anything of this tintype.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use http::{HeaderValue, Response, StatusCode, header};
use utoipa::openapi::{self, OpenApi as Document, Server};
use utoipa::{OpenApi as _, ToResponse, ToSchema};

use super::answer::problem;
use super::context::Context;
use crate::capture;
use crate::message::body::Body;

pub(super) const OPENAPI: &str = "/openapi.json";
pub(super) const DOCS: &str = "/docs";
pub(super) const REDOC: &str = "/redoc";

/// The page, which loads the files of Swagger UI.
const PAGE: &str = include_str!("docs.html");
/// What the page starts Swagger UI with.
const START: &str = include_str!("docs.js");
/// The capture routes of the data plane, written by hand.
const CAPTURES: &str = include_str!("captures.json");

/// Files that the page loads; the first is ours.
pub(super) const FILES: [&str; 4] =
    ["start.js", "swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "tintype",
        description = "A caching HTTP reverse proxy for screenshots of web pages. Pictures are on the data plane, everything else on the control plane, unless proxy.toml says otherwise. \
                       Paths of pictures are those of the routes in proxy.toml.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "Pictures", description = "What it is all for. To send these requests from this page, set `docs` in `[compat]` to \
                                           `data` or `both`, open the page there, and choose the server `/`."),
        (name = "Health", description = "For monitors."),
        (name = "Figures", description = "What it does, and why."),
        (name = "Purging", description = "What is stored, and getting rid of it."),
        (name = "Jobs", description = "Many pictures in the background."),
        (name = "Control", description = "The process itself."),
        (name = "Description", description = "This."),
    ),
    components(schemas(Problem)),
)]
struct Base;

/// RFC 9457.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes `message::problem::Problem`")]
pub(super) struct Problem {
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    /// A short, stable name.
    #[schema(nullable = false)]
    reason: Option<String>,
    /// Every bad parameter.
    #[schema(inline, nullable = false)]
    errors: Option<Vec<Fault>>,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "it describes `message::problem::Fault`")]
struct Fault {
    parameter: String,
    #[schema(nullable = false)]
    found: Option<String>,
    #[schema(nullable = false)]
    allowed: Option<String>,
}

/// Parameters are bad; each is named.
#[derive(ToResponse)]
#[response(content_type = "application/problem+json")]
#[allow(dead_code, reason = "it names a response")]
pub(super) struct BadRequest(Problem);

/// The document: the routes of the control plane, and the capture routes.
///
/// # Errors
/// The capture routes are not JSON.
pub(super) fn document(routes: Document) -> Result<String, serde_json::Error> {
    // They come first: `merge` takes no headers from another document.
    let mut captures = serde_json::from_str(CAPTURES)?;
    capture::describe(&mut captures);
    let mut document: Document = serde_json::from_value(captures)?;
    let base = Base::openapi();
    document.info = base.info.clone();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.servers = Some(vec![Server::new("/")]);
    document.tags.clone_from(&base.tags);
    document.merge(base);
    document.merge(routes);
    let token = openapi::security::HttpBuilder::new()
        .scheme(openapi::security::HttpAuthScheme::Bearer)
        .description(Some("`admin.token`; none where the control plane is on loopback and has no token."))
        .build();
    if let Some(components) = &mut document.components {
        components.add_security_scheme("token", openapi::security::SecurityScheme::Http(token));
    }
    document.to_pretty_json()
}

/// This document
#[utoipa::path(get, path = OPENAPI, operation_id = "openapi", tag = "Description", responses(
    (status = 200, description = "OpenAPI 3.1.", body = Object, content_type = "application/json"),
))]
pub(super) async fn openapi(State(context): State<Context>) -> Response<Body> {
    answer("application/json", context.openapi.into())
}

/// This document for people
///
/// It needs no network.
#[utoipa::path(get, path = DOCS, operation_id = "docs", tag = "Description", responses(
    (status = 200, description = "Swagger UI, from which requests can be sent.", content_type = "text/html"),
))]
pub(super) async fn docs() -> Response<Body> {
    let mut response = answer("text/html; charset=utf-8", PAGE.into());
    // Styles: Swagger UI sets them on elements. Pictures: it has some as data, and shows responses.
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
                  connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// A file that the page loads.
pub(super) async fn file(Path(name): Path<String>) -> Response<Body> {
    if name == FILES[0] {
        return answer("text/javascript", START.into());
    }
    let found = match FILES.contains(&name.as_str()) {
        true => utoipa_swagger_ui::serve(&name, Arc::default()).ok().flatten(),
        false => None,
    };
    let Some(file) = found else { return problem(StatusCode::NOT_FOUND, "the page has no such file") };
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let mut response = answer("application/octet-stream", bytes);
    let fields = response.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(file.content_type) {
        fields.insert(header::CONTENT_TYPE, kind);
    }
    if file.gzpipped {
        // Every browser that runs it can unpack it.
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The same
#[utoipa::path(get, path = REDOC, operation_id = "redoc", tag = "Description", responses(
    (status = 308, description = "To /docs."),
))]
pub(super) async fn redoc() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(DOCS));
    response
}

fn answer(kind: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::whole(body));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
