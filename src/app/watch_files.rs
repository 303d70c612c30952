//! Reloads when the files of the configuration change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::shared::Shared;
use crate::config::{Base, Config, Sources};

/// How often the files are looked at. A change counts when it has stood for as long, so that no half of a file is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// Of a file, what a change changes.
pub(super) type Look = Option<(SystemTime, u64, u64)>;

/// What the files are like.
pub(super) type Looks = Vec<(PathBuf, Look)>;

/// Watches until the process stops. `known` is what the files were [like](look_at_all) when the configuration was read.
pub(super) async fn run(
    shared: Arc<Shared>,
    sources: Sources,
    mut known: Looks,
    mut stopping: watch::Receiver<bool>,
) {
    let watching = async {
        let mut before = known.clone();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = look(&shared, &sources).await;
            if now != known && now == before {
                let _ = shared.reload().await;
                // As before the reload, so that a change meanwhile is not missed. If other files are named now, it comes again.
                known = now.clone();
            }
            before = now;
        }
    };
    tokio::select! {
        () = watching => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

async fn look(shared: &Shared, sources: &Sources) -> Looks {
    let files = files(&shared.current.load().config, sources);
    tokio::task::spawn_blocking(|| look_at_each(files)).await.unwrap_or_default()
}

/// What the files of `config`, which was read from `sources`, are like now.
pub(super) fn look_at_all(config: &Config, sources: &Sources) -> Looks {
    look_at_each(files(config, sources))
}

fn look_at_each(files: Vec<PathBuf>) -> Looks {
    files.into_iter().map(|file| (look_at(&file), file)).map(|(look, file)| (file, look)).collect()
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
