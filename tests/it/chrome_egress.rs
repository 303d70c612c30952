//! Pages are loaded through the operator's proxies where a request asks for one:
//! - by name or country, with the proxy's password, for plain HTTP and for TLS;
//! - the proxy is told vetted addresses, never names, and refused targets do not reach it;
//! - so are they probed;
//! - a proxy that is unknown is a bad parameter, and one that is not there an error that tells nothing about it.

use std::sync::Arc;
use std::time::Duration;

use tintype::message::body::Body;
use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Engine, Probe, UpstreamProxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::chrome_site::{Answer, NOW, Pixels, Site, config, html, picture, problem, shoot, start_with};
use crate::chrome_ssrf_roads::Names;

const LIME: [u8; 3] = [0, 255, 0];

/// A proxy that remembers the heads that came.
struct Proxy {
    port: u16,
    heads: watch::Receiver<Vec<String>>,
}

impl Proxy {
    async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.3:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (log, heads) = watch::channel(Vec::new());
        let log = Arc::new(log);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tunnel(stream, answer, log.clone()));
            }
        });
        Proxy { port, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.borrow().clone()
    }
}

async fn tunnel(mut stream: TcpStream, answer: &'static str, log: Arc<watch::Sender<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    log.send_modify(|log| log.push(head));
    if stream.write_all(answer.as_bytes()).await.is_err() || !answer.contains(" 200 ") {
        return;
    }
    let mut there = TcpStream::connect(target).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
}

fn engine(proxies: Vec<UpstreamProxy>) -> Arc<Engine> {
    let names = [("page.test", vec!["127.0.0.2"]), ("inside.test", vec!["127.0.0.9"])];
    start_with(Config { egress: proxies, ..config() }, Names::new(names))
}

#[tokio::test]
async fn pages_come_through_the_proxy_that_was_asked_for() {
    let proxy = Proxy::start("HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n").await;
    let site = Site::start([(
        "/",
        html("<!doctype html><body style='margin:0;background:#0f0'><img src=//inside.test/x>"),
    )])
    .await;
    let url = format!("http://u:hush@127.0.0.3:{}", proxy.port);
    let engine = engine(vec![UpstreamProxy::new("berlin", &url, Some("de".into())).unwrap()]);
    let target = format!("http://page.test:{}/", site.address.port());

    picture(shoot(&engine, &target, "").await);
    assert_eq!(proxy.heads(), Vec::<String>::new());
    for query in ["proxy=berlin", "country=DE"] {
        let shown = Pixels::decode(&picture(shoot(&engine, &target, query).await));
        assert_eq!(shown.at(300, 150), LIME, "{query}");
    }
    let expected = format!(
        "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\nProxy-Authorization: Basic dTpodXNo\r\n\r\n",
        site.address
    );
    let heads = proxy.heads();
    assert!(heads.len() >= 2 && heads.iter().all(|head| *head == expected), "{heads:?}");

    // The handshake fails, as nobody speaks TLS there; but it was tried that way.
    let tls = target.replace("http:", "https:");
    assert!(shoot(&engine, &tls, "proxy=berlin").await.is_err());
    assert!(proxy.heads().len() > heads.len());

    let before = proxy.heads().len();
    problem(shoot(&engine, "http://inside.test/", "proxy=berlin").await, 403);
    for (query, parameter) in [("proxy=paris", "proxy"), ("country=fr", "country")] {
        let problem = problem(shoot(&engine, &target, query).await, 400).to_string();
        assert!(problem.contains(parameter), "{problem}");
        for secret in ["berlin", "hush", "127.0.0.3", "\"de\""] {
            assert!(!problem.contains(secret), "{problem}");
        }
    }
    assert_eq!(proxy.heads().len(), before);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_proxy_that_will_not_is_an_error() {
    let refusing = Proxy::start("HTTP/1.1 407 Who are you, hush\r\n\r\n").await;
    let site = Site::start([("/", html("x"))]).await;
    let proxy = |name: &str, port| {
        UpstreamProxy::new(name, &format!("http://u:hush@127.0.0.3:{port}"), None).unwrap()
    };
    let engine = engine(vec![proxy("refusing", refusing.port), proxy("gone", 9)]);
    for name in ["refusing", "gone"] {
        let target = format!("http://page.test:{}/", site.address.port());
        let error = shoot(&engine, &target, &format!("proxy={name}")).await.unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains("hush") && !error.contains("127.0.0.3"), "{error}");
    }
    assert_eq!(site.connections(), 0);
    engine.shutdown().await;
}

/// A probe of a page takes the same way as its capture.
#[tokio::test]
async fn probes_go_through_the_proxy_too() {
    let proxy = Proxy::start("HTTP/1.1 200 Connection established\r\n\r\n").await;
    let fields = vec![("last-modified", httpdate::fmt_http_date((NOW - Duration::from_secs(5)).to_system()))];
    let site = Site::start([("/", Answer::Full(200, fields, String::new()))]).await;
    let url = format!("http://u:hush@127.0.0.3:{}", proxy.port);
    let names = [("page.test", vec!["127.0.0.2"]), ("inside.test", vec!["127.0.0.9"])];
    let config = Config {
        egress: vec![UpstreamProxy::new("berlin", &url, None).unwrap()],
        probe: Some(Probe { timeout: Duration::from_secs(60), unchanged_on_error: true }),
        ..config()
    };
    let engine = start_with(config, Names::new(names));
    let ask = async |target: String| {
        let request =
            http::Request::get(format!("http://shots.example/screenshot?url={target}&proxy=berlin"))
                .header("if-modified-since", httpdate::fmt_http_date(NOW.to_system()));
        engine.fetch(request.body(Body::Empty).unwrap()).await.unwrap().status()
    };
    let port = site.address.port();
    assert_eq!(ask(format!("http://page.test:{port}/")).await, 304);
    assert!(proxy.heads()[0].starts_with(&format!("CONNECT {} ", site.address)), "{:?}", proxy.heads());
    assert_eq!((proxy.heads().len(), site.log()), (1, vec!["/".to_owned()]));
    assert_eq!(ask("http://inside.test/".to_owned()).await, 403);
    assert_eq!((proxy.heads().len(), engine.stats().captures), (1, 0));
    engine.shutdown().await;
}
