//! Framing from the origin, byte by byte: what contradicts itself, is malformed, or has bytes behind its end, is a 502 or a
//! body that breaks off; it is never stored, and its connection never carries another request. What is merely unusual is
//! understood. Trailers are dropped.

use http::{Request, Response};
use http_body_util::BodyExt;
use tintype::message::body::{Body, BodyError};
use tintype::origin::OriginError;
use tintype::origin::remote::Protocol;

use crate::support::{
    Gate, RawClient, Reply, ScriptedOrigin, Serving, Tintype, ask, glance, read, remote_at, seen, within,
};

const OK: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";
const WHOLE: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 5\r\n\r\nhello";
const TAGGED: &str = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nETag: \"1\"\r\n";

/// Answers the first request with `first`, all others with a good response.
async fn origin(first: Reply) -> ScriptedOrigin {
    ScriptedOrigin::sequence([first, Reply::ok("good").header("Cache-Control", "max-age=60")]).await
}

/// Wants a request that is answered with `first` to end badly, and nothing of it to be seen ever after. Gives the status, if a head
/// came, and `Cache-Status`.
async fn refused(what: &str, method: &str, first: Reply) -> (u16, String) {
    let origin = origin(first).await;
    let tintype = Tintype::before(&origin).await;
    let mut told = (0, String::new());
    if let Ok(response) = tintype.client.try_request(method, &tintype.url("/a"), &[], "").await {
        let status = response.status().as_u16();
        told = (status, response.headers()["cache-status"].to_str().unwrap().to_owned());
        let whole = within("the body's end", response.into_body().collect()).await.is_ok();
        assert_eq!(whole, status == 502, "{what}: {told:?}");
    }
    origin.closed(1).await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "good"), "{what}");
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "good"), "{what}");
    assert_eq!((origin.requests()[1].connection, origin.count()), (1, 2), "{what}");
    told
}

async fn refused_head(what: &str, bytes: impl AsRef<str>) {
    for reply in [Reply::raw(bytes.as_ref().to_owned()), Reply::raw(bytes.as_ref().to_owned()).close()] {
        let (status, why) = refused(what, "GET", reply).await;
        assert_eq!(status, 502, "{what}: {why}");
        assert!(why.contains("bad-response"), "{what}: {why}");
    }
}

#[tokio::test]
async fn lengths_that_contradict_themselves_or_are_malformed() {
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 6\r\nX: 1\r\ncontent-length: 5",
        "Content-Length: 5, 6",
        "Content-Length: 5,",
        "Content-Length: -5",
        "Content-Length: +5",
        "Content-Length: 5 5",
        "Content-Length: 0x5",
        "Content-Length: 5.0",
        "Content-Length: five",
        "Content-Length:",
        "Content-Length: 18446744073709551616",
        "Content-Length: 99999999999999999999999999",
    ] {
        refused_head(fields, format!("{OK}{fields}\r\n\r\nhello")).await;
        // Where no content follows, the fields are no better.
        for status in ["204 No Content", "304 Not Modified"] {
            refused_head(fields, format!("HTTP/1.1 {status}\r\n{fields}\r\n\r\n")).await;
        }
        refused(fields, "HEAD", Reply::raw(format!("{OK}{fields}\r\n\r\n"))).await;
    }
}

#[tokio::test]
async fn lengths_with_codings_and_unknown_codings() {
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 15",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nContent-Length: 15",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunkedx",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding:\r\n chunked",
    ] {
        refused_head(fields, format!("{OK}{fields}\r\n\r\n5\r\nhello\r\n0\r\n\r\n")).await;
    }
    let old = OK.replace("1.1", "1.0");
    refused_head("1.0", format!("{old}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")).await;
}

#[tokio::test]
async fn heads_that_are_none() {
    let fields = "Cache-Control: max-age=60\r\nContent-Length: 5";
    for start in [
        "HTTP/1.1 099 Low",
        "HTTP/1.1 600 High",
        "HTTP/1.1 999 High",
        "HTTP/1.1 1000 High",
        "HTTP/1.1 20 Short",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 200\tOK",
        "HTTP/1.2 200 OK",
        "HTTP/2.0 200 OK",
        "HTTP/0.9 200 OK",
        "HTTP/11 200 OK",
        "http/1.1 200 OK",
        "ICY 200 OK",
        "200 OK",
        "\r\nHTTP/1.1 200 OK",
        " HTTP/1.1 200 OK",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade",
    ] {
        refused_head(start, format!("{start}\r\n{fields}\r\n\r\nhello")).await;
    }
    refused_head("HTTP/0.9", "<html>hello</html>\r\n").await;
    for field in
        ["X : 1", "X\t: 1", ": 1", "X", "X: a\r\n folded", "X: a\0b", "X: a\rb", "X: a\u{7f}", "X(: 1"]
    {
        refused_head(field, format!("HTTP/1.1 200 OK\r\n{field}\r\n{fields}\r\n\r\nhello")).await;
    }
    refused_head("folded first", format!("HTTP/1.1 200 OK\r\n X: 1\r\n{fields}\r\n\r\nhello")).await;
}

#[tokio::test]
async fn bytes_behind_a_response_spoil_it() {
    let chunked = format!("{OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let close = format!("{OK}Connection: close\r\nContent-Length: 5\r\n\r\nhello");
    for surplus in ["!", " world", "\r\n", "0\r\n\r\n", WHOLE] {
        for response in [WHOLE, &chunked, &close] {
            refused_head(surplus, format!("{response}{surplus}")).await;
        }
        for response in [
            "HTTP/1.1 204 No Content\r\nCache-Control: max-age=60\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        ] {
            refused_head(surplus, format!("{response}{surplus}")).await;
        }
        refused(surplus, "HEAD", Reply::raw(format!("{OK}Content-Length: 5\r\n\r\n{surplus}"))).await;
        // The body has been on its way already: it breaks off, without its last bytes.
        let gate = Gate::new();
        let late = Reply::raw(format!("{TAGGED}Content-Length: 5\r\n\r\nhel")).gate(&gate);
        let origin = origin(late.piece(format!("lo{surplus}"))).await;
        let tintype = Tintype::before(&origin).await;
        let mut answer = tintype.client.open("GET", &tintype.url("/a"), &[], "").await;
        assert_eq!(answer.next().await.unwrap().unwrap(), "hel");
        gate.open();
        assert!(answer.next().await.unwrap().is_err(), "{surplus}");
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "good"), "{surplus}");
        assert_eq!(origin.requests()[1].connection, 1);
    }
}

#[tokio::test]
async fn bytes_that_come_later_end_the_connection_and_are_nobodys_answer() {
    let poison = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 6\r\n\r\npoison";
    for (method, first, expected) in [
        ("GET", WHOLE, "hello"),
        ("HEAD", WHOLE.strip_suffix("hello").unwrap(), ""),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", ""),
    ] {
        let gate = Gate::new();
        let origin = origin(Reply::raw(first).gate(&gate).piece(poison)).await;
        let tintype = Tintype::before(&origin).await;
        let answer = tintype.send(method, "/a").await;
        assert_eq!((answer.text().as_str(), answer.broken), (expected, None));
        gate.open();
        origin.closed(1).await;
        assert_eq!(glance(&tintype.get("/b").await), seen(200, "MISS", "good"));
        assert_eq!(origin.requests()[1].connection, 1);
    }
}

#[tokio::test]
async fn a_204_that_announces_content_has_none_and_is_the_last_on_its_connection() {
    for (fields, behind) in [
        ("Content-Length: 5", "hello"),
        ("Content-Length: 5", ""),
        ("Transfer-Encoding: chunked", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked", ""),
    ] {
        let reply =
            format!("HTTP/1.1 204 No Content\r\nCache-Control: max-age=60\r\n{fields}\r\n\r\n{behind}");
        let origin = origin(Reply::raw(reply)).await;
        let tintype = Tintype::before(&origin).await;
        let answer = tintype.get("/a").await;
        assert_eq!((answer.status, answer.header("content-length")), (204, None), "{fields}");
        origin.closed(1).await;
        assert_eq!(glance(&tintype.get("/b").await), seen(200, "MISS", "good"), "{fields}");
        assert_eq!(origin.requests()[1].connection, 1);
    }
    let origin = origin(Reply::raw("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")).await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.get("/a").await.header("content-length"), None);
    assert_eq!(glance(&tintype.get("/b").await), seen(200, "MISS", "good"));
    assert_eq!(origin.connections(), 1);
}

#[tokio::test]
async fn malformed_chunks_break_the_body_off() {
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000));
    let trailers = format!("5\r\nhello\r\n0\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    for chunks in [
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "five\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5;x\nhello\r\n0\r\n\r\n",
        "5;\0\r\nhello\r\n0\r\n\r\n",
        "5\r\nhell\r\n0\r\n\r\n",
        "5\r\nhello!\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX\r\n\r\n",
        "5\r\nhello\r\n0\r\nX : 1\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: 1\n\r\n",
        &long,
        &trailers,
    ] {
        let bytes = format!("{OK}Transfer-Encoding: chunked\r\n\r\n{chunks}");
        refused(chunks, "GET", Reply::raw(bytes)).await;
        let picture = format!("{OK}Content-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(
            refused(chunks, "GET", Reply::raw(picture)).await.0,
            502,
            "held back until it is whole: {chunks}"
        );
    }
}

#[tokio::test]
async fn what_is_unusual_but_clear_is_understood() {
    for response in [
        format!("{OK}Content-Length: 5, 5\r\n\r\nhello"),
        format!("{OK}Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello"),
        format!("{OK}Content-Length: 005 , 5\r\n\r\nhello"),
        format!("{OK}content-length:5\t\r\n\r\nhello"),
        WHOLE.replace(" OK", ""),
        WHOLE.replace(" OK", " "),
        WHOLE.replace("OK", "Tr\u{e8}s bien"),
        WHOLE.replace("\r\n", "\n"),
        format!("{OK}Transfer-Encoding: CHUNKED\r\n\r\n2;a=\"b\";c\r\nhe\r\n03 \r\nllo\r\n000;d\r\n\r\n"),
        format!("{OK}Transfer-Encoding:chunked\r\n\r\n5\r\nhello\r\n0\r\nCache-Control: no-store\r\n\r\n"),
    ] {
        let origin = origin(Reply::raw(response.clone())).await;
        let tintype = Tintype::before(&origin).await;
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "hello"), "{response}");
        let stored = tintype.get("/a").await;
        assert_eq!(glance(&stored), seen(200, "HIT", "hello"), "{response}");
        let lengths: Vec<_> = stored.headers.get_all("content-length").iter().collect();
        assert_eq!(lengths, ["5"], "{response}");
        assert_eq!(glance(&tintype.get("/b").await), seen(200, "MISS", "good"), "{response}");
        assert_eq!((origin.count(), origin.connections()), (2, 1), "{response}");
    }
}

#[tokio::test]
async fn an_answer_without_framing_ends_with_its_connection() {
    for start in ["HTTP/1.1 200 OK", "HTTP/1.0 200 OK"] {
        let reply = format!("{start}\r\nCache-Control: max-age=60\r\n\r\nhello");
        let origin = origin(Reply::raw(reply).close()).await;
        let tintype = Tintype::before(&origin).await;
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "hello"));
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "hello"));
    }
}

#[tokio::test]
async fn a_304_with_bytes_behind_it_confirms_nothing() {
    let origin = ScriptedOrigin::sequence([
        Reply::ok("old").header("Cache-Control", "max-age=1, must-revalidate").header("ETag", "\"1\""),
        Reply::raw(
            "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\n\r\nHTTP/1.1 200",
        ),
        Reply::ok("new").header("Cache-Control", "max-age=60"),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "old"));
    tintype.later(10);
    assert_eq!(tintype.get("/a").await.status, 502);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "new"));
    assert_eq!(origin.requests().iter().map(|request| request.connection).collect::<Vec<_>>(), [0, 0, 1]);
}

#[tokio::test]
async fn trailers_are_dropped_and_never_become_fields() {
    let reply = "Trailer: X-Late, Cache-Control\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\
                 X-Late: 1\r\nCache-Control: no-store\r\nContent-Length: 1\r\nETag: \"late\"\r\n\r\n";
    let origin = ScriptedOrigin::sequence([Reply::raw(format!("{OK}{reply}"))]).await;
    let tintype = Tintype::before(&origin).await;
    for (method, cache, next) in [("POST", "BYPASS", "MISS"), ("GET", "HIT", "HIT")] {
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send(format!("{method} /a HTTP/1.1\r\nHost: t\r\nTE: trailers\r\nContent-Length: 0\r\n\r\n"))
            .await;
        let answer = raw.response().await;
        assert_eq!((answer.header("x-cache"), answer.text().as_str()), (Some(cache), "hello"));
        assert_eq!((answer.header("x-late"), answer.header("trailer")), (None, None));
        assert_eq!(answer.header("cache-control"), Some("max-age=60"));
        assert_ne!(answer.header("etag"), Some("\"late\""));
        raw.send("GET /a HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n").await;
        // Nothing of a trailer section is left before the next answer.
        let answer = raw.response().await;
        assert_eq!((answer.header("x-cache"), answer.text().as_str()), (Some(next), "hello"));
    }
}

#[tokio::test]
async fn http2_lengths_that_do_not_hold() {
    let handler = |request: Request<Body>, _| async move {
        let mut response = Response::new(Body::whole("hello"));
        let lengths = request.uri().query().unwrap_or_default().split('&');
        for length in lengths.filter(|length| !length.is_empty()) {
            response.headers_mut().append("content-length", length.parse().unwrap());
        }
        response
    };
    let origin = Serving::start(Serving::config(), handler).await;
    let remote = remote_at(&origin.url(""), |config| config.protocol = Protocol::Http2);
    for (query, right) in
        [("", true), ("5", true), ("4", false), ("6", false), ("5&6", false), ("x", false), ("+5", false)]
    {
        let answer = ask(&remote, &format!("/?{query}")).await;
        let read = match answer {
            Ok(response) => read(response).await,
            Err(OriginError::Reset(_) | OriginError::BadResponse(_)) => Err(BodyError::Stalled),
            Err(other) => panic!("{query}: {other}"),
        };
        assert_eq!(read.is_ok_and(|body| body == "hello"), right, "{query}");
    }
}
