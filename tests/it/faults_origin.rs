//! Every way in which an origin can fail, once with nothing stored and once with something stale: an error with a name and a status, within
//! the time that is configured, or the stale response with the reason; never a torn body that looks whole; nothing broken is stored, and the
//! next good answer is as if nothing had been.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use http_body_util::BodyExt as _;

use crate::support::*;

/// What is configured below: no wait for one answer is longer than all of these together.
const LIMITS: &str =
    "kind = \"remote\"\nconnect_timeout = \"2s\"\nfirst_byte_timeout = \"1s\"\nidle_timeout = \"1s\"";

struct Fault {
    what: &'static str,
    reply: fn() -> Reply,
    /// Status and reason with nothing stored; without, the answer begins and breaks off.
    told: Option<(u16, &'static str)>,
}

const fn fault(what: &'static str, status: u16, reason: &'static str, reply: fn() -> Reply) -> Fault {
    Fault { what, reply, told: Some((status, reason)) }
}

const fn breaks_off(what: &'static str, reply: fn() -> Reply) -> Fault {
    Fault { what, reply, told: None }
}

fn torn() -> Reply {
    Reply::ok("to").header("Cache-Control", "max-age=60").length(5)
}

/// Its first byte goes on before the rest is there, as nothing has to be added to its head.
fn torn_with_tag() -> Reply {
    torn().header("ETag", "\"torn\"")
}

fn head(line: &str) -> Reply {
    Reply::raw(format!("{line}\r\nContent-Length: 4\r\nCache-Control: max-age=60\r\n\r\ntorn")).close()
}

const FAULTS: &[Fault] = &[
    fault("silence", 504, "timeout", Reply::silence),
    fault("a hang in the head", 504, "timeout", || Reply::raw("HTTP/1.1 200 OK\r\nCache-Con").stall()),
    fault("a close before the head", 502, "reset", Reply::hang_up),
    fault("a reset before the head", 502, "reset", Reply::reset),
    fault("a close in the head", 502, "reset", || Reply::raw("HTTP/1.1 200 OK\r\nCache-Con").cut()),
    fault("a reset in the head", 502, "reset", || Reply::raw("HTTP/1.1 200 OK\r\nCache-Con").then_reset()),
    fault("a reset after the head", 502, "reset", || torn().then_reset()),
    fault("a body cut short", 502, "reset", || torn().cut()),
    breaks_off("chunks cut short", || Reply::ok("to").header("Cache-Control", "max-age=60").chunked().cut()),
    fault("a drip that ends", 502, "reset", || torn().piece("r").stall()),
    breaks_off("a reset after the head and a tag", || torn_with_tag().then_reset()),
    breaks_off("a body with a tag cut short", || torn_with_tag().cut()),
    breaks_off("a drip with a tag that ends", || torn_with_tag().piece("r").stall()),
    fault("two lengths", 502, "bad-response", || torn().header("Content-Length", "2")),
    fault("a length that is none", 502, "bad-response", || {
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 4x\r\n\r\ntorn").close()
    }),
    fault("100 KB of fields", 502, "bad-response", || {
        (0..100).fold(torn(), |reply, n| reply.header(&format!("X-{n}"), "x".repeat(1000)))
    }),
    fault("100 KB of one field", 502, "bad-response", || torn().header("X", "x".repeat(100_000))),
    fault("more fields than there may be", 502, "bad-response", || {
        (0..200).fold(torn(), |reply, _| reply.header("X", "1"))
    }),
    fault("another protocol", 502, "bad-response", || head("SSH-2.0-OpenSSH_9.2")),
    fault("a version that is none", 502, "bad-response", || head("HTTP/9.9 200 OK")),
    fault("a status of two digits", 502, "bad-response", || head("HTTP/1.1 20 OK")),
    fault("a status of letters", 502, "bad-response", || head("HTTP/1.1 abc OK")),
    fault("a status of zeros", 502, "bad-response", || head("HTTP/1.1 000 OK")),
    fault("bytes that are no text", 502, "bad-response", || {
        Reply::raw([0xff_u8, 0, 0x80, b'\r', b'\n', 13, 10].to_vec()).close()
    }),
];

/// A tintype before an origin that is `down` when told so, and then fails by `reply`.
async fn before(reply: fn() -> Reply) -> (ScriptedOrigin, Tintype, Arc<AtomicBool>) {
    let down = Arc::new(AtomicBool::new(false));
    let origin = ScriptedOrigin::start({
        let down = Arc::clone(&down);
        move |_| match down.load(Ordering::SeqCst) {
            true => reply(),
            false => Reply::ok("whole").header("Cache-Control", "max-age=60, stale-if-error=600"),
        }
    })
    .await;
    // A body is held for its tag longer than the origin may be idle, so that idleness decides, not the order of two timers.
    let toml = Tintype::toml(&origin, "")
        .replace("kind = \"remote\"", LIMITS)
        .replace("dir = \"\"", "dir = \"\"\nmax_hold = \"30s\"");
    (origin, Tintype::of(&toml).await, down)
}

/// Status, `Cache-Status`, and the body if it came whole. Fails the test if that takes longer than all limits and some.
async fn ask(tintype: &Tintype, what: &str) -> (u16, String, Option<String>) {
    let began = Instant::now();
    let asked = async {
        let response = tintype.client.try_request("GET", &tintype.url("/a"), &[], "").await;
        let Ok(response) = response else { return (0, String::new(), None) };
        let status = response.status().as_u16();
        let told = response.headers()["cache-status"].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.ok();
        (status, told, body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    };
    let answer = within("an answer", asked).await;
    assert!(began.elapsed().as_secs() < 6, "{what} took {:?}", began.elapsed());
    answer
}

#[tokio::test]
async fn with_nothing_stored_each_is_an_error_with_a_name() {
    for Fault { what, reply, told } in FAULTS {
        let (_origin, tintype, down) = before(*reply).await;
        down.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            let (status, status_line, body) = ask(&tintype, what).await;
            match told {
                Some((expected, reason)) => {
                    assert_eq!(status, *expected, "{what}: {status_line}");
                    assert!(status_line.contains(&format!("detail={reason}")), "{what}: {status_line}");
                    assert!(body.is_some_and(|body| body.contains(reason)), "{what}");
                }
                None => assert_eq!(body, None, "{what}: {status} {status_line}"),
            }
        }
        down.store(false, Ordering::SeqCst);
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "whole"), "{what}");
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "whole"), "{what}");
    }
}

#[tokio::test]
async fn with_something_stale_each_is_covered_and_tells_its_reason() {
    for Fault { what, reply, told } in FAULTS {
        let (_origin, tintype, down) = before(*reply).await;
        assert_eq!(tintype.get("/a").await.status, 200);
        tintype.later(100);
        down.store(true, Ordering::SeqCst);
        let (status, status_line, body) = ask(&tintype, what).await;
        match told {
            Some((_, reason)) => {
                assert_eq!((status, body.as_deref()), (200, Some("whole")), "{what}: {status_line}");
                assert!(
                    status_line.contains("fwd=stale") && status_line.contains(reason),
                    "{what}: {status_line}"
                );
                // Just now it failed: the origin is left alone, and the next one does not wait.
                assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "whole"), "{what}");
            }
            None => assert_eq!(body, None, "{what}: {status} {status_line}"),
        }
        down.store(false, Ordering::SeqCst);
        tintype.later(10);
        within("the good answer", async {
            while tintype.get("/a").await.header("x-cache") != Some("HIT") {
                tokio::task::yield_now().await;
            }
        })
        .await;
        // Beyond the window nothing covers.
        tintype.later(1000);
        down.store(true, Ordering::SeqCst);
        let (status, status_line, body) = ask(&tintype, what).await;
        match told {
            Some((expected, _)) => assert_eq!(status, *expected, "{what}: {status_line}"),
            None => assert_eq!(body, None, "{what}: {status} {status_line}"),
        }
    }
}

#[tokio::test]
async fn a_port_that_refuses_is_an_error_with_a_name_and_covered() {
    let (origin, tintype, _) = before(Reply::reset).await;
    assert_eq!(tintype.get("/a").await.status, 200);
    tintype.later(100);
    origin.stop().await;
    let (status, status_line, body) = ask(&tintype, "refuse").await;
    assert_eq!((status, body.as_deref()), (200, Some("whole")));
    assert!(status_line.contains("detail=connect"), "{status_line}");
    tintype.later(1000);
    let (status, status_line, _) = ask(&tintype, "refuse").await;
    assert_eq!(status, 502);
    assert!(status_line.contains("detail=connect"), "{status_line}");
}

/// An origin that comes and goes, by every fault in turn: what is answered is whole and good whatever happens.
#[tokio::test]
async fn flapping_is_not_seen_by_anybody() {
    let covered: Vec<fn() -> Reply> =
        FAULTS.iter().filter(|fault| fault.told.is_some()).map(|fault| fault.reply).collect();
    let rounds = covered.len();
    let origin = ScriptedOrigin::start(move |request| match request.index % 2 {
        1 => covered[request.index / 2 % covered.len()](),
        _ => Reply::ok("whole").header("Cache-Control", "max-age=60, stale-if-error=600"),
    })
    .await;
    let toml = Tintype::toml(&origin, "").replace("kind = \"remote\"", LIMITS);
    let tintype = Tintype::of(&toml).await;
    for round in 0..2 * rounds {
        let (status, status_line, body) = ask(&tintype, "flap").await;
        assert_eq!((status, body.as_deref()), (200, Some("whole")), "round {round}: {status_line}");
        // The good answer comes behind the back of whoever got the stale one.
        tintype.later(100);
        let _ = origin.received(round + 1).await;
    }
}
