//! web2img: `POST /screenshot?cache=…` with JSON, answered with a link to the picture; a `GET` of the same is the picture.

use super::super::values;
use super::mapping::Rule::{Is, Own, Words};
use super::mapping::{Mapping, Rule};
use super::{Asked, Content, Form, Speech};

pub(super) const SPEECH: Speech = Speech {
    rules: RULES,
    prefix: "",
    defaults: &[("width", "1280"), ("height", "720"), ("format", "png")],
    begin,
    end,
    link: |path, pairs| {
        // The link is to what is stored.
        pairs.retain(|(name, _)| name != "cache");
        path.to_owned()
    },
    ask: |path, _| Some(path.to_owned()),
};

const RULES: &[(&str, Rule)] = &[
    ("url", Is("url")),
    ("format", Words("format", &[("png", "png"), ("jpeg", "jpeg"), ("webp", "webp")])),
    ("width", Is("width")),
    ("height", Is("height")),
    ("cache", Own),
];

fn begin(mapping: &mut Mapping, asked: &Asked<'_>) -> bool {
    if asked.content != Content::Nothing {
        mapping.form = Form::Link;
    }
    !asked.path.contains("/batch/")
}

/// Without its cache a new picture is made, and kept all the same: the link leads to it.
fn end(mapping: &mut Mapping) {
    if let Some(cache) = mapping.take("cache") {
        match values::flag(&cache) {
            Some(true) => {}
            Some(false) => mapping.add("force", "cache", "true".into()),
            None => mapping.cannot_answer("cache", &cache, "true or false"),
        }
    }
}
