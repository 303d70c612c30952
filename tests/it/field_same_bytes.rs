//! Two captures of an unchanged page have the same bytes, on pages as they are in the field. Sources are the findings of
//! captures of 259 real pages (F6, F8 and section 2: determinism), and public issues of other tools.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Engine, Limits};

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, shoot, start};

const LIME: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];

fn script(text: impl Into<String>) -> Answer {
    Answer::Now(200, "text/javascript", text.into())
}

/// The picture of each query, and that all have the same bytes.
async fn same(engine: &Engine, url: &str, queries: &[&str]) -> Pixels {
    let mut first = None;
    for query in queries {
        let shot = picture(shoot(engine, url, query).await);
        assert!(*first.get_or_insert_with(|| shot.clone()) == shot, "{url} {query}");
    }
    Pixels::decode(&first.unwrap())
}

/// A page whose clock stands is done by itself, long before every bound.
async fn ends_by_itself(site: &Site) -> Pixels {
    let long = Duration::from_secs(80);
    let limits = Limits { max_freeze: long, max_wait: long, ..config().limits };
    let engine = start(Config { limits, ..config() });
    let all = async { same(&engine, &site.url("/"), &["freeze_time=1", "freeze_time=1&delay=200"]).await };
    let shown = tokio::time::timeout(Duration::from_secs(70), all).await.expect("no bound is reached");
    engine.shutdown().await;
    shown
}

/// F6: tiles that are drawn again in part differ by a level or two. Text in round boxes, some of it changed after a frame.
#[tokio::test]
async fn tiles_are_drawn_as_a_whole() {
    let mut page =
        "<!doctype html><style>li{display:flex;justify-content:space-between;border:1px solid #ccd;\
        padding:.4rem;border-radius:.6rem .2rem}b{background:#36c;color:#fff;border-radius:50px;\
        padding:.1rem .53rem;transform:rotate(1deg)}</style><ul>"
            .to_owned();
    for n in 0..12 {
        page += &format!("<li>Item {n} <b>{}</b>", n * 7);
    }
    page += "</ul><script>requestAnimationFrame(() => requestAnimationFrame(() => {\
        for (const b of document.querySelectorAll('b')) b.textContent += '.' }))</script>";
    let site = Site::start([("/", html(page))]).await;
    let engine = start(config());
    same(&engine, &site.url("/"), &["height=600"; 6]).await;
    engine.shutdown().await;
}

/// F6: a background under an opaque image is left out once the image is decoded, which may be before or after its box is painted.
#[tokio::test]
async fn backgrounds_under_opaque_images_are_left_out() {
    let source =
        format!("data:image/png;base64,{}", BASE64_STANDARD.encode(crate::support::pictures::picture(9)));
    let mut page = "<!doctype html><style>body{margin:0}div,img{width:60px;height:60px;display:block}\
        section{background:red;border-radius:20px;overflow:hidden;width:60px;height:60px;margin:5px}</style>"
        .to_owned();
    for n in 0..12 {
        let inside = match n % 2 {
            0 => format!("<img src='{source}#{n}'>"),
            _ => format!("<div style='background:url({source}#{n})'></div>"),
        };
        page += &format!("<section>{inside}</section>");
    }
    let site = Site::start([("/", html(page))]).await;
    let engine = start(config());
    let shown = same(&engine, &site.url("/"), &["width=100&height=800"; 6]).await;
    for y in 0..800 {
        for x in 0..100 {
            let [red, green, _] = shown.at(x, y);
            assert!(red <= green.saturating_add(8), "the red background shows at {x},{y}");
        }
    }
    engine.shutdown().await;
}

/// F8: the ring in the controls of a film that loads turns in a tree of the browser's own.
#[tokio::test]
async fn the_controls_of_a_film_that_loads_stand_still() {
    let page = "<!doctype html><body style='margin:0'>\
        <video controls width=300 height=150 src=/never.mp4></video><audio controls src=/never.mp3></audio>";
    let never = ["/never.mp4", "/never.mp3"].map(|path| (path, Answer::Never));
    let site = Site::start(never.into_iter().chain([("/", html(page))])).await;
    let limits = Limits { max_load: Duration::from_secs(2), ..config().limits };
    let engine = start(Config { limits, ..config() });
    same(&engine, &site.url("/"), &["delay=0", "delay=133", "delay=410", "delay=777"]).await;
    engine.shutdown().await;
}

/// Section 2, further members of the class: marquees, bars without a value, carets, and fields of date and time.
#[tokio::test]
async fn what_moves_out_of_reach_of_scripts_stands_still() {
    let page = "<!doctype html><body style='margin:0'><progress style='width:300px;height:20px'></progress>\
        <input type=date><input type=time><input autofocus value=x>\
        <div style='font:16px monospace'><marquee>marquee</marquee></div>";
    let site = Site::start([("/", html(page))]).await;
    let engine = start(config());
    same(&engine, &site.url("/"), &["delay=0", "delay=133", "delay=410", "delay=777"]).await;
    engine.shutdown().await;
}

/// Section 2: `freeze_time` waited up to *max_wait* for what never ends: frames out of sight, which get no animation frames;
/// workers whose script cannot be had; requests without an answer; chains through messages and through the network.
#[tokio::test]
async fn frozen_pages_end_by_themselves() {
    let draw = "let n = 0; requestAnimationFrame(function f() { n++; requestAnimationFrame(f) });";
    let lime = "document.body.style.background = '#0f0'";
    let hop = "const hop = new MessageChannel(); let n = 0;\
        hop.port1.onmessage = () => setTimeout(() => hop.port2.postMessage(0), 100);\
        hop.port2.postMessage(0); setInterval(() => n++, 20);";
    for (what, page) in [
        (
            "a frame out of sight",
            format!(
                "<iframe style='display:none' srcdoc='<script>{draw}</script>'></iframe>\
            <script>setTimeout(() => {{ {lime} }}, 900)</script>"
            ),
        ),
        (
            "a worker without a script",
            format!("<script>new Worker('/nowhere.js'); setTimeout(() => {{ {lime} }}, 900)</script>"),
        ),
        (
            "a request without an answer",
            format!("<script>fetch('/never'); setTimeout(() => {{ {lime} }}, 900)</script>"),
        ),
        ("messages to itself", format!("<script>{hop} setTimeout(() => {{ {lime} }}, 900)</script>")),
        (
            "polling",
            format!(
                "<script>const ask = () => fetch('/data').then(() => setTimeout(ask, 300)); ask();\
            setTimeout(() => {{ {lime} }}, 900)</script>"
            ),
        ),
    ] {
        let page = format!("<!doctype html><body style='margin:0'>{page}");
        let data = Answer::Now(200, "application/json", "1".into());
        let site = Site::start([("/", html(page)), ("/never", Answer::Never), ("/data", data)]).await;
        assert_eq!(ends_by_itself(&site).await.at(5, 5), LIME, "{what}");
    }
}

/// Section 2: a page that never ends costs *max_freeze*, not *max_wait*.
#[tokio::test]
async fn a_frozen_page_is_bounded() {
    // Tasks that are always ready leave no time.
    let page = "<!doctype html><body style='background:#0f0'><script>const hop = new MessageChannel();\
        hop.port1.onmessage = () => { hop.port2.postMessage(0); const t = performance.now(); for (let n = 0; n < 3e5; n++); };\
        hop.port2.postMessage(0); (function f() { fetch('/data?' + Math.random()).then(() => setTimeout(f, 1)) })()</script>";
    let data = Answer::Now(200, "application/json", "1".into());
    let site = Site::start([("/", html(page)), ("/data", data)]).await;
    let long = Duration::from_secs(80);
    let limits = Limits { max_freeze: Duration::from_secs(1), max_wait: long, ..config().limits };
    let engine = start(Config { limits, ..config() });
    let shot = tokio::time::timeout(Duration::from_secs(60), async {
        picture(shoot(&engine, &site.url("/"), "freeze_time=1").await)
    });
    assert_eq!(Pixels::decode(&shot.await.expect("the bound")).at(5, 5), LIME);
    engine.shutdown().await;
}

/// Section 2: Mermaid had none or one of three diagrams when frozen. It loads itself by dynamic `import`, takes `Date.now()`
/// for a name that nothing else has (mermaid-js/mermaid#7540), and what it draws after the network still needs its time.
#[tokio::test]
async fn frozen_pages_load_modules_and_have_their_time_after_the_network() {
    let page = "<!doctype html><body style='margin:0'><script type=module>\
        const draw = async path => {\
            const { colour } = await import(path);\
            const part = document.createElement('div');\
            part.id = 'part-' + Date.now();\
            part.style.height = '20px';\
            document.body.append(part);\
            await 0;\
            document.getElementById(part.id).dataset.seen = 1;\
            const begun = performance.now();\
            requestAnimationFrame(function grow(now) {\
                const share = Math.min(1, (now - begun) / 900);\
                part.style.width = 200 * share + 'px';\
                if (share < 1) requestAnimationFrame(grow); else part.style.background = part.dataset.seen ? colour : '#f00';\
            });\
            await new Promise(done => setTimeout(done, 500));\
        };\
        await draw('/first.js'); await draw('/second.js'); await fetch('/data'); await draw('/third.js');\
        </script>";
    let site = Site::start([
        ("/", html(page)),
        ("/first.js", script("export const { colour } = await import('/deep.js')")),
        ("/deep.js", script("export const colour = '#0f0'")),
        ("/second.js", script("export const colour = '#00f'")),
        ("/third.js", script("await (await fetch('/data')).json(); export const colour = '#0f0'")),
        ("/data", Answer::Now(200, "application/json", "1".into())),
    ])
    .await;
    let shown = ends_by_itself(&site).await;
    assert_eq!([5, 25, 45].map(|y| shown.at(195, y)), [LIME, BLUE, LIME]);
}
