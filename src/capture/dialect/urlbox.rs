//! urlbox: render links `/v1/KEY/FORMAT?…` and `/v1/KEY/TOKEN/FORMAT?…`, and `POST /v1/render/sync`.

use super::super::parameter::Pair;
use super::super::values;
use super::mapping::Rule::{Form as AsForm, Is, Job, Means, Never, Nothing, Off, Own, Words};
use super::mapping::{Mapping, Rule};
use super::reply::{ErrorReply, Facts, json_error};
use super::request::{Asked, Form};
use super::screenshotone::plain_device;
use super::service::Dialect;
use crate::message::problem::Problem;
use crate::policy::signing::{Secret, mac, verify};
use serde_json::{Value, json};

/// urlbox.com.
pub(super) struct Urlbox;

impl Dialect for Urlbox {
    fn name(&self) -> &'static str {
        "urlbox"
    }

    fn rules(&self) -> &'static [(&'static str, Rule)] {
        RULES
    }

    fn defaults(&self) -> &'static [(&'static str, &'static str)] {
        &[("width", "1280"), ("height", "1024"), ("format", "png"), ("quality", "80")]
    }

    fn begin(&self, mapping: &mut Mapping, asked: &Asked<'_>) -> bool {
        let (_, parts) = behind_version(asked.path);
        mapping.form = match parts.as_slice() {
            ["render", "sync"] => Form::Link,
            ["render", ..] | ["usage"] => return false,
            [_, format] | [_, _, format] => {
                mapping.given.push(("format".into(), (*format).to_owned()));
                Form::Picture
            }
            _ => Form::Picture,
        };
        // One that a link has in its path.
        if let Some(format) = mapping.value("format").map(str::to_owned) {
            mapping.given.retain(|(name, _)| name != "format");
            if mapping.remote && !is_word(&format) {
                return false;
            }
            mapping.given.push(("format".into(), format));
        }
        match mapping.value("response_type") {
            None => {}
            Some("binary") => mapping.form = Form::Picture,
            Some("json") => mapping.form = Form::Link,
            Some("none") => mapping.form = Form::Nothing,
            Some(other) => {
                let other = other.to_owned();
                mapping.cannot_answer("response_type", &other, "one of json, binary, none");
            }
        }
        true
    }

    fn end(&self, mapping: &mut Mapping) {
        if let Some(url) = mapping.take("url") {
            let whole = url.contains("://");
            mapping.add("url", "url", if whole { url } else { format!("http://{}", url.trim()) });
        }
        let says = |name: &str| mapping.pairs.iter().any(|(known, _)| known == name);
        if says("image_width") && says("image_height") && !says("fit") {
            mapping.pairs.push(("fit".to_owned(), "cover".to_owned()));
        }
        if let Some(device) = mapping.take("device") {
            mapping.add("device", "device", plain_device(&device));
        }
        let fields: Vec<Pair> = mapping.own.extract_if(.., |(name, _)| name == "header").collect();
        for (_, field) in fields {
            match field.split_once('=') {
                Some((name, value)) => mapping.add("headers", "header", format!("{name}: {value}")),
                None => mapping.cannot("header", &field, "name=value"),
            }
        }
        match mapping.take("user_agent") {
            Some(kind) if ["random", "mobile", "desktop"].contains(&kind.as_str()) => {
                mapping.cannot("user_agent", &kind, "a User-Agent in full");
            }
            Some(agent) => mapping.add("user_agent", "user_agent", agent),
            None => {}
        }
        // Both fail here unless it is said that they shall not.
        let (clients, servers) = (mapping.take("fail_on_4xx"), mapping.take("fail_on_5xx"));
        let kept = |said: &Option<String>| said.as_deref().and_then(values::flag) == Some(false);
        match (kept(&clients), kept(&servers)) {
            (true, true) => mapping.add("fail_on_status", "fail_on_4xx", "none".into()),
            (true, false) => mapping.add("fail_on_status", "fail_on_4xx", "5xx".into()),
            (false, true) => mapping.add("fail_on_status", "fail_on_5xx", "4xx".into()),
            (false, false) => {}
        }
    }

    fn link_path(&self, path: &str, pairs: &mut Vec<Pair>) -> String {
        link(path, pairs)
    }

    fn ask(&self, path: &str, pairs: &mut Vec<Pair>) -> Option<String> {
        ask(path, pairs)
    }

    fn link(&self, facts: &Facts) -> Value {
        json!({ "renderUrl": facts.url, "size": facts.size })
    }

    fn error(&self, problem: &Problem) -> ErrorReply {
        json_error(&json!({ "error": { "message": problem.sentence() } }))
    }

    fn signer(&self, path: &str, _: &str) -> Option<String> {
        Link::read(path).map(|link| link.key.to_owned())
    }

    fn verify(&self, path: &str, query: &str, secret: &Secret) -> bool {
        Link::read(path).is_some_and(|link| link.is_by(query, secret))
    }

    fn sign(&self, path: &str, query: &str, key: &str, secret: &Secret) -> Option<String> {
        Some(format!("{}?{query}", sign(path, query, key, secret)?))
    }
}

const FORMATS: &[(&str, &str)] =
    &[("png", "png"), ("jpg", "jpeg"), ("jpeg", "jpeg"), ("webp", "webp"), ("avif", "avif")];

/// Its `contain` has bars on two sides: without them it is the same picture.
const FITS: &[(&str, &str)] =
    &[("cover", "cover"), ("contain", "contain"), ("inside", "contain"), ("fill", "fill")];

const RULES: &[(&str, Rule)] = &[
    ("url", Own),
    ("html", Is("html")),
    ("format", Words("format", FORMATS)),
    ("response_type", AsForm),
    ("width", Is("width")),
    ("height", Is("height")),
    ("full_page", Is("full_page")),
    ("full_page_mode", Nothing),
    ("full_width", Off),
    ("selector", Is("selector")),
    ("clip", Is("clip")),
    ("crop_width", Never),
    ("thumb_width", Is("image_width")),
    ("thumb_height", Is("image_height")),
    ("img_fit", Words("fit", FITS)),
    ("img_position", Never),
    ("retina", Means("scale", "2")),
    ("quality", Is("quality")),
    ("transparent", Is("omit_background")),
    ("bg_color", Never),
    ("device", Own),
    ("delay", Is("delay")),
    ("timeout", Nothing),
    (
        "wait_until",
        Words(
            "wait_until",
            &[
                ("domloaded", "domcontentloaded"),
                ("mostrequestsfinished", "networkidle"),
                ("requestsfinished", "networkidle"),
                ("loaded", ""),
            ],
        ),
    ),
    ("wait_for", Is("wait_for_selector")),
    ("wait_to_leave", Never),
    ("fail_if_selector_missing", Nothing),
    ("fail_if_selector_present", Off),
    ("fail_on_3xx", Off),
    ("fail_on_4xx", Own),
    ("fail_on_5xx", Own),
    ("fail_if_captcha", Off),
    ("block_ads", Is("block_ads")),
    ("hide_cookie_banners", Is("block_cookie_banners")),
    ("click_accept", Means("block_cookie_banners", "true")),
    ("accept_cookies", Means("block_cookie_banners", "true")),
    ("block_images", Means("block_resources", "image")),
    ("block_scripts", Means("block_resources", "script")),
    ("disable_js", Means("block_resources", "script")),
    ("block_fonts", Means("block_resources", "font")),
    ("block_medias", Means("block_resources", "media")),
    ("block_styles", Means("block_resources", "stylesheet")),
    ("block_fetch", Means("block_resources", "fetch")),
    ("block_xhr", Means("block_resources", "xhr")),
    ("block_pings", Means("block_resources", "ping")),
    ("block_other", Means("block_resources", "other")),
    ("block_frames", Off),
    ("block_sockets", Off),
    ("block_manifests", Off),
    ("block_urls", Never),
    ("hide_selector", Is("hide_selectors")),
    ("click", Never),
    ("hover", Never),
    ("scroll_to", Never),
    ("highlight", Never),
    ("css", Is("css")),
    ("js", Is("js")),
    ("dark_mode", Means("dark_mode", "true")),
    ("disable_animations", Means("reduced_motion", "true")),
    ("media", Is("media_type")),
    ("user_agent", Own),
    ("header", Own),
    ("cookie", Is("cookies")),
    ("accept_lang", Is("locale")),
    ("tz", Is("time_zone")),
    ("latitude", Is("geolocation_latitude")),
    ("longitude", Is("geolocation_longitude")),
    ("accuracy", Is("geolocation_accuracy")),
    ("proxy", Never),
    ("skip_scroll", Nothing),
    ("lazyload", Nothing),
    ("force", Is("force")),
    ("unique", Is("cache_key")),
    ("ttl", Is("ttl")),
    ("use_s3", Job),
    ("s3_path", Nothing),
    ("s3_bucket", Nothing),
    ("s3_storageclass", Nothing),
    ("webhook_url", Job),
];

/// The parts of a path behind `v1`, and what comes before.
fn behind_version(path: &str) -> (&str, Vec<&str>) {
    match path.rfind("/v1/") {
        Some(at) => (&path[..at + 3], path[at + 4..].split('/').filter(|part| !part.is_empty()).collect()),
        None => (path.trim_end_matches('/'), Vec::new()),
    }
}

/// A render link without a token; the key in it says nothing.
fn link(path: &str, pairs: &mut Vec<Pair>) -> String {
    let (before, parts) = behind_version(path);
    if parts.is_empty() {
        return path.to_owned();
    }
    let format = pairs.iter().rposition(|(name, _)| name == "format").map(|at| pairs.swap_remove(at).1);
    pairs.retain(|(name, _)| name != "format");
    let format = format.filter(|format| is_word(format));
    format!("{before}/-/{}", format.as_deref().unwrap_or("png"))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// JSON with the secret in a field, which tintype can put in, instead of a link with the key in its path.
fn ask(path: &str, pairs: &mut Vec<Pair>) -> Option<String> {
    pairs.push(("response_type".into(), "binary".into()));
    let (before, parts) = behind_version(path);
    Some(if parts.is_empty() { path.to_owned() } else { format!("{before}/render/sync") })
}

/// An authenticated render link, not yet verified: `/v1/KEY/TOKEN/FORMAT?QUERY`, the token being the hexadecimal
/// HMAC-SHA256 of the query as it stands. The service signs neither key nor format.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Link<'a> {
    /// Its key.
    key: &'a str,
    token: &'a str,
}

impl<'a> Link<'a> {
    /// The link that `path` is, if it has a token.
    fn read(path: &'a str) -> Option<Self> {
        let at = path.rfind("/v1/")?;
        let mut parts = path[at + 4..].split('/').filter(|part| !part.is_empty());
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(key), Some(token), Some(_), None) if key != "render" => Some(Link { key, token }),
            _ => None,
        }
    }

    /// Whether it is signed for `query` with `secret`.
    fn is_by(&self, query: &str, secret: &Secret) -> bool {
        self.token.len() == 64 && verify(secret, query.as_bytes(), self.token)
    }
}

/// The path of a link without a key, `…/v1/-/FORMAT`, with one and a token for `query`.
fn sign(path: &str, query: &str, key: &str, secret: &Secret) -> Option<String> {
    let (before, format) = path.rsplit_once("/-/")?;
    Some(format!("{before}/{key}/{}/{format}", hex::encode(mac(secret, query.as_bytes()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `echo -n "url=urlbox.io&width=300" | openssl sha256 -hmac my_secret_key`: the service's example (its documentation still shows the
    /// HMAC-SHA1 of before).
    const TOKEN: &str = "dec3d2b9503f96a15eac3b3c7c663ab39012bbaf7f59919e40deab2fbd1bce22";

    #[test]
    fn tokens_are_verified_for_the_query_as_it_stands() {
        let secret = Secret::new("my_secret_key".into());
        let path = format!("/v1/KEY/{TOKEN}/png");
        let link = Link::read(&path).expect("a link");
        assert_eq!(link.key, "KEY");
        assert!(link.is_by("url=urlbox.io&width=300", &secret));
        for altered in ["url=urlbox.io&width=301", "width=300&url=urlbox.io", "url=urlbox.io&width=300&", ""]
        {
            assert!(!link.is_by(altered, &secret), "{altered}");
        }
        for none in ["/v1/KEY/png", "/v1/render/sync", "/v1/render/sync/x", "/screenshot", "/v1/K/T/png/more"]
        {
            assert_eq!(Link::read(none), None, "{none}");
        }
        let short = Link::read("/v1/KEY/a6f5fb4b61eaba63a4546b87c14091c9ca3fbe73/png").expect("a link");
        assert!(!short.is_by("url=urlbox.io&width=300", &secret), "SHA1");
        let spelled = crate::policy::signing::base64url(&mac(&secret, b"url=urlbox.io&width=300"));
        let path = format!("/v1/KEY/{spelled}/png");
        let other = Link::read(&path).expect("a link");
        assert!(!other.is_by("url=urlbox.io&width=300", &secret), "the service takes one spelling");
        let signed = sign("/pre/v1/-/jpg", "url=x", "KEY", &secret).expect("a link");
        assert!(
            signed.starts_with("/pre/v1/KEY/")
                && Link::read(&signed).is_some_and(|link| link.is_by("url=x", &secret))
        );
    }
}
