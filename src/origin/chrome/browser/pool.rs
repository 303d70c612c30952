//! All browsers that take captures: our own one, or several that others run. Each capture goes to the one that has the
//! least to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, select_ok};
use parking_lot::Mutex;

use super::attach::Attach;
use super::health::Rules;
use super::instance::{Browser, Lease, NoBrowser};
use super::process::{self, Launch};
use super::profile;
use super::program::{self, StartError};
use super::supervisor::{Source, Supervisor};
use crate::origin::chrome::config::Config;
use crate::origin::chrome::network::identity::Version;
use crate::origin::remote::tls;

/// Deadline of one DevTools call; the capture's own deadline is mostly sooner.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);
/// Wear of a browser that somebody else runs is theirs to look after.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// One supervisor for each browser; never none.
pub(crate) struct Pool {
    members: Vec<Supervisor>,
    captures: u64,
    turn: AtomicUsize,
    last_version: Mutex<Option<Version>>,
}

impl Pool {
    /// Begins to launch or to connect in the background. Needs a running tokio runtime.
    ///
    /// Our own browser trusts certificates whose public key has the hash `trusted_key`.
    pub(crate) fn start(config: &Config, trusted_key: Option<&str>) -> Result<Self, StartError> {
        let members = match config.remote.as_slice() {
            [] => vec![own(config, trusted_key)?],
            _ if !config.remote_unguarded => return Err(StartError::Unguarded),
            endpoints => {
                let secure = endpoints.iter().any(super::endpoint::Endpoint::is_secure);
                let tls = tls::client(secure, config.remote_ca.as_deref());
                let tls = Arc::new(tls.map_err(|error| StartError::Roots(error.to_string()))?);
                let remote = |endpoint: &super::endpoint::Endpoint| {
                    let how = Attach {
                        endpoint: endpoint.clone(),
                        tls: tls.clone(),
                        timeout: config.launch_timeout,
                        max_message: largest_message(config.limits.max_pixels),
                        call_timeout: CALL_TIMEOUT,
                    };
                    let rules = Rules { age: NEVER, memory: u64::MAX, ..rules(config) };
                    Supervisor::start(Source::Attach(how), rules)
                };
                tracing::warn!(
                    "pages in remote browsers reach whatever those browsers' network lets them reach"
                );
                endpoints.iter().map(remote).collect()
            }
        };
        let captures = if config.remote.is_empty() { config.recycle_after } else { u64::MAX };
        Ok(Pool { members, captures, turn: AtomicUsize::new(0), last_version: Mutex::default() })
    }

    /// A browser for one capture; waits while there may be one soon.
    pub(crate) async fn browser(&self) -> Result<Lease, NoBrowser> {
        loop {
            if let Some(browser) = self.least_loaded() {
                return Ok(Lease::new(browser, self.captures));
            }
            select_ok(self.members.iter().map(|member| Box::pin(member.wait()))).await?;
        }
    }

    fn least_loaded(&self) -> Option<Arc<Browser>> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.members.len().max(1);
        let (later, sooner) = self.members.split_at(first);
        // The first of equals wins, so that all have their turn.
        sooner.iter().chain(later).filter_map(Supervisor::ready).min_by_key(|browser| browser.running())
    }

    /// Browsers that take captures now.
    pub(crate) fn ready(&self) -> u64 {
        self.members.iter().filter_map(Supervisor::ready).count() as u64
    }

    /// The process id of our own browser that takes captures now.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.members.iter().find_map(Supervisor::ready)?.pid
    }

    /// Browsers launched, or connected to, after the first of each member.
    pub(crate) fn restarts(&self) -> u64 {
        self.members.iter().map(Supervisor::restarts).sum()
    }

    /// Browsers given up because they hung or failed their check.
    pub(crate) fn unhealthy(&self) -> u64 {
        self.members.iter().map(Supervisor::unhealthy).sum()
    }

    /// How the browsers name themselves, or did last; waits for the first one. None if there never was one.
    pub(crate) async fn version(&self) -> Option<Version> {
        loop {
            let version = self.known_version();
            if version.is_some() {
                return version;
            }
            select_ok(self.members.iter().map(|member| Box::pin(member.wait()))).await.ok()?;
        }
    }

    fn known_version(&self) -> Option<Version> {
        let ready = self.members.iter().find_map(Supervisor::ready).map(|browser| browser.version.clone());
        let mut last = self.last_version.lock();
        if ready.is_some() {
            last.clone_from(&ready);
        }
        last.clone()
    }

    /// Ends every browser of ours and every connection, and waits until they are gone.
    pub(crate) async fn shutdown(&self) {
        join_all(self.members.iter().map(Supervisor::shutdown)).await;
    }
}

fn own(config: &Config, trusted_key: Option<&str>) -> Result<Supervisor, StartError> {
    let program = program::find(config)?;
    let sandboxed = program::sandboxed(config, rustix::process::geteuid().is_root())?;
    if !sandboxed {
        tracing::warn!("Chrome runs WITHOUT ITS SANDBOX: a page that breaks out of it is this user");
    }
    let profiles = std::env::temp_dir();
    profile::remove_stale(&profiles);
    process::adopt_orphans();
    let launch = Launch {
        program,
        sandboxed,
        max_process_memory: config.max_page_memory,
        trusted_key: trusted_key.map(str::to_owned),
        profiles,
        visitor: config.visitor.clone(),
        timeout: config.launch_timeout,
        max_message: largest_message(config.limits.max_pixels),
        call_timeout: CALL_TIMEOUT,
    };
    Ok(Supervisor::start(Source::Launch(launch), rules(config)))
}

fn rules(config: &Config) -> Rules {
    Rules {
        interval: config.health_interval,
        timeout: config.health_timeout,
        age: config.recycle_age,
        memory: config.recycle_memory,
    }
}

/// Bytes of the largest message from the browser: a picture that does not compress, in base64.
fn largest_message(max_pixels: u64) -> usize {
    let bytes = max_pixels.saturating_mul(4).saturating_mul(4) / 3;
    usize::try_from(bytes.saturating_add(4 << 20)).unwrap_or(usize::MAX)
}
