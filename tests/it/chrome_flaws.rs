//! A picture that is worse than the last good one is an error of the origin, with a name:
//! - blank or of one colour in every format, or too few bytes, unless the request wants it so;
//! - a status, a text, or a browser's error page that is none of the page.

use tintype::origin::chrome::{Config, Limits};
use tintype::origin::{Origin, OriginError};

use crate::chrome_site::{Answer, Site, config, html, picture, shoot, start};

fn strict() -> Config {
    Config { limits: Limits { allow_blank: false, ..config().limits }, ..config() }
}

#[tokio::test]
async fn blank_pictures_are_errors() {
    let site = Site::start([
        ("/white", html("")),
        ("/green", html("<body bgcolor=green>")),
        (
            "/dot",
            html("<div style='position:fixed;top:199px;left:319px;width:1px;height:1px;background:#fefefe'>"),
        ),
    ])
    .await;
    let engine = start(strict());
    for format in ["png", "jpeg", "webp"] {
        for path in ["/white", "/green"] {
            let query = format!("format={format}");
            let error = shoot(&engine, &site.url(path), &query).await.unwrap_err();
            assert_eq!(error.name(), "capture-blank", "{path} {format}: {error}");
            picture(shoot(&engine, &site.url(path), &format!("{query}&allow_blank=true")).await);
        }
        picture(shoot(&engine, &site.url("/dot"), &format!("format={format}")).await);
    }
    for query in ["full_page=true", "omit_background=true", "clip=0,0,10,10", "scale=2"] {
        let error = shoot(&engine, &site.url("/white"), query).await.unwrap_err();
        assert_eq!(error.name(), "capture-blank", "{query}");
    }
    engine.shutdown().await;

    let limits = Limits { min_picture_bytes: 1 << 20, ..config().limits };
    let engine = start(Config { limits, ..config() });
    let error = shoot(&engine, &site.url("/dot"), "").await.unwrap_err();
    assert_eq!(error.name(), "capture-small");
    engine.shutdown().await;
}

#[tokio::test]
async fn rules_say_what_is_no_page() {
    let site = Site::start([
        ("/", html("<h1>All is well</h1>")),
        ("/captcha", html("<h1>Are you a <b>human</b>?</h1>")),
        ("/404", Answer::Now(404, "text/html", "<h1>Not here</h1>".into())),
        ("/500", Answer::Now(500, "text/html", "<h1>Broken</h1>".into())),
    ])
    .await;
    let engine = start(strict());
    let human = "fail_on_content=sorry&fail_on_content=a+human?";
    for (path, query, expected) in [
        ("/404", "", Some("capture-status")),
        ("/500", "", Some("capture-status")),
        ("/404", "fail_on_status=5xx", None),
        ("/500", "fail_on_status=5xx", Some("capture-status")),
        ("/500", "fail_on_status=none", None),
        ("/", "fail_on_status=200-204", Some("capture-status")),
        ("/captcha", "", None),
        ("/captcha", human, Some("capture-content")),
        ("/", human, None),
    ] {
        match (shoot(&engine, &site.url(path), query).await, expected) {
            (Err(error @ OriginError::Flawed { .. }), Some(name)) => {
                assert_eq!(error.name(), name, "{path} {query}")
            }
            (Err(error), _) => panic!("{path} {query}: {error}"),
            (answer, None) => drop(picture(answer)),
            (answer, Some(name)) => panic!("{path} {query}: no {name} but {answer:?}"),
        }
    }
    engine.shutdown().await;
}
