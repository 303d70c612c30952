//! `tintype ls` and `tintype gc`: list and clean up the stored responses of a running tintype.

use std::process::ExitCode;

use serde_json::{Value, json};
use tintype::admin::stored::{GC, STORED};

use super::control::{Control, perform};
use super::endpoint::ControlArgs;
use super::terminal::{Exit, Paint, complain, is_piped, print, put, table};
use super::units::{bytes, plain, seconds, stored_responses};

pub(super) const LS_HELP: &str = "\
All filters must hold. On a terminal there is a table; in a pipe, or with --json, each stored response is a line of
JSON. FRESH is how long it still is, negative when stale.

Examples:
  tintype ls
  tintype ls --host example.com --long
  tintype ls --prefix https://example.com/shop | jq -r 'select(.ttl < 0) | .target'
  tintype ls --json --limit 0 | jq -s 'map(.bytes) | add'";

pub(super) const GC_HELP: &str = "\
What is stale beyond every stale window is of no use without being fetched again. It leaves by itself when its room is
needed; this drops it now, from memory and disk.

Examples:
  tintype gc
  tintype gc --json | jq .dropped";

/// Stored responses in one request: the maximum of the control plane.
const PAGE: u64 = 1000;
/// Default number of lines on a terminal.
const SCREENFUL: u64 = 100;

#[derive(clap::Args)]
pub(super) struct LsArgs {
    /// Only pages of this host
    #[arg(long)]
    host: Option<String>,
    /// Only responses with this tag of their origin
    #[arg(long)]
    tag: Option<String>,
    /// Only pages at or below this URL
    #[arg(long, value_name = "URL")]
    prefix: Option<String>,
    /// Only captures of this page, or the response to this request
    #[arg(long)]
    url: Option<String>,
    /// At most N responses; 0 for all [default: 100 on a terminal, else all]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Also shows keys, and the time that each response took to get
    #[arg(long, short)]
    long: bool,
    /// Prints a line of JSON for each response, as in a pipe
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

#[derive(clap::Args)]
pub(super) struct GcArgs {
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(super) fn gc(args: &GcArgs) -> ExitCode {
    perform(args.json, async {
        let told = Control::of(&args.control)?.post(GC, &json!({})).await?;
        match args.json {
            true => print(&format!("{told:#}\n")),
            false => {
                let dropped = told["dropped"].as_u64().unwrap_or_default();
                print(&format!("dropped {}, stale beyond every window\n", stored_responses(dropped)));
            }
        }
        Ok(Exit::Good)
    })
}

pub(super) fn ls(args: &LsArgs) -> ExitCode {
    // Each line on standard output is a stored response, so errors go to standard error here.
    perform(false, async {
        let control = Control::of(&args.control)?;
        let as_lines = args.json || is_piped();
        let most = args.limit.unwrap_or(if as_lines { 0 } else { SCREENFUL });
        let most = if most == 0 { u64::MAX } else { most };
        let paint = Paint::of_stdout();
        let (mut shown, mut cursor) = (0, None::<String>);
        loop {
            let limit = (most - shown).min(PAGE).to_string();
            let page = control.get(STORED, &query(args, cursor.as_deref(), &limit)).await?;
            let items = page["stored"].as_array().map(Vec::as_slice).unwrap_or_default();
            let text = match as_lines {
                true => lines(items),
                false => listing(items, args.long, shown == 0, paint),
            };
            if put(&text).is_err() {
                return Ok(Exit::Good);
            }
            shown += items.len() as u64;
            cursor = page["cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || shown >= most {
                if !as_lines {
                    complain(&remark(shown, cursor.is_some(), page["listing"] != "complete"));
                }
                return Ok(Exit::Good);
            }
        }
    })
}

fn query<'a>(args: &'a LsArgs, cursor: Option<&'a str>, limit: &'a str) -> Vec<(&'static str, &'a str)> {
    let filters = [("host", &args.host), ("tag", &args.tag), ("prefix", &args.prefix), ("url", &args.url)];
    let filters = filters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    filters.chain([("limit", limit)]).chain(cursor.map(|cursor| ("cursor", cursor))).collect()
}

fn remark(shown: u64, more: bool, partial: bool) -> String {
    let mut text = String::new();
    if shown == 0 {
        text += "nothing that is listed\n";
    }
    if more {
        text += &format!("the first {shown}; --limit 0 shows all\n");
    }
    if partial {
        text += "the listing is partial: more may be stored than it knows of\n";
    }
    text
}

/// A line of JSON for each stored response.
pub(super) fn lines(items: &[Value]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

/// A table of stored responses, with a header if `head`.
pub(super) fn listing(items: &[Value], long: bool, head: bool, paint: Paint) -> String {
    let mut rows = Vec::new();
    if head && !items.is_empty() {
        let names: &[&str] = match long {
            true => &["SIZE", "AGE", "FRESH", "HITS", "TIER", "STATUS", "COST", "TARGET", "KEY"],
            false => &["SIZE", "AGE", "FRESH", "HITS", "TIER", "TARGET"],
        };
        rows.push(names.iter().map(|name| paint.faint(name)).collect());
    }
    rows.extend(items.iter().map(|item| row(item, long, paint)));
    table(&rows)
}

fn row(item: &Value, long: bool, paint: Paint) -> Vec<String> {
    let whole = |name: &str| item[name].as_u64().unwrap_or_default();
    let text = |name: &str| plain(item[name].as_str().unwrap_or("?"));
    let ttl = item["ttl"].as_i64().unwrap_or_default();
    let fresh = seconds(ttl);
    let mut row = vec![
        bytes(whole("bytes")),
        seconds(i64::try_from(whole("age")).unwrap_or(i64::MAX)),
        if ttl < 0 { paint.faint(&fresh) } else { fresh },
        whole("hits").to_string(),
        text("tier"),
    ];
    if long {
        row.extend([whole("status").to_string(), format!("{} ms", whole("cost_ms"))]);
    }
    row.push(text("target"));
    if long {
        row.push(text("key"));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_of_what_it_does_not_see() {
        for (shown, more, partial, expected) in [
            (3, false, false, ""),
            (0, false, false, "nothing that is listed\n"),
            (100, true, false, "the first 100; --limit 0 shows all\n"),
            (1, false, true, "the listing is partial: more may be stored than it knows of\n"),
        ] {
            assert_eq!(remark(shown, more, partial), expected);
        }
    }

    #[test]
    fn targets_cannot_speak_to_the_terminal() {
        let item = json!({ "target": "http://a/\u{1b}[2J", "bytes": 3, "ttl": -5, "tier": "memory" });
        assert_eq!(
            row(&item, false, Paint::none()),
            ["3 B", "0s", "-5s", "0", "memory", "http://a/\u{fffd}[2J"]
        );
    }
}
