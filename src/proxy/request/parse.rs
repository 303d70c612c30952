//! Reads a request in the terms of its route: as a capture request, by `GET` or as the JSON of a
//! `POST`, in the dialect of another service, or as an opaque target.

use std::borrow::Cow;

use http::Method;
use http::request::Parts;
use http_body::Body as _;

use super::dialect;
use super::reading::{Payload, Reading, to_get, whole};
use super::target::with_query;
use crate::capture::Canonical;
use crate::message::body::Body;
use crate::message::json::is_json;
use crate::proxy::refusal::Refusal;
use crate::proxy::route::{Asking, Route};

/// Reads `request`, and leaves in it what the origin is asked for. The `POST` of a capture request
/// becomes a `GET`.
///
/// # Errors A body that is too long, or that does not arrive.
pub(in crate::proxy) async fn read(
    route: &Route,
    request: &mut Parts,
    body: Body,
    max_body: u64,
) -> Result<(Reading, Body), Refusal> {
    let defaults = match &route.asking {
        Asking::Opaque(rules) => {
            if let Some(query) = request.uri.query()
                && let Cow::Owned(sent) = rules.sent(query)
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
