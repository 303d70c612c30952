//! Events that tests wait for.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;

/// Holds whoever waits at it until a test opens it; once open it stays open. Clones are the same gate.
///
/// ```ignore
/// let gate = Gate::new();
/// let origin = ScriptedOrigin::start({ let gate = gate.clone(); move |_| Reply::ok("late").hold(&gate) }).await;
/// // ... two clients ask, `origin.received(1).await` proves that one request is under way ...
/// gate.open();
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Gate(watch::Sender::new(false))
    }

    /// Lets all pass who wait, and all who come later.
    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the gate is open, however long that takes.
    pub(crate) async fn wait(&self) {
        let mut state = self.0.subscribe();
        state.wait_for(|open| *open).await.expect("this gate holds its own sender");
    }
}

/// What `future` gives; fails the test if that takes longer than ten seconds.
#[track_caller]
pub(crate) fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    within_time(Duration::from_secs(10), what, future)
}

/// The same for what starts or ends a process.
#[track_caller]
pub(crate) fn within_long<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    within_time(Duration::from_secs(60), what, future)
}

#[track_caller]
fn within_time<F: Future>(limit: Duration, what: &str, future: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        tokio::time::timeout(limit, future)
            .await
            .unwrap_or_else(|_| panic!("{place}: waited too long for {what}"))
    }
}
