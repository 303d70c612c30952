//! `tintype serve`.

use std::error::Error;
use std::process::ExitCode;

use super::source::SourceArgs;
use super::terminal::{Exit, Paint, complain, with_causes};

pub(super) fn run(source: &SourceArgs) -> ExitCode {
    let config = match source.read() {
        Ok(config) => config,
        Err(problems) => {
            complain(&source.lesson().unwrap_or_else(|| problems.to_text(Paint::of_stderr().is_coloured())));
            return Exit::Misused.into();
        }
    };
    // Before there are threads.
    let inherited = match tintype::listener::Inherited::take() {
        Ok(inherited) => inherited,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(tintype::app::run(source.sources(), config, inherited)) {
        Ok(()) => Exit::Good.into(),
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn Error) -> ExitCode {
    complain(&format!("error: {}\n", with_causes(error)));
    Exit::Failed.into()
}
