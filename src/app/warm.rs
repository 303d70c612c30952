//! Warming: pictures that are taken at the start, before anybody asks. One that fails takes nothing from the others, and none of them holds
//! up the start; `/readyz` waits for them if it is told to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use url::Url;

use super::Parts;
use crate::admin::jobs::{Item, Taker, list};
use crate::clock::Stopwatch;
use crate::tasks;

pub mod fetch;

/// Bytes of a list.
const MAX_LIST: u64 = 64 << 20;

/// What is stored before anybody asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Pages.
    pub urls: Vec<String>,
    /// A file that lists more.
    pub file: Option<PathBuf>,
    /// A sitemap that lists more.
    pub sitemap: Option<Url>,
    /// Pages at most.
    pub max_urls: usize,
    /// Pictures at once.
    pub parallel: usize,
    /// Time for each.
    pub timeout: Duration,
    /// `/readyz` waits until all have been tried.
    pub hold_ready: bool,
}

impl Config {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.urls.is_empty() && self.file.is_none() && self.sitemap.is_none()
    }
}

/// Warms, once, until it is done or the process stops.
pub(super) async fn run(parts: Arc<Parts>, taker: Arc<dyn Taker>, mut stopping: watch::Receiver<bool>) {
    let first = parts.current.load_full();
    let config = first.config.warm.clone();
    if config.is_empty() {
        return;
    }
    let work = async {
        for upstream in &first.upstreams {
            // A browser that does not come is logged there.
            let _ = upstream.ready().await;
        }
        drop(first);
        // Readiness does not wait for what a panic cut short.
        let _ = tasks::caught(warm(&config, &*taker)).await;
        parts.warming.store(false, Ordering::Relaxed);
    };
    tokio::select! {
        () = work => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

async fn warm(config: &Config, taker: &dyn Taker) {
    let watch = Stopwatch::start();
    let mut items = listed(config).await;
    if items.len() > config.max_urls {
        tracing::warn!(left_out = items.len() - config.max_urls, "more to warm than warm.max_urls");
        items.truncate(config.max_urls);
    }
    let count = items.len();
    let one = |item: Item| async move {
        taker.yield_to_clients().await;
        let taken = tasks::caught(taker.take(&item, false));
        match tokio::time::timeout(config.timeout, taken).await {
            Ok(Some(Ok(_))) => true,
            Ok(Some(Err(why))) => failed(&item, &why),
            Ok(None) => failed(&item, "internal fault"),
            Err(_) => failed(&item, "no picture in time"),
        }
    };
    let taken = stream::iter(items).map(one).buffer_unordered(config.parallel);
    let taken = taken.filter(|taken| std::future::ready(*taken)).count().await;
    tracing::info!(taken, failed = count - taken, took = ?watch.elapsed(), "warmed");
}

fn failed(item: &Item, why: &str) -> bool {
    // Query strings hold secrets.
    let page = item.url.split(['?', '#']).next().unwrap_or_default();
    tracing::warn!(page, why, "not warmed");
    false
}

/// Everything that is listed, in whatever way. A list that cannot be read takes nothing from the others.
async fn listed(config: &Config) -> Vec<Item> {
    let mut items = list::of_pages(config.urls.iter().cloned());
    if let Some(file) = &config.file {
        match read(file.clone()).await {
            Ok(more) => items.extend(more),
            Err(why) => tracing::warn!(file = %file.display(), why, "nothing is warmed from it"),
        }
    }
    if let Some(sitemap) = &config.sitemap {
        match fetch::pages(sitemap, config.max_urls).await {
            Ok(pages) => items.extend(list::of_pages(pages)),
            Err(why) => tracing::warn!(host = sitemap.host_str(), why, "nothing is warmed from the sitemap"),
        }
    }
    items
}

async fn read(file: PathBuf) -> Result<Vec<Item>, String> {
    use tokio::io::AsyncReadExt as _;
    let opened = tokio::fs::File::open(file).await.map_err(|error| error.to_string())?;
    let mut text = String::new();
    opened.take(MAX_LIST).read_to_string(&mut text).await.map_err(|error| error.to_string())?;
    list::read(&text).map_err(|error| error.to_string())
}
