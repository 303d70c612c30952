//! The parameters read one by one, group by group. Each has its bounds here.

use std::time::Duration;

use super::reader::Reader;
use super::{
    Area, CaptureRequest, Category, Egress, Fault, Format, Geolocation, Look, OnTimeout, Page, ResourceKind,
    Rules, StatusRange, Until, View, Visitor, Wait, pixels, values,
};
use crate::capture::devices::{self, Device, Preinstalled};
use crate::capture::limits::Limits;
use crate::capture::markdown;

/// Smallest scale.
const MIN_SCALE: f64 = 0.1;
/// Members of one list.
const MAX_LIST: usize = 32;

impl CaptureRequest {
    /// Reads a raw query, and a JSON body if there is one. On failure every fault is named.
    pub fn parse(query: &str, body: Option<&[u8]>, limits: &Limits) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::new(query);
        if let Some(body) = body {
            reader.json(body);
        }
        let r = &mut reader;
        let page = page(r, limits);
        let (view, device) = view(r, limits);
        let (format, quality, omit_background) = form(r);
        let area = area(r, limits);
        let wait = wait(r, limits);
        let look = look(r, limits);
        let visitor = visitor(r, device);
        let block = r.take_all("block_resources", MAX_LIST, &resources(), values::resource);
        let filters = filters(r);
        let freeze = freeze(r, limits);
        let egress = egress(r);
        let ignore_https_errors = ignore_https_errors(r, limits);
        let rules = rules(r, limits);
        others(r);
        bound_pixels(r, &view, &area, limits.max_pixels);
        match page {
            Some(page) if reader.faults.is_empty() => Ok(CaptureRequest {
                page,
                view,
                format,
                quality,
                omit_background,
                area,
                wait,
                look,
                visitor,
                block,
                filters,
                freeze,
                egress,
                ignore_https_errors,
                rules,
            }),
            _ => Err(reader.faults),
        }
    }
}

fn page(r: &mut Reader, limits: &Limits) -> Option<Page> {
    let url = r.take("url", "an absolute http or https URL without user name or password", values::target);
    let documents = format!("a document of 1 to {} bytes", limits.max_html);
    let document = |text: &str| (1..=limits.max_html).contains(&text.len()).then(|| text.to_owned());
    let html = r.take("html", &documents, document);
    let markdown = r.take("markdown", &documents, |text| document(text).map(|text| markdown::render(&text)));
    let given = ["url", "html", "markdown"].map(|name| r.is_given(name));
    if given == [false; 3] {
        let allowed = "an absolute http or https URL; it is required".to_owned();
        r.faults.insert(0, Fault { parameter: "url".into(), found: "nothing".into(), allowed });
        return None;
    }
    if given.iter().filter(|given| **given).count() > 1 {
        let name = if given[2] { "markdown" } else { "html" };
        r.fault(name, "a document beside another page", "one of url, html and markdown");
        return None;
    }
    url.map(Page::Url).or(html.or(markdown).map(Page::Html))
}

fn view(r: &mut Reader, limits: &Limits) -> (View, Option<&'static Device>) {
    let side = format!("a whole number from 1 to {}", limits.max_side);
    let side_of = |text: &str| text.parse().ok().filter(|&n: &u32| n >= 1 && n <= limits.max_side);
    let scales = format!("a number from {MIN_SCALE} to {}", limits.max_scale);
    let presets = format!("one of {}", devices::names());

    let device = r.take("device", &presets, devices::find);
    let width = r.take("width", &side, side_of).or(device.map(|d| d.width)).unwrap_or(limits.default_width);
    let height =
        r.take("height", &side, side_of).or(device.map(|d| d.height)).unwrap_or(limits.default_height);
    let scale = r
        .take("scale", &scales, |text| values::number(text, MIN_SCALE, limits.max_scale))
        // A device is within the bounds too.
        .or(device.map(|d| d.scale.min(limits.max_scale)))
        .unwrap_or(1.0);
    let is_mobile = device.is_some_and(|d| d.mobile);
    let mobile = flag(r, "mobile").unwrap_or(is_mobile);
    let touch = flag(r, "touch").unwrap_or(mobile);
    let landscape = flag(r, "landscape").unwrap_or(false);
    let (width, height) = if landscape { (width.max(height), width.min(height)) } else { (width, height) };
    (View { width, height, scale, mobile, touch }, device)
}

fn form(r: &mut Reader) -> (Format, u8, bool) {
    let format = r
        .take(
            "format",
            "png, jpeg or webp; where pictures are derived, auto, and avif in builds with it",
            |text| match text {
                "jpg" => Some(Format::Jpeg),
                _ => {
                    [Format::Png, Format::Jpeg, Format::Webp].into_iter().find(|format| format.name() == text)
                }
            },
        )
        .unwrap_or(Format::Png);
    let quality = r
        .take("quality", "a whole number from 1 to 100", |text| {
            text.parse().ok().filter(|n| (1..=100).contains(n))
        })
        .unwrap_or(80);
    let omit = flag(r, "omit_background").unwrap_or(false);
    if omit && format == Format::Jpeg {
        r.fault("omit_background", "true", "false, or another format: a JPEG has no transparency");
    }
    // Made of pictures in front of us, if at all: what comes here is bad, or for nobody.
    for name in ["image_width", "image_height"] {
        r.take(name, "a whole number from 1 to 16384, where pictures are derived", |_| None::<()>);
    }
    r.take("fit", "contain, cover or fill, where pictures are derived", |_| None::<()>);
    (format, quality, omit)
}

fn area(r: &mut Reader, limits: &Limits) -> Area {
    let heights = format!("a whole number from 1 to {}", limits.max_full_page_height);
    let boxes = format!("x,y,width,height: whole numbers up to {}", limits.max_full_page_height);

    let full_page = flag(r, "full_page").unwrap_or(false);
    let max_height = r
        .take("full_page_max_height", &heights, |text| {
            text.parse().ok().filter(|n| (1..=limits.max_full_page_height).contains(n))
        })
        .unwrap_or(limits.max_full_page_height);
    let selector = r.take("selector", SELECTORS, values::selector);
    let clip = r.take("clip", &boxes, |text| values::clip(text, limits.max_full_page_height));
    for (other, is_given) in [("selector", selector.is_some()), ("clip", clip.is_some())] {
        if full_page && is_given {
            let found = r.found(other);
            r.fault(other, &found, "not together with full_page");
        }
    }
    match (selector, clip) {
        (Some(_), Some(_)) => {
            let found = r.found("clip");
            r.fault("clip", &found, "not together with selector");
            Area::Viewport
        }
        (Some(selector), None) => Area::Element(selector),
        (None, Some(clip)) => Area::Clip(clip),
        (None, None) if full_page => Area::FullPage(max_height),
        (None, None) => Area::Viewport,
    }
}

const SELECTORS: &str = "a CSS selector of at most 1024 bytes, without braces";

fn wait(r: &mut Reader, limits: &Limits) -> Wait {
    let delays = format!("a time from 0 to {}ms, such as 500, 500ms or 1.5s", limits.max_delay.as_millis());
    let until = r
        .take("wait_until", "settled, load, domcontentloaded or networkidle", |text| match text {
            "settled" => Some(Until::Settled),
            "load" => Some(Until::Load),
            "domcontentloaded" => Some(Until::DomContentLoaded),
            "networkidle" => Some(Until::NetworkIdle),
            _ => None,
        })
        .unwrap_or(Until::Settled);
    let selector = r.take("wait_for_selector", SELECTORS, values::selector);
    let delay = r
        .take("delay", &delays, |text| values::duration(text).filter(|&d| d <= limits.max_delay))
        .unwrap_or(Duration::ZERO);
    Wait { until, selector, delay }
}

fn look(r: &mut Reader, limits: &Limits) -> Look {
    let texts = format!("a text of at most {} bytes", limits.max_text);
    let text = |text: &str| (text.len() <= limits.max_text).then(|| text.to_owned());
    // An empty style sheet or script is none.
    let given = |mut texts: Vec<String>| {
        texts.retain(|text| !text.is_empty());
        texts
    };
    Look {
        hide: r.take_all("hide_selectors", MAX_LIST, SELECTORS, values::selector),
        css: given(r.take_all("css", MAX_LIST, &texts, text)),
        js: given(r.take_all("js", MAX_LIST, &texts, text)),
        dark_mode: flag(r, "dark_mode"),
        reduced_motion: flag(r, "reduced_motion"),
        media_type: r.take("media_type", "screen or print", |text| {
            ["screen", "print"].into_iter().find(|kind| *kind == text)
        }),
    }
}

fn visitor(r: &mut Reader, device: Option<&Device>) -> Visitor {
    let given = r.take("user_agent", "visible ASCII, at most 4096 bytes", values::field_value);
    let (user_agent, handset) = match (given, device.map(|device| device.browser)) {
        (None, Some(Preinstalled::Other(user_agent))) => (Some(user_agent.to_owned()), None),
        (None, Some(Preinstalled::Chrome(handset))) => (None, Some(handset)),
        (given, _) => (given, None),
    };
    let fields = "a header field `Name: value` that is neither the connection's nor the browser's own";
    let mut headers = r.take_all("headers", MAX_LIST, fields, values::field);
    let cookies = r.take_all("cookies", MAX_LIST, "`name=value` in ASCII", values::cookie);
    let authorization = r.take("authorization", "visible ASCII, such as `Basic ...`", values::field_value);
    if let Some(value) = authorization {
        if headers.iter().any(|(name, _)| name == "authorization") {
            r.fault("authorization", "", "not together with the same field in headers");
        }
        headers.push(("authorization".to_owned(), value));
    }
    let time_zone = r.take("time_zone", "an IANA time zone such as Europe/Berlin", values::time_zone);
    let locale = r.take("locale", "a language tag such as de-CH", values::locale);
    Visitor { user_agent, handset, headers, cookies, time_zone, locale, geolocation: geolocation(r) }
}

fn geolocation(r: &mut Reader) -> Option<Geolocation> {
    let latitude =
        r.take("geolocation_latitude", "degrees from -90 to 90", |text| values::number(text, -90.0, 90.0));
    let longitude = r.take("geolocation_longitude", "degrees from -180 to 180", |text| {
        values::number(text, -180.0, 180.0)
    });
    let accuracy = r
        .take("geolocation_accuracy", "metres from 0 to 100000", |text| values::number(text, 0.0, 100_000.0));
    let names = ["geolocation_latitude", "geolocation_longitude"];
    let given = names.map(|name| r.is_given(name));
    let any = given.contains(&true) || r.is_given("geolocation_accuracy");
    for (name, given) in names.into_iter().zip(given) {
        if any && !given {
            r.fault(name, "nothing", "a number: a place has a latitude and a longitude");
        }
    }
    Some(Geolocation { latitude: latitude?, longitude: longitude?, accuracy: accuracy.unwrap_or(1.0) })
}

fn filters(r: &mut Reader) -> Vec<Category> {
    // Each is read, so that each bad one is named.
    let wanted = Category::ALL.map(|category| (category, flag(r, category.parameter()) == Some(true)));
    wanted.into_iter().filter_map(|(category, wanted)| wanted.then_some(category)).collect()
}

fn freeze(r: &mut Reader, limits: &Limits) -> Option<u64> {
    let allowed = "true, false, or an instant such as 2025-01-01T12:00:00Z";
    match r.take("freeze_time", allowed, values::instant) {
        Some(asked) => asked,
        None => limits.freeze_time.then_some(values::EPOCH),
    }
}

fn egress(r: &mut Reader) -> Option<Egress> {
    let names = "the name of a proxy: letters, digits, - and _, at most 64";
    let proxy = r.take("proxy", names, values::proxy);
    let country = r.take("country", "a country of two letters, such as de", values::country);
    match (proxy, country) {
        (Some(_), Some(_)) => {
            let found = r.found("country");
            r.fault("country", &found, "not together with proxy");
            None
        }
        (Some(name), None) => Some(Egress::Name(name)),
        (None, country) => country.map(Egress::Country),
    }
}

fn ignore_https_errors(r: &mut Reader, limits: &Limits) -> bool {
    let asked = flag(r, "ignore_https_errors").unwrap_or(false);
    if asked && !limits.allow_ignore_https_errors {
        let allowed = "false; the operator has to set allow_ignore_https_errors for more";
        r.fault("ignore_https_errors", "true", allowed);
    }
    asked
}

fn rules(r: &mut Reader, limits: &Limits) -> Rules {
    let statuses = "codes, classes and ranges of statuses such as 404,5xx,600-999, or none";
    let none = r.found("fail_on_status") == "none";
    let read =
        if none { Vec::new() } else { r.take_all("fail_on_status", MAX_LIST, statuses, values::status) };
    let content = r.take_all("fail_on_content", MAX_LIST, "a text of 1 to 1024 bytes", values::content);
    Rules {
        statuses: if r.is_given("fail_on_status") { read } else { StatusRange::ERRORS.to_vec() },
        content,
        allow_blank: flag(r, "allow_blank").unwrap_or(limits.allow_blank),
        on_timeout: r
            .take("on_timeout", "picture or error", |text| match text {
                "picture" => Some(OnTimeout::Picture),
                "error" => Some(OnTimeout::Error),
                _ => None,
            })
            .unwrap_or(OnTimeout::Picture),
    }
}

/// What is said to a cache in front: of no account here, but to be told of what is wrong with it together with all else.
fn others(r: &mut Reader) {
    for name in ["ttl", "stale_ttl", "cache_ttl"] {
        r.take(name, "seconds, or a time such as 90s or 1h", values::lifetime);
    }
    for name in ["force", "cache", "no_cache"] {
        flag(r, name);
    }
}

fn flag(r: &mut Reader, name: &'static str) -> Option<bool> {
    r.take(name, "true or false", values::flag)
}

fn resources() -> String {
    format!("a list of {}", ResourceKind::ALL.map(ResourceKind::name).join(", "))
}

/// Blames every parameter that has a share in a picture that is too large.
fn bound_pixels(r: &mut Reader, view: &View, area: &Area, max: u64) {
    let fits = |width, height| pixels(width, view.scale) * pixels(height, view.scale) <= max;
    let allowed = format!("at most {max} device pixels: width x scale x height x scale");
    if !fits(view.width, view.height) {
        let shares = ["device", "width", "height", "scale"];
        let given: Vec<_> = shares.into_iter().filter(|name| r.is_given(name)).collect();
        for name in if given.is_empty() { vec!["width"] } else { given } {
            let found = r.found(name);
            r.fault(name, &found, &allowed);
        }
    }
    if let Area::Clip(clip) = area
        && !fits(clip.width, clip.height)
    {
        let found = r.found("clip");
        r.fault("clip", &found, &allowed);
    }
}
