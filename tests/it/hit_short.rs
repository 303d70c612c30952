//! The short way of a hit says what the long way says.
//!
//! 1. Whatever is asked, purged and waited for, in whatever order, a tintype with prepared answers and one without answer alike.
//! 2. A plain hit takes the short way, a 304 too, and counts as any other.
//! 3. What is stored anew, purged, made stale or evicted is not answered by what was prepared before.
//! 4. Answers come in the order of their requests, whatever else comes on the connection: other methods, bodies, parts of heads, several
//!    requests at once, misses in between.
//! 5. A client that does not read gets the rest of its answer later, and nobody else waits for it.

use serde_json::Value;

use super::support::{Answer, RawClient, Reply, ScriptedOrigin, Tintype};

/// A tintype without prepared answers.
async fn long_way(origin: &ScriptedOrigin, more: &str) -> Tintype {
    let toml = Tintype::toml(origin, more).replace("dir = \"\"", "dir = \"\"\nmax_prepared = 0");
    Tintype::of(&toml).await
}

async fn prepared(tintype: &Tintype) -> u64 {
    tintype.stats().await.pointer("/traffic/hits/prepared").and_then(Value::as_u64).expect("a count")
}

/// The same script for two origins: what it says depends on what it is asked, and on how often.
async fn origin() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        let fields: &[(&str, &str)] = match request.target.as_str() {
            "/long" => &[("cache-control", "max-age=1000"), ("etag", "\"long\"")],
            "/short" => &[("cache-control", "max-age=3"), ("last-modified", "Sat, 01 Nov 2025 00:00:00 GMT")],
            "/aged" => &[("cache-control", "max-age=60"), ("age", "50"), ("etag", "W/\"aged\"")],
            "/swr" => &[("cache-control", "max-age=5, stale-while-revalidate=5"), ("etag", "\"swr\"")],
            "/vary" => &[("cache-control", "max-age=60"), ("vary", "accept-language"), ("etag", "\"v\"")],
            "/no-cache" => &[("cache-control", "max-age=60, no-cache"), ("etag", "\"n\"")],
            "/twice" => &[("cache-control", "max-age=60"), ("etag", "\"a\""), ("etag", "\"b\"")],
            "/status" => {
                &[("cache-control", "max-age=60"), ("cache-status", "other; hit"), ("etag", "\"s\"")]
            }
            "/auth" => &[("cache-control", "max-age=60, public"), ("set-cookie", "a=b")],
            _ => &[("cache-control", "no-store")],
        };
        let mut reply = Reply::ok(format!("{} {}", request.method, request.target));
        for (name, value) in fields {
            reply = reply.header(name, value);
        }
        if request.header("if-none-match").is_some() && request.target == "/swr" {
            return Reply::status(304)
                .header("cache-control", "max-age=5, stale-while-revalidate=5")
                .header("etag", "\"swr\"");
        }
        reply
    })
    .await
}

fn told(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut fields: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    fields.sort();
    (answer.status, fields, answer.text())
}

const TARGETS: [&str; 10] =
    ["/long", "/short", "/aged", "/swr", "/vary", "/no-cache", "/twice", "/status", "/auth", "/none"];
const FIELDS: [(&str, &str); 24] = [
    ("accept", "*/*"),
    ("accept-language", "de"),
    ("if-none-match", "\"long\""),
    ("if-none-match", "W/\"long\""),
    ("if-none-match", "\"aged\""),
    ("if-none-match", "*"),
    ("if-none-match", "\"x\", \"long\""),
    ("if-none-match", "\"swr\""),
    ("if-modified-since", "Sat, 01 Nov 2025 00:00:00 GMT"),
    ("if-modified-since", "Sat, 01 Nov 2025 00:00:01 GMT"),
    ("if-modified-since", "rubbish"),
    ("if-match", "\"y\""),
    ("if-unmodified-since", "Sat, 01 Nov 2024 00:00:00 GMT"),
    ("range", "bytes=0-2"),
    ("cache-control", "no-cache"),
    ("cache-control", "max-age=1"),
    ("cache-control", "only-if-cached"),
    ("pragma", "no-cache"),
    ("authorization", "Bearer x"),
    ("cookie", "a=b"),
    ("user-agent", "x"),
    ("x-forwarded-host", "evil"),
    ("te", "trailers"),
    ("origin", "http://a.example"),
];

/// 1: three thousand steps by a fixed seed.
#[tokio::test]
async fn with_and_without_prepared_answers_all_is_alike() {
    let origins = (origin().await, origin().await);
    let (short, long) = (Tintype::before(&origins.0).await, long_way(&origins.1, "").await);
    let mut state = 0x5eed_u64;
    let mut dice = |sides: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % sides
    };
    for step in 0..3000 {
        let target = TARGETS[dice(TARGETS.len())];
        match dice(60) {
            0 => {
                short.later(1);
                long.later(1);
            }
            1 => {
                let mode = ["hard", "soft"][dice(2)];
                let ask = format!("{{\"all\": true, \"mode\": \"{mode}\"}}");
                short.purge(&ask).await;
                long.purge(&ask).await;
            }
            2 => {
                let answers = (short.send("POST", target).await, long.send("POST", target).await);
                assert_eq!(told(&answers.0), told(&answers.1), "step {step}: POST {target}");
            }
            3 => {
                let answers = (short.send("HEAD", target).await, long.send("HEAD", target).await);
                assert_eq!(told(&answers.0), told(&answers.1), "step {step}: HEAD {target}");
            }
            _ => {
                let fields: Vec<_> =
                    (0..[0, 0, 0, 1, 1, 2][dice(6)]).map(|_| FIELDS[dice(FIELDS.len())]).collect();
                // The host is part of what was asked for, and differs.
                let answers = (short.get_with(target, &fields).await, long.get_with(target, &fields).await);
                assert_eq!(told(&answers.0), told(&answers.1), "step {step}: {target} {fields:?}");
            }
        }
        // What goes on behind an answer must have come to its end, or the two are at different places.
        while short.stats().await.pointer("/fetches_under_way").is_some_and(|n| n != 0)
            || long.stats().await.pointer("/fetches_under_way").is_some_and(|n| n != 0)
        {
            tokio::task::yield_now().await;
        }
    }
    let (taken, none) = (prepared(&short).await, prepared(&long).await);
    assert!(taken > 300 && none == 0, "the short way was taken {taken} and {none} times");
}

/// 2
#[tokio::test]
async fn a_plain_hit_takes_the_short_way_and_counts() {
    let origin = origin().await;
    let tintype = Tintype::before(&origin).await;
    let first = tintype.get("/long").await;
    assert_eq!((first.header("x-cache"), prepared(&tintype).await), (Some("MISS"), 0));
    let second = tintype.get("/long").await;
    assert_eq!((second.header("x-cache"), prepared(&tintype).await), (Some("HIT"), 0));
    tintype.later(7);
    let third = tintype.get("/long").await;
    assert_eq!(
        (third.header("x-cache"), third.header("age"), prepared(&tintype).await),
        (Some("HIT"), Some("7"), 1)
    );
    assert_eq!(third.header("cache-status"), Some("tintype; hit; ttl=993; detail=memory"));
    assert_eq!(third.text(), first.text());
    let unchanged = tintype.get_with("/long", &[("if-none-match", "\"long\"")]).await;
    assert_eq!((unchanged.status, unchanged.body.len(), prepared(&tintype).await), (304, 0, 2));
    assert_eq!(unchanged.header("etag"), Some("\"long\""));
    let stats = tintype.stats().await;
    let count = |path: &str| stats.pointer(path).and_then(Value::as_u64);
    assert_eq!((count("/traffic/requests"), count("/traffic/hits/memory")), (Some(4), Some(3)), "{stats:#}");
    assert_eq!(count("/traffic/not_modified"), Some(1));
    assert_eq!(count("/traffic/bytes_sent"), Some(3 * first.body.len() as u64));
}

/// 3
#[tokio::test]
async fn what_was_prepared_ends_with_what_it_stands_for() {
    let origin = ScriptedOrigin::start(|request| {
        Reply::ok(format!("{}", request.index))
            .header("cache-control", "max-age=10")
            .header("etag", format!("\"{}\"", request.index))
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let warm = async |expected: &str| {
        for _ in 0..3 {
            assert_eq!(tintype.get("/a").await.text(), expected);
        }
    };
    warm("0").await;
    tintype.purge("{\"all\": true}").await;
    warm("1").await;
    tintype.purge("{\"all\": true, \"mode\": \"soft\"}").await;
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    warm("2").await;
    tintype.later(10);
    warm("3").await;
    tintype.get_with("/a", &[("cache-control", "no-cache")]).await;
    warm("4").await;
    assert_eq!(tintype.send("POST", "/a").await.status, 200);
    warm("6").await;
    assert!(prepared(&tintype).await >= 6);
}

/// 4
#[tokio::test]
async fn answers_come_in_the_order_of_their_requests() {
    let origin = origin().await;
    let tintype = Tintype::before(&origin).await;
    let mut client = RawClient::connect(tintype.address).await;
    for _ in 0..3 {
        client.get("/long", &[]).await;
        assert_eq!(client.response().await.text(), "GET /long");
    }
    assert_eq!(prepared(&tintype).await, 1, "first, second, short");
    // A miss in between, and then short again.
    for (target, count) in
        [("/none", 1), ("/long", 2), ("/aged", 2), ("/long", 3), ("/none", 3), ("/long", 4)]
    {
        client.get(target, &[]).await;
        assert_eq!(client.response().await.text(), format!("GET {target}"));
        assert_eq!(prepared(&tintype).await, count, "{target}");
    }
    client.send("HEAD /long HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(client.response_to("HEAD").await.status(), 200);
    client.get("/long", &[]).await;
    assert_eq!((client.response().await.text(), prepared(&tintype).await), ("GET /long".into(), 5));
    // Several at once, in all mixtures: the connection is hyper's from here on.
    client
        .send(
            "GET /long HTTP/1.1\r\nHost: test\r\n\r\nGET /none HTTP/1.1\r\nHost: test\r\n\r\nGET /long HTTP/1.1\r\nHost: test\r\n\r\n",
        )
        .await;
    for target in ["/long", "/none", "/long"] {
        assert_eq!(client.response().await.text(), format!("GET {target}"));
    }
    client.get("/long", &[]).await;
    assert_eq!((client.response().await.text(), prepared(&tintype).await), ("GET /long".into(), 5));
    // A head in parts.
    let mut client = RawClient::connect(tintype.address).await;
    client.get("/long", &[]).await;
    assert_eq!(client.response().await.text(), "GET /long");
    for part in ["GET /lo", "ng HTTP/1.1\r\nHost: te", "st\r\n\r\n"] {
        client.send(part).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.response().await.text(), "GET /long");
    // A body that looks like a request.
    let mut client = RawClient::connect(tintype.address).await;
    client.send("POST /none HTTP/1.1\r\nHost: test\r\nContent-Length: 37\r\n\r\n").await;
    client.send("GET /long HTTP/1.1\r\nHost: test\r\n\r\nabc").await;
    assert_eq!(client.response().await.text(), "POST /none");
    client.get("/long", &[("connection", "close")]).await;
    assert_eq!(client.response().await.text(), "GET /long");
    client.closed().await;
}

/// 5
#[tokio::test]
async fn a_client_that_does_not_read_gets_the_rest_later() {
    let picture = vec![7_u8; 8 << 20];
    let length = picture.len();
    let origin = ScriptedOrigin::start(move |_| {
        Reply::ok(picture.clone()).header("cache-control", "max-age=60").header("etag", "\"p\"")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for _ in 0..2 {
        assert_eq!(tintype.get_with("/p", &[("host", "test")]).await.body.len(), length);
    }
    let mut slow = RawClient::connect(tintype.address).await;
    slow.get("/p", &[]).await;
    let mut quick = RawClient::connect(tintype.address).await;
    for _ in 0..3 {
        quick.get("/p", &[]).await;
        assert_eq!(quick.response().await.body.len(), length);
    }
    // It asks on while its first answer is still on its way.
    slow.get("/p", &[]).await;
    for _ in 0..2 {
        let answer = slow.response().await;
        assert!(answer.complete && answer.body.len() == length);
    }
    assert!(prepared(&tintype).await >= 4);
}
