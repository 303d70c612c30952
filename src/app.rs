//! The composition root: a [`Config`] becomes parts, parts become listeners; and
//! the order in which all of it ends. `main`, tests and benches start here.

use std::sync::Arc;

use crate::clock::SystemClock;
use crate::config::{Config, Sources};
use crate::listener::Inherited;
use crate::{tasks, telemetry};

mod announce;
mod control;
mod error;
mod generation;
mod handover;
mod planes;
pub mod preflight;
mod reload;
mod reloads;
mod shared;
mod start;
mod stop;
mod watch_files;

pub use error::Error;
pub use start::{App, Beginning};

/// Serves until SIGTERM or SIGINT, then drains; SIGHUP reloads. Says on standard output where it listens, and to systemd how it is.
///
/// # Errors
/// Everything that keeps it from starting.
pub async fn run(sources: Sources, config: Config, inherited: Inherited) -> Result<(), Error> {
    use sd_notify::NotifyState;
    use tokio::signal::unix::{SignalKind, signal};
    telemetry::start(&config.log).map_err(|error| Error::LogLevel(error.to_string()))?;
    tasks::count_panics();
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Signals)?;
    let try_path = announce::example_path(&config);
    let beginning = Beginning { sources: Some(sources), inherited };
    let app = App::begin(config, Arc::new(SystemClock), beginning).await?;
    announce::announce(&app, &try_path);
    notify(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                tracing::info!("SIGTERM: draining");
                break;
            }
            _ = interrupt.recv() => {
                tracing::info!("SIGINT: draining");
                break;
            }
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: reloading");
                if let Ok(now) = NotifyState::monotonic_usec_now() {
                    notify(&[NotifyState::Reloading, now]);
                }
                // What came of it is logged there.
                let _ = app.reload().await;
                notify(&[NotifyState::Ready]);
            }
            failure = app.tasks().failed() => {
                notify(&[NotifyState::Stopping]);
                return Err(Error::TaskEnded(failure));
            }
        }
    }
    notify(&[NotifyState::Stopping]);
    app.shutdown().await;
    Ok(())
}

/// Tells systemd, if it started us and wants to know.
fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
