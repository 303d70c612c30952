//! The body of a fetch that several readers share, each at its own pace.
//!
//! While the response is to be stored, everything that has arrived is kept and readers may join at
//! any time. When it turns out too large, only what the slowest reader has not seen is kept, and
//! the fetch waits for its readers.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::message::body::BodyError;

/// Bytes that may lie between the fetch and its slowest reader once nothing is stored any more.
const WINDOW: u64 = 256 * 1024;
/// A piece that came over a connection is a slice of the buffer into which it was read, and holds
/// all of it. No such buffer is larger (hyper's are 408 KiB at most), so that a piece of this
/// length wastes little; a shorter one is copied to be kept.
const READ_BUFFER: usize = 512 * 1024;
/// How long one reader may hold up the others before it is cut off.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all fetches under way hold for storing, in bytes, with its bound.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicU64,
    limit: u64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Budget { held: AtomicU64::new(0), limit }
    }

    fn take(&self, bytes: u64) -> bool {
        let after = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if after > self.limit {
            self.give_back(bytes);
        }
        after <= self.limit
    }

    fn give_back(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Why a body is no longer kept whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotKept {
    /// Larger than `max_stored_bytes`.
    TooLarge,
    /// The budget of all fetches is spent.
    BufferFull,
}

/// The shared buffer between one fetch and its readers.
pub(crate) struct SharedBody {
    state: Mutex<State>,
    /// Signalled when a reader moved on or left.
    progress: Notify,
    budget: Arc<Budget>,
    /// Bytes that may be kept for storing.
    max_kept: u64,
    length: Option<u64>,
}

#[derive(Default)]
struct State {
    /// Chunks from number `first` on.
    chunks: VecDeque<Bytes>,
    first: usize,
    /// Bytes that have arrived.
    arrived: u64,
    /// Bytes in `chunks`.
    buffered: u64,
    /// Bytes taken from the budget.
    budgeted: u64,
    not_kept: Option<NotKept>,
    end: Option<Result<(), BodyError>>,
    /// Number of the next chunk of each reader; `None` is a free place, or that of a reader that
    /// was cut off.
    readers: Vec<Option<usize>>,
    wakers: Vec<Waker>,
}

impl SharedBody {
    /// An empty buffer for a body of `length` bytes, if that is known.
    pub(crate) fn new(budget: Arc<Budget>, max_kept: u64, length: Option<u64>) -> Arc<Self> {
        let (state, progress) = (Mutex::default(), Notify::new());
        Arc::new(SharedBody { state, progress, budget, max_kept, length })
    }

    /// Adds what has arrived. Says so if that is why the body is no longer kept whole; from then on
    /// the fetch has to wait for [`room`](Self::room) after each chunk.
    pub(crate) fn push(&self, chunk: Bytes) -> Option<NotKept> {
        let mut state = self.state.lock();
        let length = chunk.len() as u64;
        state.arrived += length;
        let kept = state.not_kept.is_none();
        if kept {
            if state.arrived > self.max_kept {
                state.not_kept = Some(NotKept::TooLarge);
            } else if !self.budget.take(length) {
                state.not_kept = Some(NotKept::BufferFull);
            } else {
                state.budgeted += length;
            }
        }
        state.buffered += length;
        state.chunks.push_back(chunk);
        state.wake();
        state.not_kept.filter(|_| kept)
    }

    /// Marks the end, whole or broken.
    pub(crate) fn finish(&self, end: Result<(), BodyError>) {
        let mut state = self.state.lock();
        state.end.get_or_insert(end);
        state.wake();
    }

    /// The whole body in one piece and in memory of its own; `None` unless it ended well and was
    /// kept.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        let mut state = self.state.lock();
        if state.not_kept.is_some() || !matches!(state.end, Some(Ok(()))) || state.first != 0 {
            return None;
        }
        let mut whole = match state.chunks.front() {
            Some(only) if state.chunks.len() == 1 && only.len() >= READ_BUFFER => only.clone(),
            _ => {
                let mut whole = BytesMut::with_capacity(usize::try_from(state.arrived).ok()?);
                state.chunks.iter().for_each(|chunk| whole.extend_from_slice(chunk));
                whole.freeze()
            }
        };
        // Readers that lag behind share these bytes from here on, and are no longer part of a fetch
        // under way.
        let all = whole.clone();
        state.chunks.iter_mut().for_each(|chunk| *chunk = whole.split_to(chunk.len()));
        self.budget.give_back(std::mem::take(&mut state.budgeted));
        Some(all)
    }

    #[cfg(test)]
    fn not_kept(&self) -> Option<NotKept> {
        self.state.lock().not_kept
    }

    /// Bytes that have arrived.
    pub(crate) fn arrived(&self) -> u64 {
        self.state.lock().arrived
    }

    /// A reader from the first byte on; `None` if that is gone.
    pub(crate) fn reader(self: &Arc<Self>) -> Option<Reader> {
        let mut state = self.state.lock();
        if state.first != 0 || state.not_kept.is_some() {
            return None;
        }
        let place = match state.readers.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                state.readers.push(None);
                state.readers.len() - 1
            }
        };
        state.readers[place] = Some(0);
        Some(Reader { body: Arc::clone(self), place, read: 0 })
    }

    /// Waits for the readers once the body is no longer kept whole.
    ///
    /// # Errors
    /// Nobody is left to read and nothing is to be stored: the fetch may end.
    pub(crate) async fn room(&self) -> Result<(), Abandoned> {
        self.room_within(PATIENCE).await
    }

    /// The same, where one reader may hold up the others for `patience`.
    async fn room_within(&self, patience: Duration) -> Result<(), Abandoned> {
        loop {
            let progress = self.progress.notified();
            {
                let mut state = self.state.lock();
                if state.not_kept.is_none() {
                    return Ok(());
                }
                self.release(&mut state);
                if state.readers.iter().all(Option::is_none) {
                    return Err(Abandoned);
                }
                if state.buffered <= WINDOW {
                    return Ok(());
                }
            }
            if tokio::time::timeout(patience, progress).await.is_err() {
                self.state.lock().cut_laggards();
            }
        }
    }

    /// Drops what every reader has seen, and gives the budget back: nothing is stored any more.
    fn release(&self, state: &mut State) {
        self.budget.give_back(std::mem::take(&mut state.budgeted));
        let slowest = state.readers.iter().flatten().min().copied().unwrap_or(usize::MAX);
        while state.first < slowest
            && let Some(chunk) = state.chunks.pop_front()
        {
            state.first += 1;
            state.buffered -= chunk.len() as u64;
        }
    }
}

impl Drop for SharedBody {
    fn drop(&mut self) {
        let budgeted = self.state.lock().budgeted;
        self.budget.give_back(budgeted);
    }
}

impl State {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    /// Cuts the readers that hold up others which have read on; a single slow reader only slows the
    /// fetch.
    fn cut_laggards(&mut self) {
        let end = self.first + self.chunks.len();
        if self.readers.iter().flatten().any(|&next| next == end) {
            for place in &mut self.readers {
                if place.is_some_and(|next| next == self.first) {
                    // No place at all: at any other it would read on behind a gap.
                    *place = None;
                }
            }
            self.wake();
        }
    }
}

/// Nobody reads, nothing is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abandoned;

/// One client's way through a shared body.
pub(crate) struct Reader {
    body: Arc<SharedBody>,
    place: usize,
    read: u64,
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = Arc::clone(&self.body);
        let mut state = body.state.lock();
        let next = state.readers[self.place].unwrap_or(usize::MAX);
        if let Some(chunk) = next.checked_sub(state.first).and_then(|at| state.chunks.get(at)).cloned() {
            state.readers[self.place] = Some(next + 1);
            let windowed = state.not_kept.is_some();
            drop(state);
            self.read += chunk.len() as u64;
            if windowed {
                body.progress.notify_one();
            }
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match &state.end {
            Some(Ok(())) if self.read == state.arrived => Poll::Ready(None),
            Some(Ok(())) => Poll::Ready(Some(Err(BodyError::ReaderTooSlow))),
            Some(Err(error)) => Poll::Ready(Some(Err(error.clone()))),
            None if self.read < state.arrived => Poll::Ready(Some(Err(BodyError::ReaderTooSlow))),
            None => {
                if !state.wakers.iter().any(|known| known.will_wake(cx.waker())) {
                    state.wakers.push(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = self.body.state.lock();
        matches!(state.end, Some(Ok(()))) && self.read == state.arrived
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.length {
            Some(length) => SizeHint::with_exact(length.saturating_sub(self.read)),
            None => SizeHint::default(),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.body.state.lock().readers[self.place] = None;
        self.body.progress.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn shared(limit: u64, max_kept: u64) -> (Arc<Budget>, Arc<SharedBody>) {
        let budget = Arc::new(Budget::new(limit));
        (Arc::clone(&budget), SharedBody::new(budget, max_kept, None))
    }

    async fn read_all(reader: Reader) -> Result<Bytes, BodyError> {
        Ok(reader.collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn every_reader_sees_everything_whenever_it_joins() {
        let (budget, body) = shared(1000, 1000);
        let early = tokio::spawn(read_all(body.reader().expect("reader")));
        assert_eq!(body.push(Bytes::from_static(b"ab")), None);
        let late = tokio::spawn(read_all(body.reader().expect("reader")));
        assert_eq!(body.push(Bytes::from_static(b"cd")), None);
        body.finish(Ok(()));
        let last = read_all(body.reader().expect("reader")).await;
        for read in [early.await.expect("task"), late.await.expect("task"), last] {
            assert_eq!(read.expect("whole"), "abcd");
        }
        assert_eq!(body.whole().expect("whole"), "abcd");
        drop(body);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_broken_body_breaks_for_every_reader_and_is_not_whole() {
        let (budget, body) = shared(1000, 1000);
        assert_eq!(body.push(Bytes::from_static(b"ab")), None);
        body.finish(Err(BodyError::Stalled));
        assert!(matches!(read_all(body.reader().expect("reader")).await, Err(BodyError::Stalled)));
        assert_eq!((body.whole(), budget.held.load(Ordering::Relaxed)), (None, 2));
        drop(body);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_body_too_large_streams_on_in_a_window_and_takes_no_new_readers() {
        let (budget, body) = shared(u64::MAX / 2, 10);
        let reader = body.reader().expect("reader");
        let reading = tokio::spawn(read_all(reader));
        let chunk = Bytes::from(vec![7; 100_000]);
        for _ in 0..20 {
            body.push(chunk.clone());
            body.room().await.expect("a reader is there");
            assert!(body.state.lock().buffered <= WINDOW + 100_000);
        }
        assert!(body.reader().is_none());
        body.finish(Ok(()));
        assert_eq!(reading.await.expect("task").expect("whole").len(), 2_000_000);
        assert_eq!((body.whole(), body.not_kept()), (None, Some(NotKept::TooLarge)));
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_spent_budget_turns_storing_off() {
        let (budget, body) = shared(3, 10);
        let reader = body.reader().expect("reader");
        assert_eq!(body.push(Bytes::from_static(b"ab")), None);
        assert_eq!(body.push(Bytes::from_static(b"cd")), Some(NotKept::BufferFull));
        assert_eq!(body.room().await, Ok(()));
        assert_eq!(body.not_kept(), Some(NotKept::BufferFull));
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
        drop(reader);
        assert_eq!(body.push(Bytes::from_static(b"ef")), None);
        assert_eq!(body.room().await, Err(Abandoned));
    }

    /// A reader that was cut off read on behind a gap when more had arrived by the time it was
    /// polled.
    #[tokio::test]
    async fn a_reader_that_is_cut_off_sees_no_gap() {
        let (_, body) = shared(1000, 1);
        let (mut slow, mut fast) = (body.reader().expect("reader"), body.reader().expect("reader"));
        body.push(Bytes::from_static(b"ab"));
        assert_eq!(fast.frame().await.expect("a frame").expect("data").into_data().expect("data"), "ab");
        body.state.lock().cut_laggards();
        body.push(Bytes::from_static(b"cd"));
        body.finish(Ok(()));
        assert!(matches!(slow.frame().await, Some(Err(BodyError::ReaderTooSlow))));
        assert_eq!(read_all(fast).await.expect("the rest"), "cd");
    }

    /// What lies between is more than the window, and only the one who holds it up is cut.
    #[tokio::test]
    async fn a_reader_that_holds_up_others_is_cut_off() {
        let (_, body) = shared(1000, 1);
        let (mut slow, mut fast) = (body.reader().expect("reader"), body.reader().expect("reader"));
        body.push(Bytes::from(vec![1; 300_000]));
        assert!(fast.frame().await.is_some_and(|frame| frame.is_ok()));
        assert_eq!(body.room_within(Duration::from_millis(1)).await, Ok(()));
        assert!(matches!(slow.frame().await, Some(Err(BodyError::ReaderTooSlow))));
        body.finish(Ok(()));
        assert_eq!(read_all(fast).await.expect("the rest"), "");
    }

    #[tokio::test]
    async fn regression_a_short_body_does_not_hold_the_buffer_that_it_was_read_into() {
        let (_, body) = shared(1000, 1000);
        let mut buffer = BytesMut::with_capacity(64 << 10);
        buffer.extend_from_slice(b"short");
        let read = buffer.split().freeze();
        let place = read.as_ptr();
        body.push(read);
        body.finish(Ok(()));
        let whole = body.whole().expect("whole");
        assert_eq!(whole, "short");
        assert_ne!(whole.as_ptr(), place);
        assert!(buffer.try_reclaim(60 << 10), "somebody has it still");
    }

    /// Slow readers kept a second copy of what was stored already, and the budget that other
    /// fetches need.
    #[tokio::test]
    async fn what_is_whole_is_held_once_and_outside_the_budget() {
        let (budget, body) = shared(1000, 1000);
        let mut slow = body.reader().expect("reader");
        body.push(Bytes::from(vec![1; 400]));
        body.push(Bytes::from(vec![2; 500]));
        body.finish(Ok(()));
        let whole = body.whole().expect("whole");
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
        let chunk = slow.frame().await.expect("a frame").expect("data").into_data().expect("data");
        assert_eq!((chunk.as_ptr(), chunk.len()), (whole.as_ptr(), 400));
        assert_eq!(read_all(slow).await.expect("the rest"), vec![2; 500]);
        drop(body);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
