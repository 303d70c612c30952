//! Whatever befalls a browser, the next request has its picture within the deadline, and nothing is left of the
//! browser that was:
//! - killed ten times in a row, idle or under a capture;
//! - stopped, as a whole or in part, so that it does not answer or renders nothing;
//! - a renderer that dies, by itself or of a page that eats memory;
//! - worn by age or size, replaced under load without a request that fails.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use tintype::origin::chrome::{Config, Engine};
use tintype::origin::{Origin, OriginError};

use crate::chrome_site::{
    Answer, Site, browser, config, group, html, picture, profile, shoot, signal, signal_type, start, until,
};

/// Time for a capture to be hit while it is under way.
const LINGER: &str = "delay=1500";

/// Looks at its browser often.
fn watchful() -> Config {
    Config { health_interval: Duration::from_millis(200), health_timeout: Duration::from_secs(4), ..config() }
}

async fn site() -> Site {
    Site::start([
        ("/", html("<h1>Here</h1>")),
        (
            "/eats",
            html(
                "<script>const all = []; for (;;) all.push(new Array(1e6).fill(all.length + 0.5));</script>",
            ),
        ),
    ])
    .await
}

/// The browsers that were, each with its profile.
#[derive(Default)]
struct Past(Vec<(u32, PathBuf)>);

impl Past {
    /// The browser that takes captures now, which is none of the past.
    async fn meet(&mut self, engine: &Engine) -> u32 {
        let pid = browser(engine).await;
        assert!(self.0.iter().all(|(old, _)| *old != pid));
        self.0.push((pid, profile(pid)));
        pid
    }

    /// Waits until nothing is left of them but the present one.
    async fn is_gone(&self, engine: &Engine) {
        let present = browser(engine).await;
        for (pid, folder) in self.0.iter().filter(|(pid, _)| *pid != present) {
            until("group and profile are gone", || group(*pid).is_empty() && !folder.exists()).await;
        }
    }
}

#[tokio::test]
async fn killed_ten_times_while_idle() {
    let (site, engine, mut past) = (site().await, start(config()), Past::default());
    for _ in 0..10 {
        let pid = past.meet(&engine).await;
        signal(pid, Signal::KILL);
        picture(shoot(&engine, &site.url("/"), "").await);
    }
    past.is_gone(&engine).await;
    assert_eq!(engine.stats().restarts, 10);
    engine.shutdown().await;
}

#[tokio::test]
async fn killed_ten_times_under_a_capture() {
    let (site, engine, mut past) = (site().await, start(config()), Past::default());
    let url = site.url("/");
    for round in 0..10 {
        let pid = past.meet(&engine).await;
        let script = async {
            // Each round asks twice: before its browser dies, and after.
            site.requested("/", 2 * round + 1).await;
            signal(pid, Signal::KILL);
        };
        let (answer, ()) = tokio::join!(shoot(&engine, &url, LINGER), script);
        picture(answer);
    }
    past.is_gone(&engine).await;
    assert_eq!(engine.stats().captures, 10);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_browser_that_is_stopped_while_idle_is_replaced() {
    let (site, engine, mut past) = (site().await, start(watchful()), Past::default());
    let pid = past.meet(&engine).await;
    signal(pid, Signal::STOP);
    picture(shoot(&engine, &site.url("/"), "").await);
    past.is_gone(&engine).await;
    assert!(engine.stats().unhealthy >= 1);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_browser_that_is_stopped_under_a_capture_is_replaced() {
    let (site, engine, mut past) = (site().await, start(watchful()), Past::default());
    let (url, pid) = (site.url("/"), past.meet(&engine).await);
    let script = async {
        site.requested("/", 1).await;
        for member in group(pid) {
            signal(member, Signal::STOP);
        }
    };
    let (answer, ()) = tokio::join!(shoot(&engine, &url, LINGER), script);
    picture(answer);
    past.is_gone(&engine).await;
    engine.shutdown().await;
}

/// Health checks come too late for this; what notices is the capture itself.
#[tokio::test]
async fn a_browser_that_hangs_costs_no_capture_even_if_time_is_short() {
    // A hung browser is found out in 10 s at most. What is left is for the next one, which a busy machine takes seconds
    // to launch.
    let how = Config { deadline: Duration::from_secs(20), ..config() };
    let (site, engine, mut past) = (site().await, start(how), Past::default());
    let url = site.url("/");
    // Before a capture, under one, and the whole group.
    let pid = past.meet(&engine).await;
    signal(pid, Signal::STOP);
    picture(shoot(&engine, &url, "").await);
    for whole in [false, true] {
        let (pid, asked) = (past.meet(&engine).await, site.times("/"));
        let script = async {
            site.requested("/", asked + 1).await;
            let stopped = if whole { group(pid) } else { vec![pid] };
            stopped.into_iter().for_each(|member| signal(member, Signal::STOP));
        };
        let (answer, ()) = tokio::join!(shoot(&engine, &url, "delay=500"), script);
        picture(answer);
    }
    past.is_gone(&engine).await;
    let stats = engine.stats();
    assert_eq!((stats.unhealthy, stats.restarts, stats.failures), (3, 3, 0));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_slow_page_is_not_held_against_its_browser() {
    let slow = "<body bgcolor=lime><script>const t = Date.now(); while (Date.now() - t < 4000);</script>";
    let site = Site::start([
        ("/busy", html("<script>for (;;);</script>")),
        ("/never", Answer::Never),
        ("/slow", html(slow)),
    ])
    .await;
    // Silent for longer than it may be before it is asked, which is 3 s then.
    let engine = start(Config { deadline: Duration::from_secs(12), max_concurrent: 3, ..config() });
    let pid = browser(&engine).await;
    let [busy, never, slow] = ["/busy", "/never", "/slow"].map(|path| site.url(path));
    let all = tokio::join!(shoot(&engine, &busy, ""), shoot(&engine, &never, ""), shoot(&engine, &slow, ""));
    for answer in [all.0, all.1] {
        assert!(matches!(answer, Err(OriginError::TimedOut { phase: "capture", .. })), "{answer:?}");
    }
    picture(all.2);
    assert_eq!((engine.stats().unhealthy, engine.stats().browser), (0, Some(pid)));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_browser_that_answers_but_renders_nothing_is_replaced() {
    let (site, engine, mut past) = (site().await, start(watchful()), Past::default());
    let pid = past.meet(&engine).await;
    // Without these it has no new renderers.
    assert!(signal_type(pid, "zygote", Signal::STOP) > 0);
    signal_type(pid, "renderer", Signal::KILL);
    until("noticed", || engine.stats().unhealthy >= 1).await;
    picture(shoot(&engine, &site.url("/"), "").await);
    past.is_gone(&engine).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_capture_whose_renderer_dies_is_tried_once_more() {
    let (site, engine) = (site().await, start(config()));
    let (url, pid) = (site.url("/"), browser(&engine).await);
    let script = async {
        site.requested("/", 1).await;
        // The document is there once its renderer is; the request was the browser's.
        until("a renderer dies", || signal_type(pid, "renderer", Signal::KILL) > 0).await;
    };
    let (answer, ()) = tokio::join!(shoot(&engine, &url, LINGER), script);
    picture(answer);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_page_that_eats_memory_costs_itself_alone() {
    // The real browser, whose pages may have little.
    let folder = tempfile::tempdir().unwrap();
    let real = {
        let engine = start(config());
        let real = std::fs::read_link(format!("/proc/{}/exe", browser(&engine).await)).unwrap();
        engine.shutdown().await;
        real
    };
    let program = folder.path().join("modest");
    let script = format!("#!/bin/sh\nexec {} --js-flags=--max-old-space-size=64 \"$@\"\n", real.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();

    let (site, engine) = (site().await, start(Config { program: Some(program), ..watchful() }));
    let pid = browser(&engine).await;
    picture(shoot(&engine, &site.url("/"), "").await);
    let answer = shoot(&engine, &site.url("/eats"), "").await;
    assert_eq!(answer.err(), Some(OriginError::Browser("the page crashed its renderer".into())));
    picture(shoot(&engine, &site.url("/"), "").await);
    assert_eq!(engine.stats().browser, Some(pid), "the browser itself is well");
    engine.shutdown().await;
    assert_eq!(group(pid), Vec::<u32>::new());
}

/// Two clients that never pause, until the browser was replaced twice.
async fn load(how: Config) {
    let (site, engine, mut past) = (site().await, start(how), Past::default());
    past.meet(&engine).await;
    let url = site.url("/");
    let client = async || {
        let mut pictures = 0;
        while engine.stats().restarts < 2 {
            picture(shoot(&engine, &url, "").await);
            pictures += 1;
        }
        pictures
    };
    let (one, two) = tokio::join!(client(), client());
    assert!(one > 0 && two > 0);
    let stats = engine.stats();
    assert_eq!((stats.captures, stats.failures), (one + two, 0));
    past.is_gone(&engine).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn old_browsers_are_replaced_without_a_gap() {
    load(Config { recycle_age: Duration::from_secs(1), ..config() }).await;
}

#[tokio::test]
async fn large_browsers_are_replaced_without_a_gap() {
    load(Config { recycle_memory: 1 << 20, ..watchful() }).await;
}

#[tokio::test]
async fn a_successor_that_does_not_start_leaves_the_worn_one_serving() {
    // A program that is the real browser once, and nothing later.
    let folder = tempfile::tempdir().unwrap();
    let (program, once) = (folder.path().join("once"), folder.path().join("was"));
    let real = {
        let engine = start(config());
        let real = std::fs::read_link(format!("/proc/{}/exe", browser(&engine).await)).unwrap();
        engine.shutdown().await;
        real
    };
    let (flag, real) = (once.display(), real.display());
    let script = format!("#!/bin/sh\nmkdir {flag} || exit 1\nexec {real} \"$@\"\n");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();

    let how = Config { program: Some(program), recycle_after: 1, ..config() };
    let (site, engine) = (site().await, start(how));
    let pid = browser(&engine).await;
    for _ in 0..3 {
        picture(shoot(&engine, &site.url("/"), "").await);
    }
    // Only without it there is none.
    signal(pid, Signal::KILL);
    until("it is missed", || !engine.is_ready()).await;
    match shoot(&engine, &site.url("/"), "").await {
        Err(OriginError::Browser(why)) => assert!(why.contains("did not start"), "{why}"),
        other => panic!("{other:?}"),
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn a_page_that_takes_more_than_its_share_of_memory_costs_itself_alone() {
    let bytes =
        "<script>const all = []; setInterval(() => all.push(new Uint8Array(20 << 20).fill(7)), 10)</script>";
    let site = Site::start([
        ("/", html("<h1>Here</h1>")),
        (
            "/eats",
            html(
                "<script>const all = []; for (;;) all.push(new Array(1e6).fill(all.length + 0.5));</script>",
            ),
        ),
        ("/buffers", html(format!("{bytes}<img src=/never>"))),
        ("/never", Answer::Never),
    ])
    .await;
    let engine = start(Config { max_page_memory: 256 << 20, max_concurrent: 3, ..config() });
    let pid = browser(&engine).await;
    let [fine, eats, buffers] = ["/", "/eats", "/buffers"].map(|path| site.url(path));
    let (fine, eats, buffers) = tokio::join!(
        shoot(&engine, &fine, "delay=6s"),
        shoot(&engine, &eats, ""),
        shoot(&engine, &buffers, "")
    );
    for answer in [eats, buffers] {
        let error = answer.expect_err("no picture");
        assert_eq!(error.name(), "capture-memory", "{error}");
    }
    picture(fine);
    picture(shoot(&engine, &site.url("/"), "").await);
    let stats = engine.stats();
    assert_eq!((stats.browser, stats.restarts, stats.unhealthy), (Some(pid), 0, 0));
    // Neither was tried again.
    assert_eq!((site.times("/eats"), site.times("/buffers")), (1, 1));
    engine.shutdown().await;
}
