//! The dialects of other services: which picture a request for one of them means, in our own names and units, what else it wants of the
//! answer, and what of it cannot be had here. Pure. docs/DIALECTS.md has the tables for people.
//!
//! Each service has a file with a table of its names; `mapping` applies it.

use http::HeaderMap;

use super::given::Pair;
use super::{Canonical, Defaults};
pub use crate::message::problem::Fault;

mod apiflash;
mod given;
pub mod imgproxy;
mod mapping;
mod microlink;
mod screenshotone;
#[cfg(test)]
mod tables;
pub mod telling;
#[cfg(test)]
mod tests;
mod urlbox;
mod web2img;

use mapping::{Mapping, Rule};

/// A service whose requests are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// screenshotone.com.
    ScreenshotOne,
    /// urlbox.com.
    Urlbox,
    /// apiflash.com.
    ApiFlash,
    /// microlink.io.
    Microlink,
    /// The service of that name that people run themselves.
    Web2img,
    /// The service that makes pictures of pictures; here, of captures.
    Imgproxy,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 6] = [
        Dialect::ScreenshotOne,
        Dialect::Urlbox,
        Dialect::ApiFlash,
        Dialect::Microlink,
        Dialect::Web2img,
        Dialect::Imgproxy,
    ];

    /// Its name in proxy.toml.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::ScreenshotOne => "screenshotone",
            Dialect::Urlbox => "urlbox",
            Dialect::ApiFlash => "apiflash",
            Dialect::Microlink => "microlink",
            Dialect::Web2img => "web2img",
            Dialect::Imgproxy => "imgproxy",
        }
    }

    /// Whether a request says something of its picture in fields, not in its target alone: microlink's has those of the page there.
    pub fn reads_fields(self) -> bool {
        self == Dialect::Microlink
    }

    fn speech(self) -> &'static Speech {
        match self {
            Dialect::ScreenshotOne => &screenshotone::SPEECH,
            Dialect::Urlbox => &urlbox::SPEECH,
            Dialect::ApiFlash => &apiflash::SPEECH,
            Dialect::Microlink => &microlink::SPEECH,
            Dialect::Web2img => &web2img::SPEECH,
            Dialect::Imgproxy => &imgproxy::SPEECH,
        }
    }
}

/// How a service is spoken to.
struct Speech {
    /// What each name means.
    rules: &'static [(&'static str, Rule)],
    /// What may stand before a name and says nothing.
    prefix: &'static str,
    /// What holds where a request says nothing: canonical names and values.
    defaults: &'static [(&'static str, &'static str)],
    /// What its path and fields say, before the parameters are read. False if it asks for no picture.
    begin: fn(&mut Mapping, &Asked<'_>) -> bool,
    /// What several parameters mean together.
    end: fn(&mut Mapping),
    /// Where a request of the service for one picture goes, as a `GET` with a query.
    link: fn(path: &str, pairs: &mut Vec<Pair>) -> String,
    /// Makes the service answer with the picture itself. True if it is asked with JSON, at this path.
    ask: fn(path: &str, pairs: &mut Vec<Pair>) -> Option<String>,
}

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
pub struct Spoken {
    /// Which.
    pub dialect: Dialect,
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
pub fn read(spoken: &Spoken, asked: &Asked<'_>) -> Meaning {
    let Some(given) = given::all(asked) else {
        let fault = Fault {
            parameter: "body".into(),
            found: "what cannot be read".into(),
            allowed: format!(
                "a query, or content of the type that it names, of UTF-8 text with up to {} parameters",
                given::MOST
            ),
        };
        return Meaning::Bad(vec![fault]);
    };
    let speech = spoken.dialect.speech();
    let mut mapping = Mapping::new(speech.rules, speech.prefix, spoken.remote, given);
    if !(speech.begin)(&mut mapping, asked) {
        return Meaning::Other;
    }
    mapping.apply(spoken.dialect.name());
    (speech.end)(&mut mapping);
    if mapping.other {
        return Meaning::Other;
    }
    if !spoken.remote {
        mapping.want_page();
    }
    if !mapping.faults.is_empty() {
        return Meaning::Bad(mapping.faults);
    }
    let mut canonical = Canonical::of(mapping.pairs, speech.defaults, &spoken.defaults);
    canonical.wishes.ambiguous |= mapping.ambiguous;
    let mut link = mapping.sent.clone();
    let path = (speech.link)(asked.path, &mut link);
    let mut pairs = mapping.sent;
    let json_to = (speech.ask)(asked.path, &mut pairs);
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
