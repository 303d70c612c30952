//! The same page gives the same bytes, whatever moves on it, and all of it:
//! - animations, transitions, the caret, animated images and videos stand still;
//! - lazy images of a full page are loaded, and the page stands at its top;
//! - a page beyond one texture is captured in tiles without seams, and its true height is told;
//! - a page whose layout shifts is waited for.

use tintype::origin::Origin;
use tintype::origin::chrome::{Config, Limits};

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, shoot, start};

const RED: [u8; 3] = [255, 0, 0];
const LIME: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];

#[tokio::test]
async fn what_moves_stands_still() {
    let page = "<!doctype html><style>body{margin:0}\
        @keyframes go{from{transform:translateX(0)}to{transform:translateX(300px)}}\
        @keyframes fade{from{background:#f00}to{background:#0f0}}\
        .go{width:20px;height:20px;background:#00f;animation:go 1.7s linear infinite}\
        .once{width:20px;height:20px;animation:fade 60s forwards}\
        .slow{width:20px;height:20px;background:#f00;transition:background 60s}</style>\
        <div class=go></div><div class=once></div><div class=slow></div>\
        <svg width=320 height=20><rect width=20 height=20 fill=blue><animate attributeName=x from=0 to=300 dur=1.3s \
        repeatCount=indefinite /></rect></svg><input id=i autofocus>\
        <script>setTimeout(() => document.querySelector('.slow').style.background='#0f0', 0); i.focus()</script>";
    let site = Site::start([("/", html(page))]).await;
    let engine = start(config());
    let first = picture(shoot(&engine, &site.url("/"), "delay=100").await);
    let second = picture(shoot(&engine, &site.url("/"), "delay=700").await);
    let third = picture(shoot(&engine, &site.url("/"), "delay=1234").await);
    assert!(first == second && second == third, "the same bytes");
    let shown = Pixels::decode(&first);
    // The endless one at its beginning, those with an end there.
    assert_eq!((shown.at(5, 5), shown.at(5, 25), shown.at(5, 45)), (BLUE, LIME, LIME));
    assert_eq!(shown.at(5, 65), BLUE);
    engine.shutdown().await;
}

#[tokio::test]
async fn animated_images_show_their_first_frame() {
    // Two frames of one pixel, red and lime, a tenth of a second each, for ever.
    let gif = "data:image/gif;base64,R0lGODlhAQABAIEAAP8AAAD/AAAA/wAAACH/C05FVFNDQVBFMi4wAwEAAAAh+QQECgAAACwAAAAAAQABAAACAkQBACH5BAQKAAAALAAAAAABAAEAAAICTAEAOw==";
    let page = format!(
        "<!doctype html><body style='margin:0'><img src='{gif}' width=50 height=50>\
         <div style=\"position:absolute;top:100px;width:50px;height:50px;background:url('{gif}')\"></div>"
    );
    let site = Site::start([("/", html(page))]).await;
    let engine = start(config());
    for delay in [0, 150, 250, 480] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), &format!("delay={delay}")).await));
        assert_eq!((shown.at(5, 5), shown.at(5, 105)), (RED, RED), "after {delay} ms");
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn full_pages_are_whole() {
    let svg = "<svg xmlns='http://www.w3.org/2000/svg' width='20' height='20'><rect width='20' height='20' fill='#0f0'/></svg>";
    let page = "<!doctype html><style>body{margin:0;height:3000px;background:#f00;position:relative}\
        img,div{position:absolute;left:0;width:20px;height:20px}</style>\
        <img src=/lime.svg?1 loading=lazy style='top:2900px'><div id=watched style='top:2500px'></div>\
        <script>new IntersectionObserver(seen => { if (seen.some(s => s.isIntersecting)) watched.style.background='#0f0' })\
        .observe(watched)</script>";
    let site =
        Site::start([("/", html(page)), ("/lime.svg", Answer::Now(200, "image/svg+xml", svg.into()))]).await;
    let engine = start(config());
    let answer = shoot(&engine, &site.url("/"), "full_page=true").await;
    assert_eq!(answer.as_ref().unwrap().headers()["x-page-height"], "3000");
    let shown = Pixels::decode(&picture(answer));
    assert_eq!(shown.size(), (320, 3000));
    assert_eq!((shown.at(5, 2905), shown.at(5, 2505), shown.at(5, 5)), (LIME, LIME, RED));
    engine.shutdown().await;
}

#[tokio::test]
async fn pages_beyond_one_texture_are_joined_without_seams() {
    // Every 100 pixels one level of green more; a head that is fixed to the screen; a mark at the very end.
    let page = "<!doctype html><style>body{margin:0;position:relative}\
        header{position:fixed;top:0;left:0;width:50px;height:30px;background:#f00}\
        i{display:block;height:100px}</style><header></header>\
        <script>for (let n = 0; n < 600; n++) { const i = document.createElement('i');\
        i.style.background = `rgb(0,${n % 256},${Math.floor(n / 256) * 100})`; document.body.append(i); }</script>";
    let site = Site::start([("/", html(page))]).await;
    let limits = Limits { max_full_page_height: 60_000, ..config().limits };
    let engine = start(Config { limits, ..config() });
    for (query, width, scale) in [("width=100", 100, 1), ("width=60&scale=2", 120, 2)] {
        let answer = shoot(&engine, &site.url("/"), &format!("full_page=true&{query}")).await;
        assert_eq!(answer.as_ref().unwrap().headers()["x-page-height"], "60000");
        let shown = Pixels::decode(&picture(answer));
        assert_eq!(shown.size(), (width, 60_000 * scale));
        for n in 0..600_u32 {
            let expected = [0, (n % 256) as u8, (n / 256 * 100) as u8];
            for y in [n * 100 * scale, n * 100 * scale + 50, (n * 100 + 100) * scale - 1] {
                assert_eq!(shown.at(55 * scale, y), expected, "{query} row {y}");
            }
        }
        let reds = (0..60_000 * scale).filter(|y| shown.at(5, *y) == RED).count();
        assert_eq!(reds, 30 * scale as usize, "{query}: the head is there once");
        assert_eq!(shown.at(5, 5), RED);
    }
    // Lossy pictures end where their format does.
    let webp = shoot(&engine, &site.url("/"), "full_page=true&width=10&format=webp").await;
    assert_eq!(webp.as_ref().unwrap().headers()["x-page-height"], "60000");
    assert_eq!(&picture(webp)[8..12], b"WEBP");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_shifting_layout_is_waited_for() {
    let page = "<!doctype html><body style='margin:0;background:#f00'><div id=above></div>\
        <div style='height:50px;background:#00f'>text</div><script>let n = 0; onload = function shift() {\
        above.style.height = n * 5 + 'px';\
        if (n++ < 40) setTimeout(shift, 20); else document.body.style.background = '#0f0' }</script>";
    let site = Site::start([("/", html(page))]).await;
    let engine = start(config());
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), "height=300&delay=150").await));
    assert_eq!((shown.at(300, 190), shown.at(300, 210), shown.at(300, 260)), (LIME, BLUE, LIME));
    engine.shutdown().await;
}
