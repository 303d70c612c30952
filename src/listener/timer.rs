//! The one timer of a connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// Ticks within one idle timeout. More would tell an idle peer sooner and wake idle connections more often.
const TICKS: u32 = 4;

/// What the peer is guilty of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No whole request head in time.
    SlowHead,
    /// No byte in either direction for too long, and the handler has nothing to do.
    Idle,
}

/// What the clock is running for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The head of the exchange of this number.
    Head(usize),
    /// Any sign of life, since `progress` was seen last; `ticks` have passed since.
    Life { progress: usize, ticks: u32 },
}

/// Tells slow request heads and idle peers. On the way of a request it costs a few loads; the clock is set anew
/// only when a head comes in parts, and once a tick.
pub(super) struct Timer<'a> {
    clock: Pin<&'a mut Sleep>,
    activity: Arc<Activity>,
    /// HTTP/1: bytes outside of exchanges belong to a head. HTTP/2 has frames between them; there only silence
    /// tells.
    heads: bool,
    phase: Phase,
    head_limit: Duration,
    tick: Duration,
}

impl<'a> Timer<'a> {
    /// A timer over `clock`, which runs for the first request's head already.
    pub(super) fn new(
        clock: Pin<&'a mut Sleep>,
        activity: Arc<Activity>,
        heads: bool,
        head_limit: Duration,
        idle_limit: Duration,
    ) -> Self {
        Timer { clock, activity, heads, phase: Phase::Head(0), head_limit, tick: idle_limit / TICKS }
    }

    /// Ready with a verdict against the peer; may be polled on, for the next one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        self.turn();
        while self.clock.as_mut().poll(cx).is_ready() {
            let Phase::Life { progress, ticks } = self.phase else { return Poll::Ready(Verdict::SlowHead) };
            let now = self.activity.progress();
            let ticks = if now != progress || self.activity.is_working() { 0 } else { ticks + 1 };
            self.start(Phase::Life { progress: now, ticks });
            if ticks >= TICKS {
                return Poll::Ready(Verdict::Idle);
            }
        }
        Poll::Pending
    }

    /// Sets the clock for another phase if the connection has come to one.
    fn turn(&mut self) {
        let head = if self.heads { self.activity.partial_head() } else { None };
        match (head, self.phase) {
            (Some(head), Phase::Head(same)) if head == same => {}
            (Some(head), _) => self.start(Phase::Head(head)),
            // Before the first request: its head has been due since the connection was made.
            (None, Phase::Head(0)) if self.activity.progress() == 0 => {}
            (None, Phase::Head(_)) => {
                self.start(Phase::Life { progress: self.activity.progress(), ticks: 0 });
            }
            (None, Phase::Life { .. }) => {}
        }
    }

    fn start(&mut self, phase: Phase) {
        self.phase = phase;
        self.clock.set(sleep(match phase {
            Phase::Head(_) => self.head_limit,
            Phase::Life { .. } => self.tick,
        }));
    }
}
