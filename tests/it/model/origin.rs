//! The origin of a walk: honest about what it has, and with a memory of everything that it ever answered.
//!
//! An answer tells which one it is, by fields that come back through the cache: `Content-Location` (`?answer=7`, also on a 304),
//! `X-Base` (only where there is a body) and a directive `x-id=7` in `Cache-Control`. So the client's answer says from which of
//! the origin's answers its body, its head and its directives come.

use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};

use super::fields::{Fields, Lifetime, Tag};
use super::step::{KEYS, Outage, VARIANTS};
use crate::support::*;

/// One answer of the origin.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) key: usize,
    /// When, in seconds.
    pub(super) at: u64,
    pub(super) kind: Kind,
    /// Which representation, and its version; failures are of none.
    pub(super) version: Option<(usize, u32)>,
    /// The representation's body, sent or not.
    pub(super) body: String,
    /// When the representation was modified, said or not.
    pub(super) modified: u64,
    /// What was said.
    pub(super) fields: Fields,
    pub(super) expires: Option<u64>,
    /// Of the request.
    pub(super) method: String,
    pub(super) variant: Option<String>,
    pub(super) authorised: bool,
    pub(super) no_store: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole answer of this status.
    Whole(u16),
    Part,
    Unsatisfiable,
    NotModified,
    /// A 200 that ended early.
    Short,
    /// Not a byte.
    Nothing,
}

impl Sent {
    /// Whether no answer came, as far as the cache can tell.
    pub(super) fn failed(&self) -> bool {
        matches!(self.kind, Kind::Short | Kind::Nothing)
    }

    /// Whether it has `Cache-Control`.
    pub(super) fn says_directives(&self) -> bool {
        !self.fields.directives().is_empty() && !self.failed_silently() && !self.is_lean()
    }

    fn is_lean(&self) -> bool {
        self.kind == Kind::NotModified && self.fields.lean
    }

    fn failed_silently(&self) -> bool {
        matches!(self.kind, Kind::Nothing | Kind::Unsatisfiable)
    }

    pub(super) fn age(&self) -> u64 {
        if self.is_lean() { 0 } else { self.fields.age }
    }
}

/// Everything behind the origin's port.
pub(super) struct World(Mutex<State>);

pub(super) struct State {
    resources: Vec<Resource>,
    /// All answers; their place is their number.
    pub(super) answers: Vec<Sent>,
    pub(super) now: u64,
    /// The next answer to a GET waits for the first gate, and opens the second one when it does. Not a failure without a byte,
    /// which the cache may try again.
    pub(super) hold: Option<(Gate, Gate)>,
    /// How the next unsafe method is answered.
    pub(super) post: (u16, Option<usize>),
}

struct Resource {
    /// Version and modification date: of all variants alike where nothing varies, of `a`, of `b`.
    representations: [(u32, u64); 3],
    fields: Fields,
    outage: Option<(Outage, u8)>,
    /// Strictly growing, so that a date is as good as a tag.
    modified: u64,
}

impl World {
    pub(super) fn new(start: &[Fields]) -> Self {
        let began = START.as_secs();
        let resource = |fields: &Fields| Resource {
            representations: [(0, began - 5000), (0, began - 4999), (0, began - 4998)],
            fields: *fields,
            outage: None,
            modified: began - 4998,
        };
        World(Mutex::new(State {
            resources: start.iter().map(resource).collect(),
            answers: Vec::new(),
            now: began,
            hold: None,
            post: (200, None),
        }))
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Answers a request.
    pub(super) fn answer(&self, request: &ReceivedRequest) -> Reply {
        let mut state = self.lock();
        let key: usize = request.target[2..].parse().unwrap_or(0);
        assert!(key < KEYS, "no such target: {}", request.target);
        if request.method == "POST" {
            return state.write(key);
        }
        let (id, now) = (state.answers.len(), state.now);
        let (sent, reply) = state.resources[key].answer(key, id, now, request);
        let may_wait = sent.method == "GET" && sent.kind != Kind::Nothing;
        let held = if may_wait { state.hold.take() } else { None };
        state.answers.push(sent);
        match held {
            Some((gate, waiting)) => {
                waiting.open();
                reply.hold(&gate)
            }
            None => reply,
        }
    }
}

impl State {
    pub(super) fn change(&mut self, key: usize, which: usize) {
        let resource = &mut self.resources[key];
        resource.modified += 1;
        let (version, modified) = &mut resource.representations[which];
        (*version, *modified) = (*version + 1, resource.modified);
    }

    pub(super) fn say(&mut self, key: usize, fields: Fields) {
        if self.resources[key].fields.vary != fields.vary {
            (0..3).for_each(|which| self.change(key, which));
        }
        self.resources[key].fields = fields;
    }

    pub(super) fn fail(&mut self, key: usize, how: Outage, times: u8) {
        self.resources[key].outage = Some((how, times));
    }

    fn write(&mut self, key: usize) -> Reply {
        let (status, location) = self.post;
        if status < 400 {
            (0..3).for_each(|which| self.change(key, which));
        }
        match location {
            Some(other) => Reply::status(status).header("Location", format!("/k{other}")),
            None => Reply::status(status),
        }
    }
}

impl Resource {
    fn answer(&mut self, key: usize, id: usize, now: u64, request: &ReceivedRequest) -> (Sent, Reply) {
        let outage = self.outage.map(|(how, _)| how);
        self.outage = self.outage.and_then(|(how, left)| (left > 1).then(|| (how, left - 1)));
        let variant = request.header("x-v").map(str::to_owned);
        let which = match (self.fields.vary, variant.as_deref()) {
            (false, _) => 0,
            (true, v) if v == VARIANTS[2] => 2,
            (true, _) => 1,
        };
        let (version, modified) = self.representations[which];
        let mut sent = Sent {
            key,
            at: now,
            kind: Kind::Whole(200),
            version: Some((which, version)),
            body: format!("k{key} {which} {version} {}", "picture ".repeat(2 + version as usize % 5)),
            modified,
            fields: self.fields,
            expires: None,
            method: request.method.clone(),
            variant,
            authorised: request.header("authorization").is_some(),
            no_store: request.header_all("cache-control").iter().any(|line| line.contains("no-store")),
        };
        let tag = tag(&sent);
        let mut part = None;
        sent.kind = match outage {
            Some(Outage::Status(status, says)) => {
                sent.version = None;
                sent.body = format!("failure {id}");
                let said = if says { self.fields } else { Fields::default() };
                sent.fields = Fields { tag: Tag::None, modified: false, vary: false, ..said };
                Kind::Whole(status)
            }
            Some(Outage::HangUp | Outage::Reset) => Kind::Nothing,
            Some(Outage::Short) if request.method == "GET" => Kind::Short,
            Some(Outage::Astray) if is_validation(request) => {
                (sent.version, sent.fields) = (None, Fields::default());
                Kind::NotModified
            }
            _ if not_modified(request, tag.as_deref(), self.fields.modified.then_some(modified)) => {
                Kind::NotModified
            }
            _ => match self.part(request, tag.as_deref(), sent.body.len()) {
                Some(Ok(range)) => {
                    part = Some(range);
                    Kind::Part
                }
                Some(Err(())) => Kind::Unsatisfiable,
                None => Kind::Whole(200),
            },
        };
        if let Lifetime::Expires(after) = sent.fields.lifetime
            && !sent.is_lean()
        {
            sent.expires = Some(now + after);
        }
        let reply = match sent.kind {
            Kind::Nothing if outage == Some(Outage::Reset) => Reply::reset(),
            Kind::Nothing => Reply::hang_up(),
            _ => reply(&sent, id, part),
        };
        (sent, reply)
    }

    /// The one part that is asked for, if parts are served: half-open, or that there is none.
    fn part(
        &self,
        request: &ReceivedRequest,
        tag: Option<&str>,
        length: usize,
    ) -> Option<Result<(usize, usize), ()>> {
        if !self.fields.ranges || request.method != "GET" {
            return None;
        }
        if request.header("if-range").is_some_and(|given| given.starts_with("W/") || Some(given) != tag) {
            return None;
        }
        let (first, last) = request.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last => (first, (last + 1).min(length)),
            (Ok(first), Err(_)) if last.is_empty() => (first, length),
            (Err(_), Ok(octets)) if first.is_empty() => (length.saturating_sub(octets), length),
            _ => return None,
        };
        Some(if first < last { Ok((first, last)) } else { Err(()) })
    }
}

fn reply(sent: &Sent, id: usize, part: Option<(usize, usize)>) -> Reply {
    let Fields { chunked, .. } = sent.fields;
    let body = sent.body.clone();
    let mut reply = match (sent.kind, part) {
        (Kind::Whole(status), _) => Reply::status(status).piece(body),
        (Kind::Part, Some((first, end))) => Reply::status(206)
            .header("Content-Range", format!("bytes {first}-{}/{}", end - 1, body.len()))
            .piece(body[first..end].to_owned()),
        (Kind::Short, _) => Reply::ok(body[..body.len() / 2].to_owned()).length(body.len() as u64).cut(),
        (Kind::NotModified, _) => Reply::status(304),
        _ => Reply::status(416).header("Content-Range", format!("bytes */{}", body.len())),
    };
    if chunked && !matches!(sent.kind, Kind::NotModified) && sent.method == "GET" {
        reply = reply.chunked();
    }
    reply =
        reply.header("Date", date(sent.at)).header("Content-Location", format!("/k{}?answer={id}", sent.key));
    if sent.kind == Kind::Unsatisfiable {
        return reply;
    }
    reply = reply.header("X-Secret", id.to_string());
    if sent.method == "GET" && sent.kind != Kind::NotModified {
        reply = reply.header("X-Base", id.to_string());
    }
    if let Some(tag) = tag(sent) {
        reply = reply.header("ETag", tag);
    }
    if sent.fields.modified {
        reply = reply.header("Last-Modified", date(sent.modified));
    }
    if sent.is_lean() {
        return reply;
    }
    if sent.fields.vary {
        reply = reply.header("Vary", "X-V");
    }
    if sent.fields.age > 0 {
        reply = reply.header("Age", sent.fields.age.to_string());
    }
    if let Some(expires) = sent.expires {
        reply = reply.header("Expires", date(expires));
    }
    let said = sent.fields.directives();
    if said.is_empty() { reply } else { reply.header("Cache-Control", format!("{said}, x-id={id}")) }
}

/// The entity tag of a representation, unique over all there ever were.
fn tag(sent: &Sent) -> Option<String> {
    let Some((which, version)) = sent.version else {
        return (sent.kind == Kind::NotModified).then(|| "\"astray\"".to_owned());
    };
    let opaque = format!("\"k{}-{which}-{version}\"", sent.key);
    match sent.fields.tag {
        Tag::None => None,
        Tag::Strong => Some(opaque),
        Tag::Weak => Some(format!("W/{opaque}")),
    }
}

fn not_modified(request: &ReceivedRequest, tag: Option<&str>, modified: Option<u64>) -> bool {
    let asked = request.header_all("if-none-match");
    if !asked.is_empty() {
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let mut members = asked.iter().flat_map(|line| line.split(','));
        return members
            .any(|member| member.trim() == "*" || tag.is_some_and(|tag| bare(tag) == bare(member)));
    }
    match (request.header("if-modified-since").and_then(seconds), modified) {
        (Some(since), Some(modified)) => modified <= since,
        _ => false,
    }
}

/// Whether the request is one by which a cache validates what it has.
fn is_validation(request: &ReceivedRequest) -> bool {
    let conditional = request.header("if-none-match").or(request.header("if-modified-since")).is_some();
    conditional && request.method == "GET" && request.header("range").is_none()
}

/// An HTTP date.
pub(super) fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The seconds of an HTTP date.
pub(super) fn seconds(date: &str) -> Option<u64> {
    Some(httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs())
}
