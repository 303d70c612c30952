//! Interim responses: 102 and 103 pass to clients of HTTP/1.1 before the final response, which they never enter; nothing of them
//! is stored. `Expect: 100-continue` works for requests that pass. Upgrades and CONNECT are not.

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tintype::message::body::Body;
use tintype::message::interim::Interim;
use tokio::sync::mpsc;

use crate::support::{
    Client, Gate, RawClient, Reply, ScriptedOrigin, Serving, Tintype, glance, seen, within,
};

const INTERIMS: &str = "HTTP/1.1 100 Continue\r\nX-Interim: 0\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
                        HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
                        Cache-Control: no-store\r\nETag: \"interim\"\r\n\r\n";
const FINAL: &str =
    "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"final\"\r\nContent-Length: 5\r\n\r\nfinal";

#[tokio::test]
async fn interim_responses_pass_and_are_not_stored() {
    let origin = ScriptedOrigin::sequence([Reply::raw(format!("{INTERIMS}{FINAL}"))]).await;
    let tintype = Tintype::before(&origin).await;
    let mut raw = RawClient::connect(tintype.address).await;
    raw.get("/a", &[]).await;
    assert_eq!(raw.head().await.start, "HTTP/1.1 102 Processing");
    let hints = raw.head().await;
    assert_eq!(hints.start, "HTTP/1.1 103 Early Hints");
    assert_eq!(hints.header("link"), Some("</a.css>"));
    assert_eq!((hints.header("connection"), hints.header("x-hop")), (None, None));
    for cache in ["MISS", "HIT"] {
        let head = raw.head().await;
        assert_eq!((head.status(), head.header("x-cache")), (200, Some(cache)));
        assert_eq!((head.header("link"), head.header("x-interim")), (None, None));
        assert_eq!(head.header("cache-control"), Some("max-age=60"));
        assert_eq!(head.header("etag"), Some("\"final\""));
        assert_eq!(raw.bytes(5).await, b"final");
        raw.get("/a", &[]).await;
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn they_pass_as_they_come() {
    for method in ["GET", "POST"] {
        let (first, second) = (Gate::new(), Gate::new());
        let reply = Reply::raw("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").gate(&first);
        let reply = reply.piece("HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n").gate(&second).piece(FINAL);
        let origin = ScriptedOrigin::sequence([reply]).await;
        let tintype = Tintype::before(&origin).await;
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send(format!("{method} /a HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n")).await;
        for (link, gate) in [("</a>", first), ("</b>", second)] {
            let head = raw.head().await;
            assert_eq!((head.status(), head.header("link")), (103, Some(link)));
            gate.open();
        }
        assert_eq!((raw.head().await.status(), raw.bytes(5).await), (200, b"final".to_vec()));
    }
}

#[tokio::test]
async fn older_and_newer_clients_get_the_final_response_alone() {
    let origin = ScriptedOrigin::sequence([Reply::raw(format!("{INTERIMS}{FINAL}"))]).await;
    let tintype = Tintype::before(&origin).await;
    let mut raw = RawClient::connect(tintype.address).await;
    raw.send("GET /old HTTP/1.0\r\nHost: t\r\n\r\n").await;
    let head = raw.head().await;
    assert_eq!((head.status(), head.header("x-cache")), (200, Some("MISS")));
    assert_eq!(raw.rest().await, b"final");
    assert_eq!(glance(&Client::h2().get(&tintype.url("/new"), &[]).await), seen(200, "MISS", "final"));
}

#[tokio::test]
async fn a_client_that_was_answered_from_the_store_is_told_nothing_of_the_validation_behind() {
    let held = Gate::new();
    let directives = "max-age=1, stale-while-revalidate=60";
    let origin = ScriptedOrigin::sequence([
        Reply::ok("final").header("Cache-Control", directives).header("ETag", "\"1\""),
        Reply::raw("HTTP/1.1 103 Early Hints\r\nLink: </late>\r\n\r\n").hold(&held).piece(FINAL),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.get("/a").await.status, 200);
    tintype.later(10);
    let mut raw = RawClient::connect(tintype.address).await;
    raw.get("/a", &[]).await;
    assert_eq!(raw.response().await.header("x-cache"), Some("STALE"));
    origin.received(2).await;
    held.open();
    raw.get("/a", &[]).await;
    // Whatever it is answered with: it comes first.
    assert_eq!((raw.head().await.status(), raw.bytes(5).await), (200, b"final".to_vec()));
}

#[tokio::test]
async fn endless_interim_responses_are_a_bad_response() {
    let origin = ScriptedOrigin::sequence([Reply::raw("HTTP/1.1 102 Processing\r\n\r\n".repeat(200))]).await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.get("/a").await.status, 502);
    origin.closed(1).await;
}

#[tokio::test]
async fn an_interim_response_waits_until_the_response_before_it_is_written() {
    const LARGE: usize = 32 << 20;
    let (told, mut telling) = mpsc::unbounded_channel();
    let gate = Gate::new();
    let handler = {
        let gate = gate.clone();
        move |request: Request<Body>, _| {
            let (told, gate) = (told.clone(), gate.clone());
            async move {
                if request.uri().path() == "/large" {
                    // More than the sockets hold, in the head: hyper begins the next exchange before that is
                    // written, as what it has not asked for of the request's body is here already.
                    let mut large = Response::new(Body::Empty);
                    large.headers_mut().insert("x-large", "x".repeat(LARGE).parse().unwrap());
                    return large;
                }
                let fields = HeaderMap::from_iter([(http::header::LINK, HeaderValue::from_static("</a>"))]);
                let interim = request.extensions().get::<Interim>().unwrap();
                interim.send(StatusCode::EARLY_HINTS, &fields);
                told.send(()).unwrap();
                gate.wait().await;
                Response::new(Body::whole("final"))
            }
        }
    };
    let serving = Serving::start(Serving::config(), handler).await;
    let mut raw = RawClient::connect(serving.address).await;
    raw.send("POST /large HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbodyGET /next HTTP/1.1\r\nHost: t\r\n\r\n")
        .await;
    // As much as no socket holds: what is left is in hyper's hands, and will not fit into the sockets either.
    let start = "HTTP/1.1 200 OK\r\nx-large: ";
    let first = raw.bytes(start.len() + LARGE / 2).await;
    assert!(first.starts_with(start.as_bytes()));
    within("the second request to be handled", telling.recv()).await.unwrap();
    let rest = raw.head().await;
    assert!(rest.start.len() == LARGE / 2 && rest.start.bytes().all(|octet| octet == b'x'));
    let hints = raw.head().await;
    assert_eq!((hints.status(), hints.header("link")), (103, Some("</a>")));
    gate.open();
    assert_eq!(raw.response().await.text(), "final");
}

#[tokio::test]
async fn the_body_is_asked_for_where_the_client_expects_that() {
    let origin = ScriptedOrigin::start(|request| Reply::ok(format!("{} bytes", request.body.len()))).await;
    let toml = Tintype::toml(&origin, "").replace("[server]", "[server]\nmax_request_body = \"1KiB\"");
    let tintype = Tintype::of(&toml).await;
    let post =
        |framing: &str| format!("POST /a HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n{framing}\r\n\r\n");
    let mut raw = RawClient::connect(tintype.address).await;
    for (framing, body) in [
        ("Content-Length: 5", "hello".to_owned()),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n".to_owned()),
    ] {
        raw.send(post(framing)).await;
        assert_eq!(raw.head().await.start, "HTTP/1.1 100 Continue");
        raw.send(body).await;
        let answer = raw.response().await;
        assert_eq!((answer.header("x-cache"), answer.text().as_str()), (Some("BYPASS"), "5 bytes"));
    }
    // One that is too long by its own word is not asked for; one that turns out so is cut.
    raw.send(post("Content-Length: 1025")).await;
    assert_eq!(raw.head().await.status(), 413);
    let mut raw = RawClient::connect(tintype.address).await;
    raw.send(post("Transfer-Encoding: chunked")).await;
    assert_eq!(raw.head().await.status(), 100);
    raw.send(format!("401\r\n{}\r\n", "x".repeat(1025))).await;
    assert_eq!(raw.head().await.status(), 413);
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn nothing_is_upgraded_or_tunnelled() {
    let origin = ScriptedOrigin::sequence([
        Reply::ok("plain").header("Cache-Control", "max-age=60"),
        Reply::raw(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x01",
        ),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut raw = RawClient::connect(tintype.address).await;
    raw.get("/plain", &upgrade).await;
    assert_eq!(raw.response().await.text(), "plain");
    let sent = &origin.requests()[0];
    assert_eq!((sent.header("upgrade"), sent.header("connection")), (None, None));
    raw.get("/switched", &upgrade).await;
    let answer = raw.response().await;
    assert_eq!((answer.status(), answer.header("upgrade")), (502, None));
    origin.closed(1).await;
    raw.send("CONNECT t:80 HTTP/1.1\r\nHost: t:80\r\n\r\n").await;
    assert_eq!(raw.response().await.status(), 405);
    assert_eq!(origin.count(), 2);
}
