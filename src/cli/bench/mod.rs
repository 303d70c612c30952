//! `tintype bench`: puts a bounded load on URLs, and reports rates and latencies by cache status.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use indicatif::{ProgressBar, ProgressStyle};
use tintype::clock::Stopwatch;

use super::connect::{Speaks, client};
use super::control::perform;
use super::control_error::ControlError;
use super::terminal::{Complaint, Exit, Paint, is_watched, print};
use load::{Load, Outcome};
use report::Report;

mod load;
mod report;
mod rounds;
mod spread;

pub(super) const HELP: &str = "\
Each of the --concurrency clients sends its next request when its last is answered; several URLs are asked for in turn.
Connections are kept, redirects not followed. A latency lasts to the last byte of the body. Cache statuses are those of
X-Cache, else of Cache-Status. Exits with 1 if any request failed or got an error status.

Examples:
  tintype bench --url 'http://127.0.0.1:8080/screenshot?url=https://example.com' --concurrency 10 --requests 50 --output load.json
  tintype bench --url http://127.0.0.1:8080/a --url http://127.0.0.1:8080/b --duration 30s --http2
  tintype bench --url http://127.0.0.1:8080/a --iterations 3
      The same request again and again, one line each: the first goes to the origin, the others come from the cache.
  tintype bench --url http://127.0.0.1:8080/a --json | jq .by_cache.HIT.latency_ms.p99";

#[derive(clap::Args)]
pub(super) struct Args {
    /// URL to request; can be repeated
    #[arg(long, required = true, value_parser = url)]
    url: Vec<Uri>,
    /// Requests at the same time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    concurrency: u16,
    /// Requests in all
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Time to send requests for instead, such as 30s
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with = "requests")]
    duration: Option<Duration>,
    /// Tests the cache instead: N requests for each URL, one after the other
    #[arg(
        long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..),
        conflicts_with_all = ["requests", "duration", "concurrency"]
    )]
    iterations: Option<u16>,
    /// File to write the report to, as JSON
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Uses HTTP/2, also without TLS
    #[arg(long)]
    http2: bool,
    /// A header field of every request; can be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE", value_parser = field)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// Time for each response
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Prints the report as JSON
    #[arg(long)]
    json: bool,
}

fn url(text: &str) -> Result<Uri, Complaint> {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "http" | "https") || has_credentials {
        return Err("neither http:// nor https://, or with credentials".into());
    }
    url.as_str()
        .split('#')
        .next()
        .unwrap_or_default()
        .parse()
        .map_err(|error: http::uri::InvalidUri| error.to_string().into())
}

fn field(line: &str) -> Result<(HeaderName, HeaderValue), Complaint> {
    let (name, value) = line.split_once(':').ok_or("not of the form NAME: VALUE")?;
    let name = name.trim().parse().map_err(|_| "the name is none")?;
    Ok((name, HeaderValue::from_str(value.trim()).map_err(|_| "the value has control characters")?))
}

pub(super) fn run(args: &Args) -> ExitCode {
    perform(args.json, async {
        let load = Arc::new(load(args)?);
        let output = args.output.as_ref().map(|file| (file, std::fs::File::create(file)));
        // Opened before the load, which would be wasted if the file cannot be written.
        let output = match output {
            Some((file, Err(error))) => return Err(unwritable(file, &error)),
            Some((file, Ok(opened))) => Some((file, opened)),
            None => None,
        };
        let (told, text, failures) = match args.iterations {
            Some(iterations) => rounds::run(&load, iterations, Paint::of_stdout()).await,
            None => {
                let report = under_load(args, load).await;
                let text = report.to_text(Paint::of_stdout());
                (report.to_json(), text, report.outcome.failures())
            }
        };
        print(&if args.json { format!("{told:#}\n") } else { text });
        if let Some((file, mut opened)) = output {
            let written = std::io::Write::write_all(&mut opened, format!("{told:#}\n").as_bytes());
            written.map_err(|error| unwritable(file, &error))?;
        }
        Ok(if failures == 0 { Exit::Good } else { Exit::Failed })
    })
}

fn unwritable(file: &std::path::Path, error: &std::io::Error) -> ControlError {
    ControlError::Failed(format!("cannot write {}: {error}", file.display()))
}

fn load(args: &Args) -> Result<Load, ControlError> {
    let https = args.url.iter().any(|url| url.scheme_str() == Some("https"));
    let speaks = if args.http2 { Speaks::Http2 } else { Speaks::Http1 };
    let http = client(https, speaks, args.timeout);
    Ok(Load {
        http: http.map_err(|error| ControlError::Failed(error.to_string()))?,
        urls: args.url.clone(),
        fields: args.header.clone(),
        concurrency: usize::from(args.concurrency),
        requests: args.requests,
        duration: args.duration,
        timeout: args.timeout,
    })
}

/// Runs the load until it is done or interrupted.
async fn under_load(args: &Args, load: Arc<Load>) -> Report {
    let bar = progress(&load);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let watch = Stopwatch::start();
    let running = load::run(Arc::clone(&load), stopped, &bar);
    tokio::pin!(running);
    let (mut interrupted, mut outcome) = (false, None::<Outcome>);
    while outcome.is_none() {
        tokio::select! {
            done = &mut running => outcome = Some(done),
            _ = tokio::signal::ctrl_c(), if !interrupted => {
                interrupted = true;
                stop.send_replace(true);
            }
        }
    }
    bar.finish_and_clear();
    Report {
        urls: args.url.iter().map(Uri::to_string).collect(),
        protocol: if args.http2 { "HTTP/2" } else { "HTTP/1.1" },
        concurrency: load.concurrency,
        took: watch.elapsed(),
        interrupted,
        outcome: outcome.unwrap_or_default(),
    }
}

/// A progress bar on a terminal, hidden elsewhere.
fn progress(load: &Load) -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let (length, template) = match load.duration {
        Some(duration) => {
            (u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), "{wide_bar} {elapsed}, {percent} %")
        }
        None => (load.requests, "{wide_bar} {pos} of {len}, {per_sec}"),
    };
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
