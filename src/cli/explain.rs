//! `tintype explain`: the response that a request gets from a running tintype, and why.

use std::process::ExitCode;

use serde_json::Value;
use tintype::admin::explain::EXPLAIN;

use super::control::{Control, perform};
use super::endpoint::ControlArgs;
use super::purge::complete;
use super::terminal::{Exit, Paint, complain, print, table};
use super::units::{bytes, plain, seconds};

pub(super) const HELP: &str = "\
Tells the route, the key and what it is made of, what is stored and how long it stays fresh, its variants, and why nothing
was stored, if so. Nothing is fetched or counted by it.

Examples:
  tintype explain 'http://127.0.0.1:8080/screenshot?url=https://example.com&width=800'
      A request, as a client would send it; the path and query alone will do.
  tintype explain --page https://example.com
      The plain capture of a page.
  tintype explain -H 'Accept-Language: de' /reports/7
  tintype explain /reports/7 --json | jq -r .now.rule";

#[derive(clap::Args)]
pub(super) struct Args {
    /// A request to tintype, by its URL or its path and query; or a page, if no route takes its URL
    url: String,
    /// The URL is that of a page, even if a route takes it
    #[arg(long)]
    page: bool,
    /// A header field of the request; can be repeated
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Method of the request
    #[arg(long, default_value = "GET")]
    method: String,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

pub(super) fn run(args: &Args) -> ExitCode {
    perform(args.json, async {
        let control = Control::of(&args.control)?;
        let page = complete(&args.url);
        let mut query = vec![if args.page { ("target", page.as_str()) } else { ("url", args.url.as_str()) }];
        query.push(("method", &args.method));
        query.extend(args.header.iter().map(|line| ("header", line.as_str())));
        let mut told = control.get(EXPLAIN, &query).await?;
        // No route takes the URL, so it can only be that of a page. The explanation of its capture
        // is more useful, if there is one.
        if !args.page && told["now"]["rule"] == "no-route" && !args.url.starts_with('/') {
            query[0] = ("target", &page);
            told = control.get(EXPLAIN, &query).await.unwrap_or(told);
        }
        match args.json {
            true => print(&format!("{told:#}\n")),
            false => print(&to_text(&told, Paint::of_stdout())),
        }
        let is_capture = args.page || query[0].0 == "target" || told["route"]["capture"] == true;
        if !args.json && !is_capture && args.url.contains("://") {
            complain("This is how it goes as a request to tintype. If it is a page to capture: --page\n");
        }
        Ok(Exit::Good)
    })
}

/// Sections in the order in which a request meets them. Others follow.
const SECTIONS: [&str; 10] =
    ["request", "route", "key", "wishes", "stored", "freshness", "variants", "purge", "mark", "not_stored"];

fn to_text(told: &Value, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.strong(&headline(told)));
    if let Some(words) = told["not_stored"]["words"].as_str() {
        let ago = told["not_stored"]["seconds_ago"].as_i64().unwrap_or_default();
        text += &format!("Nothing is stored: {}, {} ago\n", plain(words), seconds(ago));
    }
    let Some(all) = told.as_object() else { return text };
    let others = all.keys().map(String::as_str).filter(|name| *name != "now" && !SECTIONS.contains(name));
    for name in SECTIONS.into_iter().chain(others) {
        let mut rows = Vec::new();
        rows_of(all.get(name).unwrap_or(&Value::Null), name, &mut rows);
        if rows.is_empty() {
            continue;
        }
        text += &format!("\n{}\n", paint.strong(&title(name)));
        let rows = rows.into_iter().map(|(name, value)| vec![format!("  {}", paint.faint(&name)), value]);
        text += &table(&rows.collect::<Vec<_>>());
    }
    text
}

/// The response that the request gets now, in a line.
fn headline(told: &Value) -> String {
    let now = &told["now"];
    let text = |name: &str| now[name].as_str().map(plain);
    let mut parts: Vec<String> =
        [text("rule"), text("tier").map(|tier| format!("from {tier}"))].into_iter().flatten().collect();
    parts.extend(now["status"].as_u64().map(|status| format!("status {status}")));
    parts.extend(match (&now["asks_origin"], &now["validates"]) {
        (Value::Bool(true), Value::Bool(true)) => Some("the origin is asked whether it changed".to_owned()),
        (Value::Bool(true), _) => Some("the origin is asked".to_owned()),
        (Value::Bool(false), _) => Some("the origin is not asked".to_owned()),
        (Value::String(_), _) => Some("the origin is asked in the background".to_owned()),
        _ => None,
    });
    if now["fetch_under_way"] == true {
        parts.push("a fetch is under way".to_owned());
    }
    let answer = text("answer").unwrap_or_else(|| "?".to_owned()).to_uppercase();
    format!("{answer}: {}", parts.join(", "))
}

fn title(name: &str) -> String {
    name.replace('_', " ")
}

/// The leaves below `value` with their names. Values that are null, false or empty are left out.
fn rows_of(value: &Value, name: &str, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Null | Value::Bool(false) => {}
        Value::Bool(true) => rows.push((title(name), "yes".to_owned())),
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => rows.push((title(name), plain(text))),
        Value::Number(number) => rows.push(number_row(name, number)),
        Value::Array(items) => {
            for item in items {
                match item {
                    // A parameter of a cache key.
                    Value::Array(pair) if pair.len() == 2 => {
                        let part = |at: usize| plain(pair[at].as_str().unwrap_or_default());
                        rows.push((title(name), format!("{} = {}", part(0), part(1))));
                    }
                    Value::Object(fields) => rows.push((title(name), on_a_line(fields))),
                    other => rows_of(other, name, rows),
                }
            }
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                rows_of(value, field, rows);
            }
        }
    }
}

fn number_row(name: &str, number: &serde_json::Number) -> (String, String) {
    if let Some(name) = name.strip_suffix("_seconds") {
        let text = match number.as_i64() {
            Some(whole) => seconds(whole),
            None => format!("{:.3}s", number.as_f64().unwrap_or_default()),
        };
        return (title(name), text);
    }
    if name == "seconds_ago" {
        return ("ago".to_owned(), seconds(number.as_i64().unwrap_or_default()));
    }
    let text = match (name, number.as_u64()) {
        ("bytes", Some(count)) => bytes(count),
        _ => number.to_string(),
    };
    (title(name), text)
}

fn on_a_line(fields: &serde_json::Map<String, Value>) -> String {
    let mut rows = Vec::new();
    for (name, value) in fields {
        rows_of(value, name, &mut rows);
    }
    rows.into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_explanation_is_read_in_sections() {
        let told = json!({
            "request": { "method": "GET", "url": "http://localhost/a" },
            "now": { "answer": "hit", "rule": "fresh", "tier": "memory", "asks_origin": false },
            "key": { "primary": "all /a", "parameters": [["width", "800"]] },
            "stored": { "bytes": 3, "cost_seconds": 0.25, "own_entity_tag": false, "vary": null },
            "freshness": { "age_seconds": 61, "windows": { "stale_if_error_seconds": 0 } },
            "variants": { "known": [{ "key": "k", "selected": true }], "selecting": ["accept"] },
            "new_section": { "x": "y\u{1b}" },
            "not_stored": { "reason": "private", "words": "the response said private", "seconds_ago": 61 },
        });
        let expected = "\
HIT: fresh, from memory, the origin is not asked
Nothing is stored: the response said private, 1m 1s ago

request
  method  GET
  url     http://localhost/a

key
  parameters  width = 800
  primary     all /a

stored
  bytes  3 B
  cost   0.250s

freshness
  age             1m 1s
  stale if error  0s

variants
  known      key k, selected yes
  selecting  accept

not stored
  reason  private
  ago     1m 1s
  words   the response said private

new section
  x  y\u{fffd}
";
        assert_eq!(to_text(&told, Paint::none()), expected);
    }

    #[test]
    fn what_happens_now_is_one_line() {
        for (now, expected) in [
            (
                json!({ "answer": "miss", "rule": "stale", "asks_origin": true, "validates": true }),
                "MISS: stale, the origin is asked whether it changed",
            ),
            (
                json!({ "answer": "stale", "rule": "stale-while-revalidate", "asks_origin": "behind", "fetch_under_way": true }),
                "STALE: stale-while-revalidate, the origin is asked in the background, a fetch is under way",
            ),
            (json!({ "answer": "error", "rule": "no-route", "status": 404 }), "ERROR: no-route, status 404"),
        ] {
            assert_eq!(headline(&json!({ "now": now })), expected);
        }
    }
}
