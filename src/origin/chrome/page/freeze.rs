//! The clock of a frozen page. It stands until the page is loaded, and while the page waits for the network. Then it moves
//! by steps in all frames and workers at once, until nothing more is to come of them. See freeze.js.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::pending::Requests;
use super::script::literal;
use crate::origin::chrome::protocol::client::{CallError, Devtools};
use crate::origin::chrome::protocol::commands::{CreateIsolatedWorld, GetFrameTree};
use crate::origin::chrome::protocol::evaluate::Evaluate;
use crate::origin::chrome::protocol::events::TargetType;
use crate::tasks;

const FREEZE: &str = include_str!("freeze.js");
/// Milliseconds of the page's time that a chain of timers and animation frames goes on from the task that began it.
const SPAN: u32 = 1000;
/// Milliseconds of the page's time in one step. After each step there is a real frame, and requests are waited for.
const STEP: u32 = 100;
/// Frames and workers that are asked; pages with more have most of them out of sight.
const MAX_REALMS: usize = 64;
/// Time between two looks at a page of which nothing is to come: the second value after many looks.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));
/// Looks for workers that were made and are not there yet. One whose script cannot be had never is.
const WORKER_LOOKS: u32 = 50;

/// The name by which frozen pages are asked. Pages cannot know it.
pub(crate) fn token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(unguessable)
}

/// A new name that pages cannot guess: the keys of `RandomState` come from the system, unlike the seed of `fastrand`.
pub(crate) fn unguessable() -> String {
    format!("tintype-{:016x}", RandomState::new().hash_one(0))
}

/// The script that has the clock of a page begin at `now`, in milliseconds since 1970.
pub(crate) fn script(now: u64) -> String {
    #[derive(Serialize)]
    struct Settings {
        now: u64,
        span: u32,
        token: &'static str,
    }
    format!("({FREEZE})({})", literal(&Settings { now, span: SPAN, token: token() }))
}

/// A frame or worker with a DevTools session of its own.
#[derive(Clone, Debug)]
struct Child {
    session: String,
    is_frame: bool,
    /// Its own script runs, or ran. A worker that is asked before would take that for its beginning.
    begun: bool,
}

/// The sessions of a page.
#[derive(Debug, Default)]
struct Sessions {
    children: Vec<Child>,
    workers_seen: u32,
}

/// The clock of one page. It stops when this is dropped.
pub(crate) struct PageClock {
    devtools: Devtools,
    session: String,
    requests: Requests,
    sessions: Arc<Mutex<Sessions>>,
    idle: watch::Sender<bool>,
    running: Option<JoinHandle<()>>,
    /// Time left to wait for the page.
    patience: Duration,
}

impl Drop for PageClock {
    fn drop(&mut self) {
        self.stop();
    }
}

impl PageClock {
    /// The clock of the page of `session`. It stands.
    pub(crate) fn new(devtools: Devtools, session: String, requests: Requests) -> Self {
        let (idle, _) = watch::channel(false);
        let (sessions, patience) = (Arc::default(), Duration::ZERO);
        PageClock { devtools, session, requests, sessions, idle, running: None, patience }
    }

    /// Has time pass in a frame or worker, too.
    pub(crate) fn add(&self, session: &str, kind: TargetType) {
        let is_frame = kind == TargetType::Iframe;
        if kind == TargetType::Other {
            return;
        }
        let mut sessions = self.sessions.lock();
        sessions.workers_seen += u32::from(!is_frame);
        sessions.children.push(Child { session: session.to_owned(), is_frame, begun: is_frame });
    }

    /// The script of a worker is about to run.
    pub(crate) fn begin(&self, session: &str) {
        let mut sessions = self.sessions.lock();
        for child in sessions.children.iter_mut().filter(|child| child.session == session) {
            child.begun = true;
        }
    }

    /// A session ended.
    pub(crate) fn forget(&self, session: &str) {
        self.sessions.lock().children.retain(|child| child.session != session);
    }

    /// Has time pass from now on. The page is waited for no longer than `patience` in all.
    pub(crate) fn start(&mut self, patience: Duration) {
        self.patience = patience;
        let run = Run {
            devtools: self.devtools.clone(),
            session: self.session.clone(),
            requests: self.requests.clone(),
            sessions: self.sessions.clone(),
            worlds: HashMap::new(),
            asked: 0,
            worker_looks: 0,
        };
        let idle = self.idle.clone();
        self.running.get_or_insert_with(|| tasks::spawn("page-clock", run.forever(idle)));
    }

    /// Time that is left to wait for the page.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The page was waited for.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.patience = self.patience.saturating_sub(time);
    }

    /// Has time stand still for good.
    pub(crate) fn stop(&mut self) {
        self.patience = Duration::ZERO;
        if let Some(running) = &self.running {
            running.abort();
        }
        self.idle.send_replace(true);
    }

    /// Waits until nothing more is to come of the page.
    pub(crate) fn idle(&self) -> impl Future<Output = ()> + Send + 'static {
        // What was so before may not be so any more.
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            self.idle.send_replace(false);
        }
        let mut idle = self.idle.subscribe();
        async move {
            let _ = idle.wait_for(|idle| *idle).await;
        }
    }
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Realm {
    /// A frame: its session and id.
    Frame(String, String),
    /// A worker: its session.
    Worker(String),
}

/// What a frame or worker answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Answer {
    /// Milliseconds of its time until its next task; none without one.
    next: Option<u32>,
    /// Workers that it made.
    made: u32,
}

impl Answer {
    /// See freeze.js for the form.
    fn read(text: &str) -> Self {
        let mut words = text.split(' ').skip(1);
        let next = words.next().and_then(|next| next.parse::<f64>().ok());
        let made = words.next().and_then(|made| made.parse().ok());
        let next = next.filter(|next| *next >= 0.0).map(|next| next.ceil() as u32);
        Answer { next, made: made.unwrap_or_default() }
    }
}

/// How far the clock moves next in all realms; not at all where none has a task.
fn step(answers: &[Answer]) -> Option<u32> {
    answers.iter().filter_map(|answer| answer.next).min().map(|next| next.max(STEP))
}

struct Run {
    devtools: Devtools,
    session: String,
    requests: Requests,
    sessions: Arc<Mutex<Sessions>>,
    /// The context of the isolated world of each frame.
    worlds: HashMap<(String, String), i64>,
    asked: u64,
    worker_looks: u32,
}

impl Run {
    async fn forever(mut self, idle: watch::Sender<bool>) {
        while !self.devtools.is_closed() {
            self.run_out().await;
            idle.send_replace(true);
            let mut looks = 0;
            // Somebody waits, or there is something to do again.
            while *idle.borrow() && !self.is_busy().await {
                tokio::time::sleep(if looks < 20 { LOOK.0 } else { LOOK.1 }).await;
                looks += 1;
            }
        }
    }

    async fn is_busy(&mut self) -> bool {
        let realms = self.realms().await;
        self.requests.awaited().is_some() || step(&self.ask_all(&realms, "look").await).is_some()
    }

    /// Has time pass until nothing more is to come.
    async fn run_out(&mut self) {
        let mut by = 0;
        let mut is_heard = false;
        loop {
            self.requests.none_awaited().await;
            let begun = self.requests.begun();
            let realms = self.realms().await;
            let answers = self.ask_all(&realms, &format!("advance {by}")).await;
            by = 0;
            if self.requests.begun() != begun || self.requests.awaited().is_some() {
                // What came may not have been used yet.
                is_heard = false;
            } else if let Some(next) = step(&answers) {
                by = next;
                is_heard = false;
            } else if self.workers_are_missing(&answers) {
                tokio::time::sleep(LOOK.0).await;
            } else if is_heard || !self.hear_workers(&realms).await {
                return;
            } else {
                is_heard = true;
            }
        }
    }

    /// Whether some worker was made and is not there yet.
    fn workers_are_missing(&mut self, answers: &[Answer]) -> bool {
        let made: u32 = answers.iter().map(|answer| answer.made).sum();
        let sessions = self.sessions.lock();
        let begun = sessions.children.iter().all(|child| child.begun);
        let missing = (sessions.workers_seen < made || !begun) && self.worker_looks < WORKER_LOOKS;
        self.worker_looks += u32::from(missing);
        missing
    }

    /// Has what workers said last reach their pages. Whether there are any.
    async fn hear_workers(&mut self, realms: &[Realm]) -> bool {
        let (frames, workers): (Vec<_>, Vec<_>) =
            realms.iter().cloned().partition(|realm| matches!(realm, Realm::Frame(..)));
        if workers.is_empty() {
            return false;
        }
        self.asked += 1;
        let round = self.asked;
        self.ask_all(&workers, &format!("speak {round}")).await;
        self.ask_all(&frames, &format!("heard {round}")).await;
        true
    }

    async fn realms(&self) -> Vec<Realm> {
        let children = self.sessions.lock().children.clone();
        let of_frames = children.iter().filter(|child| child.is_frame).map(|child| child.session.clone());
        let of_workers = children.iter().filter(|child| !child.is_frame && child.begun);
        let mut realms = Vec::new();
        for session in std::iter::once(self.session.clone()).chain(of_frames) {
            let tree = self.devtools.call(Some(&session), GetFrameTree {}).await.unwrap_or_default();
            realms.extend(tree.0.into_iter().map(|frame| Realm::Frame(session.clone(), frame.id)));
        }
        realms.truncate(MAX_REALMS);
        realms.extend(of_workers.take(MAX_REALMS).map(|child| Realm::Worker(child.session.clone())));
        realms
    }

    /// Asks all at once. One that is gone has no task.
    async fn ask_all(&mut self, realms: &[Realm], what: &str) -> Vec<Answer> {
        for realm in realms {
            if let Realm::Frame(session, frame) = realm {
                self.enter(session, frame).await;
            }
        }
        self.asked += 1;
        let text = format!("{} {what}", self.asked);
        let answers = join_all(realms.iter().map(|realm| self.ask(realm, &text))).await;
        for (realm, answer) in realms.iter().zip(&answers) {
            if let (Realm::Frame(session, frame), Err(_)) = (realm, answer) {
                self.worlds.remove(&(session.clone(), frame.clone()));
            }
        }
        answers.into_iter().map(Result::unwrap_or_default).collect()
    }

    async fn ask(&self, realm: &Realm, text: &str) -> Result<Answer, CallError> {
        let (session, ask) = match realm {
            Realm::Frame(session, frame) => {
                let world = self.worlds.get(&(session.clone(), frame.clone()));
                let Some(world) = world else { return Ok(Answer::default()) };
                (session, Evaluate::new(ask_frame(text)).in_world(*world))
            }
            Realm::Worker(session) => {
                let token = literal(token());
                (session, Evaluate::new(format!("self[{token}] ? self[{token}]({}) : ''", literal(text))))
            }
        };
        let evaluated = self.devtools.call(Some(session), ask.awaited()).await?;
        Ok(Answer::read(&evaluated.read::<String>().unwrap_or_default()))
    }

    /// Finds the isolated world of a frame.
    async fn enter(&mut self, session: &str, frame: &str) {
        let key = (session.to_owned(), frame.to_owned());
        if self.worlds.contains_key(&key) {
            return;
        }
        if let Ok(world) = self.devtools.call(Some(session), CreateIsolatedWorld::of(frame)).await {
            self.worlds.insert(key, world.execution_context_id);
        }
    }
}

/// The expression that asks a frame from the isolated world. Where nobody hears it no script ever ran.
fn ask_frame(text: &str) -> String {
    format!(
        "new Promise(done => {{
            const [token, text] = [{}, {}];
            addEventListener(token + '!', function hear({{ detail }}) {{
                if (detail.split(' ')[0] !== text.split(' ')[0]) return;
                removeEventListener(token + '!', hear);
                done(detail);
            }});
            if (dispatchEvent(new CustomEvent(token + '?', {{ cancelable: true, detail: text }}))) done('');
        }})",
        literal(token()),
        literal(text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_tell_when_the_next_task_is_due() {
        for (text, next, made) in [
            ("7 0 0", Some(0), 0),
            ("7 -1 2", None, 2),
            ("7 16.4 0", Some(17), 0),
            ("7 1e9 0", Some(1_000_000_000), 0),
            ("7 NaN x", None, 0),
            ("", None, 0),
        ] {
            assert_eq!(Answer::read(text), Answer { next, made }, "{text:?}");
        }
    }

    #[tokio::test]
    async fn a_worker_has_time_once_it_has_begun() {
        let (near, _far) = tokio::io::duplex(1 << 10);
        let (input, output) = tokio::io::split(near);
        let devtools = Devtools::connect(input, output, 1 << 10, Duration::from_secs(1));
        let clock = PageClock::new(devtools, "page".into(), Requests::new());
        for (session, kind) in
            [("A", TargetType::Iframe), ("B", TargetType::Worker), ("C", TargetType::Other)]
        {
            clock.add(session, kind);
        }
        let begun = || -> Vec<bool> { clock.sessions.lock().children.iter().map(|one| one.begun).collect() };
        assert_eq!((begun(), clock.sessions.lock().workers_seen), (vec![true, false], 1));
        clock.begin("B");
        clock.begin("nobody");
        assert_eq!(begun(), [true, true]);
        clock.forget("A");
        assert_eq!((begun(), clock.sessions.lock().workers_seen), (vec![true], 1));
    }

    #[test]
    fn time_goes_to_the_first_task_of_all() {
        let step = |next: &[Option<u32>]| {
            let answers: Vec<_> = next.iter().map(|next| Answer { next: *next, made: 0 }).collect();
            step(&answers)
        };
        assert_eq!(step(&[]), None);
        assert_eq!(step(&[None, None]), None);
        assert_eq!(step(&[None, Some(0)]), Some(STEP));
        assert_eq!(step(&[Some(900), Some(450), None]), Some(450));
    }
}
