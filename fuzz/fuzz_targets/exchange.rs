//! The whole of tintype between the bytes of a client and the bytes of an origin: an octet that says where what the client sends is cut,
//! what it sends, and what the origin answers to one request after another, each behind `---` and a first octet that is `c` if the
//! connection is closed after it.
//!
//! Nothing panics and nothing hangs; what the origin gets is one whole request after another, each for a target that a strict reader
//! finds in what the client sent, with the content that it had there or, of GET and HEAD, without; what the client gets is one whole
//! response after another, or the connection ends; and a body that is presented as whole is one that the origin sent whole.
//!
//! The client asks for `/end` at last and has the connection closed, so that nobody waits.

#![no_main]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tintype::app::{App, Beginning};
use tintype::clock::{ManualClock, Timestamp};
use tintype::config::{Config, Upstream};
use tintype_fuzz::halves;
use tintype_fuzz::http1::{self, Read};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const END: &[u8] = b"GET /end HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
const ENDED: &[u8] = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 3\r\n\r\nend";
/// Longest silence that tintype bears.
const SILENCE: Duration = Duration::from_millis(25);
/// What takes longer hangs.
const HANGS: Duration = Duration::from_secs(10);

fuzz_target!(|input: &[u8]| {
    let Some((&cut, input)) = input.split_first() else { return };
    let (sent, mut rest) = halves(input);
    let mut answers = Vec::new();
    while !rest.is_empty() && answers.len() < 8 {
        let (answer, others) = halves(rest);
        (answers, rest) = ([answers, vec![answer.to_vec()]].concat(), others);
    }
    let sent = [sent, END].concat();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let seen = runtime.block_on(exchange(&sent, usize::from(cut) * 2, answers.clone()));
    // What hangs in a task ends here.
    runtime.shutdown_timeout(HANGS);
    check(&sent, &answers, &seen);
});

/// What the peers of tintype saw.
#[derive(Default)]
struct Seen {
    requests: Vec<http1::Request>,
    answered: Vec<u8>,
}

async fn exchange(sent: &[u8], cut: usize, answers: Vec<Vec<u8>>) -> Seen {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("bound"));
    let script = Arc::new(Script { answers: Mutex::new(answers.into_iter()), requests: Mutex::default() });
    tokio::spawn(origin(listener, Arc::clone(&script)));
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_761_955_200)));
    let app = App::begin(config(&base), clock, Beginning::default()).await.expect("tintype starts");

    let mut stream = TcpStream::connect(app.address).await.expect("a connection");
    let (mut from, mut to) = stream.split();
    let (first, second) = sent.split_at(cut.min(sent.len()));
    let send = async {
        // It may have been closed on us.
        let _ = to.write_all(first).await;
        tokio::task::yield_now().await;
        let _ = to.write_all(second).await;
    };
    let mut answered = Vec::new();
    let hear = async { while from.read_buf(&mut answered).await.is_ok_and(|bytes| bytes > 0) {} };
    timeout(HANGS, async { tokio::join!(send, hear) }).await.expect("tintype hangs");
    let requests = std::mem::take(&mut *script.requests.lock().expect("no panic"));
    Seen { requests, answered }
}

fn config(base: &str) -> Config {
    let mut config = Config::for_upstream(base, Some("127.0.0.1:0"), None, None).expect("a configuration");
    config.admin = None;
    config.server.header_read_timeout = SILENCE;
    config.server.idle_timeout = SILENCE;
    for (_, upstream) in &mut config.upstreams {
        if let Upstream::Remote(remote) = upstream {
            remote.first_byte_timeout = SILENCE;
            remote.idle_timeout = SILENCE;
        }
    }
    config
}

/// What the origin answers, and what it was asked.
struct Script {
    answers: Mutex<std::vec::IntoIter<Vec<u8>>>,
    requests: Mutex<Vec<http1::Request>>,
}

async fn origin(listener: TcpListener, script: Arc<Script>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&script)));
    }
}

async fn connection(mut stream: TcpStream, script: Arc<Script>) {
    let mut heard = Vec::new();
    loop {
        match http1::request(&heard) {
            Read::Whole(request, length) => {
                assert!(!heard.starts_with(b"\r\n"), "an empty line before {request:?}");
                heard.drain(..length);
                let end = request.target == b"/end";
                script.requests.lock().expect("no panic").push(request);
                let answer = match end {
                    true => None,
                    false => script.answers.lock().expect("no panic").next(),
                };
                let answer = answer.unwrap_or_else(|| [b"k", ENDED].concat());
                let Some((&how, answer)) = answer.split_first() else { return };
                if stream.write_all(answer).await.is_err() || how == b'c' {
                    return;
                }
            }
            Read::Partial => match stream.read_buf(&mut heard).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            },
            Read::Broken(how) => panic!("the origin got {:?}: {how}", heard.escape_ascii().to_string()),
        }
    }
}

fn check(sent: &[u8], answers: &[Vec<u8>], seen: &Seen) {
    if sent.starts_with(b"PRI ") {
        // HTTP/2, or what was taken for it: the origin's side is checked as it comes.
        return;
    }
    let mut asked = Vec::new();
    let mut rest = sent;
    while let Read::Whole(request, length) = http1::request(rest) {
        rest = &rest[length..];
        asked.push(request);
    }
    // Of a request with a whole head and a body that breaks or ends, an origin may be asked before that is seen, but for no more than what
    // needs no body; what it answers may reach the client, and is the last that does.
    let cut = http1::request_head(rest);
    for request in &seen.requests {
        let is_from =
            |asked: &http1::Request| target(&asked.target) == request.target && request.body == asked.body;
        // Content of these is dropped.
        let without = |asked: &http1::Request| {
            let dropped = ["GET", "HEAD"].contains(&request.method.as_str()) && request.body.is_empty();
            target(&asked.target) == request.target && dropped
        };
        let known = asked.iter().any(is_from) || asked.iter().chain(&cut).any(without);
        assert!(known, "nobody asked for {request:?}");
        let hosts = request.fields.iter().filter(|(name, _)| name == "host").count();
        assert_eq!(hosts, 1, "{request:?}");
        for name in ["te", "upgrade", "keep-alive", "proxy-connection", "trailer"] {
            assert!(http1::field(&request.fields, name).is_none(), "{request:?}");
        }
    }
    let whole = whole_bodies(answers);
    let (mut rest, mut index) = (seen.answered.as_slice(), 0);
    while !rest.is_empty() {
        let Some(request) = asked.iter().chain(&cut).nth(index) else {
            // The answer to what is no request. Nothing comes behind it.
            let read = http1::response(rest, false, true, false);
            let refused = matches!(&read, Read::Whole(response, _) if response.status >= 400);
            assert!(refused, "{read:?} to what is no request");
            return;
        };
        match http1::response(rest, request.method == "HEAD", true, false) {
            Read::Whole(response, length) => {
                rest = &rest[length..];
                if response.status >= 200 {
                    index += 1;
                    check_body(&response, &whole);
                    assert!(index <= asked.len() || rest.is_empty(), "{rest:?} behind the last answer");
                }
            }
            Read::Partial => return,
            Read::Broken(how) => panic!("the client got {:?}: {how}", rest.escape_ascii().to_string()),
        }
    }
}

fn check_body(response: &http1::Response, whole: &[Vec<u8>]) {
    let kind = http1::field(&response.fields, "content-type").unwrap_or_default();
    let ours = response.status >= 400 && kind == b"application/problem+json";
    let many = response.status == 206 && kind.starts_with(b"multipart/byteranges");
    if response.until_close || response.body.is_empty() || ours || many {
        return;
    }
    let is_whole = |body: &Vec<u8>| match response.status {
        206 => body.windows(response.body.len()).any(|part| part == response.body),
        _ => *body == response.body,
    };
    assert!(whole.iter().any(is_whole), "torn: {response:?}");
}

/// The bodies of the responses that the origin sent whole.
fn whole_bodies(answers: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut bodies = vec![b"end".to_vec()];
    for answer in answers {
        let Some((&how, mut rest)) = answer.split_first() else { continue };
        while let Read::Whole(response, length) = http1::response(rest, false, how == b'c', true) {
            rest = &rest[length..];
            if response.status >= 200 {
                bodies.push(response.body);
                break;
            }
        }
    }
    bodies
}

/// The path and query of a target.
fn target(target: &[u8]) -> Vec<u8> {
    let Some(at) = target.windows(3).position(|window| window == b"://") else { return target.to_vec() };
    if target.starts_with(b"/") {
        return target.to_vec();
    }
    let rest = &target[at + 3..];
    let path = rest.iter().position(|octet| b"/?".contains(octet)).map_or(&[][..], |at| &rest[at..]);
    match path.first() {
        Some(b'/') => path.to_vec(),
        _ => [b"/", path].concat(),
    }
}
