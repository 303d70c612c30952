//! microlink: `GET /?url=…&screenshot=true`.

use std::time::Duration;

use super::super::parameter::Pair;
use super::super::values;
use super::mapping::Rule::{Form as AsForm, Is, Never, Nothing, Off, Own, Words};
use super::mapping::{Mapping, Rule};
use super::reply::{ErrorReply, Facts, json_error};
use super::request::{Asked, Form};
use super::screenshotone::plain_device;
use super::service::Dialect;
use crate::message::outcome::ErrorReason;
use crate::message::problem::Problem;
use serde_json::{Value, json};

/// microlink.io.
pub(super) struct Microlink;

impl Dialect for Microlink {
    fn name(&self) -> &'static str {
        "microlink"
    }

    fn rules(&self) -> &'static [(&'static str, Rule)] {
        RULES
    }

    fn defaults(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("width", "1280"),
            ("height", "800"),
            ("format", "png"),
            ("quality", "80"),
            ("block_ads", "true"),
            ("block_trackers", "true"),
            ("block_cookie_banners", "true"),
        ]
    }

    fn begin(&self, mapping: &mut Mapping, asked: &Asked<'_>) -> bool {
        let mut shot = false;
        for (name, value) in &mut mapping.given {
            // `&screenshot&adblock` says that they are true.
            let bare =
                ["screenshot", "fullPage", "omitBackground", "adblock", "javascript", "force", "animations"];
            let plain = name.strip_prefix(PREFIX).unwrap_or(name);
            shot |= plain.len() < name.len();
            if value.is_empty() && (bare.contains(&plain) || name.starts_with("viewport.is")) {
                "true".clone_into(value);
            }
            shot |= name == "screenshot" && values::flag(value) != Some(false);
        }
        // Fields of the request to the page, kept out of the URL.
        for (name, value) in asked.fields {
            if let (Some(field), Ok(value)) = (name.as_str().strip_prefix(FIELD), value.to_str()) {
                mapping.by_fields = true;
                mapping.add("headers", name.as_str(), format!("{field}: {value}"));
            }
        }
        let fields: Vec<Pair> =
            mapping.given.extract_if(.., |(name, _)| name.starts_with("headers.")).collect();
        for (name, value) in fields {
            mapping.add("headers", &name, format!("{}: {value}", &name["headers.".len()..]));
            mapping.sent.push((name, value));
        }
        if let Some(said) =
            mapping.value("meta").filter(|said| !mapping.remote && values::flag(said) != Some(false))
        {
            let said = said.to_owned();
            mapping.cannot("meta", &said, "false: nothing is told of pages here");
        }
        match mapping.value("embed") {
            None => mapping.form = Form::Link,
            Some("screenshot.url") => {}
            Some(_) => return false,
        }
        shot
    }

    fn end(&self, mapping: &mut Mapping) {
        if let Some(device) = mapping.take("device") {
            match plain_device(&device).as_str() {
                // The default, whose size is among the defaults.
                "macbook-pro-13" => {}
                device => mapping.add("device", "device", device.to_owned()),
            }
        }
        if let Some(said) = mapping.take("adblock") {
            match values::flag(&said) {
                Some(yes) => {
                    for list in ["block_ads", "block_trackers", "block_cookie_banners"] {
                        mapping.add(list, "adblock", yes.to_string());
                    }
                }
                None => mapping.cannot("adblock", &said, "true or false"),
            }
        }
        let injected: Vec<Pair> =
            mapping.own.extract_if(.., |(name, _)| name == "scripts" || name == "styles").collect();
        for (name, text) in injected {
            let canonical = if name == "scripts" { "js" } else { "css" };
            match text.trim_start() {
                address if address.starts_with("http://") || address.starts_with("https://") => {
                    mapping.cannot(&name, &text, "the text itself, not where it is");
                }
                _ => mapping.add(canonical, &name, text),
            }
        }
        lifetimes(mapping);
    }

    fn prefix(&self) -> &'static str {
        PREFIX
    }

    fn link_path(&self, path: &str, pairs: &mut Vec<Pair>) -> String {
        ask(pairs);
        path.to_owned()
    }

    fn ask(&self, _: &str, pairs: &mut Vec<Pair>) -> Option<String> {
        ask(pairs);
        None
    }

    fn link(&self, facts: &Facts) -> Value {
        let mut screenshot = json!({
            "url": facts.url,
            "type": facts.format,
            "size": facts.size,
            "size_pretty": pretty(facts.size),
        });
        if let (Some((width, height)), Value::Object(members)) = (facts.pixels, &mut screenshot) {
            members.insert("width".into(), width.into());
            members.insert("height".into(), height.into());
        }
        json!({ "status": "success", "data": { "screenshot": screenshot } })
    }

    fn error(&self, problem: &Problem) -> ErrorReply {
        let (status, faults) = (problem.status.as_u16(), &problem.faults);
        let code = match (status, &problem.reason) {
            (504, _) => "ETIMEOUT",
            (403, Some(ErrorReason::TargetRefused)) => "EFORBIDDENURL",
            (401 | 403, _) => "EAUTH",
            (429, _) => "ERATE",
            (400, _) if faults.iter().any(|fault| fault.parameter == "url") => "EINVALURL",
            _ => "EFATAL",
        };
        let kind = if status < 500 { "fail" } else { "error" };
        let data: serde_json::Map<String, Value> =
            faults.iter().map(|fault| (fault.parameter.clone(), fault.to_string().into())).collect();
        json_error(&json!({ "status": kind, "code": code, "message": problem.sentence(), "data": data }))
    }

    fn reads_fields(&self) -> bool {
        true
    }
}

const FLAGS: &[(&str, &str)] = &[("true", "true"), ("false", "false")];
/// How long its pictures are kept if a request does not say.
const TTL: Duration = Duration::from_secs(24 * 3600);
const PREFIX: &str = "screenshot.";
const FIELD: &str = "x-api-header-";

const RULES: &[(&str, Rule)] = &[
    ("url", Is("url")),
    ("screenshot", AsForm),
    ("embed", AsForm),
    ("meta", AsForm),
    ("fullPage", Is("full_page")),
    ("type", Words("format", &[("png", "png"), ("jpeg", "jpeg")])),
    ("quality", Is("quality")),
    ("element", Is("selector")),
    ("omitBackground", Is("omit_background")),
    ("device", Own),
    ("viewport.width", Is("width")),
    ("viewport.height", Is("height")),
    ("viewport.deviceScaleFactor", Is("scale")),
    ("viewport.isMobile", Is("mobile")),
    ("viewport.hasTouch", Is("touch")),
    ("viewport.isLandscape", Is("landscape")),
    ("colorScheme", Words("dark_mode", &[("dark", "true"), ("light", "false"), ("no-preference", "")])),
    ("mediaType", Is("media_type")),
    ("animations", Words("reduced_motion", &[("false", ""), ("true", "false")])),
    ("adblock", Own),
    ("javascript", Words("block_resources", &[("true", ""), ("false", "script")])),
    ("scripts", Own),
    ("styles", Own),
    ("modules", Never),
    ("click", Never),
    ("scroll", Never),
    ("waitForTimeout", Is("delay")),
    ("waitForSelector", Is("wait_for_selector")),
    (
        "waitUntil",
        Words(
            "wait_until",
            &[
                ("auto", ""),
                ("load", "load"),
                ("domcontentloaded", "domcontentloaded"),
                ("networkidle0", "networkidle"),
                ("networkidle2", "networkidle"),
            ],
        ),
    ),
    ("ttl", Own),
    ("staleTtl", Own),
    ("force", Words("force", FLAGS)),
    ("cacheKey", Is("cache_key")),
    ("retry", Nothing),
    ("timeout", Nothing),
    ("prerender", Nothing),
    ("ping", Nothing),
    ("proxy", Never),
    ("overlay.background", Never),
    ("overlay.browser", Never),
    ("animated", Off),
    ("codeScheme", Never),
    ("palette", Off),
    ("audio", Off),
    ("video", Off),
    ("iframe", Off),
    ("insights", Off),
    ("pdf", Off),
    ("filename", Never),
    ("filter", Never),
    ("function", Never),
];

/// `staleTtl` says from which age on a picture is renewed behind the answer, `ttl` until which age it may be the answer.
fn lifetimes(mapping: &mut Mapping) {
    let told = |said: Option<String>, mapping: &mut Mapping, name: &str| {
        let said = said.filter(|said| values::flag(said) != Some(false) || said == "0")?;
        let time = time(&said);
        if time.is_none() {
            mapping.cannot(name, &said, "milliseconds, or a time such as 1h");
        }
        time
    };
    let (ttl, stale) = (mapping.take("ttl"), mapping.take("staleTtl"));
    let ttl = told(ttl, mapping, "ttl");
    match told(stale, mapping, "staleTtl") {
        Some(stale) => {
            let behind = ttl.unwrap_or(TTL).saturating_sub(stale);
            mapping.add("ttl", "staleTtl", stale.as_secs().to_string());
            mapping.add("stale_ttl", "staleTtl", behind.as_secs().to_string());
        }
        None => {
            if let Some(ttl) = ttl {
                mapping.add("ttl", "ttl", ttl.as_secs().to_string());
            }
        }
    }
}

fn time(said: &str) -> Option<Duration> {
    match said.trim() {
        "min" => Some(Duration::from_secs(60)),
        "max" => Some(Duration::from_secs(31 * 24 * 3600)),
        plain if plain.bytes().all(|b| b.is_ascii_digit()) => plain.parse().ok().map(Duration::from_millis),
        words => humantime::parse_duration(words).ok(),
    }
}

/// The picture itself, and nothing else.
fn ask(pairs: &mut Vec<Pair>) {
    pairs.retain(|(name, _)| !["meta", "embed", "screenshot"].contains(&name.as_str()));
    for (name, value) in [("screenshot", "true"), ("meta", "false"), ("embed", "screenshot.url")] {
        pairs.push((name.to_owned(), value.to_owned()));
    }
}

/// `284 kB`.
fn pretty(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{} kB", Thousandth(bytes)),
        _ => format!("{} MB", Thousandth(bytes / 1000)),
    }
}

/// A number in thousands, with three digits at most where they say something.
struct Thousandth(u64);

impl std::fmt::Display for Thousandth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            small @ 0..10_000 => write!(f, "{}.{:02}", small / 1000, small % 1000 / 10),
            large => write!(f, "{}", (large + 500) / 1000),
        }
    }
}
