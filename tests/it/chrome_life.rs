//! The engine outlives its browsers, and no browser outlives the engine:
//! - a browser that is killed, idle or under a capture, is replaced, and the next request succeeds;
//! - a worn browser is replaced without a gap;
//! - a capture has a deadline, the queue has an end, and who goes away frees the place;
//! - after shutdown no process of the browser's group and no profile folder is left, and after a crash of ours no
//!   browser, and at the next start no folder.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tintype::clock::SystemClock;
use tintype::origin::chrome::{Config, Engine, StartError};
use tintype::origin::{Origin, OriginError};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::chrome_site::{
    Answer, Site, alive, browser, config, group, html, picture, profile, shoot, signal, signal_type, start,
    until,
};

fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

async fn site() -> Site {
    Site::start([
        ("/", html("<h1>Here</h1>")),
        ("/waits", html("<img src=/never>")),
        ("/never", Answer::Never),
        ("/busy", html("<script>onload = () => { for (;;); }</script>")),
    ])
    .await
}

#[tokio::test]
async fn a_browser_killed_while_idle_is_replaced() {
    let (site, engine) = (site().await, start(config()));
    let first = browser(&engine).await;
    let folder = profile(first);
    assert!(folder.exists());
    kill(first);
    // At once: the request may come before the death is noticed.
    picture(shoot(&engine, &site.url("/"), "").await);
    let second = browser(&engine).await;
    assert_ne!(first, second);
    assert_eq!(engine.stats().restarts, 1);
    until("the dead one's group and profile are gone", || group(first).is_empty() && !folder.exists()).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_capture_whose_browser_is_killed_is_tried_on_another() {
    let (site, engine) = (site().await, start(config()));
    let first = browser(&engine).await;
    let url = site.url("/waits");
    let capture = async { shoot(&engine, &url, "").await };
    let script = async {
        site.requested("/never", 1).await;
        kill(first);
        // The same page again, on another browser; a second death is too much.
        site.requested("/never", 2).await;
        let second = browser(&engine).await;
        assert_ne!(first, second);
        kill(second);
    };
    let (answer, ()) = tokio::join!(capture, script);
    assert!(matches!(answer, Err(OriginError::Browser(_))), "{answer:?}");
    picture(shoot(&engine, &site.url("/"), "").await);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_page_that_crashes_twice_is_an_error_of_its_own() {
    let (site, engine) = (site().await, start(config()));
    let first = browser(&engine).await;
    let url = site.url("/waits");
    let capture = async { shoot(&engine, &url, "").await };
    let script = async {
        for times in [1, 2] {
            site.requested("/never", times).await;
            signal_type(first, "renderer", Signal::KILL);
        }
    };
    let (answer, ()) = tokio::join!(capture, script);
    assert_eq!(answer.err(), Some(OriginError::Browser("the page crashed its renderer".into())));
    picture(shoot(&engine, &site.url("/"), "").await);
    engine.shutdown().await;
}

#[tokio::test]
async fn worn_browsers_are_replaced_without_a_gap() {
    let (site, engine) = (site().await, start(Config { recycle_after: 2, ..config() }));
    let first = browser(&engine).await;
    for _ in 0..5 {
        picture(shoot(&engine, &site.url("/"), "").await);
    }
    until("replaced", || engine.stats().restarts >= 1).await;
    until("the worn one is gone", || group(first).is_empty()).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_page_that_never_loads_meets_the_deadline() {
    let site = site().await;
    let deadline = Duration::from_secs(4);
    let engine = start(Config { deadline, ..config() });
    let first = browser(&engine).await;
    // A part that hangs costs no picture, see field_incomplete.rs.
    let part = shoot(&engine, &site.url("/waits"), "").await.expect("a picture");
    assert!(part.headers()["x-capture"].to_str().unwrap().starts_with("incomplete"));
    for path in ["/never", "/busy"] {
        let answer = shoot(&engine, &site.url(path), "").await;
        assert_eq!(answer.err(), Some(OriginError::TimedOut { phase: "capture", after: deadline }), "{path}");
    }
    until("the places are free again", || engine.stats().running == 0).await;
    assert_eq!(
        (engine.stats().restarts, engine.stats().browser),
        (0, Some(first)),
        "a slow page is not its fault"
    );
    engine.shutdown().await;
}

#[tokio::test]
async fn the_queue_is_bounded_and_clients_that_leave_free_their_place() {
    let site = Arc::new(site().await);
    let engine = start(Config { max_concurrent: 1, max_queue: 1, ..config() });
    let begin = |path: &'static str| {
        let (engine, site) = (engine.clone(), site.clone());
        tokio::spawn(async move { shoot(&engine, &site.url(path), "").await })
    };
    let first = begin("/waits");
    site.requested("/never", 1).await;
    let second = begin("/");
    until("the second waits", || engine.stats().waiting == 1).await;
    match shoot(&engine, &site.url("/"), "").await {
        Err(OriginError::Busy { retry_after }) => assert!(retry_after >= Duration::from_secs(1)),
        other => panic!("{other:?}"),
    }
    first.abort();
    picture(second.await.unwrap());
    until("all places are free", || engine.stats().running == 0).await;
    assert_eq!(engine.stats().busy, 1);
    engine.shutdown().await;
}

#[tokio::test]
async fn nothing_is_left_after_shutdown() {
    let (site, engine) = (Arc::new(site().await), start(config()));
    picture(shoot(&engine, &site.url("/"), "").await);
    let running = {
        let (engine, site) = (engine.clone(), site.clone());
        tokio::spawn(async move { shoot(&engine, &site.url("/waits"), "").await })
    };
    site.requested("/never", 1).await;
    let pid = browser(&engine).await;
    let folder = profile(pid);
    assert!(group(pid).len() > 1 && folder.exists());
    engine.shutdown().await;
    assert_eq!(group(pid), Vec::<u32>::new());
    assert!(!folder.exists());
    assert!(!engine.is_ready());
    assert!(matches!(running.await.unwrap(), Err(OriginError::Browser(_))));
    let after = shoot(&engine, &site.url("/"), "").await;
    assert_eq!(after.err(), Some(OriginError::Browser("the engine has stopped".into())));
    engine.shutdown().await;
}

#[tokio::test]
async fn an_engine_that_is_dropped_takes_its_browser_along() {
    let engine = start(config());
    let pid = browser(&engine).await;
    let folder = profile(pid);
    drop(engine);
    until("the group and the profile are gone", || group(pid).is_empty() && !folder.exists()).await;
}

#[test]
fn a_runtime_that_ends_takes_its_browser_along() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (engine, pid) = runtime.block_on(async {
        let engine = start(config());
        let pid = browser(&engine).await;
        (engine, pid)
    });
    let folder = profile(pid);
    drop(runtime);
    assert_eq!(group(pid), Vec::<u32>::new());
    assert!(!folder.exists());
    assert!(!engine.is_ready());
}

/// Says that this process is the one to be killed.
const CRASH: &str = "TINTYPE_TEST_CRASH";

/// The other process of the next test: an engine that is killed. On its own it does nothing.
#[tokio::test]
async fn an_engine_to_be_killed() {
    if std::env::var_os(CRASH).is_some() {
        let engine = start(config());
        println!("\nbrowser {}", browser(&engine).await);
        std::future::pending().await
    }
}

/// An engine in a process of its own, and its browser.
async fn other_engine() -> (tokio::process::Child, u32) {
    let mut other = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "chrome_life::an_engine_to_be_killed", "--nocapture"])
        .env(CRASH, "1")
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("a line with the browser's number");
        if let Some(pid) = line.strip_prefix("browser ") {
            return (other, pid.parse().unwrap());
        }
    }
}

#[tokio::test]
async fn a_crash_of_ours_leaves_no_browser_and_the_next_start_no_profile() {
    let (mut other, pid) = other_engine().await;
    let folder = profile(pid);
    assert!(!alive(pid).is_empty() && folder.exists());
    other.kill().await.unwrap();
    until("the browser is gone", || alive(pid).is_empty()).await;
    let engine = start(config());
    assert!(!folder.exists(), "the next start removes what the crash left");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_browser_that_cannot_notice_our_crash_is_killed_by_the_next_start() {
    let (mut other, pid) = other_engine().await;
    let folder = profile(pid);
    signal(pid, Signal::STOP);
    other.kill().await.unwrap();
    assert!(!alive(pid).is_empty() && folder.exists());
    let engine = start(config());
    until("the browser is gone", || alive(pid).is_empty()).await;
    assert!(!folder.exists());
    engine.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_during_the_launch_leaves_nothing() {
    // A program that starts and never answers; it notes its number and has a child.
    let folder = tempfile::tempdir().unwrap();
    let (program, noted) = (folder.path().join("mute"), folder.path().join("pid"));
    let script =
        format!("#!/bin/sh\nsleep 600 &\necho $$ > {0}.new; mv {0}.new {0}\nwait\n", noted.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let engine = start(Config { program: Some(program), ..config() });
    until("it runs", || noted.exists()).await;
    let pid: u32 = std::fs::read_to_string(&noted).unwrap().trim().parse().unwrap();
    assert!(!group(pid).is_empty());
    engine.shutdown().await;
    assert_eq!(group(pid), Vec::<u32>::new());
}

#[tokio::test]
async fn a_program_that_is_no_browser_is_an_error_that_says_so() {
    let nowhere = Config { program: Some("/nowhere/chrome".into()), ..config() };
    let error = Engine::start(nowhere, Arc::new(SystemClock)).err();
    assert_eq!(error, Some(StartError::NotThere("/nowhere/chrome".into())));
    let engine = start(Config { program: Some("/bin/ls".into()), ..config() });
    match shoot(&engine, "http://127.0.0.2:1/", "").await {
        Err(OriginError::Browser(why)) => assert!(why.starts_with("/bin/ls did not start"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert!(!engine.is_ready());
    engine.shutdown().await;
}
