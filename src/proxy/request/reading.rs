//! What is read of a request beside its head.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Uri, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::capture::dialect::Form;
use crate::capture::rendition::Derivative;
use crate::message::body::{Body, BodyError};
use crate::policy::precondition::CONDITIONS;
use crate::policy::wishes::Wishes;
use crate::proxy::auth::Leave;
use crate::proxy::fast_path::plain_request::PlainRequest;
use crate::proxy::refusal::Refusal;
use crate::proxy::route::Route;

/// What was read of a request beside its head.
#[derive(Default)]
pub(in crate::proxy) struct Reading {
    /// The primary key, where the request head as it is sent on does not determine it.
    pub(in crate::proxy) key: Option<Vec<u8>>,
    pub(in crate::proxy) wishes: Wishes,
    /// The rendition that the request asks for, if not for the picture itself.
    pub(in crate::proxy) derivative: Option<Derivative>,
    /// The form of the response, on a route with a dialect.
    pub(in crate::proxy) wanted: Wanted,
    /// The request is for no picture, and is sent on each time.
    pub(in crate::proxy) job: bool,
    /// Set if the response may be prepared for the fast path.
    pub(in crate::proxy) plain: Option<PlainRequest>,
    /// What the request may have done for it.
    pub(in crate::proxy) leave: Leave,
}

impl Reading {
    /// What the query of `target` says.
    pub(in crate::proxy) fn of_target(route: &Route, target: &Uri) -> Self {
        let query = target.query().unwrap_or_default();
        let wishes = if route.capture { Wishes::of_unknown(query) } else { Wishes::default() };
        Reading { wishes, ..Reading::default() }
    }
}

/// Parameters as JSON, which are too long for a query: the content of the request to the origin. An
/// extension of the request head.
#[derive(Clone)]
pub(in crate::proxy) struct Payload(pub(in crate::proxy) Bytes);

/// The form of a response in the dialect of another service.
#[derive(Clone, Debug, Default)]
pub(in crate::proxy) struct Wanted {
    pub(in crate::proxy) form: Form,
    /// Canonical names and what the client called them.
    pub(in crate::proxy) names: Vec<(&'static str, String)>,
    /// The target of the picture itself.
    pub(in crate::proxy) link: Option<Uri>,
    /// The query of the capture in tintype's own parameters, with size and format of the picture.
    pub(in crate::proxy) capture: Option<(String, (u32, u32), String)>,
}

/// Turns the `POST` of a capture request into the equivalent `GET`.
pub(in crate::proxy) fn to_get(request: &mut Parts) {
    request.method = Method::GET;
    unconditional(&mut request.headers);
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING] {
        request.headers.remove(name);
    }
}

/// Removes conditions and ranges.
pub(in crate::proxy) fn unconditional(fields: &mut HeaderMap) {
    for name in CONDITIONS.iter().chain(&[header::RANGE, header::EXPECT]) {
        fields.remove(name);
    }
}

/// The whole body, within `limit`.
pub(in crate::proxy) async fn whole(body: Body, limit: u64) -> Result<Bytes, Refusal> {
    if body.size_hint().lower() > limit {
        return Err(Refusal::BodyTooLarge { limit });
    }
    match body.limited(limit).0.collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(BodyError::TooLarge { .. }) => Err(Refusal::BodyTooLarge { limit }),
        Err(error) => Err(Refusal::BodyBroken(error.to_string())),
    }
}
