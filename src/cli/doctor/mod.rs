//! `tintype doctor`: checks whether this machine can do what a configuration needs. All checks run
//! at the same time, each with a deadline. Their findings are printed in a fixed order.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use tintype::config::{Config, Problems, Upstream};

use super::source::SourceArgs;
use super::terminal::{Exit, Paint, complain, is_watched, print};
use finding::{Finding, exit, to_json, to_text};

mod browser;
mod card;
mod clock;
mod disk;
mod engine;
mod finding;
mod guard;
mod limits;
mod lists;
mod upstream;

pub(super) const HELP: &str = "\
One line for each check, with cause and remedy where something is amiss: the configuration; the browser, its sandbox, its
fonts and what its pages can reach; the disk; the remote origins; the clock; the limits of this process.
Nothing of a running tintype is disturbed. Exits with 0 if nothing failed (warnings are no failure), with 1 if
something did, with 2 if the configuration cannot be read.

Examples:
  tintype doctor
  tintype doctor --config /etc/tintype/proxy.toml --card card.png
  tintype doctor --json | jq -r '.checks[] | select(.state != \"ok\") | .remedy'";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Prints one JSON document to standard output
    #[arg(long)]
    json: bool,
    /// File to keep the picture of the glyph card in, by which fonts are judged
    #[arg(long, value_name = "FILE.png")]
    card: Option<PathBuf>,
    /// Time for each check
    #[arg(long, default_value = "1m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

pub(super) fn run(args: &Args) -> ExitCode {
    let config = match args.source.read() {
        Ok(config) => config,
        Err(problems) => return unreadable(args, &problems),
    };
    let has_browser = config.upstreams.iter().any(|(_, upstream)| matches!(upstream, Upstream::Chrome(_)));
    if args.card.is_some() && !has_browser {
        complain("error: --card needs an upstream of kind \"chrome\", and the configuration has none\n");
        return Exit::Misused.into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("error: {error}\n"));
            return Exit::Failed.into();
        }
    };
    let mut findings = vec![Finding::good("configuration", format!("{} is good", args.source.name()))];
    findings.extend(runtime.block_on(examine(config, args)));
    // A DNS lookup that still runs is not awaited.
    runtime.shutdown_background();
    match args.json {
        true => print(&format!("{:#}\n", to_json(&findings))),
        false => print(&to_text(&findings, Paint::of_stdout())),
    }
    exit(&findings).into()
}

fn unreadable(args: &Args, problems: &Problems) -> ExitCode {
    if args.json {
        let count = problems.0.len();
        let says = format!("{} problems in {}", count, args.source.name());
        let finding = Finding::failure("configuration", says, "see problems, or run tintype check");
        let mut document = to_json(&[finding]);
        document["problems"] = problems.to_json();
        print(&format!("{document:#}\n"));
    } else {
        let told = || problems.to_text(Paint::of_stderr().is_coloured());
        complain(&args.source.lesson().unwrap_or_else(told));
    }
    Exit::Misused.into()
}

/// A check with its name for the progress display, and its findings.
struct Check {
    name: String,
    work: BoxFuture<'static, Vec<Finding>>,
}

async fn examine(config: Config, args: &Args) -> Vec<Finding> {
    let bar = progress();
    let checks = checks(config, args.card.clone());
    let waiting: Mutex<Vec<String>> = Mutex::new(checks.iter().map(|check| check.name.clone()).collect());
    let waiting = &waiting;
    let (bar, limit) = (&bar, args.timeout);
    let found = join_all(checks.into_iter().map(|Check { name, work }| async move {
        let found = tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let says = format!("{name}: not done within {limit:?}");
            vec![Finding::failure(
                "deadline",
                says,
                "try again with a longer --timeout, on a machine with less to do",
            )]
        });
        let mut waiting = waiting.lock();
        waiting.retain(|other| *other != name);
        bar.set_message(waiting.join(", "));
        found
    }))
    .await;
    bar.finish_and_clear();
    found.into_iter().flatten().collect()
}

fn checks(config: Config, card: Option<PathBuf>) -> Vec<Check> {
    let Config { server, store, upstreams, proxy, .. } = config;
    let quick = limits::check(&server, &store, &proxy, &upstreams);
    let several =
        upstreams.iter().filter(|(_, upstream)| matches!(upstream, Upstream::Chrome(_))).count() > 1;
    let mut checks = Vec::new();
    let mut card = card;
    for (name, upstream) in upstreams {
        let title = format!("upstream.{name}");
        let work: BoxFuture<'static, Vec<Finding>> = match upstream {
            // One card is enough, because all engines have the fonts of the machine.
            Upstream::Chrome(config) => {
                let (filters, upstream) = (config.filters.clone(), name.clone());
                if filters.all().next().is_some() {
                    checks.push(Check {
                        name: format!("{title} filters"),
                        work: Box::pin(async move { lists::check(upstream, filters).await }),
                    });
                }
                Box::pin(browser::check(several.then_some(name), *config, card.take()))
            }
            Upstream::Remote(config) => Box::pin(upstream::check(name, *config)),
        };
        checks.push(Check { name: title, work });
    }
    checks.push(Check { name: "disk".into(), work: Box::pin(disk::check(store)) });
    checks.push(Check { name: "clock".into(), work: Box::pin(async { vec![clock::check()] }) });
    checks.push(Check { name: "limits".into(), work: Box::pin(async { quick }) });
    checks
}

/// A progress display on a terminal, hidden elsewhere.
fn progress() -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} looking at {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
