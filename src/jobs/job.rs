//! One job: what was asked, what came of it so far, and how that is told.

use std::time::Duration;

use parking_lot::Mutex;

use super::ask::Asked;
use super::event::{Done, Event};
use super::journal::Journal;
use super::report::{ItemResult, ItemState, JobResults, JobStatus, Progress};
use crate::clock::Timestamp;

/// What an item is taken to last before one was seen.
const FIRST_GUESS: Duration = Duration::from_secs(2);

/// One job: its items, how far it is, and its file.
pub struct Job {
    /// Its name, which nobody guesses.
    pub id: String,
    pub(super) asked: Asked,
    created: Timestamp,
    state: Mutex<State>,
    journal: Option<Journal>,
}

#[derive(Debug, Default)]
struct State {
    done: Vec<Option<Done>>,
    updated: Timestamp,
    ended: Option<Timestamp>,
    told: bool,
}

impl State {
    fn apply(&mut self, event: &Event) {
        match event {
            // What it was made of.
            Event::Accepted { .. } => {}
            Event::Item { item, done, at } => {
                if let Some(place) = self.done.get_mut(*item) {
                    *place = Some(done.clone());
                }
                self.updated = *at;
            }
            Event::Ended { at } => {
                self.ended = Some(*at);
                self.updated = *at;
            }
            Event::Told => self.told = true,
        }
    }

    fn count(&self) -> (usize, usize) {
        let failed = self.done.iter().filter(|done| matches!(done, Some(Done::Failed(_)))).count();
        (self.done.iter().flatten().count(), failed)
    }
}

impl Job {
    /// A job that was just accepted.
    pub(super) fn new(id: String, asked: Asked, at: Timestamp, journal: Option<Journal>) -> Self {
        let state = State { done: vec![None; asked.items.len()], updated: at, ..State::default() };
        Job { id, asked, created: at, state: Mutex::new(state), journal }
    }

    /// The job that `events` tell of, if they begin with the beginning.
    pub(super) fn recovered(events: Vec<Event>, journal: Journal) -> Option<Self> {
        let mut events = events.into_iter();
        let Some(Event::Accepted { id, at, asked }) = events.next() else { return None };
        let job = Job::new(id, asked, at, Some(journal));
        events.for_each(|event| job.state.lock().apply(&event));
        Some(job)
    }

    /// Notes what happened. Waits for the disk.
    pub(super) fn note(&self, event: Event) {
        // Under the lock: the journal has them in the order in which they held.
        let mut state = self.state.lock();
        state.apply(&event);
        if let Some(journal) = &self.journal
            && let Err(error) = journal.append(&event)
        {
            tracing::warn!(job = self.id, %error, "the job cannot be written down; a restart takes it up earlier");
        }
    }

    /// Items that are not done.
    pub(super) fn pending(&self) -> Vec<usize> {
        let state = self.state.lock();
        state.done.iter().enumerate().filter(|(_, done)| done.is_none()).map(|(at, _)| at).collect()
    }

    /// Whether an item failed.
    pub(super) fn has_failure(&self) -> bool {
        self.state.lock().count().1 > 0
    }

    /// When it ended.
    pub(super) fn ended(&self) -> Option<Timestamp> {
        self.state.lock().ended
    }

    /// Whether somebody is still to be told of its end.
    pub(super) fn is_to_be_told(&self) -> bool {
        self.asked.webhook.is_some() && !self.state.lock().told
    }

    /// Takes its journal away.
    pub(super) fn forget(&self) {
        if let Some(journal) = &self.journal {
            journal.remove();
        }
    }

    /// How long it will take from `now` on, as its items went so far.
    pub(super) fn left(&self, now: Timestamp) -> Duration {
        let (state, total) = (self.state.lock(), self.asked.items.len());
        let (completed, _) = state.count();
        if state.ended.is_some() {
            return Duration::ZERO;
        }
        let (done, left) = (
            u32::try_from(completed).unwrap_or(u32::MAX),
            u32::try_from(total - completed).unwrap_or(u32::MAX),
        );
        match now.since(self.created).checked_div(done) {
            Some(each) => each.saturating_mul(left),
            None => FIRST_GUESS.saturating_mul(left.div_ceil(self.asked.parallel.max(1) as u32)),
        }
    }

    /// How it stands.
    pub(super) fn status(&self, now: Timestamp) -> JobStatus {
        let left = self.left(now);
        let state = self.state.lock();
        let (completed, failed) = state.count();
        JobStatus {
            job_id: self.id.clone(),
            status: self.progress(&state),
            total: self.asked.items.len(),
            completed,
            failed,
            created_at: shown(self.created),
            updated_at: shown(state.updated),
            estimated_completion: state.ended.is_none().then(|| shown(now + left)),
        }
    }

    /// What came of it, item by item; `told` makes of a link what its reader can use.
    pub(super) fn results(&self, now: Timestamp, told: impl Fn(&str) -> String) -> JobResults {
        let state = self.state.lock();
        let (completed, failed) = state.count();
        let took = state.ended.unwrap_or(now).since(self.created);
        let results = self.asked.items.iter().zip(&state.done).map(|(item, done)| {
            let id = item.id.clone();
            match done {
                None => ItemResult { id, status: ItemState::Pending, ..ItemResult::default() },
                Some(Done::Taken { url, cached }) => ItemResult {
                    id,
                    status: ItemState::Success,
                    url: Some(told(url)),
                    cached: Some(*cached),
                    error: None,
                },
                Some(Done::Failed(error)) => ItemResult {
                    id,
                    status: ItemState::Error,
                    error: Some(error.clone()),
                    ..ItemResult::default()
                },
            }
        });
        JobResults {
            job_id: self.id.clone(),
            status: self.progress(&state),
            total: self.asked.items.len(),
            succeeded: completed - failed,
            failed,
            processing_time: (took.as_secs_f64() * 100.0).round() / 100.0,
            results: results.collect(),
        }
    }

    fn progress(&self, state: &State) -> Progress {
        let (completed, failed) = state.count();
        match (state.ended, completed, failed) {
            (Some(_), _, 0) => Progress::Completed,
            (Some(_), all, failed) if failed == all => Progress::Failed,
            (Some(_), ..) => Progress::CompletedWithErrors,
            // From the first answer on, as web2img has it.
            (None, ..) => Progress::Processing,
        }
    }
}

/// A moment as ISO 8601 has it.
fn shown(at: Timestamp) -> String {
    humantime::format_rfc3339_seconds(at.to_system()).to_string()
}
