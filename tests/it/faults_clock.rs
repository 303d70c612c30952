//! A clock that is stepped back and forth: ages are never negative and never wrap, nothing is fresh or left alone for good, nothing panics.

use std::time::Duration;

use tintype::clock::Timestamp;

use crate::support::{Answer, Reply, START, ScriptedOrigin, Tintype, glance, seen};

const YEAR: u64 = 365 * 24 * 3600;

fn age(answer: &Answer) -> u64 {
    answer.header("age").map_or(0, |age| age.parse().expect("a number that is not negative"))
}

#[tokio::test]
async fn stepped_back_nothing_is_fresh_for_good() {
    let origin = ScriptedOrigin::start(|request| {
        Reply::ok(format!("answer {}", request.index)).header("Cache-Control", "max-age=600")
    })
    .await;
    let tintype =
        Tintype::with(&origin, "early_refresh = 1.0\nrefresh_ahead = 10\nrefresh_ahead_hits = 1\n").await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "answer 0"));
    // A small step, as a clock that is set right makes it: still fresh, by the smaller part.
    tintype.clock.set(START - Duration::from_secs(300));
    let hit = tintype.get("/a").await;
    assert_eq!((hit.header("x-cache"), age(&hit)), (Some("HIT"), 300));
    // A large one: nobody knows how old it is.
    tintype.clock.set(START - Duration::from_secs(YEAR));
    let again = tintype.get("/a").await;
    assert_eq!(glance(&again), seen(200, "MISS", "answer 1"));
    assert_eq!(age(&again), 0);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "answer 1"));
    // And forth again: old.
    tintype.clock.set(START);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "answer 2"));
}

#[tokio::test]
async fn an_origin_that_failed_is_asked_again_whatever_the_clock_says() {
    let origin = ScriptedOrigin::sequence([
        Reply::ok("good").header("Cache-Control", "max-age=10, stale-if-error=600"),
        Reply::status(503),
        Reply::ok("better").header("Cache-Control", "max-age=10"),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.get("/a").await.text(), "good");
    tintype.later(30);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "good"));
    tintype.clock.set(START - Duration::from_secs(YEAR));
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "better"));
}

#[tokio::test]
async fn at_the_ends_of_time_everything_is_answered() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("whole")
            .header("Cache-Control", "max-age=60, stale-while-revalidate=60, stale-if-error=60")
            .header("Last-Modified", "Sat, 01 Nov 2025 00:00:00 GMT")
            .header("Expires", "Fri, 31 Dec 9999 23:59:59 GMT")
    })
    .await;
    let tintype =
        Tintype::with(&origin, "early_refresh = 2.0\nrefresh_ahead = 10\nrefresh_ahead_hits = 1\n").await;
    // The last is the last second that an HTTP date can name.
    let ends = [0, 1, START.as_secs(), 4_102_444_800, 253_402_300_799];
    for from in ends {
        for to in ends {
            for now in [from, to] {
                tintype.clock.set(Timestamp::from_secs(now));
                let answer = tintype.get("/a").await;
                assert_eq!((answer.status, answer.text().as_str()), (200, "whole"), "{from} to {to}");
                let _ = age(&answer);
                for path in ["/stats", "/metrics", "/stored", "/explain?url=/a"] {
                    let told = tintype.client.get(&tintype.admin_url(path), &[]).await;
                    assert_eq!(told.status, 200, "{path} at {now}: {}", told.text());
                }
            }
        }
    }
    tintype.purge("{\"all\": true, \"mode\": \"soft\"}").await;
    tintype.clock.set(START);
    assert_eq!(tintype.get("/a").await.text(), "whole");
    tintype.stop().await;
}
