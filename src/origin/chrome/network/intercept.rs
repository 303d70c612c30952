//! What happens to a page's requests before they leave the browser: kinds that are blocked and what filters are against,
//! header fields that only the target's own origin gets, a document that was given in place of one on the network. Pure.
//!
//! This is for what pages look like. What they may reach is decided by the exit alone.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use url::{Origin, Url};

use super::filter::{Cosmetics, Filter};
use crate::capture::request::{CaptureRequest, Page, ResourceKind};

/// Where a given document lives: a name that nobody can have (RFC 6761).
pub(crate) const HTML_URL: &str = "http://html.invalid/";

/// Frames whose URLs are remembered; requests of others are taken for the page's own.
const MAX_FRAMES: usize = 1024;
/// Navigation whose own rules are put in before they load; those of further ones come after.
const MAX_DOCUMENTS: usize = 64;
/// The world of the page scripts of filters, which pages cannot see.
pub(crate) const WORLD: &str = "tintype";
/// Filters on one document, see there.
pub(crate) const FILTER_SCRIPT: &str = include_str!("../page/filter.js");
/// What stands in for an image: nothing, of one pixel.
const NO_IMAGE: &str = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/// The rules of one capture.
#[derive(Debug, Default)]
pub(crate) struct Intercept {
    blocked: Vec<&'static str>,
    headers: Vec<(String, String)>,
    origin: Option<Origin>,
    html: Option<String>,
    filters: Vec<Arc<Filter>>,
    /// The page's own frame, whose document is never filtered.
    main: String,
    /// URLs of the documents of frames, which say whose request one is.
    frames: HashMap<String, String>,
    /// What every document runs before anything of its own, in [`WORLD`].
    scripts: Vec<String>,
}

impl Intercept {
    /// The rules for `spec`, whose page is in the frame `main`.
    pub(crate) fn new(spec: &CaptureRequest, filters: Vec<Arc<Filter>>, main: &str) -> Self {
        let mut blocked: Vec<_> = spec.block.iter().map(|kind| name(*kind)).collect();
        blocked.dedup();
        let (origin, html) = match &spec.page {
            Page::Url(url) => (Some(url.origin()), None),
            Page::Html(html) => (None, Some(html.clone())),
        };
        // A document of its own has no origin that could expect them.
        let headers = if origin.is_some() { spec.visitor.headers.clone() } else { Vec::new() };
        let generic: Vec<&str> = filters.iter().map(|filter| filter.generic()).collect();
        let begin = || {
            let parts = generic.join(",");
            format!(
                "globalThis.filterStep = ({FILTER_SCRIPT}); filterStep({{\"step\":\"begin\",\"parts\":[{parts}]}})"
            )
        };
        let scripts = if filters.is_empty() { Vec::new() } else { vec![begin()] };
        let (main, frames) = (main.to_owned(), HashMap::new());
        Intercept { blocked, headers, origin, html, filters, main, frames, scripts }
    }

    /// What every document runs before anything of its own, in [`WORLD`], as far as is known by now.
    pub(crate) fn scripts(&self) -> &[String] {
        &self.scripts
    }

    /// What the document that is asked for runs beside that, if there are rules for its URL.
    pub(crate) fn script_for(&mut self, paused: &Value) -> Option<&str> {
        if self.filters.is_empty()
            || paused["resourceType"] != "Document"
            || self.scripts.len() > MAX_DOCUMENTS
        {
            return None;
        }
        let url = paused["request"]["url"].as_str().unwrap_or_default();
        let parts: Vec<Cosmetics> =
            (self.filters.iter()).map(|filter| filter.at(url)).filter(|part| !part.is_empty()).collect();
        if parts.is_empty() {
            return None;
        }
        let (url, step) = (json!(url), json!({ "step": "document", "parts": parts }));
        let script = format!("location.href.split('#')[0] === {url} && filterStep({step})");
        if self.scripts.contains(&script) {
            return None;
        }
        self.scripts.push(script);
        self.scripts.last().map(String::as_str)
    }

    /// The requests that Chrome is to ask about (`Fetch.enable`); none if there is nothing to do.
    pub(crate) fn patterns(&self) -> Option<Value> {
        let mut patterns: Vec<Value> = if self.headers.is_empty() && self.filters.is_empty() {
            self.blocked.iter().map(|kind| json!({ "resourceType": kind })).collect()
        } else {
            // A redirect may lead anywhere, and the fields must not go with it. Filters are about any request.
            vec![json!({ "urlPattern": "*" })]
        };
        if self.html.is_some() {
            patterns.push(json!({ "urlPattern": HTML_URL, "resourceType": "Document" }));
        }
        (!patterns.is_empty()).then(|| json!({ "patterns": patterns }))
    }

    /// Whether requests that nobody is asked about would break the rules.
    pub(crate) fn has_rules(&self) -> bool {
        !self.headers.is_empty() || !self.blocked.is_empty() || !self.filters.is_empty()
    }

    /// The answer to one request that waits (`Fetch.requestPaused`): a method and its parameters.
    pub(crate) fn answer(&mut self, paused: &Value) -> (&'static str, Value) {
        let id = &paused["requestId"];
        let url = paused["request"]["url"].as_str().unwrap_or_default();
        let kind = paused["resourceType"].as_str().unwrap_or_default();
        if kind == "Document"
            && url == HTML_URL
            && let Some(html) = self.html.take()
        {
            let fields = json!([{ "name": "content-type", "value": "text/html; charset=utf-8" }]);
            let body = BASE64_STANDARD.encode(html);
            let answer =
                json!({ "requestId": id, "responseCode": 200, "responseHeaders": fields, "body": body });
            return ("Fetch.fulfillRequest", answer);
        }
        if self.blocked.contains(&kind) {
            return ("Fetch.failRequest", json!({ "requestId": id, "errorReason": "BlockedByClient" }));
        }
        if self.is_filtered(paused, url, kind) {
            return nothing(id, kind);
        }
        let mut answer = json!({ "requestId": id });
        if let Some(headers) = self.fields(url, paused) {
            answer["headers"] = headers;
        }
        ("Fetch.continueRequest", answer)
    }

    /// Whether a filter is against the request.
    fn is_filtered(&mut self, paused: &Value, url: &str, kind: &str) -> bool {
        if self.filters.is_empty() {
            return false;
        }
        let frame = paused["frameId"].as_str().unwrap_or_default();
        let is_page = kind == "Document" && frame == self.main;
        let known = match kind {
            // A frame's document is asked for by the page that it is in.
            "Document" => None,
            _ => self.frames.get(frame),
        };
        let source = known.or(self.frames.get(&self.main)).map_or("", String::as_str);
        let method = paused["request"]["method"].as_str().unwrap_or("GET");
        if !is_page && self.filters.iter().any(|filter| filter.blocks(url, source, kind, method)) {
            return true;
        }
        if kind == "Document" && (self.frames.len() < MAX_FRAMES || self.frames.contains_key(frame)) {
            self.frames.insert(frame.to_owned(), url.to_owned());
        }
        false
    }

    /// The request's fields if they have to be others than they are.
    fn fields(&self, url: &str, paused: &Value) -> Option<Value> {
        if self.headers.is_empty() {
            return None;
        }
        let own = Url::parse(url).is_ok_and(|url| Some(url.origin()) == self.origin);
        let redirected = paused.get("redirectedRequestId").is_some();
        if !own && !redirected {
            return None;
        }
        let ours = |name: &str| self.headers.iter().any(|(ours, _)| ours.eq_ignore_ascii_case(name));
        let present = paused["request"]["headers"].as_object();
        let kept = present.into_iter().flatten().filter(|(name, _)| !ours(name));
        let mut fields: Vec<Value> =
            kept.map(|(name, value)| json!({ "name": name, "value": value })).collect();
        if own {
            fields.extend(self.headers.iter().map(|(name, value)| json!({ "name": name, "value": value })));
        }
        Some(fields.into())
    }
}

/// The answer to a filtered request. Where an error would show on the page, there is an empty frame or image in its place.
fn nothing(id: &Value, kind: &str) -> (&'static str, Value) {
    let (media_type, body) = match kind {
        "Document" => ("text/html", ""),
        "Image" => ("image/gif", NO_IMAGE),
        _ => return ("Fetch.failRequest", json!({ "requestId": id, "errorReason": "BlockedByClient" })),
    };
    let fields = json!([{ "name": "content-type", "value": media_type }]);
    let answer = json!({ "requestId": id, "responseCode": 200, "responseHeaders": fields, "body": body });
    ("Fetch.fulfillRequest", answer)
}

/// DevTools' name of a kind.
fn name(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Image => "Image",
        ResourceKind::Font => "Font",
        ResourceKind::Stylesheet => "Stylesheet",
        ResourceKind::Script => "Script",
        ResourceKind::Media => "Media",
        // Chrome calls both so here.
        ResourceKind::Xhr | ResourceKind::Fetch => "XHR",
        ResourceKind::EventSource => "EventSource",
        ResourceKind::Ping => "Ping",
        ResourceKind::Other => "Other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(query: &str) -> Intercept {
        let spec = CaptureRequest::parse(query, None, &crate::capture::limits::Limits::default()).unwrap();
        Intercept::new(&spec, Vec::new(), "MAIN")
    }

    fn paused(kind: &str, url: &str, redirected: bool) -> Value {
        let headers = json!({ "Accept": "*/*", "X-KEY": "from the page" });
        let mut paused =
            json!({ "requestId": "1", "resourceType": kind, "request": { "url": url, "headers": headers } });
        if redirected {
            paused["redirectedRequestId"] = "0".into();
        }
        paused
    }

    #[test]
    fn a_plain_capture_asks_about_nothing() {
        assert_eq!(rules("url=http://a.example&user_agent=x&cookies=a=b").patterns(), None);
        let kinds = json!({ "patterns": [{ "resourceType": "Image" }, { "resourceType": "XHR" }] });
        assert_eq!(rules("url=http://a.example&block_resources=image,xhr").patterns(), Some(kinds));
    }

    #[test]
    fn fields_go_to_the_own_origin_alone() {
        let mut rules = rules("url=http://a.example/x&headers=x-key:+v&block_resources=image");
        assert_eq!(rules.patterns(), Some(json!({ "patterns": [{ "urlPattern": "*" }] })));
        let ours = json!([{ "name": "Accept", "value": "*/*" }, { "name": "x-key", "value": "v" }]);
        let none = json!([{ "name": "Accept", "value": "*/*" }]);
        for (kind, url, redirected, expected) in [
            ("Document", "http://a.example/x", false, Some(&ours)),
            ("Script", "http://a.example/y", false, Some(&ours)),
            ("Document", "http://a.example/y", true, Some(&ours)),
            ("Document", "http://a.example:81/x", true, Some(&none)),
            ("Document", "https://a.example/x", true, Some(&none)),
            ("Script", "http://b.example/x", true, Some(&none)),
            // What a page itself sends elsewhere is its own affair.
            ("Script", "http://b.example/x", false, None),
        ] {
            let (method, answer) = rules.answer(&paused(kind, url, redirected));
            assert_eq!((method, answer.get("headers")), ("Fetch.continueRequest", expected), "{url}");
        }
        let (method, _) = rules.answer(&paused("Image", "http://a.example/i", false));
        assert_eq!(method, "Fetch.failRequest");
    }

    #[tokio::test]
    async fn filters_know_whose_request_one_is() {
        use crate::origin::chrome::network::filter::{FilterList, FilterLists, Filters};
        let text = "||ads.example^\n||own.example^$third-party\n||only.example^$domain=frame.example\n";
        let list = FilterList { path: "l".into(), text: text.into() };
        let filters = Filters::new(FilterLists { ads: vec![list], ..FilterLists::default() });
        let spec = "url=http://ads.example/&block_ads=true";
        let spec = CaptureRequest::parse(spec, None, &crate::capture::limits::Limits::default()).unwrap();
        let mut rules = Intercept::new(&spec, filters.of(&spec.filters).await.unwrap(), "MAIN");
        assert_eq!(rules.patterns(), Some(json!({ "patterns": [{ "urlPattern": "*" }] })));
        for (frame, kind, url, expected) in [
            // The page itself is what was asked for.
            ("MAIN", "Document", "http://ads.example/", "Fetch.continueRequest"),
            ("MAIN", "Document", "http://own.example/", "Fetch.continueRequest"),
            ("MAIN", "Script", "http://ads.example/x", "Fetch.failRequest"),
            ("MAIN", "Script", "http://own.example/x", "Fetch.continueRequest"),
            ("MAIN", "Script", "http://only.example/x", "Fetch.continueRequest"),
            ("MAIN", "Image", "http://ads.example/x", "Fetch.fulfillRequest"),
            ("F1", "Document", "http://ads.example/x", "Fetch.fulfillRequest"),
            ("F2", "Document", "http://frame.example/x", "Fetch.continueRequest"),
            ("F2", "Script", "http://own.example/x", "Fetch.failRequest"),
            ("F2", "Script", "http://only.example/x", "Fetch.failRequest"),
            ("", "Script", "http://own.example/x", "Fetch.continueRequest"),
            ("", "Other", "http://ads.example/x", "Fetch.failRequest"),
        ] {
            let paused = json!({
                "requestId": "1", "resourceType": kind, "frameId": frame, "request": { "url": url, "method": "GET" },
            });
            assert_eq!(rules.answer(&paused).0, expected, "{frame} {kind} {url}");
        }
    }

    #[tokio::test]
    async fn documents_that_rules_are_about_have_a_script_each() {
        use crate::origin::chrome::network::filter::{FilterList, FilterLists, Filters};
        let list = FilterList { path: "l".into(), text: "a.example##.x\n".into() };
        let filters = Filters::new(FilterLists { ads: vec![list], ..FilterLists::default() });
        let spec = "url=http://a.example/&block_ads=true";
        let spec = CaptureRequest::parse(spec, None, &crate::capture::limits::Limits::default()).unwrap();
        let mut rules = Intercept::new(&spec, filters.of(&spec.filters).await.unwrap(), "MAIN");
        assert!(
            rules.scripts()[0].contains("\"step\":\"begin\"") && rules.scripts()[0].contains(".adsbygoogle")
        );
        for (kind, url, expected) in [
            ("Document", "http://a.example/", true),
            // Once is enough.
            ("Document", "http://a.example/", false),
            ("Document", "http://sub.a.example/'\"</script>", true),
            ("Document", "http://b.example/", false),
            ("Script", "http://a.example/x", false),
        ] {
            let script = rules.script_for(&paused(kind, url, false)).map(str::to_owned);
            assert_eq!(script.is_some(), expected, "{kind} {url}");
            assert!(script.is_none_or(|script| script.contains(&json!(url).to_string())), "{url}");
        }
        assert_eq!(rules.scripts().len(), 3);
        for n in 0..2 * MAX_DOCUMENTS {
            rules.script_for(&paused("Document", &format!("http://a.example/{n}"), false));
        }
        assert_eq!(rules.scripts().len(), 1 + MAX_DOCUMENTS);
        let plain = Intercept::new(&spec, Vec::new(), "MAIN");
        assert!(plain.scripts().is_empty());
    }

    #[test]
    fn a_given_document_is_served_once() {
        let mut rules = rules("html=hi&headers=x-key:+v");
        let first = rules.answer(&paused("Document", HTML_URL, false));
        assert_eq!((first.0, &first.1["body"]), ("Fetch.fulfillRequest", &json!("aGk=")));
        let (method, answer) = rules.answer(&paused("Document", HTML_URL, false));
        assert_eq!((method, answer.get("headers")), ("Fetch.continueRequest", None));
    }
}
