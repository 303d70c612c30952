//! `tintype batch` and `tintype warm`: have a running tintype capture a list of pages, in jobs of a
//! bounded size, one after the other.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tintype::admin::jobs::BATCH;
use tintype::jobs::Item;
use tintype::jobs::list::{self, Bad, List, Place};
use tintype::jobs::sitemaps::{self, Bounds, LeftOut, Listed};
use url::Url;

use super::control::{Control, perform};
use super::control_error::ControlError;
use super::endpoint::ControlArgs;
use super::terminal::{Exit, Mark, Paint, complain, is_watched, put};
use super::units::plain_lines;

pub(super) const BATCH_HELP: &str = "\
FILE has a URL or a JSON object (url, width, height, format, id) on each line, or is the JSON of a job, or a
sitemap; - is standard input. What fails takes nothing from the others, and makes the exit code 1; an entry that is
bad is named with its line. So does a list of nothing.

Examples:
  tintype batch pages.txt
  tintype batch --json --width 1200 --height 630 pages.txt | jq -r .url
  tintype batch --fresh --parallel 5 pages.jsonl
      Has each picture confirmed or made now, whatever is stored.";

pub(super) const WARM_HELP: &str = "\
Has the pictures of all pages stored, so that whoever asks finds them there. Requests of clients go first.
Sitemaps that a sitemap lists are read too, if they are of the same site (with or without www., http or https) or of
a host that --allow-host names; what is left out is listed. Sitemaps may be XML, RSS, Atom, lists of URLs or a
robots.txt, and packed by gzip. Pictures are shared with requests that ask for the same: give --width and the like as
your clients do. Exits with 1 if anything failed, and if nothing was found.

Examples:
  tintype warm https://www.example.com/sitemap.xml
  tintype warm --parallel 5 --limit 500 pages.txt";

/// Longest list that is read, in bytes.
const MAX_LIST: u64 = 64 << 20;
/// Interval between two requests for the progress of a job.
const LOOK: Duration = Duration::from_millis(250);

#[derive(clap::Args)]
struct Wishes {
    /// Width of the viewport, for entries of the list without one
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u64).range(1..=65535))]
    width: Option<u64>,
    /// Height of the viewport, for entries of the list without one
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u64).range(1..=65535))]
    height: Option<u64>,
    /// Format, for entries of the list without one: png, jpeg, webp
    #[arg(long, value_parser = ["png", "jpeg", "webp"])]
    format: Option<String>,
    /// Pictures at the same time; the server has a bound of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    parallel: Option<u16>,
    /// Time for each picture, in whole seconds; the server has a bound of its own
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    item_timeout: Option<Duration>,
    /// Pictures in one job; the server has a bound of its own
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    job_size: u16,
    /// Takes only the first N entries
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    limit: usize,
    /// Prints a line of JSON for each picture
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

#[derive(clap::Args)]
pub(super) struct BatchArgs {
    /// The list, or - for standard input
    file: String,
    /// Validates or captures each picture again
    #[arg(long)]
    fresh: bool,
    /// Stops at the first picture that fails
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    wishes: Wishes,
}

#[derive(clap::Args)]
pub(super) struct WarmArgs {
    /// A list, - for standard input, or the URL of a sitemap
    #[arg(value_name = "FILE|SITEMAP-URL")]
    list: String,
    /// Also reads sitemaps on this host, if those of the site list them; can be repeated
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    #[command(flatten)]
    wishes: Wishes,
}

pub(super) fn batch(args: &BatchArgs) -> ExitCode {
    let config = json!({ "cache": !args.fresh, "fail_fast": args.fail_fast });
    perform(args.wishes.json, async {
        let listed = Listed { list: of_file(&args.file)?, left_out: Vec::new() };
        run(&args.wishes, listed, config, args.fail_fast).await
    })
}

pub(super) fn warm(args: &WarmArgs) -> ExitCode {
    perform(args.wishes.json, async {
        let listed = match Url::parse(&args.list).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
        {
            Some(sitemap) => {
                let bounds = Bounds {
                    most: args.wishes.limit,
                    hosts: &args.allow_host,
                    files: sitemaps::MAX_FILES,
                    bytes: sitemaps::MAX_BYTES,
                };
                let listed = sitemaps::pages(&sitemap, bounds).await;
                listed.map_err(|why| ControlError::Failed(format!("the sitemap: {why}")))?
            }
            None => Listed { list: of_file(&args.list)?, left_out: Vec::new() },
        };
        run(&args.wishes, listed, json!({}), false).await
    })
}

fn of_file(file: &str) -> Result<List, ControlError> {
    let mut octets = Vec::new();
    let read = match file {
        "-" => std::io::stdin().take(MAX_LIST).read_to_end(&mut octets),
        file => std::fs::File::open(Path::new(file))
            .and_then(|opened| opened.take(MAX_LIST).read_to_end(&mut octets)),
    };
    read.map_err(|error| ControlError::Misused(format!("cannot read {file}: {error}")))?;
    list::read(file, &octets, MAX_LIST).map_err(|error| ControlError::Misused(format!("{file}: {error}")))
}

async fn run(
    wishes: &Wishes,
    listed: Listed,
    mut config: Value,
    ends_early: bool,
) -> Result<Exit, ControlError> {
    let Listed { list: List { mut items, bad }, left_out } = listed;
    let beyond = items.len().saturating_sub(wishes.limit);
    items.truncate(wishes.limit);
    for item in &mut items {
        item.width = item.width.or(wishes.width);
        item.height = item.height.or(wishes.height);
        item.format = item.format.take().or_else(|| wishes.format.clone());
    }
    config["parallel"] = json!(wishes.parallel);
    config["timeout"] = json!(wishes.item_timeout.map(|time| time.as_secs().max(1)));
    let control = Control::of(&wishes.control)?;
    let mut counts = Counts { left_out: left_out.len(), ..Counts::default() };
    let mut reader = tell_bad(&bad, &left_out, wishes.json, &mut counts);
    let bar = progress(items.len());
    for job in items.chunks(usize::from(wishes.job_size)) {
        if matches!(reader, Reader::Gone) || ends_early && counts.failed > 0 {
            break;
        }
        reader = follow(&control, job, &config, wishes.json, &bar, &mut counts).await?;
    }
    bar.finish_and_clear();
    complain(&counts.to_text(beyond));
    if items.is_empty() && bad.is_empty() {
        complain("error: nothing was found to take\n");
        return Ok(Exit::Failed);
    }
    Ok(if counts.failed == 0 { Exit::Good } else { Exit::Failed })
}

/// Reports the entries that cannot be requested.
fn tell_bad(bad: &[Bad], left_out: &[LeftOut], as_json: bool, counts: &mut Counts) -> Reader {
    for LeftOut { what, why, place } in left_out {
        let word = if why.is_failure() { "error" } else { "left out" };
        counts.failed += usize::from(why.is_failure());
        counts.left_out -= usize::from(why.is_failure());
        if put(&entry_line((word, "sitemap"), what, &why.to_string(), place, as_json)).is_err() {
            return Reader::Gone;
        }
    }
    for Bad { what, why, place } in bad {
        counts.failed += 1;
        if put(&entry_line(("error", "page"), what, why, place, as_json)).is_err() {
            return Reader::Gone;
        }
    }
    Reader::There
}

/// A line on an entry of a list, for people or programs.
fn entry_line((status, kind): (&str, &str), what: &str, why: &str, place: &Place, as_json: bool) -> String {
    if as_json {
        let mut line = json!({ "status": status, "error": why, "file": &*place.file, "line": place.line });
        line[kind] = json!(what);
        return format!("{line}\n");
    }
    let paint = Paint::of_stdout();
    let mark = match status {
        "error" => paint.mark(Mark::Failure, "failed"),
        status => paint.mark(Mark::Warning, status),
    };
    format!("{mark} {}: {} ({})\n", plain_lines(what), plain_lines(why), plain_lines(&place.to_string()))
}

#[derive(Default)]
struct Counts {
    good: usize,
    cached: usize,
    failed: usize,
    /// Number of sitemaps that were out of bounds.
    left_out: usize,
}

impl Counts {
    /// The summary of the counts, and of `beyond` entries above the limit.
    fn to_text(&self, beyond: usize) -> String {
        let Counts { good, cached, failed, left_out } = self;
        let mut text = format!("{good} taken, {cached} of them stored before, {failed} failed");
        if *left_out > 0 {
            text += &format!(", {left_out} sitemaps left out");
        }
        if beyond > 0 {
            text += &format!(", {beyond} beyond --limit");
        }
        text + "\n"
    }
}

/// Whether standard output still has a reader. Without one, no further pictures are requested.
enum Reader {
    There,
    Gone,
}

/// Runs one job, and reports each picture when it is done.
async fn follow(
    control: &Control,
    items: &[Item],
    config: &Value,
    as_json: bool,
    bar: &ProgressBar,
    counts: &mut Counts,
) -> Result<Reader, ControlError> {
    let accepted = control.post(BATCH, &json!({ "items": items, "config": config })).await?;
    let id = accepted["job_id"].as_str().unwrap_or_default().to_owned();
    let mut told = vec![false; items.len()];
    loop {
        let results = control.get(&format!("{BATCH}/{id}/results"), &[]).await?;
        let done = results["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        for ((one, told), item) in done.iter().zip(&mut told).zip(items) {
            if *told || one["status"] == "pending" {
                continue;
            }
            *told = true;
            let good = one["status"] == "success";
            counts.good += usize::from(good);
            counts.cached += usize::from(one["cached"] == true);
            counts.failed += usize::from(!good);
            bar.inc(1);
            if bar.suspend(|| put(&line(one, item, as_json))).is_err() {
                return Ok(Reader::Gone);
            }
        }
        if !matches!(results["status"].as_str(), Some("pending" | "processing")) {
            return Ok(Reader::There);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A line on one picture, for people or programs.
fn line(one: &Value, item: &Item, as_json: bool) -> String {
    if as_json {
        let mut one = one.clone();
        one["page"] = json!(item.url);
        return format!("{one}\n");
    }
    let paint = Paint::of_stdout();
    let page = plain_lines(&item.url);
    match one["error"].as_str() {
        Some(error) => format!("{} {page}: {}\n", paint.mark(Mark::Failure, "failed"), plain_lines(error)),
        None => {
            let how = if one["cached"] == true { "stored before" } else { "new" };
            format!("{} {page}: {how}\n", paint.mark(Mark::Good, "ok"))
        }
    }
}

/// A progress bar on a terminal. Elsewhere the lines show the progress.
fn progress(count: usize) -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count as u64);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos} of {len}, {elapsed}, {eta} left") {
        bar.set_style(style);
    }
    bar
}
