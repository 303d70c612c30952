//! `GET /stored`: what is stored, page by page; `POST /gc`: what is of no use is dropped.

use axum::extract::{RawQuery, State};
use http::{Response, StatusCode};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::answer::{answer, problem, status_of};
use super::context::Context;
use super::describe::BadRequest;
use crate::message::body::Body;
use crate::policy::purge::Named;
use crate::purge::{Filter, StoredItem};

/// Where what is stored is listed.
pub const STORED: &str = "/stored";
/// Where useless responses are dropped.
pub const GC: &str = "/gc";

/// Stored responses on one page at most.
const LARGEST_PAGE: usize = 1000;
/// Stored responses on a page unless asked otherwise.
const PAGE: usize = 100;

/// A page of stored responses.
#[derive(Serialize, ToSchema)]
pub(super) struct Stored {
    stored: Vec<StoredItem>,
    /// Where the next page begins, if there may be one.
    cursor: Option<String>,
    /// `complete` if everything stored is listed, else `partial`.
    listing: &'static str,
}

/// What was dropped.
#[derive(Serialize, ToSchema)]
pub(super) struct Dropped {
    dropped: u64,
}

/// What is stored
#[utoipa::path(get, path = STORED, operation_id = "stored", tag = "Purging", params(
    ("host" = Option<String>, Query, description = "Of pages of this host."),
    ("tag" = Option<String>, Query, description = "With this tag."),
    ("prefix" = Option<String>, Query, description = "Below this URL."),
    ("url" = Option<String>, Query, description = "Of this page or request."),
    ("key" = Option<String>, Query, description = "Under this key."),
    ("cursor" = Option<String>, Query, description = "From where the page before left off."),
    ("limit" = Option<u16>, Query, description = "How many, 100 without.", minimum = 1, maximum = 1000),
), responses(
    (status = 200, description = "A page of stored responses.", body = Stored),
    (status = 400, response = BadRequest),
))]
pub(super) async fn stored(State(context): State<Context>, RawQuery(query): RawQuery) -> Response<Body> {
    const USAGE: &str = "filter by host, tag, prefix, url or key; page by cursor and limit (1 to 1000)";
    let Some(filter) = asked(query.as_deref().unwrap_or_default()) else {
        return problem(StatusCode::BAD_REQUEST, USAGE);
    };
    match context.control.stored(&filter) {
        Ok(page) => {
            let cursor = page.cursor.map(|cursor| cursor.to_string());
            let listing = if page.complete { "complete" } else { "partial" };
            answer(StatusCode::OK, Stored { stored: page.stored, cursor, listing })
        }
        Err(error) => problem(status_of(&error), &error.to_string()),
    }
}

/// Drop what is stale beyond every window
#[utoipa::path(post, path = GC, operation_id = "gc", tag = "Purging", responses(
    (status = 200, description = "How many.", body = Dropped),
))]
pub(super) async fn gc(State(context): State<Context>) -> Response<Body> {
    answer(StatusCode::OK, Dropped { dropped: context.control.drop_useless().await })
}

fn asked(query: &str) -> Option<Filter> {
    let mut ask = Filter { limit: PAGE, ..Filter::default() };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let text = value.to_string();
        match &*name {
            "host" => ask.named.push(Named::Host(text)),
            "tag" => ask.named.push(Named::Tag(text)),
            "prefix" => ask.named.push(Named::Prefix(text)),
            "url" => ask.named.push(Named::Url(text)),
            "key" => ask.named.push(Named::Key(text)),
            "cursor" => ask.cursor = Some(value.parse().ok()?),
            "limit" => ask.limit = value.parse().ok().filter(|limit| (1..=LARGEST_PAGE).contains(limit))?,
            _ => return None,
        }
    }
    (ask.named.len() <= 16).then_some(ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_are_read_or_refused() {
        let host = Named::Host("a".into());
        for (query, expected) in [
            ("", Some(Filter { limit: 100, ..Filter::default() })),
            ("host=a&limit=7&cursor=9", Some(Filter { named: vec![host], cursor: Some(9), limit: 7 })),
            ("limit=0", None),
            ("limit=1001", None),
            ("cursor=x", None),
            ("colour=red", None),
        ] {
            assert_eq!(asked(query), expected, "{query}");
        }
    }
}
