//! The capture engine makes real pictures of real pages:
//! - the picture has `width * scale` by `height * scale` pixels, in the format that was asked for, and shows the page;
//! - a full page is as high as its content, up to the limit;
//! - fonts, images, dialogs and scripts that go elsewhere are waited for or answered;
//! - captures share nothing, and the same page twice gives the same bytes and entity tag;
//! - bad parameters are all named at once; pages that fail are errors and not pictures.

use http::Method;
use tintype::origin::chrome::Engine;
use tintype::origin::{Origin, OriginError};

use crate::chrome_site::{Answer, NOW, Pixels, Site, ask, config, html, picture, problem, shoot, start};

const RED: [u8; 3] = [255, 0, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const LIME: [u8; 3] = [0, 255, 0];

/// A red corner of 10 by 10 on blue.
const CORNER: &str = "<!doctype html><body style='margin:0;background:#00f'>\
    <div style='width:10px;height:10px;background:#f00'></div>";

#[tokio::test]
async fn pictures_have_the_size_and_show_the_page() {
    let tall =
        "<!doctype html><body style='margin:0;height:1500px;background:linear-gradient(#00f 50%,#f00 50%)'>";
    let endless = "<!doctype html><body style='margin:0;height:99999px;background:#f00'>";
    let site = Site::start([("/", html(CORNER)), ("/tall", html(tall)), ("/endless", html(endless))]).await;
    let engine = start(config());

    for (query, size, inside, outside) in [
        ("", (320, 200), 9, 11),
        ("width=101&height=57", (101, 57), 9, 11),
        ("width=101&height=57&scale=2", (202, 114), 19, 21),
        ("width=101&height=57&scale=1.5", (152, 86), 13, 16),
        ("width=101&height=57&scale=0.5", (51, 29), 3, 6),
    ] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), query).await));
        assert_eq!(shown.size(), size, "{query}");
        assert_eq!((shown.at(inside, inside), shown.at(outside, outside)), (RED, BLUE), "{query}");
    }

    let whole = Pixels::decode(&picture(shoot(&engine, &site.url("/tall"), "full_page=true").await));
    assert_eq!(whole.size(), (320, 1500));
    assert_eq!((whole.at(5, 740), whole.at(5, 760)), (BLUE, RED));
    let scaled = picture(shoot(&engine, &site.url("/tall"), "full_page=1&scale=2").await);
    assert_eq!(Pixels::decode(&scaled).size(), (640, 3000));
    let short = picture(shoot(&engine, &site.url("/"), "full_page=1").await);
    assert_eq!(Pixels::decode(&short).size(), (320, 200));
    let cut = picture(shoot(&engine, &site.url("/endless"), "full_page=1&width=100").await);
    assert_eq!(Pixels::decode(&cut).size(), (100, 5000));

    let jpeg = shoot(&engine, &site.url("/"), "format=jpeg&quality=50").await;
    assert_eq!(jpeg.as_ref().unwrap().headers()["content-type"], "image/jpeg");
    assert_eq!(picture(jpeg)[..3], [0xff, 0xd8, 0xff]);
    let webp = shoot(&engine, &site.url("/"), "format=webp").await;
    assert_eq!(webp.as_ref().unwrap().headers()["content-type"], "image/webp");
    let webp = picture(webp);
    assert_eq!((&webp[..4], &webp[8..12]), (&b"RIFF"[..], &b"WEBP"[..]));
    engine.shutdown().await;
}

#[tokio::test]
async fn the_answer_is_ordinary_http_and_the_same_page_has_the_same_tag() {
    let site = Site::start([("/", html("<h1>Same <i>bytes</i></h1><p>each time"))]).await;
    let engine = start(config());
    // The time that a page takes to come to rest is another each time.
    let timeless = |answer: Result<http::Response<tintype::message::body::Body>, OriginError>| {
        let mut answer = answer.unwrap();
        let told = answer.headers_mut().remove("x-capture").unwrap();
        assert!(told.to_str().unwrap().starts_with("settled; after="), "{told:?}");
        answer
    };
    let first = timeless(shoot(&engine, &site.url("/"), "").await);
    let value = |name: &str| first.headers()[name].to_str().unwrap();
    assert_eq!(value("content-type"), "image/png");
    assert_eq!(value("cache-control"), "public, max-age=900");
    assert_eq!(value("last-modified"), httpdate::fmt_http_date(NOW.to_system()));
    assert_eq!(value("x-content-type-options"), "nosniff");
    assert_eq!(value("content-length"), first.body().as_whole().unwrap().len().to_string());

    let second = timeless(shoot(&engine, &site.url("/"), "").await);
    assert_eq!(first.headers(), second.headers());
    assert_eq!(first.body().as_whole(), second.body().as_whole());

    let target = format!("/screenshot?url={}", site.url("/"));
    let head = timeless(ask(&engine, Method::HEAD, &target).await);
    assert_eq!((head.headers(), head.body().as_whole()), (first.headers(), None));
    assert_eq!(engine.stats().captures, 3);
    engine.shutdown().await;
}

#[tokio::test]
async fn captures_share_nothing() {
    let store = "<body><script>document.body.style.background = localStorage.x ? 'red' : 'lime'; localStorage.x = 1\
                 </script>";
    let site = Site::start([("/cookie", Answer::Cookie), ("/store", html(store))]).await;
    let engine = start(config());
    for path in ["/cookie", "/cookie", "/store", "/store"] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), "").await));
        assert_eq!(shown.at(5, 5), LIME, "{path}");
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn pages_that_take_their_time_are_waited_for() {
    let body = |rest: &str| html(format!("<!doctype html><body style='margin:0;background:#f00'>{rest}"));
    let lime = "document.body.style.background='#0f0'";
    let svg = "<svg xmlns='http://www.w3.org/2000/svg' width='400' height='400'><rect width='400' height='400' \
               fill='#0f0'/></svg>";
    let site = Site::start([
        ("/image", body("<img src=/lime.svg style='display:block'>")),
        ("/lime.svg", Answer::Now(200, "image/svg+xml", svg.into())),
        (
            "/late-image",
            body("<script>onload=()=>{let i=new Image();i.src='/lime.svg';document.body.append(i)}</script>"),
        ),
        ("/broken-image", body(&format!("<img src=/nothing><script>{lime}</script>"))),
        ("/dialog", body(&format!("<script>alert('x'); confirm('y'); prompt('z'); {lime}</script>"))),
        ("/timer", body(&format!("<script>setTimeout(()=>{{{lime}}}, 300)</script>"))),
        ("/goes", body("<script>location.replace('/lime')</script>")),
        ("/goes-later", body("<script>onload=()=>{location='/lime'}</script>")),
        ("/redirect", Answer::To("/lime".into())),
        ("/lime", body(&format!("<script>{lime}</script>"))),
    ])
    .await;
    let engine = start(config());
    for (path, query) in [
        ("/image", ""),
        ("/late-image", ""),
        ("/broken-image", ""),
        ("/dialog", ""),
        ("/timer", "delay=1s"),
        ("/goes", ""),
        ("/goes-later", "delay=1000"),
        ("/redirect", ""),
        ("/lime.svg", ""),
    ] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), query).await));
        assert_eq!(shown.at(160, 100), LIME, "{path}");
    }
    engine.shutdown().await;
}

async fn failure(engine: &Engine, url: &str) -> String {
    match shoot(engine, url, "").await {
        Err(error @ (OriginError::Capture(_) | OriginError::Flawed { .. })) => error.to_string(),
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn pages_that_fail_are_errors_and_not_pictures() {
    let site = Site::start([
        ("/empty-500", Answer::Now(500, "text/html", String::new())),
        ("/503", Answer::Now(503, "text/html", "<h1>Sorry</h1>".into())),
        ("/download", Answer::Now(200, "application/x-unknown", "bytes".into())),
        ("/short", Answer::Short),
    ])
    .await;
    let engine = start(config());
    for (path, expected) in [
        ("/missing", "status 404"),
        ("/503", "status 503"),
        ("/empty-500", "status 500"),
        ("/download", "download"),
        ("/short", "broke off"),
    ] {
        let why = failure(&engine, &site.url(path)).await;
        assert!(why.contains(expected), "{path}: {why}");
    }
    // A port that was just given back: nobody listens there.
    let free = std::net::TcpListener::bind((crate::chrome_site::ALLOWED, 0)).unwrap().local_addr().unwrap();
    let why = failure(&engine, &format!("http://{free}/")).await;
    assert!(why.contains("cannot connect"), "{why}");
    let why = failure(&engine, &format!("https://{}/", site.address)).await;
    assert!(why.contains("SSL"), "{why}");
    let why = failure(&engine, "http://no-such-host.invalid/").await;
    assert!(why.contains("cannot resolve no-such-host.invalid"), "{why}");
    assert_eq!(engine.stats().failures, 8);
    engine.shutdown().await;
}

#[tokio::test]
async fn bad_requests_are_told_all_that_is_wrong_and_cost_no_browser() {
    let engine = start(config());
    let found = problem(
        ask(&engine, Method::GET, "/screenshot?url=ftp://x/&width=0&scale=9&colour=red&ttl=5").await,
        400,
    );
    let errors = found["errors"].as_array().unwrap();
    let names: Vec<&str> = errors.iter().map(|error| error["parameter"].as_str().unwrap()).collect();
    assert_eq!(names, ["colour", "url", "width", "scale"]);
    assert_eq!(errors[3]["found"], "9");
    assert_eq!(errors[3]["allowed"], "a number from 0.1 to 4");
    problem(ask(&engine, Method::GET, "/").await, 404);
    let answer = ask(&engine, Method::PUT, "/screenshot").await;
    assert_eq!(answer.as_ref().unwrap().headers()["allow"], "GET, HEAD, POST");
    problem(answer, 405);
    assert_eq!((engine.stats().refused, engine.stats().captures), (1, 0));
    engine.shutdown().await;
}
