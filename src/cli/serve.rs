//! `tintype serve`.

use std::error::Error;
use std::process::ExitCode;

use super::source::SourceArgs;
use super::{FAILED, MISUSED, colour, complain, with_causes};

pub(super) fn run(source: &SourceArgs) -> ExitCode {
    let config = match source.read() {
        Ok(config) => config,
        Err(problems) => {
            complain(&source.lesson().unwrap_or_else(|| problems.to_text(colour())));
            return MISUSED.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(tintype::app::run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn Error) -> ExitCode {
    complain(&format!("error: {}\n", with_causes(error)));
    FAILED.into()
}
