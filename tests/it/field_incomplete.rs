//! A page that does not finish loading is captured as it is (browsershot#370, pyppeteer#179, playwright#32849), and the
//! picture is marked as incomplete.

use std::time::Duration;

use ::tintype::origin::chrome::{Config, Limits};
use ::tintype::origin::{Origin, OriginError};

use crate::chrome_site::{self, Pixels, Site, config, html, picture, shoot, start};
use crate::support::*;

const LIME: [u8; 3] = [0, 255, 0];

fn impatient() -> Config {
    let limits = Limits { max_load: Duration::from_secs(1), ..config().limits };
    Config { limits, ..config() }
}

#[tokio::test]
async fn one_part_that_hangs_does_not_cost_the_picture() {
    let engine = start(impatient());
    for part in [
        "<img src=/never width=1 height=1>",
        "<script>new Image().src = '/never'</script>",
        "<link rel=stylesheet href=/never>",
        "<style>@import '/never';</style>",
        "<style>@font-face{font-family:f;src:url(/never)}body{font-family:f}</style>",
        "<script src=/never></script>",
        "<script src=/never defer></script>",
        "<script src=/never type=module></script>",
        "<iframe src=/never></iframe>",
        "<object data=/never></object>",
        "<video src=/never autoplay></video>",
    ] {
        let page = format!(
            "<!doctype html><html><head><meta charset=utf-8>{part}</head>\
             <body style='margin:0;background:#f00'>text<div style='position:absolute;top:0;left:0;width:200px;height:100px;background:#0f0'></div></body></html>"
        );
        let site = Site::start([("/", html(page)), ("/never", chrome_site::Answer::Never)]).await;
        let answer = shoot(&engine, &site.url("/"), "").await;
        let response = answer.as_ref().unwrap_or_else(|error| panic!("{part}: {error}"));
        let told = response.headers()["x-capture"].to_str().unwrap();
        // Chrome's load event does not wait for every one of them.
        if told.starts_with("incomplete") {
            assert!(told.starts_with("incomplete; pending="), "{part}: {told}");
            assert_eq!(response.headers()["cache-control"], "public, max-age=60", "{part}");
        }
        assert_eq!(Pixels::decode(&picture(answer)).at(150, 50), LIME, "{part}");
    }
    assert!(engine.stats().incomplete >= 6, "{:?}", engine.stats());
    engine.shutdown().await;
}

#[tokio::test]
async fn a_document_without_an_end_is_captured_as_far_as_it_came() {
    let site = Site::start([("/", chrome_site::Answer::Drip)]).await;
    let engine = start(impatient());
    let answer = shoot(&engine, &site.url("/"), "allow_blank=false").await;
    assert!(answer.as_ref().unwrap().headers()["x-capture"].to_str().unwrap().starts_with("incomplete"));
    assert!(!picture(answer).is_empty());
    engine.shutdown().await;
}

/// A page that has more screens than there is time for (playwright#13087: full pages time out): the picture ends where the
/// time did, and says so.
#[tokio::test]
async fn full_page_beyond_the_deadline_ends_where_the_time_did() {
    let page =
        "<body style='margin:0'><div style='height:80000px;background:linear-gradient(red,blue)'></div>";
    let site = Site::start([("/", html(page))]).await;
    let limits = Limits { max_full_page_height: 200_000, ..config().limits };
    let deadline = Duration::from_secs(10);
    let engine = start(Config { limits, deadline, ..config() });
    let url = site.url("/");
    // 4,000 screens of 20 pixels.
    let (cut, refused) = tokio::join!(
        shoot(&engine, &url, "full_page=true&width=100&height=20"),
        shoot(&engine, &url, "full_page=true&width=100&height=20&on_timeout=error")
    );
    let fields = cut.as_ref().unwrap().headers().clone();
    let state = fields["x-capture"].to_str().unwrap();
    let height: u32 =
        state.strip_prefix("incomplete; height=").unwrap_or_else(|| panic!("{state}")).parse().unwrap();
    assert_eq!(fields["x-page-height"], "80000");
    assert_eq!(fields["cache-control"], "public, max-age=60");
    let pixels = Pixels::decode(&picture(cut));
    assert_eq!((pixels.width, pixels.height), (100, height));
    assert!((20..80_000).contains(&height), "{height}");
    assert!(
        matches!(refused, Err(OriginError::TimedOut { phase: "capture", after }) if after == deadline),
        "{refused:?}"
    );
    engine.shutdown().await;
}

#[tokio::test]
async fn a_request_may_want_an_error_instead() {
    let site =
        Site::start([("/", html("<img src=/never>text")), ("/never", chrome_site::Answer::Never)]).await;
    let engine = start(impatient());
    let answer = shoot(&engine, &site.url("/"), "on_timeout=error").await;
    let after = Duration::from_secs(1);
    assert_eq!(answer.err(), Some(OriginError::TimedOut { phase: "load", after }));
    engine.shutdown().await;
}

/// The page is whole first, then one part of it hangs.
#[tokio::test]
async fn an_incomplete_picture_never_replaces_a_complete_one() {
    let picture = |body: &'static str, state: &'static str| {
        Reply::ok(body).header("X-Capture", state).header("Cache-Control", "max-age=10, stale-if-error=60")
    };
    let origin = ScriptedOrigin::sequence([
        picture("whole", "settled; after=10ms"),
        picture("part", "incomplete; pending=1"),
        picture("whole again", "settled; after=20ms"),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(11);
    let covered = tintype.get("/a").await;
    assert_eq!(glance(&covered), seen(200, "STALE", "whole"));
    assert!(covered.header("cache-status").unwrap().contains("detail=incomplete"), "{covered:?}");
    tintype.later(30);
    // After a failure the stored picture answers, and the origin is asked in the background.
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "whole"));
    origin.received(3).await;
    for _ in 0..1000 {
        if tintype.get("/a").await.text() == "whole again" {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the complete picture is not stored");
}
