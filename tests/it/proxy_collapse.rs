//! One fetch for any number of concurrent requests for one key; nothing uncacheable is shared; a leader that leaves does not
//! take the fetch with it.

use std::sync::Arc;

use crate::support::*;

fn spawn(
    tintype: &Tintype,
    n: usize,
    fields: &'static [(&str, &str)],
) -> Vec<tokio::task::JoinHandle<Answer>> {
    (0..n)
        .map(|_| {
            let answer = Client::new().get(&tintype.url("/a"), fields);
            tokio::spawn(answer)
        })
        .collect()
}

/// Waits until all requests have reached the data plane.
async fn arrived(tintype: &Tintype, n: u64) {
    within("the requests to arrive", async {
        while tintype.stats().await["traffic"]["requests"] != n {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_herd_costs_one_fetch() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |_| Reply::ok("abc").header("Cache-Control", "max-age=60").hold(&gate)
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let herd = spawn(&tintype, 50, &[]);
    arrived(&tintype, 50).await;
    gate.open();
    let mut collapsed = 0;
    for one in herd {
        let answer = one.await.unwrap();
        assert_eq!(glance(&answer), seen(200, "MISS", "abc"));
        collapsed += usize::from(answer.header("cache-status").unwrap().contains("collapsed"));
    }
    assert_eq!((origin.count(), collapsed), (1, 49));
    assert_eq!(tintype.stats().await["traffic"]["collapsed"], 49);
}

#[tokio::test]
async fn a_herd_on_a_stale_response_makes_one_validation() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match request.header("if-none-match") {
            Some(_) => Reply::status(304).header("Cache-Control", "max-age=60").hold(&gate),
            None => Reply::ok("abc").header("ETag", "\"1\"").header("Cache-Control", "max-age=10"),
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(20);
    let herd = spawn(&tintype, 20, &[]);
    arrived(&tintype, 21).await;
    gate.open();
    for one in herd {
        assert_eq!(glance(&one.await.unwrap()), seen(200, "REVALIDATED", "abc"));
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn what_may_not_be_stored_is_never_shared() {
    let first = Gate::new();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let origin = ScriptedOrigin::start({
        let first = first.clone();
        move |_| {
            let n = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let reply = Reply::ok(format!("for {n}")).header("Cache-Control", "private");
            if n == 0 { reply.hold(&first) } else { reply }
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let herd = spawn(&tintype, 8, &[]);
    arrived(&tintype, 8).await;
    first.open();
    let mut bodies = Vec::new();
    for one in herd {
        bodies.push(one.await.unwrap().text());
    }
    bodies.sort();
    bodies.dedup();
    assert_eq!((bodies.len(), origin.count()), (8, 8));
}

/// Once a key is known not to be shared, its requests no longer wait for each other.
#[tokio::test]
async fn an_uncacheable_key_is_fetched_side_by_side() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| {
            let reply = Reply::ok("abc").header("Cache-Control", "no-store");
            if request.header("x-held").is_some() { reply.hold(&gate) } else { reply }
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    let herd = spawn(&tintype, 5, &[("X-Held", "1")]);
    // All of them are at the origin at once although none has been answered.
    origin.received(6).await;
    gate.open();
    for one in herd {
        assert_eq!(one.await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_leader_that_leaves_does_not_take_the_fetch_with_it() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |_| Reply::ok("abc").header("Cache-Control", "max-age=60").hold(&gate)
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let mut leader = RawClient::connect(tintype.address).await;
    leader.get("/a", &[]).await;
    origin.received(1).await;
    let follower = spawn(&tintype, 1, &[]).remove(0);
    arrived(&tintype, 2).await;
    leader.reset();
    gate.open();
    assert_eq!(glance(&follower.await.unwrap()), seen(200, "MISS", "abc"));
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "abc"));
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn an_origin_error_reaches_the_whole_herd_after_one_further_attempt() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |_| Reply::hang_up().hold(&gate)
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let herd = spawn(&tintype, 10, &[]);
    arrived(&tintype, 10).await;
    gate.open();
    for one in herd {
        assert_eq!(one.await.unwrap().status, 502);
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn variants_found_during_the_fetch_are_not_cross_served() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| {
            let language = request.header("accept-language").unwrap_or("-").to_owned();
            Reply::ok(language)
                .header("Vary", "Accept-Language")
                .header("Cache-Control", "max-age=60")
                .hold(&gate)
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let german = spawn(&tintype, 3, &[("Accept-Language", "de")]);
    let english = spawn(&tintype, 3, &[("Accept-Language", "en")]);
    arrived(&tintype, 6).await;
    gate.open();
    for one in german {
        assert_eq!(one.await.unwrap().text(), "de");
    }
    for one in english {
        assert_eq!(one.await.unwrap().text(), "en");
    }
}
