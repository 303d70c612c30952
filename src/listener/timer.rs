//! [`Timer`]: the one timer of a connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::activity::Activity;
use super::pace::{Pace, TICKS};

/// The reason to close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The request head was not whole in time.
    SlowHead,
    /// No byte moved in either direction for too long, and the handler has nothing to do.
    Idle,
    /// The peer reads its response at less than the least rate.
    SlowReader,
}

/// The event that the clock waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The head of the exchange with this number.
    Head(usize),
    /// Any activity since `progress` was seen. `ticks` have passed since.
    Life { progress: usize, ticks: u32 },
}

/// Finds slow request heads and idle peers. A request costs it a few loads. The clock is reset only
/// when a head comes in parts, and once a tick.
pub(super) struct Timer<'a> {
    clock: Pin<&'a mut Sleep>,
    activity: Arc<Activity>,
    /// HTTP/1: bytes outside of exchanges belong to a head. HTTP/2 has other frames between
    /// exchanges, so only silence counts there.
    heads: bool,
    phase: Phase,
    /// Bytes written at the end of the last tick, and exchanges begun and ended by then.
    written: u64,
    turns: usize,
    /// Bytes in one tick that count as activity of the peer.
    least: u64,
    pace: Pace,
    head_limit: Duration,
    tick: Duration,
}

impl<'a> Timer<'a> {
    /// A timer over `clock`, which already runs for the head of the first request.
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

    /// Ready with a verdict against the peer. May be polled again for the next one.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        self.turn();
        while self.clock.as_mut().poll(cx).is_ready() {
            let Phase::Life { progress, ticks } = self.phase else { return Poll::Ready(Verdict::SlowHead) };
            let now = self.activity.progress();
            let (written, turns) = (self.activity.written(), self.activity.turns());
            let moved = written.wrapping_sub(self.written);
            // Between exchanges, an HTTP/2 peer can send frames that request nothing, and so keep a
            // connection for ever.
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

    /// Resets the clock if the connection has come to another phase.
    fn turn(&mut self) {
        let head = if self.heads { self.activity.partial_head() } else { None };
        match (head, self.phase) {
            (Some(head), Phase::Head(same)) if head == same => {}
            (Some(head), _) => self.start(Phase::Head(head)),
            // The head of the first request has been due since the connection was accepted.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::activity::{Turn, Watched};
    use crate::listener::interim::Interims;
    use std::future::poll_fn;
    use std::pin::pin;
    use tokio::io::AsyncWriteExt as _;
    use tokio::time::Instant;

    const MS: Duration = Duration::from_millis(1);

    /// The verdict on a peer that gets `each` bytes in each tick of 5 ms, and the tick of the
    /// verdict. `None` within `most` ticks. With `owed`, an exchange is under way all the time.
    async fn verdict(
        heads: bool,
        min_rate: u64,
        owed: bool,
        each: usize,
        most: usize,
    ) -> Option<(Verdict, usize)> {
        let activity = Arc::new(Activity::new(10));
        let mut socket =
            Watched::new(tokio::io::sink(), Vec::new(), activity.clone(), Arc::new(Interims::default()));
        let mut turn = Turn::begin(&activity);
        turn.theirs();
        let _turn = Some(turn).filter(|_| owed);
        let clock = pin!(sleep(Duration::ZERO));
        let mut timer = Timer::new(clock, activity.clone(), heads, MS, 20 * MS, min_rate);
        while activity.tick() < most {
            let before = activity.tick();
            let seen = poll_fn(|cx| match timer.poll(cx) {
                Poll::Ready(verdict) => Poll::Ready(Some(verdict)),
                Poll::Pending if activity.tick() > before => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            })
            .await;
            if let Some(verdict) = seen {
                return Some((verdict, activity.tick()));
            }
            if each > 0 {
                socket.write_all(&vec![0; each]).await.expect("a sink");
            }
        }
        None
    }

    #[tokio::test]
    async fn a_silent_peer_is_idle_after_a_whole_window() {
        for heads in [true, false] {
            let (seen, tick) = verdict(heads, 0, false, 0, 100).await.expect("a verdict");
            assert!(seen == Verdict::Idle && (4..=5).contains(&tick), "{seen:?} {tick}");
        }
    }

    /// 1 MB/s are 5 KB in a tick of 5 ms, and 20 KB in the window. A delayed test writes less in a
    /// tick, never more.
    #[tokio::test]
    async fn a_peer_below_the_rate_is_too_slow_and_no_other() {
        for heads in [true, false] {
            let (seen, tick) = verdict(heads, 1_000_000, true, 4900, 100).await.expect("a verdict");
            assert!((4..=5).contains(&tick), "{seen:?} {tick}");
            assert!(seen == Verdict::SlowReader || !heads, "{seen:?}");
            assert_eq!(verdict(heads, 1_000_000, true, 30_000, 12).await, None);
        }
    }

    /// Over HTTP/2, bytes outside of an exchange count as activity from the least rate on. HTTP/1
    /// has no such bytes.
    #[tokio::test]
    async fn few_bytes_keep_no_connection_of_http_2() {
        assert_eq!(
            verdict(false, 1_000_000, false, 4900, 100).await.map(|(seen, _)| seen),
            Some(Verdict::Idle)
        );
        assert_eq!(verdict(false, 1_000_000, false, 30_000, 12).await, None);
    }

    #[tokio::test]
    async fn a_head_has_its_time_from_its_first_byte_on() {
        let activity = Arc::new(Activity::new(10));
        let mut clock = pin!(sleep(Duration::from_secs(3600)));
        let before = Instant::now();
        let limit = Duration::from_secs(1000);
        let mut timer = Timer::new(clock.as_mut(), activity.clone(), true, limit, limit * 9, 0);
        let mut once = async || {
            poll_fn(|cx| {
                assert!(timer.poll(cx).is_pending());
                Poll::Ready(timer.clock.deadline())
            })
            .await
        };
        let watched = |bytes: &[u8]| {
            Watched::new(tokio::io::empty(), bytes.to_vec(), activity.clone(), Arc::new(Interims::default()))
        };
        drop(Turn::begin(&activity));
        once().await;
        let _first = watched(b"GET");
        let due = once().await;
        assert!(due >= before + limit && due <= Instant::now() + limit);
        let _more = watched(b" / ");
        assert_eq!(once().await, due, "more of it gives no more time");
    }
}
