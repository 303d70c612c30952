//! `tintype serve`: runs the server until a signal or a failure ends it.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use super::source::SourceArgs;
use super::terminal::{Exit, Paint, complain, with_causes};

/// Time to write the last lines of the log.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Time for running threads after a vital task has ended.
const LAST_TASKS: Duration = Duration::from_millis(200);

pub(super) fn run(source: &SourceArgs) -> ExitCode {
    let config = match source.read() {
        Ok(config) => config,
        Err(problems) => {
            complain(&source.lesson().unwrap_or_else(|| problems.to_text(Paint::of_stderr().is_coloured())));
            return Exit::Misused.into();
        }
    };
    // Called before there are threads, because it changes the environment.
    let inherited = match tintype::listener::Inherited::take() {
        Ok(inherited) => inherited,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let served = runtime.block_on(tintype::app::run(source.sources(), config, inherited));
    if let Err(tintype::app::Error::TaskEnded(_)) = served {
        // Without delay, because the tasks under way have lost what they depend on.
        runtime.shutdown_timeout(LAST_TASKS);
    }
    let code = match &served {
        Ok(()) => Exit::Good.into(),
        Err(error) => fail(error),
    };
    tintype::telemetry::output::flush(LAST_LINES);
    code
}

fn fail(error: &dyn Error) -> ExitCode {
    let text = format!("error: {}\n", with_causes(error));
    let (done, is_done) = std::sync::mpsc::channel();
    // Standard error may be a full pipe without a reader.
    let writing = std::thread::Builder::new().spawn(move || {
        complain(&text);
        let _ = done.send(());
    });
    if writing.is_ok() {
        let _ = is_done.recv_timeout(LAST_LINES);
    }
    Exit::Failed.into()
}
