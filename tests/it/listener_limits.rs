//! A connection that keeps us waiting is closed: a slow or absent request head, silence between exchanges, an
//! answer that is not read, a request body that pauses. An exchange that waits for its handler is none of
//! these. Connections beyond the bound wait for their turn, so many of them in the kernel's queue; a bound that is lowered
//! at work holds once as many have gone.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tintype::listener::Config;
use tintype::message::body::{Body, BodyError};

use tintype::listener::{Listener, Tuner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, Gate, RawClient, Serving, within};

/// Long enough for a busy machine to send what it should, short enough to wait for.
const SHORT: Duration = Duration::from_millis(300);

async fn hello(_: Request<Body>, _: tintype::listener::Peer) -> Response<Body> {
    Response::new(Body::whole("hello"))
}

#[tokio::test]
async fn a_head_that_does_not_arrive_whole_in_time_is_cut_off() {
    let config = Config { header_read_timeout: SHORT, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    for begin in ["", "P", "GET / HTTP/1.1\r\nHost: x\r\n", "PRI * HTTP/2.0\r\n"] {
        let mut raw = RawClient::connect(serving.address).await;
        raw.send(begin).await;
        raw.closed().await;
    }
    // A later head on a kept connection has the same time.
    let mut raw = RawClient::connect(serving.address).await;
    raw.get("/", &[]).await;
    assert_eq!(raw.response().await.status(), 200);
    raw.send("GET / HTTP/1.1\r\n").await;
    raw.closed().await;
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_come_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = crate::support::Identity::new().write(folder.path());
    let tls = Some(tintype::listener::TlsFiles { certificate, key });
    let config = Config { tls, header_read_timeout: SHORT, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let mut raw = RawClient::connect(serving.address).await;
    raw.closed().await;
}

#[tokio::test]
async fn a_head_behind_tls_has_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let identity = crate::support::Identity::new();
    let (certificate, key) = identity.write(folder.path());
    let tls = Some(tintype::listener::TlsFiles { certificate, key });
    let config = Config { tls, header_read_timeout: SHORT, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let trusting = crate::support::tls::trusting(Some(&identity.certificate));
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(trusting));
    for begin in ["", "GET / HTTP/1.1\r\nHost: x\r\n"] {
        let stream = TcpStream::connect(serving.address).await.unwrap();
        let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        stream.write_all(begin.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // How it ends is no matter: nobody says goodbye to who is cut off.
        let _ended = within("the end", stream.read_to_end(&mut answer)).await;
        assert_eq!(answer, b"", "{begin:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let config = Config { idle_timeout: SHORT, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let mut raw = RawClient::connect(serving.address).await;
    for _ in 0..2 {
        raw.get("/", &[]).await;
        assert_eq!(raw.response().await.status(), 200);
    }
    raw.closed().await;

    let mut h2 = RawClient::connect(serving.address).await;
    h2.send(PREFACE).await;
    h2.send(SETTINGS).await;
    assert!(frame_types(&h2.rest().await).contains(&GOAWAY));
}

/// The connection preface of HTTP/2, and frames (RFC 9113 section 4.1: length, type, flags, stream, payload).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
/// SETTINGS_INITIAL_WINDOW_SIZE of 0: no byte of a body may be sent.
const NO_WINDOW: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
/// `GET http://x/` on stream 1, complete.
const HEADERS: &[u8] = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01x";
const HEADERS_TYPE: u8 = 1;
const DATA: u8 = 0;
const GOAWAY: u8 = 7;

fn frame_types(mut bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [a, b, c, kind, ..] = *bytes {
        types.push(kind);
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    types
}

#[tokio::test]
async fn an_exchange_that_waits_for_its_handler_is_not_idle() {
    let (begun, gate) = (Gate::new(), Gate::new());
    let handler = {
        let (begun, gate) = (begun.clone(), gate.clone());
        move |request: Request<Body>, _| {
            let (begun, gate) = (begun.clone(), gate.clone());
            async move {
                if request.uri().path() == "/slow" {
                    begun.open();
                    gate.wait().await;
                }
                Response::new(Body::whole("hello"))
            }
        }
    };
    let config = Config { idle_timeout: SHORT, header_read_timeout: SHORT, ..Serving::config() };
    let serving = Serving::start(config, handler).await;
    let mut slow = RawClient::connect(serving.address).await;
    slow.get("/slow", &[]).await;
    let slow_h2 = tokio::spawn(Client::h2().get(&serving.url("/slow"), &[]));
    within("the handler", begun.wait()).await;
    // Idle connections are the clock: twice the timeout has passed once two were closed in turn.
    for _ in 0..2 {
        let mut idle = RawClient::connect(serving.address).await;
        idle.get("/", &[]).await;
        idle.response().await;
        idle.closed().await;
    }
    gate.open();
    assert_eq!(slow.response().await.text(), "hello");
    assert_eq!(slow_h2.await.unwrap().text(), "hello");
}

/// More than all buffers between two sockets hold.
fn huge() -> Response<Body> {
    Response::new(Body::whole(Bytes::from(vec![b'x'; 64 << 20])))
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_cut_off() {
    let config = Config { idle_timeout: SHORT, ..Serving::config() };
    let serving = Serving::start(config, |_: Request<Body>, _| async { huge() }).await;
    let mut raw = RawClient::connect(serving.address).await;
    raw.get("/", &[]).await;
    assert_eq!(raw.head().await.header("content-length"), Some("67108864"));
    // The drain waits for this exchange, so its end proves that the timer cut it.
    assert_eq!(serving.drain().await.cut, 0);
    assert!(raw.rest().await.len() < 64 << 20);
}

#[tokio::test]
async fn an_http2_stream_whose_window_stays_shut_is_cut_off() {
    let config = Config { idle_timeout: SHORT, ..Serving::config() };
    let serving = Serving::start(config, |_: Request<Body>, _| async { huge() }).await;
    let mut raw = RawClient::connect(serving.address).await;
    raw.send([PREFACE, NO_WINDOW, HEADERS].concat()).await;
    let said = frame_types(&raw.rest().await);
    assert!(said.contains(&HEADERS_TYPE) && !said.contains(&DATA) && said.contains(&GOAWAY), "{said:?}");
}

#[tokio::test]
async fn a_request_body_that_pauses_is_an_error_for_the_handler() {
    let handler = |request: Request<Body>, _| async move {
        let body = request.into_body().collect().await;
        let stalled = matches!(body, Err(BodyError::Stalled));
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = if stalled { StatusCode::REQUEST_TIMEOUT } else { StatusCode::OK };
        response
    };
    let config = Config { idle_timeout: SHORT, ..Serving::config() };
    let serving = Serving::start(config, handler).await;
    let mut raw = RawClient::connect(serving.address).await;
    raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf").await;
    assert_eq!(raw.response().await.status(), 408);
}

#[tokio::test]
async fn connections_beyond_the_bound_wait_for_a_slot() {
    let config = Config { max_connections: 1, ..Serving::config() };
    let (second, serving) = {
        let entered = Gate::new();
        let handler = {
            let entered = entered.clone();
            move |request: Request<Body>, _| {
                if request.uri().path() == "/second" {
                    entered.open();
                }
                async { Response::new(Body::whole("hello")) }
            }
        };
        let serving = Serving::start(config, handler).await;
        let mut first = RawClient::connect(serving.address).await;
        first.get("/first", &[]).await;
        first.response().await;
        let mut second = RawClient::connect(serving.address).await;
        second.get("/second", &[]).await;
        for _ in 0..100 {
            first.get("/first", &[]).await;
            first.response().await;
        }
        let waits = tokio::time::timeout(Duration::ZERO, entered.wait()).await;
        assert!(waits.is_err(), "the second connection was served beside the first");
        (second, serving)
    };
    // The first connection is closed by now.
    let mut second = second;
    assert_eq!(second.response().await.text(), "hello");
    drop(second);
    assert_eq!(serving.drain().await.accepted, 2);
}

/// Linux lets one more wait than it is told.
#[tokio::test]
async fn so_many_wait_in_the_kernels_queue() {
    let config = Config { max_connections: 1, backlog: 2, ..Serving::config() };
    let serving = Serving::start(config, hello).await;
    let mut first = RawClient::connect(serving.address).await;
    first.get("/", &[]).await;
    first.response().await;
    // Over loopback a connection is made at once or its first packet was dropped.
    let connect = || std::net::TcpStream::connect_timeout(&serving.address, Duration::from_millis(100)).ok();
    let waiting: Vec<_> = (0..12).map_while(|_| connect()).collect();
    assert!((2..=3).contains(&waiting.len()), "{}", waiting.len());
}

#[tokio::test]
async fn a_bound_that_is_lowered_at_work_holds_once_as_many_have_gone() {
    let config = Config { max_connections: 3, ..Serving::config() };
    let (entered, stop) = (Gate::new(), Gate::new());
    let handler = {
        let entered = entered.clone();
        move |request: Request<Body>, _| {
            if request.uri().path() == "/beyond" {
                entered.open();
            }
            async { Response::new(Body::whole("hello")) }
        }
    };
    let listener = Listener::bind(config.clone()).await.unwrap();
    let (address, tuner) = (listener.local_addr(), listener.tuner());
    let serving = tokio::spawn({
        let stop = stop.clone();
        async move { listener.serve(handler, async move { stop.wait().await }).await }
    });
    let greeted = async || {
        let mut client = RawClient::connect(address).await;
        client.get("/", &[]).await;
        assert_eq!(client.response().await.text(), "hello");
        client
    };
    let before = [greeted().await, greeted().await, greeted().await];
    tuner.apply(Tuner::prepare(Config { max_connections: 1, ..config }).unwrap());
    // Whoever waits already may come in the place of the first that goes.
    drop(before);
    let mut only = greeted().await;
    let mut beyond = RawClient::connect(address).await;
    beyond.get("/beyond", &[]).await;
    for _ in 0..100 {
        only.get("/", &[]).await;
        only.response().await;
    }
    let waits = tokio::time::timeout(Duration::ZERO, entered.wait()).await;
    assert!(waits.is_err(), "the next was served beside the only one");
    drop(only);
    assert_eq!(beyond.response().await.text(), "hello");
    drop(beyond);
    stop.open();
    assert_eq!(within("the drain", serving).await.unwrap().accepted, 5);
}
