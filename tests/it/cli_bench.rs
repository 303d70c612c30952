//! `tintype bench` (row C18): so many requests, so many at once; rates and latencies by cache status; the test of a cache by
//! --iterations; a report for programs; errors by kind and in the exit code.

use serde_json::{Value, json};

use super::cli_purge::storing;
use super::support::terminal::{in_pipe, in_terminal, tintype, watched_in_terminal};
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_and_latencies_come_by_cache_status() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.json");
    let url = running.url("/a");
    running.get("/a").await;
    for (more, protocol) in [(&[][..], "HTTP/1.1"), (&["--http2"], "HTTP/2")] {
        let arguments = [
            "bench",
            "--url",
            &url,
            "--concurrency",
            "10",
            "--requests",
            "50",
            "--output",
            file.to_str().unwrap(),
        ];
        let (code, told, errors) = in_pipe(tintype(&[&arguments[..], more].concat()));
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{told}");
        assert!(
            told.contains(&format!("10 at once by {protocol}")) && told.contains("errors   none"),
            "{told}"
        );
        let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(
            (&report["answers"], &report["bytes"], &report["protocol"]),
            (&json!(50), &json!(100), &json!(protocol))
        );
        assert_eq!((&report["statuses"], &report["errors"]), (&json!({ "200": 50 }), &json!({})));
        let hits = &report["by_cache"]["HIT"];
        assert_eq!((&hits["count"], &hits["percent"]), (&json!(50), &json!(100.0)), "{report}");
        let latency = |name: &str| hits["latency_ms"][name].as_f64().unwrap();
        let order = ["min", "median", "p90", "p95", "p99", "max"];
        assert!(order.windows(2).all(|pair| latency(pair[0]) <= latency(pair[1])), "{report}");
    }
    assert_eq!(origin.count(), 1);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iterations_test_the_cache() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    let (code, told, _) = in_pipe(tintype(&["bench", "--url", &running.url("/a"), "--iterations", "3"]));
    assert_eq!(code, Some(0));
    let statuses: Vec<&str> = told.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(statuses[..3], ["MISS", "HIT", "HIT"], "{told}");
    assert!(told.contains("times as fast as the first answer"), "{told}");
    let (_, json, _) =
        in_pipe(tintype(&["bench", "--url", &running.url("/a"), "--iterations", "2", "--json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["urls"][0]["iterations"][1]["cache"], "HIT", "{json}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn urls_take_turns_and_fields_are_sent() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("x").header("X-Cache", "Hit from elsewhere")).await;
    let (a, b) = (origin.url("/a"), origin.url("/b"));
    let arguments = [
        "bench",
        "--url",
        &a,
        "--url",
        &b,
        "--requests",
        "6",
        "--concurrency",
        "1",
        "-H",
        "X-Mark: 7",
        "--json",
    ];
    let (code, told, _) = in_pipe(tintype(&arguments));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["by_cache"]["HIT"]["count"]), (Some(0), &json!(6)));
    let received = origin.received(6).await;
    let targets: Vec<&str> = received.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(targets, ["/a", "/b", "/a", "/b", "/a", "/b"]);
    assert!(received.iter().all(|request| request.header("x-mark") == Some("7")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_told_by_kind_and_in_the_exit_code() {
    let origin = ScriptedOrigin::start(|request| match request.target.as_str() {
        "/503" => Reply::status(503),
        "/reset" => Reply::reset(),
        "/cut" => Reply::ok("abc").length(9).cut(),
        _ => Reply::silence(),
    })
    .await;
    for (path, timeout, kind) in [
        ("/503", "30s", "status 503"),
        ("/reset", "30s", "connection broke before an answer"),
        ("/cut", "30s", "answer broke off"),
        ("/never", "300ms", "no whole answer in time"),
    ] {
        let arguments = [
            "bench",
            "--url",
            &origin.url(path),
            "--requests",
            "2",
            "--concurrency",
            "2",
            "--json",
            "--timeout",
            timeout,
        ];
        let (code, told, _) = in_pipe(tintype(&arguments));
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(
            (code, &told["ok"], &told["errors"]),
            (Some(1), &json!(false), &json!({ kind: 2 })),
            "{told}"
        );
    }
    let (code, told, _) = in_pipe(tintype(&["bench", "--url", "http://127.0.0.1:1/", "--requests", "3"]));
    assert_eq!(code, Some(1));
    assert!(told.contains("3 connection refused"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_bounded_and_can_be_interrupted() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    let url = running.url("/a");
    let (code, told, _) = in_pipe(tintype(&["bench", "--url", &url, "--duration", "300ms", "--json"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["interrupted"]), (Some(0), &json!(false)));
    assert!(told["answers"].as_u64() > Some(10) && told["seconds"].as_f64() >= Some(0.3), "{told}");

    let mut interrupted = false;
    let endless = tintype(&["bench", "--url", &url, "--duration", "1h"]);
    let (code, shown) = watched_in_terminal(endless, 100, move |seen, hand| {
        if !interrupted && seen.contains(" %") {
            interrupted = true;
            hand.interrupts();
        }
    });
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("INTERRUPTED"), "what came so far is told: {shown}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_sees_how_far_it_is() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    let (code, shown) =
        in_terminal(tintype(&["bench", "--url", &running.url("/a"), "--requests", "400"]), 100);
    assert_eq!(code, Some(0));
    assert!(shown.contains(" of 400"), "{shown}");
    running.stop().await;
}

#[test]
fn wrong_usage_and_unwritable_reports_are_told_before_the_load() {
    for arguments in [
        &[][..],
        &["--url", "ftp://a"],
        &["--url", "http://a", "--concurrency", "0"],
        &["--url", "http://a", "--requests", "1", "--duration", "1s"],
        &["--url", "http://a", "--iterations", "3", "--requests", "1"],
        &["--url", "http://a", "-H", "nonsense"],
    ] {
        let (code, told, _) = in_pipe(tintype(&[&["bench"], arguments].concat()));
        assert_eq!((code, told.as_str()), (Some(2), ""), "{arguments:?}");
    }
    let (code, told, errors) =
        in_pipe(tintype(&["bench", "--url", "http://127.0.0.1:1", "--output", "/nowhere/x.json"]));
    assert_eq!((code, told.as_str()), (Some(1), ""));
    assert!(errors.contains("cannot write /nowhere/x.json"), "{errors}");
}
