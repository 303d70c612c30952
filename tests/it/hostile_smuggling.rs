//! Nothing ambiguous reaches an origin over HTTP/1.1 (RFC 9112 sections 2.2, 3, 5, 6, 7, 11.2). Each row is sent to a real listener, whole and
//! octet by octet; an origin that keeps every byte then has seen either nothing or exactly one request that can be read in one way only. What
//! a strict reader refuses is answered 400 and ends the connection, even where RFC 9112 lets a recipient be generous.

use crate::support::*;

/// What a row comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// This status, and the connection ends: what follows on it may be anything.
    Closed(u16),
    /// This status from the proxy.
    Refused(u16),
    /// To the origin as this request line, with this body.
    To(&'static str, &'static str),
}

use Comes::{Closed, Refused, To};

const AGAIN: &str = "GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n";

async fn check(rows: &[(&str, Comes)]) {
    let origin = Recorder::start().await;
    let toml = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.origin]\nkind = \"remote\"\nurl = \"{}\"\n[route.all]\nupstream = \"origin\"\n",
        origin.base()
    );
    let tintype = Tintype::of(&toml).await;
    for (bytes, comes) in rows {
        for by_octet in [false, true] {
            origin.forget();
            let mut raw = RawClient::connect(tintype.address).await;
            if by_octet {
                for octet in bytes.as_bytes().chunks(1) {
                    raw.send(octet).await;
                    tokio::task::yield_now().await;
                }
            } else {
                raw.send(bytes).await;
            }
            match comes {
                Closed(status) => {
                    let answer = String::from_utf8_lossy(&raw.rest().await).into_owned();
                    // What is still being sent when the connection is closed may take the answer with it.
                    let lost = by_octet && answer.is_empty();
                    assert!(
                        lost || answer.starts_with(&format!("HTTP/1.1 {status} ")),
                        "{bytes:?} {answer:?}"
                    );
                    assert!(answer.matches("HTTP/1.").count() <= 1, "{bytes:?} {answer:?}");
                }
                Refused(status) => assert_eq!(raw.response().await.status(), *status, "{bytes:?}"),
                To(..) => assert_eq!(raw.response().await.status(), 204, "{bytes:?}"),
            }
            // Whatever came before this has come.
            let mut marker = RawClient::connect(tintype.address).await;
            marker.get("/marker", &[]).await;
            assert_eq!(marker.response().await.status(), 204);
            let (mut whole, parts) = origin.exact();
            let at = whole.iter().position(|request| request.start == "GET /marker HTTP/1.1");
            whole.remove(at.expect("the marker"));
            match comes {
                // A body that breaks off does so at the origin too, and is no request there.
                Closed(_) | Refused(_) => assert_eq!(whole, [], "{bytes:?}"),
                To(start, body) => {
                    assert_eq!(parts, [""; 0], "{bytes:?}");
                    let seen: Vec<_> = whole.iter().map(|r| (r.start.as_str(), r.body.as_str())).collect();
                    assert_eq!(seen, [(*start, *body)], "{bytes:?}");
                }
            }
        }
    }
}

/// Rows of a POST to `/` with these field lines, and this behind the head.
fn posts(rows: &[(&str, &str, Comes)]) -> Vec<(String, Comes)> {
    let request = |lines: &str, rest: &str| format!("POST / HTTP/1.1\r\nHost: t\r\n{lines}\r\n\r\n{rest}");
    rows.iter().map(|(lines, rest, comes)| (request(lines, rest), *comes)).collect()
}

async fn check_posts(rows: &[(&str, &str, Comes)]) {
    let rows = posts(rows);
    let rows: Vec<_> = rows.iter().map(|(bytes, comes)| (bytes.as_str(), *comes)).collect();
    check(&rows).await;
}

const POST: &str = "POST / HTTP/1.1";

/// RFC 9112 section 6.3: how long a request is must be said once and in one way.
#[tokio::test]
async fn lengths_and_codings() {
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    check_posts(&[
        ("Content-Length: 3", "abc", To(POST, "abc")),
        ("Content-Length: 003", "abc", To(POST, "abc")),
        ("Content-Length:3 \t", "abc", To(POST, "abc")),
        ("Transfer-Encoding: chunked", chunks, To(POST, "abc")),
        ("tRANSFER-eNCODING:\tChUnKeD", chunks, To(POST, "abc")),
        ("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\nX", Closed(400)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 6", "0\r\n\r\nX", Closed(400)),
        ("Transfer-Encoding: chunked\r\nContent-Length: 0", chunks, Closed(400)),
        ("Content-Length: 3\r\nContent-Length: 3", "abc", Closed(400)),
        ("Content-Length: 3\r\nContent-Length: 0", AGAIN, Closed(400)),
        ("Content-Length: 3, 3", "abc", Closed(400)),
        ("Content-Length: 0, 3", AGAIN, Closed(400)),
        ("Content-Length: +3", "abc", Closed(400)),
        ("Content-Length: -3", AGAIN, Closed(400)),
        ("Content-Length: 0x3", "abc", Closed(400)),
        ("Content-Length: 3 3", "abc", Closed(400)),
        ("Content-Length: 3.0", "abc", Closed(400)),
        ("Content-Length: \"3\"", "abc", Closed(400)),
        ("Content-Length:", AGAIN, Closed(400)),
        ("Content-Length: 18446744073709551616", "", Closed(400)),
        ("Transfer-Encoding: gzip, chunked", chunks, Closed(400)),
        ("Transfer-Encoding: chunked, gzip", AGAIN, Closed(400)),
        ("Transfer-Encoding: chunked, chunked", chunks, Closed(400)),
        ("Transfer-Encoding: chunked,", chunks, Closed(400)),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", chunks, Closed(400)),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", chunks, Closed(400)),
        ("Transfer-Encoding: identity", AGAIN, Closed(400)),
        ("Transfer-Encoding: xchunked", AGAIN, Closed(400)),
        ("Transfer-Encoding: chunked;q=1", AGAIN, Closed(400)),
        ("Transfer-Encoding: \"chunked\"", AGAIN, Closed(400)),
        ("Transfer-Encoding: \x0bchunked", AGAIN, Closed(400)),
        ("Transfer-Encoding: chunked\x0c", AGAIN, Closed(400)),
        ("Transfer-Encoding:", AGAIN, Closed(400)),
        ("Transfer-Encoding : chunked", chunks, Closed(400)),
        ("Transfer-Encoding\t: chunked", chunks, Closed(400)),
        ("Transfer-Encoding:\r\n chunked", chunks, Closed(400)),
        ("Transfer\0-Encoding: chunked", chunks, Closed(400)),
        // Others make the same variable of it as of the real one.
        ("Transfer_Encoding: chunked\r\nContent-Length: 3", "abc", To(POST, "abc")),
        ("Content_Length: 50\r\nContent-Length: 3", "abc", To(POST, "abc")),
    ])
    .await;
    check(&[
        ("POST / HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Closed(400)),
        ("POST / HTTP/1.0\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc", To(POST, "abc")),
        // Content in a GET is passed in its own frame, and to no one else (RFC 9110 section 9.3.1).
        ("GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc", To("GET / HTTP/1.1", "abc")),
        ("GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n", To("GET / HTTP/1.1", "")),
    ])
    .await;
}

/// RFC 9112 section 7.1: extensions and trailers end here, and what is no chunk ends the request.
#[tokio::test]
async fn chunks() {
    let te = "Transfer-Encoding: chunked";
    check_posts(&[
        (te, "3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n", To(POST, "abc")),
        (te, "3 \r\nabc\r\n0\r\n\r\n", To(POST, "abc")),
        (te, "0000003\r\nabc\r\n0\r\n\r\n", To(POST, "abc")),
        (te, "3\r\nabc\r\n0\r\nContent-Length: 50\r\nX: y\r\n\r\n", To(POST, "abc")),
        (te, "3\r\nabc\r\n0\r\nContent-Length 50\r\n\r\n", Closed(400)),
        (te, "x\r\nabc\r\n0\r\n\r\n", Closed(400)),
        (te, "-1\r\nabc\r\n0\r\n\r\n", Closed(400)),
        (te, "0x3\r\nabc\r\n0\r\n\r\n", Closed(400)),
        (te, " 3\r\nabc\r\n0\r\n\r\n", Closed(400)),
        (te, "\r\n3\r\nabc\r\n0\r\n\r\n", Closed(400)),
        (te, "3\nabc\n0\n\n", Closed(400)),
        (te, "3;\nabc\r\n0\r\n\r\n", Closed(400)),
        (te, "3\rXabc\r\n0\r\n\r\n", Closed(400)),
        (te, "3\r\nabcd\r\n0\r\n\r\n", Closed(400)),
        (te, "3\r\nab\r\n0\r\n\r\n", Closed(400)),
        (te, "3\r\nabc0\r\n\r\n", Closed(400)),
        (te, "10000000000000000\r\nabc\r\n0\r\n\r\n", Closed(400)),
        (te, "0\r\n\n", Closed(400)),
        (te, "0\r\nX: y\n\r\n", Closed(400)),
    ])
    .await;
}

/// RFC 9112 sections 2.2, 3 and 5.
#[tokio::test]
async fn lines_and_fields() {
    check(&[
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n", To("GET / HTTP/1.1", "")),
        ("\nGET / HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\nHost: t\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\n\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\rHost: t\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\nX: a\r\n b\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\n Host: t\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\n\tX: b\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost : t\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\nX\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\n: a\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\nX(: a\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\nX\0: a\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\nX: a\0b\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: t\r\nX: a\x7f\r\n\r\n", Closed(400)),
        ("GET /\0 HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET /a b HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET  / HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET /  HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET\t/ HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        (" GET / HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1 \r\nHost: t\r\n\r\n", Closed(400)),
        ("GET /a#b HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        // HTTP/0.9, and versions that are none.
        ("GET /\r\n\r\n", Closed(400)),
        ("GET / HTTP/0.9\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.2\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET / HTTP/2.0\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET / http/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1.1\r\nHost: t\r\n\r\n", Closed(400)),
    ])
    .await;
}

/// RFC 9112 section 3.2 and 3.3; RFC 9110 sections 7.2, 9.1 and 10.1.1.
#[tokio::test]
async fn targets_hosts_and_methods() {
    check(&[
        ("GET http://t/a HTTP/1.1\r\nHost: t\r\n\r\n", To("GET /a HTTP/1.1", "")),
        // The target is what counts; the origin is told one host.
        ("GET http://t/a HTTP/1.1\r\nHost: other\r\n\r\n", To("GET /a HTTP/1.1", "")),
        ("GET http://t/a HTTP/1.1\r\n\r\n", Closed(400)),
        ("GET http://t/a HTTP/1.1\r\nHost: a b\r\n\r\n", Closed(400)),
        ("GET http://u:p@t/a HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET ftp://t/a HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET t:80 HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET * HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.0\r\n\r\n", To("GET / HTTP/1.1", "")),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", Closed(400)),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Closed(400)),
        ("CONNECT t:80 HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("TRACE / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("trace / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("TRACK / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("PURGE / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("purge / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("PRI / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("DEBUG / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("BAN / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("Refresh / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\nHost: t\r\n\r\n", Refused(405)),
        // Another method than GET, and passed as what it is.
        ("get / HTTP/1.1\r\nHost: t\r\n\r\n", To("get / HTTP/1.1", "")),
        ("G(T / HTTP/1.1\r\nHost: t\r\n\r\n", Closed(400)),
        ("POST / HTTP/1.1\r\nHost: t\r\nExpect: y 100-continue\r\nContent-Length: 0\r\n\r\n", Refused(417)),
        // An upgrade is not offered to the origin.
        (
            "GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
            To("GET / HTTP/1.1", ""),
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_right_before_what_is_wrong_is_still_answered() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc")).await;
    let tintype = Tintype::before(&origin).await;
    for bad in [
        "GET /b HTTP/1.1\nHost: t\n\n",
        "GET /b HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
    ] {
        let before = origin.count();
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send(format!("GET /a HTTP/1.1\r\nHost: t\r\n\r\n{bad}{AGAIN}")).await;
        assert_eq!(raw.response().await.text(), "abc");
        assert_eq!(raw.response().await.status(), 400);
        raw.closed().await;
        let targets: Vec<_> = origin.requests()[before..].iter().map(|r| r.target.clone()).collect();
        assert_eq!(targets, ["/a"], "{bad:?}");
    }
}

/// The kernel takes an answer back from who has not read it yet, when a connection is closed with bytes that nobody read.
#[tokio::test]
async fn a_refusal_is_not_lost_by_what_came_behind_it() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let origin = ScriptedOrigin::start(|_| Reply::ok("")).await;
    let tintype = Tintype::before(&origin).await;
    let mut stream = tokio::net::TcpStream::connect(tintype.address).await.unwrap();
    let bytes = format!("GET / HTTP/1.1\nHost: t\n\n{}", "x".repeat(30_000));
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    within("the end", stream.read_to_end(&mut answer)).await.expect("an end in order");
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
    assert_eq!(origin.count(), 0);
    tintype.stop().await;
    let reset = stream.take_error().unwrap();
    assert!(reset.is_none(), "{reset:?}");
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_never_the_next_request() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("")).await;
    let toml = Tintype::toml(&origin, "").replace("[server]", "[server]\nmax_request_body = 10");
    let tintype = Tintype::of(&toml).await;
    for head in ["POST / HTTP/1.1\r\nHost: t", "TRACE / HTTP/1.1\r\nHost: t", "POST / HTTP/1.1\r\nHost: a@b"]
    {
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send(format!("{head}\r\nContent-Length: {}\r\n\r\n{AGAIN}", AGAIN.len())).await;
        assert!(raw.response().await.status() >= 400);
        raw.half_close().await;
        assert_eq!(raw.rest().await, b"", "{head}");
    }
    assert_eq!(origin.count(), 0);
}
