//! Logging never blocks and never kills: a log that cannot be written, that nobody reads, or whose reader went away costs log lines,
//! which are counted, and no request. The same holds for what verbs print.
//!
//! Sources: typedb#7985, slint#11396 (the fallback `eprintln!` of tracing panics), omicron#4352 (a full disk under the log).

use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cli_purge::{asking, storing};
use super::support::terminal::in_pipe;
use crate::support::client::get;
use crate::support::*;

pub(super) fn configured(folder: &Path, origin: &ScriptedOrigin, log: &str) -> PathBuf {
    let file = folder.join("proxy.toml");
    std::fs::write(&file, Tintype::toml(origin, &format!("[log]\n{log}\n"))).unwrap();
    file
}

/// Starts one whose standard error is `stderr`.
pub(super) async fn logging_to(config: &Path, stderr: impl Into<Stdio>) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
    command.args(["serve", "--config"]).arg(config);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
    Process::launched(child).await
}

async fn is_answered(process: &Process, times: usize, path: &str) {
    for n in 0..times {
        // A connection of its own for each.
        let answer = get(&format!("http://{}{path}{n}", process.address), &[]).await;
        assert_eq!(answer.status, 200);
    }
    let ready = get(&format!("http://{}/readyz", process.admin), &[]).await;
    assert_eq!(ready.status, 200, "{}", ready.text());
}

async fn lost(process: &Process) -> u64 {
    let metrics = get(&format!("http://{}/metrics", process.admin), &[]).await.text();
    let line = metrics.lines().find_map(|line| line.strip_prefix("tintype_lost_log_lines_total "));
    line.expect("the metric").trim().parse().unwrap()
}

/// typedb#7985: the second request was refused, and SIGTERM made it exit with 101.
#[tokio::test]
async fn a_full_disk_under_the_log_costs_lines() {
    let (origin, folder) = (storing().await, tempfile::tempdir().unwrap());
    for format in ["text", "json"] {
        let config = configured(folder.path(), &origin, &format!("format = \"{format}\""));
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let process = logging_to(&config, full).await;
        is_answered(&process, 5, "/a").await;
        within("lost lines", async {
            while lost(&process).await < 5 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(process.stop().await, "SIGTERM ends it with 0");
    }
}

/// slint#11396: `2>&1 | head -5`.
#[tokio::test]
async fn a_log_reader_that_goes_away_costs_lines() {
    let (origin, folder) = (storing().await, tempfile::tempdir().unwrap());
    let config = configured(folder.path(), &origin, "");
    let (read, write) = std::io::pipe().unwrap();
    let process = logging_to(&config, OwnedFd::from(write)).await;
    is_answered(&process, 1, "/before").await;
    drop(read);
    is_answered(&process, 5, "/after").await;
    assert!(process.stop().await);
}

/// A pipe holds 64 KiB; the writer of one that is full used to wait, and with it every request.
#[tokio::test]
async fn a_log_that_nobody_reads_costs_lines_which_it_tells_of_later() {
    let (origin, folder) = (storing().await, tempfile::tempdir().unwrap());
    let config = configured(folder.path(), &origin, "max_buffer = \"64KiB\"");
    let (read, write) = std::io::pipe().unwrap();
    let process = logging_to(&config, OwnedFd::from(write)).await;
    let long = format!("/{}", "x".repeat(2000));
    is_answered(&process, 100, &long).await;
    let dropped = lost(&process).await;
    assert!(dropped > 10, "{dropped}");

    let told = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(read).lines().map_while(Result::ok);
        lines.find(|line| line.contains("log lines were lost")).map(|line| (line, lines))
    });
    let (line, lines) = within_long("the line that tells", told).await.unwrap().unwrap();
    assert!(line.contains(&format!("lost={dropped}")), "{line}");
    // From here on nobody reads again, and the end does not wait for it either.
    is_answered(&process, 100, &long).await;
    assert!(process.stop().await);
    drop(lines);
}

/// The announcement used to panic.
#[tokio::test]
async fn a_full_disk_under_standard_output_is_no_reason_to_end() {
    let (origin, folder) = (storing().await, tempfile::tempdir().unwrap());
    let config = configured(folder.path(), &origin, "");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
    command.args(["serve", "--config"]).arg(config).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stderr = child.stderr.take().unwrap();
    let told = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let told = lines.find(|line| line.contains("tintype listens on http://"));
        std::thread::spawn(move || lines.for_each(drop));
        told
    });
    let told = within_long("the line that says so", told).await.unwrap().unwrap();
    let address = told.split("listens on http://").nth(1).unwrap();
    let end = address.find(|c: char| !c.is_ascii_digit() && !".:".contains(c)).unwrap_or(address.len());
    assert_eq!(get(&format!("http://{}/a", &address[..end]), &[]).await.status, 200);
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert_eq!(within_long("the end", ended).await.unwrap().code(), Some(0));
}

/// What could not be written is a failure, where a reader that had enough is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_end_quietly_without_a_reader_and_tell_of_a_full_disk() {
    let origin = storing().await;
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("pages.txt");
    let pages: Vec<String> = (0..5).map(|n| format!("https://{n}.example/\n")).collect();
    std::fs::write(&list, pages.concat()).unwrap();
    let (list, url) = (list.to_str().unwrap(), running.url("/?url=https://a.example"));
    let bench = ["bench", "--url", &url, "--requests", "3", "--json"];
    for (verb, at_most) in [
        (&["stats", "--json"][..], 0),
        (&["stats", "--watch", "100ms", "--json"], 0),
        (&["batch", "--json", "--job-size", "1", "--fresh", list], 1),
        (&["warm", "--job-size", "1", "--width", "700", list], 1),
        (&bench, 3),
    ] {
        let before = origin.count();
        let command = |stdout: Stdio| {
            let mut command = match verb[0] {
                "bench" => super::support::terminal::tintype(verb),
                _ => asking(&running, verb),
            };
            command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
            command
        };
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let ended = command(write.into()).output().unwrap();
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(0), "{verb:?}: {errors}");
        assert!(!errors.contains("panicked") && !errors.contains("error"), "{verb:?}: {errors}");
        assert!(origin.count() - before <= at_most, "{verb:?} goes on without a reader");

        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = command(full.into()).output().unwrap();
        let errors = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{verb:?}: {errors}");
        assert!(errors.contains("cannot write to standard output: No space left"), "{verb:?}: {errors}");
    }
    let (code, ..) = in_pipe(asking(&running, &["stats", "--json"]));
    assert_eq!(code, Some(0));
    running.stop().await;
}
