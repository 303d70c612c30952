//! The jobs that are known: accepted, at work, and ended not too long ago.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::arrived::Arrived;
use super::ask::{self, Asked, Fault};
use super::capture_client::{CaptureClient, DataPlane};
use super::config::Config;
use super::event::Event;
use super::job::Job;
use super::journal::{self, Journal};
use super::report::{JobResults, JobStatus, Progress};
use crate::clock::{Clock, Timestamp};
use crate::origin::chrome::guard::Guard;
use crate::origin::guarded::{self, Poster};
use crate::tasks;
use crate::telemetry::exposition::Sample;
use crate::telemetry::metric::Metric;

/// How often it is looked whether a job is old.
const SWEEP: Duration = Duration::from_secs(60);

/// Why a job is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum NotAccepted {
    /// Parameters are bad: all of them.
    #[error("cannot use: {}", .0.iter().map(|fault| fault.parameter.as_str()).collect::<Vec<_>>().join(", "))]
    Bad(Vec<Fault>),
    /// No route captures pages.
    #[error("no route takes pictures by url, width, height and format")]
    NoRoute,
    /// As many jobs as there may be are at work; how long until one may end.
    #[error("too many jobs are at work")]
    Full(Duration),
    /// Its journal cannot be written.
    #[error("the job cannot be written down")]
    NotStored,
}

/// All jobs, those that wait and those that have ended.
pub struct Jobs {
    pub(super) captures: Arc<CaptureClient>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) poster: Poster,
    pub(super) set: ArcSwap<Set>,
    pub(super) places: Semaphore,
    known: Mutex<HashMap<String, Arc<Job>>>,
    running: Mutex<Option<JoinSet<()>>>,
}

/// What a reload replaces.
pub(super) struct Set {
    pub(super) config: Config,
    pub(super) guard: Guard,
}

impl Set {
    fn of(config: Config) -> Arc<Self> {
        let how = &config.webhook;
        let guard = Guard::of(how.allow_hosts.clone(), how.allow_ranges.clone(), how.allow_ports.clone());
        Arc::new(Set { config, guard })
    }
}

impl Jobs {
    /// Jobs by `captures`. Those of an earlier process are known after [`resume`](Jobs::resume).
    pub fn new(config: Config, captures: Arc<CaptureClient>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let places = Semaphore::new(config.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        let jobs = Arc::new(Jobs {
            captures,
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
        let jobs = journal::all(folder).into_iter();
        for job in jobs.filter_map(|(events, journal)| Job::recovered(events, journal)).map(Arc::new) {
            self.known.lock().insert(job.id.clone(), Arc::clone(&job));
            if job.ended().is_none() || job.is_to_be_told() {
                tracing::info!(job = job.id, left = job.pending().len(), "a job goes on");
                self.start(job);
            }
        }
        self.sweep(self.clock.now());
    }

    /// Other bounds and another data plane, from here on. The folder stays, and so does how much is done at once.
    pub fn set(&self, mut config: Config, plane: DataPlane) {
        self.captures.set(plane);
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

    /// Accepts the job that `body` asks for.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn submit(
        self: &Arc<Self>,
        body: &[u8],
        arrived: Option<&Arrived>,
    ) -> Result<Arc<Job>, NotAccepted> {
        self.sweep(self.clock.now());
        let set = self.set.load_full();
        let asked = ask::read(body, &set.config).map_err(NotAccepted::Bad)?;
        let asked = Asked { base: arrived.and_then(|arrived| self.captures.base(arrived)), ..asked };
        if let Some(webhook) = asked.webhook.as_deref().and_then(ask::web)
            && let Err(failure @ guarded::Failure::Refused(_)) = guarded::vetted(&set.guard, &webhook).await
        {
            let (parameter, reason) = ("config.webhook".to_owned(), failure.to_string());
            return Err(NotAccepted::Bad(vec![Fault { parameter, reason }]));
        }
        if !self.captures.can_capture() {
            return Err(NotAccepted::NoRoute);
        }
        let now = self.clock.now();
        self.make_room(&set.config, now).map_err(NotAccepted::Full)?;
        let job = self.begin(&set.config, asked, now).await.map_err(|error| {
            let folder = set.config.folder.as_deref().map(std::path::Path::display);
            let folder = folder.map(tracing::field::display);
            tracing::error!(%error, folder, "a job cannot be stored; check that this user may write in its folder");
            NotAccepted::NotStored
        })?;
        tracing::info!(job = job.id, items = job.asked.items.len(), "job accepted");
        Ok(job)
    }

    /// The job with this name, unless it ended too long ago.
    pub fn find(&self, id: &str) -> Option<Arc<Job>> {
        self.sweep(self.clock.now());
        self.known.lock().get(id).cloned()
    }

    /// How every job stands that is known, the newest first.
    pub fn all(&self) -> Vec<JobStatus> {
        let now = self.clock.now();
        self.sweep(now);
        let mut all: Vec<JobStatus> = self.known.lock().values().map(|job| job.status(now)).collect();
        all.sort_by(|one, other| other.created_at.cmp(&one.created_at).then(one.job_id.cmp(&other.job_id)));
        all
    }

    /// The metrics of jobs.
    pub fn samples(&self) -> Vec<Sample> {
        let all = self.all();
        let with = |status| all.iter().filter(|job| job.status == status).count() as u64;
        let waiting: usize = all.iter().map(|job| job.total - job.completed).sum();
        let mut samples = vec![Sample::whole(Metric::WaitingItems, waiting as u64)];
        let by_status = Progress::ALL.map(|one| Sample::whole(Metric::Jobs, with(one)).of(one.name()));
        samples.extend(by_status);
        samples
    }

    /// How `job` stands.
    pub fn status(&self, job: &Job) -> JobStatus {
        job.status(self.clock.now())
    }

    /// What came of `job`, for a reader who is on this machine if `is_local`.
    pub fn results(&self, job: &Job, is_local: bool) -> JobResults {
        job.results(self.clock.now(), |link| self.captures.link_for(link, is_local))
    }

    /// Where the client of `arrived` finds the job at `path`.
    pub fn location(&self, arrived: &Arrived, path: &str) -> String {
        self.captures.location(arrived, path)
    }

    /// Bytes of a request for a job.
    pub fn max_body(&self) -> usize {
        self.set.load().config.max_body
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
}

/// A name that nobody guesses: who has it may see what came of the job.
fn random_id() -> std::io::Result<String> {
    let mut octets = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut octets).map_err(|_| std::io::Error::other("the system has no random numbers"))?;
    Ok(format!("batch-{}", hex::encode(octets)))
}
