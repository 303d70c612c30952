//! What an error says is about the page itself:
//! - every status outside of 200 to 399 is an error of the page by default (secret-agent#451, html-proofer#215);
//! - a page that sends itself to where nothing can be had is named, never one of its parts;
//! - parts that cannot be had cost no picture.

use tintype::origin::chrome::Config;
use tintype::origin::{Origin, OriginError};

use crate::chrome_site::{Answer, Site, config, html, picture, problem, shoot, start};

fn page(status: u16) -> Answer {
    Answer::Now(status, "text/html", format!("<h1>Status {status}"))
}

#[tokio::test]
async fn statuses_outside_of_200_to_399_are_errors() {
    let empty = |status| Answer::Now(status, "text/html", String::new());
    let site = Site::start([
        ("/200", page(200)),
        ("/203", page(203)),
        ("/299", page(299)),
        // Redirects that lead nowhere are pages of their own.
        ("/302", page(302)),
        ("/399", page(399)),
        ("/400", page(400)),
        ("/451", page(451)),
        ("/599", page(599)),
        ("/600", page(600)),
        ("/999", page(999)),
        ("/999-empty", empty(999)),
        ("/to-999", Answer::To("/999".into())),
        ("/goes", html("<script>location = '/999'</script>")),
        ("/cached", html("<script>location.search || location.replace('?again')</script><h1>Here")),
        ("/frame", html("<iframe src=/999></iframe><img src=/400><h1>Here")),
    ])
    .await;
    let engine = start(config());
    for (path, query, status) in [
        ("/200", "", None),
        ("/203", "", None),
        ("/299", "", None),
        ("/302", "", None),
        ("/399", "", None),
        ("/cached", "", None),
        ("/frame", "", None),
        ("/400", "", Some("400")),
        ("/451", "", Some("451")),
        ("/599", "", Some("599")),
        ("/600", "", Some("600")),
        ("/999", "", Some("999")),
        ("/999-empty", "", Some("999")),
        ("/to-999", "", Some("999")),
        ("/goes", "", Some("999")),
        ("/999", "fail_on_status=none", None),
        ("/999", "fail_on_status=4xx,5xx", None),
        ("/999", "fail_on_status=600-999", Some("999")),
        ("/200", "fail_on_status=200-999", Some("200")),
        ("/302", "fail_on_status=300-399", Some("302")),
    ] {
        match (shoot(&engine, &site.url(path), query).await, status) {
            (Err(error), Some(status)) => {
                assert_eq!(error.name(), "capture-status", "{path} {query}: {error}");
                assert!(error.to_string().contains(&format!("status {status}")), "{path} {query}: {error}");
            }
            (answer @ Ok(_), None) => drop(picture(answer)),
            (other, _) => panic!("{path} {query}: {other:?}"),
        }
    }
    // A document that was given has no status.
    picture(crate::chrome_site::ask(&engine, http::Method::GET, "/screenshot?html=hi").await);
    engine.shutdown().await;
}

/// Things that cannot be had, on the way to whatever a page is meant to show.
const PARTS: &str = "<img src=http://image.invalid/><img src=https://image-2.invalid/><script src=https://script.invalid/></script>\
     <iframe src=http://frame.invalid/></iframe><iframe src=https://frame-2.invalid/></iframe>\
     <link rel=stylesheet href=https://style.invalid/><link rel=preconnect href=https://preconnect.invalid/>";

#[tokio::test]
async fn an_error_names_the_page_and_never_a_part_of_it() {
    let nobody = std::net::TcpListener::bind((crate::chrome_site::ALLOWED, 0)).unwrap().local_addr().unwrap();
    let listener = tokio::net::TcpListener::bind((crate::chrome_site::ALLOWED, 0)).await.unwrap();
    let own = listener.local_addr().unwrap();
    let goes = |to: &str| html(format!("{PARTS}<script>onload = () => {{ location = '{to}' }}</script>"));
    let refreshes = |to: &str| html(format!("{PARTS}<meta http-equiv=refresh content='0;url={to}'>"));
    let moved = |to: &str| {
        let links =
            "<https://linked.invalid/a.js>; rel=preload; as=script, <https://linked.invalid>; rel=preconnect";
        let fields = vec![("location", to.to_owned()), ("link", links.to_owned())];
        Answer::Full(302, fields, PARTS.into())
    };
    let tls = format!("https://{own}/x");
    let gone = format!("http://{nobody}/x");
    let site = Site::serve(
        listener,
        [
            ("/", html(format!("<h1>Here</h1>{PARTS}"))),
            ("/goes-to-tls", goes(&tls)),
            ("/moved-to-tls", moved(&tls)),
            ("/refreshes-to-tls", refreshes(&tls)),
            ("/goes-to-name", goes("http://gone.invalid/x?y#z")),
            ("/goes-to-secure-name", goes("https://gone.invalid/x?y#z")),
            ("/moved-to-name", moved("http://gone.invalid/x?y#z")),
            ("/moved-to-secure-name", moved("https://gone.invalid/x?y#z")),
            ("/refreshes-to-name", refreshes("http://gone.invalid/")),
            ("/goes-to-nobody", goes(&gone)),
            ("/moved-to-nobody", moved(&gone)),
            ("/goes-to-loopback", goes("http://127.0.0.1/")),
            ("/moved-to-loopback", moved("https://127.0.0.1/")),
            ("/404", Answer::Now(404, "text/html", format!("<h1>Not here</h1>{PARTS}"))),
        ],
    );
    let engine = start(config());
    for query in ["", "full_page=true", "freeze_time=true"] {
        picture(shoot(&engine, &site.url("/"), query).await);
    }
    let own = format!("cannot load {own}");
    let nobody = format!("cannot connect to {nobody}");
    for (path, expected) in [
        ("/goes-to-tls", own.as_str()),
        ("/moved-to-tls", &own),
        ("/refreshes-to-tls", &own),
        ("/goes-to-name", "cannot resolve gone.invalid"),
        ("/goes-to-secure-name", "cannot resolve gone.invalid"),
        ("/moved-to-name", "cannot resolve gone.invalid"),
        ("/moved-to-secure-name", "cannot resolve gone.invalid"),
        ("/refreshes-to-name", "cannot resolve gone.invalid"),
        ("/goes-to-nobody", &nobody),
        ("/moved-to-nobody", &nobody),
        ("/404", "status 404"),
    ] {
        let error = shoot(&engine, &site.url(path), "").await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(expected), "{path}: {said}");
        for part in ["image", "script", "frame", "style", "connect.invalid", "linked"] {
            assert!(
                !said.contains(&format!("{part}.invalid")) && !said.contains(".invalid:"),
                "{path}: {said}"
            );
        }
    }
    for path in ["/goes-to-loopback", "/moved-to-loopback"] {
        let found = problem(shoot(&engine, &site.url(path), "").await, 403);
        assert!(found["detail"].as_str().unwrap().contains("127.0.0.1"), "{path}: {found}");
    }
    engine.shutdown().await;
}

/// What a page answers itself is told as that, whatever was refused to its parts on the same host.
#[tokio::test]
async fn what_parts_of_the_same_host_lack_is_no_reason() {
    let images: String = (0..20).map(|n| format!("<img src=/{n}>")).collect();
    let body = format!("<h1>Not here</h1>{images}");
    let site = Site::start([("/", Answer::Now(404, "text/html", body))]).await;
    let engine = start(Config { max_page_requests: 5, ..config() });
    match shoot(&engine, &site.url("/"), "").await {
        Err(error @ OriginError::Flawed { .. }) => assert_eq!(error.name(), "capture-status", "{error}"),
        other => panic!("{other:?}"),
    }
    picture(shoot(&engine, &site.url("/"), "fail_on_status=none").await);
    engine.shutdown().await;
}
