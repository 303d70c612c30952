//! The dialects of other services: which picture a request for one of them means, in our own names and units, what else it wants of the
//! answer, and what of it cannot be had here. Pure. docs/DIALECTS.md has the tables for people.
//!
//! Each service has a file that implements [`Dialect`]: a table of its names, which `mapping` applies, its answers and its signatures.

use http::HeaderMap;
use serde_json::{Value, json};

use super::given::Pair;
use super::{Canonical, Defaults};
pub use crate::message::problem::Fault;
use crate::message::problem::Problem;
use crate::policy::signing::Secret;

mod apiflash;
mod given;
pub mod imgproxy;
mod mapping;
mod microlink;
pub mod reply;
mod screenshotone;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;
mod urlbox;
mod web2img;

pub use mapping::{Mapping, Rule};
use reply::{ErrorReply, Facts};

/// A service whose requests are understood. One file each; a new one is listed in [`ALL`].
pub trait Dialect: Sync {
    /// Its name in proxy.toml.
    fn name(&self) -> &'static str;

    /// What each parameter name means.
    fn rules(&self) -> &'static [(&'static str, Rule)];

    /// What may stand before a name without a meaning.
    fn prefix(&self) -> &'static str {
        ""
    }

    /// Canonical names and values that apply where a request does not say.
    fn defaults(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Reads path and fields, before the parameters. False if the request is for no picture.
    fn begin(&self, _: &mut Mapping, _: &Asked<'_>) -> bool {
        true
    }

    /// Reads parameters that have a meaning only together.
    fn end(&self, _: &mut Mapping) {}

    /// The path of a `GET` for the same picture. `pairs` become its query.
    fn link_path(&self, path: &str, _pairs: &mut Vec<Pair>) -> String {
        path.to_owned()
    }

    /// Makes the service answer with the picture itself. Gives the path to which `pairs` go as JSON, if they do not
    /// go as a query.
    fn ask(&self, _path: &str, _pairs: &mut Vec<Pair>) -> Option<String> {
        None
    }

    /// The document that says where a picture is.
    fn link(&self, facts: &Facts) -> Value {
        json!({ "url": facts.url })
    }

    /// Type and text of an error. The default is for services that document statuses and no form.
    fn error(&self, problem: &Problem) -> ErrorReply {
        ("text/plain; charset=utf-8", format!("{}\n", problem.sentence()))
    }

    /// The ID of the key that a link is signed with in the service's own way, if it is.
    fn signer(&self, _path: &str, _query: &str) -> Option<String> {
        None
    }

    /// Whether a link that has a [`signer`](Self::signer) is signed with `secret`.
    fn verify(&self, _path: &str, _query: &str, _secret: &Secret) -> bool {
        false
    }

    /// Path and query of a link, signed in the service's own way. `None` if it has none.
    fn sign(&self, _path: &str, _query: &str, _key: &str, _secret: &Secret) -> Option<String> {
        None
    }

    /// Requests are `GET`s of a path whose signature covers what is behind the prefix of the route, and nothing else.
    fn has_signed_paths(&self) -> bool {
        false
    }

    /// Its clients get links to a route with signed paths, where there is one over the same pictures.
    fn links_to_signed_paths(&self) -> bool {
        false
    }

    /// Fields of a request are part of what it asks for.
    fn reads_fields(&self) -> bool {
        false
    }

    /// The service takes a long query as JSON at the same path.
    fn takes_json(&self) -> bool {
        false
    }

    /// It reads `url`, `width`, `height` and `format` as jobs write them.
    fn takes_jobs(&self) -> bool {
        false
    }
}

impl std::fmt::Debug for dyn Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for dyn Dialect {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for dyn Dialect {}

/// All dialects.
pub const ALL: [&dyn Dialect; 6] = [
    &screenshotone::ScreenshotOne,
    &urlbox::Urlbox,
    &apiflash::ApiFlash,
    &microlink::Microlink,
    &web2img::Web2img,
    &imgproxy::Imgproxy,
];

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its query.
    pub query: &'a str,
    /// Its fields.
    pub fields: &'a HeaderMap,
    /// Its content.
    pub content: Content<'a>,
}

/// The content of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// None.
    Nothing,
    /// A JSON object.
    Json(&'a [u8]),
    /// `application/x-www-form-urlencoded`.
    Form(&'a [u8]),
}

/// The dialect of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteDialect {
    /// Which.
    pub dialect: &'static dyn Dialect,
    /// Behind the route is the service itself, which can do more than we know of.
    pub remote: bool,
    /// What the operator says where a request says nothing.
    pub defaults: Defaults,
}

/// What a client gets of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The picture.
    #[default]
    Picture,
    /// JSON in the form of the service that says where it is.
    Link,
    /// Nothing but the status.
    Nothing,
}

/// A request for a picture, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Which picture.
    pub canonical: Canonical,
    /// What the client gets of it.
    pub form: Form,
    /// Canonical names and what the client called them.
    pub names: Vec<(&'static str, String)>,
    /// Path and query of a `GET` for the picture itself in the same dialect, without credentials. None if it takes fields to ask for it.
    pub link: Option<String>,
    /// What the service itself is asked with.
    pub request: Outgoing,
}

/// What the service itself is asked with, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Parameters, without credentials and without what says in which form the answer is wanted.
    pub pairs: Vec<Pair>,
    /// They go as JSON to this path.
    pub json_to: Option<String>,
}

/// What a request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It asks for a picture.
    Picture(Box<Picture>),
    /// It asks the service for something else: a list, a job, a document.
    Other,
    /// It cannot be answered, for these reasons.
    Bad(Vec<Fault>),
}

/// What `asked` means on a route with this dialect.
pub fn read(spoken: &RouteDialect, asked: &Asked<'_>) -> Meaning {
    let Some(given) = given::all(asked) else {
        let fault = Fault {
            parameter: "body".into(),
            found: "what cannot be read".into(),
            allowed: format!(
                "a query, or content of the type that it names, of UTF-8 text with up to {} parameters",
                given::MAX_PAIRS
            ),
        };
        return Meaning::Bad(vec![fault]);
    };
    let dialect = spoken.dialect;
    let mut mapping = Mapping::new(dialect.rules(), dialect.prefix(), spoken.remote, given);
    if !dialect.begin(&mut mapping, asked) {
        return Meaning::Other;
    }
    mapping.apply(dialect.name());
    dialect.end(&mut mapping);
    if mapping.other {
        return Meaning::Other;
    }
    if !spoken.remote {
        mapping.want_page();
    }
    if !mapping.faults.is_empty() {
        return Meaning::Bad(mapping.faults);
    }
    let mut canonical = Canonical::of(mapping.pairs, dialect.defaults(), &spoken.defaults);
    canonical.wishes.ambiguous |= mapping.ambiguous;
    let mut link = mapping.sent.clone();
    let path = dialect.link_path(asked.path, &mut link);
    let mut pairs = mapping.sent;
    let json_to = dialect.ask(asked.path, &mut pairs);
    Meaning::Picture(Box::new(Picture {
        canonical,
        form: mapping.form,
        names: mapping.names,
        link: (!mapping.by_fields).then(|| format!("{path}?{}", query(&link))),
        request: Outgoing { pairs, json_to },
    }))
}

/// `pairs` as a query.
pub fn query(pairs: &[Pair]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// `pairs` as a JSON object; names that are there several times have lists.
pub fn json(pairs: &[Pair]) -> bytes::Bytes {
    super::canonical::json(pairs)
}
