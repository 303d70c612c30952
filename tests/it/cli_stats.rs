//! `tintype stats` (row B17): the hit rate with its verdict in words, what the answers were, and what came since.

use serde_json::Value;

use super::cli_purge::{asking, storing};
use super::support::terminal::{in_pipe, in_terminal, watched_in_terminal};
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verdict_is_in_words() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    let verdict = || {
        let (code, told, errors) = in_pipe(asking(&running, &["stats"]));
        assert_eq!((code, errors.as_str()), (Some(0), ""));
        told
    };
    assert!(verdict().contains("no traffic yet"));
    running.get("/a").await;
    assert!(
        verdict().contains("hit rate")
            && verdict().contains("0.0 %")
            && verdict().contains("lower than 60-80 %")
    );
    for _ in 0..3 {
        running.get("/a").await;
    }
    let healthy = verdict();
    assert!(healthy.contains("75.0 %") && healthy.contains("healthy: 60-80 %"), "{healthy}");
    for line in
        ["requests     4\n", "hits         3  3 from memory\n", "misses       1\n", "stale        0\n"]
    {
        assert!(healthy.contains(line), "{line:?} in {healthy}");
    }
    for _ in 0..6 {
        running.get("/a").await;
    }
    assert!(verdict().contains("higher than 60-80 %"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_get_the_document_and_terminals_colours() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    running.get("/a").await;
    let (code, told, _) = in_pipe(asking(&running, &["stats", "--json"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["traffic"]["misses"]), (Some(0), &1.into()));
    let (code, shown) = in_terminal(asking(&running, &["stats"]), 100);
    assert_eq!(code, Some(0));
    assert!(shown.contains("\x1b[1mtintype "), "{shown}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_draws_anew_until_interrupted() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    running.get("/a").await;
    let mut interrupted = false;
    let watched = asking(&running, &["stats", "--watch", "100ms"]);
    let (code, shown) = watched_in_terminal(watched, 100, move |seen, hand| {
        if !interrupted && seen.matches("\x1b[H\x1b[J").count() > 2 && seen.ends_with('\n') {
            interrupted = true;
            hand.interrupts();
        }
    });
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("0.0/s"), "rates since the round before: {shown}");
    let (code, _, errors) = in_pipe(asking(&running, &["stats", "--watch", "1ms"]));
    assert_eq!(code, Some(2), "{errors}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_in_a_pipe_gives_lines_of_json_until_nobody_reads() {
    use std::io::{BufRead as _, BufReader};
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    let mut command = asking(&running, &["stats", "--watch", "100ms"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["traffic"]["requests"], 0);
    }
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    running.stop().await;
}
