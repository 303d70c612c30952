//! Tasks with an owner ([`Tasks`]), and the count of panics.
//!
//! Vital tasks must live: accept loops, the control plane, the keepers of browsers and of the disk.
//! If one ends without having been asked to, the process is no service any more. Then health checks
//! fail and the process ends, so that its supervisor restarts it. Other tasks may end at any time.
//! A panic in one is logged with its name, and counted.
//!
//! Everything that is spawned through this module inside of [`Tasks::scope`], or by such a task,
//! belongs to the owner. Without an owner, as in the subcommands of the command line, the end of a
//! vital task has no effect.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

use crate::telemetry::output;

tokio::task_local! {
    static OWNER: Tasks;
}

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Panics in this process since [`count_panics`], in any thread or task.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Counts every panic, and logs it once the log has started. The default hook writes to standard
/// error, where a full pipe would block it.
pub fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            if !output::is_started() {
                return before(panic);
            }
            let thread = std::thread::current();
            tracing::error!(
                message = panic.payload_as_str().unwrap_or("no message"),
                at = panic.location().map(tracing::field::display),
                thread = thread.name(),
                "panic"
            );
        }));
    });
}

/// A vital task that ended without having been asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the task.
    pub task: &'static str,
    /// The way in which it ended.
    pub how: How,
}

/// The ways in which a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The task ended by a panic.
    Panicked,
    /// The task returned its output.
    Returned,
    /// The task was dropped while it ran.
    Dropped,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            How::Panicked => "panicked",
            How::Returned => "returned",
            How::Dropped => "was dropped",
        };
        write!(f, "the task {} {how}", self.task)
    }
}

/// The owner of the tasks of one server.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    failure: watch::Sender<Option<Failure>>,
    is_ending: AtomicBool,
    vital: Mutex<Vec<(&'static str, AbortHandle)>>,
}

impl Default for Tasks {
    fn default() -> Self {
        let (failure, is_ending) = (watch::Sender::new(None), AtomicBool::new(false));
        Tasks(Arc::new(Inner { failure, is_ending, vital: Mutex::default() }))
    }
}

impl Tasks {
    /// Runs `future` and owns the tasks that it spawns.
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        OWNER.scope(self.clone(), future).await
    }

    /// The first vital task that ended without having been asked to.
    pub fn failure(&self) -> Option<Failure> {
        self.0.failure.borrow().clone()
    }

    /// Waits for the first [`failure`](Self::failure).
    pub async fn failed(&self) -> Failure {
        let mut failure = self.0.failure.subscribe();
        let failure = failure.wait_for(Option::is_some).await.ok().and_then(|failure| failure.clone());
        match failure {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }

    /// Notes that the server ends, so that the end of a vital task is no failure.
    pub fn end(&self) {
        self.0.is_ending.store(true, Ordering::Relaxed);
    }

    /// Names of the running vital tasks.
    pub fn vital(&self) -> Vec<&'static str> {
        let mut vital = self.0.vital.lock();
        vital.retain(|(_, task)| !task.is_finished());
        vital.iter().map(|(name, _)| *name).collect()
    }

    /// Ends the vital tasks called `name` as a fault would. For tests.
    #[doc(hidden)]
    pub fn cut(&self, name: &str) {
        for (_, task) in self.0.vital.lock().iter().filter(|(known, _)| *known == name) {
            task.abort();
        }
    }

    fn fail(&self, failure: Failure) {
        if self.0.is_ending.load(Ordering::Relaxed) {
            return;
        }
        tracing::error!(%failure, "a task ended that must live");
        self.0.failure.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(failure);
            is_first
        });
    }
}

/// Spawns a task that may end. A panic in it is logged with its name, and returned by the handle.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(named(name, future))
}

/// Gives `future` the same name and owner as [`spawn`], for sets of tasks.
pub fn named<F: Future + Send + 'static>(
    name: &'static str,
    future: F,
) -> impl Future<Output = F::Output> + Send + 'static {
    let owner = owner();
    async move {
        let _named = Named(name);
        match owner {
            Some(owner) => OWNER.scope(owner, future).await,
            None => future.await,
        }
    }
}

/// Spawns a task that must live until `is_told` returns true. The handle gives its output if it
/// returned.
pub fn vital<F>(
    name: &'static str,
    is_told: impl Fn() -> bool + Send + 'static,
    future: F,
) -> JoinHandle<Option<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let owner = owner();
    let mut life = Life { name, owner: owner.clone(), is_told, how: How::Dropped };
    let task = spawn(name, async move {
        let ended = match ended_by_a_test(name) {
            Some(end) => {
                let future = async move {
                    tokio::select! { output = future => output, never = end => match never {} }
                };
                AssertUnwindSafe(future).catch_unwind().await
            }
            None => AssertUnwindSafe(future).catch_unwind().await,
        };
        life.how = if ended.is_ok() { How::Returned } else { How::Panicked };
        drop(life);
        ended.ok()
    });
    if let Some(owner) = owner {
        owner.0.vital.lock().retain(|(_, task)| !task.is_finished());
        owner.0.vital.lock().push((name, task.abort_handle()));
    }
    task
}

/// The output of `future`, unless it panics.
pub async fn caught<F: Future>(future: F) -> Option<F::Output> {
    AssertUnwindSafe(future).catch_unwind().await.ok()
}

fn owner() -> Option<Tasks> {
    OWNER.try_with(Clone::clone).ok()
}

/// Logs the name of the task that panics.
struct Named(&'static str);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.0, "a task panicked");
        }
    }
}

/// A guard in a vital task. Its drop is a failure unless the task was asked to end.
struct Life<T: Fn() -> bool> {
    name: &'static str,
    owner: Option<Tasks>,
    is_told: T,
    how: How,
}

impl<T: Fn() -> bool> Drop for Life<T> {
    fn drop(&mut self) {
        if let Some(owner) = &self.owner
            && (self.how == How::Panicked || !(self.is_told)())
        {
            owner.fail(Failure { task: self.name, how: self.how });
        }
    }
}

/// In debug builds, `__TINTYPE_END_TASK=NAME:FILE` makes the task of this name panic once the file
/// exists.
#[cfg(debug_assertions)]
fn ended_by_a_test(name: &str) -> Option<impl Future<Output = std::convert::Infallible> + use<>> {
    let wish = std::env::var("__TINTYPE_END_TASK").ok()?;
    let file = wish.strip_prefix(name)?.strip_prefix(':')?.to_owned();
    Some(async move {
        while !std::path::Path::new(&file).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("ended by a test")
    })
}

#[cfg(not(debug_assertions))]
fn ended_by_a_test(_: &str) -> Option<std::future::Pending<std::convert::Infallible>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_vital_task_that_ends_untold_is_a_failure_however_it_ends() {
        for how in [How::Panicked, How::Returned, How::Dropped] {
            let tasks = Tasks::default();
            tasks
                .scope(async {
                    vital("one", || false, async move {
                        match how {
                            How::Panicked => panic!("as asked"),
                            How::Returned => {}
                            How::Dropped => std::future::pending().await,
                        }
                    });
                })
                .await;
            if how == How::Dropped {
                assert_eq!(tasks.vital(), ["one"]);
                tasks.cut("one");
            }
            assert_eq!(tasks.failed().await, Failure { task: "one", how });
            assert_eq!(tasks.vital(), [] as [&str; 0]);
        }
    }

    #[tokio::test]
    async fn ends_that_were_told_are_none() {
        let tasks = Tasks::default();
        let ends = async {
            assert_eq!(vital("told", || true, async { 7 }).await.unwrap(), Some(7));
            let last = vital("last", || false, std::future::pending::<()>());
            tasks.end();
            tasks.cut("last");
            assert!(last.await.unwrap_err().is_cancelled());
        };
        tasks.scope(ends).await;
        assert_eq!(tasks.failure(), None);
    }

    /// A task that is spawned by a task has the same owner.
    #[tokio::test]
    async fn owners_are_passed_on() {
        let tasks = Tasks::default();
        let inner = async {
            vital("inner", || false, async {}).await.unwrap();
        };
        let outer = async {
            spawn("between", inner).await.unwrap();
        };
        tasks.scope(async { spawn("outer", outer).await.unwrap() }).await;
        assert_eq!(tasks.failed().await.task, "inner");
    }

    #[tokio::test]
    async fn a_panic_stays_in_its_task_and_is_counted() {
        count_panics();
        let before = panics();
        assert!(spawn("one", async { panic!("as asked") }).await.unwrap_err().is_panic());
        assert_eq!(caught(async { panic!("as asked") }).await, None::<()>);
        assert!(panics() >= before + 2);
    }
}
