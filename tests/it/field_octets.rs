//! Octets of a page's address are kept as the client sent them, or the request is refused (http-server#263, OpenCCU#1831).

use crate::chrome_site::{ALLOWED, Site, html};
use crate::support::*;

/// `caf%E9` and `caf%E8` in ISO 8859-1, as octets of a query.
const PAGES: [&str; 2] = ["caf%E9", "caf%E8"];

#[tokio::test]
async fn the_engine_asks_a_site_for_the_octets_of_the_request() {
    let page = |colour: &str| html(format!("<body style='margin:0;background:{colour}'><h1>Good</h1>"));
    let site = Site::start([("/caf%E9", page("lime")), ("/caf%E8", page("blue"))]).await;
    let tintype = Tintype::of(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"{ALLOWED}/32\"]\n\
         [route.all]\nupstream = \"chrome\"\nearly_refresh = 0.0\n"
    ))
    .await;
    let mut pictures = Vec::new();
    for page in PAGES {
        let answer = tintype.get(&format!("/screenshot?url=http%3A%2F%2F{}%2F{page}", site.address)).await;
        assert_eq!(
            (answer.status, answer.header("x-cache")),
            (200, Some("MISS")),
            "{page}: {}",
            answer.text()
        );
        assert_eq!(site.times(&format!("/{page}")), 1, "{:?}", site.log());
        pictures.push(answer.body);
    }
    assert_ne!(pictures[0], pictures[1]);
    for other in
        ["selector=%23caf%E9", "user_agent=caf%E9", "headers=X:caf%E9", "cookies=a%3Dcaf%E9", "style=caf%E9"]
    {
        let answer =
            tintype.get(&format!("/screenshot?url=http%3A%2F%2F{}%2Fcaf%25E9&{other}", site.address)).await;
        assert_eq!(answer.status, 400, "{other}: {}", answer.text());
    }
    tintype.stop().await;
}

#[tokio::test]
async fn every_dialect_keeps_the_octets_of_the_page() {
    for (dialect, path) in [
        ("tintype", "/?"),
        ("screenshotone", "/take?access_key=k&"),
        ("urlbox", "/v1/k/t/png?"),
        ("apiflash", "/v1/urltoimage?access_key=k&"),
        ("microlink", "/?screenshot=true&embed=screenshot.url&"),
        ("web2img", "/screenshot?"),
    ] {
        let origin = ScriptedOrigin::start(|_| {
            Reply::ok(picture(0)).header("Content-Type", "image/png").header("Cache-Control", "max-age=60")
        })
        .await;
        let tintype = Tintype::with(&origin, &format!("capture = true\ndialect = \"{dialect}\"\n")).await;
        for (index, page) in PAGES.into_iter().enumerate() {
            let answer = tintype.get(&format!("{path}url=http%3A%2F%2Fa.example%2F{page}")).await;
            assert_eq!(
                (answer.status, answer.header("x-cache")),
                (200, Some("MISS")),
                "{dialect} {}",
                answer.text()
            );
            let request = &origin.requests()[index];
            // In a query as %25E9, in JSON as %E9.
            let sent = format!("{}{}", request.target, String::from_utf8_lossy(&request.body));
            let kept = page.replace('%', "%25");
            assert!(sent.contains(page) || sent.contains(&kept), "{dialect}: {sent}");
            assert!(!sent.contains("EF%BF%BD") && !sent.contains('\u{fffd}'), "{dialect}: {sent}");
        }
    }
}

/// A service whose dialect is ours decides itself about parameters that cannot be read: it gets them as they came.
#[tokio::test]
async fn what_cannot_be_read_goes_to_a_service_as_it_came() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok(picture(0)).header("Content-Type", "image/png").header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::with(&origin, "capture = true\ndialect = \"tintype\"\n").await;
    for (index, octet) in ["%E8", "%E9"].into_iter().enumerate() {
        let target = format!("/?url=https://a.example/&selector=%23caf{octet}");
        assert_eq!(tintype.get(&target).await.header("x-cache"), Some("MISS"));
        assert_eq!(origin.requests()[index].target, target);
    }
}

#[tokio::test]
async fn octets_that_a_parameter_cannot_keep_are_a_400() {
    for (dialect, target) in [
        ("screenshotone", "/take?access_key=k&url=https://a.example/&user_agent=caf%E9"),
        ("urlbox", "/v1/k/t/png?url=https://a.example/&user_agent=caf%E9"),
        ("apiflash", "/v1/urltoimage?access_key=k&url=https://a.example/&user_agent=caf%E9"),
        (
            "microlink",
            "/?screenshot=true&embed=screenshot.url&url=https://a.example/&waitForSelector=%23caf%E9",
        ),
        ("web2img", "/screenshot?url=https://a.example/&user_agent=caf%E9"),
    ] {
        let origin =
            ScriptedOrigin::start(|_| Reply::ok(picture(0)).header("Content-Type", "image/png")).await;
        let tintype = Tintype::with(&origin, &format!("capture = true\ndialect = \"{dialect}\"\n")).await;
        let answer = tintype.get(target).await;
        let sent = origin.requests().first().map(|request| request.target.clone());
        assert_eq!((answer.status, sent), (400, None), "{dialect} {target}: {}", answer.text());
    }
}
