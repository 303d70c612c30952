//! A response in the bytes in which it is sent, without the numbers that change with time.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::plain_request::one;
use crate::capture::rendition::Format;
use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::cache_status::CACHE_STATUS;
use crate::message::date;
use crate::message::entity_tag::EntityTag;
use crate::message::plain::Plain;
use crate::policy::stored::StoredResponse;
use crate::proxy::respond::X_CACHE_AGE;
use crate::proxy::respond::rendition::Rendition;
use crate::store::CacheKey;

/// Bytes that one prepared response may take. A longer one is not prepared.
const MAX_PREPARED_BYTES: usize = 8 << 10;

/// What a prepared response answers, and what it depends on.
pub(super) struct About {
    /// The `Host` of the request.
    pub(super) host: HeaderValue,
    pub(super) target: PathAndQuery,
    /// Key and sequence number of the stored response.
    pub(super) key: CacheKey,
    pub(super) sequence: u64,
    /// When the decision is certain.
    pub(super) valid_during: Range<Timestamp>,
    /// The cost of the capture that a hit saves, if it is one.
    pub(super) saved: Option<Duration>,
    pub(super) rendition: Option<PreparedRendition>,
}

/// A stored rendition that is sent in place of its picture.
pub(super) struct PreparedRendition {
    pub(super) key: CacheKey,
    pub(super) sequence: u64,
    /// Its length, as the prepared head says.
    pub(super) length: usize,
    /// The format that a client's `Accept` must ask for, where that decides.
    shown: Option<Format>,
}

impl PreparedRendition {
    pub(super) fn of(rendition: &Rendition) -> Self {
        let (key, sequence) = (rendition.key.clone(), rendition.sequence);
        PreparedRendition { key, sequence, length: rendition.body.len(), shown: rendition.shown }
    }
}

/// See the [module](self).
pub(super) struct PreparedResponse {
    host: Box<[u8]>,
    target: Box<str>,
    key: CacheKey,
    sequence: u64,
    valid_during: Range<Timestamp>,
    /// The cost of the capture that it saves, if it is one.
    pub(super) saved: Option<Duration>,
    full: Head,
    unchanged: Head,
    tag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
    rendition: Option<PreparedRendition>,
}

impl PreparedResponse {
    /// Prepares the response that `answer` gives to a request with certain fields, with this body.
    /// `None` if it has a form that is not known here.
    pub(super) fn new(
        about: About,
        body: &Bytes,
        answer: impl Fn(HeaderMap) -> Response<Body>,
    ) -> Option<Self> {
        let full = answer(HeaderMap::new());
        // The conditions for a 304, as far as they can be compared byte by byte.
        let condition = |name: HeaderName, value: &Option<HeaderValue>| {
            let unchanged = answer(HeaderMap::from_iter([(name, value.clone()?)]));
            (unchanged.status() == StatusCode::NOT_MODIFIED).then_some(unchanged)
        };
        let fields = full.headers();
        let tag = one(fields, &header::ETAG).filter(|tag| EntityTag::parse(tag.as_bytes()).is_some());
        let modified = one(fields, &header::LAST_MODIFIED)
            .filter(|_| date::of_field(fields, &header::LAST_MODIFIED).is_some());
        let by_tag = condition(header::IF_NONE_MATCH, &tag);
        let by_date = condition(header::IF_MODIFIED_SINCE, &modified);
        let length = one(full.headers(), &header::CONTENT_LENGTH)?;
        if full.status() != StatusCode::OK || length.as_bytes() != body.len().to_string().as_bytes() {
            return None;
        }
        let (tag, modified) = (by_tag.as_ref().and(tag), by_date.as_ref().and(modified));
        let unchanged = match by_tag.or(by_date) {
            Some(unchanged) => Head::of(&unchanged)?,
            None => Head::default(),
        };
        let full = Head::of(&full)?;
        let prepared = PreparedResponse {
            host: about.host.as_bytes().into(),
            target: about.target.as_str().into(),
            key: about.key,
            sequence: about.sequence,
            valid_during: about.valid_during,
            saved: about.saved,
            full,
            unchanged,
            tag,
            modified,
            rendition: about.rendition,
        };
        (prepared.length() <= MAX_PREPARED_BYTES).then_some(prepared)
    }

    pub(super) fn rendition(&self) -> Option<&PreparedRendition> {
        self.rendition.as_ref()
    }

    fn shown(&self) -> Option<Format> {
        self.rendition.as_ref().and_then(|rendition| rendition.shown)
    }

    pub(super) fn host(&self) -> &[u8] {
        &self.host
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Whether it answers `plain`.
    pub(super) fn is_for(&self, plain: &Plain<'_>) -> bool {
        let asks_for = || Format::shown_best(plain.accept.into_iter());
        *self.target == *plain.target
            && *self.host == *plain.host
            && self.shown().is_none_or(|shown| shown == asks_for())
    }

    /// Whether it answers the same requests as `other`.
    pub(super) fn is_for_the_same_as(&self, other: &PreparedResponse) -> bool {
        self.target == other.target && self.host == other.host && self.shown() == other.shown()
    }

    pub(super) fn key(&self) -> &[u8] {
        self.key.as_bytes()
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn valid_during(&self) -> &Range<Timestamp> {
        &self.valid_during
    }

    /// Whether the client has the response already; `None` if byte comparison cannot tell.
    pub(super) fn unchanged(&self, plain: &Plain<'_>) -> Option<bool> {
        let same = |given: &[u8], ours: &Option<HeaderValue>| {
            ours.as_ref().is_some_and(|ours| ours.as_bytes() == given).then_some(true)
        };
        match (plain.if_none_match, plain.if_modified_since) {
            (None, None) => Some(false),
            (Some(tag), _) => same(tag, &self.tag),
            (None, Some(date)) => same(date, &self.modified),
        }
    }

    /// Writes the response head at `now` to `to`.
    pub(super) fn write_head(
        &self,
        unchanged: bool,
        stored: &StoredResponse,
        now: Timestamp,
        to: &mut Vec<u8>,
    ) {
        let head = if unchanged { &self.unchanged } else { &self.full };
        let (age, lifetime) = (stored.current_age(now).as_secs(), stored.lifetime.as_secs());
        let mut digits = itoa::Buffer::new();
        to.extend_from_slice(&head.fields);
        let age = digits.format(age).as_bytes();
        to.extend_from_slice(age);
        to.extend_from_slice(b"\r\nx-cache-age: ");
        to.extend_from_slice(age);
        to.extend_from_slice(&head.before_ttl);
        // Within `valid_during` it is younger than its lifetime.
        let ttl = lifetime.saturating_sub(stored.current_age(now).as_secs());
        to.extend_from_slice(digits.format(ttl).as_bytes());
        to.extend_from_slice(&head.after_ttl);
    }

    /// The same as a message with this body.
    pub(super) fn message(
        &self,
        unchanged: bool,
        stored: &StoredResponse,
        now: Timestamp,
        body: Body,
    ) -> Response<Body> {
        let head = if unchanged { &self.unchanged } else { &self.full };
        let (age, lifetime) = (stored.current_age(now).as_secs(), stored.lifetime.as_secs());
        let mut response = Response::new(body);
        *response.status_mut() = if unchanged { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let fields = response.headers_mut();
        fields.clone_from(&head.map);
        fields.insert(header::AGE, HeaderValue::from(age));
        fields.insert(X_CACHE_AGE, HeaderValue::from(age));
        let status = Bytes::from(head.cache_status(lifetime.saturating_sub(age)));
        if let Ok(status) = HeaderValue::from_maybe_shared(status) {
            fields.insert(CACHE_STATUS, status);
        }
        response
    }

    fn length(&self) -> usize {
        self.host.len() + self.target.len() + self.key().len() + self.full.length() + self.unchanged.length()
    }
}

/// The bytes between the age and the value of `Cache-Status`.
const BEFORE_STATUS: &[u8] = b"\r\ncache-status: ";

/// A response head around its numbers: `fields` age, age, `before_ttl` ttl, `after_ttl`.
#[derive(Default)]
struct Head {
    fields: Box<[u8]>,
    before_ttl: Box<[u8]>,
    after_ttl: Box<[u8]>,
    /// The same fields, for a response as a message.
    map: HeaderMap,
}

impl Head {
    fn of(response: &Response<Body>) -> Option<Head> {
        let fields = response.headers();
        let status = one(fields, &CACHE_STATUS)?;
        let (before, rest) = status.to_str().ok()?.split_once("; ttl=")?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(match response.status() {
            StatusCode::OK => b"HTTP/1.1 200 OK\r\n",
            StatusCode::NOT_MODIFIED => b"HTTP/1.1 304 Not Modified\r\n",
            _ => return None,
        });
        // Without it hyper would add its own.
        fields.contains_key(header::DATE).then_some(())?;
        for (name, value) in fields {
            if [header::AGE, X_CACHE_AGE, CACHE_STATUS].contains(name) {
                continue;
            }
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"age: ");
        one(fields, &header::AGE)?;
        let mut map = fields.clone();
        for name in [header::AGE, X_CACHE_AGE, CACHE_STATUS] {
            map.remove(name);
        }
        Some(Head {
            map,
            fields: bytes.into(),
            before_ttl: [BEFORE_STATUS, before.as_bytes(), b"; ttl="].concat().into(),
            after_ttl: format!("{}\r\n\r\n", &rest[digits..]).into_bytes().into(),
        })
    }

    /// The value of `Cache-Status` with this remaining freshness.
    fn cache_status(&self, ttl: u64) -> Vec<u8> {
        let before = self.before_ttl.strip_prefix(BEFORE_STATUS).unwrap_or_default();
        let after = self.after_ttl.strip_suffix(b"\r\n\r\n").unwrap_or_default();
        [before, itoa::Buffer::new().format(ttl).as_bytes(), after].concat()
    }

    fn length(&self) -> usize {
        // The map holds the same once more.
        2 * self.fields.len() + self.before_ttl.len() + self.after_ttl.len()
    }
}
