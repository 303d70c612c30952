//! What is watched while captures are under way:
//! - that the browser speaks at all. One that answers nothing is given up while there is time for another try; a page
//!   that takes long is none of its faults;
//! - that no page takes all memory. A renderer that takes too much is killed, and nothing else with it. Of a process
//!   that serves all pages nobody can tell which of them made it grow, so the whole browser is replaced.

use std::convert::Infallible;
use std::sync::Weak;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::instance::Browser;
use super::process_memory::{Processes, Role};
use crate::clock::Stopwatch;
use crate::origin::chrome::protocol::commands::GetVersion;

/// Bounds of the silence before a browser is asked, and of the time that it has to answer.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5);

/// Time between two looks at the memory of a browser's processes. Pages were measured to take up to 2.3 GiB in a
/// second on two cores. A look reads one small file for each of some eight processes.
const LOOK: Duration = Duration::from_millis(100);

/// How long a browser may be silent under a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Silence after which it is asked whether it is there.
    silence: Duration,
    /// Time for its answer.
    answer: Duration,
}

impl Patience {
    /// A quarter of the deadline each, so that half of it is left for a second try.
    pub(crate) fn new(deadline: Duration, health_timeout: Duration) -> Self {
        let quarter = (deadline / 4).clamp(SHORTEST, LONGEST);
        Patience { silence: quarter, answer: quarter.min(health_timeout) }
    }
}

/// Has no process of `browser` take more than `limit` bytes, until this is dropped. Looks only while captures are under
/// way, or much is still taken after them.
pub(crate) async fn bound_memory(browser: Weak<Browser>, limit: u64) -> Infallible {
    let Some((leader, busy)) = browser.upgrade().and_then(|browser| Some((browser.pid?, browser.busy())))
    else {
        // Browsers that somebody else runs are theirs to look after.
        return std::future::pending().await;
    };
    let (mut processes, mut most) = (Processes::new(leader), 0);
    loop {
        match browser.upgrade().map(|browser| browser.running()) {
            None => return std::future::pending().await,
            Some(0) if most <= limit / 2 => {
                busy.notified().await;
                continue;
            }
            Some(_) => {}
        }
        let above;
        (processes, above, most) = processes.above(limit).await;
        let Some(browser) = browser.upgrade() else { continue };
        for (process, role) in above {
            let (pid, bytes) = (process.pid, process.bytes);
            tracing::warn!(pid, bytes, limit, process = role.name(), "a page takes too much memory");
            match role {
                Role::Renderer => {
                    browser.count_culled();
                    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
                    let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
                }
                Role::Gpu | Role::Browser | Role::Utility => browser.outgrow(role),
            }
        }
        drop(browser);
        tokio::time::sleep(LOOK).await;
    }
}

/// Watches `browser` until this is dropped, and has it killed if it is mute: whatever waits for it then ends.
pub(crate) async fn keep(browser: &Browser, patience: Patience) -> Infallible {
    let since = Stopwatch::start();
    loop {
        // Before the capture there may have been nothing to say.
        let silence = browser.devtools.silence().min(since.elapsed());
        if silence < patience.silence {
            tokio::time::sleep(patience.silence - silence).await;
            continue;
        }
        // The answer of the browser itself: no page has a part in it.
        let answer = browser.devtools.call(None, GetVersion {});
        match tokio::time::timeout(patience.answer, answer).await {
            Ok(Ok(_)) => {}
            // Something came after all: it is slow, not dead.
            Err(_) if browser.devtools.silence() < patience.answer => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    if !browser.devtools.is_closed() {
        tracing::warn!(pid = browser.pid, ?patience, "the browser hangs under a capture");
        browser.condemn();
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::chrome::browser::instance::Fate;
    use crate::origin::chrome::protocol::client::Devtools;
    use crate::origin::chrome::protocol::pipe::Messages;
    use futures_util::FutureExt;
    use serde_json::json;
    use tokio::io::AsyncWriteExt;

    #[test]
    fn half_of_a_deadline_is_left() {
        let secs = Duration::from_secs;
        for (deadline, health, silence, answer) in [
            (secs(30), secs(10), secs(5), secs(5)),
            (secs(8), secs(10), secs(2), secs(2)),
            (secs(8), secs(1), secs(2), secs(1)),
            (secs(1), secs(10), secs(1), secs(1)),
            (secs(600), secs(300), secs(5), secs(5)),
        ] {
            assert_eq!(Patience::new(deadline, health), Patience { silence, answer }, "{deadline:?}");
        }
    }

    /// A browser that answers `answers` calls, then nothing more.
    async fn fate_after(answers: usize, calls: usize) -> Fate {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (input, output) = tokio::io::split(near);
        let devtools = Devtools::connect(input, output, 1 << 16, Duration::from_secs(60));
        let (browser, _fate) = Browser::new(devtools, Some(1), Default::default());
        let (input, mut output) = tokio::io::split(far);
        let mut input = Messages::new(input, 1 << 16);
        let play = async {
            for number in 0..calls {
                let message = input.next().await.unwrap().unwrap();
                let call: serde_json::Value = serde_json::from_slice(&message).unwrap();
                assert_eq!(call["method"], "Browser.getVersion");
                if number < answers {
                    let answer = json!({ "id": call["id"], "result": {} });
                    output.write_all(format!("{answer}\0").as_bytes()).await.unwrap();
                }
            }
            if answers < calls {
                browser.shut().await;
            }
        };
        let patience = Patience { silence: Duration::from_millis(20), answer: Duration::from_millis(200) };
        tokio::select! {
            never = keep(&browser, patience) => match never {},
            () = play => {}
        }
        assert!(keep(&browser, patience).now_or_never().is_none());
        browser.fate()
    }

    #[tokio::test]
    async fn only_silence_condemns() {
        assert_eq!(fate_after(3, 3).await, Fate::Serving);
        assert_eq!(fate_after(2, 3).await, Fate::Condemned);
    }
}
