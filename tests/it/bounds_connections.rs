//! How many connections one address may have, and how many requests a connection.
//!
//! 1. A connection beyond the bound of its address is closed at once, and there is room again when one ends. Addresses of proxies have no such bound.
//! 2. After the last request that it may bring a connection ends in order: `Connection: close`, or GOAWAY; nothing is lost.
//! 3. Requests on the short way of a hit count like any other, and their heads keep within the same bounds.
//! 4. Who goes on over HTTP/2 after the goodbye is cut 1,000 requests later.

use http::{Request, Response};
use tintype::listener::{Config, Peer};
use tintype::message::body::Body;

use bytes::Bytes;
use tintype::listener::Handler;
use tintype::message::plain::Plain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::frames::{PREFACE, block, frame};
use super::support::{RawClient, Reply, ScriptedOrigin, Serving, Tintype, within_long};

async fn hello(_: Request<Body>, _: Peer) -> Response<Body> {
    Response::new(Body::whole("hello"))
}

async fn greeted(serving: &Serving) -> RawClient {
    let mut client = RawClient::connect(serving.address).await;
    client.get("/", &[]).await;
    assert_eq!(client.response().await.text(), "hello");
    client
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let config = Config { max_connections_per_address: 2, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let (first, _second) = (greeted(&serving).await, greeted(&serving).await);
    for _ in 0..3 {
        let mut third = RawClient::connect(serving.address).await;
        third.get("/", &[]).await;
        third.closed().await;
    }
    drop(first);
    // Whether the end of the first has been seen is told by the next alone.
    loop {
        let mut next = RawClient::connect(serving.address).await;
        next.get("/", &[]).await;
        if next.rest_or_response().await {
            break;
        }
    }
    let report = serving.drain().await;
    assert!(report.refused >= 3, "{report:?}");
}

#[tokio::test]
async fn addresses_of_proxies_have_as_many_as_they_like() {
    let crowded = vec!["127.0.0.0/8".parse().unwrap()];
    let config = Config { max_connections_per_address: 1, crowded, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let _held = [greeted(&serving).await, greeted(&serving).await, greeted(&serving).await];
    serving.stop();
}

#[tokio::test]
async fn the_last_request_of_a_connection_is_told_so() {
    let config = Config { max_requests_per_connection: 3, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let mut client = RawClient::connect(serving.address).await;
    for last in [false, false, true] {
        client.get("/", &[]).await;
        let response = client.response().await;
        assert_eq!(
            (response.text().as_str(), response.header("connection")),
            ("hello", last.then_some("close"))
        );
    }
    client.closed().await;
}

#[tokio::test]
async fn hits_on_the_short_way_count_as_requests() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("stored").header("Cache-Control", "max-age=60").header("ETag", "\"1\"")
    })
    .await;
    let toml = Tintype::toml(&origin, "").replace("[admin]", "max_requests_per_connection = 6\n[admin]");
    let tintype = Tintype::of(&toml).await;
    let mut client = RawClient::connect(tintype.address).await;
    for last in [false, false, false, false, false, true] {
        client.get("/a", &[]).await;
        let response = client.response().await;
        assert_eq!(
            (response.text().as_str(), response.header("connection")),
            ("stored", last.then_some("close"))
        );
    }
    client.closed().await;
    let prepared =
        tintype.stats().await.pointer("/traffic/hits/prepared").and_then(serde_json::Value::as_u64);
    assert!(prepared >= Some(3), "{prepared:?}");
}

#[tokio::test]
async fn http_2_says_goodbye_after_the_last_request() {
    let config = Config { max_requests_per_connection: 3, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let mut client = RawClient::connect(serving.address).await;
    let get = block(&[(":method", b"GET"), (":scheme", b"http"), (":authority", b"t"), (":path", b"/")]);
    let mut bytes = [PREFACE, &frame(4, 0, 0, &[])].concat();
    for stream in [1, 3, 5] {
        bytes.extend(frame(1, 5, stream, &get));
    }
    client.send(bytes).await;
    let (mut ended, mut goodbye) = (0, false);
    while !(ended == 3 && goodbye) {
        let head = client.bytes(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        client.bytes(length).await;
        match head[3] {
            0 if head[4] & 1 == 1 => ended += 1,
            7 => goodbye = true,
            _ => {}
        }
    }
}

#[tokio::test]
async fn who_goes_on_after_the_goodbye_is_cut() {
    const MOST: u32 = 3;
    let config = Config { max_requests_per_connection: MOST as usize, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let mut stream = TcpStream::connect(serving.address).await.unwrap();
    let get = block(&[(":method", b"GET"), (":scheme", b"http"), (":authority", b"t"), (":path", b"/")]);
    stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.unwrap();
    // One after the other, deaf to whatever is said about the end.
    let going_on = async {
        for n in 0..6000 {
            let id = 2 * n + 1;
            if stream.write_all(&frame(1, 5, id, &get)).await.is_err() {
                return n;
            }
            loop {
                let mut head = [0; 9];
                if stream.read_exact(&mut head).await.is_err() {
                    return n;
                }
                let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
                if stream.read_exact(&mut payload).await.is_err() {
                    return n;
                }
                if head[3] == 0 && head[4] & 1 == 1 && head[5..] == id.to_be_bytes() {
                    break;
                }
            }
        }
        6000
    };
    let answered = within_long("the cut", going_on).await;
    assert!((MOST + 1000 - 1..=MOST + 1000 + 1).contains(&answered), "{answered}");
}

/// Has an answer at hand for whatever is plain.
#[derive(Clone)]
struct Short;

impl Handler for Short {
    async fn handle(&self, request: Request<Body>, peer: Peer) -> Response<Body> {
        hello(request, peer).await
    }

    fn short(&self, _: &Plain<'_>, _: Peer, head: &mut Vec<u8>) -> Option<Bytes> {
        head.extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        Some(Bytes::from_static(b"short"))
    }
}

#[tokio::test]
async fn heads_on_the_short_way_keep_within_their_bounds() {
    let config = Config { max_header_bytes: 1000, max_header_count: 4, ..Serving::config() };
    let serving = Serving::start(config, Short).await;
    let (some, long) = ("x".repeat(800), "x".repeat(1100));
    for (fields, status) in [
        (&[("accept", "a"), ("accept-language", "b"), ("user-agent", "c")][..], 200),
        (&[("user-agent", some.as_str())], 200),
        (&[("user-agent", long.as_str())], 431),
        (&[("accept", "a"), ("accept-language", "b"), ("user-agent", "c"), ("referer", "d")], 431),
    ] {
        let mut client = RawClient::connect(serving.address).await;
        client.get("/", &[]).await;
        assert_eq!(client.response().await.text(), "short");
        client.get("/", fields).await;
        assert_eq!(client.response().await.status(), status, "{fields:?}");
    }
}
