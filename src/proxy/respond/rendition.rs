//! Other sizes and formats of a picture: the picture is had as on any request, and what is made of it is stored beside it.
//!
//! A derivative has the key of its picture and what is made of it, the handles of its picture, so that every purge of that takes it along,
//! and an entity tag made of the picture's and of what is made: whoever has it is told so without any work. As long as the picture is
//! stored, that decides whether the derivative is fresh; without it the derivative's own times do, which are the picture's.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use sha2::{Digest, Sha256};

use crate::capture::rendition::{Derivative, Format, Make};
use crate::derive::{self, DeriveError};
use crate::message::body::Body;
use crate::message::cache_status::CacheStatus;
use crate::message::entity_tag::{self, EntityTag};
use crate::message::outcome::{CacheOutcome, StaleReason, Tier};
use crate::message::problem::Fault;
use crate::policy::precondition;
use crate::policy::reuse::{self, Reuse};
use crate::proxy::Asked;
use crate::proxy::Proxy;
use crate::proxy::cache::lookup::{Found, Stored};
use crate::proxy::fast_path::{Made, Ticket};
use crate::proxy::reading::{Reading, unconditional};
use crate::proxy::refusal::Refusal;
use crate::proxy::respond::byteranges;
use crate::proxy::respond::tell_audience;
use crate::proxy::route::Route;
use crate::store::{CacheKey, Content, Handle, Record};
use crate::telemetry::counters::Count;

/// Part of every entity tag: with other encoders the octets are others.
const ENCODERS: &str = env!("CARGO_PKG_VERSION");
/// Fields of a picture that say nothing true of what is made of it.
const OF_CONTENT: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::CONTENT_DISPOSITION,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// What is made of which picture, for which request.
struct Wanted<'a> {
    request: &'a Parts,
    derivative: &'a Derivative,
    asked: &'a Asked,
    ticket: Option<&'a Ticket>,
}

/// What was made of a picture.
pub(crate) struct Derived<'a> {
    make: Make,
    tag: HeaderValue,
    /// Its octets.
    pub(crate) body: &'a Bytes,
    negotiates: bool,
}

impl Proxy {
    /// Answers `request` with `derivative` of the picture that it was read as.
    pub(in crate::proxy) async fn answer_derived(
        self: &Arc<Self>,
        route: Arc<Route>,
        request: Parts,
        mut reading: Reading,
        derivative: Derivative,
        peer: IpAddr,
    ) -> Result<Response<Body>, Refusal> {
        reading.leave.check_page(&reading.wishes)?;
        reading.leave.limit(&mut reading.wishes);
        let ticket = reading.ticket.take();
        // The picture itself, whatever the client has of what is made of it.
        let mut plain = request.clone();
        plain.method = Method::GET;
        unconditional(&mut plain.headers);
        let (key, wishes, leave) = (reading.key.clone(), reading.wishes.clone(), reading.leave.clone());
        let again = Reading { key, wishes, leave, ..Reading::default() };
        let asked = self.asked(Arc::clone(&route), plain.clone(), peer, again);
        let wanted =
            Wanted { request: &request, derivative: &derivative, asked: &asked, ticket: ticket.as_ref() };
        let (audience, asker) = (route.audience, reading.leave.asker());
        // What a picture's own answer was told already.
        let told_to = |mut response: Response<Body>| {
            tell_audience(audience, asker, &mut response);
            response
        };
        let alone = self.stored_alone(&wanted).await;
        let answered = match &alone {
            Some((stored, tier)) if self.is_fresh(&asked, stored) => {
                let outcome = CacheOutcome::Hit(*tier);
                self.count_stored(&asked, stored, outcome);
                Ok(told_to(self.answer_alone(&wanted, stored, outcome)))
            }
            _ => match self.answer_read(route, plain, reading, Body::Empty, peer).await {
                Ok(picture) if picture.status() == StatusCode::OK => self.derive_of(&wanted, picture).await,
                failed => Ok(match alone.filter(|(stored, _)| self.covers_failure(stored, &failed)) {
                    Some((stored, _)) => {
                        let outcome = CacheOutcome::Stale(StaleReason::IfError);
                        self.count_stored(&asked, &stored, outcome);
                        told_to(self.answer_alone(&wanted, &stored, outcome))
                    }
                    None => failed?,
                }),
            },
        };
        answered.map(|mut response| {
            if derivative.negotiates()
                && (response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED)
            {
                vary_by_accept(&mut response);
            }
            response
        })
    }

    /// The stored derivative of a picture that is not stored any more.
    async fn stored_alone(&self, wanted: &Wanted<'_>) -> Option<(Stored, Tier)> {
        if wanted.asked.plan.refused.is_some() {
            return None;
        }
        let found = self.look_up(&wanted.asked.primary, &wanted.asked.request).await;
        if found.stored.is_some() {
            return None;
        }
        let format = wanted.derivative.format_for(&wanted.request.headers);
        let (record, tier) = self.read(&key_of(&found.key, wanted.derivative, format)).await?;
        Some((self.stored(record)?, tier))
    }

    fn is_fresh(&self, asked: &Asked, stored: &Stored) -> bool {
        let now = self.clock.now();
        asked.plan.decide(stored.head(), &asked.directives, now) == Reuse::Fresh
    }

    fn covers_failure(&self, stored: &Stored, failed: &Result<Response<Body>, Refusal>) -> bool {
        let answered = match failed {
            Ok(response) if reuse::is_error(response.status()) => true,
            Err(Refusal::Origin(_)) => false,
            _ => return false,
        };
        self.covers_error(stored, answered, self.clock.now())
    }

    fn answer_alone(&self, wanted: &Wanted<'_>, stored: &Stored, outcome: CacheOutcome) -> Response<Body> {
        let (body, status) = (Body::whole(stored.body().clone()), CacheStatus::without_forward(outcome));
        self.answer_stored(wanted.request, stored.head(), body, status, self.clock.now())
    }

    /// Makes of an answer with a picture one with its derivative.
    async fn derive_of(
        &self,
        wanted: &Wanted<'_>,
        picture: Response<Body>,
    ) -> Result<Response<Body>, Refusal> {
        let (head, body) = picture.into_parts();
        let whole = match body.as_whole() {
            Some(whole) => whole.clone(),
            None => match body.limited(self.config.max_stored_bytes).0.collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => {
                    return Err(Refusal::Derive(DeriveError::Failed(format!(
                        "it did not arrive whole: {error}"
                    ))));
                }
            },
        };
        let mut response = Response::from_parts(head, Body::whole(whole.clone()));
        if let Some((from, make)) = plan(wanted.derivative, &whole, &wanted.request.headers) {
            let of = tag_of(response.headers(), &whole);
            let fields = response.headers_mut();
            let before = fields.clone();
            dress(fields, &make, tagged(&of, &wanted.derivative.key(make.format)));
            if self.has_it(wanted.request, response.headers()) {
                let key = key_of(&wanted.asked.primary, wanted.derivative, make.format);
                let spared = self.store.get_memory(key.as_bytes()).map_or(0, |made| made.body().len());
                return Ok(self.not_modified(wanted.request, response, spared));
            }
            let made = self.made(wanted, &before, (&whole, from), make, response.headers()).await?;
            response = filled(response, made);
        } else if self.has_it(wanted.request, response.headers()) {
            return Ok(self.not_modified(wanted.request, response, whole.len()));
        } else {
            response = filled(response, whole);
        }
        if wanted.request.method == Method::HEAD {
            *response.body_mut() = Body::Empty;
        } else if wanted.request.headers.contains_key(header::RANGE) {
            byteranges::cut(wanted.request, &mut response);
        }
        Ok(response)
    }

    fn has_it(&self, request: &Parts, fields: &HeaderMap) -> bool {
        precondition::not_modified(
            &request.method,
            &request.headers,
            StatusCode::OK,
            fields,
            self.clock.now(),
        )
    }

    /// Counts that so many octets need not be sent; of what is not in memory, none: nobody looks for it.
    fn not_modified(&self, request: &Parts, response: Response<Body>, spared: usize) -> Response<Body> {
        self.counters.add(Count::NotModified);
        if request.method != Method::HEAD {
            self.counters.tally().saved_bytes(spared as u64);
        }
        unchanged(response)
    }

    /// What a GET with these fields is answered with `derived` in the place of `picture`, leaving no trace.
    pub(crate) fn compose_derived(
        &self,
        fields: HeaderMap,
        mut picture: Response<Body>,
        derived: &Derived<'_>,
    ) -> Response<Body> {
        dress(picture.headers_mut(), &derived.make, derived.tag.clone());
        let (mut request, ()) = http::Request::new(()).into_parts();
        request.headers = fields;
        let mut response = match self.has_it(&request, picture.headers()) {
            true => unchanged(picture),
            false => filled(picture, derived.body.clone()),
        };
        if derived.negotiates {
            vary_by_accept(&mut response);
        }
        response
    }

    /// Prepares the answer with what was `made` of the stored `picture`.
    fn prepare_derived(&self, wanted: &Wanted<'_>, picture: &Found, made: &Record) {
        let (derivative, fields) = (wanted.derivative, &wanted.request.headers);
        if let Some(ticket) = wanted.ticket
            && let Some((stored, _)) = &picture.stored
            && let (head, whole) = (stored.head(), stored.body())
            && let Some((_, make)) = plan(derivative, whole, fields)
            && let Content::Response { head: made_head, body } = &made.content
            && let tag = tagged(&tag_of(&head.fields, whole), &derivative.key(make.format))
            // Else the picture has changed meanwhile.
            && made_head.fields.get(header::ETAG) == Some(&tag)
        {
            let key = key_of(&picture.key, derivative, make.format);
            let negotiates = derivative.negotiates();
            let shown = negotiates.then(|| derivative.format_for(fields));
            let place = Made { key, sequence: made.sequence, length: body.len(), shown };
            let derived = Derived { make, tag, body, negotiates };
            self.prepare(ticket.clone(), wanted.asked, picture, stored, Some((place, &derived)));
        }
    }

    /// The derivative with these `fields`: stored, or made now and stored if its picture, which came with the fields `of`, is.
    async fn made(
        &self,
        wanted: &Wanted<'_>,
        of: &HeaderMap,
        (whole, from): (&Bytes, (u32, u32)),
        make: Make,
        fields: &HeaderMap,
    ) -> Result<Bytes, Refusal> {
        let picture = self.look_up(&wanted.asked.primary, &wanted.asked.request).await;
        let key = key_of(&picture.key, wanted.derivative, make.format);
        let tag = fields.get(header::ETAG);
        if let Some((record, tier)) = self.read(&key).await
            && let Some(made) = self.stored(Arc::clone(&record))
            && made.head().fields.get(header::ETAG) == tag
        {
            if tier == Tier::Memory {
                self.prepare_derived(wanted, &picture, &record);
            }
            return Ok(made.body().clone());
        }
        let mut job = key.as_bytes().to_vec();
        // Of these octets: an origin may give others the same tag.
        job.extend_from_slice(entity_tag::of_body(whole).as_bytes());
        job.extend_from_slice(tag.map(HeaderValue::as_bytes).unwrap_or_default());
        let made = self.deriver.derive(job, whole, from, make).await.map_err(refused(&make))?;
        // Not before: the picture may have been stored only while it was worked on.
        let picture = self.look_up(&wanted.asked.primary, &wanted.asked.request).await;
        if let Some((stored, _)) = &picture.stored
            && stored.head().fields.get(header::ETAG) == of.get(header::ETAG)
            && stored.body() == whole
            && (made.len() as u64) <= self.config.max_stored_bytes
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
            self.store.put(key, Arc::new(Record::new(record.sequence, handles, content)));
            self.counters.add(Count::Stored);
        }
        Ok(made)
    }
}

/// `#` stands in no path and in no canonical query.
fn key_of(picture: &CacheKey, derivative: &Derivative, format: Format) -> CacheKey {
    let mut key = picture.as_bytes().to_vec();
    key.push(b'#');
    key.extend_from_slice(derivative.key(format).as_bytes());
    CacheKey::new(key)
}

/// The entity tag of a picture, or what stands for it.
fn tag_of(fields: &HeaderMap, whole: &Bytes) -> HeaderValue {
    match EntityTag::of(fields) {
        Some(_) => fields.get(header::ETAG).cloned(),
        None => None,
    }
    .unwrap_or_else(|| entity_tag::of_body(whole))
}

/// The entity tag of what is made of the picture with the tag `of`; as weak as that.
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

/// Gives `fields` of a picture what is true of what is made of it.
fn dress(fields: &mut HeaderMap, make: &Make, tag: HeaderValue) {
    for name in OF_CONTENT {
        fields.remove(name);
    }
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(make.format.media_type()));
    fields.insert(header::ETAG, tag);
}

/// What `derivative` makes of the picture in these octets, for a client with these fields; None if it is that already, or no picture.
/// Its own pixels come first.
fn plan(derivative: &Derivative, whole: &Bytes, fields: &HeaderMap) -> Option<((u32, u32), Make)> {
    let from = derive::size(whole)?;
    Some((from, derivative.plan(from, whole.starts_with(b"\x89PNG"), fields)?))
}

/// The answer that says that the client has it.
fn unchanged(mut response: Response<Body>) -> Response<Body> {
    precondition::keep_304_fields(response.headers_mut());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = Body::Empty;
    response
}

/// `response` with this body, whole.
fn filled(mut response: Response<Body>, body: Bytes) -> Response<Body> {
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Body::whole(body);
    response
}

fn vary_by_accept(response: &mut Response<Body>) {
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
}

/// Blames the parameter that asks for too much.
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
