//! Pages that go elsewhere, or stop, or never stay: what a person would see is captured, and the rest is a typed error
//! long before the deadline. A shot that fails once is made again.

use std::time::Duration;

use futures_util::future::join_all;
use tintype::origin::chrome::Config;
use tintype::origin::{Origin, OriginError};

use crate::chrome_relay::Relay;
use crate::chrome_remote::{Elsewhere, with};
use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, shoot, start};

const LIME: [u8; 3] = [0, 255, 0];

/// A lime page with `script` at its end, and a text after it.
fn lime(script: &str) -> Answer {
    html(format!("<!doctype html><body style='margin:0;background:#0f0'><p>x<script>{script}</script><p>y"))
}

fn file() -> Answer {
    let fields = vec![
        ("content-type", "application/octet-stream".to_owned()),
        ("content-disposition", "attachment; filename=\"evil.sh\"".to_owned()),
    ];
    Answer::Full(200, fields, "x".repeat(1000))
}

#[tokio::test]
async fn a_page_that_leads_nowhere_is_still_a_page() {
    let site = Site::start([
        ("/file", file()),
        ("/204", Answer::Full(204, Vec::new(), String::new())),
        // While it is parsed, after which Chrome reads no further.
        ("/mailto", lime("location = 'mailto:a@b.example'")),
        ("/tel", lime("location.href = 'tel:1'")),
        ("/custom", lime("location.assign('customx:1')")),
        ("/intent", lime("location.replace('intent:x#Intent;end')")),
        ("/download", lime("location = '/file'")),
        ("/no-content", lime("location = '/204'")),
        ("/stop", lime("window.stop()")),
        ("/close", lime("window.close()")),
        ("/local", lime("location = 'file:///etc/passwd'")),
        ("/data", lime("location = 'data:text/html,<body bgcolor=red>'")),
        ("/script", lime("location = 'javascript:void(0)'")),
        // Once it is there.
        ("/mailto-later", lime("onload = () => { location = 'mailto:a@b.example' }")),
        ("/mailto-soon", lime("onload = () => setTimeout(() => { location = 'mailto:a@b.example' }, 50)")),
        ("/mailto-often", lime("setInterval(() => { location = 'mailto:a@b.example' }, 10)")),
        ("/download-later", lime("onload = () => { location = '/file' }")),
        ("/download-soon", lime("onload = () => setTimeout(() => { location = '/file' }, 50)")),
        ("/no-content-later", lime("onload = () => { location = '/204' }")),
        ("/write", lime("onload = () => { document.open(); document.write('<body bgcolor=lime>z') }")),
        ("/hash", lime("let n = 0; setInterval(() => { location.hash = n++ }, 1)")),
        ("/once", lime("if (!sessionStorage.x) { sessionStorage.x = 1; location.reload() }")),
        ("/leave", lime("onbeforeunload = e => { e.preventDefault(); return 'no' }; location = '/tel'")),
        ("/alerts", lime("setInterval(() => alert(1), 1)")),
        ("/prints", lime("setInterval(() => print(), 1)")),
        ("/opens", lime("setInterval(() => open('/204'), 1)")),
    ])
    .await;
    let engine = start(Config { max_concurrent: 2, max_queue: 100, ..config() });
    let paths = [
        "/mailto",
        "/tel",
        "/custom",
        "/intent",
        "/download",
        "/no-content",
        "/stop",
        "/close",
        "/local",
        "/data",
        "/script",
        "/mailto-later",
        "/mailto-soon",
        "/mailto-often",
        "/download-later",
        "/download-soon",
        "/no-content-later",
        "/write",
        "/hash",
        "/once",
        "/leave",
        "/alerts",
        "/prints",
        "/opens",
    ];
    let shots = paths.map(|path| {
        let (url, engine) = (site.url(path), &engine);
        async move { (path, shoot(engine, &url, "").await) }
    });
    for (path, answer) in join_all(shots).await {
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(Pixels::decode(&picture(Ok(answer))).at(310, 190), LIME, "{path}");
    }
    assert_eq!(engine.stats().restarts, 0);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_page_that_never_stays_is_an_error_or_a_picture_of_it_before_the_deadline() {
    let site = Site::start([
        (
            "/refresh",
            html("<!doctype html><meta http-equiv=refresh content=0><body style='background:#0f0'>x"),
        ),
        ("/reload", lime("onload = () => location.reload()")),
        ("/short", Answer::Short),
        ("/", lime("")),
    ])
    .await;
    let engine = start(config());
    for path in ["/refresh", "/reload", "/short"] {
        match tokio::time::timeout(Duration::from_secs(60), shoot(&engine, &site.url(path), "")).await {
            Ok(Err(OriginError::Capture(_))) => {}
            // Between two of its documents it may stand still long enough.
            Ok(Ok(answer)) if path != "/short" => {
                assert_eq!(Pixels::decode(&picture(Ok(answer))).at(310, 190), LIME, "{path}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    picture(shoot(&engine, &site.url("/"), "").await);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_shot_that_fails_once_is_made_again() {
    let (site, elsewhere) = (Site::start([("/", lime(""))]).await, Elsewhere::start(0).await);
    let relay = Relay::start(&elsewhere.websocket()).await;
    // No health check makes pictures of its own beside.
    let quiet = Config { health_interval: Duration::from_secs(3600), ..with(&[relay.websocket()]) };
    let engine = start(quiet);
    let no = "Unable to capture screenshot";
    relay.refuse("Page.captureScreenshot", &[no]);
    let shown = picture(shoot(&engine, &site.url("/"), "").await);
    assert_eq!(Pixels::decode(&shown).at(310, 190), LIME);
    assert_eq!(relay.seen(), 2);
    // Not for ever.
    relay.refuse("Page.captureScreenshot", &[no, no, no]);
    match shoot(&engine, &site.url("/"), "").await {
        Err(OriginError::Capture(why)) => assert!(why.contains(no), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(relay.seen(), 2);
    engine.shutdown().await;
}
