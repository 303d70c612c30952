//! Bodies stream in both directions, are bounded, break off for the client when they break off at the origin, and are stored only whole.

use crate::support::*;

const LARGE: usize = 3 << 20;

/// A large answer reaches the client while it arrives, and is stored when it turns out whole.
#[tokio::test]
async fn a_large_answer_streams_and_is_stored() {
    let tail = Gate::new();
    let origin = ScriptedOrigin::start({
        let tail = tail.clone();
        move |_| {
            let half = vec![b'x'; LARGE / 2];
            Reply::ok(half.clone()).gate(&tail).piece(half).chunked().header("Cache-Control", "max-age=60")
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let mut leader = tintype.client.open("GET", &tintype.url("/a"), &[], "").await;
    let mut follower = tintype.client.open("GET", &tintype.url("/a"), &[], "").await;
    assert!(!leader.next().await.unwrap().unwrap().is_empty());
    assert!(!follower.next().await.unwrap().unwrap().is_empty());
    tail.open();
    let (leader, follower) = (leader.finish().await, follower.finish().await);
    assert!(leader.broken.is_none() && follower.broken.is_none());
    let stored = tintype.get("/a").await;
    assert_eq!((stored.header("x-cache"), stored.body.len()), (Some("HIT"), LARGE));
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn an_answer_larger_than_the_bound_passes_unstored() {
    for chunked in [false, true] {
        let origin = ScriptedOrigin::start(move |_| {
            let reply = Reply::ok(vec![b'x'; LARGE]).header("Cache-Control", "max-age=60");
            if chunked { reply.chunked() } else { reply }
        })
        .await;
        let toml = Tintype::toml(&origin, "")
            .replace("dir = \"\"", "dir = \"\"\nmax_stored_bytes = \"1MiB\"\nhold_for_tag = \"64KiB\"");
        let tintype = Tintype::of(&toml).await;
        for _ in 0..2 {
            let answer = tintype.get("/a").await;
            assert_eq!((answer.header("x-cache"), answer.body.len()), (Some("MISS"), LARGE));
            assert!(answer.broken.is_none());
        }
        assert_eq!(tintype.stats().await["traffic"]["stored"], 0);
    }
}

/// Whatever framing breaks, the client sees it break, and nothing is stored.
#[tokio::test]
async fn a_body_that_ends_short_breaks_off_for_the_client_and_is_not_stored() {
    for chunked in [false, true] {
        let origin = ScriptedOrigin::start(move |_| {
            let reply =
                Reply::ok(vec![b'x'; LARGE]).header("Cache-Control", "max-age=60").header("ETag", "\"1\"");
            if chunked { reply.chunked().cut() } else { reply.length(LARGE as u64 + 9).cut() }
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        for _ in 0..2 {
            let answer = tintype.get("/a").await;
            assert_eq!(answer.header("x-cache"), Some("MISS"));
            assert!(answer.broken.is_some(), "chunked: {chunked}");
        }
        assert_eq!(origin.count(), 2);
    }
}

/// What nobody has seen yet need not break off: it becomes an error that says why.
#[tokio::test]
async fn a_short_body_that_was_held_for_its_tag_becomes_a_502() {
    let origin =
        ScriptedOrigin::start(|_| Reply::ok("half").header("Cache-Control", "max-age=60").length(9).cut())
            .await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.get("/a").await.status, 502);
    assert_eq!(tintype.stats().await["traffic"]["stored"], 0);
}

/// A body that is held for its tag is not held for ever.
#[tokio::test]
async fn a_dripping_body_is_released_after_a_moment() {
    let tail = Gate::new();
    let origin = ScriptedOrigin::start({
        let tail = tail.clone();
        move |_| Reply::ok("ab").gate(&tail).piece("c").length(3).header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let mut answer = tintype.client.open("GET", &tintype.url("/a"), &[], "").await;
    assert_eq!(answer.next().await.unwrap().unwrap(), "ab");
    tail.open();
    assert_eq!(answer.finish().await.text(), "c");
    assert_eq!(tintype.get("/a").await.header("etag"), Some("\"ba7816bf8f01cfea\""));
}

#[tokio::test]
async fn empty_bodies_are_stored_too() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("").header("Cache-Control", "max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    let hit = tintype.get("/a").await;
    assert_eq!(glance(&hit), seen(200, "HIT", ""));
    assert_eq!(hit.header("content-length"), Some("0"));
}

/// Nobody waits for what will not be stored, or reads it from what another fetches.
#[tokio::test]
async fn what_is_announced_as_too_large_is_nobodys_to_share() {
    let tail = Gate::new();
    let script = {
        let tail = tail.clone();
        move |_: ReceivedRequest| {
            let reply = Reply::ok("").header("Cache-Control", "max-age=60").length((2 << 20) + 5);
            reply.piece("begin").gate(&tail).piece(vec![b'x'; 2 << 20])
        }
    };
    let origin = ScriptedOrigin::start(script).await;
    let toml = Tintype::toml(&origin, "")
        .replace("dir = \"\"", "dir = \"\"\nmax_stored_bytes = \"1MiB\"\nhold_for_tag = \"64KiB\"");
    let tintype = Tintype::of(&toml).await;
    let (mut first, mut second) =
        (RawClient::connect(tintype.address).await, RawClient::connect(tintype.address).await);
    for client in [&mut first, &mut second] {
        client.get("/a", &[]).await;
        assert_eq!(client.head().await.status(), 200);
    }
    assert_eq!(origin.count(), 2);
    tail.open();
    for client in [&mut first, &mut second] {
        assert_eq!(client.bytes((2 << 20) + 5).await.len(), (2 << 20) + 5);
    }
}

#[tokio::test]
async fn request_bodies_stream_to_the_origin_within_their_bound() {
    let origin = ScriptedOrigin::start(|request| Reply::ok(request.body.len().to_string())).await;
    let toml = Tintype::toml(&origin, "").replace("[server]", "[server]\nmax_request_body = \"1KiB\"");
    let tintype = Tintype::of(&toml).await;
    let post = |length: usize| {
        let url = tintype.url("/a");
        let client = Client::new();
        async move { client.request("POST", &url, &[], &"x".repeat(length)).await }
    };
    assert_eq!(post(1024).await.text(), "1024");
    assert_eq!(post(1025).await.status, 413);
    // Chunked, so that the length is not known at first.
    let mut raw = RawClient::connect(tintype.address).await;
    let chunk = "x".repeat(600);
    raw.send(format!(
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n{chunk}\r\n258\r\n{chunk}\r\n0\r\n\r\n"
    ))
    .await;
    assert_eq!(raw.response().await.status(), 413);
}

/// A client that reads slowly, or leaves, does not keep the origin waiting for what is to be stored.
#[tokio::test]
async fn a_client_that_leaves_in_mid_body_leaves_a_whole_stored_response() {
    let tail = Gate::new();
    let origin = ScriptedOrigin::start({
        let tail = tail.clone();
        move |_| {
            Reply::ok("ab")
                .gate(&tail)
                .piece("c")
                .chunked()
                .header("ETag", "\"1\"")
                .header("Cache-Control", "max-age=60")
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let mut leader = RawClient::connect(tintype.address).await;
    leader.get("/a", &[]).await;
    leader.head().await;
    leader.reset();
    tail.open();
    within("the fetch to be stored", async {
        while tintype.stats().await["traffic"]["stored"] != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "abc"));
}
