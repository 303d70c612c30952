//! What HTTP/2 can say that HTTP/1.1 cannot, and an origin behind HTTP/1.1 must not hear (RFC 9113 sections 8.1.1, 8.2, 8.3 and 10.3). Frames are
//! written by hand. What is malformed is answered 400 or its stream is reset; the origin has seen nothing, or one request that can be read in one way.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::frames::{block, frame};
use crate::support::*;

type Line<'a> = (&'a str, &'a [u8]);

/// What becomes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// A response with this status; 0 for one that is not in the static table.
    Answer(u16),
    /// It, or the whole connection, is ended.
    Reset,
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Sends one request on stream 1 and waits for what becomes of it.
async fn ask(tintype: &Tintype, lines: &[Line<'_>], data: Option<&[u8]>) -> Comes {
    let mut stream = TcpStream::connect(tintype.address).await.expect("somebody listens");
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    let flags = if data.is_none() { END_HEADERS | END_STREAM } else { END_HEADERS };
    bytes.extend(frame(HEADERS, flags, 1, &block(lines)));
    if let Some(data) = data {
        bytes.extend(frame(0, END_STREAM, 1, data));
    }
    stream.write_all(&bytes).await.expect("sent");
    within("what becomes of a stream", async move {
        loop {
            let mut head = [0; 9];
            if stream.read_exact(&mut head).await.is_err() {
                return Comes::Reset;
            }
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            if stream.read_exact(&mut payload).await.is_err() {
                return Comes::Reset;
            }
            match head[3] {
                HEADERS => {
                    // Behind a change of the table's size, the status comes first.
                    let first = payload.iter().find(|octet| **octet & 0xe0 != 0x20).copied();
                    let known = [200, 204, 206, 304, 400, 404, 500];
                    let at = first.and_then(|octet| octet.checked_sub(0x88));
                    return Comes::Answer(at.and_then(|at| known.get(usize::from(at))).copied().unwrap_or(0));
                }
                RST_STREAM | GOAWAY => return Comes::Reset,
                _ => {}
            }
        }
    })
    .await
}

/// A good request with these lines behind its own; a line with the name of one replaces it, with an empty value it leaves.
fn request<'a>(lines: &[Line<'a>]) -> Vec<Line<'a>> {
    let mut all: Vec<Line<'_>> =
        vec![(":method", b"GET"), (":scheme", b"http"), (":authority", b"t"), (":path", b"/a")];
    for (name, value) in lines {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some(line) => line.1 = value,
            None => all.push((name, value)),
        }
    }
    all.retain(|(name, value)| !(name.starts_with(':') && value == b"-"));
    all
}

async fn before(origin: &Recorder, more: &str) -> Tintype {
    Tintype::of(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.origin]\nkind = \"remote\"\nurl = \"{}\"\n{more}[route.all]\nupstream = \"origin\"\n",
        origin.base()
    ))
    .await
}

#[tokio::test]
async fn what_http_1_cannot_say_reaches_no_origin() {
    let origin = Recorder::start().await;
    let tintype = before(&origin, "").await;
    assert_eq!(ask(&tintype, &request(&[]), None).await, Comes::Answer(204));
    let rows: &[&[Line<'_>]] = &[
        // Pseudo-fields.
        &[(":method", b"-")],
        &[(":path", b"-")],
        &[(":scheme", b"-")],
        &[(":path", b"")],
        &[(":method", b"")],
        &[(":method", b"GET /b HTTP/1.1\r\nHost: t\r\n\r\nGET")],
        &[(":method", b"GET /b")],
        &[(":path", b"/a b")],
        &[(":path", b"/a HTTP/1.1\r\nX: y")],
        &[(":path", b"/a\nX: y")],
        &[(":path", b"/a\0")],
        &[(":path", b"a")],
        &[(":path", b"*")],
        &[(":path", b"http://t/a")],
        &[(":path", b"/a/../b")],
        &[(":path", b"/a/%2e%2e/b")],
        &[(":authority", b"t\r\nX: y")],
        &[(":authority", b"t x")],
        &[(":authority", b"u:p@t")],
        &[(":authority", b"t/b")],
        &[(":authority", b"t,u")],
        &[(":authority", b"-")],
        &[(":status", b"200")],
        &[(":protocol", b"websocket")],
        &[(":unknown", b"x")],
        // Fields.
        &[("host", b"other")],
        &[("host", b"t"), ("Host", b"t")],
        &[("X-Upper", b"a")],
        &[("x y", b"a")],
        &[("x:", b"a")],
        &[("x\r\ny", b"a")],
        &[("x\0", b"a")],
        &[("", b"a")],
        &[("x", b"a\r\nTransfer-Encoding: chunked")],
        &[("x", b"a\nb")],
        &[("x", b"a\rb")],
        &[("x", b"a\0b")],
        // Fields of a connection.
        &[("connection", b"close")],
        &[("transfer-encoding", b"chunked")],
        &[("keep-alive", b"timeout=5")],
        &[("proxy-connection", b"close")],
        &[("upgrade", b"h2c")],
        &[("te", b"gzip")],
    ];
    for lines in rows {
        origin.forget();
        let comes = ask(&tintype, &request(lines), None).await;
        let said: Vec<_> = lines.iter().map(|(n, v)| (*n, String::from_utf8_lossy(v))).collect();
        assert!(matches!(comes, Comes::Reset | Comes::Answer(400)), "{said:?} {comes:?}");
        assert_eq!(origin.exact(), (vec![], vec![]), "{said:?}");
    }
}

#[tokio::test]
async fn lengths_that_the_data_belie_make_no_request() {
    let origin = Recorder::start().await;
    let tintype = before(&origin, "").await;
    for (length, data) in [
        ("3", "abcde"),
        ("5", "abc"),
        ("0", "GET /b HTTP/1.1\r\n\r\n"),
        ("x", "abc"),
        ("3, 3", "abc"),
        ("+3", "abc"),
    ] {
        origin.forget();
        let lines = request(&[(":method", b"POST"), ("content-length", length.as_bytes())]);
        let comes = ask(&tintype, &lines, Some(data.as_bytes())).await;
        assert_ne!(comes, Comes::Answer(204), "{length}");
        assert_eq!(origin.exact().0, [], "{length}");
    }
    let twice = request(&[(":method", b"POST"), ("content-length", b"3")]);
    let twice = [&twice[..], &[("content-length", b"9")]].concat();
    assert_ne!(ask(&tintype, &twice, Some(b"abc")).await, Comes::Answer(204));
    assert_eq!(origin.exact().0, []);
}

#[tokio::test]
async fn what_is_right_is_framed_anew() {
    let origin = Recorder::start().await;
    let tintype = before(&origin, "").await;
    for (lines, data, body) in [
        (&[("content-length", &b"3"[..])][..], "abc", "abc"),
        (&[], "GET /b HTTP/1.1\r\n\r\n", "GET /b HTTP/1.1\r\n\r\n"),
        (&[("te", b"trailers")], "abc", "abc"),
        (&[("host", b"T")], "abc", "abc"),
    ] {
        origin.forget();
        let lines = request(&[&[(":method", &b"POST"[..])], lines].concat());
        assert_eq!(ask(&tintype, &lines, Some(data.as_bytes())).await, Comes::Answer(204), "{lines:?}");
        let (whole, parts) = origin.exact();
        assert_eq!((whole.len(), parts.len()), (1, 0), "{lines:?}");
        assert_eq!((whole[0].start.as_str(), whole[0].body.as_str()), ("POST /a HTTP/1.1", body));
        assert_eq!(whole[0].all("te"), [""; 0]);
    }
}

/// RFC 9113 section 8.2.3.
#[tokio::test]
async fn regression_crumbs_of_a_cookie_reach_http_1_as_one_line() {
    let origin = Recorder::start().await;
    let tintype = before(&origin, "").await;
    let lines = request(&[("cookie", b"a=b")]);
    let lines = [&lines[..], &[("cookie", b"c=d")]].concat();
    assert_eq!(ask(&tintype, &lines, None).await, Comes::Answer(204));
    assert_eq!(origin.exact().0[0].all("cookie"), ["a=b; c=d"]);
}

/// RFC 9113 section 8.3.1: one client must not choose by `Host` what another gets by `:authority`.
#[tokio::test]
async fn the_host_is_the_authority() {
    let origin = Recorder::start().await;
    let tintype = before(&origin, "preserve_host = true\n").await;
    for (authority, host, sent) in
        [("t", None, Some("t")), ("T:8", Some("t:8"), Some("t:8")), ("t", Some("u"), None)]
    {
        origin.forget();
        let mut lines = request(&[(":authority", authority.as_bytes())]);
        lines.extend(host.map(|host| ("host", host.as_bytes())));
        let comes = ask(&tintype, &lines, None).await;
        let (whole, _) = origin.exact();
        assert_eq!(
            whole.first().map(|request| request.all("host")[0]),
            sent,
            "{authority} {host:?} {comes:?}"
        );
    }
}

/// Sends a POST with `trailers` on stream 1, then a GET on stream 3. Gives what becomes of both.
async fn ask_with_trailers(tintype: &Tintype, trailers: &[u8]) -> (Comes, Comes) {
    let post: Vec<Line<'_>> =
        vec![(":method", b"POST"), (":path", b"/"), (":scheme", b"http"), (":authority", b"t")];
    let get: Vec<Line<'_>> =
        vec![(":method", b"GET"), (":path", b"/next"), (":scheme", b"http"), (":authority", b"t")];
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, END_HEADERS, 1, &block(&post)));
    bytes.extend(frame(0, 0, 1, b"abc"));
    bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, trailers));
    bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, 3, &block(&get)));
    let trailers = trailers.to_vec();
    let mut stream = TcpStream::connect(tintype.address).await.expect("somebody listens");
    stream.write_all(&bytes).await.expect("sent");
    within("what becomes of two streams", async move {
        let mut comes = [None, None];
        while comes.contains(&None) {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.expect("the connection lasts");
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            stream.read_exact(&mut payload).await.expect("the connection lasts");
            let what = match head[3] {
                HEADERS => Comes::Answer(if payload.contains(&0x89) { 204 } else { 0 }),
                RST_STREAM => Comes::Reset,
                GOAWAY => panic!("the connection ends: {trailers:x?} {payload:?}"),
                _ => continue,
            };
            // A response may come before the trailers are read; the reset counts then.
            let of = &mut comes[usize::from(head[8] == 3)];
            if of.is_none() || what == Comes::Reset {
                *of = Some(what);
            }
        }
        (comes[0].expect("the first"), comes[1].expect("the second"))
    })
    .await
}

// RFC 9113 section 8.1: trailers with a pseudo-header field are malformed. hyperium/h2 drops the field.
#[tokio::test]
async fn a_pseudo_header_field_in_trailers_is_a_stream_error() {
    let origin = Recorder::start().await;
    let tintype = before(&origin, "").await;
    let good = [block(&[]), block(&[("x-checksum", b"1")]), vec![0xa1]];
    for trailers in good {
        let comes = ask_with_trailers(&tintype, &trailers).await;
        assert_eq!(comes, (Comes::Answer(204), Comes::Answer(204)), "{trailers:x?}");
    }
    // As an indexed field, by a name of the static table, by name, and after a regular field.
    let bad = [
        vec![0x82],
        vec![0x44, 1, b'/'],
        block(&[(":path", b"/")]),
        block(&[("x-checksum", b"1"), (":method", b"GET")]),
    ];
    for trailers in bad {
        let comes = ask_with_trailers(&tintype, &trailers).await;
        assert_eq!(comes, (Comes::Reset, Comes::Answer(204)), "{trailers:x?}");
    }
}
