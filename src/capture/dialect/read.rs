//! Reads a request in a dialect into our own names and units.

use super::given;
use super::mapping::Mapping;
use super::request::{Asked, Form};
use super::service::Dialect;
use crate::capture::canonical::{self, Canonical, Defaults};
use crate::capture::parameter::Pair;
use crate::message::problem::Fault;

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
    canonical::json(pairs)
}
