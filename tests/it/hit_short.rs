//! The short way of a hit says what the long way says.
//!
//! 1. Whatever is asked, purged and waited for, in whatever order, a tintype with prepared answers and one without answer alike.
//! 2. A plain hit takes the short way, a 304 too, and counts as any other.
//! 3. What is stored anew, purged, made stale or evicted is not answered by what was prepared before.
//! 4. Answers come in the order of their requests, whatever else comes on the connection: other methods, bodies, parts of heads, several
//!    requests at once, misses in between.
//! 5. A client that does not read gets the rest of its answer later, and nobody else waits for it.

use std::convert::Infallible;

use bytes::Bytes;
use http::Request;
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

use super::derived::png;
use super::support::{Answer, Client, RawClient, Reply, ScriptedOrigin, Tintype, within};

/// A tintype without prepared answers.
async fn long_way(origin: &ScriptedOrigin, more: &str) -> Tintype {
    let toml = Tintype::toml(origin, more).replace("dir = \"\"", "dir = \"\"\nmax_prepared = 0");
    Tintype::of(&toml).await
}

async fn prepared(tintype: &Tintype) -> u64 {
    tintype.stats().await.pointer("/traffic/hits/prepared").and_then(Value::as_u64).expect("a count")
}

/// The same script for two origins: what it says depends on what it is asked, and on how often.
/// When the origins made their responses, later than the clock of the tests. Their own clock would turn over between two of them.
const MADE: &str = "Sat, 28 Nov 2026 00:00:00 GMT";

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
        let mut reply = Reply::ok(format!("{} {}", request.method, request.target)).header("date", MADE);
        for (name, value) in fields {
            reply = reply.header(name, value);
        }
        if request.header("if-none-match").is_some() && request.target == "/swr" {
            return Reply::status(304)
                .header("cache-control", "max-age=5, stale-while-revalidate=5")
                .header("etag", "\"swr\"")
                .header("date", MADE);
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

/// Takes so many steps by a fixed seed, the same with both, and compares all that they answer.
async fn walk(
    short: &mut Tintype,
    long: &mut Tintype,
    steps: usize,
    targets: &[&str],
    fields: &[(&'static str, &str)],
) {
    let mut state = 0x5eed_u64;
    let mut dice = |sides: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % sides
    };
    let mut fields: Vec<(&str, String)> =
        fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    for step in 0..steps {
        if step % 40 == 0 {
            // What was said on a connection may have given it to the long way for good.
            (short.client, long.client) = match step % 120 {
                80 => (Client::h2(), Client::h2()),
                _ => (Client::new(), Client::new()),
            };
        }
        let target = targets[dice(targets.len())];
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
                let chosen: Vec<(&str, String)> =
                    (0..[0, 0, 0, 1, 1, 2][dice(6)]).map(|_| fields[dice(fields.len())].clone()).collect();
                let said: Vec<(&str, &str)> =
                    chosen.iter().map(|(name, value)| (*name, value.as_str())).collect();
                // The host is part of what was asked for, and differs.
                let answers = (short.get_with(target, &said).await, long.get_with(target, &said).await);
                assert_eq!(told(&answers.0), told(&answers.1), "step {step}: {target} {said:?}");
                // Somebody may have that one later.
                if let Some(tag) = answers.0.header("etag")
                    && fields.len() < 60
                    && fields.iter().all(|(_, known)| known != tag)
                {
                    fields.push(("if-none-match", tag.to_owned()));
                }
            }
        }
        // What goes on behind an answer must have come to its end, or the two are at different places.
        while short.stats().await.pointer("/fetches_under_way").is_some_and(|n| n != 0)
            || long.stats().await.pointer("/fetches_under_way").is_some_and(|n| n != 0)
        {
            tokio::task::yield_now().await;
        }
    }
}

/// 1: three thousand steps.
#[tokio::test]
async fn with_and_without_prepared_answers_all_is_alike() {
    let origins = (origin().await, origin().await);
    let (mut short, mut long) = (Tintype::before(&origins.0).await, long_way(&origins.1, "").await);
    walk(&mut short, &mut long, 3000, &TARGETS, &FIELDS).await;
    let (taken, none) = (prepared(&short).await, prepared(&long).await);
    assert!(taken > 300 && none == 0, "the short way was taken {taken} and {none} times");
}

/// Pictures that are never the same twice, with and without a tag of the origin's.
async fn pictures() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        let reply = Reply::ok(png(60, 40, request.index as u8, false))
            .header("content-type", "image/png")
            .header("date", MADE)
            .header("cache-control", "max-age=10, stale-while-revalidate=5");
        match request.target.contains("tagged") {
            true => reply.header("etag", format!("\"{}\"", request.index)),
            false => reply.header("last-modified", "Sat, 01 Nov 2025 00:00:00 GMT"),
        }
    })
    .await
}

const DERIVING: &str = "capture = true\nonly_pictures = false\ndialect = \"tintype\"\nderive = true\n\
    [route.take]\npath = \"/take\"\nupstream = \"origin\"\ncapture = true\nonly_pictures = false\ndialect = \"screenshotone\"\n\
    [route.link]\npath = \"/link\"\nupstream = \"origin\"\ncapture = true\nonly_pictures = false\ndialect = \"microlink\"\n";
const PICTURES: [&str; 8] = [
    "/shot?url=https://a.example/",
    "/shot?url=https://a.example/&format=jpeg&image_width=30",
    "/shot?url=https://a.example/&format=auto",
    "/shot?url=https://a.example/tagged&format=auto&image_width=20",
    "/shot?url=https://a.example/tagged&format=webp&fit=cover&image_width=20&image_height=20",
    "/shot?url=https://a.example/&image_width=9999",
    "/take?url=https://a.example/&access_key=k&format=webp",
    "/link?url=https://a.example/&screenshot=true&embed=screenshot.url",
];
const WISHES: [(&str, &str); 18] = [
    ("accept", "image/avif,image/webp,*/*"),
    ("accept", "image/avif,*/*"),
    ("accept", "image/webp,*/*"),
    ("accept", "*/*"),
    ("accept", "IMAGE/WEBP;q=0.5, image/png;q=0.4"),
    ("accept", "image/webp;q=0.5, image/png"),
    ("accept", "text/html"),
    ("accept", "image/webp\u{e9}"),
    ("if-none-match", "*"),
    ("if-none-match", "\"x\""),
    ("if-modified-since", "Sat, 01 Nov 2025 00:00:00 GMT"),
    ("if-modified-since", "Sat, 01 Nov 2025 00:00:01 GMT"),
    ("range", "bytes=0-9"),
    ("cache-control", "no-cache"),
    ("cache-control", "max-age=1"),
    ("user-agent", "x"),
    ("x-api-key", "k"),
    ("x-api-header-a", "b"),
];

/// 1, for what is made of pictures, and in the words of services.
#[tokio::test]
async fn with_and_without_prepared_answers_derived_pictures_are_alike() {
    let origins = (pictures().await, pictures().await);
    let (mut short, mut long) =
        (Tintype::with(&origins.0, DERIVING).await, long_way(&origins.1, DERIVING).await);
    walk(&mut short, &mut long, 2000, &PICTURES, &WISHES).await;
    let (taken, none) = (prepared(&short).await, prepared(&long).await);
    assert!(taken > 300 && none == 0, "the short way was taken {taken} and {none} times");
}

/// 2, for the same.
#[tokio::test]
async fn derived_pictures_and_dialects_take_the_short_way_and_count() {
    let origin = pictures().await;
    let tintype = Tintype::with(&origin, DERIVING).await;
    let counts = async || {
        let stats = tintype.stats().await;
        let of = |path: &str| stats.pointer(path).and_then(Value::as_u64).expect("a count");
        (of("/traffic/hits/memory"), of("/traffic/hits/prepared"))
    };
    let saved = async || {
        let stats = tintype.stats().await;
        stats.pointer("/savings/bytes_by_304").and_then(Value::as_u64).expect("a count")
    };
    let mut expected = (0, 0);
    // What is made is only prepared once it is answered; the 304 for it was not looked for.
    for (target, prepared) in [(PICTURES[1], 2), (PICTURES[4], 2), (PICTURES[6], 3)] {
        let first = tintype.get(target).await;
        let tag = first.header("etag").map(str::to_owned).unwrap_or_default();
        // By the long way, and later by the short one, a 304 spares what is made, not the picture.
        let before = saved().await;
        assert_eq!(tintype.get_with(target, &[("if-none-match", &tag)]).await.status, 304, "{target}");
        assert_eq!(saved().await - before, first.body.len() as u64, "{target}");
        let (second, third) = (tintype.get(target).await, tintype.get(target).await);
        assert_eq!(third.header("x-cache"), Some("HIT"), "{target}");
        assert_eq!((told(&second), &third.body), (told(&third), &first.body), "{target}");
        let tag = third.header("etag").expect("a tag");
        let unchanged = tintype.get_with(target, &[("if-none-match", tag)]).await;
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{target}");
        expected = (expected.0 + 4, expected.1 + prepared);
        assert_eq!(counts().await, expected, "{target}");
    }
    // Each format that clients can show is prepared by itself.
    for _ in 0..3 {
        for (accept, kind) in [("image/webp", "image/webp"), ("*/*", "image/png")] {
            let answer = tintype.get_with(PICTURES[3], &[("accept", accept)]).await;
            assert_eq!(answer.header("content-type"), Some(kind));
        }
    }
    assert_eq!(counts().await.1, expected.1 + 2);
    // In this dialect fields say something of the picture.
    for _ in 0..3 {
        assert_eq!(tintype.get(PICTURES[7]).await.status, 200);
    }
    assert_eq!(counts().await.1, expected.1 + 2);
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
    // Several at once, in all mixtures: the connection is hyper's from here on, and prepared answers go out as messages.
    client
        .send(
            "GET /long HTTP/1.1\r\nHost: test\r\n\r\nGET /none HTTP/1.1\r\nHost: test\r\n\r\nGET /long HTTP/1.1\r\nHost: test\r\n\r\n",
        )
        .await;
    for target in ["/long", "/none", "/long"] {
        assert_eq!(client.response().await.text(), format!("GET {target}"));
    }
    client.get("/long", &[]).await;
    assert_eq!((client.response().await.text(), prepared(&tintype).await), ("GET /long".into(), 8));
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

/// 1: content of which no field tells, as HTTP/2 has it, had been passed over.
#[tokio::test]
async fn regression_content_over_http2_is_for_the_long_way() {
    let origin = origin().await;
    let tintype = Tintype::before(&origin).await;
    for _ in 0..3 {
        assert_eq!(Client::h2().get(&tintype.url("/long"), &[]).await.status, 200);
    }
    assert!(prepared(&tintype).await > 0);
    let stream = tokio::net::TcpStream::connect(tintype.address).await.expect("a connection");
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut client, connection) = handshake.expect("HTTP/2");
    tokio::spawn(connection);
    let pieces = futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))]);
    let request = Request::get(tintype.url("/long")).body(StreamBody::new(pieces)).expect("a request");
    let answer = within("an answer", client.send_request(request)).await.expect("an answer");
    assert_eq!(answer.headers()["x-cache"], "BYPASS");
}
