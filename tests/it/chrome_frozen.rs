//! A page whose clock stands still is the same each time, whatever it draws by clock and chance:
//! - in the page, in frames of its own and of other origins, and in workers;
//! - a carousel shows the same slide, and nothing that waits for the clock hangs;
//! - and without that, nothing moves while the picture is taken, in any frame.

use std::sync::Arc;

use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Engine, Limits};

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, shoot, start, start_with};
use crate::chrome_ssrf_roads::Names;

const RED: [u8; 3] = [255, 0, 0];
const LIME: [u8; 3] = [0, 255, 0];

/// Draws by every means: clock, chance, frames, timers.
const RESTLESS: &str = "<!doctype html><style>body{margin:0;font:12px monospace}canvas{display:block}\
    @keyframes go{from{transform:translateX(0)}to{transform:translateX(90px)}}\
    .go{width:10px;height:10px;background:#00f;animation:go 1.1s linear infinite}</style>\
    <div id=clock></div><div id=more></div><div id=loop>0</div><div id=every>0</div><div class=go></div>\
    <canvas id=c width=100 height=40></canvas><script>\
    const say = () => { clock.textContent = new Date().toISOString() + ' ' + performance.now() + ' ' + Date(); };\
    setInterval(say, 33); say();\
    more.textContent = [Math.random(), crypto.randomUUID?.(), crypto.getRandomValues(new Uint32Array(3)),\
        new Intl.DateTimeFormat('en', { timeStyle: 'full' }).format(), performance.timeOrigin,\
        self.Temporal ? Temporal.Now.instant() : ''].join(' ');\
    const g = c.getContext('2d'); let x = 0;\
    requestAnimationFrame(function draw(t) { g.fillStyle = `hsl(${Math.random() * 360} 90% 50%)`;\
        g.fillRect(x++ % 100, (t / 30) % 40, 3, 3); requestAnimationFrame(draw); });\
    (async () => { for (;;) { loop.textContent = 1 + +loop.textContent; await new Promise(r => setTimeout(r, 20)); } })();\
    setInterval(() => every.textContent = 1 + +every.textContent, 70);\
    </script>";

fn engine() -> Arc<Engine> {
    let hosts = ["page.test", "frame.test"].map(|host| (host, vec!["127.0.0.2"]));
    start_with(config(), Names::new(hosts))
}

#[tokio::test]
async fn a_frozen_page_is_the_same_each_time() {
    let worker = "const answer = () => postMessage([Date.now(), Math.random(), performance.now(), \
        crypto.randomUUID?.()].join(' ')); answer(); setInterval(answer, 40);";
    let site = Site::start([
        ("/restless", html(RESTLESS)),
        ("/worker.js", Answer::Now(200, "text/javascript", worker.into())),
        (
            "/worker",
            html(
                "<body><pre id=p>-</pre><script>const w = new Worker('/worker.js');\
                w.onmessage = e => { p.textContent = e.data }</script>",
            ),
        ),
    ])
    .await;
    let port = site.address.port();
    let frames = format!(
        "{RESTLESS}<iframe src='http://frame.test:{port}/restless' width=300 height=140></iframe>\
         <iframe src='http://page.test:{port}/restless' width=300 height=140></iframe>"
    );
    let outer = Site::start([("/", html(frames))]).await;
    let engine = engine();
    let outer = format!("http://page.test:{}/", outer.address.port());
    let worker = site.url("/worker");
    for url in [&outer, &worker] {
        let shoot = async |query: &str| picture(shoot(&engine, url, &format!("height=600&{query}")).await);
        let first = shoot("freeze_time=true").await;
        for query in
            ["freeze_time=1&delay=333", "freeze_time=2025-01-01T00:00:00Z&delay=1100", "freeze_time=true"]
        {
            assert!(shoot(query).await == first, "{url} {query}");
        }
        // It is another one at another time, and without.
        assert!(shoot("freeze_time=2025-01-01T00:00:01Z").await != first, "{url}");
        assert!(shoot("").await != shoot("delay=90").await);
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn the_clock_stands_where_it_was_set() {
    let page = |condition: &str| {
        html(format!(
            "<!doctype html><body style='margin:0;background:#f00'><div id=d></div><script>\
             const good = () => document.body.style.background = '#0f0';{condition}</script>"
        ))
    };
    let at = 1_582_934_400_000_i64;
    let site = Site::start([
        ("/now", page(&format!("if (Date.now() === {at} && +new Date() === {at} && new Date(5).getTime() === 5 \
            && new Date() instanceof Date && Date.prototype.constructor === Date && performance.timeOrigin < {at} \
            && new Date().getUTCDate() === 29 && Temporal.Now.instant().epochMilliseconds === {at}) good()"))),
        ("/timer", page(&format!("setTimeout(() => {{ if (Date.now() === {at} + 250) good() }}, 250)"))),
        // The first slide, for ever.
        ("/slide", page("good(); setInterval(() => { document.body.style.background = '#f00' }, 3000)")),
        // Those that wait for the clock get their way.
        ("/busy", page("const t = Date.now(); while (Date.now() - t < 200); good()")),
        ("/cleared", page("const t = setInterval(() => { clearInterval(t); good() }, 50);\
            const u = setTimeout(() => document.body.style.background = '#00f', 100); clearTimeout(u);\
            const f = requestAnimationFrame(() => document.body.style.background = '#00f'); cancelAnimationFrame(f)")),
        ("/text", page("setTimeout('good()', 20)")),
        ("/class", page("class D extends Date { x() { return 1 } } if (new D().x() === 1 && +new D(7) === 7 \
            && Date.length === 7 && Date.UTC(1970, 0) === 0 && typeof Date() === 'string') good()")),
    ])
    .await;
    let always = start(Config { limits: Limits { freeze_time: true, ..config().limits }, ..config() });
    let engine = start(config());
    for path in ["/now", "/timer", "/slide", "/busy", "/cleared", "/text", "/class"] {
        let query = "freeze_time=2020-02-29T00:00:00Z&delay=100";
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), query).await));
        assert_eq!(shown.at(5, 5), LIME, "{path}");
    }
    for (engine, query, expected) in [
        (&engine, "", RED),
        (&always, "freeze_time=2020-02-29T00:00:00Z", LIME),
        (&always, "freeze_time=0", RED),
    ] {
        let shown = Pixels::decode(&picture(shoot(engine, &site.url("/now"), query).await));
        assert_eq!(shown.at(5, 5), expected, "{query}");
    }
    always.shutdown().await;
    engine.shutdown().await;
}

#[tokio::test]
async fn frames_of_other_origins_stand_still_too() {
    let moving = "<!doctype html><style>body{margin:0}@keyframes go{from{transform:translateX(0)}to{transform:translateX(90px)}}\
        .go{width:10px;height:10px;background:#00f;animation:go 1.1s linear infinite}</style><div class=go></div>";
    let site = Site::start([("/moving", html(moving))]).await;
    let port = site.address.port();
    let page = format!("<iframe src='http://frame.test:{port}/moving'></iframe>");
    let outer = Site::start([("/", html(page))]).await;
    let engine = engine();
    let url = format!("http://page.test:{}/", outer.address.port());
    let first = picture(shoot(&engine, &url, "").await);
    for delay in [130, 370] {
        assert!(picture(shoot(&engine, &url, &format!("delay={delay}")).await) == first, "{delay}");
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn nothing_moves_between_the_tiles_of_a_picture() {
    // One colour at a time, another one every few milliseconds, on a page of several tiles.
    let page = "<!doctype html><body style='margin:0;height:40000px'><script>let n = 0;\
        const next = () => { document.body.style.background = `rgb(${n++ % 250},0,0)` };\
        setInterval(next, 5); requestAnimationFrame(function f() { next(); requestAnimationFrame(f) })</script>";
    let site = Site::start([("/", html(page))]).await;
    let limits = Limits { max_full_page_height: 60_000, ..config().limits };
    let engine = start(Config { limits, ..config() });
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), "full_page=true&width=50").await));
    let colours: std::collections::BTreeSet<_> = (0..40_000).map(|y| shown.at(5, y)).collect();
    assert_eq!(colours.len(), 1, "{colours:?}");
    engine.shutdown().await;
}

/// Chrome's compositor keeps the place to which it had moved something if an animation is paused and set back at once.
#[tokio::test]
async fn regression_what_the_compositor_moved_is_set_back_too() {
    let moving = "<!doctype html><style>body{margin:0}@keyframes go{to{transform:translateX(90px)}}\
        .go{width:10px;height:10px;background:#f00;animation:go 1.1s linear infinite}</style><div class=go></div>\
        <div id=x></div><script>setInterval(() => x.textContent = 1 + +x.textContent, 70)</script>";
    let inner = Site::start([("/inner", html(moving))]).await;
    let port = inner.address.port();
    let outer = format!("{moving}<iframe src='http://frame.test:{port}/inner'></iframe>");
    let site = Site::start([("/", html(outer))]).await;
    let engine = engine();
    let url = format!("http://page.test:{}/", site.address.port());
    for query in ["freeze_time=true", "freeze_time=true&delay=300", "delay=300", "delay=700"] {
        let pixels = Pixels::decode(&picture(shoot(&engine, &url, query).await));
        assert_eq!((pixels.at(2, 5), pixels.at(14, 5)), (RED, [255, 255, 255]), "{query}");
    }
    engine.shutdown().await;
}

/// A page without any script never tells that nothing more is to come of it.
#[tokio::test]
async fn regression_a_frozen_page_without_scripts_is_not_waited_for() {
    let site = Site::start([("/", html("<!doctype html><body style='background:#0f0'>"))]).await;
    let engine = start(Config {
        limits: Limits { max_wait: std::time::Duration::from_secs(300), ..config().limits },
        ..config()
    });
    let url = site.url("/");
    let shot = shoot(&engine, &url, "freeze_time=true&allow_blank=true");
    let shot = tokio::time::timeout(std::time::Duration::from_secs(60), shot).await.expect("no waiting");
    assert_eq!(Pixels::decode(&picture(shot)).at(50, 50), LIME);
    engine.shutdown().await;
}
