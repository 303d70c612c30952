//! The store of responses: the trait [`Store`], the byte record, a store in memory and on disk, a
//! store in memory only, the purge ledger, and a listing of what is stored. The store does not know
//! what freshness is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Stopwatch;

mod config;
mod error;
mod front;
pub mod hybrid;
mod interface;
pub mod key;
pub mod ledger;
pub mod listing;
pub mod memory;
mod metrics;
pub mod record;
mod scope;
mod usage;

pub use config::Config;
pub use error::OpenError;
pub use hybrid::HybridStore;
pub use interface::Store;
pub use key::{CacheKey, Handle};
pub use listing::{Listed, Page, Query};
pub use memory::MemoryStore;
pub use record::{Content, Record};
pub use scope::{Kind, Scope};
pub use usage::Usage;

/// Opens the store that `config` asks for: memory and disk if it names a folder, otherwise memory
/// only. Needs a running tokio runtime for the disk tier.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, OpenError> {
    match &config.dir {
        Some(dir) => Ok(Arc::new(open_when_free(dir, config).await?)),
        None => Ok(Arc::new(MemoryStore::new(config))),
    }
}

/// Whether [`open`] would succeed, as far as that shows without creating or locking anything. A
/// folder that another process has open passes.
///
/// # Errors
/// As [`open`] returns them.
pub fn check(config: &Config) -> Result<(), OpenError> {
    match &config.dir {
        Some(dir) => hybrid::check(dir, config),
        None => Ok(()),
    }
}

/// Time between two attempts to lock a folder that another process has open.
const LOOK: Duration = Duration::from_millis(50);

async fn open_when_free(dir: &Path, config: &Config) -> Result<HybridStore, OpenError> {
    let waited = Stopwatch::start();
    loop {
        match HybridStore::open(dir, config).await {
            Err(OpenError::Locked { .. }) if waited.elapsed() < config.lock_timeout => {
                if waited.elapsed() < LOOK {
                    tracing::info!(dir = %dir.display(), "waiting for another process to give up the cache folder");
                }
                tokio::time::sleep(LOOK).await;
            }
            opened => return opened,
        }
    }
}

/// Whether any process, this one included, has the cache folder `dir` open.
pub fn is_locked(dir: &Path) -> bool {
    hybrid::is_locked(dir)
}
