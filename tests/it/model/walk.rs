//! Takes a walk: a tintype of its own before an origin of its own, one step after the other, and every answer judged.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::client::path;
use super::memory::Known;
use super::oracle::ensure;
use super::origin::World;
use super::step::{Ask, KEYS, Meanwhile, Outage, Step, Walk};
use crate::support::*;

/// What was seen how often, to prove that walks lead everywhere.
pub(super) type Coverage = BTreeMap<String, usize>;

pub(super) struct Run<'a> {
    pub(super) world: Arc<World>,
    /// It ends with the walk.
    pub(super) _origin: ScriptedOrigin,
    pub(super) tintype: Tintype,
    pub(super) seen: &'a mut Coverage,
    /// By target: tags with the bodies that clients got with them, and modification dates.
    pub(super) tags: [Vec<(String, String)>; KEYS],
    pub(super) dates: [Vec<u64>; KEYS],
    /// By target: answers of the origin before this one are purged or invalidated.
    pub(super) bounds: [usize; KEYS],
    /// By target: when an answer was last not for storing.
    pub(super) passing: [Option<u64>; KEYS],
    /// The last answer that a client got by itself, by target and variant.
    pub(super) latest: HashMap<(usize, usize), usize>,
    /// What must be in the store, by target and variant.
    pub(super) known: HashMap<(usize, usize), Known>,
}

/// Takes `walk`; `Err` says which step broke which rule.
pub(super) async fn take(walk: &Walk, seen: &mut Coverage) -> Result<(), String> {
    let world = Arc::new(World::new(&walk.start));
    let script = Arc::clone(&world);
    let origin = ScriptedOrigin::start(move |request| script.answer(&request)).await;
    let tintype = Tintype::before(&origin).await;
    let mut run = Run {
        world,
        _origin: origin,
        tintype,
        seen,
        tags: Default::default(),
        dates: Default::default(),
        bounds: [0; KEYS],
        passing: [None; KEYS],
        latest: HashMap::new(),
        known: HashMap::new(),
    };
    let mut verdict = Ok(());
    for (number, step) in walk.steps.iter().enumerate() {
        if let Err(why) = run.step(step).await {
            verdict = Err(format!("step {number}: {why}\n{}", run.history()));
            break;
        }
    }
    run.tintype.stop().await;
    verdict
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Ask(ask) => {
                let step = self.sent();
                let answered = self.finish(self.send(ask)).await;
                self.settle().await;
                let known = self.known.get(&(ask.key, ask.variant)).copied();
                self.judge(&answered, step, true, known)?;
            }
            Step::Wait(seconds) => self.wait(*seconds),
            Step::Change(key, which) => self.world.lock().change(*key, *which),
            Step::Say(key, fields) => {
                self.world.lock().say(*key, *fields);
            }
            Step::Fail(key, how, times) => self.world.lock().fail(*key, *how, *times),
            Step::Post(key, status, location) => self.post(*key, *status, *location).await?,
            Step::Purge(key) => self.purge(*key).await,
            Step::Pair(one, other) => {
                let step = self.sent();
                let (one, other) = (self.send(one), self.send(other));
                let (one, other) = tokio::join!(self.finish(one), self.finish(other));
                self.settle().await;
                self.judge(&one, step, false, None)?;
                self.judge(&other, step, false, None)?;
                self.forget(one.request.ask.key);
            }
            Step::During(one, what, other, fails) => {
                if let Some(status) = fails {
                    self.world.lock().fail(one.key, Outage::Status(*status, false), 1);
                }
                self.during(one, *what, other).await?;
            }
        }
        Ok(())
    }

    async fn during(&mut self, one: &Ask, what: Meanwhile, other: &Ask) -> Result<(), String> {
        let (step, gate, waiting) = (self.sent(), Gate::new(), Gate::new());
        self.world.lock().hold = Some((gate.clone(), waiting.clone()));
        let mut first = std::pin::pin!(self.finish(self.send(one)));
        let early = tokio::select! {
            biased;
            answered = &mut first => Some(answered),
            () = waiting.wait() => None,
        };
        if early.is_none() {
            self.note_held(what);
        } else {
            // Answered from the store perhaps, with a validation behind it.
            tokio::select! {
                biased;
                () = self.settle() => {}
                () = waiting.wait() => {}
            }
        }
        let counted = self.requests().await;
        let (mut bounds, mut waited) = (self.bounds, 0);
        match what {
            Meanwhile::Nothing => {}
            Meanwhile::Change => (0..3).for_each(|which| self.world.lock().change(one.key, which)),
            Meanwhile::Wait(seconds) => waited = seconds,
            Meanwhile::Post => {
                self.world.lock().post = (200, None);
                self.tintype.send("POST", &path(one.key)).await;
                bounds[one.key] = self.sent();
            }
            Meanwhile::Purge => {
                self.tintype.purge(&format!("{{\"url\":\"{}\"}}", path(one.key))).await;
                bounds[one.key] = self.sent();
            }
            Meanwhile::PurgeAll => {
                self.tintype.purge("{\"all\":true}").await;
                bounds = [self.sent(); KEYS];
            }
        }
        self.wait(waited);
        let posted = u64::from(matches!(what, Meanwhile::Post));
        let mut second = self.send(other);
        second.bound = bounds[other.key];
        let mut second = std::pin::pin!(self.finish(second));
        // The second one is in before the first one is let go.
        let entered = async {
            while self.requests().await <= counted + posted {
                tokio::task::yield_now().await;
            }
        };
        let quick = tokio::select! {
            biased;
            answered = &mut second => Some(answered),
            () = entered => None,
        };
        gate.open();
        let second = match quick {
            Some(answered) => answered,
            None => second.await,
        };
        let held = early.is_none();
        let mut first = match early {
            Some(answered) => answered,
            None => first.await,
        };
        let forwarded = first.answer.header("cache-status").is_some_and(|status| status.contains("; fwd="));
        if held && forwarded && first.answer.header("x-cache") == Some("STALE") {
            // What was purged meanwhile covers no failure.
            first.request.bound = bounds[one.key];
        }
        self.world.lock().hold = None;
        self.settle().await;
        self.bounds = bounds;
        self.judge(&first, step, false, None)?;
        self.judge(&second, step, false, None)?;
        (0..KEYS).for_each(|key| self.forget(key));
        Ok(())
    }

    async fn post(&mut self, key: usize, status: u16, location: Option<usize>) -> Result<(), String> {
        self.world.lock().post = (status, location);
        let answer = self.tintype.send("POST", &path(key)).await;
        let told = (answer.status, answer.header("x-cache"));
        ensure!(told == (status, Some("BYPASS")), "POST gave {told:?}");
        if status < 400 {
            for spoiled in [Some(key), location].into_iter().flatten() {
                self.bounds[spoiled] = self.sent();
                self.forget(spoiled);
            }
        }
        Ok(())
    }

    async fn purge(&mut self, key: Option<usize>) {
        match key {
            Some(key) => self.tintype.purge(&format!("{{\"url\":\"{}\"}}", path(key))).await,
            None => self.tintype.purge("{\"all\":true}").await,
        }
        for key in key.map_or(0..KEYS, |key| key..key + 1) {
            self.bounds[key] = self.sent();
            self.forget(key);
        }
    }

    fn wait(&self, seconds: u64) {
        self.tintype.later(seconds);
        self.world.lock().now += seconds;
    }

    pub(super) fn forget(&mut self, key: usize) {
        self.known.retain(|(of, _), _| *of != key);
    }

    /// How many answers the origin has given.
    pub(super) fn sent(&self) -> usize {
        self.world.lock().answers.len()
    }

    async fn under_way(&self) -> u64 {
        self.tintype.stats().await["fetches_under_way"].as_u64().expect("a count")
    }

    async fn requests(&self) -> u64 {
        self.tintype.stats().await["traffic"]["requests"].as_u64().expect("a count")
    }

    /// Waits until what goes on behind the clients' backs has landed.
    async fn settle(&self) {
        within("fetches to land", async {
            while self.under_way().await > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    fn note_held(&mut self, what: Meanwhile) {
        let name = match what {
            Meanwhile::Wait(_) => "Wait".to_owned(),
            other => format!("{other:?}"),
        };
        *self.seen.entry(format!("{name} in flight")).or_default() += 1;
    }

    /// The origin's side of the story.
    fn history(&self) -> String {
        let state = self.world.lock();
        let line = |(id, sent)| format!("answer {id}: {sent:?}\n");
        state.answers.iter().enumerate().map(line).collect()
    }
}
