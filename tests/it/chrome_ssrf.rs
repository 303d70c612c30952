//! No road of a page leads inside:
//! - one page takes every road there is to listeners on loopback, TCP and UDP, IPv4 and IPv6, in every notation; they
//!   see no connection and no datagram, the guard was asked for each name, and the page goes on;
//! - the same page arrives on every road where the listeners are allowed and the browser is not told to be silent, so
//!   that this test can fail;
//! - a name is resolved once for a capture, and what was vetted is what is connected to.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tintype::origin::Origin;
use tintype::origin::chrome::Config;
use tokio::net::TcpListener;

use crate::chrome_site::{
    ALLOWED, Answer, Pixels, Site, config, html, picture, problem, shoot, start_with, until,
};
use crate::chrome_ssrf_roads::{NOTATIONS, Names, Victim, WINDOWS, named_roads, site};

const LIME: [u8; 3] = [0, 255, 0];

#[tokio::test]
async fn no_road_leads_inside() {
    let victim = Victim::start().await;
    let site = Site::start(site(victim.port)).await;
    let names = Names::new([]);
    let engine = start_with(Config { max_page_connections: 1000, ..config() }, names.clone());
    let url = site.url("/");
    // The guard sees every road but those into a window, which does not open.
    let mut roads = named_roads();
    roads.retain(|road| !WINDOWS.contains(&road.as_str()));
    roads.extend(["localhost", "x.localhost"].map(str::to_owned));
    let (shown, ()) = tokio::join!(shoot(&engine, &url, "delay=3s"), names.asked(&roads));
    let shown = Pixels::decode(&picture(shown));
    assert_eq!(shown.at(310, 190), LIME, "the page went on");
    assert!(WINDOWS.iter().all(|road| !names.was_asked(road)), "a window opened");
    assert_eq!(victim.reached(), (0, 0), "connections and datagrams");
    picture(shoot(&engine, &site.url("/lime"), "").await);
    engine.shutdown().await;
}

/// The control: the same page without guard.
#[tokio::test]
async fn without_the_guard_every_road_arrives() {
    let victim = Victim::start().await;
    let site = Site::start(site(victim.port)).await;
    let names = Names::new([]);
    let folder = tempfile::tempdir().unwrap();
    let inside = ["127.0.0.0/8", "0.0.0.0/8", "::/127", "::ffff:0:0/96"];
    let open = Config {
        program: Some(talkative(folder.path()).await),
        allow_ranges: inside.iter().map(|range| range.parse().unwrap()).collect(),
        max_page_connections: 1000,
        ..config()
    };
    let engine = start_with(open, names.clone());
    let mut roads = named_roads();
    // What is no plain HTTP cannot be told apart.
    roads.retain(|road| road != "tls" && road != "wss");
    roads.extend(["any-tls", "turn-tcp", "udp4", "udp6"].map(str::to_owned));
    let reaches = |(n, (_, reaches)): (usize, &(&str, bool))| reaches.then(|| format!("notation-{n}"));
    roads.extend(NOTATIONS.iter().enumerate().filter_map(reaches));
    let url = site.url("/");
    // A capture that is no longer awaited ends.
    tokio::select! {
        shot = shoot(&engine, &url, "delay=20s") => {
            picture(shot);
            victim.visited(&roads).await;
        }
        () = victim.visited(&roads) => {}
    }
    engine.shutdown().await;
}

/// The installed browser, which opens windows and sends datagrams past the proxy, whatever it is told.
async fn talkative(folder: &Path) -> PathBuf {
    let engine = start_with(config(), Names::new([]));
    until("ready", || engine.is_ready()).await;
    let browser = std::fs::read_link(format!("/proc/{}/exe", engine.stats().browser.unwrap())).unwrap();
    engine.shutdown().await;
    let script = format!(
        "#!/bin/sh\nfor arg; do shift; case $arg in \
         --*webrtc-ip-handling-policy=*|--block-new-web-contents) ;; *) set -- \"$@\" \"$arg\" ;; esac; done\n\
         exec '{}' \"$@\"\n",
        browser.display()
    );
    let path = folder.join("talkative");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn a_name_that_changes_its_address_changes_nothing() {
    let victim = Victim::start().await;
    let port = victim.port;
    // The same port on the allowed address, which closes its connections, so that each request needs a new one.
    let close = |body: &str| {
        let fields = ["content-type", "connection"].into_iter().zip(["text/html".into(), "close".into()]);
        Answer::Full(200, fields.collect(), body.to_owned())
    };
    let again = format!(
        "<body bgcolor=lime><script>
            const get = at => fetch(at, {{ mode: 'no-cors', cache: 'no-store' }}).catch(() => 0);
            onload = async () => {{
                for (let n = 0; n < 5; n++) await get('/again');
                for (const name of ['late', 'both', 'nat64', 'mapped', 'six'])
                    for (let n = 0; n < 3; n++) await get(`http://${{name}}.test:{port}/${{name}}`);
                await get('/done');
            }};
        </script>"
    );
    let listener = TcpListener::bind((ALLOWED, port)).await.unwrap();
    let public = [("/", close(&again)), ("/again", close("")), ("/late", close("")), ("/done", close(""))];
    let public = Site::serve(listener, public);
    let names = Names::new([
        ("rebind.test", vec!["127.0.0.2", "127.0.0.1"]),
        ("late.test", vec!["127.0.0.2", "127.0.0.1"]),
        ("both.test", vec!["127.0.0.2 127.0.0.1"]),
        ("nat64.test", vec!["64:ff9b::7f00:1"]),
        ("mapped.test", vec!["::ffff:127.0.0.1"]),
        ("six.test", vec!["::1"]),
    ]);
    let engine = start_with(config(), names.clone());
    let url = format!("http://rebind.test:{port}/");
    let (shown, ()) = tokio::join!(shoot(&engine, &url, "delay=1s"), public.requested("/done", 1));
    assert_eq!(Pixels::decode(&picture(shown)).at(5, 5), LIME);
    public.requested("/again", 5).await;
    public.requested("/late", 3).await;
    assert_eq!(names.lookups(), 6, "each name once");
    assert_eq!(victim.reached(), (0, 0));

    // The next capture asks anew, and is refused.
    let found = problem(shoot(&engine, &url, "").await, 403);
    assert!(!found.to_string().contains("127.0.0"), "the refusal names no address: {found}");
    assert_eq!(names.lookups(), 7);
    assert_eq!(victim.reached(), (0, 0));
    engine.shutdown().await;
}

#[tokio::test]
async fn targets_and_what_they_go_to_are_documents_of_the_web() {
    let blob = "<script>location = URL.createObjectURL(new Blob(['<body bgcolor=red>'], { type: 'text/html' }))</script>";
    let going = |to: &str| html(format!("<script>location = '{to}'</script><body bgcolor=lime>"));
    let site = Site::start([
        ("/to-file", Answer::To("file:///etc/passwd".into())),
        ("/to-data", Answer::To("data:text/html,<body bgcolor=red>".into())),
        ("/to-chrome", Answer::To("chrome://version".into())),
        ("/blob", html(blob)),
        ("/blank", html("<script>location = 'about:blank'</script>")),
        ("/file", going("file:///etc/passwd")),
        ("/chrome", going("chrome://gpu")),
        ("/view-source", going("view-source:http://127.0.0.1/")),
        ("/data", going("data:text/html,<body bgcolor=red>")),
        ("/devtools", going("devtools://devtools/bundled/inspector.html")),
        ("/refresh", html("<meta http-equiv=refresh content='0;url=file:///etc/passwd'><body bgcolor=lime>")),
    ])
    .await;
    let engine = start_with(config(), Names::new([]));
    for target in [
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        " \tfi\nle:///etc/passwd",
        "chrome://version",
        "devtools://devtools/bundled/inspector.html",
        "view-source:http://a.example/",
        "blob:http://a.example/6b0e",
        "filesystem:http://a.example/temporary/x",
        "data:text/html,x",
        "java\nscript:alert(1)",
        "about:blank",
        "about:srcdoc",
        "ftp://a.example/",
        "ws://a.example/",
        "chrome-extension://abc/x",
        "mailto:a@a.example",
        "http://u:p@a.example/",
        "//a.example/",
        "http://",
    ] {
        let found = problem(shoot(&engine, target, "").await, 400);
        assert_eq!(found["errors"][0]["parameter"], "url", "{target}");
    }
    // By a redirect, or as a document in its own right: no picture.
    let urls = ["/to-file", "/to-data", "/to-chrome", "/blob", "/blank"].map(|path| site.url(path));
    for (answer, url) in shots(&engine, &urls).await.into_iter().zip(&urls) {
        assert!(matches!(answer, Err(tintype::origin::OriginError::Capture(_))), "{url}: {answer:?}");
    }
    // The browser does not go there: the page stays, and is captured.
    let stays = ["/file", "/chrome", "/view-source", "/data", "/devtools", "/refresh"];
    let urls = stays.map(|path| site.url(path));
    for (answer, url) in shots(&engine, &urls).await.into_iter().zip(&urls) {
        assert_eq!(Pixels::decode(&picture(answer)).at(160, 100), LIME, "{url}");
    }
    engine.shutdown().await;
}

async fn shots(
    engine: &tintype::origin::chrome::Engine,
    urls: &[String],
) -> Vec<Result<http::Response<tintype::message::body::Body>, tintype::origin::OriginError>> {
    let mut answers = Vec::new();
    for url in urls {
        answers.push(shoot(engine, url, "").await);
    }
    answers
}
