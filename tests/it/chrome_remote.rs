//! Browsers that others run:
//! - captures go to the one that has the least to do, over `http://` and `ws://` endpoints alike;
//! - one that dies or hangs is left out until it is back, and its captures are made on another;
//! - behind TLS they have to be vouched for;
//! - nothing is left in them, and they outlive the engine;
//! - they need the operator's consent, and the target is vetted all the same.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tintype::clock::SystemClock;
use tintype::origin::chrome::{Config, Engine, StartError};
use tintype::origin::{Origin, OriginError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio_rustls::TlsAcceptor;

use crate::chrome_site::{
    Answer, Site, browser, config, html, picture, problem, shoot, signal, start, until,
};
use crate::support::tls::Identity;

/// A browser that is none of the engine's.
pub(crate) struct Elsewhere {
    process: Child,
    port: u16,
    path: String,
    _profile: tempfile::TempDir,
}

impl Elsewhere {
    pub(crate) async fn start(port: u16) -> Self {
        let engine = start(config());
        let program = std::fs::read_link(format!("/proc/{}/exe", browser(&engine).await)).unwrap();
        engine.shutdown().await;
        let profile = tempfile::tempdir().unwrap();
        let process = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-dev-shm-usage"])
            .arg(format!("--remote-debugging-port={port}"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let noted = profile.path().join("DevToolsActivePort");
        let read = || std::fs::read_to_string(&noted).unwrap_or_default();
        until("it listens", || read().lines().count() == 2).await;
        let (port, path) = read().split_once('\n').map(|(a, b)| (a.parse().unwrap(), b.to_owned())).unwrap();
        Elsewhere { process, port, path, _profile: profile }
    }

    fn http(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    pub(crate) fn websocket(&self) -> String {
        format!("ws://127.0.0.1:{}{}", self.port, self.path)
    }

    /// The pages that are open in it.
    async fn pages(&self) -> usize {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let ask = "GET /json/list HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(ask.as_bytes()).await.unwrap();
        // It keeps the connection open; the list ends as JSON does.
        let mut answer = Vec::new();
        loop {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
            let text = String::from_utf8_lossy(&answer);
            let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
            if let Some(Ok(list)) = body.map(serde_json::from_str::<Vec<serde_json::Value>>) {
                return list.iter().filter(|target| target["type"] == "page").count();
            }
        }
    }

    async fn has_pages(&self, number: usize) {
        let patience = tokio::time::timeout(Duration::from_secs(60), async {
            while self.pages().await != number {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        patience.await.unwrap_or_else(|_| panic!("never {number} pages"));
    }

    fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }
}

pub(crate) fn with(remote: &[String]) -> Config {
    Config {
        remote: remote.iter().map(|endpoint| endpoint.parse().unwrap()).collect(),
        remote_unguarded: true,
        // Not so much as looked for.
        program: Some("/nowhere/chrome".into()),
        health_interval: Duration::from_millis(200),
        health_timeout: Duration::from_secs(4),
        ..config()
    }
}

async fn site() -> Site {
    Site::start([
        ("/", html("<h1>Here</h1>")),
        ("/waits", html("<img src=/never>")),
        ("/never", Answer::Never),
    ])
    .await
}

#[tokio::test]
async fn both_forms_of_endpoint_give_pictures_and_nothing_is_left() {
    let (site, elsewhere) = (site().await, Elsewhere::start(0).await);
    let before = elsewhere.pages().await;
    for endpoint in [elsewhere.http(), elsewhere.websocket()] {
        let engine = start(with(&[endpoint]));
        picture(shoot(&engine, &site.url("/"), "").await);
        assert_eq!((engine.stats().browsers, engine.stats().browser), (1, None));
        // Vetted as ever: loopback is allowed where the site is, not here.
        problem(shoot(&engine, "http://127.0.0.1:80/", "").await, 403);

        // A capture that is under way when the engine goes leaves no page.
        let (other, url) = (engine.clone(), site.url("/waits"));
        let running = tokio::spawn(async move { shoot(&other, &url, "").await.err() });
        until("it is under way", || engine.stats().running == 1).await;
        engine.shutdown().await;
        assert!(matches!(running.await.unwrap(), Some(OriginError::Browser(_))));
        assert!(!engine.is_ready());
        elsewhere.has_pages(before).await;
    }
}

/// Speaks TLS on a port of its own before `port`.
async fn secure(identity: &Identity, port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (own, acceptor) = (listener.local_addr().unwrap().port(), TlsAcceptor::from(identity.server(&[])));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut near) = acceptor.accept(stream).await else { return };
                let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    own
}

#[tokio::test]
async fn browsers_behind_tls_have_to_be_vouched_for() {
    let (site, elsewhere) = (site().await, Elsewhere::start(0).await);
    let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::new());
    let (roots, _) = identity.write(folder.path());
    let port = secure(&identity, elsewhere.port).await;
    let path = &elsewhere.path;
    for endpoint in [
        format!("https://localhost:{port}"),
        format!("https://127.0.0.1:{port}?token=hunter2"),
        format!("wss://localhost:{port}{path}"),
    ] {
        let trusting = Config { remote_ca: Some(roots.clone()), ..with(std::slice::from_ref(&endpoint)) };
        let engine = start(trusting);
        picture(shoot(&engine, &site.url("/"), "").await);
        engine.shutdown().await;
    }
    let other = tempfile::tempdir().unwrap();
    let stranger = Identity::new().write(other.path()).0;
    let wary =
        Config { remote_ca: Some(stranger), ..with(&[format!("https://localhost:{port}?token=hunter2")]) };
    let engine = start(wary);
    match shoot(&engine, &site.url("/"), "").await {
        Err(OriginError::Browser(why)) => {
            assert!(why.contains(&format!("https://localhost:{port}: invalid peer certificate")), "{why}");
            assert!(!why.contains("hunter2"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    engine.shutdown().await;
    let nowhere = Config { remote_ca: Some("/nowhere".into()), ..with(&["wss://localhost".into()]) };
    let error = Engine::start(nowhere, Arc::new(SystemClock)).err();
    assert!(matches!(error, Some(StartError::Roots(_))), "{error:?}");
}

#[tokio::test]
async fn the_least_loaded_browser_is_chosen() {
    let (site, one, two) = (Arc::new(site().await), Elsewhere::start(0).await, Elsewhere::start(0).await);
    let (of_one, of_two) = (one.pages().await, two.pages().await);
    let quiet = Config {
        health_interval: Duration::from_secs(3600),
        max_concurrent: 4,
        ..with(&[one.http(), two.http()])
    };
    let engine = start(quiet);
    until("both are there", || engine.stats().browsers == 2).await;
    let mut running = Vec::new();
    for _ in 0..4 {
        let (engine, site) = (engine.clone(), site.clone());
        running.push(tokio::spawn(async move { shoot(&engine, &site.url("/waits"), "").await.is_ok() }));
    }
    one.has_pages(of_one + 2).await;
    two.has_pages(of_two + 2).await;
    for capture in running {
        capture.abort();
    }
    one.has_pages(of_one).await;
    two.has_pages(of_two).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn a_browser_that_dies_is_left_out_until_it_is_back() {
    let (site, mut one, two) = (site().await, Elsewhere::start(0).await, Elsewhere::start(0).await);
    let engine = start(with(&[one.http(), two.http()]));
    until("both are there", || engine.stats().browsers == 2).await;
    let port = one.port;
    one.process.kill().await.unwrap();
    for _ in 0..4 {
        picture(shoot(&engine, &site.url("/"), "").await);
    }
    until("one is left", || engine.stats().browsers == 1).await;
    let _back = Elsewhere::start(port).await;
    until("it is back", || engine.stats().browsers == 2).await;
    assert_eq!(engine.stats().restarts, 1);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_browser_that_hangs_is_noticed_and_its_capture_made_on_another() {
    let (site, one, two) = (site().await, Elsewhere::start(0).await, Elsewhere::start(0).await);
    let engine = start(with(&[one.websocket(), two.websocket()]));
    until("both are there", || engine.stats().browsers == 2).await;
    signal(one.pid(), Signal::STOP);
    for _ in 0..4 {
        picture(shoot(&engine, &site.url("/"), "").await);
    }
    until("it is noticed", || engine.stats().unhealthy >= 1).await;
    signal(one.pid(), Signal::CONT);
    until("it is back", || engine.stats().browsers == 2).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn an_endpoint_where_no_browser_is_says_so_and_no_more() {
    let site = site().await;
    let engine = start(with(&[format!("{}?token=hunter2", site.url("/nothing"))]));
    match shoot(&engine, &site.url("/"), "").await {
        Err(OriginError::Browser(why)) => {
            assert!(why.starts_with(&format!("no browser at http://{}", site.address)), "{why}");
            assert!(why.contains("status 404") && !why.contains("hunter2"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert!(!engine.is_ready());
    engine.shutdown().await;
}

#[tokio::test]
async fn consent_is_needed() {
    let unaware = Config { remote_unguarded: false, ..with(&["http://127.0.0.1:1".into()]) };
    assert_eq!(Engine::start(unaware, Arc::new(SystemClock)).err(), Some(StartError::Unguarded));
}
