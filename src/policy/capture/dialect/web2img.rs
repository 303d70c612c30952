//! web2img: `POST /screenshot?cache=…` with JSON.

use super::Speech;
use super::mapping::Rule;
use super::mapping::Rule::{Is, Words};

pub(super) const SPEECH: Speech = Speech {
    rules: RULES,
    prefix: "",
    defaults: &[("width", "1280"), ("height", "720"), ("format", "png")],
    // Its answer is JSON with a signed link to the picture: whoever makes those says so here (`Form::Link`).
    begin: |_, asked| !asked.path.contains("/batch/"),
    end: |_| (),
    link: |path, _| path.to_owned(),
    ask: |path, _| Some(path.to_owned()),
};

const RULES: &[(&str, Rule)] = &[
    ("url", Is("url")),
    ("format", Words("format", &[("png", "png"), ("jpeg", "jpeg"), ("webp", "webp")])),
    ("width", Is("width")),
    ("height", Is("height")),
    ("cache", Is("cache")),
];
