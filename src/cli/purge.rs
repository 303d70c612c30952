//! `tintype purge`: makes stored responses unusable, or stale, in a running tintype.

use std::process::ExitCode;

use serde_json::{Map, Value, json};
use tintype::admin::purge::PURGE;

use super::control::{Control, perform};
use super::control_error::ControlError;
use super::endpoint::ControlArgs;
use super::stored::{lines, listing};
use super::terminal::{Exit, Paint, complain, is_attended, is_piped, print};
use super::units::stored_responses;

pub(super) const HELP: &str = "\
A purge holds from the moment in which it is answered: in memory, on disk, in fetches that are under way, and after a
restart. Without --soft or --refresh what it hits is not used again. docs/PURGE.md tells what each name covers.

Examples:
  tintype purge https://example.com/
      Every picture of that page, in all sizes, formats and variants.
  tintype purge --refresh https://example.com/ https://example.com/news
      Has them taken again, the most wanted first; until then the old ones serve inside their stale windows.
  tintype purge --tag product-7 --tag product-8 --soft
  tintype purge --prefix https://example.com/shop --dry-run --list 20
      Only tells what would be hit.
  tintype purge --all --yes --json | jq .hit";

#[derive(clap::Args)]
#[command(group(
    clap::ArgGroup::new("what").required(true).args(["url", "key", "tag", "host", "prefix", "all"])
))]
pub(super) struct Args {
    /// Pages, by URL (https:// is assumed without a scheme), or requests to tintype, by path and
    /// query
    url: Vec<String>,
    /// The responses under this key, as tintype ls --long shows it
    #[arg(long)]
    key: Option<String>,
    /// Responses with this tag of their origin; can be repeated
    #[arg(long)]
    tag: Vec<String>,
    /// Every page of this host
    #[arg(long)]
    host: Option<String>,
    /// Every page at or below this URL
    #[arg(long, value_name = "URL")]
    prefix: Option<String>,
    /// Every stored response
    #[arg(long)]
    all: bool,
    /// Makes responses stale instead: validated at the next use, or served inside the stale windows
    #[arg(long, conflicts_with = "refresh")]
    soft: bool,
    /// Makes responses stale and fetches them again
    #[arg(long)]
    refresh: bool,
    /// Only reports what would be purged
    #[arg(long)]
    dry_run: bool,
    /// Lists the first N purged responses
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=1000))]
    list: u16,
    /// Does not ask for confirmation
    #[arg(long, short)]
    yes: bool,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(super) fn run(args: &Args) -> ExitCode {
    perform(args.json, async {
        let control = Control::of(&args.control)?;
        if args.all && !args.dry_run && !args.yes {
            confirm(&control)?;
        }
        let told = control.post(PURGE, &wanted(args)).await?;
        tell(&told, args);
        Ok(Exit::Good)
    })
}

/// The body of `POST /purge`.
fn wanted(args: &Args) -> Value {
    let mode = match (args.soft, args.refresh) {
        (true, _) => "soft",
        (_, true) => "refresh",
        _ => "hard",
    };
    let mut body = Map::new();
    body.insert("mode".into(), json!(mode));
    body.insert("dry_run".into(), json!(args.dry_run));
    body.insert("list".into(), json!(args.list));
    let (name, value) = match (&args.key, &args.host, &args.prefix) {
        (Some(key), ..) => ("key", json!(key)),
        (_, Some(host), _) => ("host", json!(host)),
        (.., Some(prefix)) => ("prefix", json!(prefix)),
        _ if args.all => ("all", json!(true)),
        _ if !args.tag.is_empty() => ("tags", json!(args.tag)),
        _ => ("urls", args.url.iter().map(|url| complete(url)).collect()),
    };
    body.insert(name.into(), value);
    Value::Object(body)
}

/// Completes the URL of a page like `tintype get`. A path belongs to a request to tintype.
pub(super) fn complete(url: &str) -> String {
    if url.contains("://") || url.starts_with('/') { url.to_owned() } else { format!("https://{url}") }
}

fn confirm(control: &Control) -> Result<(), ControlError> {
    if !is_attended() {
        return Err(ControlError::Misused("--all needs --yes where nobody can be asked".to_owned()));
    }
    complain(&format!("Purge everything that is stored at {}? [y/N] ", control.name()));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    match read.map(|_| answer.trim().to_lowercase()).as_deref() {
        Ok("y" | "yes") => Ok(()),
        _ => Err(ControlError::Failed("nothing was purged".to_owned())),
    }
}

fn tell(told: &Value, args: &Args) {
    if args.json {
        return print(&format!("{told:#}\n"));
    }
    let items = told["stored"].as_array().map(Vec::as_slice).unwrap_or_default();
    match is_piped() && args.list > 0 {
        // The list is for a program, the summary for the reader of the log.
        true => {
            print(&lines(items));
            complain(&summary(told));
        }
        false => {
            print(&summary(told));
            if !items.is_empty() {
                print(&listing(items, false, true, Paint::of_stdout()));
            }
        }
    }
}

/// One line on what was purged.
fn summary(told: &Value) -> String {
    let hit = told["hit"].as_u64().unwrap_or_default();
    let verb = if told.get("would_purge").is_some() { "would purge" } else { "purged" };
    let partial = told["listing"] != "complete";
    let count = match (hit, partial) {
        (0, true) => "what is not listed (the listing is partial: nothing in it is hit)".to_owned(),
        (hit, true) => format!("at least {} (the listing is partial)", stored_responses(hit)),
        (0, false) => "nothing: none of what is stored is hit".to_owned(),
        (hit, false) => stored_responses(hit),
    };
    let how = match (told["mode"].as_str(), told["refreshing"].as_u64()) {
        _ if (hit, partial) == (0, false) => String::new(),
        (Some("soft"), _) => ", softly: stale from now on".to_owned(),
        (Some("refresh"), Some(1)) => "; 1 of them is fetched again".to_owned(),
        (Some("refresh"), Some(many)) => format!("; {many} of them are fetched again"),
        (Some("refresh"), None) => ", to be fetched again".to_owned(),
        _ => String::new(),
    };
    format!("{verb} {count}{how}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_one_line() {
        for (told, expected) in [
            (
                json!({ "purged": {}, "mode": "hard", "hit": 1, "listing": "complete" }),
                "purged 1 stored response",
            ),
            (
                json!({ "purged": {}, "mode": "refresh", "hit": 3, "listing": "complete", "refreshing": 2 }),
                "purged 3 stored responses; 2 of them are fetched again",
            ),
            (
                json!({ "would_purge": {}, "mode": "soft", "hit": 2, "listing": "partial" }),
                "would purge at least 2 stored responses (the listing is partial), softly: stale from now on",
            ),
            (
                json!({ "purged": {}, "mode": "refresh", "hit": 1, "listing": "complete", "refreshing": 1 }),
                "purged 1 stored response; 1 of them is fetched again",
            ),
            (
                json!({ "purged": {}, "mode": "hard", "hit": 0, "listing": "complete" }),
                "purged nothing: none of what is stored is hit",
            ),
            (
                json!({ "purged": {}, "mode": "soft", "hit": 0, "listing": "complete" }),
                "purged nothing: none of what is stored is hit",
            ),
        ] {
            assert_eq!(summary(&told), format!("{expected}\n"));
        }
    }

    #[test]
    fn pages_need_no_scheme() {
        for (url, expected) in
            [("example.com/a", "https://example.com/a"), ("http://a", "http://a"), ("/a?b", "/a?b")]
        {
            assert_eq!(complete(url), expected);
        }
    }
}
