//! What a dialect is.

use serde_json::{Value, json};

use super::mapping::{Mapping, Rule};
use super::reply::{ErrorReply, Facts};
use super::request::Asked;
use crate::capture::parameter::Pair;
use crate::message::problem::Problem;
use crate::policy::signing::Secret;

/// A service whose requests are understood. One file each; a new one is listed in [`ALL`](super::ALL).
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
