//! The requests of a page that are under way, as the Network domain of DevTools reports them. They say what a page
//! that is loaded still waits for.
//!
//! Some requests never end by design and do not count: event streams, WebSockets, beacons, media, prefetches, polls, and
//! whatever has no answer after [`UNANSWERED`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::clock::Stopwatch;
use crate::origin::chrome::protocol::events::{
    Event, EventKind, Lifecycle, ReceivedResponse, RequestWillBeSent,
};

/// A request without an end this long after it was sent is taken for a long poll or a stream. Ordinary interfaces answer
/// within it. Chrome announces a request when it is made, and may hold it back while others use all connections to its host.
pub(crate) const UNANSWERED: Duration = Duration::from_secs(2);
/// A request that repeats one which was answered at least this long ago was made by a timer, not by what the first one brought.
const POLL_GAP: Duration = Duration::from_millis(100);
/// Such repetitions after which a request counts as a poll.
const POLL_REPEATS: u32 = 2;
/// Repetitions after which a request counts as a poll in any case: those of a short interval follow the answers closely.
const MAX_REPEATS: u32 = 20;
/// Requests that are remembered; those of pages with more are not waited for.
const MAX_REQUESTS: usize = 4096;

/// What a page waits for, by the kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Document,
    Stylesheet,
    Script,
    Font,
    Image,
    Fetch,
    Other,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Document => "document",
            Kind::Stylesheet => "stylesheet",
            Kind::Script => "script",
            Kind::Font => "font",
            Kind::Image => "image",
            Kind::Fetch => "fetch",
            Kind::Other => "request",
        }
    }

    /// The kind of a `Network.ResourceType`; none for those that are not waited for.
    fn of(resource_type: &str) -> Option<Self> {
        match resource_type {
            "Document" => Some(Kind::Document),
            "Stylesheet" => Some(Kind::Stylesheet),
            "Script" => Some(Kind::Script),
            "Font" => Some(Kind::Font),
            "Image" => Some(Kind::Image),
            "Fetch" | "XHR" => Some(Kind::Fetch),
            "Other" => Some(Kind::Other),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Request {
    kind: Kind,
    target: String,
    frame: String,
    loader: String,
    begun: Duration,
    sent: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Target {
    answered: Duration,
    repeats: u32,
    total: u32,
}

/// The state at one moment. Times are those since the page was opened.
#[derive(Debug, Default)]
struct Pending {
    requests: HashMap<String, Request>,
    /// Earlier requests by method and URL without its query.
    targets: HashMap<String, Target>,
    begun: u64,
    /// When a request was last sent or ended. Those that Chrome holds back move up with it.
    progress: Duration,
}

impl Pending {
    /// Applies one event. Whether it changed what is pending.
    fn apply(&mut self, event: &EventKind, now: Duration) -> bool {
        match event {
            // A redirect is announced under the id of the request that it continues.
            EventKind::RequestWillBeSent(event) => self.begin(event, now),
            EventKind::RequestWillBeSentExtraInfo(event) => self.send(&event.request_id, now),
            EventKind::ResponseReceived(event) if is_stream(&event.response) => {
                self.requests.remove(&event.request_id).is_some()
            }
            // Scripts go on from here, before the end of the response is reported.
            EventKind::ResponseReceived(event) => {
                self.answered(&event.request_id, now);
                false
            }
            EventKind::LoadingFinished(event) => self.end(&event.request_id, now),
            EventKind::LoadingFailed(event) => self.end(&event.request_id, now),
            // Chrome does not report the end of requests whose document or frame went away.
            EventKind::LifecycleEvent(event) if event.name == Lifecycle::Init => {
                self.forget(|request| request.frame == event.frame_id && request.loader != event.loader_id)
            }
            EventKind::FrameDetached(event) => self.forget(|request| request.frame == event.frame_id),
            _ => false,
        }
    }

    fn begin(&mut self, event: &RequestWillBeSent, now: Duration) -> bool {
        let (id, url) = (&event.request_id, &event.request.url);
        let kind = Kind::of(event.r#type.as_deref().unwrap_or("Other"));
        let is_local = ["data:", "blob:"].iter().any(|scheme| url.starts_with(scheme));
        let full = self.requests.len() >= MAX_REQUESTS && !self.requests.contains_key(id);
        let Some(kind) = kind.filter(|_| !is_local && !full) else { return false };
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let target = format!("{} {path}", event.request.method);
        if kind == Kind::Fetch
            && let Some(earlier) = self.targets.get_mut(&target)
        {
            earlier.total += 1;
            earlier.repeats += u32::from(now.saturating_sub(earlier.answered) >= POLL_GAP);
            if earlier.repeats > POLL_REPEATS || earlier.total > MAX_REPEATS {
                return false;
            }
        }
        self.begun += 1;
        let (frame, loader) = (event.frame_id.clone(), event.loader_id.clone());
        self.requests.insert(id.clone(), Request { kind, target, frame, loader, begun: now, sent: None });
        true
    }

    /// The network stack reports the fields that it sends. It reports none of a request that is answered without it, and
    /// may do so before the request itself is announced.
    fn send(&mut self, id: &str, now: Duration) -> bool {
        let Some(request) = self.requests.get_mut(id) else { return false };
        request.sent = Some(now);
        self.progress = now;
        true
    }

    fn forget(&mut self, is_gone: impl Fn(&Request) -> bool) -> bool {
        let before = self.requests.len();
        self.requests.retain(|_, request| !is_gone(request));
        self.requests.len() != before
    }

    fn end(&mut self, id: &str, now: Duration) -> bool {
        self.answered(id, now);
        let counted = self.requests.remove(id).is_some();
        if counted {
            self.progress = now;
        }
        counted
    }

    fn answered(&mut self, id: &str, now: Duration) {
        let Some(Request { kind: Kind::Fetch, target, .. }) = self.requests.get(id) else { return };
        let room = self.targets.len() < MAX_REQUESTS;
        if let Some(earlier) = self.targets.get_mut(target) {
            earlier.answered = now;
        } else if room {
            self.targets.insert(target.clone(), Target { answered: now, repeats: 0, total: 0 });
        }
    }

    /// The kind of the request that counts longest at `now`, and the time for which it still does.
    fn awaited(&self, now: Duration) -> Option<(Kind, Duration)> {
        let expires =
            |request: &Request| request.sent.unwrap_or(request.begun.max(self.progress)) + UNANSWERED;
        let counted = self.requests.values().map(|request| (request.kind, expires(request)));
        let (kind, expires) =
            counted.filter(|(_, expires)| now < *expires).max_by_key(|(_, expires)| *expires)?;
        Some((kind, expires - now))
    }
}

/// Whether the response is one that goes on for as long as the page lives.
fn is_stream(response: &ReceivedResponse) -> bool {
    matches!(response.mime_type.as_str(), "text/event-stream" | "multipart/x-mixed-replace")
}

/// The pending requests of one page, told by the connection to the browser and asked by the capture.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    since: Stopwatch,
    pending: Arc<Mutex<Pending>>,
    changed: Arc<watch::Sender<()>>,
}

impl Requests {
    pub(crate) fn new() -> Self {
        let (changed, _) = watch::channel(());
        Requests { since: Stopwatch::start(), pending: Arc::default(), changed: Arc::new(changed) }
    }

    /// Takes an event of the Network domain. Costs no place in the queue of the page's events, which a page with many
    /// requests would fill.
    pub(crate) fn observe(&self, event: &Event) {
        if self.pending.lock().apply(&event.kind, self.since.elapsed()) {
            self.changed.send_replace(());
        }
    }

    /// How many requests that are waited for began.
    pub(crate) fn begun(&self) -> u64 {
        self.pending.lock().begun
    }

    /// How many have not ended, those that are not waited for any more included.
    pub(crate) fn unfinished(&self) -> usize {
        self.pending.lock().requests.len()
    }

    /// The kind of a request that the page waits for.
    pub(crate) fn awaited(&self) -> Option<Kind> {
        self.pending.lock().awaited(self.since.elapsed()).map(|(kind, _)| kind)
    }

    /// Whether the request of this id has not ended. The id of a document's request is that of its loader.
    pub(crate) fn is_pending(&self, id: &str) -> bool {
        self.pending.lock().requests.contains_key(id)
    }

    /// Waits until the page waits for no request.
    pub(crate) async fn none_awaited(&self) {
        let mut changes = self.changed.subscribe();
        loop {
            let awaited = self.pending.lock().awaited(self.since.elapsed());
            let Some((_, expires)) = awaited else { return };
            // The sender is part of this value: it does not go away.
            let _ = tokio::time::timeout(expires, changes.changed()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const MS: Duration = Duration::from_millis(1);

    fn read(name: &str, params: Value) -> EventKind {
        EventKind::read(name, params).unwrap()
    }

    fn apply(pending: &mut Pending, now: u32, method: &str, id: &str, kind: &str, url: &str) {
        let params = json!({
            "requestId": id, "type": kind, "request": { "url": url, "method": "GET" },
            "response": { "mimeType": kind },
        });
        pending.apply(&read(&format!("Network.{method}"), params), MS * now);
    }

    #[test]
    fn requests_count_by_their_kind_until_they_end() {
        for (kind, url, expected) in [
            ("Script", "http://a/x.js", Some(Kind::Script)),
            ("XHR", "http://a/x", Some(Kind::Fetch)),
            ("Fetch", "http://a/x", Some(Kind::Fetch)),
            ("Image", "data:image/gif;base64,x", None),
            ("Image", "blob:http://a/1", None),
            ("EventSource", "http://a/x", None),
            ("WebSocket", "ws://a/x", None),
            ("Ping", "http://a/x", None),
            ("Media", "http://a/x.mp4", None),
            ("Prefetch", "http://a/x", None),
            ("Preflight", "http://a/x", None),
        ] {
            let mut pending = Pending::default();
            apply(&mut pending, 0, "requestWillBeSent", "1", kind, url);
            assert_eq!(pending.awaited(MS).map(|(kind, _)| kind), expected, "{kind} {url}");
            apply(&mut pending, 1, "loadingFailed", "1", kind, url);
            assert!(pending.awaited(MS).is_none() && pending.requests.is_empty(), "{kind} {url}");
        }
    }

    #[test]
    fn a_request_without_an_end_counts_for_a_while() {
        let mut pending = Pending::default();
        apply(&mut pending, 100, "requestWillBeSent", "1", "Fetch", "http://a/x");
        assert_eq!(pending.awaited(MS * 1100), Some((Kind::Fetch, MS * 1000)));
        assert_eq!(pending.awaited(MS * 2100), None);
        assert_eq!(pending.requests.len(), 1);
    }

    #[test]
    fn a_request_that_chrome_holds_back_counts_while_others_end() {
        let mut pending = Pending::default();
        for id in 0..9 {
            apply(
                &mut pending,
                0,
                "requestWillBeSent",
                &id.to_string(),
                "Script",
                &format!("http://a/{id}.js"),
            );
        }
        for id in 0..8 {
            apply(&mut pending, 1000 * id, "requestWillBeSentExtraInfo", &id.to_string(), "", "");
            apply(&mut pending, 1000 * id + 900, "loadingFinished", &id.to_string(), "", "");
        }
        assert_eq!(pending.awaited(MS * 8000), Some((Kind::Script, MS * 1900)));
        apply(&mut pending, 8000, "requestWillBeSentExtraInfo", "8", "", "");
        assert_eq!(pending.awaited(MS * 8000), Some((Kind::Script, MS * 2000)));
        // Once it was sent, the end of others does not lengthen its time.
        apply(&mut pending, 9000, "requestWillBeSent", "9", "Script", "http://a/9.js");
        apply(&mut pending, 9500, "loadingFinished", "9", "", "");
        assert_eq!(pending.awaited(MS * 9500), Some((Kind::Script, MS * 500)));
    }

    #[test]
    fn a_stream_counts_until_it_is_known_to_be_one() {
        let mut pending = Pending::default();
        apply(&mut pending, 0, "requestWillBeSent", "1", "Fetch", "http://a/x");
        apply(&mut pending, 1, "responseReceived", "1", "text/html", "");
        assert!(pending.awaited(MS).is_some());
        apply(&mut pending, 2, "responseReceived", "1", "text/event-stream", "");
        assert!(pending.awaited(MS * 2).is_none());
    }

    #[test]
    fn polls_do_not_count_and_chains_do() {
        // The gap between the end of one request and the beginning of the next.
        for (gap, expected) in [(5, 6), (99, 6), (100, 3), (1000, 3)] {
            let (mut pending, mut now) = (Pending::default(), 0);
            for n in 0..6 {
                let (id, url) = (n.to_string(), format!("http://a/items?page={n}"));
                apply(&mut pending, now, "requestWillBeSent", &id, "Fetch", &url);
                apply(&mut pending, now + 50, "loadingFinished", &id, "", "");
                now += 50 + gap;
            }
            assert_eq!(pending.begun, expected, "{gap} ms");
        }
        // The next request begins with the response, before the end of its body is reported.
        let mut pending = Pending::default();
        for n in 0..6 {
            let id = n.to_string();
            apply(&mut pending, n * 150, "requestWillBeSent", &id, "Fetch", "http://a/items");
            apply(&mut pending, n * 150 + 149, "responseReceived", &id, "text/html", "");
            if n > 0 {
                apply(&mut pending, n * 150 + 149, "loadingFinished", &(n - 1).to_string(), "", "");
            }
        }
        assert_eq!(pending.begun, 6);
        // At once, as a page asks for several parts of one interface.
        let mut pending = Pending::default();
        for n in 0..6 {
            apply(&mut pending, 0, "requestWillBeSent", &n.to_string(), "Fetch", "http://a/graphql");
        }
        assert_eq!(pending.begun, 6);
    }

    #[test]
    fn requests_end_with_their_document_and_frame() {
        let begin = |pending: &mut Pending, id: &str, frame: &str, loader: &str| {
            let request = json!({ "url": "http://a/", "method": "GET" });
            let params = json!({
                "requestId": id, "type": "Fetch", "frameId": frame, "loaderId": loader, "request": request,
            });
            pending.apply(&read("Network.requestWillBeSent", params), MS);
        };
        let mut pending = Pending::default();
        for (id, frame, loader) in [("1", "F", "L1"), ("2", "G", "L2"), ("L3", "F", "L3")] {
            begin(&mut pending, id, frame, loader);
        }
        let init = json!({ "name": "init", "frameId": "F", "loaderId": "L3" });
        assert!(pending.apply(&read("Page.lifecycleEvent", init), MS));
        let mut left: Vec<_> = pending.requests.keys().cloned().collect();
        left.sort();
        assert_eq!(left, ["2", "L3"]);
        let detached = read("Page.frameDetached", json!({ "frameId": "G" }));
        assert!(pending.apply(&detached, MS));
        assert!(!pending.apply(&detached, MS));
        assert_eq!(pending.requests.len(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut pending = Pending::default();
        for n in 0..MAX_REQUESTS + 10 {
            apply(&mut pending, 0, "requestWillBeSent", &n.to_string(), "Image", &format!("http://a/{n}"));
        }
        assert_eq!(pending.requests.len(), MAX_REQUESTS);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_last_request() {
        let requests = Requests::new();
        let event = |method: &str| Event {
            session: String::new(),
            kind: read(
                &format!("Network.{method}"),
                json!({ "requestId": "1", "type": "Script", "request": { "url": "http://a/", "method": "GET" } }),
            ),
        };
        requests.none_awaited().await;
        requests.observe(&event("requestWillBeSent"));
        assert_eq!((requests.awaited(), requests.begun()), (Some(Kind::Script), 1));
        let ((), ()) = tokio::join!(requests.none_awaited(), async {
            tokio::task::yield_now().await;
            requests.observe(&event("loadingFinished"));
        });
        assert_eq!((requests.awaited(), requests.unfinished()), (None, 0));
    }
}
