//! `tintype ls`: a table for people, lines of JSON for programs, page by page; filters are those of the control plane.

use serde_json::Value;

use super::cli_purge::{asking, storing};
use super::support::terminal::{in_pipe, in_terminal};
use crate::support::*;

fn values(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_gets_a_line_of_json_for_each() {
    let origin = storing().await;
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    assert_eq!(in_pipe(asking(&running, &["ls"])), (Some(0), String::new(), String::new()));
    for (host, page) in [("a", 1), ("a", 2), ("b", 1)] {
        running.get(&format!("/s?url=https://{host}.example/{page}")).await;
    }
    for (arguments, count) in [
        (&[][..], 3),
        (&["--json"], 3),
        (&["--host", "a.example"], 2),
        (&["--host", "a.example", "--prefix", "https://a.example/2"], 1),
        (&["--tag", "seven", "--limit", "2"], 2),
        (&["--tag", "six"], 0),
        (&["--url", "https://b.example/1"], 1),
        (&["--limit", "0"], 3),
    ] {
        let (code, told, errors) = in_pipe(asking(&running, &[&["ls"], arguments].concat()));
        assert_eq!((code, errors.as_str()), (Some(0), ""));
        assert_eq!(values(&told).len(), count, "{arguments:?}");
    }
    let (_, told, _) = in_pipe(asking(&running, &["ls", "--host", "b.example"]));
    let item = &values(&told)[0];
    assert_eq!((&item["target"], &item["tier"]), (&"https://b.example/1".into(), &"memory".into()), "{item}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_followed_to_the_end() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("x").header("Cache-Control", "max-age=600")).await;
    let running = Tintype::before(&origin).await;
    for number in 0..1010 {
        running.get(&format!("/{number}")).await;
    }
    for (limit, expected) in [("0", 1010), ("1005", 1005), ("7", 7)] {
        let (code, told, _) = in_pipe(asking(&running, &["ls", "--limit", limit]));
        let mut targets: Vec<String> =
            values(&told).iter().map(|item| item["target"].as_str().unwrap().to_owned()).collect();
        targets.sort_unstable();
        targets.dedup();
        assert_eq!((code, targets.len()), (Some(0), expected), "each once");
    }
    // A terminal is not flooded.
    let (code, shown) = in_terminal(asking(&running, &["ls"]), 100);
    assert_eq!(code, Some(0));
    assert_eq!(shown.lines().count(), 102, "{shown}");
    assert!(shown.contains("the first 100; --limit 0 shows all"), "{shown}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_gets_a_table() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    let (_, nothing) = in_terminal(asking(&running, &["ls"]), 100);
    assert_eq!(nothing.trim_end(), "nothing that is listed");
    running.get("/a").await;
    running.get("/a").await;
    running.later(700);
    let mut command = asking(&running, &["ls", "--long"]);
    command.env("NO_COLOR", "1");
    let (code, shown) = in_terminal(command, 200);
    assert_eq!(code, Some(0));
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(rows[0], ["SIZE", "AGE", "FRESH", "HITS", "TIER", "STATUS", "COST", "TARGET", "KEY"]);
    assert_eq!(rows[1][..6], ["2 B", "11m 40s", "-1m 40s", "1", "memory", "200"], "{shown}");
    assert!(rows[1][7].ends_with("/a") && rows[1][8].ends_with("/a"), "{shown}");
    let (_, coloured) = in_terminal(asking(&running, &["ls"]), 100);
    assert!(coloured.contains("\x1b[2m"), "{coloured}");
    running.stop().await;
}
