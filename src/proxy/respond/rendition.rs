//! Renditions: other sizes and formats of a stored picture.
//!
//! A rendition is stored beside its picture. Its key is that of the picture and what is made of it.
//! It has the handles of the picture, so that every purge of the picture covers it. Its entity tag
//! is made of the picture's tag and of what is made, so that a client which has it gets a 304
//! without any work. As long as the picture is stored, the picture decides whether the rendition is
//! fresh. Without it, the rendition's own times do, which are the picture's.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use sha2::{Digest, Sha256};

use super::{Responder, byteranges};
use crate::capture::rendition::{Derivative, Format, Make};
use crate::clock::{Clock, Timestamp};
use crate::derive::{self, DeriveError, Deriver};
use crate::message::body::Body;
use crate::message::cache_status::CacheStatus;
use crate::message::entity_tag::{self, EntityTag};
use crate::message::outcome::{CacheOutcome, Tier};
use crate::message::problem::Fault;
use crate::policy::precondition;
use crate::policy::reuse::{self, Reuse};
use crate::proxy::cache::Cache;
use crate::proxy::cache::stored::{Found, Stored};
use crate::proxy::refusal::Refusal;
use crate::proxy::request::CacheRequest;
use crate::store::{CacheKey, Content, Handle, Record};
use crate::telemetry::counters::{Count, Counters};

/// Part of every entity tag, since other encoders give other bytes.
const ENCODERS: &str = env!("CARGO_PKG_VERSION");
/// Fields of a picture that do not hold for its renditions.
const OF_CONTENT: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::CONTENT_DISPOSITION,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// A request for a rendition.
pub(crate) struct Wanted<'a> {
    /// The client's request, with its conditions and its range.
    pub(crate) client: &'a Parts,
    pub(crate) derivative: &'a Derivative,
    /// The request for the whole picture.
    pub(crate) picture: &'a CacheRequest,
}

/// A rendition in memory, as the fast path needs it.
pub(crate) struct Rendition {
    /// The key under which it is stored.
    pub(crate) key: CacheKey,
    /// Sequence number of its record, which is that of the picture.
    pub(crate) sequence: u64,
    pub(crate) body: Bytes,
    /// The format that the client's `Accept` must ask for, where that decides.
    pub(crate) shown: Option<Format>,
    make: Make,
    tag: HeaderValue,
}

/// A response with a rendition.
pub(crate) struct Rendered {
    pub(crate) response: Response<Body>,
    /// Set if the fast path can answer the next request: what was found of the picture, and the
    /// rendition.
    pub(crate) in_memory: Option<(Found, Rendition)>,
}

impl Rendered {
    fn once(response: Response<Body>) -> Self {
        Rendered { response, in_memory: None }
    }
}

/// Finds stored renditions and makes new ones.
pub(crate) struct Renditions {
    cache: Arc<Cache>,
    deriver: Arc<Deriver>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    max_stored_bytes: u64,
}

impl Renditions {
    pub(crate) fn new(
        cache: Arc<Cache>,
        deriver: Arc<Deriver>,
        (clock, counters): (Arc<dyn Clock>, Arc<Counters>),
        max_stored_bytes: u64,
    ) -> Self {
        Renditions { cache, deriver, clock, counters, max_stored_bytes }
    }

    /// The stored rendition, where the picture itself is not stored any more.
    pub(crate) async fn stored_alone(&self, wanted: &Wanted<'_>, found: &Found) -> Option<(Stored, Tier)> {
        if wanted.picture.plan.refused.is_some() || found.stored.is_some() {
            return None;
        }
        let format = wanted.derivative.format_for(&wanted.client.headers);
        let (record, tier) = self.cache.read(&key_of(&found.key, wanted.derivative, format)).await?;
        Some((self.cache.stored(record)?, tier))
    }

    pub(crate) fn is_fresh(&self, wanted: &Wanted<'_>, stored: &Stored) -> bool {
        let (plan, directives) = (&wanted.picture.plan, &wanted.picture.directives);
        plan.decide(stored.head(), directives, self.clock.now()) == Reuse::Fresh
    }

    /// Whether a stored rendition may cover that no picture came.
    pub(crate) fn covers(&self, stored: &Stored, failed: &Result<Response<Body>, Refusal>) -> bool {
        let answered = match failed {
            Ok(response) if reuse::is_error(response.status()) => true,
            Err(Refusal::Origin(_)) => false,
            _ => return false,
        };
        self.cache.covers_error(stored, answered, self.clock.now())
    }

    /// Turns the response with the picture into the one with its rendition. `found` is what the
    /// request for the picture found.
    pub(crate) async fn render(
        &self,
        responder: &Responder,
        wanted: &Wanted<'_>,
        found: &Found,
        picture: Response<Body>,
    ) -> Result<Rendered, Refusal> {
        let (head, body) = picture.into_parts();
        let whole = match body.as_whole() {
            Some(whole) => whole.clone(),
            None => {
                let collected = body.limited(self.max_stored_bytes).0.collect().await;
                let incomplete = |error| DeriveError::Failed(format!("it did not arrive whole: {error}"));
                collected.map_err(|error| Refusal::Derive(incomplete(error)))?.to_bytes()
            }
        };
        let mut response = Response::from_parts(head, Body::whole(whole.clone()));
        let client = wanted.client;
        let mut in_memory = None;
        let body = match plan(wanted.derivative, &whole, &client.headers) {
            None => {
                if self.has_it(client, response.headers()) {
                    responder.count_not_modified(&client.method, whole.len() as u64);
                    return Ok(Rendered::once(unchanged(response)));
                }
                whole
            }
            Some((from, make)) => {
                // A hit was answered from what was found. After a fetch, the store has to be read
                // again.
                let is_hit = matches!(response.extensions().get(), Some(CacheOutcome::Hit(_)));
                let of = tag_of(response.headers(), &whole);
                let fields = response.headers_mut();
                let before = fields.clone();
                dress(fields, &make, tagged(&of, &wanted.derivative.key(make.format)));
                if self.has_it(client, response.headers()) {
                    let key = key_of(&wanted.picture.primary, wanted.derivative, make.format);
                    // Only what is in memory counts as saved: the disk is not read for a count.
                    let made = self.cache.store().get_memory(key.as_bytes());
                    let spared = made.map_or(0, |made| made.body().len());
                    responder.count_not_modified(&client.method, spared as u64);
                    return Ok(Rendered::once(unchanged(response)));
                }
                let found = match is_hit {
                    true => found.clone(),
                    false => self.cache.look_up(&wanted.picture.primary, &wanted.picture.head).await,
                };
                let tag = response.headers().get(header::ETAG);
                match self.stored(wanted, &found, make, tag).await {
                    Some((record, body, tier)) => {
                        if tier == Tier::Memory {
                            in_memory = in_memory_of(wanted, found, &record);
                        }
                        body
                    }
                    None => self.make(wanted, &found, &before, (&whole, from), make, tag).await?,
                }
            }
        };
        response = filled(response, body);
        if client.method == Method::HEAD {
            *response.body_mut() = Body::Empty;
        } else if client.headers.contains_key(header::RANGE) {
            byteranges::cut(client, &mut response);
        }
        Ok(Rendered { response, in_memory })
    }

    fn has_it(&self, request: &Parts, fields: &HeaderMap) -> bool {
        let now = self.clock.now();
        precondition::not_modified(&request.method, &request.headers, StatusCode::OK, fields, now)
    }

    /// The stored rendition with this entity tag.
    async fn stored(
        &self,
        wanted: &Wanted<'_>,
        picture: &Found,
        make: Make,
        tag: Option<&HeaderValue>,
    ) -> Option<(Arc<Record>, Bytes, Tier)> {
        let (record, tier) = self.cache.read(&key_of(&picture.key, wanted.derivative, make.format)).await?;
        let Content::Response { head, body } = &record.content else { return None };
        let body = (head.fields.get(header::ETAG) == tag).then(|| body.clone())?;
        Some((record, body, tier))
    }

    /// Makes the rendition of a picture that came with the fields `of`, and stores it if the
    /// picture is stored.
    async fn make(
        &self,
        wanted: &Wanted<'_>,
        picture: &Found,
        of: &HeaderMap,
        (whole, from): (&Bytes, (u32, u32)),
        make: Make,
        tag: Option<&HeaderValue>,
    ) -> Result<Bytes, Refusal> {
        let mut job = key_of(&picture.key, wanted.derivative, make.format).as_bytes().to_vec();
        // With the bytes themselves: an origin may give other bytes the same tag.
        job.extend_from_slice(entity_tag::of_body(whole).as_bytes());
        job.extend_from_slice(tag.map(HeaderValue::as_bytes).unwrap_or_default());
        let made = self.deriver.derive(job, whole, from, make).await.map_err(refused(&make))?;
        // Only now: the picture may have been stored while the rendition was made.
        let picture = self.cache.look_up(&wanted.picture.primary, &wanted.picture.head).await;
        if let Some((stored, _)) = &picture.stored
            && stored.head().fields.get(header::ETAG) == of.get(header::ETAG)
            && stored.body() == whole
            && (made.len() as u64) <= self.max_stored_bytes
        {
            let key = key_of(&picture.key, wanted.derivative, make.format);
            let mut head = stored.head().clone();
            if let Some(tag) = tag {
                dress(&mut head.fields, &make, tag.clone());
            }
            head.fields.insert(header::CONTENT_LENGTH, HeaderValue::from(made.len()));
            head.own_entity_tag = true;
            let record = stored.record();
            let mut handles = record.handles.clone();
            handles.push(Handle::of_key(key.as_bytes()));
            let content = Content::Response { head: Arc::new(head), body: made.clone() };
            self.cache.store().put(key, Arc::new(Record::new(record.sequence, handles, content)));
            self.counters.add(Count::Stored);
        }
        Ok(made)
    }
}

impl Responder {
    /// The response from a stored rendition whose picture is not stored.
    pub(crate) fn stored_rendition(
        &self,
        wanted: &Wanted<'_>,
        stored: &Stored,
        outcome: CacheOutcome,
    ) -> Response<Body> {
        self.count_stored(wanted.picture, stored, outcome);
        self.stored(wanted.client, stored, CacheStatus::without_forward(outcome))
    }
}

impl Rendition {
    /// The response that a GET with these fields gets in place of the one with the `picture`.
    /// Counts nothing.
    pub(crate) fn compose(
        &self,
        fields: HeaderMap,
        mut picture: Response<Body>,
        now: Timestamp,
    ) -> Response<Body> {
        dress(picture.headers_mut(), &self.make, self.tag.clone());
        let given = picture.headers();
        let mut response = match precondition::not_modified(&Method::GET, &fields, StatusCode::OK, given, now)
        {
            true => unchanged(picture),
            false => filled(picture, self.body.clone()),
        };
        if self.shown.is_some() {
            vary_by_accept(&mut response);
        }
        response
    }
}

/// What the fast path needs to answer with the rendition in `record`, if that is one of the picture
/// in `found`.
fn in_memory_of(wanted: &Wanted<'_>, found: Found, record: &Record) -> Option<(Found, Rendition)> {
    let (derivative, fields) = (wanted.derivative, &wanted.client.headers);
    let (stored, _) = found.stored.as_ref()?;
    let (head, whole) = (stored.head(), stored.body());
    let (_, make) = plan(derivative, whole, fields)?;
    let tag = tagged(&tag_of(&head.fields, whole), &derivative.key(make.format));
    let Content::Response { head, body } = &record.content else { return None };
    // Otherwise the picture has changed meanwhile.
    (head.fields.get(header::ETAG) == Some(&tag)).then_some(())?;
    let shown = derivative.negotiates().then(|| derivative.format_for(fields));
    let (key, body) = (key_of(&found.key, derivative, make.format), body.clone());
    Some((found, Rendition { key, sequence: record.sequence, body, shown, make, tag }))
}

/// The key of a rendition. No path and no canonical query has a `#`.
fn key_of(picture: &CacheKey, derivative: &Derivative, format: Format) -> CacheKey {
    let mut key = picture.as_bytes().to_vec();
    key.push(b'#');
    key.extend_from_slice(derivative.key(format).as_bytes());
    CacheKey::new(key)
}

/// The entity tag of a picture, or one of its bytes.
fn tag_of(fields: &HeaderMap, whole: &Bytes) -> HeaderValue {
    match EntityTag::of(fields) {
        Some(_) => fields.get(header::ETAG).cloned(),
        None => None,
    }
    .unwrap_or_else(|| entity_tag::of_body(whole))
}

/// The entity tag of a rendition of the picture with the tag `of`; weak if that is.
fn tagged(of: &HeaderValue, made: &str) -> HeaderValue {
    let mut hash = Sha256::new();
    for part in [of.as_bytes(), made.as_bytes(), ENCODERS.as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hex::encode(&hash.finalize()[..16]);
    let weak = if of.as_bytes().starts_with(b"W/") { "W/" } else { "" };
    HeaderValue::try_from(format!("{weak}\"{digest}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Turns the fields of a picture into those of its rendition.
fn dress(fields: &mut HeaderMap, make: &Make, tag: HeaderValue) {
    for name in OF_CONTENT {
        fields.remove(name);
    }
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(make.format.media_type()));
    fields.insert(header::ETAG, tag);
}

/// The size of the picture in `whole`, and what to make of it for a client with these fields.
/// `None` if the picture is that already, or `whole` is no picture.
fn plan(derivative: &Derivative, whole: &Bytes, fields: &HeaderMap) -> Option<((u32, u32), Make)> {
    let from = derive::size(whole)?;
    Some((from, derivative.plan(from, whole.starts_with(b"\x89PNG"), fields)?))
}

/// The 304 for a client that has it.
fn unchanged(mut response: Response<Body>) -> Response<Body> {
    precondition::keep_304_fields(response.headers_mut());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = Body::Empty;
    response
}

fn filled(mut response: Response<Body>, body: Bytes) -> Response<Body> {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Body::whole(body);
    response
}

pub(crate) fn vary_by_accept(response: &mut Response<Body>) {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
}

/// The refusal that names the parameter which asks for too much.
fn refused(make: &Make) -> impl FnOnce(DeriveError) -> Refusal {
    let found = format!("{} of {}x{} pixels", make.format.name(), make.size.0, make.size.1);
    move |error| match error {
        DeriveError::Impossible(allowed) => {
            Refusal::Parameters(vec![Fault { parameter: "format".into(), found, allowed }])
        }
        DeriveError::TooLarge { limit, .. } => Refusal::Parameters(vec![Fault {
            parameter: "image_width".into(),
            found,
            allowed: format!("pictures of at most {limit} pixels, stored and made (derive.max_pixels)"),
        }]),
        error => Refusal::Derive(error),
    }
}
