//! Pages that mean harm, or do it: each ends in a picture or in a typed error within the deadline, the browser that
//! had it lives on, and the next capture works.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::future::join_all;
use http::Response;
use tintype::message::body::Body;
use tintype::origin::chrome::{Config, Engine};
use tintype::origin::{Flaw, Origin, OriginError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, profile, shoot, start, until};
use crate::support::tls::Identity;

const LIME: [u8; 3] = [0, 255, 0];

/// A page that is red until `script` has run.
fn lime_after(script: &str) -> Answer {
    html(format!(
        "<!doctype html><body style='margin:0;background:#f00'><script>{script};
        document.body.style.background = '#0f0'</script>"
    ))
}

async fn each(
    engine: &Engine,
    site: &Site,
    paths: &[&str],
    query: &str,
) -> Vec<Result<Response<Body>, OriginError>> {
    let urls: Vec<String> = paths.iter().map(|path| site.url(path)).collect();
    join_all(urls.iter().map(|url| shoot(engine, url, query))).await
}

/// One browser had them all, and still works.
async fn lives_on(engine: &Engine, site: &Site) {
    let shown = Pixels::decode(&picture(shoot(engine, &site.url("/fine"), "").await));
    assert_eq!(shown.at(5, 5), LIME);
    assert_eq!(engine.stats().restarts, 0);
}

#[tokio::test]
async fn what_waits_for_a_person_does_not_hold_a_page_up() {
    let asks = "
        const granted = [];
        const ask = (name, run) => { try { Promise.resolve(run()).then(() => granted.push(name), () => 0) } catch (e) {} };
        ask('notification', () => Notification.requestPermission().then(r => r === 'granted' || Promise.reject()));
        ask('geolocation', () => new Promise((yes, no) => navigator.geolocation.getCurrentPosition(yes, no)));
        ask('camera', () => navigator.mediaDevices.getUserMedia({ video: true, audio: true }));
        ask('screen', () => navigator.mediaDevices.getDisplayMedia());
        ask('clipboard', () => navigator.clipboard.readText());
        ask('midi', () => navigator.requestMIDIAccess({ sysex: true }));
        ask('usb', () => navigator.usb.requestDevice({ filters: [] }));
        ask('bluetooth', () => navigator.bluetooth.requestDevice({ acceptAllDevices: true }));
        ask('file', () => showOpenFilePicker());
        ask('idle', () => IdleDetector.requestPermission().then(r => r === 'granted' || Promise.reject()));
        ask('persist', () => navigator.storage.persist().then(yes => yes || Promise.reject()));
        for (const name of ['geolocation', 'notifications', 'camera', 'microphone', 'midi', 'clipboard-read'])
            ask(name, () => navigator.permissions.query({ name }).then(s => s.state === 'denied' && Promise.reject()));
        setTimeout(() => {
            document.body.style.background = granted.length ? '#f00' : '#0f0';
            if (granted.length) fetch('/granted/' + granted);
        }, 500)";
    let prompts = format!("<!doctype html><body style='margin:0;background:#f00'><script>{asks}</script>");
    let site = Site::start([
        ("/fine", html("<body bgcolor=lime>")),
        ("/prompts", html(prompts)),
        ("/alerts", lime_after("for (let n = 0; n < 200; n++) { alert(n); confirm(n); prompt(n) }")),
        ("/print", lime_after("print(); print(); addEventListener('load', print)")),
        ("/leaving", lime_after("onbeforeunload = e => { e.preventDefault(); return 'stay' }")),
        ("/windows", lime_after("for (let n = 0; n < 100; n++) { if (open('/window?' + n, '_blank')) throw 1 }")),
        (
            "/links",
            lime_after(
                "for (let n = 0; n < 50; n++) { const a = document.createElement('a');
                a.target = 'w' + n; a.href = '/window'; document.body.append(a); a.click() }",
            ),
        ),
        ("/window", html("<script>for (;;) open(location)</script>")),
        (
            "/protocols",
            lime_after(
                "for (const to of ['mailto:a@a.example', 'tel:1', 'ms-settings:x', 'intent:x', 'ssh://127.0.0.1'])
                { const f = document.createElement('iframe'); f.src = to; document.body.append(f) }",
            ),
        ),
        ("/screen", lime_after("document.documentElement.requestFullscreen().catch(() => 0); document.body.requestPointerLock()")),
    ])
    .await;
    let engine = start(Config { max_concurrent: 4, max_queue: 100, ..config() });
    let paths = ["/alerts", "/print", "/leaving", "/windows", "/links", "/protocols", "/screen"];
    for (answer, path) in each(&engine, &site, &paths, "").await.into_iter().zip(paths) {
        assert_eq!(Pixels::decode(&picture(answer)).at(310, 190), LIME, "{path}");
    }
    let shown = picture(shoot(&engine, &site.url("/prompts"), "delay=1s").await);
    assert_eq!(Pixels::decode(&shown).at(310, 190), LIME, "granted: {:?}", site.log());
    assert!(!site.log().iter().any(|path| path == "/window"), "a window opened");
    lives_on(&engine, &site).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn downloads_are_refused() {
    let attached = |kind: &str| {
        let fields = vec![
            ("content-type", kind.to_owned()),
            ("content-disposition", "attachment; filename=\"evil.sh\"".to_owned()),
        ];
        Answer::Full(200, fields, "x".repeat(10_000))
    };
    let site = Site::start([
        ("/fine", html("<body bgcolor=lime>")),
        ("/attachment", attached("text/html")),
        ("/binary", attached("application/octet-stream")),
        ("/to-attachment", Answer::To("/attachment".into())),
        ("/frame", lime_after("document.body.innerHTML = '<iframe src=/attachment></iframe><iframe src=/binary>'")),
        (
            "/click",
            lime_after(
                "const a = document.createElement('a'); a.download = 'evil'; a.href = 'data:text/plain,x'; a.click();
                const b = document.createElement('a'); b.download = 'evil';
                b.href = URL.createObjectURL(new Blob(['x'])); b.click()",
            ),
        ),
    ])
    .await;
    let engine = start(config());
    until("ready", || engine.is_ready()).await;
    let folder = profile(engine.stats().browser.unwrap());
    for path in ["/attachment", "/binary", "/to-attachment"] {
        match shoot(&engine, &site.url(path), "").await {
            Err(OriginError::Flawed { flaw: Flaw::Download, .. }) => {}
            other => panic!("{path}: {other:?}"),
        }
    }
    for path in ["/frame", "/click"] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), "delay=500ms").await));
        assert_eq!(shown.at(310, 190), LIME, "{path}");
    }
    lives_on(&engine, &site).await;
    // Wherever Chrome would put one: its own folder has none, nor has the one it was started in.
    let evil = |folder: &std::path::Path| {
        std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with("evil") || name.ends_with(".crdownload")
        })
    };
    assert!(!evil(&folder) && !evil(&folder.join("Downloads")) && !evil(&std::env::current_dir().unwrap()));
    engine.shutdown().await;
}

#[tokio::test]
async fn pages_without_an_end_end() {
    let lime = "<!doctype html><body style='margin:0;background:#0f0'>";
    let site = Site::start([
        ("/fine", html("<body bgcolor=lime>")),
        ("/never", Answer::Never),
        ("/drip", Answer::Drip),
        ("/refresh", html(format!("<meta http-equiv=refresh content=0>{lime}"))),
        ("/reload", html(format!("{lime}<script>onload = () => location.reload()</script>"))),
        ("/ping", html("<script>location = '/pong'</script>")),
        ("/pong", html("<script>location = '/ping'</script>")),
        ("/circle", Answer::To("/circle".into())),
        ("/font", html(format!("{lime}<style>@font-face {{ font-family: f; src: url(/never) }}</style><p style='font-family:f'>x"))),
        ("/poll", html(format!("{lime}<script>const go = () => fetch('/fine?' + Math.random()).finally(go); go()</script>"))),
        ("/scroll", html(format!("{lime}<script>const more = () => {{ const d = document.createElement('div'); d.style.height = '500px'; document.body.append(d); requestAnimationFrame(more) }}; more()</script>"))),
        ("/frames", html(format!("{lime}<script>for (let n = 0; n < 30; n++) {{ const f = document.createElement('iframe'); f.src = '/frames?' + n; document.body.append(f) }}</script>"))),
        ("/history", html(format!("{lime}<script>for (let n = 0; n < 1000; n++) try {{ history.pushState(n, '', '?' + n) }} catch (e) {{}}</script>"))),
    ])
    .await;
    let deadline = Duration::from_secs(10);
    let engine = start(Config { deadline, max_concurrent: 16, max_page_connections: 64, ..config() });
    let paths = [
        "/drip", "/refresh", "/reload", "/ping", "/circle", "/font", "/poll", "/scroll", "/frames",
        "/history",
    ];
    for (answer, path) in each(&engine, &site, &paths, "").await.into_iter().zip(paths) {
        match answer {
            Ok(answer) => drop(picture(Ok(answer))),
            Err(OriginError::Capture(_) | OriginError::TimedOut { .. }) => {}
            Err(other) => panic!("{path}: {other:?}"),
        }
    }
    lives_on(&engine, &site).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn pages_of_great_size_are_pictures() {
    let lime = "<!doctype html><body style='margin:0;background:#0f0'>";
    let canvas = "for (const side of [16384, 32767, 65536]) { const c = document.createElement('canvas');
        c.width = c.height = side; const x = c.getContext('2d'); if (x) x.fillRect(0, 0, side, side);
        c.style.display = 'none'; document.body.append(c) }";
    let site = Site::start([
        ("/fine", html("<body bgcolor=lime>")),
        ("/tall", html(format!("{lime}<div style='height:60000px'>"))),
        ("/wide", html(format!("{lime}<div style='width:60000px;height:10px'>"))),
        ("/infinite", html(format!("{lime}<div style='height:1e30px;width:1e30px'>"))),
        ("/canvas", lime_after(canvas)),
        ("/deep", html(format!("{lime}{}", "<div>".repeat(20_000)))),
    ])
    .await;
    let engine = start(config());
    let paths = ["/tall", "/wide", "/infinite", "/canvas", "/deep"];
    for (answer, path) in
        each(&engine, &site, &paths, "full_page=true&width=100").await.into_iter().zip(paths)
    {
        let shown = Pixels::decode(&picture(answer));
        let (width, height) = shown.size();
        assert!(width >= 100 && height <= 5000 && width * height <= 16_000_000, "{path}: {width}x{height}");
        assert_eq!(shown.at(99, height - 1), LIME, "{path}");
    }
    lives_on(&engine, &site).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn passwords_and_certificates_are_not_asked_for() {
    let demand = |status, field, value: &str| {
        Answer::Full(
            status,
            vec![("content-type", "text/html".into()), (field, value.to_owned())],
            "<h1>Who?".into(),
        )
    };
    let site = Site::start([
        ("/fine", html("<body bgcolor=lime>")),
        ("/basic", demand(401, "www-authenticate", "Basic realm=\"x\"")),
        ("/digest", demand(401, "www-authenticate", "Digest realm=\"x\", nonce=\"y\"")),
        ("/negotiate", demand(401, "www-authenticate", "Negotiate")),
        ("/proxy", demand(407, "proxy-authenticate", "Basic realm=\"tintype\"")),
        (
            "/images",
            lime_after("document.body.innerHTML = '<img src=/basic><img src=/proxy><iframe src=/basic>'"),
        ),
    ])
    .await;
    let engine = start(config());
    for (path, status) in [("/basic", "401"), ("/digest", "401"), ("/negotiate", "401"), ("/proxy", "403")] {
        match shoot(&engine, &site.url(path), "").await {
            Err(OriginError::Flawed { flaw: Flaw::Status, detail }) => {
                assert!(detail.contains(status), "{path}: {detail}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/images"), "").await));
    assert_eq!(shown.at(310, 190), LIME);

    // Signed by nobody that the browser knows.
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let acceptor = TlsAcceptor::from(Identity::new().server(&[]));
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    match shoot(&engine, &url, "").await {
        Err(OriginError::Capture(why)) => assert!(why.contains("ERR_CERT_AUTHORITY_INVALID"), "{why}"),
        other => panic!("{other:?}"),
    }
    server.abort();
    lives_on(&engine, &site).await;
    engine.shutdown().await;
}

#[tokio::test]
async fn requests_of_a_capture_are_bounded() {
    let many =
        "let n = 0; const go = () => n++ < 200 ? fetch('/many?' + n).finally(go) : fetch('/end'); go()";
    let site = Site::start([
        ("/fine", html("<body bgcolor=lime>")),
        ("/", lime_after(many)),
        ("/many", Answer::Now(200, "text/plain", "x".into())),
    ])
    .await;
    let engine = start(Config { max_page_requests: 20, ..config() });
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), "delay=1s").await));
    assert_eq!(shown.at(310, 190), LIME);
    assert_eq!(site.log().len(), 20);
    lives_on(&engine, &site).await;
    engine.shutdown().await;
}
