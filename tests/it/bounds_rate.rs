//! The least rate at which a peer has to take what is on its way to it, and to send what it has begun to.
//!
//! 1. A request body that dribbles is an error for its handler, though it never pauses.
//! 2. An answer that is taken in sips is cut off, though it never stops: over HTTP/1.1, TLS and HTTP/2, and on the short way of a hit.
//! 3. A slow source is no fault of the peer, and a peer above the rate is left alone.
//!
//! The peers here are slow by the clock, because that is what they are tried for.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tintype::listener::{Config, Peer, TlsFiles};
use tintype::message::body::{Body, BodyError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use super::support::frames::{PREFACE, block, frame};
use super::support::{
    Client, Identity, RawClient, Reply, ScriptedOrigin, Serving, Tintype, within, within_long,
};

const WINDOW: Duration = Duration::from_millis(400);
const SIP: Duration = Duration::from_millis(20);
/// No peer is as fast.
const UNREACHABLE: u64 = 1 << 40;
const SIZE: usize = 24 << 20;

fn config(min_rate: u64) -> Config {
    Config { idle_timeout: WINDOW, min_read_rate: min_rate, min_write_rate: min_rate, ..Serving::config() }
}

fn huge() -> Response<Body> {
    Response::new(Body::whole(Bytes::from(vec![b'x'; SIZE])))
}

async fn large(_: Request<Body>, _: Peer) -> Response<Body> {
    huge()
}

/// A connection that buffers little.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
    stream
}

/// Takes an answer in sips of at most `most` bytes; gives how many came before its end.
async fn sip(stream: &mut TcpStream, most: usize, enough: usize) -> usize {
    let (mut total, mut scrap) = (0, vec![0; most]);
    while total < enough {
        sleep(SIP).await;
        match stream.read(&mut scrap).await {
            Ok(n @ 1..) => total += n,
            _ => break,
        }
    }
    total
}

#[tokio::test]
async fn a_body_that_dribbles_is_an_error_for_the_handler() {
    let handler = |request: Request<Body>, _| async move {
        let body = request.into_body().collect().await;
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = match body {
            Err(BodyError::Stalled) => StatusCode::REQUEST_TIMEOUT,
            Err(_) => StatusCode::BAD_REQUEST,
            Ok(_) => StatusCode::OK,
        };
        response
    };
    // 50 KB/s at most, less when this is held up.
    let sip = "x".repeat(1000);
    for (min_rate, status) in [(100_000, 408), (0, 200)] {
        let serving = Serving::start(config(min_rate), handler).await;
        let mut client = RawClient::connect(serving.address).await;
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n").await;
        for _ in 0..50 {
            client.send(&sip).await;
            sleep(SIP).await;
        }
        assert_eq!(client.response_to("POST").await.status(), status, "at {min_rate}");
    }
}

#[tokio::test]
async fn an_answer_that_is_taken_in_sips_is_cut_off() {
    let serving = Serving::start(config(UNREACHABLE), large).await;
    let mut stream = narrow(serving.address).await;
    assert!(within_long("the cut", sip(&mut stream, 256 << 10, SIZE)).await < SIZE);
    assert_eq!(serving.drain().await.cut, 0);

    let serving = Serving::start(config(1000), large).await;
    let mut stream = narrow(serving.address).await;
    assert!(within_long("the answer", sip(&mut stream, 256 << 10, SIZE)).await >= SIZE);
}

#[tokio::test]
async fn the_rate_holds_behind_tls() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::new();
    let (certificate, key) = identity.write(folder.path());
    let config = Config { tls: Some(TlsFiles { certificate, key }), ..config(UNREACHABLE) };
    let serving = Serving::start(config, large).await;
    for http2 in [false, true] {
        let url = format!("https://localhost:{}/", serving.address.port());
        let mut answer = Client::tls(&identity.certificate, http2).open("GET", &url, &[], "").await;
        let mut total = 0;
        while let Some(Ok(data)) = answer.next().await {
            total += data.len();
            sleep(SIP).await;
        }
        assert!(total < SIZE, "over HTTP/2: {http2}");
    }
}

#[tokio::test]
async fn a_window_that_opens_by_a_few_bytes_at_a_time_is_too_little() {
    for (min_rate, cut) in [(UNREACHABLE, true), (0, false)] {
        let serving = Serving::start(config(min_rate), large).await;
        let (mut read, mut write) = TcpStream::connect(serving.address).await.unwrap().into_split();
        let get = block(&[(":method", b"GET"), (":scheme", b"http"), (":authority", b"t"), (":path", b"/")]);
        let no_window = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
        write.write_all(&[PREFACE, &no_window, &frame(1, 5, 1, &get)].concat()).await.unwrap();
        let reader = tokio::spawn(async move { read.read_to_end(&mut Vec::new()).await });
        let update = frame(8, 0, 1, &100u32.to_be_bytes());
        for _ in 0..100 {
            if reader.is_finished() || write.write_all(&update).await.is_err() {
                break;
            }
            sleep(SIP).await;
        }
        assert_eq!(reader.is_finished(), cut, "at {min_rate}");
        reader.abort();
    }
}

/// What others of its exchanges bring is no life of the one that stands still.
#[tokio::test]
async fn a_shut_window_is_not_hidden_behind_other_exchanges() {
    let handler = |request: Request<Body>, _: Peer| async move {
        match request.uri().path() {
            "/large" => huge(),
            _ => Response::new(Body::Empty),
        }
    };
    let get = |path: &str| {
        block(&[(":method", b"GET"), (":scheme", b"http"), (":authority", b"t"), (":path", path.as_bytes())])
    };
    for (min_rate, cut) in [(UNREACHABLE, true), (0, false)] {
        let serving = Serving::start(config(min_rate), handler).await;
        let (mut read, mut write) = TcpStream::connect(serving.address).await.unwrap().into_split();
        let no_window = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
        write.write_all(&[PREFACE, &no_window, &frame(1, 5, 1, &get("/large"))].concat()).await.unwrap();
        let reader = tokio::spawn(async move { read.read_to_end(&mut Vec::new()).await });
        for n in 1..100 {
            if reader.is_finished() || write.write_all(&frame(1, 5, 2 * n + 1, &get("/"))).await.is_err() {
                break;
            }
            sleep(SIP).await;
        }
        assert_eq!(reader.is_finished(), cut, "at {min_rate}");
        reader.abort();
    }
}

#[tokio::test]
async fn the_rate_holds_on_the_short_way_of_a_hit() {
    const STORED: usize = 12 << 20;
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok(vec![b'x'; STORED]).header("Cache-Control", "max-age=60").header("ETag", "\"1\"")
    })
    .await;
    let bounds = "idle_timeout = \"1s\"\nmin_write_rate = \"1MiB\"\n[admin]";
    let tintype = Tintype::of(&Tintype::toml(&origin, "").replace("[admin]", bounds)).await;
    for _ in 0..3 {
        assert_eq!(tintype.get("/a").await.body.len(), STORED);
    }
    let prepared = || async {
        tintype.stats().await.pointer("/traffic/hits/prepared").and_then(serde_json::Value::as_u64)
    };
    let mut stream = narrow(tintype.address).await;
    let before = prepared().await;
    assert!(within_long("the cut", sip(&mut stream, 8 << 10, STORED)).await < STORED);
    assert!(before >= Some(1) && prepared().await >= before, "{before:?}");
}

#[tokio::test]
async fn a_slow_source_is_no_fault_of_the_peer() {
    let handler = |_: Request<Body>, _: Peer| async {
        let drops = futures_util::stream::unfold(0, |n| async move {
            sleep(2 * SIP).await;
            (n < 40).then(|| (Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"x"))), n + 1))
        });
        Response::new(Body::stream(StreamBody::new(Box::pin(drops))))
    };
    let serving = Serving::start(config(UNREACHABLE), handler).await;
    for client in [Client::new(), Client::h2()] {
        let answer = within("the answer", client.get(&serving.url("/"), &[])).await;
        assert_eq!((answer.body.len(), answer.broken), (40, None));
    }
}
