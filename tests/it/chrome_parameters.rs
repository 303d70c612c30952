//! Every parameter does what its name says, to a real page:
//! - a document of its own, an element or a box of a page, what is hidden, styled and scripted;
//! - what the page is told about screen and visitor; header fields reach the target's own origin and nobody else;
//! - what is blocked is never asked for; what is waited for is there;
//! - what only the browser can judge is still a bad parameter.

use http::{Method, Request, Response};
use tintype::message::body::Body;
use tintype::origin::chrome::Engine;
use tintype::origin::{Origin, OriginError};

use crate::chrome_site::{Answer, Pixels, Site, config, html, picture, problem, shoot, start};

const RED: [u8; 3] = [255, 0, 0];
const LIME: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];

async fn post(engine: &Engine, body: &str) -> Result<Response<Body>, OriginError> {
    let request = Request::post("http://shots.example/screenshot").header("content-type", "application/json");
    engine.fetch(request.body(Body::whole(body.to_owned())).unwrap()).await
}

/// A red page that turns lime if `condition` holds.
fn lime_if(condition: &str) -> Answer {
    html(format!(
        "<!doctype html><meta name=viewport content='width=device-width'><body style='margin:0;background:#f00'>\
         <script>if ({condition}) document.body.style.background = '#0f0'</script>"
    ))
}

#[tokio::test]
async fn the_page_is_told_what_was_asked_for() {
    let site = Site::start([
        ("/dark", lime_if("matchMedia('(prefers-color-scheme: dark)').matches")),
        ("/light", lime_if("matchMedia('(prefers-color-scheme: light)').matches")),
        ("/still", lime_if("matchMedia('(prefers-reduced-motion: reduce)').matches")),
        ("/print", lime_if("matchMedia('print').matches")),
        ("/mobile", lime_if("innerWidth === 393 && devicePixelRatio === 3 && navigator.userAgent.includes('iPhone')")),
        ("/touch", lime_if("'ontouchstart' in window && navigator.maxTouchPoints > 0")),
        ("/landscape", lime_if("innerWidth === 667 && innerHeight === 375")),
        ("/agent", lime_if("navigator.userAgent === 'me/1'")),
        ("/zone", lime_if("Intl.DateTimeFormat().resolvedOptions().timeZone === 'Asia/Tokyo'")),
        ("/locale", lime_if("navigator.language === 'de-CH' && (0.5).toLocaleString('de-DE') === '0,5' \
            && Intl.NumberFormat().resolvedOptions().locale === 'de-CH' && /Chrome/.test(navigator.userAgent)")),
        ("/cookie", lime_if("document.cookie.split('; ').sort().join() === 'A=1,b=x y'")),
    ])
    .await;
    let engine = start(config());
    for (path, query) in [
        ("/dark", "dark_mode=true"),
        ("/light", "dark_mode=false"),
        ("/still", "reduced_motion=true"),
        ("/print", "media_type=print"),
        ("/mobile", "device=iphone-15"),
        ("/touch", "touch=true"),
        ("/landscape", "device=iphone-se&landscape=true&scale=1"),
        ("/agent", "user_agent=me/1"),
        ("/zone", "time_zone=Asia/Tokyo"),
        ("/locale", "locale=de-CH"),
        ("/cookie", "cookies=A%3D1;+b%3Dx+y"),
    ] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), query).await));
        assert_eq!(shown.at(5, 5), LIME, "{path}");
        let without = Pixels::decode(&picture(shoot(&engine, &site.url(path), "").await));
        assert_eq!(without.at(5, 5), if path == "/light" { LIME } else { RED }, "{path}");
    }
    engine.shutdown().await;
}

#[tokio::test]
async fn a_given_document_is_captured() {
    let site =
        Site::start([("/lime.css", Answer::Now(200, "text/css", "body{background:#0f0}".into()))]).await;
    let engine = start(config());
    let body = format!(
        r#"{{ "html": "<!doctype html><link rel=stylesheet href={}><p>\u00e9", "width": 50, "height": 40 }}"#,
        site.url("/lime.css")
    );
    let shown = Pixels::decode(&picture(post(&engine, &body).await));
    assert_eq!((shown.size(), shown.at(40, 5)), ((50, 40), LIME));
    engine.shutdown().await;
}

#[tokio::test]
async fn parts_of_a_page_are_captured() {
    let page = "<!doctype html><style>body{margin:0;background:#f00;height:2000px;width:600px}\
        div{position:absolute;left:400px;top:900px;width:30px;height:20px;background:#0f0}</style>\
        <div id=there></div><div id=empty style='width:0'></div>";
    let clear = "<!doctype html><body style='margin:0'><div style='width:10px;height:10px;background:#0f0'>";
    let site = Site::start([("/", html(page)), ("/clear", html(clear))]).await;
    let engine = start(config());
    let element = Pixels::decode(&picture(shoot(&engine, &site.url("/"), "selector=%23there").await));
    assert_eq!((element.size(), element.at(0, 0), element.at(29, 19)), ((30, 20), LIME, LIME));
    let clip = Pixels::decode(&picture(shoot(&engine, &site.url("/"), "clip=395,890,50,40&scale=2").await));
    assert_eq!((clip.size(), clip.at(5, 5), clip.at(12, 22)), ((100, 80), RED, LIME));
    let cut = shoot(&engine, &site.url("/"), "full_page=true&full_page_max_height=950").await;
    assert_eq!(cut.as_ref().unwrap().headers()["x-page-height"], "2000");
    // A full page is as wide as its content (webdriverio#8903).
    assert_eq!(Pixels::decode(&picture(cut)).size(), (600, 950));
    for query in ["selector=%23empty", "selector=%23nowhere"] {
        let config = tintype::origin::chrome::Limits {
            max_wait: std::time::Duration::from_secs(1),
            ..config().limits
        };
        let engine =
            start(tintype::origin::chrome::Config { limits: config, ..crate::chrome_site::config() });
        let error = shoot(&engine, &site.url("/"), query).await.unwrap_err();
        assert_eq!(error.name(), "capture-selector", "{error}");
        engine.shutdown().await;
    }

    let white = Pixels::decode(&picture(shoot(&engine, &site.url("/clear"), "").await));
    assert_eq!((white.at(5, 5), white.at(50, 50)), (LIME, [255; 3]));
    let clear = Pixels::decode(&picture(shoot(&engine, &site.url("/clear"), "omit_background=true").await));
    assert_eq!((clear.alpha(5, 5), clear.alpha(50, 50)), (255, 0));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_page_is_changed_as_asked() {
    let page = "<!doctype html><body style='margin:0;background:#0f0'>\
        <div class=banner style='position:fixed;inset:0;background:#f00'></div><p id=p>";
    let late = "<!doctype html><body style='margin:0;background:#f00'><script>setTimeout(() => {\
        document.body.style.background = '#0f0'; document.body.insertAdjacentHTML('beforeend', '<i id=late>')}, 700)\
        </script>";
    let site = Site::start([("/", html(page)), ("/late", html(late))]).await;
    let engine = start(config());
    for (path, query, expected) in [
        ("/", "", RED),
        ("/", "hide_selectors=.nothing,.banner", LIME),
        ("/", "hide_selectors=.x&hide_selectors=.banner", LIME),
        ("/", "css=.banner%7Bbackground:%2300f+!important%7D", BLUE),
        ("/", "js=await+0;document.querySelector('.banner').remove()+//+gone", LIME),
        ("/late", "wait_for_selector=%23late", LIME),
        ("/late", "wait_until=networkidle&delay=1s", LIME),
        ("/late", "wait_until=domcontentloaded", RED),
        ("/late", "wait_until=load", RED),
    ] {
        let shown = Pixels::decode(&picture(shoot(&engine, &site.url(path), query).await));
        assert_eq!(shown.at(5, 5), expected, "{path} {query}");
    }
    let error = shoot(&engine, &site.url("/"), "js=nothing.at.all").await.unwrap_err();
    assert_eq!(error.name(), "capture-script");
    assert!(error.to_string().contains("nothing is not defined"), "{error}");
    engine.shutdown().await;
}

#[tokio::test]
async fn fields_reach_the_own_origin_alone_and_what_is_blocked_nobody() {
    let other = Site::start([("/seen", Answer::Echo("x-key")), ("/s.js", Answer::Echo("x-key"))]).await;
    let page = format!(
        "<!doctype html><body style='margin:0;background:#0f0'><img src=/blocked.png>\
         <script src=/own.js></script><script src={}></script>",
        other.url("/s.js")
    );
    let site = Site::start([
        ("/", html(page)),
        ("/own.js", Answer::Echo("x-key")),
        ("/whoami", Answer::Echo("authorization")),
        ("/away", Answer::To(other.url("/seen"))),
    ])
    .await;
    let engine = start(config());
    let query = "headers=X-Key:+hush&authorization=Basic+eA&block_resources=images";
    picture(shoot(&engine, &site.url("/"), query).await);
    picture(shoot(&engine, &site.url("/whoami"), query).await);
    picture(shoot(&engine, &site.url("/away"), query).await);
    assert_eq!(site.echoed(), ["/own.js hush", "/whoami Basic eA"]);
    assert_eq!(other.echoed(), ["/s.js none", "/seen none"]);
    assert_eq!(site.times("/blocked.png"), 0);
    engine.shutdown().await;
}

/// screenshotone.com/docs/options has `block_requests` with patterns of URLs.
#[tokio::test]
async fn block_requests_stops_matching_requests_of_page_and_frames() {
    let other = Site::start([(
        "/frame",
        html("<script src=/ads/in-frame.js></script><script src=/in-frame.js></script>"),
    )])
    .await;
    let page = format!(
        "<!doctype html><body style='margin:0;background:#0f0'><img src=/ads/image.png>\
         <script src=/ads/script.js></script><script src=/own.js></script><iframe src={}></iframe>",
        other.url("/frame")
    );
    let site = Site::start([("/ads/page", html(&page)), ("/own.js", Answer::Echo("x-key"))]).await;
    let engine = start(config());
    let query = "block_requests=*/ads/*&wait_for_selector=iframe";
    picture(shoot(&engine, &site.url("/ads/page"), query).await);
    assert_eq!((site.times("/ads/page"), site.times("/own.js")), (1, 1), "the page itself is not blocked");
    assert_eq!((site.times("/ads/image.png"), site.times("/ads/script.js")), (0, 0));
    assert_eq!((other.times("/frame"), other.times("/in-frame.js")), (1, 1));
    assert_eq!(other.times("/ads/in-frame.js"), 0);
    let long = format!("block_requests={}", "x".repeat(1025));
    let found = problem(shoot(&engine, &site.url("/ads/page"), &long).await, 400);
    assert_eq!(found["errors"][0]["parameter"], "block_requests", "{found}");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_page_may_know_its_place() {
    // Loopback is as good as a secure page.
    let page = "<!doctype html><body style='margin:0;background:#f00'><script>\
        navigator.geolocation.getCurrentPosition(({ coords: c }) => {\
        if (c.latitude === 47.5 && c.longitude === -8.25 && c.accuracy === 20) document.body.style.background='#0f0';\
        document.body.id = 'told' }, () => { document.body.id = 'told' })</script>";
    let site = Site::start([("/", html(page))]).await;
    let engine = start(config());
    let query = "geolocation_latitude=47.5&geolocation_longitude=-8.25&geolocation_accuracy=20&wait_for_selector=%23told";
    let shown = Pixels::decode(&picture(shoot(&engine, &site.url("/"), query).await));
    assert_eq!(shown.at(5, 5), LIME);
    engine.shutdown().await;
}

#[tokio::test]
async fn what_only_the_browser_can_judge_is_a_bad_parameter_too() {
    let site = Site::start([("/", lime_if("true"))]).await;
    let engine = start(config());
    for (query, name) in [
        ("time_zone=Mars/Olympus", "time_zone"),
        ("hide_selectors=a%3Anope(", "hide_selectors"),
        ("wait_for_selector=%3E%3E", "wait_for_selector"),
        ("selector=%5B", "selector"),
    ] {
        let found = problem(shoot(&engine, &site.url("/"), query).await, 400);
        assert_eq!(found["errors"][0]["parameter"], name, "{found}");
    }
    let request = Request::builder().method(Method::POST).uri("http://shots.example/screenshot");
    problem(engine.fetch(request.body(Body::whole("{}")).unwrap()).await, 415);
    problem(post(&engine, "{}").await, 400);
    engine.shutdown().await;
}
