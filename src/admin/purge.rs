//! `POST /purge`, `DELETE /cache`, `DELETE /cache/url` and the method `PURGE`: what is asked for, and the answer.

use std::collections::HashSet;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use http::{Request, Response, StatusCode, header};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use super::answer::{answer, problem, status_of};
use super::context::Context;
use super::control::Control;
use super::describe::BadRequest;
use crate::clock::Stopwatch;
use crate::message::body::Body;
use crate::message::form;
use crate::message::json::from_slice;
use crate::policy::purge::{Mode, Named};
use crate::purge::{Purge, PurgeError, Purged, StoredItem};

/// Where purges are posted.
pub const PURGE: &str = "/purge";
pub(super) const CACHE: &str = "/cache";
pub(super) const CACHE_URL: &str = "/cache/url";

/// URLs or tags in one purge.
const MOST_NAMES: usize = 1000;
/// Stored responses that an answer lists.
const MOST_LISTED: usize = 1000;
const USAGE: &str = "name what to purge, by query or JSON: one of url or urls, key, tag or tags, host, prefix, all=true; \
                     and perhaps mode (hard, soft, refresh), dry_run, list (a number up to 1000)";

/// What a purge hit.
#[derive(Serialize, ToSchema)]
pub(super) struct PurgeAnswer {
    /// What was named, as it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    purged: Option<Value>,
    /// The same where `dry_run` was set, and nothing was purged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    would_purge: Option<Value>,
    mode: Mode,
    /// Stored responses that it hit, as far as they are listed.
    hit: u64,
    /// `complete` if everything stored is listed, else `partial`.
    listing: &'static str,
    /// The first of those that it hit, as many as `list` asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    stored: Option<Vec<StoredItem>>,
    /// Those that are fetched again, where `mode` is `refresh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refreshing: Option<usize>,
}

/// How many stored responses were purged.
#[derive(Serialize, ToSchema)]
pub(super) struct Invalidated {
    invalidated: u64,
}

/// Purge by page, key, tag, host, prefix, or all
///
/// As query or as JSON. Of the names, those of one kind.
#[utoipa::path(post, path = PURGE, operation_id = "purge", tag = "Purging",
    params(PurgeRequest), request_body = PurgeRequest, responses(
    (status = 200, description = "What was purged, and how many stored responses that hit.", body = PurgeAnswer),
    (status = 400, response = BadRequest),
    (status = 500, description = "The ledger could not be written."),
))]
pub(super) async fn purge(
    State(context): State<Context>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Response<Body>, Response<Body>> {
    let purge = wanted(query.as_deref().unwrap_or_default(), &body, Stopwatch::start());
    run(&*context.control, &purge.map_err(|error| problem(StatusCode::BAD_REQUEST, &error))?).await
}

/// Purge everything
///
/// On which listener it is, is set in `[compat]`.
#[utoipa::path(delete, path = CACHE, operation_id = "deleteCache", tag = "Purging", responses(
    (status = 204, description = "Nothing is stored any more."),
))]
pub(super) async fn delete_cache(State(context): State<Context>) -> Result<Response<Body>, Response<Body>> {
    done(&*context.control, &Purge::of(vec![Named::All], Mode::Hard)).await?;
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Purge one URL
///
/// On which listener it is, is set in `[compat]`.
#[utoipa::path(delete, path = CACHE_URL, operation_id = "deleteUrl", tag = "Purging", params(
    ("url" = String, Query, description = "The page, or a request to tintype."),
), responses(
    (status = 200, description = "How many.", body = Invalidated),
    (status = 400, response = BadRequest),
))]
pub(super) async fn delete_url(
    State(context): State<Context>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Response<Body>> {
    let query = query.unwrap_or_default();
    let url = form::pairs(&query).find(|(name, _)| name.text == "url").map(|(_, url)| url.text.into_owned());
    let url = url.filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| problem(StatusCode::BAD_REQUEST, "name the URL: ?url=URL"))?;
    let purged = done(&*context.control, &Purge::of(vec![Named::Url(url)], Mode::Hard)).await?;
    Ok(answer(StatusCode::OK, Invalidated { invalidated: purged.hit }))
}

/// The method `PURGE`, of the request's own URL; `X-Purge-Mode` says how. Whether the client may, is for the caller to know.
pub async fn by_method(control: &dyn Control, request: Request<Body>) -> Response<Body> {
    let (request, _) = request.into_parts();
    let mode = match request.headers.get("x-purge-mode").map(|mode| mode.to_str().map(Mode::of_name)) {
        None => Mode::Hard,
        Some(Ok(Some(mode))) => mode,
        Some(_) => return problem(StatusCode::BAD_REQUEST, "X-Purge-Mode is hard, soft or refresh"),
    };
    let uri = request.uri;
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let url = match (uri.authority(), host) {
        (None, Some(host)) => format!("http://{host}{uri}"),
        _ => uri.to_string(),
    };
    run(control, &Purge::of(vec![Named::Url(url)], mode)).await.unwrap_or_else(|problem| problem)
}

/// Purges, and logs it.
async fn done(control: &dyn Control, purge: &Purge) -> Result<Purged, Response<Body>> {
    match control.purge(purge.clone()).await {
        Ok(purged) => {
            // Without what was named: query strings hold secrets.
            let (names, mode, hit, dry_run) =
                (purge.named.len(), purge.mode.name(), purged.hit, purge.dry_run);
            tracing::info!(names, mode, hit, dry_run, "purged");
            Ok(purged)
        }
        Err(error) => {
            if matches!(error, PurgeError::Ledger(_)) {
                tracing::error!(%error, "purge failed");
            }
            Err(problem(status_of(&error), &error.to_string()))
        }
    }
}

async fn run(control: &dyn Control, purge: &Purge) -> Result<Response<Body>, Response<Body>> {
    let purged = done(control, purge).await?;
    let named = Some(told(&purge.named));
    let (purged_names, would_purge) = if purge.dry_run { (None, named) } else { (named, None) };
    let body = PurgeAnswer {
        purged: purged_names,
        would_purge,
        mode: purge.mode,
        hit: purged.hit,
        listing: if purged.complete { "complete" } else { "partial" },
        stored: (purge.list > 0).then_some(purged.listed),
        refreshing: (purge.mode == Mode::Refresh && !purge.dry_run).then_some(purged.refreshing),
    };
    Ok(answer(StatusCode::OK, body))
}

/// What was named, as it was asked for.
fn told(named: &[Named]) -> Value {
    let mut all: Vec<Value> = named
        .iter()
        .map(|named| match named {
            Named::Url(url) => json!({ "url": url }),
            Named::Key(key) => json!({ "key": key }),
            Named::Tag(tag) => json!({ "tag": tag }),
            Named::Host(host) => json!({ "host": host }),
            Named::Prefix(prefix) => json!({ "prefix": prefix }),
            Named::All => json!({ "all": true }),
        })
        .collect();
    if all.len() == 1 { all.swap_remove(0) } else { Value::Array(all) }
}

/// What to purge: names of one kind.
#[derive(Debug, Default, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
#[schema(as = Purge)]
pub(super) struct PurgeRequest {
    /// A page, in all sizes and formats, or the URL of a request to tintype.
    url: Option<String>,
    #[param(ignore)]
    urls: Vec<String>,
    /// The key of one stored response, as `Cache-Status` shows it.
    key: Option<String>,
    /// A tag that the origin gave.
    tag: Option<String>,
    #[param(ignore)]
    tags: Vec<String>,
    /// The host of pages.
    host: Option<String>,
    /// Everything below a URL.
    prefix: Option<String>,
    /// Everything.
    #[param(default = false)]
    all: bool,
    /// `hard`, the default: not used again. `soft`: stale from now on. `refresh`: soft, and fetched again.
    #[schema(inline)]
    #[param(inline)]
    mode: Mode,
    /// Only says what would be purged.
    #[schema(default = false)]
    #[param(default = false)]
    dry_run: bool,
    /// Stored responses that the answer lists.
    #[serde(deserialize_with = "number")]
    #[schema(minimum = 0, maximum = 1000, default = 0)]
    #[param(minimum = 0, maximum = 1000, default = 0)]
    list: usize,
}

/// A number, or its text: forms and shells write it so.
fn number<'de, D: Deserializer<'de>>(value: D) -> Result<usize, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Number(usize),
        Text(String),
    }
    match Given::deserialize(value)? {
        Given::Number(number) => Ok(number),
        Given::Text(text) => text.trim().parse().map_err(D::Error::custom),
    }
}

/// What a purge request asks for, by its query or its JSON body.
fn wanted(query: &str, body: &[u8], accepted: Stopwatch) -> Result<Purge, String> {
    let bad = || USAGE.to_owned();
    let mut asked = match body.trim_ascii() {
        b"" => PurgeRequest::default(),
        body => from_slice(body).map_err(|error| format!("{USAGE} ({error})"))?,
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        let flag = match value.as_str() {
            "" | "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        };
        match &*name {
            "url" => asked.urls.push(value),
            "tag" => asked.tags.push(value),
            "key" => asked.key = Some(value),
            "host" => asked.host = Some(value),
            "prefix" => asked.prefix = Some(value),
            "mode" => asked.mode = Mode::of_name(&value).ok_or_else(bad)?,
            "list" => asked.list = value.parse().map_err(|_| bad())?,
            "all" => asked.all |= flag.ok_or_else(bad)?,
            "dry_run" => asked.dry_run |= flag.ok_or_else(bad)?,
            _ => return Err(bad()),
        }
    }
    asked.into_purge(accepted).ok_or_else(bad)
}

impl PurgeRequest {
    /// `None` unless it names things of exactly one kind, within the bounds.
    fn into_purge(self, accepted: Stopwatch) -> Option<Purge> {
        let urls = self.url.into_iter().chain(self.urls).map(Named::Url);
        let tags = self.tag.into_iter().chain(self.tags).map(Named::Tag);
        let others = [
            self.key.map(Named::Key),
            self.host.map(Named::Host),
            self.prefix.map(Named::Prefix),
            self.all.then_some(Named::All),
        ];
        let named: Vec<Named> = urls.chain(tags).chain(others.into_iter().flatten()).collect();
        let kinds: HashSet<_> = named.iter().map(std::mem::discriminant).collect();
        let bounded = (1..=MOST_NAMES).contains(&named.len()) && self.list <= MOST_LISTED;
        (kinds.len() == 1 && bounded).then_some(Purge {
            named,
            mode: self.mode,
            dry_run: self.dry_run,
            list: self.list,
            accepted,
        })
    }
}
