//! What a reload replaces as a whole: routes, origins, and everything that is decided by them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::error::Error;
use crate::clock::{Clock, Stopwatch};
use crate::config::{Config, Upstream};
use crate::jobs;
use crate::origin::{Origin, chrome, remote};
use crate::policy::rules::Lifetime;
use crate::proxy::route::Routes;
use crate::proxy::{Proxy, Route};
use crate::purge::Purger;
use crate::store::Store;
use crate::telemetry::access::AccessLog;
use crate::telemetry::counters::Counters;

/// How often an origin that was just started is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What lasts as long as the process, whatever is configured.
#[derive(Clone)]
pub(super) struct Lasting {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counters: Arc<Counters>,
    pub(super) stopping: watch::Receiver<bool>,
}

/// One configuration at work.
pub(super) struct Generation {
    pub(super) proxy: Arc<Proxy>,
    pub(super) upstreams: Vec<Running>,
    pub(super) access: AccessLog,
    pub(super) purger: Purger,
    /// How long a capture is fresh, for the forms of figures that say so.
    pub(super) ttl: Option<Duration>,
    /// What it was made from.
    pub(super) config: Config,
}

/// An origin at work.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) name: String,
    pub(super) origin: Arc<dyn Origin>,
    /// What it was made from.
    config: Upstream,
}

impl Running {
    /// Sets one up. It may not be ready yet.
    fn start(name: &str, config: &Upstream, clock: &Arc<dyn Clock>) -> Result<Self, Error> {
        let name = name.to_owned();
        let origin: Arc<dyn Origin> = match config.clone() {
            Upstream::Remote(config) => match remote::Remote::with_clock(*config, Arc::clone(clock)) {
                Ok(remote) => Arc::new(remote),
                Err(source) => return Err(Error::Remote { name, source }),
            },
            Upstream::Chrome(config) => match chrome::Engine::start(*config, Arc::clone(clock)) {
                Ok(engine) => engine,
                Err(source) => return Err(Error::Chrome { name, source }),
            },
        };
        Ok(Running { name, origin, config: config.clone() })
    }

    fn is_told_host(&self) -> bool {
        matches!(&self.config, Upstream::Remote(config) if config.preserve_host)
    }

    /// Waits until it could take a request, where that is ours to bring about.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        let Upstream::Chrome(config) = &self.config else { return Ok(()) };
        let waited = Stopwatch::start();
        while !self.origin.is_ready() {
            if waited.elapsed() >= config.launch_timeout {
                return Err(Error::NotReady { name: self.name.clone(), after: config.launch_timeout });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

/// Every origin that is `wanted`, of those that are `running` already the ones whose configuration is the same.
pub(super) fn upstreams(
    wanted: &[(String, Upstream)],
    running: &[Running],
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Running>, Error> {
    let one = |(name, config): &(String, Upstream)| {
        let known = running.iter().find(|known| known.name == *name && known.config == *config);
        known.map_or_else(|| Running::start(name, config, clock), |known| Ok(known.clone()))
    };
    wanted.iter().map(one).collect()
}

/// Those of `all` that are not among `kept`.
pub(super) fn others(all: &[Running], kept: &[Running]) -> Vec<Arc<dyn Origin>> {
    let is_kept = |one: &&Running| kept.iter().any(|kept| Arc::ptr_eq(&kept.origin, &one.origin));
    all.iter().filter(|one| !is_kept(one)).map(|one| Arc::clone(&one.origin)).collect()
}

/// Shuts `origins` down.
pub(super) async fn end(origins: &[Arc<dyn Origin>]) {
    join_all(origins.iter().map(|origin| origin.shutdown())).await;
}

fn routes(config: &Config, upstreams: &[Running]) -> Result<Routes, Error> {
    Routes::new(&config.proxy, |name| {
        let known = upstreams.iter().find(|known| known.name == name)?;
        Some((Arc::clone(&known.origin), known.is_told_host()))
    })
    .map_err(|unknown| Error::NoUpstream(unknown.0))
}

impl Generation {
    /// The first one.
    pub(super) fn first(config: Config, upstreams: Vec<Running>, lasting: &Lasting) -> Result<Self, Error> {
        let Lasting { store, clock, counters, stopping } = lasting.clone();
        let routes = routes(&config, &upstreams)?;
        let proxy = Proxy::new(
            config.proxy.clone(),
            routes,
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&counters),
        );
        let purger = Purger::new(Arc::clone(&proxy), store, clock, counters, config.purge.clone(), stopping);
        Ok(Self::of(config, upstreams, proxy, purger, lasting))
    }

    /// The one that follows this one.
    pub(super) fn next(
        &self,
        config: Config,
        upstreams: Vec<Running>,
        lasting: &Lasting,
    ) -> Result<Self, Error> {
        let routes = routes(&config, &upstreams)?;
        let proxy = self.proxy.succeeded_by(config.proxy.clone(), routes);
        let purger = self.purger.succeeded_by(Arc::clone(&proxy), config.purge.clone());
        Ok(Self::of(config, upstreams, proxy, purger, lasting))
    }

    fn of(
        config: Config,
        upstreams: Vec<Running>,
        proxy: Arc<Proxy>,
        purger: Purger,
        lasting: &Lasting,
    ) -> Self {
        let (counters, clock) = (Arc::clone(&lasting.counters), Arc::clone(&lasting.clock));
        let access = AccessLog::new(config.log.access, counters, clock);
        Generation { proxy, upstreams, access, purger, ttl: capture_ttl(&config), config }
    }

    /// The data plane as jobs and warming use it.
    pub(super) fn for_captures(&self) -> jobs::DataPlane {
        jobs::DataPlane {
            proxy: Arc::clone(&self.proxy),
            config: self.config.proxy.clone(),
            route: self.config.jobs.route.clone(),
            public_url: self.config.jobs.public_url.clone(),
            tls: self.config.server.tls.is_some(),
        }
    }
}

/// How long a picture of the first built-in engine is fresh where no rule says otherwise; without one, a response of the first route that says.
fn capture_ttl(config: &Config) -> Option<Duration> {
    let routes = &config.proxy.routes;
    let said = |route: &Route| route.lifetimes.default_ttl.and_then(Lifetime::in_time);
    let engine = || {
        config.upstreams.iter().find_map(|(_, upstream)| match upstream {
            Upstream::Chrome(config) => Some(config.lifetime),
            Upstream::Remote(_) => None,
        })
    };
    let of_engine = routes.iter().find(|route| route.lifetimes.engine).and_then(said);
    of_engine.or_else(engine).or_else(|| routes.iter().find_map(said))
}
