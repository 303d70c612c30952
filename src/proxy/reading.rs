//! What a request asks for in the terms of its route: the picture that a capture request means, whether by `GET` or by `POST`, or a target
//! whose query has parts that are nobody's business.

use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::capture::Canonical;
use crate::capture::rendition::Derivative;
use crate::message::body::{Body, BodyError};
use crate::message::json::is_json;
use crate::policy::precondition::CONDITIONS;
use crate::policy::wishes::Wishes;
use crate::proxy::auth::Leave;
use crate::proxy::dialect::{self, Wanted};
use crate::proxy::fast_path::plain_request::PlainRequest as Ticket;
use crate::proxy::refusal::Refusal;
use crate::proxy::route::{Asking, Route};

/// What was read of a request beside its head.
#[derive(Default)]
pub(super) struct Reading {
    /// The primary key, where the request as it is sent on does not tell it.
    pub(super) key: Option<Vec<u8>>,
    /// What it wishes of the cache.
    pub(super) wishes: Wishes,
    /// What is made of the picture, if it is not the picture itself that is wanted.
    pub(super) derivative: Option<Derivative>,
    /// What the client gets, where its dialect has more than the picture.
    pub(super) wanted: Wanted,
    /// It is no picture, and to be done each time.
    pub(super) job: bool,
    /// For the short way, where the answer goes out as it comes.
    pub(super) ticket: Option<Ticket>,
    /// What may be done for it.
    pub(super) leave: Leave,
}

impl Reading {
    /// What the query of `target` alone tells.
    pub(super) fn of_target(route: &Route, target: &Uri) -> Self {
        let query = target.query().unwrap_or_default();
        let wishes = if route.capture { Wishes::of_unknown(query) } else { Wishes::default() };
        Reading { wishes, ..Reading::default() }
    }
}

/// The content that the origin is asked with: parameters as JSON. Travels with the request head.
#[derive(Clone)]
pub(super) struct Payload(pub(super) Bytes);

/// Reads `request` as `route` does, and leaves in it what the origin is asked for. A `POST` of a picture becomes the `GET` that it means.
///
/// # Errors
/// A body that is too long, or that does not arrive.
pub(super) async fn read(
    route: &Route,
    request: &mut Parts,
    body: Body,
    max_body: u64,
) -> Result<(Reading, Body), Refusal> {
    let defaults = match &route.asking {
        Asking::Opaque(rules) => {
            if let Some(query) = request.uri.query()
                && let std::borrow::Cow::Owned(sent) = rules.sent(query)
            {
                request.uri = with_query(&request.uri, &sent).unwrap_or_else(|| request.uri.clone());
            }
            return Ok((Reading::of_target(route, &request.uri), body));
        }
        Asking::Dialect(spoken) => return dialect::read(route, spoken, request, body, max_body).await,
        Asking::Tintype(defaults) => defaults,
    };
    let (json, body) = match request.method {
        Method::GET | Method::HEAD if body.is_end_stream() => (None, body),
        Method::POST if is_json(&request.headers) => {
            let json = whole(body, max_body).await?;
            (Some(json.clone()), Body::whole(json))
        }
        _ => return Ok((Reading::default(), body)),
    };
    let query = request.uri.query().unwrap_or_default();
    let Some(canonical) = Canonical::read(query, json.as_deref(), defaults) else {
        return Ok((Reading::default(), body));
    };
    let key = route.canonical_key(&request.uri, &canonical);
    if route.lifetimes.engine {
        request.extensions.insert(canonical.parameters.clone());
    }
    let asked = canonical.parameters.query().and_then(|query| with_query(&request.uri, &query));
    match asked {
        Some(asked) => request.uri = asked,
        None => {
            request.extensions.insert(Payload(canonical.parameters.json()));
            request.uri = with_query(&request.uri, "").unwrap_or_else(|| request.uri.clone());
        }
    }
    if json.is_some() {
        to_get(request);
    }
    let Canonical { wishes, derivative, .. } = canonical;
    Ok((Reading { key: Some(key), wishes, derivative, ..Reading::default() }, Body::Empty))
}

/// Makes a `POST` the `GET` that it means.
pub(super) fn to_get(request: &mut Parts) {
    request.method = Method::GET;
    unconditional(&mut request.headers);
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING] {
        request.headers.remove(name);
    }
}

/// Takes out conditions and ranges.
pub(super) fn unconditional(fields: &mut HeaderMap) {
    for name in CONDITIONS.iter().chain(&[header::RANGE, header::EXPECT]) {
        fields.remove(name);
    }
}

pub(super) async fn whole(body: Body, limit: u64) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit {
        return Err(Refusal::BodyTooLarge { limit });
    }
    match body.limited(limit).0.collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(BodyError::TooLarge { .. }) => Err(Refusal::BodyTooLarge { limit }),
        Err(error) => Err(Refusal::BodyBroken(error.to_string())),
    }
}

/// `target` with another query; `""` for none.
pub(super) fn with_query(target: &Uri, query: &str) -> Option<Uri> {
    let path = target.path();
    let both = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(both).ok()?);
    Uri::from_parts(parts).ok()
}
