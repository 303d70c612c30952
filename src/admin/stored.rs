//! `GET /stored`: what is stored, page by page; `POST /gc`: what is of no use is dropped.

use http::{Request, Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;

use super::Control;
use super::answer::{answer, problem};
use crate::message::body::Body;
use crate::policy::purge::Named;

/// Stored responses on one page at most.
const LARGEST_PAGE: usize = 1000;
/// Stored responses on a page unless asked otherwise.
const PAGE: usize = 100;

/// One stored response.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Item {
    /// Its key, octets that text cannot have percent-encoded.
    pub key: String,
    /// The page that it captures, else its URL.
    pub target: String,
    /// Status code of the response.
    pub status: u16,
    /// Bytes of its body.
    pub bytes: u64,
    /// `memory`, or `disk` where it is on disk only.
    pub tier: &'static str,
    /// Seconds since it was stored or validated.
    pub age: u64,
    /// Seconds for which it is still fresh, negative when stale.
    pub ttl: i64,
    /// Seconds until it is of no use any more without being validated.
    pub useful_for: u64,
    /// Milliseconds that it took to get.
    pub cost_ms: u64,
    /// Requests that it answered, as far as this was noted.
    pub hits: u32,
    /// Whether it can be fetched again without a client: it was asked for without credentials.
    pub refreshable: bool,
}

/// What of the listing is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Only what each of these names.
    pub named: Vec<Named>,
    /// Where an earlier page left off.
    pub cursor: Option<u64>,
    /// Stored responses on the page.
    pub limit: usize,
}

/// A page of the listing.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The stored responses.
    pub stored: Vec<Item>,
    /// Where the next page begins, if there may be one.
    pub cursor: Option<u64>,
    /// Whether everything stored is listed.
    pub complete: bool,
}

/// `GET /stored`.
pub(super) fn get(control: &dyn Control, request: &Request<Body>) -> Response<Body> {
    const USAGE: &str = "filter by host, tag, prefix, url or key; page by cursor and limit (1 to 1000)";
    let Some(ask) = asked(request.uri().query().unwrap_or_default()) else {
        return problem(StatusCode::BAD_REQUEST, USAGE);
    };
    match control.stored(&ask) {
        Ok(page) => {
            let body = json!({
                "stored": page.stored,
                "cursor": page.cursor.map(|cursor| cursor.to_string()),
                "listing": if page.complete { "complete" } else { "partial" },
            });
            answer(StatusCode::OK, body)
        }
        Err(error) => problem(error.status(), &error.to_string()),
    }
}

/// `POST /gc`.
pub(super) async fn gc(control: &dyn Control) -> Response<Body> {
    let dropped = control.drop_useless().await;
    answer(StatusCode::OK, json!({ "dropped": dropped }))
}

fn asked(query: &str) -> Option<Ask> {
    let mut ask = Ask { limit: PAGE, ..Ask::default() };
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
            ("", Some(Ask { limit: 100, ..Ask::default() })),
            ("host=a&limit=7&cursor=9", Some(Ask { named: vec![host], cursor: Some(9), limit: 7 })),
            ("limit=0", None),
            ("limit=1001", None),
            ("cursor=x", None),
            ("colour=red", None),
        ] {
            assert_eq!(asked(query), expected, "{query}");
        }
    }
}
