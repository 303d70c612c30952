//! `tintype reload`: has a running tintype read its configuration again.

use std::process::ExitCode;

use serde_json::json;
use tintype::admin::reload::RELOAD;

use super::control::{Control, perform};
use super::endpoint::ControlArgs;
use super::terminal::{Exit, Mark, Paint, print};
use super::units::plain;

pub(super) const HELP: &str = "\
The running tintype reads its own configuration file again, with its own environment and flags; SIGHUP does the same. A
configuration with a problem changes nothing: every problem is printed, and the exit code is 1. Addresses, sizes and the
folder of the store need a restart; if they were changed, this says so, and the rest is in force.

Examples:
  tintype reload
  tintype check --config /etc/tintype/proxy.toml && tintype reload";

#[derive(clap::Args)]
pub(super) struct Args {
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(super) fn run(args: &Args) -> ExitCode {
    perform(args.json, async {
        let control = Control::of(&args.control)?;
        let told = control.post(RELOAD, &json!({})).await?;
        if args.json {
            print(&format!("{told:#}\n"));
            return Ok(Exit::Good);
        }
        let paint = Paint::of_stdout();
        let mut text = format!("{}\n", paint.mark(Mark::Good, "reloaded"));
        let names = told["needs_restart"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Vec<String> = names.iter().filter_map(|name| name.as_str()).map(plain).collect();
        if !names.is_empty() {
            let names = names.join(", ");
            text += &format!("{} {names}\n", paint.mark(Mark::Warning, "as before, until a restart:"));
        }
        print(&text);
        Ok(Exit::Good)
    })
}
