//! `POST /purge`, `DELETE /cache`, `DELETE /cache/url` and the method `PURGE`: what is asked for, and the answer.

use std::collections::HashSet;
use std::io;

use http::{Method, Request, Response, StatusCode, header};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::answer::{answer, not_allowed, problem, read_body};
use super::{Control, stored::Item};
use crate::clock::Stopwatch;
use crate::message::body::Body;
use crate::message::form;
use crate::message::json::from_slice;
use crate::policy::purge::{Mode, Named};

/// URLs or tags in one purge.
const MOST_NAMES: usize = 1000;
/// Stored responses that an answer lists.
const MOST_LISTED: usize = 1000;
const USAGE: &str = "name what to purge, by query or JSON: one of url or urls, key, tag or tags, host, prefix, all=true; \
                     and perhaps mode (hard, soft, refresh), dry_run, list (a number up to 1000)";

/// A purge that was accepted.
#[derive(Clone, Debug)]
pub struct Purge {
    /// What is hit: everything that any of them names.
    pub named: Vec<Named>,
    /// How.
    pub mode: Mode,
    /// Only told, not done.
    pub dry_run: bool,
    /// Stored responses that the answer lists.
    pub list: usize,
    /// Runs since it was accepted.
    pub accepted: Stopwatch,
}

impl Purge {
    /// A purge of `named` that lists nothing.
    pub fn of(named: Vec<Named>, mode: Mode) -> Purge {
        Purge { named, mode, dry_run: false, list: 0, accepted: Stopwatch::start() }
    }
}

/// What became of a purge.
#[derive(Clone, Debug, Default)]
pub struct Purged {
    /// Stored responses that it hit, as far as they are listed.
    pub hit: u64,
    /// Whether everything stored is listed.
    pub complete: bool,
    /// The first of those that it hit.
    pub listed: Vec<Item>,
    /// Those that are fetched again.
    pub refreshing: usize,
}

/// Why a purge did not happen.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// It can name nothing.
    #[error("{0}")]
    NamesNothing(String),
    /// It could not be made durable.
    #[error("the purge ledger cannot be written: {0}")]
    Ledger(#[from] io::Error),
}

impl PurgeError {
    /// The status by which it is told.
    pub fn status(&self) -> StatusCode {
        match self {
            PurgeError::NamesNothing(_) => StatusCode::BAD_REQUEST,
            PurgeError::Ledger(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// `POST /purge`.
pub(super) async fn post(control: &dyn Control, request: Request<Body>) -> Response<Body> {
    let purge = match wanted(request).await {
        Ok(purge) => purge,
        Err(problem) => return problem,
    };
    run(control, &purge).await.unwrap_or_else(|problem| problem)
}

/// `DELETE /cache`: everything, 204.
pub(super) async fn delete_all(control: &dyn Control) -> Response<Body> {
    match done(control, &Purge::of(vec![Named::All], Mode::Hard)).await {
        Ok(_) => {
            let mut response = answer(StatusCode::NO_CONTENT, json!(null));
            *response.body_mut() = Body::Empty;
            response.headers_mut().remove(header::CONTENT_TYPE);
            response
        }
        Err(problem) => problem,
    }
}

/// `DELETE /cache/url?url=URL`: how many were hit.
pub(super) async fn delete_url(control: &dyn Control, request: Request<Body>) -> Response<Body> {
    let query = request.into_parts().0.uri.query().unwrap_or_default().to_owned();
    let url = form::pairs(&query).find(|(name, _)| name.text == "url").map(|(_, url)| url.text.into_owned());
    let Some(url) = url.filter(|url| !url.is_empty()) else {
        return problem(StatusCode::BAD_REQUEST, "name the URL: ?url=URL");
    };
    match done(control, &Purge::of(vec![Named::Url(url)], Mode::Hard)).await {
        Ok(purged) => answer(StatusCode::OK, json!({ "invalidated": purged.hit })),
        Err(problem) => problem,
    }
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
pub(super) async fn done(control: &dyn Control, purge: &Purge) -> Result<Purged, Response<Body>> {
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
            Err(problem(error.status(), &error.to_string()))
        }
    }
}

async fn run(control: &dyn Control, purge: &Purge) -> Result<Response<Body>, Response<Body>> {
    let purged = done(control, purge).await?;
    let verb = if purge.dry_run { "would_purge" } else { "purged" };
    let mut body = json!({
        verb: told(&purge.named),
        "mode": purge.mode.name(),
        "hit": purged.hit,
        "listing": if purged.complete { "complete" } else { "partial" },
    });
    if purge.list > 0 {
        body["stored"] = json!(purged.listed);
    }
    if purge.mode == Mode::Refresh && !purge.dry_run {
        body["refreshing"] = json!(purged.refreshing);
    }
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

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct PurgeRequest {
    url: Option<String>,
    urls: Vec<String>,
    key: Option<String>,
    tag: Option<String>,
    tags: Vec<String>,
    host: Option<String>,
    prefix: Option<String>,
    all: bool,
    mode: Option<String>,
    dry_run: bool,
    #[serde(deserialize_with = "number")]
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
async fn wanted(request: Request<Body>) -> Result<Purge, Response<Body>> {
    let accepted = Stopwatch::start();
    let bad = |detail: &str| problem(StatusCode::BAD_REQUEST, detail);
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = read_body(request).await?;
    let mut asked = match body.trim_ascii() {
        b"" => PurgeRequest::default(),
        body => from_slice(body).map_err(|error| bad(&format!("{USAGE} ({error})")))?,
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
            "mode" => asked.mode = Some(value),
            "list" => asked.list = value.parse().map_err(|_| bad(USAGE))?,
            "all" => asked.all |= flag.ok_or_else(|| bad(USAGE))?,
            "dry_run" => asked.dry_run |= flag.ok_or_else(|| bad(USAGE))?,
            _ => return Err(bad(USAGE)),
        }
    }
    asked.into_purge(accepted).ok_or_else(|| bad(USAGE))
}

impl PurgeRequest {
    /// `None` unless it names things of exactly one kind, in a known mode, within the bounds.
    fn into_purge(self, accepted: Stopwatch) -> Option<Purge> {
        let mode = match self.mode {
            Some(mode) => Mode::of_name(&mode)?,
            None => Mode::Hard,
        };
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
            mode,
            dry_run: self.dry_run,
            list: self.list,
            accepted,
        })
    }
}

/// Answers what is not done by `method` here.
pub(super) fn wrong_method(method: &Method, path: &str) -> Response<Body> {
    tracing::debug!(%method, path, "not allowed here");
    not_allowed(if path.starts_with("/cache") { "DELETE" } else { "POST" })
}
