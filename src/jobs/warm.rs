//! Warming: pictures that are taken at the start, before anybody asks. One that fails takes nothing from the others, and none of them holds
//! up the start; `/readyz` waits for them if it is told to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use url::Url;

use super::ask::Item;
use super::capture_client::CaptureClient;
use super::list::{self, Bad, List};
use super::sitemaps::{self, Bounds, LeftOut, Listed};
use crate::clock::Stopwatch;
use crate::policy::sitemap::Entry;
use crate::tasks;

/// Bytes of a list.
const MAX_LIST: u64 = 64 << 20;
/// Characters of a bad entry in the log.
const MAX_SHOWN: usize = 200;

/// What is stored before anybody asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Pages.
    pub urls: Vec<String>,
    /// A file that lists more.
    pub file: Option<PathBuf>,
    /// A sitemap that lists more.
    pub sitemap: Option<Url>,
    /// Hosts beside its own site whose sitemaps are read too.
    pub allow_hosts: Vec<String>,
    /// Pages at most.
    pub max_urls: usize,
    /// Sitemaps at most that an index leads to, itself included.
    pub max_sitemaps: usize,
    /// Bytes of one sitemap, unpacked.
    pub max_sitemap_bytes: u64,
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

/// Warms, once, until it is done or the process stops. `origins` ends when every origin can take
/// requests; `done` is called when every capture has been tried.
pub async fn run(
    config: Config,
    captures: &CaptureClient,
    origins: impl Future<Output = ()>,
    done: impl FnOnce(),
    mut stopping: watch::Receiver<bool>,
) {
    if config.is_empty() {
        return;
    }
    let work = async {
        origins.await;
        // Readiness does not wait for what a panic cut short.
        let _ = tasks::caught(warm(&config, captures)).await;
        done();
    };
    tokio::select! {
        () = work => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

async fn warm(config: &Config, captures: &CaptureClient) {
    let watch = Stopwatch::start();
    let (mut items, mut failures) = listed(config).await;
    if items.len() > config.max_urls {
        tracing::warn!(left_out = items.len() - config.max_urls, "more to warm than warm.max_urls");
        items.truncate(config.max_urls);
    }
    if items.is_empty() {
        return tracing::warn!(failed = failures, "nothing to warm was found");
    }
    let count = items.len();
    let one = |item: Item| async move {
        captures.yield_to_clients().await;
        let taken = tasks::caught(captures.capture(&item, false, None));
        let why = match tokio::time::timeout(config.timeout, taken).await {
            Ok(Some(Ok(_))) => return true,
            Ok(Some(Err(why))) => why.to_string(),
            Ok(None) => "internal fault".to_owned(),
            Err(_) => "no picture in time".to_owned(),
        };
        tracing::warn!(page = without_query(&item.url), why, "not warmed");
        false
    };
    let taken = stream::iter(items).map(one).buffer_unordered(config.parallel);
    let taken = taken.filter(|taken| std::future::ready(*taken)).count().await;
    failures += count - taken;
    tracing::info!(taken, failed = failures, took = ?watch.elapsed(), "warmed");
}

/// Query strings hold secrets.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Everything that is listed, in whatever way, and how many entries failed. What is bad takes nothing from the others.
async fn listed(config: &Config) -> (Vec<Item>, usize) {
    let urls = config.urls.iter().zip(1..).map(|(url, line)| Entry { url: url.clone(), line });
    let mut lists = vec![list::of_pages("warm.urls", urls)];
    let mut failures = 0;
    if let Some(file) = &config.file {
        match read(file).await {
            Ok(list) => lists.push(list),
            Err(why) => {
                failures += 1;
                tracing::warn!(file = %file.display(), why = why.to_string(), "nothing is warmed from it");
            }
        }
    }
    if let Some(sitemap) = &config.sitemap {
        let bounds = Bounds {
            most: config.max_urls,
            hosts: &config.allow_hosts,
            files: config.max_sitemaps,
            bytes: config.max_sitemap_bytes,
        };
        match sitemaps::pages(sitemap, bounds).await {
            Ok(Listed { list, left_out }) => {
                lists.push(list);
                for LeftOut { what, why, place } in left_out {
                    failures += usize::from(why.is_failure());
                    tracing::warn!(sitemap = without_query(&what), %place, %why, "a sitemap is left out");
                }
            }
            Err(why) => {
                failures += 1;
                tracing::warn!(
                    host = sitemap.host_str(),
                    why = why.to_string(),
                    "nothing is warmed from the sitemap"
                );
            }
        }
    }
    let mut items = Vec::new();
    for List { items: more, bad } in lists {
        items.extend(more);
        failures += bad.len();
        for Bad { what, why, place } in bad {
            let page: String = without_query(&what).chars().take(MAX_SHOWN).collect();
            tracing::warn!(page, %place, why, "not warmed");
        }
    }
    (items, failures)
}

/// Why a file has no list.
#[derive(Debug, thiserror::Error)]
enum NoList {
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Content(#[from] list::Unreadable),
}

async fn read(file: &Path) -> Result<List, NoList> {
    use tokio::io::AsyncReadExt as _;
    let opened = tokio::fs::File::open(file).await?;
    let mut octets = Vec::new();
    opened.take(MAX_LIST).read_to_end(&mut octets).await?;
    Ok(list::read(&file.display().to_string(), &octets, MAX_LIST)?)
}
