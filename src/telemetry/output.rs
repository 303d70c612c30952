//! `Output`: sends log lines to standard error through a bounded queue and one writer thread.
//!
//! A caller that logs never waits and never fails. A line is lost and counted if the queue is full
//! or the line cannot be written, as to a closed pipe or a full disk. When a line is written again,
//! one more line says how many were lost.
//!
//! The queue is our own because the shutdown has to wait for it with a bound and without printing.
//! The guard of tracing-appender prints, which panics on a broken pipe.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::clock::Stopwatch;

/// Bytes that a line in the queue counts beside its text.
const LINE_OVERHEAD: usize = 64;
/// Pause before a non-blocking descriptor is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// Lines lost since the start of the process.
static LOST: AtomicU64 = AtomicU64::new(0);
/// The queue of this process.
static STARTED: OnceLock<Output> = OnceLock::new();

/// Log lines lost since the start of the process.
pub fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Whether the log has started.
pub(crate) fn is_started() -> bool {
    STARTED.get().is_some()
}

/// Waits until all lines are written or lost, for at most `patience`.
pub fn flush(patience: Duration) {
    if let Some(output) = STARTED.get() {
        output.flush(patience);
    }
}

/// The queue in front of standard error.
#[derive(Clone)]
pub(super) struct Output {
    lines: Sender<Vec<u8>>,
    state: Arc<State>,
}

struct State {
    max_bytes: usize,
    /// Bytes in the queue, including the line that is being written.
    waiting: AtomicUsize,
    lost: &'static AtomicU64,
    /// Whether the writer thread runs.
    is_open: AtomicBool,
}

impl Output {
    /// Starts the writer thread for standard error, with a queue of `max_bytes`.
    pub(super) fn to_stderr(max_bytes: u64) -> Self {
        let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let output = Output::start(stderr(), max_bytes, &LOST);
        STARTED.get_or_init(|| output).clone()
    }

    fn start(to: impl Write + Send + 'static, max_bytes: usize, lost: &'static AtomicU64) -> Self {
        let (lines, queue) = channel();
        let waiting = AtomicUsize::new(0);
        let state = Arc::new(State { max_bytes, waiting, lost, is_open: AtomicBool::new(true) });
        let written = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            write_all(&queue, to, &written);
        });
        // Without a thread every line is lost, and counted.
        if thread.is_err() {
            state.is_open.store(false, Ordering::Relaxed);
        }
        Output { lines, state }
    }

    fn push(&self, line: &[u8]) {
        let (state, cost) = (&self.state, line.len() + LINE_OVERHEAD);
        let before = state.waiting.fetch_add(cost, Ordering::AcqRel);
        let fits = before.saturating_add(cost) <= state.max_bytes && state.is_open.load(Ordering::Relaxed);
        if !fits || self.lines.send(line.to_vec()).is_err() {
            state.waiting.fetch_sub(cost, Ordering::AcqRel);
            state.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self, patience: Duration) {
        let watch = Stopwatch::start();
        while self.state.waiting.load(Ordering::Acquire) > 0 && watch.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A descriptor of our own, because the lock of [`std::io::stderr`] would be held during a blocked
/// write.
fn stderr() -> Box<dyn Write + Send> {
    use std::os::fd::AsFd as _;
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(descriptor) => Box::new(std::fs::File::from(descriptor)),
        Err(_) => Box::new(io::stderr()),
    }
}

fn write_all(queue: &Receiver<Vec<u8>>, mut to: impl Write, state: &State) {
    let (mut told, mut is_cut) = (state.lost.load(Ordering::Relaxed), false);
    for line in queue {
        // A line that was cut must not run into this one.
        let written = match is_cut {
            true => write_line(&mut to, b"\n").and_then(|()| write_line(&mut to, &line)),
            false => write_line(&mut to, &line),
        };
        is_cut = written.is_err_and(|Cut { after }| after > 0 || is_cut);
        let is_written = written.is_ok();
        if !is_written {
            state.lost.fetch_add(1, Ordering::Relaxed);
        }
        let lost = state.lost.load(Ordering::Relaxed);
        if is_written && lost > told {
            // The message takes the queue like any other line. If it is lost too, the next one
            // counts it.
            tracing::warn!(
                lost = lost - told,
                "log lines were lost: their reader was too slow, gone, or its disk full"
            );
            told = lost;
        }
        state.waiting.fetch_sub(line.len() + LINE_OVERHEAD, Ordering::AcqRel);
    }
}

/// The result of a failed write.
#[derive(Clone, Copy)]
struct Cut {
    /// Bytes of the line that were written before the failure.
    after: usize,
}

fn write_line(to: &mut impl Write, line: &[u8]) -> Result<(), Cut> {
    let mut written = 0;
    while let Some(rest) = line.get(written..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => return Err(Cut { after: written }),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Another process that shares the descriptor made it non-blocking. Only the queue fills
            // meanwhile.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(_) => return Err(Cut { after: written }),
        }
    }
    Ok(())
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// One line, which the formatter writes in one piece.
pub(super) struct Line<'a>(&'a Output);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use parking_lot::Mutex;

    /// A disk that has room for this many more bytes.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

    impl Disk {
        fn has_room_for(&self, bytes: usize) {
            self.0.lock().0 = bytes;
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().1.clone()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (room, written) = &mut *self.0.lock();
            let fits = bytes.len().min(*room);
            if fits == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            *room -= fits;
            written.extend_from_slice(&bytes[..fits]);
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn counter() -> &'static AtomicU64 {
        Box::leak(Box::default())
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_cut_lines_stay_apart() {
        let (disk, lost) = (Disk::default(), counter());
        let output = Output::start(disk.clone(), 1 << 20, lost);
        let say = |line: &[u8]| {
            output.push(line);
            output.flush(Duration::from_secs(10));
        };
        say(b"one\n");
        assert_eq!((lost.load(Ordering::Relaxed), disk.text().as_str()), (1, ""));
        disk.has_room_for(2);
        say(b"two\n");
        assert_eq!((lost.load(Ordering::Relaxed), disk.text().as_str()), (2, "tw"));
        disk.has_room_for(1000);
        say(b"three\n");
        assert_eq!((lost.load(Ordering::Relaxed), disk.text().as_str()), (2, "tw\nthree\n"));
    }

    #[test]
    fn the_queue_is_bounded_by_bytes_and_nobody_waits() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let lost = counter();
        let output = Output::start(std::fs::File::from(write), 100_000, lost);
        // A pipe holds 64 KiB, the queue 100 KB more.
        for _ in 0..1000 {
            output.push(&[b'x'; 1000]);
        }
        let dropped = lost.load(Ordering::Relaxed);
        assert!((800..=950).contains(&dropped), "{dropped}");
        drop(read);
        output.flush(Duration::from_secs(10));
        assert!(lost.load(Ordering::Relaxed) > dropped, "those in the queue are lost with the reader");
    }
}
