//! Another configuration for a running tintype. It is in force as a whole or not at all; what cannot change at work stays as it was.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde_json::json;
use tokio::sync::mpsc;

use super::error::Error;
use super::generation::{self, Generation, Lasting};
use super::planes::Doors;
use super::reloads::Request;
use super::shared::Shared;
use crate::admin::{Control, NotReloaded, Reloaded};
use crate::config::{Config, Problems, Sources};
use crate::listener::{BindError, Tuner};
use crate::tasks;
use crate::telemetry;

/// How often an origin that is out of use is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Why a configuration is not put in force.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{0}")]
    Config(#[from] Problems),
    #[error(transparent)]
    Listener(#[from] BindError),
    #[error(transparent)]
    Start(#[from] Error),
    #[error("nothing to reload: there is no configuration file")]
    NoSource,
}

impl From<Refused> for NotReloaded {
    fn from(refused: Refused) -> Self {
        let problems = match &refused {
            Refused::Config(problems) => problems.to_json(),
            _ => json!([]),
        };
        NotReloaded { why: refused.to_string(), problems }
    }
}

/// Does one reload after the other.
pub(super) struct Reloader {
    pub(super) shared: Arc<Shared>,
    pub(super) lasting: Lasting,
    pub(super) doors: Arc<ArcSwap<Doors>>,
    pub(super) data: Tuner,
    pub(super) control: Option<Tuner>,
    pub(super) sources: Option<Sources>,
}

impl Reloader {
    /// Serves `requests` for reloads until the process stops.
    pub(super) async fn run(self, mut requests: mpsc::Receiver<Request>) {
        let mut stopping = self.lasting.stopping.clone();
        loop {
            let request = tokio::select! {
                request = requests.recv() => request,
                _ = stopping.wait_for(|stopping| *stopping) => None,
            };
            let Some(answer) = request else { return };
            let outcome = self.reload().await.map_err(NotReloaded::from);
            match &outcome {
                Ok(Reloaded { needs_restart }) if needs_restart.is_empty() => {
                    tracing::info!("the configuration was reloaded");
                }
                Ok(Reloaded { needs_restart }) => tracing::warn!(
                    "the configuration was reloaded, but for what needs a restart: {}",
                    needs_restart.join(", ")
                ),
                Err(NotReloaded { why, .. }) => {
                    tracing::error!(
                        "the configuration stays as it was, the new one is refused: {}",
                        why.trim_end()
                    );
                }
            }
            self.shared.reloads.note(self.lasting.clock.now(), outcome.clone());
            let _ = answer.send(outcome);
        }
    }

    async fn reload(&self) -> Result<Reloaded, Refused> {
        let sources = self.sources.clone().ok_or(Refused::NoSource)?;
        let read = tokio::task::spawn_blocking(move || Config::read(&sources)).await;
        let mut config = read.map_err(|_| Refused::NoSource)??;
        let old = self.shared.current.load_full();
        let needs_restart = keep_what_stays(&old.config, &mut config);

        // First all that can fail, then the switch.
        let data = Tuner::prepare(config.server.clone())?;
        let control =
            config.admin.as_ref().map(|admin| Tuner::prepare(admin.listener.clone())).transpose()?;
        let upstreams = generation::upstreams(&config.upstreams, &old.upstreams, &self.lasting.clock)?;
        let fresh = generation::others(&upstreams, &old.upstreams);
        let next = async {
            for upstream in &upstreams {
                if !old.upstreams.iter().any(|known| Arc::ptr_eq(&known.origin, &upstream.origin)) {
                    upstream.ready().await?;
                }
            }
            old.next(config, upstreams.clone(), &self.lasting)
        };
        let next = match next.await {
            Ok(next) => next,
            Err(error) => {
                generation::end(&fresh).await;
                return Err(error.into());
            }
        };

        if let Err(error) = telemetry::set_level(&next.config.log.level) {
            tracing::warn!(%error, "the level of the log stays as it was");
        }
        self.data.apply(data);
        if let (Some(tuner), Some(tuning)) = (&self.control, control) {
            tuner.apply(tuning);
        }
        let control = Arc::clone(&self.shared) as Arc<dyn Control>;
        self.shared.jobs.set(next.config.jobs.clone(), next.for_captures());
        let before = self.doors.load();
        let doors = Doors::new(&next.config, &control, &self.lasting.clock, &self.shared.jobs, Some(&before));
        self.doors.store(Arc::new(doors));
        self.shared.current.store(Arc::new(next));
        self.retire(old, &upstreams);
        Ok(Reloaded { needs_restart })
    }

    /// Shuts down what `old` had and the one in force has not, once nobody uses it.
    fn retire(&self, old: Arc<Generation>, kept: &[generation::Running]) {
        let gone = generation::others(&old.upstreams, kept);
        if gone.is_empty() {
            return;
        }
        self.shared.retiring.lock().extend(gone.iter().cloned());
        let (proxy, shared) = (old.proxy.in_use(), Arc::clone(&self.shared));
        drop(old);
        let mut stopping = self.lasting.stopping.clone();
        tasks::spawn("retired-upstreams", async move {
            let unused = async {
                while proxy.strong_count() > 0 {
                    tokio::time::sleep(LOOK).await;
                }
            };
            let is_unused = tokio::select! {
                () = unused => true,
                // Then they are shut down with all others.
                _ = stopping.wait_for(|stopping| *stopping) => false,
            };
            if is_unused {
                generation::end(&gone).await;
                shared.retiring.lock().retain(|one| !gone.iter().any(|gone| Arc::ptr_eq(gone, one)));
            }
        });
    }
}

/// Sets what cannot change at work to what it `is` in the configuration that is `wanted`, and names it.
fn keep_what_stays(is: &Config, wanted: &mut Config) -> Vec<String> {
    let mut kept = Vec::new();
    macro_rules! keep {
        ($($name:literal $is:expr, $wanted:expr;)*) => {$(
            if $wanted != $is {
                $wanted = $is.clone();
                kept.push($name.to_owned());
            }
        )*};
    }
    keep! {
        "server.listen" is.server.listen, wanted.server.listen;
        "server.reuse_port" is.server.reuse_port, wanted.server.reuse_port;
        "server.backlog" is.server.backlog, wanted.server.backlog;
        "server.watch_config" is.watch, wanted.watch;
        "store.dir" is.store.dir, wanted.store.dir;
        "jobs.concurrency" is.jobs.concurrency, wanted.jobs.concurrency;
        "store.memory" is.store.memory_bytes, wanted.store.memory_bytes;
        "store.disk" is.store.disk_bytes, wanted.store.disk_bytes;
        "store.block" is.store.block_bytes, wanted.store.block_bytes;
        "store.write_buffer" is.store.write_buffer_bytes, wanted.store.write_buffer_bytes;
        "store.max_ledger_entries" is.store.max_ledger_entries, wanted.store.max_ledger_entries;
        "store.max_listed" is.store.max_listed, wanted.store.max_listed;
        "store.canary_interval" is.store.canary_interval, wanted.store.canary_interval;
        "log.format" is.log.format, wanted.log.format;
        "log.max_buffer" is.log.max_buffer, wanted.log.max_buffer;
    }
    // Of no use to a store that is open.
    wanted.store.lock_timeout = is.store.lock_timeout;
    match (&is.admin, &mut wanted.admin) {
        (None, None) => {}
        (Some(is), Some(wanted)) => {
            if wanted.listener.listen != is.listener.listen {
                wanted.listener.listen = is.listener.listen;
                kept.push("admin.listen".to_owned());
            }
        }
        (is, wanted) => {
            *wanted = (*is).clone();
            kept.push("admin.enabled".to_owned());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_change_at_work_stays_and_is_named() {
        let config = |text: &str| {
            let rest = "[upstream.a]\nkind = \"remote\"\nurl = \"http://127.0.0.1:1\"\n[route.a]\nupstream = \"a\"\n";
            Config::from_toml(&format!("{text}\n{rest}")).unwrap_or_else(|problems| panic!("{problems}"))
        };
        let is = config("[store]\ndir = \"\"");
        for (text, names) in [
            ("[store]\ndir = \"\"", &[][..]),
            ("[store]\ndir = \"\"\ncollapse_timeout = \"5s\"", &[]),
            ("[store]\ndir = \"\"\nmemory = \"100MiB\"", &["store.memory"]),
            ("[store]\ndir = \"\"\n[log]\nformat = \"json\"\nlevel = \"debug\"", &["log.format"]),
            ("[store]\ndir = \"\"\n[admin]\nenabled = false", &["admin.enabled"]),
            ("[store]\ndir = \"\"\n[admin]\nlisten = \"127.0.0.1:1\"", &["admin.listen"]),
            (
                "[server]\nlisten = \"127.0.0.1:1\"\nbacklog = 3\nidle_timeout = \"5s\"\n[store]\ndir = \"x\"",
                &["server.listen", "server.backlog", "store.dir"],
            ),
        ] {
            let mut wanted = config(text);
            assert_eq!(keep_what_stays(&is, &mut wanted), names, "{text}");
            assert_eq!(keep_what_stays(&is, &mut wanted), &[] as &[String], "{text}");
        }
    }
}
