//! Purges: from what is named to scopes in the ledger, what they hit, and what is fetched again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::{Semaphore, watch};

use super::listing::{Filter, Page, StoredItem};
use super::request::{Purge, PurgeError, Purged};
use super::scopes;
use crate::clock::{Clock, Timestamp};
use crate::policy::asking::Asking;
use crate::policy::purge::{Mode, Named};
use crate::proxy::Proxy;
use crate::store::{Kind, Query, Store};
use crate::tasks;
use crate::telemetry::counters::{Count, Counters};

/// Stored responses that the listing is asked for at a time.
const PAGE: usize = 512;
/// How long a refresh waits for a moment in which no client's fetch is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who may purge by method, and how much is fetched again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Addresses from which the method `PURGE` is taken on the data plane.
    pub allow: Vec<IpNet>,
    /// Stored responses that wait to be fetched again at most.
    pub max_refresh: usize,
    /// Of those, fetched at once.
    pub refresh_concurrency: usize,
}

/// Purges stored responses, and lists them.
pub struct Purger {
    proxy: Arc<Proxy>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    counters: Arc<Counters>,
    config: Config,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    stopping: watch::Receiver<bool>,
}

impl Purger {
    /// Purges what `proxy` stores in `store`, and fetches it again by `proxy`.
    pub fn new(
        proxy: Arc<Proxy>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
        config: Config,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let (places, waiting) = (Arc::new(Semaphore::new(config.refresh_concurrency)), Arc::default());
        Purger { proxy, store, clock, counters, config, places, waiting, stopping }
    }

    /// The same over the data plane that follows, with what waits to be fetched again counted together.
    pub fn succeeded_by(&self, proxy: Arc<Proxy>, config: Config) -> Self {
        let places = match config.refresh_concurrency == self.config.refresh_concurrency {
            true => Arc::clone(&self.places),
            false => Arc::new(Semaphore::new(config.refresh_concurrency)),
        };
        Purger {
            proxy,
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            counters: Arc::clone(&self.counters),
            config,
            places,
            waiting: Arc::clone(&self.waiting),
            stopping: self.stopping.clone(),
        }
    }

    /// Purges, or tells what would be purged.
    pub async fn purge(&self, asked: Purge) -> Result<Purged, PurgeError> {
        let mut scopes = Vec::new();
        for named in &asked.named {
            scopes.extend(scopes::scopes(&self.proxy, named)?);
        }
        // Before the purge: afterwards it would not be listed any more.
        let (query, now) = (self.query(&asked.named)?, self.clock.now());
        let (store, wish) = (Arc::clone(&self.store), asked.clone());
        let hit = tokio::task::spawn_blocking(move || hit(&*store, &query, &wish, now)).await;
        let (purged, again) = hit.unwrap_or_default();
        if asked.dry_run {
            return Ok(purged);
        }
        let kind = match asked.mode {
            Mode::Hard => Kind::Hard,
            Mode::Soft | Mode::Refresh => Kind::Soft(self.clock.now()),
        };
        let store = Arc::clone(&self.store);
        // The ledger waits for the disk.
        let written = tokio::task::spawn_blocking(move || store.purge_all(&scopes, kind)).await;
        written.map_err(|error| PurgeError::Ledger(std::io::Error::other(error)))??;
        self.counters.add(Count::Purges);
        self.counters.purge_lag().add(asked.accepted.elapsed());
        Ok(Purged { refreshing: self.refresh(again), ..purged })
    }

    /// What is stored under any of `named`.
    fn query(&self, named: &[Named]) -> Result<Query, PurgeError> {
        if named.contains(&Named::All) {
            return Ok(Query::default());
        }
        let mut handles = Vec::new();
        for named in named {
            handles.extend(scopes::handles(&self.proxy, named)?);
        }
        Ok(Query(vec![handles]))
    }

    /// Fetches `all` again in the background, one after the other as places are free, and tells how many.
    fn refresh(&self, mut all: Vec<Arc<Asking>>) -> usize {
        let room = self.config.max_refresh.saturating_sub(self.waiting.load(Ordering::Relaxed));
        if all.len() > room {
            tracing::warn!(left_out = all.len() - room, "more to fetch again than purge.max_refresh");
            all.truncate(room);
        }
        let count = all.len();
        if all.is_empty() {
            return count;
        }
        self.waiting.fetch_add(all.len(), Ordering::Relaxed);
        let (proxy, places, waiting) =
            (Arc::clone(&self.proxy), Arc::clone(&self.places), Arc::clone(&self.waiting));
        let (mut stopping, most) = (self.stopping.clone(), self.config.refresh_concurrency);
        tasks::spawn("purge-refreshes", async move {
            // Given back whatever ends this.
            let left = AtomicUsize::new(all.len());
            let refreshing = async {
                for asking in &all {
                    let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                    // Those of ours that are under way already, this one not among them.
                    let ours = most.saturating_sub(places.available_permits() + 1);
                    let _ = tokio::time::timeout(PATIENCE, proxy.yield_to_clients(ours)).await;
                    let (proxy, asking) = (Arc::clone(&proxy), Arc::clone(asking));
                    tasks::spawn("purge-refresh", async move {
                        if let Some(again) = &asking.again {
                            let fresh = proxy.refresh(again).await;
                            tracing::debug!(fresh, "fetched again after a purge");
                        }
                        drop(place);
                    });
                    waiting.fetch_sub(1, Ordering::Relaxed);
                    left.fetch_sub(1, Ordering::Relaxed);
                }
            };
            tokio::select! {
                () = refreshing => {}
                _ = stopping.wait_for(|stopping| *stopping) => {}
            }
            waiting.fetch_sub(left.into_inner(), Ordering::Relaxed);
        });
        count
    }

    /// A page of what is stored.
    pub fn stored(&self, ask: &Filter) -> Result<Page, PurgeError> {
        let mut groups = Vec::new();
        for named in &ask.named {
            groups.push(scopes::handles(&self.proxy, named)?);
        }
        let page = self.store.list(&Query(groups), ask.cursor, ask.limit);
        let now = self.clock.now();
        Ok(Page {
            stored: page.listed.into_iter().map(|listed| StoredItem::of(listed, now)).collect(),
            cursor: page.next,
            complete: self.store.lists_all(),
        })
    }

    /// Drops what is of no use, and tells how many.
    pub async fn drop_useless(&self) -> u64 {
        let (store, now) = (Arc::clone(&self.store), self.clock.now());
        let dropped = tokio::task::spawn_blocking(move || store.drop_useless(now)).await.unwrap_or_default();
        tracing::info!(dropped, "dropped what was stale beyond every window");
        dropped
    }

    /// Whether the method `PURGE` is taken from this address.
    pub fn allows(&self, address: std::net::IpAddr) -> bool {
        let address = address.to_canonical();
        self.config.allow.iter().any(|range| range.contains(&address))
    }
}

/// What a purge hits, as far as it is listed, and what of it is to be fetched again, hottest first.
fn hit(store: &dyn Store, query: &Query, asked: &Purge, now: Timestamp) -> (Purged, Vec<Arc<Asking>>) {
    let mut purged = Purged { complete: store.lists_all(), ..Purged::default() };
    let (mut hottest, mut after) = (Vec::new(), None);
    loop {
        let page = store.list(query, after, PAGE);
        purged.hit += page.listed.len() as u64;
        for listed in page.listed {
            if asked.mode == Mode::Refresh && !asked.dry_run && listed.asking.again.is_some() {
                hottest.push((listed.hits, Arc::clone(&listed.asking)));
            }
            if purged.listed.len() < asked.list {
                purged.listed.push(StoredItem::of(listed, now));
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    hottest.sort_by_key(|(hits, _)| std::cmp::Reverse(*hits));
    (purged, hottest.into_iter().map(|(_, asking)| asking).collect())
}
