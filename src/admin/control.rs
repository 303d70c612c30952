//! What the control plane can do; `app` connects it to the data plane and the store.

use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::figures::Figures;
use crate::purge::{Filter, Page, Purge, PurgeError, Purged};
use crate::telemetry::exposition::Sample;

/// The process as its control plane sees it.
pub trait Control: Send + Sync + 'static {
    /// Each part that must work for a request to be answered, and whether it does.
    fn readiness(&self) -> Vec<(String, bool)>;

    /// Why the process is about to end, if it is: a task that must live has ended.
    fn failure(&self) -> Option<String> {
        None
    }

    /// What `/stats` shows.
    fn stats(&self) -> Value;

    /// What verdicts and the forms of other caches are made of.
    fn figures(&self) -> Figures;

    /// Every metric at this moment.
    fn samples(&self) -> Vec<Sample>;

    /// What a request would get and why, without making it.
    ///
    /// # Errors
    /// Why nothing can be said.
    fn explain(&self, question: Question) -> BoxFuture<'_, Result<Value, NotExplained>>;

    /// Purges, durably when it returns.
    fn purge(&self, what: Purge) -> BoxFuture<'_, Result<Purged, PurgeError>>;

    /// A page of what is stored.
    ///
    /// # Errors
    /// A filter that can name nothing.
    fn stored(&self, filter: &Filter) -> Result<Page, PurgeError>;

    /// Drops what is stale beyond every window, and says how many.
    fn drop_useless(&self) -> BoxFuture<'_, u64>;

    /// Reads the configuration again and puts it in force.
    ///
    /// # Errors
    /// What is wrong with it; then nothing has changed.
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, NotReloaded>>;
}

/// A request that is to be explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Which one.
    pub what: What,
    /// Its method.
    pub method: Method,
    /// Its fields.
    pub fields: HeaderMap,
}

/// Which request is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// One for this URL of the data plane: absolute, or path and query.
    Request(String),
    /// The plain capture of this page.
    Page(String),
}

/// Why nothing can be said of a request that is named.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct NotExplained(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// Another configuration is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Settings that were changed and stay as they were until a restart.
    pub needs_restart: Vec<String>,
}

/// Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReloaded {
    /// Everything that is wrong, in words.
    pub why: String,
    /// The same for programs, as `tintype check --json` has it; empty where the configuration as such is good.
    pub problems: Value,
}

impl NotReloaded {
    /// For this reason alone.
    pub fn new(why: &str) -> Self {
        NotReloaded { why: why.to_owned(), problems: json!([]) }
    }
}
