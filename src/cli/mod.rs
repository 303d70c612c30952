//! Verbs and what they have in common. Exit codes: 0 good, 1 failed while running, 2 wrong usage or configuration.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod get;
mod health;
mod serve;
mod source;

use source::SourceArgs;

/// Failed while running.
const FAILED: u8 = 1;
/// Wrong usage or configuration; clap uses the same code.
const MISUSED: u8 = 2;

#[derive(Parser)]
#[command(
    name = "tintype",
    version,
    about = "A caching HTTP reverse proxy for screenshots of web pages.",
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_help = EXAMPLES
)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Subcommand)]
enum Verb {
    /// Serves; what happens without any verb
    #[command(after_help = EXAMPLES)]
    Serve(SourceArgs),
    /// Validates a configuration and prints every problem at once, without serving
    #[command(after_help = check::HELP)]
    Check(check::Args),
    /// Takes one picture and writes it to a file, without a server
    #[command(after_help = get::HELP)]
    Get(Box<get::Args>),
    /// Asks a running tintype whether it is healthy, for container health checks
    #[command(after_help = health::HELP)]
    Health(health::Args),
}

const EXAMPLES: &str = "\
Examples:
  tintype
      Serves what ./proxy.toml describes. The shipped one takes pictures itself, with headless Chrome:
      curl -o page.png 'http://127.0.0.1:8080/screenshot?url=https://example.com'
  tintype serve --upstream https://api.example.com
      Puts a cache in front of an existing screenshot API, to the letter of RFC 9111, without any file.
      Ask http://127.0.0.1:8080 for what you asked the API for.
  tintype get https://example.com -o page.png
      Takes one picture, without a server.
  tintype check --config /etc/tintype/proxy.toml
      Says everything that is wrong with a configuration.

Every setting of proxy.toml can be set by environment as well: TINTYPE_STORE__MEMORY=1GiB is memory in
[store]. Flags go over the environment, the environment over the file.";

/// Parses the arguments and does what they say.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    match cli.verb {
        None => serve::run(&cli.source),
        Some(Verb::Serve(source)) => serve::run(&source),
        Some(Verb::Check(args)) => check::run(&args),
        Some(Verb::Get(args)) => get::run(&args),
        Some(Verb::Health(args)) => health::run(&args),
    }
}

/// Writes to standard output. A reader that has gone away is no error of ours.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Writes to standard error, like [`print`].
fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// An error with all its causes on one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// Whether standard error wants colours: <https://no-color.org>, <https://bixense.com/clicolors>.
fn colour() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_forced = is_set("CLICOLOR_FORCE") && std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| v != "0");
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !is_set("NO_COLOR") && (is_forced || (std::io::stderr().is_terminal() && !is_dumb))
}
