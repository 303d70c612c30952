//! ApiFlash: `GET` or `POST /v1/urltoimage`, the latter with a form.

use super::mapping::Rule::{Credential, Form as AsForm, Is, Never, Nothing, Off, Own, Seconds, Words};
use super::mapping::{Mapping, Rule};
use super::request::{Asked, Form};
use super::service::Dialect;

/// apiflash.com.
pub(super) struct ApiFlash;

impl Dialect for ApiFlash {
    fn name(&self) -> &'static str {
        "apiflash"
    }

    fn rules(&self) -> &'static [(&'static str, Rule)] {
        RULES
    }

    fn defaults(&self) -> &'static [(&'static str, &'static str)] {
        &[("width", "1920"), ("height", "1080"), ("format", "jpeg"), ("quality", "80")]
    }

    fn begin(&self, mapping: &mut Mapping, asked: &Asked<'_>) -> bool {
        match mapping.value("response_type").unwrap_or("image") {
            "image" => {}
            "json" => mapping.form = Form::Link,
            other => {
                let other = other.to_owned();
                mapping.cannot_answer("response_type", &other, "one of image, json");
            }
        }
        !asked.path.ends_with("/quota")
    }

    fn end(&self, mapping: &mut Mapping) {
        if let Some(width) =
            mapping.take("thumbnail_width").filter(|width| !matches!(width.as_str(), "" | "0"))
        {
            mapping.add("image_width", "thumbnail_width", width);
        }
        // name=value;name=value
        for field in
            mapping.take("headers").unwrap_or_default().split(';').filter(|field| !field.trim().is_empty())
        {
            match field.split_once('=') {
                Some((name, value)) => mapping.add("headers", "headers", format!("{name}: {value}")),
                None => mapping.cannot("headers", field, "name=value;name=value"),
            }
        }
    }
}

const RULES: &[(&str, Rule)] = &[
    ("access_key", Credential),
    ("url", Is("url")),
    ("format", Words("format", &[("jpeg", "jpeg"), ("jpg", "jpeg"), ("png", "png"), ("webp", "webp")])),
    ("width", Is("width")),
    ("height", Is("height")),
    ("full_page", Is("full_page")),
    ("scroll_page", Nothing),
    ("fresh", Is("force")),
    ("ttl", Is("ttl")),
    ("response_type", AsForm),
    ("thumbnail_width", Own),
    ("crop", Is("clip")),
    ("quality", Is("quality")),
    ("transparent", Is("omit_background")),
    ("scale_factor", Is("scale")),
    ("element", Is("selector")),
    ("element_overlap", Off),
    ("css", Is("css")),
    ("js", Is("js")),
    ("no_ads", Is("block_ads")),
    ("no_tracking", Is("block_trackers")),
    ("no_cookie_banners", Is("block_cookie_banners")),
    ("wait_for", Is("wait_for_selector")),
    (
        "wait_until",
        Words(
            "wait_until",
            &[("dom_loaded", "domcontentloaded"), ("page_loaded", "load"), ("network_idle", "")],
        ),
    ),
    ("wait_until_timeout", Nothing),
    ("delay", Seconds("delay")),
    ("accept_language", Is("locale")),
    ("user_agent", Is("user_agent")),
    ("headers", Own),
    ("cookies", Is("cookies")),
    ("latitude", Is("geolocation_latitude")),
    ("longitude", Is("geolocation_longitude")),
    ("accuracy", Is("geolocation_accuracy")),
    ("location", Never),
    ("proxy", Never),
    ("fail_on_status", Is("fail_on_status")),
    ("extract_html", Off),
    ("extract_text", Off),
];
