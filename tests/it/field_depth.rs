//! What lies below the first screen, or beside it, is on the picture as a visitor sees it there:
//! `full_page`, `selector` and `clip`. The pages are our own; each is one of a class that users of
//! other programs met, named by its public source.

use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Engine, Limits};

use crate::chrome_site::{ALLOWED, Answer, Pixels, Site, config, html, picture, shoot, start};

const RED: [u8; 3] = [255, 0, 0];
const LIME: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255, 255, 255];
const YELLOW: [u8; 3] = [255, 255, 0];

const TALL_SVG: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='50' height='150'>\
    <rect width='50' height='150' fill='#0f0'/></svg>";
const SVG: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='50' height='50'>\
    <rect width='50' height='50' fill='#0f0'/></svg>";

/// A page of this body, without margins.
fn page(body: &str) -> Answer {
    html(format!("<!doctype html><meta charset=utf-8><style>body{{margin:0}}</style>{body}"))
}

fn svg() -> Answer {
    Answer::Now(200, "image/svg+xml", SVG.into())
}

/// Pages as long as the tests need them.
fn deep() -> Config {
    let limits = Limits { max_full_page_height: 60_000, ..config().limits };
    Config { limits, ..config() }
}

async fn shown(engine: &Engine, site: &Site, path: &str, query: &str) -> Pixels {
    Pixels::decode(&picture(shoot(engine, &site.url(path), query).await))
}

/// How many pixels of a column have a colour.
fn count(shown: &Pixels, x: u32, colour: [u8; 3]) -> usize {
    (0..shown.height).filter(|y| shown.at(x, *y) == colour).count()
}

/// Whether all corners of a picture have a colour.
fn is_all(shown: &Pixels, colour: [u8; 3]) -> bool {
    let (right, bottom) = (shown.width - 1, shown.height - 1);
    [(0, 0), (right, 0), (0, bottom), (right, bottom), (right / 2, bottom / 2)]
        .into_iter()
        .all(|(x, y)| shown.at(x, y) == colour)
}

// playwright#40583, puppeteer#12778, browserless#1922, capture-website#75: what is loaded or shown
// by its place on the screen is missing from pictures of elements and boxes far below.
#[tokio::test]
async fn what_comes_in_on_the_screen_is_there_at_any_depth() {
    let other = Site::on(ALLOWED, [("/frame", page("<body style='background:#0f0'>"))]).await;
    let below = |style: &str, inner: &str, script: &str| {
        page(&format!(
            "<body style='background:#f00'><div style='height:3000px'></div>\
             <div id=e style='width:50px;height:50px;{style}'>{inner}</div><div style='height:3000px'></div>\
             <script>const e = document.getElementById('e');{script}</script>"
        ))
    };
    let watch = "new IntersectionObserver(seen => { if (seen.some(one => one.isIntersecting)) e.style.background = '#0f0' }).observe(e)";
    let scroll =
        "onscroll = () => { if (e.getBoundingClientRect().top < innerHeight) e.style.background = '#0f0' }";
    let cancels = "const i = e.firstChild; new IntersectionObserver(seen => seen.forEach(one => {\
        if (one.isIntersecting) i.src = i.dataset.src; else if (!i.complete) i.removeAttribute('src') })).observe(i)";
    let frame =
        format!("<iframe src='{}' style='border:0;width:50px;height:50px'></iframe>", other.url("/frame"));
    let lazy_frame = frame.replace("<iframe", "<iframe loading=lazy");
    let site = Site::start([
        ("/image", below("", "<img loading=lazy src=/lime.svg>", "")),
        ("/watched", below("", "", watch)),
        ("/scrolled", below("", "", scroll)),
        ("/cancels", below("", "<img width=50 height=50 data-src=/lime.svg>", cancels)),
        ("/frame", below("", &frame, "")),
        ("/lazy-frame", below("", &lazy_frame, "")),
        (
            "/skipped",
            below("content-visibility:auto", "<p style='margin:0;height:50px;background:#0f0'>", ""),
        ),
        ("/lime.svg", svg()),
    ])
    .await;
    let engine = start(deep());
    for path in ["/image", "/watched", "/scrolled", "/cancels", "/frame", "/lazy-frame", "/skipped"] {
        for scale in [1, 2] {
            let element = shown(&engine, &site, path, &format!("selector=%23e&scale={scale}")).await;
            assert_eq!(element.size(), (50 * scale, 50 * scale), "{path}");
            assert!(is_all(&element, LIME), "{path} as an element at {scale}");
            let clip = shown(&engine, &site, path, &format!("clip=0,3000,50,50&scale={scale}")).await;
            assert!(is_all(&clip, LIME), "{path} as a box at {scale}");
            let all = shown(&engine, &site, path, &format!("full_page=true&scale={scale}")).await;
            assert_eq!(all.size(), (320 * scale, 6050 * scale), "{path}");
            assert_eq!(
                count(&all, 25 * scale, LIME),
                50 * scale as usize,
                "{path} on the whole page at {scale}"
            );
        }
    }
    engine.shutdown().await;
}

// Pages that look by a timer what is on the screen.
#[tokio::test]
async fn each_screen_is_shown_for_a_while() {
    // This one looks at what is on the screen by a timer.
    let timer = "<body><script>for (let n = 0; n < 30; n++) document.body.insertAdjacentHTML('beforeend', \
        `<div style='width:50px;height:150px;background:#f00'></div>`);\
        let due = false; addEventListener('scroll', () => { if (due) return; due = true; setTimeout(() => { due = false;\
            for (const div of document.querySelectorAll('div')) { const { top, bottom } = div.getBoundingClientRect();\
                if (top < innerHeight && bottom > 0) div.style.background = '#0f0' } }, 50) });\
        dispatchEvent(new Event('scroll'))</script>";
    // This one gives up loading what leaves the screen, as the option `cancel_on_exit` of vanilla-lazyload does.
    let cancels = "<body><script>for (let n = 0; n < 30; n++) document.body.insertAdjacentHTML('beforeend', \
        `<img width=50 height=150 style='display:block' data-src='/late.svg?${n}'>`);\
        const seen = new IntersectionObserver(all => all.forEach(({ isIntersecting, target }) => {\
            if (isIntersecting) target.src = target.dataset.src; else if (!target.complete) target.removeAttribute('src') }));\
        document.querySelectorAll('img').forEach(image => seen.observe(image))</script>";
    let late = Answer::Late(100, 200, "image/svg+xml", TALL_SVG.into());
    let site = Site::start([("/timer", page(timer)), ("/cancels", page(cancels)), ("/late.svg", late)]).await;
    let engine = start(deep());
    for path in ["/timer", "/cancels"] {
        let all = shown(&engine, &site, path, "full_page=true").await;
        assert_eq!(all.size(), (320, 4500), "{path}");
        assert_eq!(count(&all, 25, LIME), 4500, "{path}");
    }
    engine.shutdown().await;
}

// puppeteer#10744, playwright#12962, Kaboom#597: an element in something that scrolls by itself.
// The header of the documentation of Node.js, which ignores what comes within 50 ms of its last change, and the bar of UIkit's sticky
// component, which is fixed by a class while its screen is shown: found by the corpus.
#[tokio::test]
async fn scripts_that_react_to_scrolling_see_the_page_at_its_top_again() {
    let header =
        "<style>header{position:sticky;top:-1px;height:50px;background:#0f0}.pinned{background:#f00}</style>\
        <header></header><div style='height:3000px'></div><script>
        const header = document.querySelector('header'); let ignored = false;
        new IntersectionObserver(([entry]) => {
            const pinned = entry.intersectionRatio < 1;
            if (header.classList.contains('pinned') === pinned || ignored) return;
            ignored = true; setTimeout(() => { ignored = false }, 50);
            header.classList.toggle('pinned', pinned);
        }, { threshold: [1] }).observe(header)</script>";
    let bar = "<style>section{height:50px}.bar{height:50px;background:#00f}.stuck{position:fixed;top:0;left:0;right:0}</style>\
        <div style='height:2000px'></div><section><div class=bar></div></section><div style='height:4000px'></div><script>
        const bar = document.querySelector('.bar');
        addEventListener('scroll', () => bar.classList.toggle('stuck', scrollY > 1990))</script>";
    let site = Site::start([("/header", page(header)), ("/bar", page(bar))]).await;
    let engine = start(deep());
    let whole = shown(&engine, &site, "/header", "full_page=true").await;
    assert_eq!((whole.at(5, 5), count(&whole, 5, LIME)), (LIME, 50));
    let whole = shown(&engine, &site, "/bar", "full_page=true").await;
    assert_eq!((whole.at(5, 2025), count(&whole, 5, BLUE)), (BLUE, 50));
    engine.shutdown().await;
}

#[tokio::test]
async fn elements_in_scrollers_are_brought_out() {
    let inner = |style: &str, before: &str, after: &str| {
        page(&format!(
            "<body style='background:#00f'><div style='{style}'>{before}\
             <div id=e style='display:inline-block;width:50px;height:50px;background:#0f0'></div>{after}</div>\
             <div style='height:2000px'></div>"
        ))
    };
    let tall = "<div style='height:2000px'></div>";
    let wide = "<span style='display:inline-block;width:2000px'></span>";
    let around = "<div style='height:1000px'></div><div style='width:100px;height:100px;overflow:auto;background:#f00'>\
        <div style='width:1000px;height:1000px'></div>";
    let framed = page(
        "<body style='background:#f00'><div style='height:1500px'></div><iframe src=/down style='border:0;width:200px;height:150px'></iframe>",
    );
    let large = "<div style='height:150px;overflow:auto;width:300px;background:#f00'>\
        <div id=e style='width:200px;height:700px;background:linear-gradient(#0f0 50%,#ff0 50%)'></div></div><p>after";
    let site = Site::start([
        ("/screen", inner("height:100vh;overflow:auto", tall, tall)),
        ("/down", inner("height:100px;overflow:auto;background:#f00", tall, tall)),
        ("/across", inner("width:100px;height:100px;overflow:auto;white-space:nowrap", wide, wide)),
        ("/nested", inner("height:300px;overflow:auto;background:#f00", around, "</div>")),
        ("/framed", framed),
        ("/large", page(large)),
    ])
    .await;
    let engine = start(deep());
    for path in ["/screen", "/down", "/across", "/nested", "/framed"] {
        let element = shown(&engine, &site, path, "selector=%23e").await;
        assert_eq!(element.size(), (50, 50), "{path}");
        assert!(is_all(&element, LIME), "{path}");
    }
    let large = shown(&engine, &site, "/large", "selector=%23e").await;
    assert_eq!(large.size(), (200, 700));
    assert_eq!((count(&large, 100, LIME), count(&large, 100, YELLOW)), (350, 350));
    engine.shutdown().await;
}

// puppeteer#8966, Mobile-Checker#51, webdriverio#8903: a page that is wider than the device.
#[tokio::test]
async fn wide_pages_are_there_to_their_edge() {
    let wide =
        "<div style='width:980px;height:3000px;background:linear-gradient(90deg,#0f0 50%,#00f 50%)'></div>";
    let meta = |content: &str| page(&format!("<meta name=viewport content='{content}'>{wide}"));
    let site = Site::start([
        ("/plain", page(wide)),
        ("/fits", meta("width=device-width")),
        ("/fixed", meta("width=device-width,initial-scale=1")),
        ("/laid-out", meta("width=980,initial-scale=1")),
    ])
    .await;
    let engine = start(deep());
    for (path, query, width) in [
        ("/plain", "", 980),
        ("/plain", "&scale=2", 1960),
        ("/plain", "&device=iphone-15", 1179),
        ("/fits", "&device=iphone-15", 1179),
        ("/fixed", "&device=iphone-15&scale=1", 980),
        ("/laid-out", "&device=iphone-15&scale=1", 980),
    ] {
        let all = shown(&engine, &site, path, &format!("full_page=true{query}")).await;
        let height = (3000.0 * f64::from(width) / 980.0).round() as u32;
        assert!(all.width == width && all.height.abs_diff(height) <= 1, "{path} {query} {:?}", all.size());
        for y in [2, all.height / 3, all.height - 3] {
            assert_eq!((all.at(2, y), all.at(width / 2 - 3, y)), (LIME, LIME), "{path} {query} row {y}");
            assert_eq!(
                (all.at(width / 2 + 3, y), all.at(width - 2, y)),
                (BLUE, BLUE),
                "{path} {query} row {y}"
            );
        }
    }
    let clip = shown(&engine, &site, "/fixed", "device=iphone-15&clip=480,2900,20,50").await;
    assert_eq!(clip.size(), (60, 150));
    assert_eq!((clip.at(27, 100), clip.at(33, 100)), (LIME, BLUE));
    engine.shutdown().await;
}

// AdminLTE's right-to-left layout; playwright is right in these.
#[tokio::test]
async fn pages_from_right_to_left_begin_on_the_right() {
    let menu = "<html dir=rtl><div style='position:absolute;left:-250px;top:0;width:250px;height:100px;background:#f00'></div>\
        <p id=e style='margin:0;height:40px;background:#0f0'></p><div style='height:1500px;background:#00f'></div>";
    let wide = "<html dir=rtl><div style='position:fixed;right:0;top:100px;width:40px;height:50px;background:#f00'></div>\
        <div style='width:500px;height:60px;background:linear-gradient(90deg,#00f 10px,#ff0 10px)'></div>\
        <p id=e style='margin:0;width:100px;height:40px;background:#0f0'></p><div style='height:500px'></div>";
    let site = Site::start([("/menu", page(menu)), ("/wide", page(wide))]).await;
    let engine = start(deep());
    let all = shown(&engine, &site, "/menu", "full_page=true").await;
    assert_eq!(all.size(), (570, 1540));
    assert_eq!((all.at(2, 50), all.at(247, 50), all.at(252, 20), all.at(567, 20)), (RED, RED, LIME, LIME));
    assert_eq!((all.at(252, 1530), all.at(567, 1530)), (BLUE, BLUE));
    let all = shown(&engine, &site, "/wide", "full_page=true").await;
    assert_eq!(all.size(), (500, 600));
    assert_eq!((all.at(5, 30), all.at(15, 30), all.at(495, 30)), (BLUE, YELLOW, YELLOW));
    assert_eq!((count(&all, 490, RED), all.at(490, 75), all.at(390, 75)), (50, LIME, WHITE));
    for path in ["/menu", "/wide"] {
        let element = shown(&engine, &site, path, "selector=%23e").await;
        assert!(is_all(&element, LIME), "{path} {:?}", element.size());
    }
    // A box counts from the corner of the first screen.
    let clip = shown(&engine, &site, "/menu", "clip=0,0,100,40").await;
    assert!(is_all(&clip, LIME));
    let clip = shown(&engine, &site, "/wide", "clip=220,60,100,40").await;
    assert!(is_all(&clip, LIME));
    engine.shutdown().await;
}

// Javadoc, Google Tag Manager: scripts are disabled for the shot, and the markup for browsers
// without any must not show.
#[tokio::test]
async fn nothing_for_browsers_without_scripts_is_shown() {
    let noscript = "<noscript><div style='height:50px;background:#f00'>no scripts</div></noscript>";
    let sized = format!(
        "<style>html{{font-size:calc(14px + .3vw)}}body{{background:#0f0}}</style>{noscript}<p id=e style='margin:0;height:60px'></p>\
         <div style='height:2000px'></div>"
    );
    let media = "<style>@media (scripting: none){body{background:#f00}}\
        @media (scripting){body{background:#0f0}}div{height:2000px;@media (scripting: none){background:#f00}}</style><div></div>";
    let framed = "<body style='background:#0f0'>\
        <iframe src=/sized style='display:block;border:0;width:320px;height:2300px'></iframe>";
    let shadow = format!(
        "<body style='background:#0f0'><x-a><template shadowrootmode=open><style>@media (scripting: none){{p{{background:#f00}}}}</style>\
         {noscript}<p style='margin:0;height:60px'></template></x-a><div style='height:2000px'></div>"
    );
    let site = Site::start([
        ("/sized", page(&sized)),
        ("/media", page(media)),
        ("/framed", page(framed)),
        ("/shadow", page(&shadow)),
    ])
    .await;
    let engine = start(deep());
    for path in ["/sized", "/media", "/framed", "/shadow"] {
        for query in ["", "full_page=true", "clip=0,0,50,60", "clip=0,1000,50,50"] {
            let seen = shown(&engine, &site, path, query).await;
            assert_eq!(count(&seen, 5, LIME), seen.height as usize, "{path} {query}");
        }
    }
    let element = shown(&engine, &site, "/sized", "selector=%23e").await;
    assert!(is_all(&element, LIME));
    engine.shutdown().await;
}

// Fixed heads and feet, sticky ones, backgrounds that stay: browsershot#86, gowitness#105.
#[tokio::test]
async fn bars_are_there_once_and_backgrounds_everywhere() {
    let bars = "<body style='background:#00f'><style>div{height:500px}</style>\
        <header style='position:fixed;top:0;left:0;width:100%;height:30px;background:#f00'></header>\
        <footer style='position:fixed;bottom:0;left:0;width:100%;height:20px;background:#0f0'></footer>\
        <div></div><nav style='position:sticky;top:0;height:25px;background:#ff0'></nav><div></div><div></div>";
    let attached =
        "<body style='background:linear-gradient(#0f0,#0f0) fixed'><div style='height:3000px'></div>";
    let parallax = "<div style='height:1500px'></div>\
        <section style='height:150px;background:linear-gradient(#0f0,#0f0) fixed no-repeat center/cover'></section><div style='height:900px'></div>";
    let behind = "<div style='position:fixed;inset:0;z-index:-1;background:#0f0'></div><div style='height:3000px'></div>";
    let beneath = "<div style='position:fixed;inset:0;pointer-events:none;background:#0f0'></div>\
        <main style='position:relative;z-index:1;height:3000px'><p style='margin:0;height:2990px;width:90%'></p></main>";
    let above = "<body style='background:#00f'><div style='position:fixed;inset:0;z-index:9;background:#0f0'><p>Accept</p></div>\
        <div style='height:3000px'></div>";
    let site = Site::start([
        ("/bars", page(bars)),
        ("/attached", page(attached)),
        ("/parallax", page(parallax)),
        ("/behind", page(behind)),
        ("/beneath", page(beneath)),
        ("/above", page(above)),
    ])
    .await;
    let engine = start(deep());
    for scale in [1, 2, 3] {
        let all = shown(&engine, &site, "/bars", &format!("full_page=true&scale={scale}")).await;
        assert_eq!(all.size(), (320 * scale, 1525 * scale));
        let seen = |colour| count(&all, 5, colour) / scale as usize;
        assert_eq!((seen(RED), seen(LIME), seen(YELLOW)), (30, 20, 25), "at {scale}");
        assert_eq!((all.at(5, 5), all.at(5, 190 * scale), all.at(5, 510 * scale)), (RED, LIME, YELLOW));
    }
    for path in ["/attached", "/behind", "/beneath"] {
        let all = shown(&engine, &site, path, "full_page=true").await;
        assert_eq!(count(&all, 310, LIME), 3000, "{path}");
    }
    let all = shown(&engine, &site, "/parallax", "full_page=true").await;
    assert_eq!((count(&all, 5, LIME), all.at(5, 1505), all.at(5, 1645)), (150, LIME, LIME));
    // What lies over the page does so on the first screen.
    let all = shown(&engine, &site, "/above", "full_page=true").await;
    assert_eq!((count(&all, 310, LIME), count(&all, 310, BLUE)), (200, 2800));
    engine.shutdown().await;
}

// What depends on the height of the screen, and what follows it: the page looks as on the screen
// that was asked for.
#[tokio::test]
async fn the_screen_is_as_high_as_it_was_asked_for() {
    let sized = "<body style='background:#00f'><style>@media (min-height:300px){section{background:#f00 !important}}</style>\
        <section style='height:100vh;background:#0f0'></section><section style='min-height:50vh;background:#ff0'></section>\
        <div style='height:2000px'></div><script>onresize = () => document.body.style.background = '#f00';\
        new ResizeObserver(() => { if (innerHeight !== 200) document.body.style.background = '#f00' }).observe(document.documentElement)</script>";
    let chain = "<style>html,body,main{height:100%}</style><main style='background:#0f0'></main><div style='height:1000px;background:#00f'></div>";
    let snaps = "<style>html{scroll-snap-type:y mandatory;scroll-behavior:smooth}p{margin:0;height:170px;scroll-snap-align:start}</style>\
        <p style='background:#0f0'></p><p style='background:#ff0'></p><p style='background:#00f'></p><p style='background:#f00'></p>";
    let site = Site::start([("/sized", page(sized)), ("/chain", page(chain)), ("/snaps", page(snaps))]).await;
    let engine = start(deep());
    let all = shown(&engine, &site, "/sized", "full_page=true").await;
    assert_eq!(all.size(), (320, 2300));
    assert_eq!((count(&all, 5, LIME), count(&all, 5, YELLOW), count(&all, 5, BLUE)), (200, 100, 2000));
    let all = shown(&engine, &site, "/chain", "full_page=true").await;
    assert_eq!((count(&all, 5, LIME), count(&all, 5, BLUE)), (200, 1000));
    for scale in ["1", "1.5", "2.625"] {
        let all = shown(&engine, &site, "/snaps", &format!("full_page=true&scale={scale}")).await;
        let edge = |section: usize| section as f64 * 170.0 * scale.parse::<f64>().unwrap();
        for (section, colour) in [LIME, YELLOW, BLUE, RED].into_iter().enumerate() {
            // A row of pixels that two sections share has the colour of neither.
            let rows = edge(section + 1).floor() as usize - edge(section).ceil() as usize;
            assert_eq!(count(&all, 5, colour), rows, "{colour:?} at {scale}");
        }
    }
    engine.shutdown().await;
}

// Zoomed and transformed pages.
#[tokio::test]
async fn zoomed_and_transformed_elements_are_found() {
    let site = Site::start([
        (
            "/zoomed",
            page(
                "<html style='zoom:1.5'><div style='height:1000px'></div><div id=e style='width:40px;height:20px;background:#0f0'></div>\
                 <div style='height:1000px'></div>",
            ),
        ),
        (
            "/scaled",
            page(
                "<div style='height:1000px'></div><div style='transform:scale(.5);transform-origin:0 0'>\
                 <div id=e style='width:120px;height:60px;background:#0f0'></div></div><div style='height:1000px'></div>",
            ),
        ),
        (
            "/framed",
            page(
                "<div style='height:1000px'></div><iframe src=/inner style='border:0;width:400px;height:300px;transform:scale(.5);transform-origin:0 0'>\
                 </iframe><div style='height:1000px'></div>",
            ),
        ),
        ("/inner", page("<div style='height:150px'></div><div id=e style='width:120px;height:60px;background:#0f0'></div>")),
        (
            "/fixed",
            page("<div style='height:3000px'></div><div id=e style='position:fixed;right:10px;bottom:10px;width:60px;height:30px;background:#0f0'></div>"),
        ),
    ])
    .await;
    let engine = start(deep());
    for path in ["/zoomed", "/scaled", "/framed", "/fixed"] {
        let element = shown(&engine, &site, path, "selector=%23e").await;
        assert_eq!(element.size(), (60, 30), "{path}");
        assert!(is_all(&element, LIME), "{path}");
    }
    engine.shutdown().await;
}

// Elements and boxes larger than the screen, in both directions, and boxes that go beyond the page.
#[tokio::test]
async fn large_elements_and_boxes_are_whole() {
    let large = "<body style='background:#f00'><div style='height:700px'></div>\
        <div id=e style='width:900px;height:1000px;background:linear-gradient(#0f0 50%,#00f 50%)'></div><div style='height:900px'></div>\
        <header style='position:fixed;top:0;left:0;width:100%;height:30px;background:#ff0'></header>";
    let small = "<body style='background:#00f'><p style='margin:0;height:20px;background:#0f0'>";
    let site = Site::start([("/large", page(large)), ("/small", page(small))]).await;
    let engine = start(deep());
    for format in ["png", "webp", "jpeg"] {
        let answer = shoot(&engine, &site.url("/large"), &format!("selector=%23e&format={format}")).await;
        let bytes = picture(answer);
        if format == "png" {
            let element = Pixels::decode(&bytes);
            assert_eq!(element.size(), (900, 1000));
            for x in [0, 450, 899] {
                assert_eq!((count(&element, x, LIME), count(&element, x, BLUE)), (500, 500), "column {x}");
            }
        } else {
            assert!(bytes.starts_with(if format == "webp" { b"RIFF" } else { b"\xff\xd8\xff\xe0" }));
        }
    }
    let clip = shown(&engine, &site, "/large", "clip=0,650,900,1100").await;
    assert_eq!((count(&clip, 5, LIME), count(&clip, 899, BLUE), count(&clip, 5, RED)), (500, 500, 100));
    let clip = shown(&engine, &site, "/small", "clip=300,10,100,300").await;
    assert_eq!((clip.size(), count(&clip, 5, LIME), count(&clip, 5, BLUE)), ((100, 300), 10, 290));
    engine.shutdown().await;
}

// capture-website#82, pageres#360: web applications in which something else than the document
// scrolls.
#[tokio::test]
async fn whole_pages_of_applications_are_whole() {
    let shell = |content: &str| {
        page(&format!(
            "<style>html,body{{height:100%;overflow:hidden}}</style><div style='display:flex;flex-direction:column;height:100vh'>\
             <header style='height:40px;background:#f00'></header><main style='flex:1;overflow-y:auto;background:#00f'>{content}</main></div>"
        ))
    };
    let content = "<div style='height:1000px'></div><img loading=lazy src=/lime.svg style='display:block'><div style='height:500px'></div>";
    let absolute = page(&format!(
        "<main style='position:absolute;inset:0;overflow:auto;background:#00f'><header style='height:40px;background:#f00'></header>{content}</main>"
    ));
    let site = Site::start([("/flex", shell(content)), ("/absolute", absolute), ("/lime.svg", svg())]).await;
    let engine = start(deep());
    for path in ["/flex", "/absolute"] {
        let all = shown(&engine, &site, path, "full_page=true").await;
        assert_eq!(all.size(), (320, 1590), "{path}");
        assert_eq!(
            (count(&all, 5, RED), count(&all, 5, LIME), count(&all, 5, BLUE)),
            (40, 50, 1500),
            "{path}"
        );
    }
    engine.shutdown().await;
}

// Elements that come in with the scroll position by style alone.
#[tokio::test]
async fn what_is_animated_by_its_place_is_shown() {
    let body = "<style>@keyframes in{from{opacity:0}to{opacity:1}}\
        .in{height:100px;background:#0f0;animation:in linear both;animation-timeline:view();animation-range:entry 0% cover 40%}</style>\
        <div style='height:1000px'></div><div class=in></div><div style='height:1000px'></div><div class=in></div>";
    let site = Site::start([("/", page(body))]).await;
    let engine = start(deep());
    let all = shown(&engine, &site, "/", "full_page=true").await;
    assert_eq!(count(&all, 5, LIME), 200);
    engine.shutdown().await;
}

// 9 % of real pages are higher than 16,384 pixels, where Chrome ends one screenshot.
#[tokio::test]
async fn long_pages_are_whole_at_the_default_bounds() {
    let long = page(
        "<body style='background:#00f'><div style='height:60000px'></div><p style='margin:0;height:40px;background:#0f0'>",
    );
    let site = Site::start([("/", long)]).await;
    let engine = start(Config { limits: Limits::default(), ..config() });
    let all = shown(&engine, &site, "/", "full_page=true&width=1280&height=1000").await;
    assert_eq!(all.size(), (1280, 60_040));
    assert_eq!((count(&all, 5, BLUE), count(&all, 1270, LIME)), (60_000, 40));
    engine.shutdown().await;
}
