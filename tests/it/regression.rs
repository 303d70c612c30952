//! Named regressions: one test for each defect that was found, so that it does not come back.

use crate::support::*;

/// Requests `/a` `n` times at once, in tasks of their own.
fn herd(
    tintype: &Tintype,
    n: usize,
    fields: &'static [(&str, &str)],
) -> Vec<tokio::task::JoinHandle<Answer>> {
    (0..n).map(|_| tokio::spawn(Client::new().get(&tintype.url("/a"), fields))).collect()
}

/// Waits until a figure under `traffic` in `/stats` is at least `n`.
async fn counted(tintype: &Tintype, figure: &str, n: u64) {
    within(figure, async {
        while tintype.stats().await["traffic"].pointer(figure).and_then(|v| v.as_u64()) < Some(n) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Waits until no fetch is under way.
async fn landed(tintype: &Tintype) {
    within("all fetches to land", async {
        while tintype.stats().await["fetches_under_way"] != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A body held for its entity tag, when the budget of all fetches ran out under it, waited for a reader that was not
/// there yet: for ever.
#[tokio::test]
async fn a_held_body_that_outgrows_the_budget_is_let_go() {
    let rest = Gate::new();
    let origin = ScriptedOrigin::start({
        let rest = rest.clone();
        move |request| {
            match request.target.as_str() {
                "/big" => Reply::ok(vec![b'x'; 700_000]).gate(&rest).piece("x").header("ETag", "\"1\""),
                _ => Reply::ok(vec![b'y'; 900_000]),
            }
            .header("Cache-Control", "max-age=60")
        }
    })
    .await;
    let bounds =
        "dir = \"\"\nmax_stored_bytes = \"1MiB\"\nmax_fetch_buffer = \"1MiB\"\nhold_for_tag = \"1MiB\"";
    let tintype = Tintype::of(&Tintype::toml(&origin, "").replace("dir = \"\"", bounds)).await;
    let big = tintype.client.open("GET", &tintype.url("/big"), &[], "").await;
    counted(&tintype, "/origin/bytes", 700_000).await;
    let held = tintype.get("/held").await;
    assert_eq!((held.status, held.body.len(), held.broken), (200, 900_000, None));
    rest.open();
    assert_eq!(big.finish().await.body.len(), 700_001);
}

/// A client that wants nothing of its own exchange stored, or sends credentials, had what was stored for others removed, and
/// their requests no longer collapsed.
#[tokio::test]
async fn what_a_stranger_asks_takes_nothing_from_others() {
    for field in [("Cache-Control", "no-cache, no-store"), ("Authorization", "Basic x")] {
        for validator in [("X-None", "1"), ("ETag", "\"1\"")] {
            let origin = ScriptedOrigin::start(move |request| {
                let reply = match request.header("if-none-match") {
                    Some(_) => Reply::status(304),
                    None => Reply::ok("abc"),
                };
                reply
                    .header(validator.0, validator.1)
                    .header("Cache-Control", "max-age=60, stale-if-error=60")
            })
            .await;
            let tintype = Tintype::before(&origin).await;
            tintype.get("/a").await;
            tintype.later(61);
            let theirs = tintype.get_with("/a", &[field]).await;
            assert_eq!((theirs.status, theirs.text().as_str()), (200, "abc"));
            origin.stop().await;
            assert_eq!(
                glance(&tintype.get("/a").await),
                seen(200, "STALE", "abc"),
                "{field:?} {validator:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_a_stranger_asks_does_not_end_collapsing() {
    for field in [("Cache-Control", "no-store"), ("Authorization", "Basic x")] {
        let gate = Gate::new();
        let origin = ScriptedOrigin::start({
            let gate = gate.clone();
            move |request| {
                let reply = Reply::ok("abc").header("Cache-Control", "max-age=60");
                if request.index > 0 { reply.hold(&gate) } else { reply }
            }
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        tintype.get_with("/a", &[field]).await;
        let herd = herd(&tintype, 10, &[]);
        counted(&tintype, "/requests", 11).await;
        gate.open();
        for one in herd {
            assert_eq!(one.await.unwrap().text(), "abc");
        }
        assert_eq!(origin.count(), 2, "{field:?}");
    }
}

/// A 304 that may not be stored, with all its fields, answered everybody who waited.
#[tokio::test]
async fn a_304_that_may_not_be_shared_is_not() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match request.header("if-none-match") {
            None => Reply::ok("abc").header("ETag", "\"1\"").header("Cache-Control", "max-age=10"),
            Some(_) => Reply::status(304)
                .header("Cache-Control", "private")
                .header("Set-Cookie", format!("for={}", request.index))
                .hold(&gate),
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(20);
    let herd = herd(&tintype, 4, &[]);
    counted(&tintype, "/requests", 5).await;
    gate.open();
    let mut cookies = Vec::new();
    for one in herd {
        let answer = one.await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "abc"));
        cookies.extend(answer.header("set-cookie").map(str::to_owned));
    }
    cookies.sort();
    assert_eq!(cookies, ["for=1", "for=2", "for=3", "for=4"]);
}

/// One uncacheable 503 ended collapsing for two minutes: a herd on an origin that was in trouble already.
#[tokio::test]
async fn an_error_does_not_end_collapsing() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match request.index {
            0 => Reply::status(503),
            _ => Reply::ok("abc").header("Cache-Control", "max-age=60").hold(&gate),
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.get("/a").await.status, 503);
    let herd = herd(&tintype, 10, &[]);
    counted(&tintype, "/requests", 11).await;
    gate.open();
    for one in herd {
        assert_eq!(one.await.unwrap().text(), "abc");
    }
    assert_eq!(origin.count(), 2);
}

/// With a stale-while-revalidate window and none for errors, an origin that is down was asked by every request.
#[tokio::test]
async fn a_failed_validation_behind_leaves_the_origin_alone_for_a_moment() {
    for failure in [|| Reply::status(503), || Reply::raw("garbage\r\n\r\n")] {
        let origin = ScriptedOrigin::start(move |request| match request.index {
            0 => Reply::ok("abc").header("Cache-Control", "max-age=10, stale-while-revalidate=600"),
            _ => failure(),
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        tintype.get("/a").await;
        tintype.later(20);
        for _ in 0..3 {
            assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "abc"));
            origin.received(2).await;
            landed(&tintype).await;
        }
        assert_eq!(origin.count(), 2);
        tintype.later(6);
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "abc"));
        origin.received(3).await;
    }
}

/// A 304 that came after a purge brought back what had been purged.
#[tokio::test]
async fn a_304_does_not_bring_back_what_was_purged() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match (request.index, request.header("if-none-match")) {
            (0, _) => Reply::ok("old").header("ETag", "\"1\"").header("Cache-Control", "max-age=1"),
            (_, Some(_)) => Reply::status(304).header("Cache-Control", "max-age=60").hold(&gate),
            _ => Reply::ok("new").header("ETag", "\"1\"").header("Cache-Control", "max-age=60"),
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(5);
    let waiting = herd(&tintype, 1, &[]).remove(0);
    origin.received(2).await;
    tintype.purge("{\"url\": \"/a\"}").await;
    gate.open();
    assert_eq!(glance(&waiting.await.unwrap()), seen(200, "MISS", "new"));
}

/// After a 304 about something else, what is stored was forgotten as a cover for errors, and as what a response that may not be
/// stored supersedes.
#[tokio::test]
async fn after_a_304_about_something_else_the_stored_response_still_counts() {
    for (second, expected) in [
        (Reply::status(503), seen(200, "STALE", "old")),
        (Reply::hang_up(), seen(200, "STALE", "old")),
        (Reply::ok("new").header("Cache-Control", "no-store"), seen(200, "MISS", "new")),
    ] {
        let first =
            Reply::ok("old").header("ETag", "\"1\"").header("Cache-Control", "max-age=1, stale-if-error=60");
        let about_another = Reply::status(304).header("ETag", "\"2\"");
        let origin = ScriptedOrigin::sequence([first, about_another, second, Reply::status(503)]).await;
        let tintype = Tintype::before(&origin).await;
        tintype.get("/a").await;
        tintype.later(5);
        assert_eq!(glance(&tintype.get("/a").await), expected);
        let after = if expected.1 == "STALE" { 200 } else { 503 };
        assert_eq!(tintype.get("/a").await.status, after);
    }
}

/// A 304 that nobody asked for went to a client whose own condition it did not answer.
#[tokio::test]
async fn a_304_to_an_unconditional_request_is_an_error() {
    let origin = ScriptedOrigin::start(|_| Reply::status(304).header("ETag", "\"1\"")).await;
    let tintype = Tintype::before(&origin).await;
    let answer = tintype.get_with("/a", &[("If-None-Match", "\"mine\"")]).await;
    assert_eq!((answer.status, answer.header("x-cache")), (502, Some("ERROR")));
    assert!(answer.header("cache-status").unwrap().contains("detail=bad-response"));
}

/// HEAD and Range requests go to the origin as they are, and got its error although a stale response could answer.
#[tokio::test]
async fn errors_of_passed_requests_are_covered_too() {
    for failure in [|| Reply::status(503), Reply::hang_up] {
        let origin = ScriptedOrigin::start(move |request| match request.index {
            0 => Reply::ok("abc").header("Cache-Control", "max-age=10, stale-if-error=600"),
            _ => failure(),
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        tintype.get("/a").await;
        tintype.later(20);
        assert_eq!(glance(&tintype.send("HEAD", "/a").await), seen(200, "STALE", ""));
        assert_eq!(origin.requests()[1].method, "HEAD");
        tintype.later(20);
        let ranged = tintype.get_with("/a", &[("Range", "bytes=0-1")]).await;
        assert_eq!(glance(&ranged), seen(206, "STALE", "ab"));
        let status = ranged.header("cache-status").unwrap();
        assert!(status.starts_with("tintype; "), "{status}");
        assert_eq!(tintype.stats().await["traffic"]["stale"]["on_error"], 2);
    }
}

/// Answers of our own lacked `X-Cache-Age`, and what is passed on said 0 whatever its `Age`.
#[tokio::test]
async fn every_response_says_what_the_cache_did() {
    let origin = ScriptedOrigin::start(|request| match request.target.as_str() {
        "/down" => Reply::hang_up(),
        _ => Reply::ok("abc")
            .header("Cache-Control", "no-store")
            .header("Age", "7")
            .header("X-Cache-Age", "99"),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for (method, path, age) in [
        ("GET", "/down", "0"),
        ("POST", "/down", "0"),
        ("TRACE", "/a", "0"),
        ("GET", "/a", "7"),
        ("HEAD", "/a", "7"),
        ("POST", "/a", "7"),
    ] {
        let answer = tintype.send(method, path).await;
        for field in ["x-cache", "cache-status", "via", "date"] {
            assert!(answer.header(field).is_some(), "{method} {path}: {field}");
        }
        let ages: Vec<_> = answer.headers.get_all("x-cache-age").iter().collect();
        assert_eq!(ages, [age], "{method} {path}");
    }
}

/// The end did not wait for fetches that no client waits for, nor for one whose client had just got its last byte: they were
/// not stored.
#[tokio::test]
async fn shutdown_waits_for_fetches_behind_the_clients_backs() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match request.index {
            0 => Reply::ok("old").header("Cache-Control", "max-age=10, stale-while-revalidate=600"),
            _ => Reply::ok("new").header("Cache-Control", "max-age=600").hold(&gate),
        }
    })
    .await;
    let store = format!("dir = {:?}\ndisk = \"256MiB\"", folder.path().display().to_string());
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", &store);
    let tintype = Tintype::of(&toml).await;
    tintype.get("/a").await;
    tintype.later(20);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "old"));
    origin.received(2).await;
    let (address, client, stats) = (tintype.address, tintype.client.clone(), tintype.admin_url("/stats"));
    let stopping = tokio::spawn(tintype.stop());
    within("the listener to close", async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Figures can be asked for to the end, and that waits for the fetch.
    for _ in 0..100 {
        assert!(client.get(&stats, &[]).await.text().contains("\"fetches_under_way\": 1"));
    }
    gate.open();
    within("the end", stopping).await.unwrap();
    let tintype = Tintype::of(&toml).await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "new"));
    tintype.stop().await;
}

/// Followers for whom the leader's variant was not meant each went on their own.
#[tokio::test]
async fn a_herd_on_several_variants_costs_one_fetch_for_each() {
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
    let german = herd(&tintype, 1, &[("Accept-Language", "de")]);
    origin.received(1).await;
    let english = herd(&tintype, 10, &[("Accept-Language", "en")]);
    counted(&tintype, "/requests", 11).await;
    gate.open();
    for (herd, text) in [(german, "de"), (english, "en")] {
        for one in herd {
            assert_eq!(one.await.unwrap().text(), text);
        }
    }
    assert_eq!(origin.count(), 2);
}

/// A client that forbids storing started validations behind its back that could not be stored.
#[tokio::test]
async fn a_validation_behind_is_not_begun_where_it_could_not_be_stored() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("abc").header("Cache-Control", "max-age=10, stale-while-revalidate=600")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(20);
    for field in [("Cache-Control", "no-store"), ("Accept", "*/*")] {
        assert_eq!(glance(&tintype.get_with("/a", &[field]).await), seen(200, "STALE", "abc"));
        landed(&tintype).await;
    }
    origin.received(2).await;
    landed(&tintype).await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "abc"));
    assert_eq!(origin.count(), 2);
}
