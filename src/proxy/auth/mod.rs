//! Who may ask: a request is admitted by its signature or by its API key before anything else is
//! done for it, and what it may use of the origin goes with it as its `Leave`.
//!
//! Keys are no part of cache keys: what was asked with one serves all, so that keys can be changed
//! without losing anything stored.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use parking_lot::Mutex;
use url::Url;

pub use super::config::{Auth, Key};
use super::refusal::Refusal;
use super::route::Route;
use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::policy::audience::Asker;
use crate::policy::signing::rate::{Bucket, Rate};
use crate::policy::signing::{Denial, Render};
use crate::policy::wishes::Wishes;

mod admit;

/// A key at work.
#[derive(Debug)]
pub(super) struct Held {
    key: Key,
    requests: Mutex<Bucket>,
    renders: Mutex<Bucket>,
}

/// All keys.
#[derive(Debug, Default)]
pub(super) struct Keyring(Vec<Arc<Held>>);

impl Keyring {
    /// Of these keys; those that `before` has alike go on with what is left of their rates.
    pub(super) fn new(keys: &[Key], before: Option<&Keyring>) -> Self {
        let known = |key: &Key| before.and_then(|before| before.0.iter().find(|held| held.key.id == key.id));
        let left = |bucket: &Mutex<Bucket>| Mutex::new(*bucket.lock());
        let held = keys.iter().map(|key| match known(key) {
            Some(held) => {
                // A bucket is in the measure of its rate.
                let requests =
                    if held.key.rate == key.rate { left(&held.requests) } else { Mutex::default() };
                let renders = if held.key.render_rate == key.render_rate {
                    left(&held.renders)
                } else {
                    Mutex::default()
                };
                Held { key: key.clone(), requests, renders }
            }
            None => Held { key: key.clone(), requests: Mutex::default(), renders: Mutex::default() },
        });
        Keyring(held.map(Arc::new).collect())
    }
}

/// How a request was admitted.
#[derive(Clone, Debug, Default)]
enum By {
    /// Without asking.
    #[default]
    Nothing,
    /// By a link, perhaps until then; `own` by our own signature.
    Link { key: Arc<Held>, own: bool, expires: Option<u64>, until: Option<Timestamp> },
    /// By an API key.
    Key(Arc<Held>),
}

/// What a request may do.
#[derive(Clone, Debug, Default)]
pub(super) struct Leave {
    by: By,
    pub(super) render: Render,
}

impl Leave {
    fn held(&self) -> Option<&Arc<Held>> {
        match &self.by {
            By::Nothing => None,
            By::Link { key, .. } | By::Key(key) => Some(key),
        }
    }

    /// Whether everybody has it, for ever.
    pub(super) fn is_everybodys(&self) -> bool {
        matches!(self.by, By::Nothing) && self.render == Render::Allow
    }

    /// Whether it may look at the page that these wishes name; one that is named beside others is
    /// none.
    pub(super) fn check_page(&self, wishes: &Wishes) -> Result<(), Refusal> {
        let page = wishes.page.as_ref().filter(|_| !wishes.ambiguous);
        let hosts = self.held().map_or(&[][..], |held| &held.key.hosts);
        let host = page.and_then(Url::host_str).unwrap_or_default();
        let fits = |pattern: &String| match pattern.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
            None => host == pattern,
        };
        if hosts.is_empty() || hosts.iter().any(fits) { Ok(()) } else { Err(Refusal::Denied(Denial::Host)) }
    }

    /// Whether the origin may not be asked for it.
    pub(super) fn is_restricted(&self) -> bool {
        self.render != Render::Allow
    }

    /// What is left of its wishes: none of those for a new picture, where there will be none.
    pub(super) fn limit(&self, wishes: &mut Wishes) {
        if self.render != Render::Allow {
            let Wishes { scripted, ambiguous, .. } = *wishes;
            *wishes = Wishes { page: wishes.page.take(), scripted, ambiguous, ..Wishes::default() };
        }
    }

    /// Counts the request.
    pub(super) fn count(&self, now: Timestamp) -> Result<(), Refusal> {
        let Some(held) = self.held() else { return Ok(()) };
        take(&held.requests, held.key.rate, now)
    }

    /// Whether the origin may be asked for it; counts that.
    pub(super) fn may_ask(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.render != Render::Allow {
            return Err(Refusal::NotRendered);
        }
        match self.held() {
            Some(held) => take(&held.renders, held.key.render_rate, now),
            None => Ok(()),
        }
    }

    /// Until when the same target alone gives the same leave: for ever, until then, or not at all.
    pub(super) fn lasts(&self) -> Option<Timestamp> {
        match &self.by {
            By::Nothing => Some(Timestamp(u64::MAX)),
            By::Link { key, until, .. } if key.key.rate.is_none() => {
                Some(until.unwrap_or(Timestamp(u64::MAX)))
            }
            By::Link { .. } | By::Key(_) => None,
        }
    }

    /// Who asks, as caches between us are concerned.
    pub(super) fn asker(&self) -> Asker {
        match &self.by {
            By::Nothing => Asker::Anybody(None),
            By::Link { until, .. } => Asker::Anybody(*until),
            By::Key(_) => Asker::Holder,
        }
    }

    /// In words, for who wants it explained.
    pub(super) fn words(&self) -> String {
        let render = self.render.name();
        match &self.by {
            By::Nothing => "everybody".to_owned(),
            By::Link { key, .. } => format!("a link signed with the key {}, render {render}", key.key.id),
            By::Key(key) => format!("the API key of {}, render {render}", key.key.id),
        }
    }
}

fn take(bucket: &Mutex<Bucket>, rate: Option<Rate>, now: Timestamp) -> Result<(), Refusal> {
    let Some(rate) = rate else { return Ok(()) };
    let taken = bucket.lock().take(rate, now);
    taken.map_err(|retry_after: Duration| Refusal::TooMany { rate, retry_after })
}

impl Keyring {
    /// Admits `request` to `route`, counts it, and removes from it what admitted it.
    pub(super) fn admit_and_count(
        &self,
        route: &Route,
        request: &mut Parts,
        body: &Body,
        now: Timestamp,
    ) -> Result<Leave, Refusal> {
        let leave = self.admit(route, request, body, now)?;
        leave.count(now)?;
        Ok(leave)
    }
}
