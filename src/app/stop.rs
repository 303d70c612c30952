//! The order in which tintype ends.

use std::sync::Arc;
use std::time::Duration;

use super::start::App;
use super::{generation, handover};
use crate::clock::Stopwatch;

/// How long the end waits at least for fetches to be stored.
const LAST_FETCHES: Duration = Duration::from_secs(1);

impl App {
    /// Ends in order: no new connections, current exchanges finish, fetches are stored, browsers go, the disk is flushed.
    pub async fn shutdown(self) {
        self.shared.tasks.end();
        let server = self.shared.current.load().config.server.clone();
        // Before another process may have the folder.
        self.shared.jobs.stop().await;
        if server.reuse_port {
            self.hand_over().await;
        }
        let stopping = Stopwatch::start();
        let _ = self.stop.send(true);
        match self.data_plane.await {
            Ok(Some(report)) => tracing::info!(?report, "data plane drained"),
            Ok(None) => tracing::error!("data plane ended abnormally"),
            Err(error) => tracing::error!(%error, "data plane ended abnormally"),
        }
        let last = self.shared.current.load_full();
        last.proxy.stop_refreshing();
        // What an exchange ended with may still be on its way into the store, however long the others took.
        let left = server.drain_grace.saturating_sub(stopping.elapsed()).max(LAST_FETCHES);
        if tokio::time::timeout(left, last.proxy.settled()).await.is_err() {
            tracing::warn!(fetches = last.proxy.fetches_under_way(), "fetches were cut");
        }
        let mut origins: Vec<_> = last.upstreams.iter().map(|one| Arc::clone(&one.origin)).collect();
        origins.append(&mut self.shared.retiring.lock());
        generation::end(&origins).await;
        self.shared.store.close().await;
        // Last, so that health and figures can be asked for to the end.
        let _ = self.stop_control.send(true);
        if let Some(control_plane) = self.control_plane {
            let _ = control_plane.await;
        }
        tracing::info!("stopped");
    }

    /// Lets the process that is to follow have the cache folder, and waits until it listens.
    async fn hand_over(&self) {
        let last = self.shared.current.load_full();
        // From here on the memory tier answers alone, and the successor may open the folder.
        self.shared.store.close().await;
        let taken = handover::wait(self.address, last.config.store.dir.as_deref()).await;
        tracing::info!(to_another_process = taken, "handed over");
        if taken {
            // Purges are for the one that has the ledger.
            let _ = self.stop_control.send(true);
        }
    }
}
