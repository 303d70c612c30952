//! What the tests of the capture engine share: a scripted site, an engine that may reach it, and a look at pictures
//! and processes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use tintype::clock::{ManualClock, Timestamp};
use tintype::message::body::{Body, BodyError};
use tintype::origin::chrome::resolver::Resolver;
use tintype::origin::chrome::{Config, Engine, Limits};
use tintype::origin::{Origin, OriginError};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The address of allowed sites; everything else on loopback is refused.
pub(crate) const ALLOWED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// When every capture is made.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(784_111_777);

/// A strict engine's configuration, with time enough for a busy machine.
pub(crate) fn config() -> Config {
    Config {
        // Another browser than the first that is found.
        program: std::env::var_os("TINTYPE_TEST_BROWSER").map(PathBuf::from),
        max_concurrent: 2,
        max_queue: 4,
        queue_budget: std::time::Duration::from_secs(600),
        deadline: Duration::from_secs(90),
        launch_timeout: Duration::from_secs(60),
        recycle_after: 1000,
        recycle_age: Duration::from_secs(3600),
        recycle_memory: 1 << 40,
        max_page_memory: 1 << 40,
        // Tests of what lies in between are not to be disturbed.
        health_interval: Duration::from_secs(3600),
        health_timeout: Duration::from_secs(30),
        limits: Limits {
            default_width: 320,
            default_height: 200,
            max_side: 4096,
            max_pixels: 16_000_000,
            max_page_pixels: 16_000_000,
            max_full_page_height: 5000,
            max_scale: 4.0,
            max_delay: Duration::from_secs(20),
            max_load: Duration::from_secs(60),
            max_freeze: Duration::from_secs(60),
            // Beside other tests a page with many workers took longer than the default.
            max_wait: Duration::from_secs(60),
            // Most pages here are of one colour, which says what they did.
            allow_blank: true,
            ..Limits::default()
        },
        allow_ranges: vec![format!("{ALLOWED}/32").parse().unwrap()],
        allow_ports: vec![80, 443],
        max_page_requests: 1000,
        ..Config::default()
    }
}

pub(crate) fn start(config: Config) -> Arc<Engine> {
    Engine::start(config, Arc::new(ManualClock::at(NOW))).expect("a browser is installed")
}

/// As [`start`], with names as `resolver` has them.
pub(crate) fn start_with(config: Config, resolver: Arc<dyn Resolver>) -> Arc<Engine> {
    Engine::start_with(config, Arc::new(ManualClock::at(NOW)), resolver).expect("a browser is installed")
}

/// Asks for a capture of `url` with further parameters.
pub(crate) async fn shoot(engine: &Engine, url: &str, more: &str) -> Result<Response<Body>, OriginError> {
    let url: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
    ask(engine, Method::GET, &format!("/screenshot?url={url}&{more}")).await
}

pub(crate) async fn ask(
    engine: &Engine,
    method: Method,
    target: &str,
) -> Result<Response<Body>, OriginError> {
    let uri = format!("http://shots.example{target}");
    engine.fetch(Request::builder().method(method).uri(uri).body(Body::Empty).unwrap()).await
}

/// The bytes of an answer that has to be 200.
pub(crate) fn picture(answer: Result<Response<Body>, OriginError>) -> Bytes {
    let answer = answer.expect("a picture");
    assert_eq!(answer.status(), 200, "{:?}", answer.body().as_whole());
    answer.body().as_whole().expect("a whole body").clone()
}

/// A problem's JSON.
pub(crate) fn problem(answer: Result<Response<Body>, OriginError>, status: u16) -> serde_json::Value {
    let answer = answer.expect("an answer");
    let body = answer.body().as_whole().expect("a body");
    assert_eq!(answer.status(), status, "{body:?}");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    serde_json::from_slice(body).unwrap()
}

/// A decoded PNG.
pub(crate) struct Pixels {
    pub(crate) width: u32,
    pub(crate) height: u32,
    data: Vec<u8>,
    channels: usize,
}

impl Pixels {
    pub(crate) fn decode(picture: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
        let mut data = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut data).unwrap();
        let (width, height, channels) = (info.width, info.height, info.color_type.samples());
        Pixels { width, height, data, channels }
    }

    pub(crate) fn at(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y * self.width + x) as usize * self.channels;
        [self.data[at], self.data[at + 1], self.data[at + 2]]
    }

    /// Opacity, 255 where the picture has none.
    pub(crate) fn alpha(&self, x: u32, y: u32) -> u8 {
        let at = (y * self.width + x) as usize * self.channels;
        if self.channels == 4 { self.data[at + 3] } else { 255 }
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }
}

/// What a path of the site answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// This, at once.
    Now(u16, &'static str, String),
    /// 302 to here.
    To(String),
    /// This cookie is set, and the body is the cookies that came.
    Cookie,
    /// An empty answer; the site remembers what came in this field.
    Echo(&'static str),
    /// Nothing, ever.
    Never,
    /// This status, type and body after this many milliseconds, as from a server far away.
    Late(u64, u16, &'static str, String),
    /// An event stream that goes on for ever.
    Events,
    /// A document that ends before its length.
    Short,
    /// These fields and this body.
    Full(u16, Vec<(&'static str, String)>, String),
    /// A document that goes on for ever, a little at a time.
    Drip,
    /// Nothing until as many have come as this waits for.
    Together(Arc<tokio::sync::Barrier>),
    /// What the test says at the time.
    Changing(Arc<Mutex<Answer>>),
    /// 401 without a user name and password.
    Secret,
}

pub(crate) fn html(body: impl Into<String>) -> Answer {
    Answer::Now(200, "text/html; charset=utf-8", body.into())
}

/// A web site on [`ALLOWED`], scripted by path. It counts connections and remembers requests.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: watch::Receiver<Vec<String>>,
}

impl Site {
    pub(crate) async fn start(paths: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        Self::on(ALLOWED, paths).await
    }

    pub(crate) async fn on(at: Ipv4Addr, paths: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        Self::serve(TcpListener::bind((at, 0)).await.unwrap(), paths)
    }

    /// On a listener that is there already.
    pub(crate) fn serve(
        listener: TcpListener,
        paths: impl IntoIterator<Item = (&'static str, Answer)>,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let paths: Arc<HashMap<&str, Answer>> = Arc::new(paths.into_iter().collect());
        let connections = Arc::new(AtomicUsize::new(0));
        let (log, requests) = watch::channel(Vec::new());
        let (log, count) = (Arc::new(log), connections.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (paths, log) = (paths.clone(), log.clone());
                let serve = service_fn(move |request| serve(paths.clone(), log.clone(), request));
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), serve));
            }
        });
        Site { address, connections, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The paths that were asked for, in turn.
    pub(crate) fn log(&self) -> Vec<String> {
        self.requests.borrow().clone()
    }

    /// How often `path` was asked for.
    pub(crate) fn times(&self, path: &str) -> usize {
        self.requests.borrow().iter().filter(|p| *p == path).count()
    }

    /// What came to the paths that remember it, sorted.
    pub(crate) fn echoed(&self) -> Vec<String> {
        let mut echoed: Vec<_> = self.requests.borrow().iter().filter(|p| p.contains(' ')).cloned().collect();
        echoed.sort();
        echoed
    }

    /// Waits until `path` was asked for `times` times.
    pub(crate) async fn requested(&self, path: &str, times: usize) {
        let enough = |log: &Vec<String>| log.iter().filter(|p| *p == path).count() >= times;
        self.requests.clone().wait_for(enough).await.unwrap();
    }
}

async fn serve(
    paths: Arc<HashMap<&'static str, Answer>>,
    log: Arc<watch::Sender<Vec<String>>>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    log.send_modify(|log| log.push(path.clone()));
    let reply = |status, name: &str, value: &str, body: String| {
        let response = Response::builder().status(status).header(name, value);
        Ok(response.body(Body::whole(body)).unwrap())
    };
    let mut answer = paths.get(path.as_str()).cloned();
    while let Some(Answer::Changing(now)) = answer {
        answer = Some(now.lock().unwrap().clone());
    }
    match answer {
        None => reply(404, "content-type", "text/plain", "no such path".into()),
        Some(Answer::Now(status, kind, body)) => reply(status, "content-type", kind, body),
        Some(Answer::Late(latency, status, kind, body)) => {
            tokio::time::sleep(Duration::from_millis(latency)).await;
            reply(status, "content-type", kind, body)
        }
        Some(Answer::Events) => {
            let mut response = reply(200, "content-type", "text/event-stream", String::new())?;
            let events = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Ok(Frame::data("data: x\n\n".into())), ()))
            });
            *response.body_mut() = Body::stream(StreamBody::new(Box::pin(events)));
            Ok(response)
        }
        Some(Answer::To(target)) => reply(302, "location", &target, String::new()),
        Some(Answer::Cookie) => {
            let came = request.headers().get("cookie").map_or("none", |c| c.to_str().unwrap());
            let colour = if came == "none" { "lime" } else { "red" };
            let mut response = reply(200, "set-cookie", "seen=1", format!("<body bgcolor={colour}>"))?;
            response.headers_mut().insert("content-type", "text/html".parse().unwrap());
            Ok(response)
        }
        Some(Answer::Echo(name)) => {
            let came = request.headers().get(name).map_or("none", |c| c.to_str().unwrap());
            log.send_modify(|log| log.push(format!("{path} {came}")));
            reply(200, "content-type", "text/html", String::new())
        }
        Some(Answer::Never | Answer::Changing(_)) => std::future::pending().await,
        Some(Answer::Full(status, fields, body)) => {
            let mut response = Response::builder().status(status);
            for (name, value) in fields {
                response = response.header(name, value);
            }
            Ok(response.body(Body::whole(body)).unwrap())
        }
        Some(Answer::Together(barrier)) => {
            barrier.wait().await;
            reply(200, "content-type", "text/plain", String::new())
        }
        Some(Answer::Secret) if request.headers().contains_key("authorization") => {
            reply(200, "content-type", "text/plain", "secret".into())
        }
        Some(Answer::Secret) => reply(401, "www-authenticate", "Basic realm=x", String::new()),
        Some(Answer::Drip) => {
            let mut response = reply(200, "content-type", "text/html", String::new())?;
            let drops = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Ok(Frame::data("<p>drop".into())), ()))
            });
            *response.body_mut() = Body::stream(StreamBody::new(Box::pin(drops)));
            Ok(response)
        }
        Some(Answer::Short) => {
            let mut response = reply(200, "content-type", "text/html", String::new())?;
            // Head and beginning go out before the end breaks off.
            let begin = async { Ok(Frame::data("<h1>He".into())) };
            let end = tokio::task::yield_now().map(|()| Err(BodyError::Stalled));
            let frames = stream::once(begin).chain(stream::once(end));
            *response.body_mut() = Body::stream(StreamBody::new(Box::pin(frames)));
            Ok(response)
        }
    }
}

/// The processes of a group that are there, zombies counted.
pub(crate) fn group(leader: u32) -> Vec<u32> {
    members(leader).into_iter().map(|(pid, _)| pid).collect()
}

/// The processes of a group that still run.
pub(crate) fn alive(leader: u32) -> Vec<u32> {
    members(leader).into_iter().filter(|(_, state)| state != "Z").map(|(pid, _)| pid).collect()
}

fn members(leader: u32) -> Vec<(u32, String)> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // pid (name) state ppid pgrp ...
        let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
        let (state, group) = (rest.next()?.to_owned(), rest.nth(1)?.parse::<u32>().ok()?);
        (group == leader).then_some((pid, state))
    })
    .collect()
}

/// The browser that takes captures, once there is one.
pub(crate) async fn browser(engine: &Engine) -> u32 {
    until("ready", || engine.stats().browser.is_some()).await;
    engine.stats().browser.expect("a browser")
}

/// Sends a signal to one process, which may be gone.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = kill_process(pid, signal);
}

/// Sends a signal to the processes of a kind in a browser's group; tells how many.
pub(crate) fn signal_type(leader: u32, kind: &str, with: Signal) -> usize {
    let kind = format!("--type={kind}");
    let is_kind = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&kind)
    };
    group(leader).into_iter().filter(is_kind).map(|pid| signal(pid, with)).count()
}

/// The profile folder of a running browser.
pub(crate) fn profile(browser: u32) -> PathBuf {
    let line = std::fs::read(format!("/proc/{browser}/cmdline")).unwrap();
    let line = String::from_utf8(line).unwrap();
    line.split('\0').find_map(|arg| arg.strip_prefix("--user-data-dir=")).unwrap().into()
}

/// Waits until `holds`, by looking; for what no event tells. Panics after a minute.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("still not: {what}");
}
