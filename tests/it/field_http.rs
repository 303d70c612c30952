//! Reports on HTTP from users of comparable projects: what one client gets is not another's, and parts come from the store.

use crate::support::*;

// Found by a probe of our own: a stored cookie of one client was given to the next ones.
#[tokio::test]
async fn a_cookie_goes_to_the_client_whose_request_was_forwarded() {
    let origin = ScriptedOrigin::start(|request| {
        let lifetime = if request.target.contains("shared") { "public, max-age=60" } else { "max-age=60" };
        Reply::ok("abc").header("Set-Cookie", "a=b").header("Cache-Control", lifetime)
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for (path, second) in [("/a", None), ("/shared", Some("a=b"))] {
        assert_eq!(tintype.get(path).await.header("set-cookie"), Some("a=b"), "{path}");
        let hit = tintype.get(path).await;
        assert_eq!((hit.header("x-cache"), hit.header("set-cookie")), (Some("HIT"), second), "{path}");
    }
}

// RFC 9110 section 11.7.2: credentials for a proxy end there.
#[tokio::test]
async fn credentials_for_a_proxy_are_neither_forwarded_nor_shared() {
    let origin = ScriptedOrigin::start(|request| {
        let seen = request.header("proxy-authorization").unwrap_or("none").to_owned();
        Reply::ok(seen).header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let with = tintype.get_with("/a", &[("Proxy-Authorization", "Basic eDp5")]).await;
    assert_eq!((with.text(), with.header("x-cache")), ("none".to_owned(), Some("MISS")));
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("HIT"));
}

// A range of a stale stored response bypassed the store: each was fetched from the origin as a part.
#[tokio::test]
async fn a_range_of_a_stale_response_is_cut_from_the_validated_one() {
    let origin = ScriptedOrigin::start(|request| match request.header("if-none-match") {
        Some(_) => Reply::status(304).header("ETag", "\"v1\"").header("Cache-Control", "max-age=60"),
        None => Reply::ok("0123456789").header("ETag", "\"v1\"").header("Cache-Control", "max-age=0"),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    let part = tintype.get_with("/a", &[("Range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.text()), (206, "234".to_owned()));
    let part = tintype.get_with("/a", &[("Range", "bytes=5-6")]).await;
    assert_eq!((part.status, part.text(), origin.count()), (206, "56".to_owned(), 2));
}

/// Sends `n` requests for `/a` at once and waits until all have reached the data plane.
async fn herd(tintype: &Tintype, n: usize) -> Vec<tokio::task::JoinHandle<Answer>> {
    let all = (0..n).map(|_| tokio::spawn(Client::new().get(&tintype.url("/a"), &[]))).collect();
    within("the requests to arrive", async {
        while tintype.stats().await["traffic"]["requests"] != n {
            tokio::task::yield_now().await;
        }
    })
    .await;
    all
}

// Found by a probe of our own: fifty clients got the 502 of one connection that was closed.
#[tokio::test]
async fn followers_of_a_fetch_without_an_answer_are_served_by_one_further_fetch() {
    for accident in [Reply::hang_up(), Reply::reset()] {
        let gate = Gate::new();
        let origin = ScriptedOrigin::start({
            let gate = gate.clone();
            move |request| match request.index {
                0 => accident.clone().hold(&gate),
                _ => Reply::ok("abc").header("Cache-Control", "max-age=60"),
            }
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        let herd = herd(&tintype, 10).await;
        gate.open();
        for one in herd {
            assert_eq!(glance(&one.await.unwrap()), seen(200, "MISS", "abc"));
        }
        assert_eq!(origin.count(), 2);
    }
}

// A client that waits alone gets the error: it can repeat its request itself.
#[tokio::test]
async fn a_fetch_without_followers_is_not_repeated() {
    let origin = ScriptedOrigin::start(|_| Reply::hang_up()).await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!((tintype.get("/a").await.status, origin.count()), (502, 1));
}

// Found by a probe of our own: the followers of a leader that stalls waited until their own clients gave up.
#[tokio::test]
async fn followers_of_a_leader_that_stalls_are_served_by_one_further_fetch() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| {
            let reply = Reply::ok("abc").header("Cache-Control", "max-age=60");
            if request.index == 0 { reply.hold(&gate) } else { reply }
        }
    })
    .await;
    let toml = Tintype::toml(&origin, "").replace("[store]", "[store]\ncollapse_timeout = \"1s\"");
    let tintype = Tintype::of(&toml).await;
    let leader = tokio::spawn(Client::new().get(&tintype.url("/a"), &[]));
    origin.received(1).await;
    let followers: Vec<_> =
        (0..10).map(|_| tokio::spawn(Client::new().get(&tintype.url("/a"), &[]))).collect();
    for follower in followers {
        let answer = within("a follower", follower).await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, "abc".to_owned()));
    }
    assert_eq!(origin.count(), 2);
    gate.open();
    assert_eq!(leader.await.unwrap().status, 200);
}

// caddy#6452, h2o#281: a service that is asked by POST closes kept connections, and every second picture was a 502.
#[tokio::test]
async fn a_capture_sent_by_post_is_repeated_on_a_connection_that_was_closed() {
    let origin = ScriptedOrigin::start(|request| match request.index % 2 {
        0 => Reply::ok(picture(0)).header("Content-Type", "image/png").header("Cache-Control", "max-age=60"),
        _ => Reply::hang_up(),
    })
    .await;
    let tintype = Tintype::with(&origin, "dialect = \"urlbox\"\n").await;
    for page in 0..6 {
        let answer = tintype.get(&format!("/v1/key/token/png?url=https://a.example/{page}")).await;
        assert_eq!(
            (answer.status, answer.header("x-cache")),
            (200, Some("MISS")),
            "{page}: {}",
            answer.text()
        );
    }
    let requests = origin.requests();
    assert!(requests.iter().all(|request| request.method == "POST"));
    assert_eq!(requests.len(), 11, "each closed connection costs one further request");
}

// RFC 9110 section 9.2.2: what may have been done must not be done again.
#[tokio::test]
async fn an_unsafe_request_is_never_repeated() {
    let origin = ScriptedOrigin::start(|request| match request.index {
        0 => Reply::ok("abc"),
        _ => Reply::hang_up(),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    let answer = tintype.client.request("POST", &tintype.url("/a"), &[], "order").await;
    assert_eq!((answer.status, origin.count()), (502, 2));
}

// Found by a probe of our own: 300 slow uploads took every place of the origin, and all other requests were a 503.
#[tokio::test]
async fn slow_request_bodies_leave_the_origin_to_others() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc")).await;
    let tintype = Tintype::before(&origin).await;
    let mut slow = Vec::new();
    for _ in 0..300 {
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send("POST /upload HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc").await;
        slow.push(raw);
    }
    within("the requests to arrive", async {
        while tintype.stats().await["traffic"]["requests"] != 300 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for _ in 0..5 {
        assert_eq!(tintype.get("/a").await.status, 200);
        assert_eq!(tintype.client.request("POST", &tintype.url("/b"), &[], "whole").await.status, 200);
    }
    assert_eq!(origin.count(), 10);
    for mut raw in slow {
        raw.send("defghij").await;
        assert_eq!(raw.response().await.status(), 200);
    }
    assert_eq!(origin.count(), 310);
}

// RFC 9112 section 11.2: what follows a malformed request may be read in more than one way.
#[tokio::test]
async fn nothing_is_read_after_a_malformed_request() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc")).await;
    let tintype = Tintype::before(&origin).await;
    for bad in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET ftp://t/a HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /a/../b HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET / HTTP/1.1\nHost: t\n\n",
    ] {
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send(format!("{bad}GET /next HTTP/1.1\r\nHost: t\r\n\r\n")).await;
        let answer = String::from_utf8_lossy(&raw.rest().await).into_owned();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{bad:?} {answer:?}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{bad:?} {answer:?}");
    }
    assert_eq!(origin.count(), 0);
}
