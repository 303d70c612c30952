//! One running browser as its users see it: a connection, how it stands, and what it has done.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::process_memory::Role;
use crate::origin::chrome::network::identity::Version;
use crate::origin::chrome::protocol::client::{CallError, Devtools};
use crate::origin::chrome::protocol::commands::CreateBrowserContext;

/// Why there is no browser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoBrowser {
    /// There is no place for its profile.
    #[error("{0}")]
    Profile(String),
    /// No process could be made.
    #[error("cannot start a process: {0}")]
    Process(String),
    /// The process has no pipes.
    #[error("no pipes to the browser")]
    Pipes,
    /// The process has no id.
    #[error("no process id")]
    ProcessId,
    /// The process did not become a browser that answers; with what it printed last.
    #[error("{program} did not start: {cause}{said}")]
    Start {
        /// Its path.
        program: String,
        /// Why.
        cause: NoAnswer,
        /// Its last lines, with what leads to them.
        said: String,
    },
    /// A remote browser could not be reached.
    #[error("no browser at {endpoint}: {cause}")]
    Remote {
        /// Where it should be.
        endpoint: String,
        /// Why.
        cause: NoAnswer,
    },
    /// Nothing looks after browsers any more.
    #[error("the browser's keeper is gone")]
    KeeperGone,
    /// The engine ends.
    #[error("the engine has stopped")]
    Stopped,
}

/// Why a browser did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It took too long.
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The process ends.
    #[error("tintype stops")]
    Stopping,
    /// The connection could not be made.
    #[error("{0}")]
    Connection(String),
    /// It refused the first call, or ended.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// How a browser stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It takes captures.
    Serving,
    /// It did its share, or grew too old or too large; it takes captures until its successor is there.
    Worn,
    /// Its pages render no more; it finishes what it can, and takes nothing new.
    Sick,
    /// It no longer answers; it is killed.
    Condemned,
}

/// A process that serves all pages took more memory than one page may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outgrown {
    pub(crate) role: Role,
    /// Captures under way at that moment.
    pub(crate) running: u64,
}

/// A running browser. When the last holder drops it, its process ends.
pub(crate) struct Browser {
    pub(crate) devtools: Devtools,
    /// Its process and process group; none if somebody else runs it.
    pub(crate) pid: Option<u32>,
    /// As it names itself.
    pub(crate) version: Version,
    taken: AtomicU64,
    running: AtomicU64,
    pictures: AtomicU64,
    culled: AtomicU64,
    outgrown: OnceLock<Outgrown>,
    busy: Arc<Notify>,
    doubts: Notify,
    fate: watch::Sender<Fate>,
}

impl Browser {
    /// A browser that serves, and its fate to be watched by who owns the process.
    pub(crate) fn new(
        devtools: Devtools,
        pid: Option<u32>,
        version: Version,
    ) -> (Arc<Self>, watch::Receiver<Fate>) {
        let (fate, watched) = watch::channel(Fate::Serving);
        let zero = AtomicU64::default;
        let browser = Browser {
            devtools,
            pid,
            version,
            taken: zero(),
            running: zero(),
            pictures: zero(),
            culled: zero(),
            outgrown: OnceLock::new(),
            busy: Arc::default(),
            doubts: Notify::new(),
            fate,
        };
        (Arc::new(browser), watched)
    }

    /// What a context is made with. Our own browser sends everything through `exit`; one that runs elsewhere could not
    /// reach it, its network is the guard.
    pub(crate) fn context(&self, exit: SocketAddr) -> CreateBrowserContext {
        match self.pid {
            Some(_) => CreateBrowserContext::through(exit),
            None => CreateBrowserContext::direct(),
        }
    }

    /// Has it killed: it does not answer any more.
    pub(crate) fn condemn(&self) {
        self.turn(Fate::Condemned);
    }

    /// Has it replaced, at the next opportunity ([`Fate::Worn`]) or before the next capture ([`Fate::Sick`]).
    /// Nothing gets better again.
    pub(crate) fn turn(&self, to: Fate) {
        self.fate.send_if_modified(|fate| {
            let worse = (*fate as u8) < (to as u8);
            if worse {
                *fate = to;
            }
            worse
        });
    }

    /// How it stands.
    pub(crate) fn fate(&self) -> Fate {
        *self.fate.borrow()
    }

    /// Whether a capture may begin on it.
    pub(crate) fn is_open(&self) -> bool {
        !self.devtools.is_closed() && matches!(self.fate(), Fate::Serving | Fate::Worn)
    }

    /// Waits until another browser is needed. Holds nothing of this one meanwhile.
    pub(crate) fn outlived(&self) -> impl Future<Output = ()> + Send + 'static {
        self.left(|fate| *fate != Fate::Serving)
    }

    /// Waits until no capture may begin on it. Holds nothing of it meanwhile.
    pub(crate) fn shut(&self) -> impl Future<Output = ()> + Send + 'static {
        self.left(|fate| matches!(fate, Fate::Sick | Fate::Condemned))
    }

    fn left(&self, is_left: fn(&Fate) -> bool) -> impl Future<Output = ()> + Send + 'static {
        let (closed, mut fate) = (self.devtools.closed(), self.fate.subscribe());
        async move {
            tokio::select! {
                () = closed => {}
                _ = fate.wait_for(is_left) => {}
            }
        }
    }

    /// Captures under way.
    pub(crate) fn running(&self) -> u64 {
        self.running.load(Ordering::Relaxed)
    }

    /// Pictures that it made, each a proof of health.
    pub(crate) fn pictures(&self) -> u64 {
        self.pictures.load(Ordering::Relaxed)
    }

    /// Renderers that were killed for what they took.
    pub(crate) fn culled(&self) -> u64 {
        self.culled.load(Ordering::SeqCst)
    }

    /// Counts one, before it is killed.
    pub(crate) fn count_culled(&self) {
        self.culled.fetch_add(1, Ordering::SeqCst);
    }

    /// Has it killed, as its process for `role` took too much memory.
    pub(crate) fn outgrow(&self, role: Role) {
        let _ = self.outgrown.set(Outgrown { role, running: self.running() });
        self.condemn();
    }

    /// Why it was killed, if that was for the memory that it took.
    pub(crate) fn outgrown(&self) -> Option<Outgrown> {
        self.outgrown.get().copied()
    }

    /// Notified when a capture begins.
    pub(crate) fn busy(&self) -> Arc<Notify> {
        self.busy.clone()
    }

    /// Asks for a look at it soon.
    pub(crate) fn doubt(&self) {
        self.doubts.notify_one();
    }

    /// Waits until a capture ended in a way that may be the browser's fault.
    pub(crate) async fn doubted(&self) {
        self.doubts.notified().await;
    }
}

/// A browser for the time of one capture. One that is dropped before [`Lease::settle`] casts doubt on the browser.
pub(crate) struct Lease {
    pub(crate) browser: Arc<Browser>,
    settled: bool,
}

impl Lease {
    /// Counts one capture; with the `limit`th the browser is worn.
    pub(crate) fn new(browser: Arc<Browser>, limit: u64) -> Self {
        browser.running.fetch_add(1, Ordering::Relaxed);
        browser.busy.notify_one();
        if browser.taken.fetch_add(1, Ordering::Relaxed) + 1 >= limit {
            browser.turn(Fate::Worn);
        }
        Lease { browser, settled: false }
    }

    /// The capture ended, with a picture or for a reason that lies with the page.
    pub(crate) fn settle(mut self, picture: bool) {
        self.settled = true;
        self.browser.pictures.fetch_add(u64::from(picture), Ordering::Relaxed);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.browser.running.fetch_sub(1, Ordering::Relaxed);
        if !self.settled {
            self.browser.doubt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::time::Duration;

    fn browser() -> (Arc<Browser>, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (input, output) = tokio::io::split(near);
        let devtools = Devtools::connect(input, output, 1 << 16, Duration::from_secs(60));
        (Browser::new(devtools, Some(1), Version::default()).0, far)
    }

    #[tokio::test]
    async fn a_fate_only_gets_worse() {
        use Fate::*;
        for (turns, expected, open) in [
            (&[][..], Serving, true),
            (&[Worn], Worn, true),
            (&[Worn, Serving], Worn, true),
            (&[Sick, Worn], Sick, false),
            (&[Worn, Sick], Sick, false),
            (&[Condemned, Sick], Condemned, false),
        ] {
            let (browser, _far) = browser();
            for turn in turns {
                browser.turn(*turn);
            }
            assert_eq!((*browser.fate.borrow(), browser.is_open()), (expected, open), "{turns:?}");
            assert_eq!(browser.outlived().now_or_never().is_some(), expected != Serving, "{turns:?}");
            assert_eq!(browser.shut().now_or_never().is_some(), !open, "{turns:?}");
        }
    }

    #[tokio::test]
    async fn leases_count_wear_and_doubt() {
        let (browser, _far) = browser();
        Lease::new(browser.clone(), 3).settle(true);
        Lease::new(browser.clone(), 3).settle(false);
        assert_eq!((browser.pictures(), browser.running()), (1, 0));
        assert!(browser.doubted().now_or_never().is_none());
        assert!(browser.outlived().now_or_never().is_none());
        let third = Lease::new(browser.clone(), 3);
        assert_eq!(browser.running(), 1);
        assert!(browser.outlived().now_or_never().is_some());
        drop(third);
        assert!(browser.doubted().now_or_never().is_some());
    }

    #[tokio::test]
    async fn only_our_own_browser_is_told_the_exit() {
        let (own, _far) = browser();
        let exit = "127.0.0.1:9".parse().unwrap();
        assert_eq!(own.context(exit).proxy_server.as_deref(), Some("http://127.0.0.1:9"));
        let (other, _) = Browser::new(own.devtools.clone(), None, Version::default());
        assert_eq!(other.context(exit), CreateBrowserContext::direct());
    }
}
