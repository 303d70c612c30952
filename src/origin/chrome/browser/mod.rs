//! Browser processes: started or attached to, watched, replaced, and with tabs opened ahead.

pub(crate) mod attach;
pub(crate) mod endpoint;
pub(crate) mod health;
pub(crate) mod instance;
pub(crate) mod pool;
pub(crate) mod prewarmed_tabs;
pub(crate) mod process;
pub(crate) mod process_memory;
pub(crate) mod profile;
pub(crate) mod program;
pub(crate) mod supervisor;
pub(crate) mod watchdog;
