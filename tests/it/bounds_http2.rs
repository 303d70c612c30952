//! Floods that HTTP/2 makes cheap for a client (RFC 9113 section 10.5).
//!
//! 1. Streams that are opened and reset at once end the connection: all in one write, and each after the one before was taken.
//! 2. SETTINGS, PING and PRIORITY without end do too.
//! 3. A header block that does not end does too, in few long CONTINUATION frames or in many empty ones.
//! 4. What an ordinary client sends of these does not, however often it asks.
//! 5. Frames that ask for nothing do not keep a connection that is otherwise idle.
//! 6. Each bound is where it is said to be: what is within it goes on, and one more ends it. Counts begin anew with each quarter of the idle
//!    timeout.
//! 7. Streams beyond the bound are refused, and no more may be sent ahead than the windows say.

use std::time::Duration;

use http::{Request, Response};
use tintype::listener::{Config, Peer};
use tintype::message::body::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinHandle;

use super::support::frames::{PREFACE, block, frame};
use super::support::{Client, Gate, RawClient, Serving, within};

const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const DATA: u8 = 0;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
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

/// A connection whose answers are looked at, and the settings that it was greeted with.
struct Spoken(RawClient, Vec<u8>);

/// Kind, flags, stream, payload.
type Frame = (u8, u8, u32, Vec<u8>);

impl Spoken {
    async fn to(serving: &Serving) -> Self {
        let mut client = RawClient::connect(serving.address).await;
        client.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        let mut client = Spoken(client, Vec::new());
        (_, _, _, client.1) = client.next().await;
        client.0.send(frame(SETTINGS, ACK, 0, &[])).await;
        client
    }

    async fn next(&mut self) -> Frame {
        let head = self.0.bytes(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        (head[3], head[4], stream, self.0.bytes(length).await)
    }

    /// All frames up to the first one that is `wanted`, and that.
    async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Vec<Frame> {
        let mut seen = Vec::new();
        while !seen.last().is_some_and(&wanted) {
            seen.push(self.next().await);
        }
        seen
    }

    /// Asks on `stream` and waits for the end of its answer.
    async fn asked(&mut self, stream: u32) {
        self.0.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, &get())).await;
        self.until(|(kind, flags, of, _)| *kind == DATA && *of == stream && flags & END_STREAM != 0).await;
    }

    /// All that came before the answer to a ping.
    async fn pinged(&mut self) -> Vec<Frame> {
        self.0.send(frame(PING, 0, 0, &[7; 8])).await;
        self.until(|(kind, flags, ..)| *kind == PING && flags & ACK != 0).await
    }

    /// The connection ends, whatever is said before.
    async fn ended(&mut self) {
        self.0.rest().await;
    }
}

/// No tick comes in between.
fn unticked() -> Config {
    Config { idle_timeout: Duration::from_secs(3600), ..config() }
}

#[tokio::test]
async fn the_bounds_are_where_they_are_said_to_be() {
    // Its SETTINGS count too, and that it takes ours.
    let serving = Serving::start(Config { max_control_frames: 20, max_resets: 5, ..unticked() }, hello).await;
    let mut client = Spoken::to(&serving).await;
    for _ in 0..18 {
        client.pinged().await;
    }
    client.asked(1).await;
    client.0.send(frame(PING, 0, 0, &[0; 8])).await;
    client.ended().await;

    let waiting = Gate::new();
    let handler = {
        let waiting = waiting.clone();
        move |request: Request<Body>, peer| {
            let waiting = waiting.clone();
            async move {
                if request.method() == "POST" {
                    waiting.wait().await;
                }
                hello(request, peer).await
            }
        }
    };
    let post = block(&[(":method", b"POST"), (":scheme", b"http"), (":authority", b"t"), (":path", b"/")]);
    let serving = Serving::start(Config { max_resets: 5, ..unticked() }, handler).await;
    let mut client = Spoken::to(&serving).await;
    let opened_and_reset = |id: u32| {
        [frame(HEADERS, END_HEADERS, id, &post), frame(RST_STREAM, 0, id, &8u32.to_be_bytes())].concat()
    };
    for n in 0..5 {
        client.0.send(opened_and_reset(4 * n + 1)).await;
        client.asked(4 * n + 3).await;
    }
    client.0.send(opened_and_reset(21)).await;
    client.ended().await;
}

#[tokio::test]
async fn counts_begin_anew_with_each_tick() {
    let waiting = Gate::new();
    let handler = {
        let waiting = waiting.clone();
        move |request: Request<Body>, peer| {
            let waiting = waiting.clone();
            async move {
                if request.method() == "GET" && request.version() == http::Version::HTTP_2 {
                    waiting.wait().await;
                }
                hello(request, peer).await
            }
        }
    };
    let idle_timeout = Duration::from_millis(300);
    let serving = Serving::start(Config { max_control_frames: 6, idle_timeout, ..config() }, handler).await;
    let mut client = Spoken::to(&serving).await;
    // It is worked for, so that it is not idle.
    client.0.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &get())).await;
    for _ in 0..3 {
        for _ in 0..4 {
            client.pinged().await;
        }
        // An idle connection is the clock: it has four ticks.
        let mut idle = RawClient::connect(serving.address).await;
        idle.get("/", &[]).await;
        idle.response().await;
        idle.closed().await;
    }
    waiting.open();
    client.until(|(kind, flags, ..)| *kind == DATA && flags & END_STREAM != 0).await;
}

#[tokio::test]
async fn streams_that_nobody_has_looked_at_are_few() {
    let serving = Serving::start(Config { max_resets: 100_000, ..unticked() }, hello).await;
    let many = |count: u32| -> Vec<u8> {
        (0..count)
            .flat_map(|n| {
                let id = 2 * n + 1;
                [
                    frame(HEADERS, END_HEADERS | END_STREAM, id, &get()),
                    frame(RST_STREAM, 0, id, &8u32.to_be_bytes()),
                ]
            })
            .flatten()
            .collect()
    };
    // In one write, so that they come in one read.
    for (count, ends) in [(15, false), (40, true)] {
        let mut client = Spoken::to(&serving).await;
        client.pinged().await;
        client.0.send(many(count)).await;
        if ends {
            let goodbye = client.until(|(kind, ..)| *kind == GOAWAY).await.pop().unwrap();
            assert_eq!(goodbye.3[4..8], 11u32.to_be_bytes(), "ENHANCE_YOUR_CALM");
            client.ended().await;
        } else {
            client.asked(2 * count + 1).await;
        }
    }
}

#[tokio::test]
async fn streams_that_we_have_to_reset_end_the_connection() {
    let serving = Serving::start(unticked(), hello).await;
    // A field that only HTTP/1.1 has.
    let bad = [get(), block(&[("connection", b"close")])].concat();
    for (count, ends) in [(200, false), (300, true)] {
        let mut client = Spoken::to(&serving).await;
        for n in 0..count {
            client.0.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &bad)).await;
        }
        if ends {
            let goodbye = client.until(|(kind, ..)| *kind == GOAWAY).await.pop().unwrap();
            assert_eq!(goodbye.3[4..8], 11u32.to_be_bytes(), "ENHANCE_YOUR_CALM");
            client.ended().await;
        } else {
            client.asked(2 * count + 1).await;
        }
    }
}

#[tokio::test]
async fn streams_beyond_the_bound_are_refused() {
    let waiting = Gate::new();
    let handler = {
        let waiting = waiting.clone();
        move |request: Request<Body>, peer| {
            let waiting = waiting.clone();
            async move {
                waiting.wait().await;
                hello(request, peer).await
            }
        }
    };
    let serving = Serving::start(Config { max_streams: 2, ..config() }, handler).await;
    let mut client = Spoken::to(&serving).await;
    assert!(client.1.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 2]), "{:?}", client.1);
    for stream in [1, 3, 5] {
        client.0.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, &get())).await;
    }
    let refused = client.until(|(kind, ..)| *kind == RST_STREAM).await.pop().unwrap();
    assert_eq!((refused.2, refused.3), (5, 7u32.to_be_bytes().to_vec()));
    waiting.open();
    let ended =
        |frames: &[Frame]| frames.iter().filter(|(kind, flags, ..)| *kind == DATA && flags & 1 == 1).count();
    let mut seen = Vec::new();
    while ended(&seen) < 2 {
        seen.push(client.next().await);
    }
    client.asked(7).await;
}

#[tokio::test]
async fn no_more_is_sent_ahead_than_the_windows_say() {
    const PIECE: [u8; 16 << 10] = [0; 16 << 10];
    const STREAM: usize = 256 << 10;
    let waiting = Gate::new();
    let handler = {
        let waiting = waiting.clone();
        move |request: Request<Body>, peer| {
            let waiting = waiting.clone();
            async move {
                waiting.wait().await;
                hello(request, peer).await
            }
        }
    };
    let serving = Serving::start(Config { max_streams: 10, ..config() }, handler).await;
    let post = block(&[(":method", b"POST"), (":scheme", b"http"), (":authority", b"t"), (":path", b"/")]);
    // Of one stream; of the connection, which is four.
    for (streams, then) in [(1, 1), (4, 9)] {
        let mut client = Spoken::to(&serving).await;
        for n in 0..streams {
            client.0.send(frame(HEADERS, END_HEADERS, 2 * n + 1, &post)).await;
            for _ in 0..STREAM / PIECE.len() {
                client.0.send(frame(DATA, 0, 2 * n + 1, &PIECE)).await;
            }
        }
        // Nobody reads it, so nothing is given back: the one update is that of the connection's window at its beginning.
        let seen = client.pinged().await;
        let updates: Vec<_> = seen.iter().filter(|(kind, ..)| *kind == WINDOW_UPDATE).collect();
        assert_eq!((updates.len(), updates[0].2), (1, 0), "{streams}");
        assert!(!seen.iter().any(|(kind, ..)| [RST_STREAM, GOAWAY].contains(kind)), "{streams}");
        if then > 1 {
            client.0.send(frame(HEADERS, END_HEADERS, then, &post)).await;
        }
        client.0.send(frame(DATA, 0, then, &[0])).await;
        let refused = client.until(|(kind, ..)| [RST_STREAM, GOAWAY].contains(kind)).await.pop().unwrap();
        let code = if refused.0 == GOAWAY { &refused.3[4..8] } else { &refused.3[..] };
        assert_eq!(code, 3u32.to_be_bytes(), "FLOW_CONTROL_ERROR of {streams}");
    }
}
