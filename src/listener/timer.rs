//! The one timer of a connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::activity::Activity;
use super::pace::{Pace, TICKS};

/// What the peer is guilty of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No whole request head in time.
    SlowHead,
    /// No byte in either direction for too long, and the handler has nothing to do.
    Idle,
    /// It takes what is on its way to it at less than the least rate.
    SlowReader,
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
    /// Bytes written when the last tick ended, and exchanges begun and ended.
    written: u64,
    turns: usize,
    /// Bytes in one tick that say that the peer reads.
    least: u64,
    pace: Pace,
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
        min_write_rate: u64,
    ) -> Self {
        let tick = idle_limit / TICKS;
        let least = u128::from(min_write_rate) * tick.as_millis() / 1000;
        Timer {
            clock,
            activity,
            heads,
            phase: Phase::Head(0),
            written: 0,
            turns: 0,
            least: u64::try_from(least).unwrap_or(u64::MAX).max(1),
            pace: Pace::new(min_write_rate, idle_limit),
            head_limit,
            tick,
        }
    }

    /// Ready with a verdict against the peer; may be polled on, for the next one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        self.turn();
        while self.clock.as_mut().poll(cx).is_ready() {
            let Phase::Life { progress, ticks } = self.phase else { return Poll::Ready(Verdict::SlowHead) };
            let now = self.activity.progress();
            let (written, turns) = (self.activity.written(), self.activity.turns());
            let moved = written.wrapping_sub(self.written);
            // Between the exchanges of HTTP/2 frames can come that ask for nothing, and keep a connection for ever.
            let lives = if self.heads { now != progress } else { turns != self.turns || moved >= self.least };
            (self.written, self.turns) = (written, turns);
            self.activity.next_tick();
            let ticks = if lives || self.activity.is_working() { 0 } else { ticks + 1 };
            self.start(Phase::Life { progress: now, ticks });
            if self.pace.tick(self.activity.is_owed(), moved) && ticks < TICKS {
                return Poll::Ready(Verdict::SlowReader);
            }
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
