//! A client of Chrome's DevTools protocol: calls with a deadline, events by session.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};

use super::commands::Command;
use super::events::{Event, EventKind};
use super::pipe::{Messages, write_all};
use crate::clock::Stopwatch;
use crate::tasks;
use message::{Message, Unreadable};

mod message;

/// Calls that may wait to be written.
pub(crate) const WRITE_QUEUE: usize = 256;
/// Events of one session that may wait to be read. None is ever left out: a session with more of them ends.
const EVENT_QUEUE: usize = 8192;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// The pipe is closed: the browser is gone.
    #[error("the browser is gone")]
    Closed,
    /// No reply within the deadline.
    #[error("no reply to {method} within {after:?}")]
    TimedOut {
        /// What was called.
        method: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// The browser said no.
    #[error("{method}: {message}")]
    Refused {
        /// What was called.
        method: &'static str,
        /// The browser's words.
        message: String,
    },
    /// The reply came, larger or deeper than what is read.
    #[error("the reply to {method} cannot be read")]
    Unreadable {
        /// What was called.
        method: &'static str,
    },
}

/// A connection to a browser. Cloning is cheap; when the last clone goes, the connection closes.
#[derive(Clone)]
pub(crate) struct Devtools {
    shared: Arc<Shared>,
    outgoing: mpsc::Sender<Vec<u8>>,
    closed: watch::Receiver<bool>,
    call_timeout: Duration,
}

/// What brings messages.
pub(crate) trait Incoming: Send + 'static {
    /// The next whole message, `None` at the end of the connection.
    fn next(&mut self) -> impl Future<Output = io::Result<Option<Vec<u8>>>> + Send;
}

impl<R: AsyncRead + Unpin + Send + 'static> Incoming for Messages<R> {
    async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        Messages::next(self).await
    }
}

type Reply = Result<Value, Failed>;
type Filter = Box<dyn Fn(&Event) -> bool + Send>;

struct Shared {
    next_id: AtomicU64,
    /// Since the last message of the browser.
    silence: Mutex<Stopwatch>,
    routes: Mutex<Routes>,
}

#[derive(Default)]
struct Routes {
    closed: bool,
    calls: HashMap<u64, oneshot::Sender<Reply>>,
    sessions: HashMap<String, (Filter, mpsc::Sender<Event>)>,
}

/// Why a reply holds no result.
#[derive(Debug)]
enum Failed {
    Refused(String),
    Unreadable,
}

impl Routes {
    /// Hands an event to its session. A session that has no room for it ends: to go without one is to wait for ever.
    fn tell(&mut self, event: Event) {
        if let Some((_, events)) = self.sessions.get(&event.session)
            && events.try_send(event).is_err()
        {
            // The events of a session's children come to the same place.
            let full = events.clone();
            self.sessions.retain(|_, (_, events)| !events.same_channel(&full));
        }
    }
}

impl Shared {
    fn heard(&self) {
        *self.silence.lock() = Stopwatch::start();
    }

    fn route(&self, message: Message) {
        let mut routes = self.routes.lock();
        if let Some(id) = message.id {
            if let Some(waiting) = routes.calls.remove(&id) {
                let refused = |error: message::Refusal| Err(Failed::Refused(error.message));
                let _ = waiting.send(message.error.map_or(Ok(message.result), refused));
            }
        } else if let (Some(method), Some(session)) = (message.method, message.session) {
            let Some((filter, _)) = routes.sessions.get(&session) else { return };
            match EventKind::read(&method, message.params) {
                Ok(kind) => {
                    let event = Event { session, kind };
                    if filter(&event) {
                        routes.tell(event);
                    }
                }
                Err(cause) => {
                    tracing::warn!(method, %cause, "unreadable DevTools event");
                    routes.tell(Event { session, kind: EventKind::Unreadable });
                }
            }
        }
    }

    /// Ends the wait for a message that came and cannot be read. Which event it is may not be known either, so its session
    /// hears of every one.
    fn give_up(&self, unreadable: Unreadable) {
        let mut routes = self.routes.lock();
        if let Some(waiting) = unreadable.id.and_then(|id| routes.calls.remove(&id)) {
            let _ = waiting.send(Err(Failed::Unreadable));
        } else if let (None, Some(session)) = (unreadable.id, unreadable.session) {
            routes.tell(Event { session, kind: EventKind::Unreadable });
        }
    }

    /// Ends every waiting call and session.
    fn close(&self) {
        let mut routes = self.routes.lock();
        routes.closed = true;
        routes.calls.clear();
        routes.sessions.clear();
    }
}

impl Devtools {
    /// Speaks over the pipes `input` and `output`. A message larger than `max_message` bytes is not read: its call fails, or
    /// its session hears of it. `call_timeout` is the deadline of each call.
    pub(crate) fn connect(
        input: impl AsyncRead + Unpin + Send + 'static,
        output: impl AsyncWrite + Unpin + Send + 'static,
        max_message: usize,
        call_timeout: Duration,
    ) -> Self {
        let (outgoing, messages) = mpsc::channel(WRITE_QUEUE);
        tasks::spawn("devtools-writer", write_all(output, messages));
        Self::over(Messages::new(input, max_message), outgoing, call_timeout)
    }

    /// Speaks over whatever brings `incoming` messages and takes `outgoing` ones.
    pub(crate) fn over(
        mut incoming: impl Incoming,
        outgoing: mpsc::Sender<Vec<u8>>,
        call_timeout: Duration,
    ) -> Self {
        let shared = Arc::new(Shared {
            next_id: AtomicU64::default(),
            silence: Mutex::new(Stopwatch::start()),
            routes: Mutex::default(),
        });
        let (close, closed) = watch::channel(false);
        let reader = shared.clone();
        tasks::spawn("devtools-reader", async move {
            loop {
                match incoming.next().await {
                    Ok(Some(message)) => {
                        reader.heard();
                        match message::read(&message) {
                            Ok(message) => reader.route(message),
                            Err(unreadable) => {
                                let bytes = message.len();
                                tracing::warn!(
                                    bytes,
                                    cause = unreadable.cause,
                                    "unreadable DevTools message"
                                );
                                reader.give_up(unreadable);
                            }
                        }
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(%error, "DevTools connection broken");
                        break;
                    }
                }
            }
            // In this order: who finds that no more events come asks whether the connection is closed.
            let _ = close.send(true);
            reader.close();
        });
        Devtools { shared, outgoing, closed, call_timeout }
    }

    /// Whether the browser has closed its end, or nobody reads what it sends any more.
    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow() || self.closed.has_changed().is_err()
    }

    /// The time since the browser said anything at all.
    pub(crate) fn silence(&self) -> Duration {
        self.shared.silence.lock().elapsed()
    }

    /// Waits until it has. Holds nothing of the connection meanwhile.
    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut closed = self.closed.clone();
        async move {
            let _ = closed.wait_for(|closed| *closed).await;
        }
    }

    /// Sends `command` to the browser itself or to a session, and waits for its result.
    pub(crate) async fn call<C: Command>(
        &self,
        session: Option<&str>,
        command: C,
    ) -> Result<C::Reply, CallError> {
        let (method, after) = (C::METHOD, self.call_timeout);
        let exchange = self.exchange(session, command);
        tokio::time::timeout(after, exchange).await.map_err(|_| CallError::TimedOut { method, after })?
    }

    async fn exchange<C: Command>(&self, session: Option<&str>, command: C) -> Result<C::Reply, CallError> {
        let method = C::METHOD;
        let (send, reply) = oneshot::channel();
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        {
            let mut routes = self.shared.routes.lock();
            if routes.closed {
                return Err(CallError::Closed);
            }
            routes.calls.insert(id, send);
        }
        // A caller that goes away leaves nothing behind.
        let _forget = Forget { shared: &self.shared, id };
        let sent = self.outgoing.send(encode(id, session, &command)).await;
        sent.map_err(|_| CallError::Closed)?;
        match reply.await.map_err(|_| CallError::Closed)? {
            Ok(result) => C::Reply::deserialize(result).map_err(|_| CallError::Unreadable { method }),
            Err(Failed::Refused(message)) => Err(CallError::Refused { method, message }),
            Err(Failed::Unreadable) => Err(CallError::Unreadable { method }),
        }
    }

    /// Sends `command` without waiting for the result, but until there is room to say it. That the browser is gone is seen
    /// elsewhere.
    pub(crate) async fn notify<C: Command>(&self, session: &str, command: C) {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let _ = self.outgoing.send(encode(id, Some(session), &command)).await;
    }

    /// Has the events of `child` that `filter` lets through come where those of `session` come.
    pub(crate) fn join(&self, session: &str, child: &str, filter: impl Fn(&Event) -> bool + Send + 'static) {
        let mut routes = self.shared.routes.lock();
        let events = routes.sessions.get(session).map(|(_, events)| events.clone());
        if let Some(events) = events {
            routes.sessions.insert(child.to_owned(), (Box::new(filter), events));
        }
    }

    /// Receives the events of `session` that `filter` lets through, until the receiver or the browser goes, or there are
    /// more than may wait.
    pub(crate) fn events(
        &self,
        session: &str,
        filter: impl Fn(&Event) -> bool + Send + 'static,
    ) -> mpsc::Receiver<Event> {
        let (send, events) = mpsc::channel(EVENT_QUEUE);
        let mut routes = self.shared.routes.lock();
        routes.sessions.retain(|_, (_, events)| !events.is_closed());
        if !routes.closed {
            routes.sessions.insert(session.to_owned(), (Box::new(filter), send));
        }
        events
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a, C> {
    id: u64,
    method: &'static str,
    params: &'a C,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
}

fn encode<C: Command>(id: u64, session_id: Option<&str>, params: &C) -> Vec<u8> {
    // Commands are structs of plain values, which always become JSON.
    serde_json::to_vec(&Call { id, method: C::METHOD, params, session_id }).unwrap_or_default()
}

struct Forget<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.routes.lock().calls.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::chrome::protocol::events::RequestPaused;
    use serde_json::json;
    use tokio::io::{AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};

    /// The browser's end of a pipe, played by the test.
    struct Browser {
        input: Messages<ReadHalf<DuplexStream>>,
        output: WriteHalf<DuplexStream>,
    }

    impl Browser {
        fn new(call_timeout: Duration) -> (Devtools, Browser) {
            let (near, far) = tokio::io::duplex(1 << 16);
            let (input, output) = tokio::io::split(near);
            let devtools = Devtools::connect(input, output, 1 << 16, call_timeout);
            let (input, output) = tokio::io::split(far);
            (devtools, Browser { input: Messages::new(input, 1 << 16), output })
        }

        async fn receive(&mut self) -> Value {
            serde_json::from_slice(&self.input.next().await.unwrap().expect("a call")).unwrap()
        }

        async fn send(&mut self, message: Value) {
            self.say(message.to_string().as_bytes()).await;
        }

        async fn say(&mut self, text: &[u8]) {
            self.output.write_all(&[text, b"\0"].concat()).await.unwrap();
        }
    }

    #[derive(Serialize)]
    struct A {}

    impl Command for A {
        const METHOD: &'static str = "A.a";
        type Reply = Value;
    }

    #[derive(Serialize)]
    struct B {
        n: usize,
    }

    impl Command for B {
        const METHOD: &'static str = "B.b";
        type Reply = Value;
    }

    /// The frame that began to load; `None` for an event that could not be read.
    fn loading(event: Event) -> Option<String> {
        match event.kind {
            EventKind::FrameStartedLoading(event) => Some(event.frame_id),
            EventKind::Unreadable => None,
            other => panic!("{other:?}"),
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    /// A capture took the end of its browser for a page that floods it, and was not tried again.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn regression_connection_is_closed_before_events_end() {
        for _ in 0..500 {
            let (devtools, browser) = Browser::new(LONG);
            let mut events = devtools.events("S", |_| true);
            let seen = tokio::spawn(async move {
                while events.recv().await.is_some() {}
                devtools.is_closed()
            });
            tokio::task::yield_now().await;
            drop(browser);
            assert!(seen.await.unwrap());
        }
    }

    #[tokio::test]
    async fn replies_find_their_calls_in_any_order() {
        let (devtools, mut browser) = Browser::new(LONG);
        let play = async {
            let (one, two) = (browser.receive().await, browser.receive().await);
            assert_eq!((&one["method"], &one["sessionId"]), (&"A.a".into(), &Value::Null));
            assert_eq!((&two["method"], &two["sessionId"]), (&"B.b".into(), &"S".into()));
            browser.send(json!({ "id": two["id"], "error": { "code": 1, "message": "no" } })).await;
            browser.send(json!({ "id": one["id"], "result": { "x": 1 } })).await;
        };
        let calls = async { tokio::join!(devtools.call(None, A {}), devtools.call(Some("S"), B { n: 0 })) };
        let ((one, two), ()) = tokio::join!(calls, play);
        assert_eq!(one, Ok(json!({ "x": 1 })));
        assert_eq!(two, Err(CallError::Refused { method: "B.b", message: "no".into() }));
    }

    #[tokio::test]
    async fn a_closed_pipe_ends_every_call() {
        let (devtools, mut browser) = Browser::new(LONG);
        let play = async {
            browser.receive().await;
            drop(browser);
        };
        let (result, ()) = tokio::join!(devtools.call(None, A {}), play);
        assert_eq!(result, Err(CallError::Closed));
        devtools.closed().await;
        assert!(devtools.is_closed());
        assert_eq!(devtools.call(None, A {}).await, Err(CallError::Closed));
    }

    #[tokio::test]
    async fn a_call_without_a_reply_times_out_and_is_forgotten() {
        let (devtools, _browser) = Browser::new(Duration::from_millis(5));
        let result = devtools.call(None, A {}).await;
        assert!(matches!(result, Err(CallError::TimedOut { .. })), "{result:?}");
        assert!(devtools.shared.routes.lock().calls.is_empty());
    }

    /// Nobody waits for what came and could not be read (agent-browser#1666, ferrum#452: a lone surrogate in a name).
    #[tokio::test]
    async fn a_reply_of_any_text_ends_its_call() {
        let (devtools, mut browser) = Browser::new(LONG);
        let method = || A::METHOD;
        let too_large =
            format!(r#"{{"id":ID,"result":{{"data":"{}"}},"sessionId":"S"}}"#, "A".repeat(1 << 17));
        let too_deep = format!(r#"{{"id":ID,"result":{}{}}}"#, "[".repeat(2000), "]".repeat(2000));
        for (reply, expected) in [
            (r#"{"id":ID,"result":{"name":"\ud83d"}}"#, Ok(json!({ "name": "\u{fffd}" }))),
            (
                r#"{"id":ID,"error":{"message":"\udc00"}}"#,
                Err(CallError::Refused { method: method(), message: "\u{fffd}".into() }),
            ),
            (r#"{"id":ID,"error":{"code":1}}"#, Err(CallError::Unreadable { method: method() })),
            (r#"{"id":ID,"result":1e999}"#, Err(CallError::Unreadable { method: method() })),
            (&too_deep, Err(CallError::Unreadable { method: method() })),
            (&too_large, Err(CallError::Unreadable { method: method() })),
            (r#"{"id":ID,"result":7}"#, Ok(json!(7))),
        ] {
            let play = async {
                let id = browser.receive().await["id"].to_string();
                browser.say(reply.replace("ID", &id).as_bytes()).await;
            };
            let (result, ()) = tokio::join!(devtools.call(Some("S"), A {}), play);
            assert_eq!(result, expected, "{}", &reply[..60.min(reply.len())]);
        }
        assert!(devtools.shared.routes.lock().calls.is_empty());
    }

    #[tokio::test]
    async fn a_session_hears_of_an_event_that_cannot_be_read() {
        let (devtools, mut browser) = Browser::new(LONG);
        let mut events =
            devtools.events("S", |event| matches!(event.kind, EventKind::FrameStartedLoading(_)));
        let too_large = format!(r#"{{"method":"A.a","params":["{}"],"sessionId":"S"}}"#, "A".repeat(1 << 17));
        for text in [
            r#"{"method":"Page.frameStartedLoading","params":{"frameId":"\ud83d"},"sessionId":"S"}"#,
            r#"{"method":"Page.lifecycleEvent","params":{"frameId":"\ud83d"},"sessionId":"S"}"#,
            r#"{"method":"Page.frameStartedLoading","params":1e999,"sessionId":"nobody"}"#,
            r#"{"method":"Page.frameStartedLoading","params":1e999,"sessionId":"S"}"#,
            &too_large,
            "no JSON",
            r#"{"method":"Page.frameStartedLoading","params":{},"sessionId":"S"}"#,
        ] {
            browser.say(text.as_bytes()).await;
        }
        for expected in [Some("\u{fffd}"), None, None, Some("")] {
            assert_eq!(loading(events.recv().await.unwrap()).as_deref(), expected);
        }
        assert!(!devtools.is_closed());
    }

    #[tokio::test]
    async fn events_go_to_their_session_if_its_filter_lets_them() {
        let (devtools, mut browser) = Browser::new(LONG);
        let mut events = devtools.events("S", |event| !matches!(event.kind, EventKind::LifecycleEvent(_)));
        for (session, method) in [
            ("T", "Page.frameStartedLoading"),
            ("S", "Page.lifecycleEvent"),
            ("S", "Page.frameStartedLoading"),
        ] {
            browser
                .send(json!({ "method": method, "params": { "frameId": "1" }, "sessionId": session }))
                .await;
        }
        let event = events.recv().await.unwrap();
        assert_eq!(loading(event).as_deref(), Some("1"));
        drop(browser);
        assert!(events.recv().await.is_none());
    }

    #[tokio::test]
    async fn no_event_is_left_out_before_the_end_of_its_session() {
        let (devtools, mut browser) = Browser::new(LONG);
        let (mut events, mut others) = (devtools.events("S", |_| true), devtools.events("T", |_| true));
        for n in 0..=EVENT_QUEUE {
            browser.send(json!({ "method": "Fetch.requestPaused", "params": { "requestId": n.to_string() }, "sessionId": "S" })).await;
        }
        browser.send(json!({ "method": "Page.frameStartedLoading", "params": {}, "sessionId": "T" })).await;
        assert_eq!(loading(others.recv().await.unwrap()).as_deref(), Some(""));
        for n in 0..EVENT_QUEUE {
            let expected = RequestPaused { request_id: n.to_string(), ..RequestPaused::default() };
            assert_eq!(events.recv().await.unwrap().kind, EventKind::RequestPaused(expected));
        }
        assert!(events.recv().await.is_none());
        assert!(!devtools.is_closed());
    }

    #[tokio::test]
    async fn what_is_not_waited_for_is_sent_all_the_same() {
        let (devtools, mut browser) = Browser::new(LONG);
        const CALLS: usize = 4 * WRITE_QUEUE;
        let tell = async {
            for n in 0..CALLS {
                devtools.notify("S", B { n }).await;
            }
        };
        let hear = async {
            for n in 0..CALLS {
                assert_eq!(browser.receive().await["params"]["n"], n);
            }
        };
        tokio::join!(tell, hear);
    }

    #[tokio::test]
    async fn a_child_s_events_come_where_its_parent_s_come() {
        let (devtools, mut browser) = Browser::new(LONG);
        let mut events = devtools.events("S", |_| true);
        devtools.join("S", "C", |event| matches!(event.kind, EventKind::RequestPaused(_)));
        devtools.join("gone", "D", |_| true);
        for (session, method) in [
            ("C", "Page.frameStartedLoading"),
            ("D", "Page.frameStartedLoading"),
            ("C", "Fetch.requestPaused"),
        ] {
            browser.send(json!({ "method": method, "params": {}, "sessionId": session })).await;
        }
        let event = events.recv().await.unwrap();
        assert_eq!(event.session, "C");
        assert!(matches!(event.kind, EventKind::RequestPaused(_)));
        drop(browser);
        assert!(events.recv().await.is_none());
    }

    #[tokio::test]
    async fn the_last_clone_closes_the_pipe() {
        let (devtools, mut browser) = Browser::new(LONG);
        drop(devtools.clone());
        drop(devtools);
        assert!(browser.input.next().await.unwrap().is_none());
    }
}
