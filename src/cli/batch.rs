//! `tintype batch` and `tintype warm`: many pictures by a running tintype, in jobs of a bounded size, one after the other.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tintype::admin::jobs::{Item, PATH, list};
use tintype::app::warm::fetch;
use url::Url;

use super::control::{Control, ControlError, perform};
use super::terminal::{Exit, Mark, Paint, complain, is_watched, put};
use super::units::plain_lines;
use super::whereabouts::ControlArgs;

pub(super) const BATCH_HELP: &str = "\
FILE has a URL or a JSON object (url, width, height, format, id) on each line, or is the JSON of a job, or a
sitemap; - is standard input. What fails takes nothing from the others, and makes the exit code 1.

Examples:
  tintype batch pages.txt
  tintype batch --json --width 1200 --height 630 pages.txt | jq -r .url
  tintype batch --fresh --parallel 5 pages.jsonl
      Has each picture confirmed or made now, whatever is stored.";

pub(super) const WARM_HELP: &str = "\
Has the pictures of all pages stored, so that whoever asks finds them there. Requests of clients go first.
Sitemaps that a sitemap lists are read too, if they are of the same origin. Pictures are shared with requests
that ask for the same: give --width and the like as your clients do.

Examples:
  tintype warm https://www.example.com/sitemap.xml
  tintype warm --parallel 5 --limit 500 pages.txt";

/// Bytes of a list.
const MAX_LIST: u64 = 64 << 20;
/// How often it is asked how far a job is.
const LOOK: Duration = Duration::from_millis(250);

#[derive(clap::Args)]
struct Wishes {
    /// Width of the viewport, where the list does not say
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u64).range(1..=65535))]
    width: Option<u64>,
    /// Height of the viewport, where the list does not say
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u64).range(1..=65535))]
    height: Option<u64>,
    /// Format, where the list does not say: png, jpeg, webp
    #[arg(long, value_parser = ["png", "jpeg", "webp"])]
    format: Option<String>,
    /// Pictures at once; the server has a bound of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    parallel: Option<u16>,
    /// Time for each picture, in whole seconds; the server has a bound of its own
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    item_timeout: Option<Duration>,
    /// Pictures in one job; the server has a bound of its own
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    job_size: u16,
    /// Only the first so many
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
    /// Has each picture confirmed or made now
    #[arg(long)]
    fresh: bool,
    /// Ends with the first picture that fails
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
    #[command(flatten)]
    wishes: Wishes,
}

pub(super) fn batch(args: &BatchArgs) -> ExitCode {
    let config = json!({ "cache": !args.fresh, "fail_fast": args.fail_fast });
    perform(args.wishes.json, async {
        let items = of_file(&args.file)?;
        run(&args.wishes, items, config, args.fail_fast).await
    })
}

pub(super) fn warm(args: &WarmArgs) -> ExitCode {
    perform(args.wishes.json, async {
        let items = match Url::parse(&args.list).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
            Some(sitemap) => {
                let pages = fetch::pages(&sitemap, args.wishes.limit).await;
                list::of_pages(pages.map_err(|why| ControlError::Failed(format!("the sitemap: {why}")))?)
            }
            None => of_file(&args.list)?,
        };
        run(&args.wishes, items, json!({}), false).await
    })
}

fn of_file(file: &str) -> Result<Vec<Item>, ControlError> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().take(MAX_LIST).read_to_string(&mut text),
        file => std::fs::File::open(Path::new(file))
            .and_then(|opened| opened.take(MAX_LIST).read_to_string(&mut text)),
    };
    read.map_err(|error| ControlError::Misused(format!("cannot read {file}: {error}")))?;
    list::read(&text).map_err(|error| ControlError::Misused(format!("{file}: {error}")))
}

async fn run(
    wishes: &Wishes,
    mut items: Vec<Item>,
    mut config: Value,
    ends_early: bool,
) -> Result<Exit, ControlError> {
    items.truncate(wishes.limit);
    let mut ids = HashSet::new();
    for item in &mut items {
        item.width = item.width.or(wishes.width);
        item.height = item.height.or(wishes.height);
        item.format = item.format.take().or_else(|| wishes.format.clone());
        if !ids.insert(item.id.clone()) {
            return Err(ControlError::Misused(format!("two pictures have the id {:?}", item.id)));
        }
    }
    config["parallel"] = json!(wishes.parallel);
    config["timeout"] = json!(wishes.item_timeout.map(|time| time.as_secs().max(1)));
    let control = Control::of(&wishes.control)?;
    let bar = progress(items.len());
    let mut counts = Counts::default();
    for job in items.chunks(usize::from(wishes.job_size)) {
        let reader = follow(&control, job, &config, wishes.json, &bar, &mut counts).await?;
        if matches!(reader, Reader::Gone) || ends_early && counts.failed > 0 {
            break;
        }
    }
    bar.finish_and_clear();
    complain(&format!(
        "{} taken, {} of them stored before, {} failed\n",
        counts.good, counts.cached, counts.failed
    ));
    Ok(if counts.failed == 0 { Exit::Good } else { Exit::Failed })
}

#[derive(Default)]
struct Counts {
    good: usize,
    cached: usize,
    failed: usize,
}

/// Who reads standard output. Who has gone wants no further pictures.
enum Reader {
    There,
    Gone,
}

/// Has one job done, and tells of each picture when it comes.
async fn follow(
    control: &Control,
    items: &[Item],
    config: &Value,
    as_json: bool,
    bar: &ProgressBar,
    counts: &mut Counts,
) -> Result<Reader, ControlError> {
    let accepted = control.post(PATH, &json!({ "items": items, "config": config })).await?;
    let id = accepted["job_id"].as_str().unwrap_or_default().to_owned();
    let mut told = vec![false; items.len()];
    loop {
        let results = control.get(&format!("{PATH}/{id}/results"), &[]).await?;
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

/// One picture, for people or programs.
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

/// Shows on a terminal how far it is; else nothing, the lines say it.
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
