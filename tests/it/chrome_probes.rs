//! A stale picture is confirmed by a `HEAD` of its page, without a browser, where probes are on:
//! - the proxy sends the engine the moment and the tag of the picture, and both stay what they were;
//! - what changed since the picture, in the same second, or without saying when, is captured;
//! - redirects are followed, each vetted: what the guard refuses stays refused, whatever errors are taken for;
//! - errors are taken for unchanged, or captured where that is wanted; a server that knows no HEAD is captured;
//! - probes are off unless configured.

use std::sync::{Arc, Mutex};

use crate::support::*;

/// Before the first picture of a test, in its very second, and after it.
const BEFORE: &str = "Fri, 31 Oct 2025 23:59:59 GMT";
const SAME: &str = "Sat, 01 Nov 2025 00:00:00 GMT";
const AFTER: &str = "Sat, 01 Nov 2025 00:00:30 GMT";

const FRESH: u64 = 60;

type Head = Arc<Mutex<Reply>>;

fn modified(date: &str) -> Reply {
    Reply::ok("").header("Last-Modified", date)
}

/// A page that is captured alike each time, and answers `HEAD` with what the test says at the time.
async fn site(first: Reply) -> (ScriptedOrigin, Head) {
    let head = Arc::new(Mutex::new(first));
    let now = Arc::clone(&head);
    let origin =
        ScriptedOrigin::start(move |request| match (request.method.as_str(), request.target.as_str()) {
            ("HEAD", "/moved") => Reply::status(302).header("Location", "/page"),
            ("HEAD", _) => now.lock().unwrap().clone(),
            (_, "/moved") => Reply::status(302).header("Location", "/page"),
            _ => Reply::ok("<!doctype html><body style='background:#0f0'><h1>Page")
                .header("Content-Type", "text/html"),
        });
    (origin.await, head)
}

async fn tintype(chrome: &str) -> Tintype {
    Tintype::of(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"127.0.0.1/32\"]\nallow_ports = [1]\n\
         default_width = 100\ndefault_height = 100\nmax_concurrent = 1\n{chrome}\n\
         [route.shots]\npath = \"/screenshot\"\nupstream = \"chrome\"\npreset = \"none\"\n\
         default_ttl = \"{FRESH}s\"\nearly_refresh = 0.0\n"
    ))
    .await
}

/// Everything that was asked of the page, in turn.
fn log(origin: &ScriptedOrigin) -> Vec<String> {
    let asked = origin.requests();
    asked.iter().map(|request| format!("{} {}", request.method, request.target)).collect()
}

async fn figures(tintype: &Tintype) -> [u64; 4] {
    let stats = tintype.stats().await;
    let captures = &stats["upstreams"]["chrome"]["captures"];
    ["captures", "probes", "probes_unchanged", "probes_failed"]
        .map(|name| captures[name].as_u64().unwrap_or_else(|| panic!("{stats}")))
}

#[tokio::test]
async fn an_unchanged_page_costs_a_probe_and_no_browser() {
    let (origin, head) = site(modified(BEFORE)).await;
    let tintype = tintype("probe = \"head\"").await;
    let shot = format!("/screenshot?url={}", origin.url("/moved"));
    let made = tintype.get(&shot).await;
    assert_eq!((made.status, made.header("x-cache")), (200, Some("MISS")), "{}", made.text());
    assert_eq!(log(&origin), ["GET /moved", "GET /page"]);

    for round in 1..=3 {
        tintype.later(FRESH);
        let confirmed = tintype.get(&shot).await;
        assert_eq!((confirmed.status, confirmed.header("x-cache")), (200, Some("REVALIDATED")), "{round}");
        assert_eq!(confirmed.body, made.body);
        for name in ["etag", "last-modified", "content-type", "cache-control"] {
            assert_eq!(confirmed.header(name), made.header(name), "{name}");
        }
        assert_eq!(confirmed.header("age"), Some("0"));
        assert_eq!(tintype.get(&shot).await.header("x-cache"), Some("HIT"));
        // Redirects were followed by the probe, and no browser came.
        assert_eq!(log(&origin)[2 * round..], ["HEAD /moved", "HEAD /page"]);
        assert_eq!(figures(&tintype).await, [1, round as u64, round as u64, 0]);
    }

    // What changed after the picture, in its second, or who knows when, is captured; the picture is then of that moment.
    let mut captures = 1;
    for (answer, captured_at) in [
        (modified(AFTER), "Sat, 01 Nov 2025 00:04:00 GMT"),
        (modified("Sat, 01 Nov 2025 00:04:00 GMT"), "Sat, 01 Nov 2025 00:05:00 GMT"),
        (Reply::ok(""), "Sat, 01 Nov 2025 00:06:00 GMT"),
        (modified("soon"), "Sat, 01 Nov 2025 00:07:00 GMT"),
        (Reply::status(404).header("Last-Modified", BEFORE), "Sat, 01 Nov 2025 00:08:00 GMT"),
        (Reply::status(501).header("Last-Modified", BEFORE), "Sat, 01 Nov 2025 00:09:00 GMT"),
        (Reply::status(302).header("Location", "/page"), "Sat, 01 Nov 2025 00:10:00 GMT"),
        (Reply::status(302).header("Location", "file:///etc/passwd"), "Sat, 01 Nov 2025 00:11:00 GMT"),
    ] {
        *head.lock().unwrap() = answer;
        tintype.later(FRESH);
        let again = tintype.get(&shot).await;
        // The same bytes: the engine says so, after having looked.
        assert_eq!((again.status, again.header("x-cache")), (200, Some("REVALIDATED")));
        assert_eq!(again.header("last-modified"), Some(captured_at));
        captures += 1;
        assert_eq!(figures(&tintype).await[0], captures, "{captured_at}");
    }
    assert_eq!(figures(&tintype).await[2..], [3, 0]);
    assert_ne!(SAME, AFTER);
    tintype.stop().await;
}

#[tokio::test]
async fn a_page_that_changed_in_the_second_of_its_picture_is_captured() {
    let (origin, _) = site(modified(SAME)).await;
    let tintype = tintype("probe = \"head\"").await;
    let shot = format!("/screenshot?url={}", origin.url("/page"));
    tintype.get(&shot).await;
    tintype.later(FRESH);
    tintype.get(&shot).await;
    assert_eq!(log(&origin), ["GET /page", "HEAD /page", "GET /page"]);
    // The picture is younger than the page by now.
    tintype.later(FRESH);
    tintype.get(&shot).await;
    assert_eq!(log(&origin)[3..], ["HEAD /page"]);
    // A new picture is one.
    tintype.get(&format!("{shot}&force=true")).await;
    assert_eq!(log(&origin)[4..], ["GET /page"]);
    tintype.stop().await;
}

/// The default of those who ask pages by HEAD: no answer, no change.
#[tokio::test]
async fn errors_are_taken_for_unchanged_or_captured() {
    for (setting, captured) in [("unchanged", false), ("capture", true)] {
        let (origin, head) = site(modified(BEFORE)).await;
        let chrome = format!("probe = \"head\"\nprobe_timeout = \"500ms\"\nprobe_on_error = \"{setting}\"");
        let tintype = tintype(&chrome).await;
        let shot = format!("/screenshot?url={}", origin.url("/page"));
        tintype.get(&shot).await;
        let mut captures = 1;
        for (n, failure) in [
            Reply::status(500),
            Reply::status(503),
            Reply::hang_up(),
            Reply::silence(),
            Reply::raw("SSH-2.0\r\n\r\n"),
        ]
        .into_iter()
        .enumerate()
        {
            *head.lock().unwrap() = failure;
            tintype.later(FRESH);
            let answer = tintype.get(&shot).await;
            assert_eq!(
                (answer.status, answer.header("x-cache")),
                (200, Some("REVALIDATED")),
                "{setting} {n}"
            );
            captures += u64::from(captured);
            let (tried, unchanged) = (n as u64 + 1, if captured { 0 } else { n as u64 + 1 });
            assert_eq!(figures(&tintype).await, [captures, tried, unchanged, tried], "{setting} {n}");
        }
        tintype.stop().await;
    }
}

#[tokio::test]
async fn what_the_guard_refuses_stays_refused() {
    let (origin, head) = site(modified(BEFORE)).await;
    let secret = ScriptedOrigin::start(|_| modified(BEFORE)).await;
    let tintype = tintype("probe = \"head\"").await;
    let shot = format!("/screenshot?url={}", origin.url("/page"));
    tintype.get(&shot).await;
    for hidden in [
        format!("http://[::ffff:10.0.0.1]:{}/", secret.address().port()),
        "http://127.0.0.9/".to_owned(),
        "http://192.0.2.1:22/".to_owned(),
    ] {
        *head.lock().unwrap() = Reply::status(302).header("Location", &hidden);
        tintype.later(FRESH);
        let refused = tintype.get(&shot).await;
        assert_eq!(refused.status, 403, "{hidden}: {}", refused.text());
        assert!(refused.text().contains("target-refused"), "{}", refused.text());
        *head.lock().unwrap() = modified(BEFORE);
        tintype.get(&shot).await;
    }
    assert_eq!(secret.count(), 0);
    tintype.stop().await;
}

#[tokio::test]
async fn probes_are_off_unless_configured() {
    let (origin, _) = site(modified(BEFORE)).await;
    let tintype = tintype("").await;
    let shot = format!("/screenshot?url={}", origin.url("/page"));
    tintype.get(&shot).await;
    tintype.later(FRESH);
    tintype.get(&shot).await;
    assert_eq!(log(&origin), ["GET /page", "GET /page"]);
    assert_eq!(figures(&tintype).await, [2, 0, 0, 0]);
    tintype.stop().await;
}
