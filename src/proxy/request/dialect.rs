//! Reads requests in the dialect of another service into tintype's own capture parameters. The
//! stored response is the picture.

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use http_body::Body as _;

use super::reading::{Payload, Reading, Wanted, to_get, unconditional, whole};
use crate::capture::dialect::{self, Asked, Content, Dialect, Fault, Form, Meaning, Picture, RouteDialect};
use crate::capture::rendition::Format;
use crate::message::body::Body;
use crate::message::json::is_json;
use crate::policy::wishes::Wishes;
use crate::proxy::refusal::Refusal;
use crate::proxy::route::Route;

/// Path of the one resource of the built-in engine, and of all pictures in keys.
const PICTURES: &str = "/screenshot";
/// Octets of a query that a service is asked with; a longer request goes as JSON where it takes
/// that.
const LONGEST_QUERY: usize = 8 << 10;
/// Fields by which clients prove to a service who they are.
const CREDENTIALS: [&str; 3] = ["authorization", "x-api-key", "x-access-key"];

/// A `GET` in its own dialect for what is sent on in other terms. Travels with the request head.
#[derive(Clone)]
struct InDialect(Uri);

/// `request` as a `GET` that can be read again on its route, if that is not what it is.
pub(in crate::proxy) fn as_asked(request: &Parts) -> Option<Parts> {
    let InDialect(uri) = request.extensions.get()?;
    let mut asked = request.clone();
    asked.uri = uri.clone();
    Some(asked)
}

/// Reads `request` in the dialect of its route, and leaves in it what the origin is asked for.
///
/// # Errors
/// A body that is too long or does not arrive, and what cannot be answered.
pub(in crate::proxy) async fn read(
    route: &Route,
    spoken: &RouteDialect,
    request: &mut Parts,
    body: Body,
    max_body: u64,
) -> Result<(Reading, Body), Refusal> {
    let (content, body) = match request.method {
        Method::GET | Method::HEAD if body.is_end_stream() => (None, body),
        Method::POST if is_json(&request.headers) || is_form(&request.headers) => {
            let content = whole(body, max_body).await?;
            (Some(content.clone()), Body::whole(content))
        }
        // The origin knows which methods it has.
        _ => {
            forget_credentials(&mut request.headers);
            if spoken.remote {
                return Ok((Reading::default(), body));
            }
            // The engine says what it takes, and is given nothing that was not read: its content
            // could ask for any page.
            request.uri = at(&request.uri, PICTURES, "")?;
            for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING] {
                request.headers.remove(name);
            }
            return Ok((Reading::default(), Body::Empty));
        }
    };
    let meaning = dialect::read(
        spoken,
        &Asked {
            path: below(route, spoken.dialect, request.uri.path()),
            query: request.uri.query().unwrap_or_default(),
            fields: &request.headers,
            content: match &content {
                None => Content::Nothing,
                Some(content) if is_json(&request.headers) => Content::Json(content),
                Some(content) => Content::Form(content),
            },
        },
    );
    forget_credentials(&mut request.headers);
    match meaning {
        Meaning::Picture(picture) => {
            if content.is_some() {
                to_get(request);
            }
            let reading = ask_for(route, spoken, request, *picture)?;
            Ok((reading, Body::Empty))
        }
        // A job is to be done each time.
        Meaning::Other if spoken.remote => {
            let wishes = Wishes { no_cache: true, ..Wishes::default() };
            Ok((Reading { wishes, job: true, ..Reading::default() }, body))
        }
        Meaning::Other => Err(Refusal::Parameters(vec![Fault {
            parameter: "path".into(),
            found: request.uri.path().chars().take(80).collect(),
            allowed: format!("what {} answers with a picture", spoken.dialect.name()),
        }])),
        Meaning::Bad(faults) => Err(Refusal::Parameters(faults)),
    }
}

/// Leaves in `request` what the origin is asked for: our own terms for the engine, its own for the
/// service.
fn ask_for(
    route: &Route,
    spoken: &RouteDialect,
    request: &mut Parts,
    picture: Picture,
) -> Result<Reading, Refusal> {
    let Picture { canonical, form, names, link, request: outgoing } = picture;
    let link = link.and_then(|link| replace(&request.uri, &link).ok());
    let ours = at(&request.uri, PICTURES, "")?;
    let key = match spoken.remote {
        false => route.canonical_key(&ours, &canonical),
        // The service is asked at a path of the client's, which may lead elsewhere there: to a
        // redirect, to a video.
        true => {
            let path = outgoing.json_to.as_deref().unwrap_or(request.uri.path());
            let asked_at = at(&request.uri, &format!("{PICTURES}{}", behind(route, path)), "")?;
            route.canonical_key(&asked_at, &canonical)
        }
    };
    // What is private, the operator's own too, could be read from a link.
    let capture = canonical.parameters.query().filter(|_| !canonical.parameters.has_private()).map(|query| {
        let format =
            canonical.derivative.as_ref().map_or(Format::Png, |made| made.format_for(&request.headers));
        (query, canonical.parameters.viewport(&spoken.defaults), format.name().to_owned())
    });
    if spoken.remote {
        match outgoing.json_to {
            Some(path) => {
                request.extensions.insert(Payload(dialect::json(&outgoing.pairs)));
                request.uri = at(&request.uri, &path, "")?;
            }
            None => {
                let query = dialect::query(&outgoing.pairs);
                if query.len() > LONGEST_QUERY && spoken.dialect.takes_json() {
                    request.extensions.insert(Payload(dialect::json(&outgoing.pairs)));
                    request.uri = at(&request.uri, request.uri.path(), "")?;
                } else {
                    request.uri = at(&request.uri, request.uri.path(), &query)?;
                }
            }
        }
    } else {
        match canonical.parameters.query() {
            Some(query) => request.uri = at(&ours, PICTURES, &query)?,
            None => {
                request.extensions.insert(Payload(canonical.parameters.json()));
                request.uri = ours;
            }
        }
        request.extensions.insert(canonical.parameters);
    }
    if let Some(link) = &link {
        request.extensions.insert(InDialect(link.clone()));
    }
    if form != Form::Picture {
        // They are about the picture, and the client has none.
        unconditional(&mut request.headers);
    }
    Ok(Reading {
        key: Some(key),
        wishes: canonical.wishes,
        derivative: canonical.derivative,
        wanted: Wanted { form, names, link, capture },
        ..Reading::default()
    })
}

/// What of `path` is the dialect's own: imgproxy's signature is of what follows the prefix of the
/// route.
fn below<'a>(route: &Route, dialect: &dyn Dialect, path: &'a str) -> &'a str {
    if dialect.has_signed_paths() { behind(route, path) } else { path }
}

/// What of `path` is behind that of `route`.
pub(in crate::proxy) fn behind<'a>(route: &Route, path: &'a str) -> &'a str {
    let prefix = route.path.strip_suffix('/').unwrap_or(&route.path);
    path.strip_prefix(prefix).unwrap_or(path)
}

fn is_form(fields: &HeaderMap) -> bool {
    let kind = fields.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded")
        && !fields.contains_key(header::CONTENT_ENCODING)
}

/// They are for the service, and tintype has its own; with them in it no response could be shared.
fn forget_credentials(fields: &mut HeaderMap) {
    for name in CREDENTIALS {
        fields.remove(name);
    }
}

fn too_long() -> Refusal {
    Refusal::UriTooLong { limit: LONGEST_QUERY }
}

/// `target` with this path and query.
fn at(target: &Uri, path: &str, query: &str) -> Result<Uri, Refusal> {
    if query.is_empty() { replace(target, path) } else { replace(target, &format!("{path}?{query}")) }
}

pub(in crate::proxy) fn replace(target: &Uri, both: &str) -> Result<Uri, Refusal> {
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(both).map_err(|_| too_long())?);
    Uri::from_parts(parts).map_err(|_| too_long())
}
