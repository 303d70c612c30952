//! `settled` waits for what a page itself still waits for after its load event, and not for what never ends.
//! Found on real pages with 150 ms before each answer (Redoc, RapiDoc, Swagger UI, docsify, Shoelace, Mermaid, Lottie,
//! MapLibre, Chart.js, ECharts, WOW.js), and in public reports that each test names.

use std::time::Duration;

use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Limits};

use std::net::Ipv4Addr;

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, shoot, start};

const RED: [u8; 3] = [255, 0, 0];
const LIME: [u8; 3] = [0, 255, 0];

/// Time before each answer of a server far away.
const LATENCY: u64 = 150;

fn late(kind: &'static str, body: &str) -> Answer {
    Answer::Late(LATENCY, 200, kind, body.to_owned())
}

/// Captures `/` and tells the colour of its upper left corner and `X-Capture`.
async fn corner(site: &Site) -> ([u8; 3], String) {
    let engine = start(config());
    let answer = shoot(&engine, &site.url("/"), "").await;
    let told = answer.as_ref().unwrap().headers()["x-capture"].to_str().unwrap().to_owned();
    let shown = Pixels::decode(&picture(answer)).at(5, 5);
    engine.shutdown().await;
    (shown, told)
}

/// A red page that turns lime when `script` calls `done()`.
fn page(script: &str) -> Answer {
    html(format!(
        "<!doctype html><meta charset=utf-8><body style='margin:0;background:#f00'>text<script>\
         const done = () => {{ document.body.style.background = '#0f0' }}; {script}</script>"
    ))
}

/// playwright#3151, puppeteer#1353: pages that fetch their content are captured as "Loading...".
#[tokio::test]
async fn requests_that_a_page_makes_after_its_load_are_waited_for() {
    for (name, script) in [
        ("fetch", "fetch('/data.json').then(r => r.json()).then(done)"),
        ("fetch after load", "onload = () => fetch('/data.json').then(r => r.json()).then(done)"),
        (
            "chain of fetches",
            "onload = async () => { for (let n = 0; n < 4; n++) await fetch('/data.json?' + n); done() }",
        ),
        (
            "XMLHttpRequest",
            "onload = () => { const x = new XMLHttpRequest(); x.onload = done; x.open('GET', '/data.json'); x.send() }",
        ),
        (
            "script",
            "onload = () => { const s = document.createElement('script'); s.src = '/done.js'; document.body.append(s) }",
        ),
        ("module and what it imports", "onload = () => import('/outer.js').then(done)"),
        (
            "style sheet",
            "onload = () => { const l = document.createElement('link'); l.rel = 'stylesheet'; l.href = '/lime.css'; document.head.append(l) }",
        ),
        ("image", "onload = () => { const i = new Image(); i.onload = done; i.src = '/image.svg' }"),
        (
            "frame",
            "onload = () => { const f = document.createElement('iframe'); f.onload = done; f.src = '/frame'; document.body.append(f) }",
        ),
        (
            "worker that fetches",
            "onload = () => { const w = new Worker('/worker.js'); w.onmessage = done; w.postMessage(1) }",
        ),
        ("timer that fetches", "onload = () => setTimeout(() => fetch('/data.json').then(done), 300)"),
        ("custom element", "onload = () => import('/element.js')"),
    ] {
        let site = Site::start([
            ("/", page(script)),
            ("/data.json", late("application/json", "{}")),
            ("/done.js", late("text/javascript", "done()")),
            ("/outer.js", late("text/javascript", "import '/inner.js'")),
            ("/inner.js", late("text/javascript", "globalThis.inner = 1")),
            ("/element.js", late("text/javascript", "await import('/inner.js'); customElements.define('x-y', class extends HTMLElement {}); document.body.append(document.createElement('x-y')); done()")),
            ("/lime.css", late("text/css", "body{background:#0f0 !important}")),
            ("/image.svg", late("image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")),
            ("/frame", late("text/html", "frame")),
            ("/worker.js", late("text/javascript", "onmessage = async () => { await fetch('/data.json'); postMessage(1) }")),
        ])
        .await;
        let (shown, told) = corner(&site).await;
        assert_eq!(shown, LIME, "{name}: {told}");
        assert!(told.starts_with("settled; after="), "{name}: {told}");
    }
}

/// playwright#19835, puppeteer#3083: `networkidle` never comes on pages with polls and streams.
#[tokio::test]
async fn what_never_ends_is_not_waited_for() {
    for (name, script) in [
        ("event stream", "new EventSource('/events')"),
        ("stream by fetch", "fetch('/events')"),
        ("beacon", "navigator.sendBeacon('/never')"),
        ("long poll", "fetch('/never')"),
        ("poll", "setInterval(() => fetch('/data.json?' + Math.random()), 200)"),
        ("clock", "setInterval(() => { document.title = Date.now() }, 1000)"),
        ("idle frames", "const step = () => requestAnimationFrame(step); step()"),
        ("timers", "const tick = () => setTimeout(tick, 20); tick()"),
    ] {
        let site = Site::start([
            ("/", page(&format!("{script}; done()"))),
            ("/events", Answer::Events),
            ("/never", Answer::Never),
            ("/data.json", late("application/json", "{}")),
        ])
        .await;
        let limits = Limits { max_settle: Duration::from_secs(60), ..config().limits };
        let engine = start(Config { limits, ..config() });
        let answer = shoot(&engine, &site.url("/"), "").await;
        let told = answer.as_ref().unwrap().headers()["x-capture"].to_str().unwrap().to_owned();
        assert!(told.starts_with("settled; after="), "{name}: {told}");
        assert_eq!(Pixels::decode(&picture(answer)).at(5, 5), LIME, "{name}");
        engine.shutdown().await;
    }
}

/// Charts and reveals that are drawn frame by frame are taken at their first frame: chartjs#5355, echarts#6041.
#[tokio::test]
async fn drawing_by_script_is_waited_for_until_it_ends() {
    let step = "let n = 0; const step = () => { draw(++n); if (n < 40) requestAnimationFrame(step) };";
    for (name, script) in [
        (
            "canvas",
            "const g = c.getContext('2d'); const draw = n => { g.fillStyle = n < 40 ? '#f00' : '#0f0'; g.fillRect(0, 0, 50, 50) }",
        ),
        ("style", "const draw = n => { c.style.background = n < 40 ? `rgb(255,${n},0)` : '#0f0' }"),
        ("svg", "const draw = n => { r.setAttribute('fill', n < 40 ? `rgb(255,${n},0)` : '#0f0') }"),
    ] {
        for begin in ["step()", "onload = step", "onload = () => fetch('/data.json').then(step)"] {
            let site = Site::start([
                ("/", html(format!(
                    "<!doctype html><body style='margin:0'>\
                     <canvas id=c width=50 height=50 style='display:block'></canvas>\
                     <svg width=50 height=50 style='position:absolute;top:0;left:0'><rect id=r width=50 height=50 fill=none /></svg>\
                     <script>{script};{step}{begin}</script>"
                ))),
                ("/data.json", late("application/json", "{}")),
            ])
            .await;
            let (shown, told) = corner(&site).await;
            assert_eq!(shown, LIME, "{name}, {begin}: {told}");
        }
    }
}

/// Boxes that a page brings in one after the other, as UIkit's scrollspy does (corpus).
#[tokio::test]
async fn boxes_that_come_by_steps_are_waited_for() {
    let script = "let n = 0; const next = () => { if (++n === 4) return done();\
        document.body.append(n); setTimeout(next, 300) }; onload = () => setTimeout(next, 300)";
    let site = Site::start([("/", page(script))]).await;
    let (shown, told) = corner(&site).await;
    assert_eq!(shown, LIME, "{told}");
}

#[tokio::test]
async fn drawing_that_does_not_end_is_cut_off_and_reported() {
    let script =
        "let n = 0; const step = () => { done(); document.title = ++n; requestAnimationFrame(step) }; step()";
    let site = Site::start([("/", page(script))]).await;
    let (shown, told) = corner(&site).await;
    assert_eq!((shown, told.as_str()), (LIME, "bounded; waiting=drawing"));
}

/// A request that outlasts *max_settle* is named.
#[tokio::test]
async fn the_bound_names_what_was_waited_for() {
    let script = "onload = async () => { for (let n = 0; n < 99; n++) await fetch('/data.json?' + n) }";
    let site = Site::start([("/", page(script)), ("/data.json", late("application/json", "{}"))]).await;
    let limits = Limits { max_settle: Duration::from_secs(1), ..config().limits };
    let engine = start(Config { limits, ..config() });
    let answer = shoot(&engine, &site.url("/"), "").await;
    assert_eq!(answer.as_ref().unwrap().headers()["x-capture"], "bounded; waiting=fetch");
    assert_eq!(Pixels::decode(&picture(answer)).at(5, 5), RED);
    assert_eq!((engine.stats().bounded, engine.stats().waiting_for.get("fetch")), (1, Some(&1)));
    engine.shutdown().await;
}

/// cypress#6018, panther#502: a smooth scroll to the fragment is under way (the default of Bootstrap 5).
#[tokio::test]
async fn a_smooth_scroll_comes_to_its_end() {
    let page = "<!doctype html><style>html{scroll-behavior:smooth}body{margin:0}</style>\
        <div style='height:3000px;background:#f00'></div><div id=e style='height:400px;background:#0f0'></div>";
    let script =
        "<script>onload = () => setTimeout(() => scrollTo({ top: 3000, behavior: 'smooth' }), 50)</script>";
    let site = Site::start([("/", html(page)), ("/script", html(format!("{page}{script}")))]).await;
    let engine = start(config());
    for path in ["/#e", "/script"] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), "").await));
        assert_eq!(shown.at(5, 5), LIME, "{path}");
    }
    engine.shutdown().await;
}

/// A newspaper with dozens of advertisements (donga.com of 2013): Chrome runs timers once a second in frames of other origins that are
/// out of sight, and the page was not captured within 30 s because its frames were waited for one after the other.
#[tokio::test]
async fn frames_out_of_sight_are_waited_for_together() {
    let advert = || {
        html("<!doctype html><p>advert<script>setTimeout(() => document.body.append('more'), 50)</script>")
    };
    let adverts = Site::on(Ipv4Addr::new(127, 0, 0, 3), [("/advert", advert())]).await;
    let url = adverts.url("/advert");
    let frames: String = (0..40).map(|n| format!("<iframe src='{url}?{n}'></iframe>")).collect();
    let site = Site::start([(
        "/",
        html(format!("<!doctype html><body style='margin:0;background:#0f0'>news<div style='height:4000px'></div>{frames}")),
    )])
    .await;
    let mut config = Config { deadline: Duration::from_secs(25), ..config() };
    config.allow_ranges.push("127.0.0.3/32".parse().unwrap());
    let engine = start(config);
    let answer = shoot(&engine, &site.url("/"), "").await;
    let told = answer.as_ref().unwrap().headers()["x-capture"].to_str().unwrap().to_owned();
    assert_eq!(Pixels::decode(&picture(answer)).at(5, 5), LIME);
    assert!(told.starts_with("settled; "), "{told}");
    assert_eq!(adverts.times("/advert"), 40);
    engine.shutdown().await;
}
