//! Jobs: many pictures asked for at once, taken in the background, as web2img has them.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /batch/screenshots` | accepts a job: 202 and how it stands |
//! | `GET /batch/screenshots/{id}` | how it stands |
//! | `GET /batch/screenshots/{id}/results` | what came of it, item by item |
//!
//! A job is on disk before it is accepted (`journal`), so that a restart, orderly or not, goes on where it was. Each item is a request through
//! the proxy itself, which yields to those of clients.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::answer::{answer, not_allowed, problem, problem_with, read_body_of};
use crate::clock::{Clock, Timestamp};
use crate::message::body::{Body, BodyError};
use crate::origin::chrome::guard::Guard;
use crate::origin::chrome::{AllowedHost, AllowedRange};
use crate::origin::guarded::{self, Poster};
use crate::policy::public_url::PublicUrl;
use crate::tasks;

mod arrived;
mod ask;
mod job;
mod journal;
pub mod list;
mod run;

pub use arrived::{Arrived, Plane};
pub use ask::Item;
use ask::{Asked, Fault};
use job::{Event, Job};
use journal::Journal;

/// Where they are.
pub const PATH: &str = "/batch/screenshots";
/// How often it is looked whether a job is old.
const SWEEP: Duration = Duration::from_secs(60);

/// Bounds of jobs, and where they are.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// They are on the control plane.
    pub on_control: bool,
    /// They are on the data plane.
    pub on_data: bool,
    /// Where they are kept; in memory only without.
    pub folder: Option<PathBuf>,
    /// The route that takes the pictures; without, the first one that captures and is asked so.
    pub route: Option<String>,
    /// What the URLs of pictures begin with; without, as the route or `[server]` says.
    pub public_url: Option<PublicUrl>,
    /// Bytes of a request.
    pub max_body: usize,
    /// Items of one job.
    pub max_items: usize,
    /// Jobs that are known at once.
    pub max_jobs: usize,
    /// Items of all jobs at once.
    pub concurrency: usize,
    /// Items of one job at once where it does not say.
    pub parallel: usize,
    /// The most that it may say.
    pub max_parallel: usize,
    /// Time for one item where the job does not say.
    pub timeout: Duration,
    /// The most that it may say.
    pub max_timeout: Duration,
    /// How long a job is known after its end.
    pub retention: Duration,
    /// How their end is told.
    pub webhook: Telling,
}

/// How webhooks are told of the end of a job.
#[derive(Clone, PartialEq)]
pub struct Telling {
    /// What is told is signed with it.
    pub secret: Option<String>,
    /// Time for one try.
    pub timeout: Duration,
    /// Tries.
    pub attempts: u32,
    /// The first wait between two.
    pub retry_base: Duration,
    /// The longest wait.
    pub retry_max: Duration,
    /// Hosts that are told though their addresses are private.
    pub allow_hosts: Vec<AllowedHost>,
    /// Private addresses that are told.
    pub allow_ranges: Vec<AllowedRange>,
    /// Ports of others.
    pub allow_ports: Vec<u16>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            on_control: true,
            on_data: false,
            folder: None,
            route: None,
            public_url: None,
            max_body: 1 << 20,
            max_items: 50,
            max_jobs: 1000,
            concurrency: 10,
            parallel: 3,
            max_parallel: 10,
            timeout: Duration::from_secs(30),
            max_timeout: Duration::from_secs(60),
            retention: Duration::from_secs(24 * 3600),
            webhook: Telling::default(),
        }
    }
}

impl Default for Telling {
    fn default() -> Self {
        Telling {
            secret: None,
            timeout: Duration::from_secs(10),
            attempts: 6,
            retry_base: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
            allow_hosts: Vec::new(),
            allow_ranges: Vec::new(),
            allow_ports: vec![80, 443, 8080, 8443],
        }
    }
}

/// Without the secret.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Config { on_control, on_data, folder, max_items, max_jobs, .. } = self;
        f.debug_struct("Config")
            .field("on_control", on_control)
            .field("on_data", on_data)
            .field("folder", folder)
            .field("max_items", max_items)
            .field("max_jobs", max_jobs)
            .finish_non_exhaustive()
    }
}

/// A picture that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Where it is to be had.
    pub url: String,
    /// It was stored before.
    pub cached: bool,
}

/// Why there is no picture.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotTaken {
    /// No route captures pages.
    #[error("no route takes it")]
    NoRoute,
    /// The origin had no time for it.
    #[error("the origin is busy")]
    Busy,
    /// The response did not arrive whole.
    #[error("it broke off: {0}")]
    BrokeOff(BodyError),
    /// The response has an error status.
    #[error("{status}{}{}", if .detail.is_some() { ": " } else { "" }, .detail.as_deref().unwrap_or_default())]
    Failed {
        /// The status.
        status: StatusCode,
        /// What it says of the cause.
        detail: Option<String>,
    },
}

/// Takes pictures; `app` connects it to the data plane.
pub trait Taker: Send + Sync + 'static {
    /// Whether there is a route that takes them.
    fn can_take(&self) -> bool;

    /// Takes one, or finds it stored; `anew` wants it confirmed or made now. Its link begins with `base` unless a setting says otherwise.
    ///
    /// # Errors
    /// Why there is none.
    fn take<'a>(
        &'a self,
        item: &'a Item,
        anew: bool,
        base: Option<&'a PublicUrl>,
    ) -> BoxFuture<'a, Result<Taken, NotTaken>>;

    /// What the links to the pictures of a job begin with that is asked for by `arrived`. `None`: nothing is known.
    fn base(&self, arrived: &Arrived) -> Option<PublicUrl>;

    /// `link` for a reader of results, who is on this machine if `is_local`.
    fn told(&self, link: &str, is_local: bool) -> String;

    /// Where the job at `path` is found by the client of `arrived`.
    fn location(&self, arrived: &Arrived, path: &str) -> String;

    /// Waits, within bounds, for a moment in which no client waits for a fetch.
    fn yield_to_clients(&self) -> BoxFuture<'_, ()>;
}

/// See the [module](self).
pub struct Jobs {
    taker: Arc<dyn Taker>,
    clock: Arc<dyn Clock>,
    poster: Poster,
    set: ArcSwap<Set>,
    places: Semaphore,
    known: Mutex<HashMap<String, Arc<Job>>>,
    running: Mutex<Option<JoinSet<()>>>,
}

/// What a reload replaces.
struct Set {
    config: Config,
    guard: Guard,
}

impl Set {
    fn of(config: Config) -> Arc<Self> {
        let how = &config.webhook;
        let guard = Guard::of(how.allow_hosts.clone(), how.allow_ranges.clone(), how.allow_ports.clone());
        Arc::new(Set { config, guard })
    }
}

impl Jobs {
    /// Jobs that `taker` takes the pictures of. Those of an earlier process are known after [`resume`](Jobs::resume).
    pub fn new(config: Config, taker: Arc<dyn Taker>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let places = Semaphore::new(config.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        let jobs = Arc::new(Jobs {
            taker,
            clock,
            poster: Poster::default(),
            set: ArcSwap::new(Set::of(config)),
            places,
            known: Mutex::default(),
            running: Mutex::new(Some(JoinSet::new())),
        });
        let weak = Arc::downgrade(&jobs);
        let gone = Weak::clone(&weak);
        tasks::vital("job-sweeper", move || gone.strong_count() == 0, async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                match weak.upgrade() {
                    Some(jobs) => jobs.sweep(jobs.clock.now()),
                    None => return,
                }
            }
        });
        jobs
    }

    /// Takes up the jobs that an earlier process left. Waits for the disk.
    pub fn resume(self: &Arc<Self>) {
        let set = self.set.load_full();
        let Some(folder) = &set.config.folder else { return };
        for job in journal::all(folder).into_iter().map(Arc::new) {
            self.known.lock().insert(job.id.clone(), Arc::clone(&job));
            if job.ended().is_none() || job.is_to_be_told() {
                tracing::info!(job = job.id, left = job.pending().len(), "a job goes on");
                self.start(job);
            }
        }
        self.sweep(self.clock.now());
    }

    /// Other bounds, from here on. The folder stays, and so does how much is done at once.
    pub fn set(&self, mut config: Config) {
        config.folder.clone_from(&self.set.load().config.folder);
        self.set.store(Set::of(config));
    }

    /// Begins nothing any more, and waits until nothing is at work. What is not done is taken up by the next start.
    pub async fn stop(&self) {
        let running = self.running.lock().take();
        if let Some(mut running) = running {
            running.shutdown().await;
        }
    }

    /// Whether a request for `path` is for jobs.
    pub fn is_for(path: &str) -> bool {
        path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers a request that [is for](Jobs::is_for) jobs.
    pub async fn handle(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let now = self.clock.now();
        self.sweep(now);
        let is_local = request.extensions().get::<Arrived>().is_some_and(|arrived| arrived.is_local);
        let path = request.uri().path().to_owned();
        let rest = path.strip_prefix(PATH).unwrap_or_default().trim_start_matches('/');
        let (id, what) = rest.split_once('/').unwrap_or((rest, ""));
        match (request.method(), id, what) {
            (&Method::POST, "", "") => self.submit(request).await.unwrap_or_else(|refused| refused),
            (_, "", "") => not_allowed("POST"),
            (&Method::GET | &Method::HEAD, id, "" | "results") => match self.find(id) {
                Some(job) if what.is_empty() => answer(StatusCode::OK, job.status(now)),
                Some(job) => answer(StatusCode::OK, job.results(now, |link| self.taker.told(link, is_local))),
                None => problem(StatusCode::NOT_FOUND, "there is no such job, or it is too long ago"),
            },
            (_, _, "" | "results") => not_allowed("GET, HEAD"),
            _ => problem(StatusCode::NOT_FOUND, "a job has its own path, and results below it"),
        }
    }

    async fn submit(self: &Arc<Self>, request: Request<Body>) -> Result<Response<Body>, Response<Body>> {
        let set = self.set.load_full();
        let arrived = request.extensions().get::<Arrived>().cloned();
        let body = read_body_of(request, set.config.max_body).await?;
        let asked = ask::read(&body, &set.config).map_err(|faults| bad(&faults))?;
        let base = arrived.as_ref().and_then(|arrived| self.taker.base(arrived));
        let asked = Asked { base, ..asked };
        if let Some(webhook) = asked.webhook.as_deref().and_then(ask::web)
            && let Err(failure @ guarded::Failure::Refused(_)) = guarded::vetted(&set.guard, &webhook).await
        {
            let (parameter, reason) = ("config.webhook".to_owned(), failure.to_string());
            return Err(bad(&[Fault { parameter, reason }]));
        }
        if !self.taker.can_take() {
            return Err(problem(
                StatusCode::NOT_FOUND,
                "no route takes pictures by url, width, height and format",
            ));
        }
        let now = self.clock.now();
        self.make_room(&set.config, now).map_err(|wait| {
            let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "too many jobs are at work");
            let wait = HeaderValue::from(wait.as_secs().clamp(1, 3600));
            response.headers_mut().insert(header::RETRY_AFTER, wait);
            response
        })?;
        let job = self.begin(&set.config, asked, now).await.map_err(|error| {
            let folder = set.config.folder.as_deref().map(std::path::Path::display);
            let folder = folder.map(tracing::field::display);
            tracing::error!(%error, folder, "a job cannot be stored; check that this user may write in its folder");
            problem(StatusCode::SERVICE_UNAVAILABLE, "the job cannot be written down")
        })?;
        tracing::info!(job = job.id, items = job.asked.items.len(), "job accepted");
        let mut response = answer(StatusCode::ACCEPTED, job.status(now));
        let path = format!("{PATH}/{}", job.id);
        let location = arrived.map_or(path.clone(), |arrived| self.taker.location(&arrived, &path));
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        Ok(response)
    }

    /// Writes a job down, and starts it.
    async fn begin(
        self: &Arc<Self>,
        config: &Config,
        asked: Asked,
        at: Timestamp,
    ) -> std::io::Result<Arc<Job>> {
        let id = random_id()?;
        let folder = config.folder.clone();
        let made = tokio::task::spawn_blocking(move || {
            let journal = match &folder {
                Some(folder) => {
                    let accepted = Event::Accepted { id: id.clone(), at, asked: asked.clone() };
                    Some(Journal::begin(folder, &id, &accepted)?)
                }
                None => None,
            };
            Ok(Arc::new(Job::new(id, asked, at, journal)))
        });
        let job = made.await.unwrap_or_else(|error| Err(std::io::Error::other(error)))?;
        self.known.lock().insert(job.id.clone(), Arc::clone(&job));
        self.start(Arc::clone(&job));
        Ok(job)
    }

    fn start(self: &Arc<Self>, job: Arc<Job>) {
        let mut running = self.running.lock();
        if let Some(running) = running.as_mut() {
            // Those that have ended leave.
            while running.try_join_next().is_some() {}
            running.spawn(tasks::named("job", Arc::clone(self).run(job)));
        }
    }

    /// Makes room for one job more: the one goes that ended first. If all are at work, says when to come again.
    fn make_room(&self, config: &Config, now: Timestamp) -> Result<(), Duration> {
        let mut known = self.known.lock();
        while known.len() >= config.max_jobs {
            let ended = known.values().filter(|job| !job.is_to_be_told());
            let oldest = ended.filter_map(|job| Some((job.ended()?, job.id.clone()))).min();
            let Some((_, id)) = oldest else {
                let wait = known.values().map(|job| job.left(now)).min().unwrap_or_default();
                return Err(wait);
            };
            if let Some(job) = known.remove(&id) {
                job.forget();
            }
        }
        Ok(())
    }

    /// Drops what ended too long ago.
    fn sweep(&self, now: Timestamp) {
        let retention = self.set.load().config.retention;
        self.known.lock().retain(|_, job| {
            let old = job.ended().is_some_and(|ended| now.since(ended) > retention);
            if old {
                job.forget();
            }
            !old
        });
    }

    fn find(&self, id: &str) -> Option<Arc<Job>> {
        self.known.lock().get(id).cloned()
    }
}

/// Every bad parameter, named.
fn bad(faults: &[Fault]) -> Response<Body> {
    let names: Vec<&str> = faults.iter().map(|fault| fault.parameter.as_str()).collect();
    let detail = format!("cannot use: {}", names.join(", "));
    problem_with(StatusCode::BAD_REQUEST, &detail, json!({ "reason": "bad-parameters", "errors": faults }))
}

/// A name that nobody guesses: who has it may see what came of the job.
fn random_id() -> std::io::Result<String> {
    let mut octets = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut octets).map_err(|_| std::io::Error::other("the system has no random numbers"))?;
    Ok(format!("batch-{}", hex::encode(octets)))
}
