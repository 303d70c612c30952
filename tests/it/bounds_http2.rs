//! Floods that HTTP/2 makes cheap for a client (RFC 9113 section 10.5).
//!
//! 1. Streams that are opened and reset at once end the connection: all in one write, and each after the one before was taken.
//! 2. SETTINGS, PING and PRIORITY without end do too.
//! 3. A header block that does not end does too, in few long CONTINUATION frames or in many empty ones.
//! 4. What an ordinary client sends of these does not, however often it asks.
//! 5. Frames that ask for nothing do not keep a connection that is otherwise idle.

use std::time::Duration;

use http::{Request, Response};
use tintype::listener::{Config, Peer};
use tintype::message::body::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinHandle;

use super::support::frames::{PREFACE, block, frame};
use super::support::{Client, Serving, within};

const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

async fn hello(_: Request<Body>, _: Peer) -> Response<Body> {
    Response::new(Body::whole("hello"))
}

fn config() -> Config {
    Config { max_resets: 50, max_control_frames: 100, ..Serving::config() }
}

fn get() -> Vec<u8> {
    block(&[(":method", b"GET"), (":scheme", b"http"), (":authority", b"t"), (":path", b"/")])
}

/// A connection whose answers are read and forgotten, so that nothing but its own bound ends it.
async fn connected(serving: &Serving) -> (OwnedWriteHalf, JoinHandle<u64>) {
    let stream = TcpStream::connect(serving.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut read, mut write) = stream.into_split();
    write.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    let reader = tokio::spawn(async move {
        let (mut total, mut scrap) = (0, vec![0; 1 << 16]);
        while let Ok(n @ 1..) = read.read(&mut scrap).await {
            total += n as u64;
        }
        total
    });
    (write, reader)
}

/// Sends `frames` until the connection is gone; gives how many it took, `most` if it never was.
async fn flood(serving: &Serving, most: usize, frames: impl Fn(u32) -> Vec<u8>) -> usize {
    let (mut write, reader) = connected(serving).await;
    let mut sent = 0;
    while sent < most && !reader.is_finished() && write.write_all(&frames(sent as u32)).await.is_ok() {
        sent += 1;
        tokio::task::yield_now().await;
    }
    if sent == most {
        // Bytes on their way are read before the end.
        drop(write);
    }
    within("the end of the connection", reader).await.unwrap();
    sent
}

/// More than buffers between two sockets can hold of small frames.
const MANY: usize = 400_000;

#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let serving = Serving::start(config(), hello).await;
    let get = get();
    let opened_and_reset = |n: u32| {
        let id = 2 * n + 1;
        [frame(HEADERS, END_HEADERS | END_STREAM, id, &get), frame(RST_STREAM, 0, id, &8u32.to_be_bytes())]
            .concat()
    };
    assert!(flood(&serving, MANY, opened_and_reset).await < MANY);
    // In one write: more than the codec holds of streams that nobody has looked at yet.
    let at_once = |n: u32| (200 * n..200 * (n + 1)).flat_map(opened_and_reset).collect();
    assert!(flood(&serving, MANY / 200, at_once).await < MANY / 200);
}

#[tokio::test]
async fn frames_that_say_nothing_end_the_connection() {
    let serving = Serving::start(config(), hello).await;
    for (kind, stream, payload) in [
        (SETTINGS, 0, &[][..]),
        (SETTINGS, 0, &[0, 4, 0, 0, 0xff, 0xff]),
        (PING, 0, &[0; 8]),
        (PRIORITY, 1, &[0, 0, 0, 0, 16]),
        (0xfa, 0, &[]),
    ] {
        let bytes = frame(kind, 0, stream, payload);
        assert!(flood(&serving, MANY, |_| bytes.clone()).await < MANY, "{kind}");
    }
}

#[tokio::test]
async fn a_header_block_without_end_ends_the_connection() {
    let serving = Serving::start(config(), hello).await;
    let field = block(&[("x-filler", &[b'x'; 100])]).repeat(100);
    for (what, payload, most) in [("long", &field[..], 10_000), ("empty", &[], MANY), ("tiny", b"\0", MANY)] {
        let get = get();
        let sent = flood(&serving, most, |n| match n {
            0 => frame(HEADERS, END_STREAM, 1, &get),
            _ => frame(CONTINUATION, 0, 1, payload),
        });
        assert!(sent.await < most, "{what}");
    }
}

#[tokio::test]
async fn an_ordinary_client_is_never_cut_off() {
    let serving = Serving::start(config(), hello).await;
    let client = Client::h2();
    for _ in 0..300 {
        assert_eq!(client.get(&serving.url("/"), &[]).await.text(), "hello");
    }
    assert_eq!(serving.drain().await.accepted, 1);
}

#[tokio::test]
async fn pings_do_not_keep_an_idle_connection() {
    let config =
        Config { idle_timeout: Duration::from_millis(400), min_write_rate: 1000, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let (mut write, reader) = connected(&serving).await;
    let ping = frame(PING, 0, 0, &[0; 8]);
    let pinging = async {
        while !reader.is_finished() && write.write_all(&ping).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within("the end of the connection", pinging).await;
}
