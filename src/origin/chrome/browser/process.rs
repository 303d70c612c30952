//! One browser process: launched into a group of its own, driven over a pipe, and ended with all its children.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpgid};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::instance::{Browser, Fate, NoAnswer, NoBrowser};
use super::profile::Profile;
use super::{program, watchdog};
use crate::origin::chrome::network::identity::{self, Version};
use crate::origin::chrome::network::visitor::DefaultVisitor;
use crate::origin::chrome::protocol::client::Devtools;
use crate::origin::chrome::protocol::commands::GetVersion;
use crate::tasks;

/// DevTools speaks on descriptors 3 and 4. The shell moves our pipes there and becomes the browser, so that
/// no unsafe code has to.
const ONTO_3_AND_4: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;
/// Bytes of one line that the browser prints.
const MAX_LINE: u64 = 4096;
/// Last lines that are kept for an error's text.
const KEPT_LINES: usize = 5;
/// Time for the members of a killed group to be gone.
const REAP_TIMEOUT: Duration = Duration::from_secs(5);
/// Looks at the members of a killed group, and the pause between them, where nothing can be awaited.
const DROP_TRIES: u32 = 100;
const DROP_PAUSE: Duration = Duration::from_millis(5);

/// How to launch.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) sandboxed: bool,
    /// Bytes that one process may take.
    pub(crate) max_process_memory: u64,
    /// See [`program::arguments`].
    pub(crate) trusted_key: Option<String>,
    pub(crate) profiles: PathBuf,
    /// Who visits where no page is told otherwise.
    pub(crate) visitor: DefaultVisitor,
    pub(crate) timeout: Duration,
    pub(crate) max_message: usize,
    pub(crate) call_timeout: Duration,
}

/// Launches a browser and waits until it answers, or until `stop`. The [`Owner`] has to be run: it ends
/// the process.
pub(crate) async fn launch(
    launch: &Launch,
    mut stop: watch::Receiver<bool>,
) -> Result<(Arc<Browser>, Owner), NoBrowser> {
    let profile = Profile::create(&launch.profiles).map_err(|error| NoBrowser::Profile(error.to_string()))?;
    let shared_memory = program::has_shared_memory();
    // Shared and service workers say what the browser was started with, whatever a page is told.
    let user_agent = match &launch.visitor.user_agent {
        Some(given) => Some(given.clone()),
        None => program::version(&launch.program).await.map(|number| identity::local_user_agent(&number)),
    };
    let mut child = Command::new("/bin/sh")
        .args(["-c", ONTO_3_AND_4])
        .arg(&launch.program)
        .args(program::arguments(
            profile.path(),
            launch.sandboxed,
            shared_memory,
            launch.trusted_key.as_deref(),
        ))
        .args(program::visitor(user_agent.as_deref(), &launch.visitor.languages))
        .env_clear()
        .envs(program::environment(profile.path()))
        .current_dir(profile.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| NoBrowser::Process(error.to_string()))?;
    let (Some(output), Some(input), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(NoBrowser::Pipes);
    };
    let pid = child.id().unwrap_or_default();
    let group = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(NoBrowser::ProcessId)?;
    let (said, listener) = Said::listen(stderr);
    let devtools = Devtools::connect(input, output, launch.max_message, launch.call_timeout);
    let process = Process { child, group, profile };
    let cause = tokio::select! {
        answer = devtools.call(None, GetVersion {}) => match answer {
            Ok(version) => {
                tracing::info!(pid, product = version.product, program = %launch.program.display(), "browser ready");
                let closed = Box::pin(devtools.closed());
                let (browser, fate) = Browser::new(devtools, Some(pid), Version::of(version));
                let watched = Arc::downgrade(&browser);
                let bounded = Box::pin(watchdog::bound_memory(watched, launch.max_process_memory));
                let held = Held::Process(Box::new(process));
                return Ok((browser, Owner { closed, fate, bounded, held }));
            }
            Err(error) => error.into(),
        },
        () = tokio::time::sleep(launch.timeout) => NoAnswer::Late(launch.timeout),
        _ = stop.wait_for(|stop| *stop) => NoAnswer::Stopping,
    };
    process.end().await;
    // The group is gone, so what it said ends.
    let _ = tokio::time::timeout(REAP_TIMEOUT, listener).await;
    let program = launch.program.display().to_string();
    Err(NoBrowser::Start { program, cause, said: said.last() })
}

/// Ends a browser: when its connection closes, when it is condemned, when nobody holds it, or when all stops.
pub(crate) struct Owner {
    pub(crate) closed: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
    pub(crate) fate: watch::Receiver<Fate>,
    /// Bounds its memory meanwhile.
    pub(crate) bounded: std::pin::Pin<Box<dyn Future<Output = Infallible> + Send>>,
    pub(crate) held: Held,
}

/// What an owner has to end.
pub(crate) enum Held {
    /// A process of our own.
    Process(Box<Process>),
    /// A connection to somebody else's; dropping this closes it.
    Connection { _open: watch::Sender<()> },
}

impl Owner {
    /// Waits for the end, and brings it about. `stop` ends it at once.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.closed => {}
            // An error means that the browser was dropped by all who held it.
            _ = self.fate.wait_for(|fate| *fate == Fate::Condemned) => {}
            _ = stop.wait_for(|stop| *stop) => {}
            never = self.bounded => match never {},
        }
        if let Held::Process(process) = self.held {
            process.end().await;
        }
    }
}

/// A process with all its children, and the profile that goes with it.
pub(crate) struct Process {
    child: Child,
    group: Pid,
    profile: Profile,
}

impl Process {
    /// Kills the group and waits until all of it is gone, then removes the profile.
    async fn end(mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
        let status = self.child.wait().await;
        let pid = self.group.as_raw_nonzero().get();
        tracing::debug!(pid, status = ?status.ok(), "browser ended");
        let _ = tokio::time::timeout(REAP_TIMEOUT, reap(self.group)).await;
    }
}

impl Drop for Process {
    // Also on the way that nobody waits for: the runtime ends, a panic. The leader is not reaped before this, so the
    // group's number is still its own. What still dies would write into the profile that goes next.
    fn drop(&mut self) {
        if self.child.id().is_none() {
            return;
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        for _ in 0..DROP_TRIES {
            let reaped = !matches!(self.child.try_wait(), Ok(None));
            if reaped && reap_some(self.group) {
                break;
            }
            std::thread::sleep(DROP_PAUSE);
        }
        tracing::trace!(profile = %self.profile.path().display(), "removing the profile");
    }
}

/// Takes in the group's orphans, which became our children (see [`adopt_orphans`]), until none is left.
async fn reap(group: Pid) {
    let mut pause = Duration::from_millis(1);
    while !reap_some(group) {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Takes in those that have died; whether that was all.
fn reap_some(group: Pid) -> bool {
    loop {
        match waitpgid(group, WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// Makes this process the parent of its browsers' orphans, so that they are reaped here: in a container there
/// is often nobody else to do it.
pub(crate) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::debug!(%error, "cannot adopt the browser's orphans");
    }
}

/// What a browser printed last.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<VecDeque<String>>>);

impl Said {
    fn listen(stderr: ChildStderr) -> (Self, JoinHandle<()>) {
        let said = Said::default();
        let lines = said.clone();
        let listener = tasks::spawn("browser-stderr", async move {
            let mut input = BufReader::new(stderr);
            let mut line = Vec::new();
            while let Ok(1..) = (&mut input).take(MAX_LINE).read_until(b'\n', &mut line).await {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                tracing::trace!(line = text, "browser");
                let mut kept = lines.0.lock();
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(text);
            }
        });
        (said, listener)
    }

    fn last(&self) -> String {
        let kept = self.0.lock();
        if kept.is_empty() {
            return String::new();
        }
        let lines: Vec<&str> = kept.iter().map(String::as_str).collect();
        format!("; it said: {}", lines.join(" | "))
    }
}
