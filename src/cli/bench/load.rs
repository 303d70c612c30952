//! [`Load`]: a number of concurrent requests, each of which begins when the one before it has
//! ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use indicatif::ProgressBar;
use tintype::clock::Stopwatch;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::connect::{Http, NoConnection, why};
use super::spread::Spread;

/// Cache statuses and kinds of errors that are counted by name. A server could send any number of
/// them.
const MOST_NAMES: usize = 32;
/// The name of all further ones.
const OTHERS: &str = "others";

/// The URLs to request, and for how long.
pub(super) struct Load {
    pub(super) http: Http,
    pub(super) urls: Vec<Uri>,
    pub(super) fields: Vec<(HeaderName, HeaderValue)>,
    pub(super) concurrency: usize,
    pub(super) requests: u64,
    pub(super) duration: Option<Duration>,
    pub(super) timeout: Duration,
}

/// The result of a load.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Durations of complete responses, by their cache status.
    pub(super) by_cache: BTreeMap<String, Spread>,
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Requests without a complete response, and responses with an error status, by kind.
    pub(super) errors: BTreeMap<String, u64>,
    /// Bytes of all response bodies.
    pub(super) bytes: u64,
}

impl Outcome {
    /// Adds an exchange that took `took`.
    pub(super) fn add(&mut self, exchange: Result<Answer, &'static str>, took: Duration) {
        match exchange {
            Ok(answer) => {
                self.bytes += answer.bytes;
                *self.statuses.entry(answer.status).or_default() += 1;
                bounded(&mut self.by_cache, answer.cache).add(took);
                if answer.status >= 400 {
                    *bounded(&mut self.errors, format!("status {}", answer.status)) += 1;
                }
            }
            Err(kind) => *bounded(&mut self.errors, kind.to_owned()) += 1,
        }
    }

    fn join(&mut self, other: Outcome) {
        for (name, spread) in other.by_cache {
            bounded(&mut self.by_cache, name).join(&spread);
        }
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (kind, count) in other.errors {
            *bounded(&mut self.errors, kind) += count;
        }
        self.bytes += other.bytes;
    }

    pub(super) fn failures(&self) -> u64 {
        self.errors.values().sum()
    }
}

fn bounded<T: Default>(map: &mut BTreeMap<String, T>, name: String) -> &mut T {
    let name = if map.len() < MOST_NAMES || map.contains_key(&name) { name } else { OTHERS.to_owned() };
    map.entry(name).or_default()
}

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) cache: String,
    pub(super) bytes: u64,
}

/// Runs the load until it is done or `stop` is set, and shows its progress.
pub(super) async fn run(load: Arc<Load>, stop: watch::Receiver<bool>, bar: &ProgressBar) -> Outcome {
    let begun = Arc::new(AtomicU64::new(0));
    let watch = Stopwatch::start();
    let mut workers = JoinSet::new();
    for _ in 0..load.concurrency {
        let (load, begun, mut stop, bar) = (Arc::clone(&load), Arc::clone(&begun), stop.clone(), bar.clone());
        workers.spawn(async move {
            let mut outcome = Outcome::default();
            loop {
                let number = begun.fetch_add(1, Ordering::Relaxed);
                let is_over = match load.duration {
                    Some(duration) => watch.elapsed() >= duration,
                    None => number >= load.requests,
                };
                if is_over {
                    break;
                }
                let url = &load.urls[number as usize % load.urls.len()];
                let (exchange, took) = tokio::select! {
                    done = load.once(url) => done,
                    _ = stop.wait_for(|stop| *stop) => break,
                };
                outcome.add(exchange, took);
                match load.duration {
                    Some(_) => {
                        bar.set_position(u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX))
                    }
                    None => bar.inc(1),
                }
            }
            outcome
        });
    }
    let mut all = Outcome::default();
    while let Some(worker) = workers.join_next().await {
        all.join(worker.unwrap_or_default());
    }
    all
}

impl Load {
    /// Sends one request, and measures the time to the last byte of its response.
    pub(super) async fn once(&self, url: &Uri) -> (Result<Answer, &'static str>, Duration) {
        let watch = Stopwatch::start();
        let exchange = tokio::time::timeout(self.timeout, self.exchange(url)).await;
        (exchange.unwrap_or(Err("no whole answer in time")), watch.elapsed())
    }

    async fn exchange(&self, url: &Uri) -> Result<Answer, &'static str> {
        let mut request = Request::new(Full::<Bytes>::default());
        *request.uri_mut() = url.clone();
        request.headers_mut().extend(self.fields.iter().cloned());
        let answer = self.http.request(request).await.map_err(|error| match error.is_connect() {
            true => match why(&error) {
                NoConnection::Refused => "connection refused",
                NoConnection::Tls => "TLS failed, or the certificate is not trusted",
                NoConnection::Other => "cannot connect",
            },
            false => "connection broke before an answer",
        })?;
        let (head, mut body) = answer.into_parts();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| "answer broke off")?;
            bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Ok(Answer { status: head.status.as_u16(), cache: cache_status(&head.headers), bytes })
    }
}

/// The first word of `X-Cache`, in capitals. Without it, the status from the last cache in
/// `Cache-Status` (RFC 9211), or else `-`.
fn cache_status(fields: &HeaderMap) -> String {
    let text = |name: &str| fields.get_all(name).iter().next_back().and_then(|value| value.to_str().ok());
    if let Some(word) = text("x-cache").map(first_word).filter(|word| !word.is_empty()) {
        return word;
    }
    let told = text("cache-status").and_then(|list| list.rsplit(',').next()).unwrap_or_default();
    let mut parameters = told.split(';').skip(1).map(str::trim);
    match parameters.find(|part| *part == "hit" || part.starts_with("fwd=")) {
        Some("hit") => "HIT".to_owned(),
        Some(_) => "MISS".to_owned(),
        None => "-".to_owned(),
    }
}

fn first_word(text: &str) -> String {
    let word = text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    word.take(32).collect::<String>().to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_statuses_are_read() {
        for (lines, expected) in [
            (&[("x-cache", "HIT")][..], "HIT"),
            (&[("x-cache", "Miss from somewhere")], "MISS"),
            (&[("x-cache", "TCP_MEM_HIT, x")], "TCP_MEM_HIT"),
            (&[("x-cache", "\u{1b}[2J"), ("cache-status", "a; hit")], "HIT"),
            (&[("cache-status", "origin; hit, tintype; fwd=uri-miss; stored")], "MISS"),
            (&[("cache-status", "tintype; detail=x")], "-"),
            (&[], "-"),
        ] {
            let mut fields = HeaderMap::new();
            for (name, value) in lines {
                fields.append(
                    *name,
                    HeaderValue::from_bytes(value.as_bytes()).unwrap_or(HeaderValue::from_static("")),
                );
            }
            assert_eq!(cache_status(&fields), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_server_cannot_invent_names_without_end() {
        let mut outcome = Outcome::default();
        for number in 0..1000 {
            let cache = format!("C{number}");
            outcome.add(Ok(Answer { status: 200, cache, bytes: 2 }), Duration::from_millis(1));
        }
        assert!(outcome.by_cache.len() <= MOST_NAMES + 1, "{}", outcome.by_cache.len());
        assert_eq!(outcome.by_cache[OTHERS].count(), 1000 - MOST_NAMES as u64);
        assert_eq!((outcome.bytes, outcome.failures()), (2000, 0));
        outcome.add(Ok(Answer { status: 503, cache: "-".into(), bytes: 0 }), Duration::ZERO);
        outcome.add(Err("answer broke off"), Duration::ZERO);
        assert_eq!((outcome.failures(), outcome.errors["status 503"]), (2, 1));
    }
}
