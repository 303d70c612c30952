//! The subcommands. Their shared code is in `terminal` and `source`.

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::{Parser, Subcommand};

mod batch;
mod bench;
mod check;
mod completions;
mod connect;
mod control;
mod control_error;
mod doctor;
mod endpoint;
mod explain;
mod get;
mod health;
mod purge;
mod reload;
mod serve;
mod sign;
mod source;
mod stats;
mod stored;
mod terminal;
mod units;

use source::SourceArgs;

#[derive(Parser)]
#[command(
    name = "tintype",
    version,
    about = "A caching HTTP reverse proxy for screenshots of web pages.",
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{}", terminal::EXIT_CODES)
)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Subcommand)]
enum Verb {
    /// Serves; the default without a subcommand
    #[command(after_help = EXAMPLES)]
    Serve(SourceArgs),
    /// Validates a configuration and prints every problem at once, without serving
    #[command(after_help = check::HELP)]
    Check(check::Args),
    /// Checks whether this machine can do what a configuration needs: browser, fonts, guard, disk,
    /// origins
    #[command(after_help = doctor::HELP)]
    Doctor(doctor::Args),
    /// Captures one picture and writes it to a file, without a server
    #[command(after_help = get::help())]
    Get(Box<get::Args>),
    /// Has a running tintype capture the pages of a list
    #[command(after_help = batch::BATCH_HELP)]
    Batch(batch::BatchArgs),
    /// Has a running tintype capture and store the pages of a list or a sitemap before clients ask
    #[command(after_help = batch::WARM_HELP)]
    Warm(batch::WarmArgs),
    /// Purges pages, keys, tags, hosts or everything from a running tintype
    #[command(after_help = purge::HELP)]
    Purge(purge::Args),
    /// Lists the stored responses of a running tintype
    #[command(after_help = stored::LS_HELP)]
    Ls(stored::LsArgs),
    /// Has a running tintype drop responses that are stale beyond every window
    #[command(after_help = stored::GC_HELP)]
    Gc(stored::GcArgs),
    /// Has a running tintype reload its configuration
    #[command(after_help = reload::HELP)]
    Reload(reload::Args),
    /// Explains the response that a request gets from a running tintype
    #[command(after_help = explain::HELP)]
    Explain(explain::Args),
    /// Shows the figures of a running tintype, with a verdict in words
    #[command(after_help = stats::HELP)]
    Stats(stats::Args),
    /// Signs a link to a picture for use by others, and limits what the link may cause
    #[command(after_help = sign::HELP)]
    Sign(sign::Args),
    /// Puts a bounded load on URLs, and reports rates and latencies by cache status
    #[command(after_help = bench::HELP)]
    Bench(bench::Args),
    /// Asks a running tintype whether it is healthy, for container health checks
    #[command(after_help = health::HELP)]
    Health(health::Args),
    /// Prints a completion script for a shell
    #[command(after_help = completions::COMPLETIONS_HELP)]
    Completions(completions::CompletionsArgs),
    /// Prints the manual page, or writes all pages to a folder
    #[command(after_help = completions::MAN_HELP)]
    Man(completions::ManArgs),
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
  tintype doctor
      Says whether this machine can do it: browser, fonts, guard, disk, origins, clock, limits.

Every setting of proxy.toml can be set by environment as well: TINTYPE_STORE__MEMORY=1GiB is memory in
[store]. Flags go over the environment, the environment over the file.";

/// Parses the arguments and runs the subcommand.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    terminal::exit_of(match cli.verb {
        None => serve::run(&cli.source),
        Some(Verb::Serve(source)) => serve::run(&source),
        Some(Verb::Check(args)) => check::run(&args),
        Some(Verb::Doctor(args)) => doctor::run(&args),
        Some(Verb::Get(args)) => get::run(&args),
        Some(Verb::Batch(args)) => batch::batch(&args),
        Some(Verb::Warm(args)) => batch::warm(&args),
        Some(Verb::Purge(args)) => purge::run(&args),
        Some(Verb::Ls(args)) => stored::ls(&args),
        Some(Verb::Gc(args)) => stored::gc(&args),
        Some(Verb::Reload(args)) => reload::run(&args),
        Some(Verb::Explain(args)) => explain::run(&args),
        Some(Verb::Stats(args)) => stats::run(&args),
        Some(Verb::Sign(args)) => sign::run(&args),
        Some(Verb::Bench(args)) => bench::run(&args),
        Some(Verb::Health(args)) => health::run(&args),
        Some(Verb::Completions(args)) => completions::completions(&args, Cli::command()),
        Some(Verb::Man(args)) => completions::man(&args, Cli::command()),
    })
}
