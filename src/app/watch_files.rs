//! Reloads when the files of the configuration change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::Parts;
use crate::config::{Base, Config, Sources};

/// How often the files are looked at. A change counts when it has stood for as long, so that no half of a file is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// Of a file, what a change changes.
type Look = Option<(SystemTime, u64, u64)>;

/// Watches until the process stops.
pub(super) async fn run(parts: Arc<Parts>, sources: Sources, mut stopping: watch::Receiver<bool>) {
    let watching = async {
        let mut known = look(&parts, &sources).await;
        let mut before = known.clone();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = look(&parts, &sources).await;
            if now != known && now == before {
                let _ = parts.reload().await;
                // The new one may name other files.
                known = look(&parts, &sources).await;
                before = known.clone();
                continue;
            }
            before = now;
        }
    };
    tokio::select! {
        () = watching => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

async fn look(parts: &Parts, sources: &Sources) -> Vec<(PathBuf, Look)> {
    let files = files(&parts.current.load().config, sources);
    let looked = tokio::task::spawn_blocking(|| {
        files.into_iter().map(|file| (look_at(&file), file)).map(|(look, file)| (file, look)).collect()
    });
    looked.await.unwrap_or_default()
}

fn files(config: &Config, sources: &Sources) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Base::File(file) = &sources.base {
        files.push(file.clone());
    }
    if let Some(tls) = &config.server.tls {
        files.extend([tls.certificate.clone(), tls.key.clone()]);
    }
    files
}

fn look_at(file: &Path) -> Look {
    use std::os::unix::fs::MetadataExt as _;
    // Through links: a volume of a container changes by one of them.
    let data = std::fs::metadata(file).ok()?;
    Some((data.modified().ok()?, data.len(), data.ino()))
}
