//! Purging and listing what is stored: from what an operator names to entries of the purge ledger, what
//! they hit, and what is fetched again. The control plane and the data plane (method `PURGE`) use it.

mod listing;
mod purger;
mod request;
mod scopes;

pub use listing::{Filter, Page, StoredItem};
pub use purger::{Config, Purger};
pub use request::{Purge, PurgeError, Purged};
