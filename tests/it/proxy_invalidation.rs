//! Unsafe methods pass through and invalidate what they spoil (RFC 9111 4.4), in the store and in flight.

use crate::support::*;

async fn stored(paths: &[&str], answer: fn() -> Reply) -> (ScriptedOrigin, Tintype) {
    let origin = ScriptedOrigin::start(move |request| match request.method.as_str() {
        "GET" => Reply::ok("abc").header("Cache-Control", "max-age=60"),
        _ => answer(),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for path in paths {
        tintype.get(path).await;
    }
    (origin, tintype)
}

async fn is_hit(tintype: &Tintype, path: &str) -> bool {
    tintype.get(path).await.header("x-cache") == Some("HIT")
}

#[tokio::test]
async fn unsafe_methods_invalidate_their_target_and_what_they_point_to() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "FANCY"] {
        let (origin, tintype) = stored(&["/a", "/b", "/c", "/d"], || {
            Reply::status(201)
                .header("Location", "/b")
                .header("Content-Location", "http://elsewhere.example/c")
        })
        .await;
        let answer = tintype.send(method, "/a").await;
        assert_eq!((answer.status, answer.header("x-cache")), (201, Some("BYPASS")));
        assert!(answer.header("cache-status").unwrap().contains("fwd=method"));
        for (path, hit) in [("/a", false), ("/b", false), ("/c", true), ("/d", true)] {
            assert_eq!(is_hit(&tintype, path).await, hit, "{method} {path}");
        }
        assert_eq!(origin.requests()[4].method, method);
    }
}

#[tokio::test]
async fn error_answers_and_safe_methods_invalidate_nothing() {
    for (method, answer) in [
        ("POST", (|| Reply::status(404)) as fn() -> Reply),
        ("POST", || Reply::status(500)),
        ("POST", Reply::hang_up),
        ("OPTIONS", || Reply::status(200)),
    ] {
        let (_origin, tintype) = stored(&["/a"], answer).await;
        tintype.send(method, "/a").await;
        assert!(is_hit(&tintype, "/a").await, "{method}");
    }
}

/// An answer that began before the invalidation is not stored after it.
#[tokio::test]
async fn what_is_in_flight_is_invalidated_too() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match request.method.as_str() {
            "GET" => Reply::ok("old").header("Cache-Control", "max-age=60").hold(&gate),
            _ => Reply::status(204),
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let early = tokio::spawn(Client::new().get(&tintype.url("/a"), &[]));
    origin.received(1).await;
    tintype.send("PUT", "/a").await;
    gate.open();
    assert_eq!(early.await.unwrap().text(), "old");
    assert!(!is_hit(&tintype, "/a").await);
}

/// `Location` was looked for under the route of the request that brought it, though another may answer for it.
#[tokio::test]
async fn invalidation_reaches_other_routes() {
    let origin = ScriptedOrigin::start(|request| match request.method.as_str() {
        "GET" => Reply::ok("abc").header("Cache-Control", "max-age=60"),
        _ => Reply::status(201).header("Location", "/shots/1"),
    })
    .await;
    let tintype = Tintype::with(&origin, "[route.shots]\npath = \"/shots\"\nupstream = \"origin\"\n").await;
    tintype.get("/shots/1").await;
    tintype.send("POST", "/make").await;
    assert_eq!(tintype.get("/shots/1").await.header("x-cache"), Some("MISS"));
}

/// A fetch that nobody can join, as of a key whose answers were not for sharing, was not seen by an invalidation.
#[tokio::test]
async fn a_fetch_on_its_own_is_invalidated_too() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match request.index {
            0 => Reply::ok("private").header("Cache-Control", "private"),
            1 => Reply::ok("before").header("Cache-Control", "max-age=60").hold(&gate),
            _ => Reply::ok("after").header("Cache-Control", "max-age=60"),
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    let url = tintype.url("/a");
    let overtaken = tokio::spawn(async move { Client::new().get(&url, &[]).await });
    origin.received(2).await;
    tintype.send("PUT", "/a").await;
    gate.open();
    assert_eq!(overtaken.await.unwrap().text(), "before");
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "after"));
}

/// What was stored under one rule of `No-Vary-Search` answered by another's, and came back from behind a purge.
#[tokio::test]
async fn what_another_rule_stored_is_not_found_by_this_one() {
    let origin = ScriptedOrigin::start(|request| {
        let reply = Reply::ok(request.target.clone()).header("Cache-Control", "max-age=60");
        match request.target.as_str() {
            "/a?x=1" => reply,
            target if target.contains("u=") => reply.header("No-Vary-Search", "params=(\"u\")"),
            _ => reply.header("No-Vary-Search", "params=(\"t\")"),
        }
    })
    .await;
    let tintype = Tintype::with(&origin, "no_vary_search = true\n").await;
    // It says that all of its query counts.
    tintype.get("/a?x=1").await;
    tintype.get("/a?y=1&t=1").await;
    assert_eq!(tintype.get("/a?y=1&t=2").await.header("x-cache"), Some("HIT"));
    assert_eq!(tintype.get("/a?x=1&t=2").await.text(), "/a?x=1&t=2");
    // Another rule, and back: the purge in between is not undone.
    tintype.get("/a?z=1&u=1").await;
    tintype.purge("{\"url\": \"/a?y=1&t=2\"}").await;
    tintype.get("/a?z=2&t=1").await;
    assert_eq!(tintype.get("/a?y=1&t=2").await.header("x-cache"), Some("MISS"));
}

/// An answer to a POST begun before an invalidation or purge was stored after it.
#[tokio::test]
async fn the_answer_to_a_post_that_was_overtaken_is_not_stored() {
    for (overtake, held) in [("PUT", true), ("PUT", false), ("purge", true), ("purge", false)] {
        let gate = Gate::new();
        let origin = ScriptedOrigin::start({
            let gate = gate.clone();
            move |request| {
                let reply = Reply::ok("made").header("Cache-Control", "max-age=60");
                match request.method.as_str() {
                    "POST" if held => reply.header("Content-Location", "/a").hold(&gate),
                    "POST" => {
                        reply.header("Content-Location", "/a").header("ETag", "\"1\"").gate(&gate).piece("!")
                    }
                    _ => reply,
                }
            }
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        let url = tintype.url("/a");
        let post = if held {
            tokio::spawn(async move { Client::new().request("POST", &url, &[], "").await.status })
        } else {
            let open = tintype.client.open("POST", &url, &[], "").await;
            tokio::spawn(async move { open.finish().await.status })
        };
        origin.received(1).await;
        match overtake {
            "PUT" => drop(tintype.send("PUT", "/a").await),
            _ => tintype.purge("{\"url\": \"/a\"}").await,
        }
        gate.open();
        assert_eq!(post.await.unwrap(), 200);
        let after = tintype.get("/a").await;
        assert_eq!(after.header("x-cache"), Some("MISS"), "{overtake} {held}");
    }
}
