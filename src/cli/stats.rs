//! `tintype stats`: the figures of a running tintype, with a verdict in words.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use tintype::admin::stats::STATS;
use tintype::clock::Stopwatch;

use super::control::{Control, perform};
use super::control_error::ControlError;
use super::endpoint::ControlArgs;
use super::terminal::{Complaint, Exit, Mark, Paint, is_piped, print, put, table};
use super::units::{bytes, plain, seconds};

pub(super) const HELP: &str = "\
Counts are since tintype was started. The hit rate is the share of the requests for what can be stored that were answered
without a new response from the origin; 60 to 80 % is healthy.

Examples:
  tintype stats
  tintype stats --watch 2s
      Draws anew every two seconds, with what came since; Ctrl-C ends it.
  tintype stats --json | jq .traffic.hit_rate
  tintype stats --watch 1m >> stats.jsonl
      In a pipe each round is a line of JSON.";

#[derive(clap::Args)]
pub(super) struct Args {
    /// Interval at which the figures are shown again, such as 2s
    #[arg(long, value_name = "TIME", value_parser = interval)]
    watch: Option<Duration>,
    /// Prints one JSON document; with --watch a line for each round
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    control: ControlArgs,
}

/// Shortest interval. With a shorter one, watching would itself be load.
const SHORTEST: Duration = Duration::from_millis(100);

fn interval(text: &str) -> Result<Duration, Complaint> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time >= SHORTEST { Ok(time) } else { Err("at least 100ms".into()) }
}

pub(super) fn run(args: &Args) -> ExitCode {
    perform(args.json, async {
        let control = Control::of(&args.control)?;
        let Some(interval) = args.watch else {
            let stats = control.get(STATS, &[]).await?;
            match args.json {
                true => print(&format!("{stats:#}\n")),
                false => print(&to_text(&stats, None, control.name(), Paint::of_stdout())),
            }
            return Ok(Exit::Good);
        };
        tokio::select! {
            watched = watch(&control, interval, args.json || is_piped()) => watched,
            _ = tokio::signal::ctrl_c() => Ok(Exit::Good),
        }
    })
}

/// Moves the cursor home and clears the screen.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Ends when standard output has no reader, or with the first failure. On a terminal, it waits for
/// a tintype that has stopped.
async fn watch(control: &Control, interval: Duration, as_lines: bool) -> Result<Exit, ControlError> {
    let mut rounds = tokio::time::interval(interval);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut before: Option<(Value, Stopwatch)> = None;
    loop {
        rounds.tick().await;
        let round = control.get(STATS, &[]).await;
        let text = match &round {
            Ok(stats) if as_lines => format!("{stats}\n"),
            Ok(stats) => {
                let since = before.as_ref().map(|(stats, watch)| (stats, watch.elapsed()));
                format!("{CLEAR}{}", to_text(stats, since, control.name(), Paint::of_stdout()))
            }
            Err(error) if before.is_some() && !as_lines && error.is_absence() => {
                format!("{CLEAR}{error}\n")
            }
            Err(_) => return round.map(|_| Exit::Good),
        };
        if put(&text).is_err() {
            return Ok(Exit::Good);
        }
        before = round.ok().map(|stats| (stats, Stopwatch::start())).or(before);
    }
}

/// A line of `traffic`: its name, the path of its count, and the names and paths of its parts.
type Line = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const TRAFFIC: [Line; 9] = [
    ("requests", &["/requests"], &[]),
    (
        "hits",
        &["/hits/memory", "/hits/disk"],
        &[("from memory", "/hits/memory"), ("from disk", "/hits/disk")],
    ),
    ("revalidated", &["/revalidated"], &[]),
    (
        "stale",
        &["/stale/served", "/stale/on_error"],
        &[("while validated", "/stale/served"), ("for a failed origin", "/stale/on_error")],
    ),
    ("misses", &["/misses"], &[("waited for another's fetch", "/collapsed")]),
    ("bypassed", &["/bypassed"], &[]),
    ("errors", &["/errors"], &[]),
    ("to origins", &["/origin/requests"], &[("failed", "/origin/errors")]),
    ("purges", &["/purges"], &[]),
];

/// The figures of `/stats` for people. Missing ones are left out.
fn to_text(stats: &Value, since: Option<(&Value, Duration)>, name: &str, paint: Paint) -> String {
    let version = plain(stats["version"].as_str().unwrap_or("?"));
    let up = seconds(stats["uptime_seconds"].as_i64().unwrap_or_default());
    let mut text = format!("{}\n\n", paint.strong(&format!("tintype {version} at {name}, up {up}")));
    text += &table(&verdicts(stats, paint));
    text.push('\n');
    let rows: Vec<_> = TRAFFIC.iter().filter_map(|line| traffic(stats, since, line, paint)).collect();
    text += &table(&rows);
    let rest =
        [("saved", savings(stats)), ("store", store(stats)), ("not stored", reasons(&stats["not_stored"]))];
    let rest: Vec<_> = rest
        .into_iter()
        .filter_map(|(name, told)| Some(vec![paint.faint(name), told?]))
        .chain(times(stats, paint))
        .collect();
    if !rest.is_empty() {
        text.push('\n');
        text += &table(&rest);
    }
    text
}

fn traffic(
    stats: &Value,
    since: Option<(&Value, Duration)>,
    line: &Line,
    paint: Paint,
) -> Option<Vec<String>> {
    let (name, paths, parts) = line;
    let sum = |stats: &Value| {
        paths
            .iter()
            .try_fold(0, |sum: u64, path| Some(sum.saturating_add(stats["traffic"].pointer(path)?.as_u64()?)))
    };
    let count = sum(stats)?;
    let part = |(words, path): &(&str, &str)| {
        let count = stats["traffic"].pointer(path)?.as_u64()?;
        (count > 0).then(|| format!("{count} {words}"))
    };
    let mut row = vec![paint.faint(name), count.to_string()];
    if let Some((before, elapsed)) = since {
        let more = count.saturating_sub(sum(before).unwrap_or(count));
        row.push(format!("{:.1}/s", more as f64 / elapsed.as_secs_f64().max(0.001)));
    }
    row.push(parts.iter().filter_map(part).collect::<Vec<_>>().join(", "));
    Some(row)
}

/// The verdicts of the control plane.
fn verdicts(stats: &Value, paint: Paint) -> Vec<Vec<String>> {
    let given = [("hit rate", "hit_rate"), ("stale served", "stale_served"), ("memory used", "size")];
    let given = given.iter().filter_map(|(name, field)| {
        let told = &stats["verdicts"][field];
        let mark = match told["light"].as_str()? {
            "red" => Mark::Failure,
            "yellow" => Mark::Warning,
            _ => Mark::Good,
        };
        let percent = told["percent"].as_f64();
        let percent = percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1} %"));
        Some(vec![paint.faint(name), paint.mark(mark, &percent), plain(told["verdict"].as_str()?)])
    });
    given.collect()
}

fn savings(stats: &Value) -> Option<String> {
    let savings = stats.get("savings")?;
    let browser = savings["browser_seconds"].as_f64().unwrap_or_default();
    let calls = savings["origin_requests"].as_u64().unwrap_or_default();
    let by_304 = savings["bytes_by_304"].as_u64().unwrap_or_default();
    let browser = seconds(browser.round() as i64);
    Some(format!("{browser} of browser time, {calls} requests to origins, {} by 304", bytes(by_304)))
}

fn store(stats: &Value) -> Option<String> {
    let figure = |name: &str| stats["store"][name].as_u64();
    let mut text = format!(
        "{} of {} memory, {} records",
        bytes(figure("memory_bytes")?),
        bytes(figure("memory_capacity")?),
        figure("memory_records")?
    );
    match figure("disk_capacity") {
        Some(0) | None => text += "; no disk",
        Some(disk) => text += &format!("; {} on disk", bytes(disk)),
    }
    if figure("disk_capacity") > Some(0) && stats["store"]["disk_healthy"] == false {
        text += ", which does NOT take writes";
    }
    Some(text)
}

/// `3 private, 1 no-store`, the most frequent first.
fn reasons(counts: &Value) -> Option<String> {
    let mut counts: Vec<(u64, &String)> =
        counts.as_object()?.iter().filter_map(|(name, count)| Some((count.as_u64()?, name))).collect();
    counts.sort_by(|a, b| b.cmp(a));
    let told: Vec<String> = counts.iter().map(|(count, name)| format!("{count} {}", plain(name))).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// Durations of responses, by cache result.
fn times(stats: &Value, paint: Paint) -> Vec<Vec<String>> {
    let Some(times) = stats["response_seconds"].as_object() else { return Vec::new() };
    let ms =
        |value: &Value| value.as_f64().map_or_else(|| "-".to_owned(), |s| format!("{:.1} ms", s * 1000.0));
    let told = times.iter().map(|(name, of)| {
        let words = format!("median below {}, p99 below {}", ms(&of["median_below"]), ms(&of["p99_below"]));
        vec![paint.faint(&plain(name).replace('_', " ")), words]
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_left_out() {
        let bare = to_text(&json!({ "version": "0" }), None, "here", Paint::none());
        assert_eq!(bare, "tintype 0 at here, up 0s\n\n\n");
        let told =
            json!({ "verdicts": { "hit_rate": { "percent": 12.5, "light": "red", "verdict": "low" } } });
        assert!(to_text(&told, None, "here", Paint::none()).contains("hit rate  12.5 %  low\n"));
        let more = json!({
            "savings": { "browser_seconds": 61.2, "origin_requests": 3, "bytes_by_304": 2048 },
            "not_stored": { "private": 1, "no-store": 3 },
            "response_seconds": { "hit_memory": { "median_below": 0.001, "p99_below": null } },
        });
        let more = to_text(&more, None, "here", Paint::none());
        for words in [
            "1m 1s of browser time, 3 requests to origins, 2.0 KiB by 304",
            "3 no-store, 1 private",
            "hit memory  median below 1.0 ms, p99 below -",
        ] {
            assert!(more.contains(words), "{more}");
        }
    }

    #[test]
    fn rates_are_since_the_round_before() {
        let at = |requests: u64| json!({ "traffic": { "requests": requests } });
        let (now, before) = (at(30), at(10));
        let line = traffic(&now, Some((&before, Duration::from_secs(2))), &TRAFFIC[0], Paint::none());
        assert_eq!(line, Some(vec!["requests".into(), "30".into(), "10.0/s".into(), String::new()]));
    }
}
