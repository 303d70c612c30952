//! What happens to a page's requests before they leave the browser: kinds that are blocked and what filters are against,
//! header fields that only the target's own origin gets, a document that was given in place of one on the network. Pure.
//!
//! This is for what pages look like. What they may reach is decided by the exit alone.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use url::{Origin, Url};

use super::filter::{Cosmetics, Filter};
use crate::capture::request::{CaptureRequest, Page, ResourceKind, UrlPattern};
use crate::origin::chrome::page::filter_script::{self, FilterStep};
use crate::origin::chrome::page::script::literal;
use crate::origin::chrome::protocol::client::Devtools;
use crate::origin::chrome::protocol::commands::{
    ContinueRequest, EnableFetch, FailRequest, FulfillRequest, HeaderEntry, RequestPattern,
};
use crate::origin::chrome::protocol::events::RequestPaused;

/// Where a given document lives: a name that nobody can have (RFC 6761).
pub(crate) const HTML_URL: &str = "http://html.invalid/";

/// Frames whose URLs are remembered; requests of others are taken for the page's own.
const MAX_FRAMES: usize = 1024;
/// Navigation whose own rules are put in before they load; those of further ones come after.
const MAX_DOCUMENTS: usize = 64;
/// What stands in for an image: nothing, of one pixel.
const NO_IMAGE: &str = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/// Shared and service workers ask for things on their own, past every session of the page; a page whose requests are looked
/// at has none of them, as in browsers without.
pub(crate) const NO_LONE_WORKERS: &str =
    "delete self.SharedWorker; delete Navigator.prototype.serviceWorker;";

/// The rules of one capture.
#[derive(Debug, Default)]
pub(crate) struct Intercept {
    blocked: Vec<&'static str>,
    requests: Vec<UrlPattern>,
    headers: Vec<(String, String)>,
    origin: Option<Origin>,
    html: Option<String>,
    filters: Vec<Arc<Filter>>,
    /// The page's own frame, whose document is never filtered.
    main: String,
    /// URLs of the documents of frames, which say whose request one is.
    frames: HashMap<String, String>,
    /// What every document runs before anything of its own, in [`WORLD`](crate::origin::chrome::protocol::commands::WORLD).
    scripts: Vec<String>,
}

impl Intercept {
    /// The rules for `spec`, whose page is in the frame `main`.
    pub(crate) fn new(spec: &CaptureRequest, filters: Vec<Arc<Filter>>, main: &str) -> Self {
        let mut blocked: Vec<_> = spec.block.resources.iter().map(|kind| name(*kind)).collect();
        blocked.dedup();
        let (origin, html) = match &spec.page {
            Page::Url(url) => (Some(url.origin()), None),
            Page::Html(html) => (None, Some(html.clone())),
        };
        // A document of its own has no origin that could expect them.
        let headers = if origin.is_some() { spec.visitor.headers.clone() } else { Vec::new() };
        let generic: Vec<&str> = filters.iter().map(|filter| filter.generic()).collect();
        let scripts = if filters.is_empty() { Vec::new() } else { vec![filter_script::begin(&generic)] };
        let (main, frames, requests) = (main.to_owned(), HashMap::new(), spec.block.requests.clone());
        Intercept { blocked, requests, headers, origin, html, filters, main, frames, scripts }
    }

    /// What every document runs before anything of its own, in [`WORLD`](crate::origin::chrome::protocol::commands::WORLD), as far as is known by now.
    pub(crate) fn scripts(&self) -> &[String] {
        &self.scripts
    }

    /// What the document that is asked for runs beside that, if there are rules for its URL.
    pub(crate) fn script_for(&mut self, paused: &RequestPaused) -> Option<&str> {
        if self.filters.is_empty() || paused.resource_type != "Document" || self.scripts.len() > MAX_DOCUMENTS
        {
            return None;
        }
        let url = &paused.request.url;
        let parts: Vec<Cosmetics> =
            (self.filters.iter()).map(|filter| filter.at(url)).filter(|part| !part.is_empty()).collect();
        if parts.is_empty() {
            return None;
        }
        let step = FilterStep::Document { parts: &parts }.continued();
        let script = format!("location.href.split('#')[0] === {} && {step}", literal(url));
        if self.scripts.contains(&script) {
            return None;
        }
        self.scripts.push(script);
        self.scripts.last().map(String::as_str)
    }

    /// The requests that Chrome is to ask about (`Fetch.enable`); none if there is nothing to do.
    pub(crate) fn patterns(&self) -> Option<EnableFetch> {
        let mut patterns: Vec<RequestPattern> =
            if self.headers.is_empty() && self.filters.is_empty() && self.requests.is_empty() {
                let of =
                    |kind: &&'static str| RequestPattern { url_pattern: None, resource_type: Some(kind) };
                self.blocked.iter().map(of).collect()
            } else {
                // A redirect may lead anywhere, and the fields must not go with it. Filters and patterns are about any request.
                vec![RequestPattern { url_pattern: Some("*"), resource_type: None }]
            };
        if self.html.is_some() {
            patterns.push(RequestPattern { url_pattern: Some(HTML_URL), resource_type: Some("Document") });
        }
        (!patterns.is_empty()).then_some(EnableFetch { patterns })
    }

    /// Whether requests that nobody is asked about would break the rules.
    pub(crate) fn has_rules(&self) -> bool {
        !self.headers.is_empty()
            || !self.blocked.is_empty()
            || !self.requests.is_empty()
            || !self.filters.is_empty()
    }

    /// The answer to one request that waits.
    pub(crate) fn answer(&mut self, paused: &RequestPaused) -> Answer {
        let (id, kind) = (&paused.request_id, paused.resource_type.as_str());
        if kind == "Document"
            && paused.request.url == HTML_URL
            && let Some(html) = self.html.take()
        {
            return Answer::fulfill(id, "text/html; charset=utf-8", BASE64_STANDARD.encode(html));
        }
        if self.blocked.contains(&kind) {
            return Answer::fail(id);
        }
        if self.is_filtered(paused) {
            return nothing(id, kind);
        }
        Answer::Continue(ContinueRequest { request_id: id.clone(), headers: self.fields(paused) })
    }

    /// Whether a pattern or a filter is against the request.
    fn is_filtered(&mut self, paused: &RequestPaused) -> bool {
        let (frame, kind) = (paused.frame_id.as_str(), paused.resource_type.as_str());
        let (url, method) = (&paused.request.url, &paused.request.method);
        let is_page = kind == "Document" && frame == self.main;
        if !is_page && self.requests.iter().any(|pattern| pattern.matches(url)) {
            return true;
        }
        if self.filters.is_empty() {
            return false;
        }
        let known = match kind {
            // A frame's document is asked for by the page that it is in.
            "Document" => None,
            _ => self.frames.get(frame),
        };
        let source = known.or(self.frames.get(&self.main)).map_or("", String::as_str);
        if !is_page && self.filters.iter().any(|filter| filter.blocks(url, source, kind, method)) {
            return true;
        }
        if kind == "Document" && (self.frames.len() < MAX_FRAMES || self.frames.contains_key(frame)) {
            self.frames.insert(frame.to_owned(), url.to_owned());
        }
        false
    }

    /// The request's fields if they have to be others than they are.
    fn fields(&self, paused: &RequestPaused) -> Option<Vec<HeaderEntry>> {
        if self.headers.is_empty() {
            return None;
        }
        let own = Url::parse(&paused.request.url).is_ok_and(|url| Some(url.origin()) == self.origin);
        let redirected = paused.redirected_request_id.is_some();
        if !own && !redirected {
            return None;
        }
        let ours = |name: &str| self.headers.iter().any(|(ours, _)| ours.eq_ignore_ascii_case(name));
        let entry =
            |(name, value): (&String, &String)| HeaderEntry { name: name.clone(), value: value.clone() };
        let mut fields: Vec<HeaderEntry> =
            paused.request.headers.iter().filter(|(name, _)| !ours(name)).map(entry).collect();
        if own {
            fields.extend(self.headers.iter().map(|(name, value)| entry((name, value))));
        }
        Some(fields)
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Continue(ContinueRequest),
    Fail(FailRequest),
    Fulfill(FulfillRequest),
}

impl Answer {
    fn fail(id: &str) -> Self {
        Answer::Fail(FailRequest { request_id: id.to_owned(), error_reason: "BlockedByClient" })
    }

    fn fulfill(id: &str, media_type: &str, body: String) -> Self {
        let content_type = HeaderEntry { name: "content-type".to_owned(), value: media_type.to_owned() };
        Answer::Fulfill(FulfillRequest {
            request_id: id.to_owned(),
            response_code: 200,
            response_headers: vec![content_type],
            body,
        })
    }

    /// Tells it to the browser.
    pub(crate) async fn send(self, devtools: &Devtools, session: &str) {
        match self {
            Answer::Continue(command) => devtools.notify(session, command).await,
            Answer::Fail(command) => devtools.notify(session, command).await,
            Answer::Fulfill(command) => devtools.notify(session, command).await,
        }
    }
}

/// The answer to a filtered request. Where an error would show on the page, there is an empty frame or image in its place.
fn nothing(id: &str, kind: &str) -> Answer {
    match kind {
        "Document" => Answer::fulfill(id, "text/html", String::new()),
        "Image" => Answer::fulfill(id, "image/gif", NO_IMAGE.to_owned()),
        _ => Answer::fail(id),
    }
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
    use crate::origin::chrome::protocol::commands::Command;
    use serde_json::{Value, json};

    fn sent<C: Command>(command: C) -> (&'static str, Value) {
        (C::METHOD, serde_json::to_value(command).unwrap())
    }

    /// The method and parameters of the answer to a request.
    fn answer(rules: &mut Intercept, paused: Value) -> (&'static str, Value) {
        match rules.answer(&serde_json::from_value(paused).unwrap()) {
            Answer::Continue(command) => sent(command),
            Answer::Fail(command) => sent(command),
            Answer::Fulfill(command) => sent(command),
        }
    }

    fn patterns(rules: &Intercept) -> Option<Value> {
        rules.patterns().map(|patterns| sent(patterns).1)
    }

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
        assert_eq!(patterns(&rules("url=http://a.example&user_agent=x&cookies=a=b")), None);
        let kinds = json!({ "patterns": [{ "resourceType": "Image" }, { "resourceType": "XHR" }] });
        assert_eq!(patterns(&rules("url=http://a.example&block_resources=image,xhr")), Some(kinds));
    }

    #[test]
    fn fields_go_to_the_own_origin_alone() {
        let mut rules = rules("url=http://a.example/x&headers=x-key:+v&block_resources=image");
        assert_eq!(patterns(&rules), Some(json!({ "patterns": [{ "urlPattern": "*" }] })));
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
            let (method, answer) = answer(&mut rules, paused(kind, url, redirected));
            assert_eq!((method, answer.get("headers")), ("Fetch.continueRequest", expected), "{url}");
        }
        let (method, _) = answer(&mut rules, paused("Image", "http://a.example/i", false));
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
        let mut rules = Intercept::new(&spec, filters.of(&spec.block.lists).await.unwrap(), "MAIN");
        assert_eq!(patterns(&rules), Some(json!({ "patterns": [{ "urlPattern": "*" }] })));
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
            assert_eq!(answer(&mut rules, paused).0, expected, "{frame} {kind} {url}");
        }
    }

    #[tokio::test]
    async fn documents_that_rules_are_about_have_a_script_each() {
        use crate::origin::chrome::network::filter::{FilterList, FilterLists, Filters};
        let list = FilterList { path: "l".into(), text: "a.example##.x\n".into() };
        let filters = Filters::new(FilterLists { ads: vec![list], ..FilterLists::default() });
        let spec = "url=http://a.example/&block_ads=true";
        let spec = CaptureRequest::parse(spec, None, &crate::capture::limits::Limits::default()).unwrap();
        let mut rules = Intercept::new(&spec, filters.of(&spec.block.lists).await.unwrap(), "MAIN");
        let from = |paused| serde_json::from_value(paused).unwrap();
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
            let script = rules.script_for(&from(paused(kind, url, false))).map(str::to_owned);
            assert_eq!(script.is_some(), expected, "{kind} {url}");
            assert!(script.is_none_or(|script| script.contains(&json!(url).to_string())), "{url}");
        }
        assert_eq!(rules.scripts().len(), 3);
        for n in 0..2 * MAX_DOCUMENTS {
            rules.script_for(&from(paused("Document", &format!("http://a.example/{n}"), false)));
        }
        assert_eq!(rules.scripts().len(), 1 + MAX_DOCUMENTS);
        let plain = Intercept::new(&spec, Vec::new(), "MAIN");
        assert!(plain.scripts().is_empty());
    }

    #[test]
    fn a_given_document_is_served_once() {
        let mut rules = rules("html=hi&headers=x-key:+v");
        let first = answer(&mut rules, paused("Document", HTML_URL, false));
        assert_eq!((first.0, &first.1["body"]), ("Fetch.fulfillRequest", &json!("aGk=")));
        let (method, answer) = answer(&mut rules, paused("Document", HTML_URL, false));
        assert_eq!((method, answer.get("headers")), ("Fetch.continueRequest", None));
    }
}
