use http::HeaderMap;

use super::super::{Canonical, Defaults};
use super::*;

pub(super) const SCREENSHOTONE: &dyn Dialect = &screenshotone::ScreenshotOne;
pub(super) const URLBOX: &dyn Dialect = &urlbox::Urlbox;
pub(super) const APIFLASH: &dyn Dialect = &apiflash::ApiFlash;
pub(super) const MICROLINK: &dyn Dialect = &microlink::Microlink;
pub(super) const WEB2IMG: &dyn Dialect = &web2img::Web2img;
pub(super) const IMGPROXY: &dyn Dialect = &imgproxy::Imgproxy;

pub(super) fn meant(
    dialect: &'static dyn Dialect,
    remote: bool,
    path: &str,
    query: &str,
    content: Content<'_>,
) -> Meaning {
    let spoken = RouteDialect { dialect, remote, defaults: Defaults::default() };
    read(&spoken, &Asked { path, query, fields: &HeaderMap::new(), content })
}

pub(super) fn picture(dialect: &'static dyn Dialect, path: &str, query: &str) -> Picture {
    match meant(dialect, false, path, query, Content::Nothing) {
        Meaning::Picture(picture) => *picture,
        other => panic!("{} {path}?{query}: {other:?}", dialect.name()),
    }
}

fn faults(dialect: &'static dyn Dialect, query: &str) -> Vec<String> {
    match meant(dialect, false, "/", query, Content::Nothing) {
        Meaning::Bad(faults) => faults.into_iter().map(|fault| fault.parameter).collect(),
        other => panic!("{} {query}: {other:?}", dialect.name()),
    }
}

pub(super) fn ours(query: &str) -> String {
    Canonical::read(query, None, &Defaults::default()).expect("readable").key
}

pub(super) const URL: &str = "url=https://a.example/";

#[test]
fn the_same_picture_in_every_dialect_has_one_key() {
    let expected = ours(&format!("{URL}&width=1000&height=700&format=jpeg"));
    for (dialect, query) in [
        (SCREENSHOTONE, "viewport_width=1000&viewport_height=700&image_quality=80&access_key=k"),
        (URLBOX, "width=1000&height=700&format=jpg"),
        (APIFLASH, "width=1000&height=700&access_key=other"),
        (MICROLINK, "viewport.width=1000&viewport.height=700&type=jpeg&adblock=false&screenshot"),
        (WEB2IMG, "width=1000&height=700&format=jpeg"),
    ] {
        let read = picture(dialect, "/", &format!("{URL}&{query}"));
        assert_eq!(read.canonical.key, expected, "{}", dialect.name());
        let asked = read.canonical.parameters.query().expect("short");
        assert_eq!(
            asked,
            Canonical::read(&asked, None, &Defaults::default()).unwrap().parameters.query().unwrap()
        );
    }
    // Delays, each in its unit.
    let expected = ours(&format!("{URL}&width=1000&height=700&delay=2000"));
    for (dialect, query) in [
        (SCREENSHOTONE, "viewport_width=1000&viewport_height=700&format=png&delay=2"),
        (URLBOX, "width=1000&height=700&delay=2000"),
        (APIFLASH, "width=1000&height=700&format=png&delay=2"),
        (MICROLINK, "viewport.width=1000&viewport.height=700&adblock=false&screenshot&waitForTimeout=2000"),
    ] {
        assert_eq!(
            picture(dialect, "/", &format!("{URL}&{query}")).canonical.key,
            expected,
            "{}",
            dialect.name()
        );
    }
}

#[test]
fn what_cannot_be_had_is_named() {
    for (dialect, query, expected) in [
        (SCREENSHOTONE, "colour=red&click=.a&format=pdf", &["colour", "click", "format"][..]),
        (SCREENSHOTONE, "delay=soon&store=true&click=a", &["delay", "store", "click"]),
        (SCREENSHOTONE, "wait_until=never", &["wait_until"]),
        (SCREENSHOTONE, "response_type=xml", &["response_type"]),
        (URLBOX, "hover=a&crop_width=5&user_agent=mobile", &["hover", "crop_width", "user_agent"]),
        (APIFLASH, "extract_text=true&proxy=http://p&fullPage=1", &["extract_text", "proxy", "fullPage"]),
        (
            MICROLINK,
            "screenshot&overlay.browser=dark&meta=true&scripts=https://x.example/a.js",
            &["meta", "overlay.browser", "scripts"],
        ),
        (WEB2IMG, "full_page=true", &["full_page"]),
    ] {
        assert_eq!(faults(dialect, &format!("{URL}&{query}")), expected, "{} {query}", dialect.name());
    }
    assert_eq!(faults(APIFLASH, "width=5"), ["url"]);
    let secret = meant(SCREENSHOTONE, false, "/", &format!("{URL}&openai_api_key=hunter2"), Content::Nothing);
    assert!(!format!("{secret:?}").contains("hunter2"));
    let unread = meant(SCREENSHOTONE, false, "/", "", Content::Json(b"[]"));
    assert!(matches!(unread, Meaning::Bad(faults) if faults[0].parameter == "body"));
}

#[test]
fn the_service_itself_is_asked_in_its_own_words() {
    let remote = |dialect, path: &str, query: &str| match meant(dialect, true, path, query, Content::Nothing)
    {
        Meaning::Picture(picture) => *picture,
        other => panic!("{other:?}"),
    };
    let asked = "url=https://a.example/&viewport_width=800&click=.a&delay=2&access_key=k&signature=s&response_type=json";
    let one = remote(SCREENSHOTONE, "/take", asked);
    assert_eq!(
        query(&one.request.pairs),
        "url=https%3A%2F%2Fa.example%2F&viewport_width=800&click=.a&delay=2"
    );
    assert_eq!((one.request.json_to, one.form), (None, Form::Link));
    let key = one.canonical.key;
    assert!(key.contains("%7Eclick=") && !key.contains("=.a"), "{key}");
    let same =
        "delay=2&url=https://a.example&click=.a&viewport_width=800&viewport_height=1024&image_quality=100";
    assert_eq!(remote(SCREENSHOTONE, "/take", &format!("{same}&access_key=other")).canonical.key, key);
    for other in ["click=.b", "click=.a&hover=.a", "format=pdf&click=.a", "timeout=5&click=.a"] {
        let query = format!("url=https://a.example/&viewport_width=800&delay=2&{other}");
        assert_ne!(remote(SCREENSHOTONE, "/take", &query).canonical.key, key, "{other}");
    }
    let link = remote(URLBOX, "/v1/KEY/TOKEN/png", &format!("{URL}&ttl=60"));
    assert_eq!(link.request.json_to.as_deref(), Some("/v1/render/sync"));
    assert_eq!(
        query(&link.request.pairs),
        "url=https%3A%2F%2Fa.example%2F&ttl=60&format=png&response_type=binary"
    );
    let micro = remote(MICROLINK, "/", &format!("{URL}&screenshot.fullPage=true"));
    assert_eq!(
        query(&micro.request.pairs),
        "url=https%3A%2F%2Fa.example%2F&screenshot.fullPage=true&screenshot=true&meta=false&embed=screenshot.url"
    );
    for job in ["async=true", "webhook_url=https://x.example", "store=true"] {
        let meaning = meant(SCREENSHOTONE, true, "/take", &format!("{URL}&{job}"), Content::Nothing);
        assert_eq!(meaning, Meaning::Other, "{job}");
    }
}

#[test]
fn a_route_is_asked_before_the_service_has_its_default() {
    let parameters =
        vec![("quality".to_owned(), "80".to_owned()), ("block_ads".to_owned(), "false".to_owned())];
    let defaults = Defaults { parameters, ..Defaults::default() };
    for (dialect, query, expected) in [
        (SCREENSHOTONE, "", "height=1024&format=jpeg"),
        (SCREENSHOTONE, "&image_quality=30", "height=1024&format=jpeg&quality=30"),
        (MICROLINK, "&screenshot", "height=800&block_trackers=true&block_cookie_banners=true"),
    ] {
        let spoken = RouteDialect { dialect, remote: false, defaults: defaults.clone() };
        let query = format!("{URL}{query}");
        let asked = Asked { path: "/", query: &query, fields: &HeaderMap::new(), content: Content::Nothing };
        let Meaning::Picture(picture) = read(&spoken, &asked) else { panic!("a picture") };
        assert_eq!(picture.canonical.key, ours(&format!("{URL}&{expected}")), "{query}");
    }
}

#[test]
fn the_tables_lead_to_parameters_that_there_are() {
    for dialect in ALL {
        for (at, (name, rule)) in dialect.rules().iter().enumerate() {
            assert!(!dialect.rules()[..at].iter().any(|(other, _)| other == name), "{name} twice");
            if let Rule::Is(to) | Rule::Seconds(to) | Rule::Means(to, _) | Rule::Words(to, _) = rule {
                assert!(
                    super::super::parameters::find(to).is_some(),
                    "{name} leads to {to}, which is nowhere"
                );
            }
        }
        for (name, _) in dialect.defaults() {
            assert!(super::super::is_parameter(name), "{name}");
        }
    }
}

/// As fuzz/fuzz_targets/dialects.rs has it, over requests that are made of names that there are.
#[test]
fn whatever_is_asked_the_picture_and_the_link_to_it_are_one() {
    let values = [
        "true",
        "false",
        "",
        "1",
        "2.5",
        "png",
        "jpeg",
        "json",
        "load",
        "loaded",
        "auto",
        "a=b;c=d",
        "1d",
        "0",
        "x,y",
        "3xx",
        "https://b.example/",
        "1,2,3,4",
        "dark",
        "mobile",
        "screenshot.url",
        "\u{e9}",
        "iPhone 15",
        "none",
        "web p",
    ];
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut pictures = 0;
    // imgproxy has no parameters but its path.
    let dialects: Vec<&dyn Dialect> = ALL.into_iter().filter(|dialect| *dialect != IMGPROXY).collect();
    for round in 0..6_000 {
        let dialect = dialects[round % dialects.len()];
        let rules = dialect.rules();
        let mut pairs = vec![("url".to_owned(), "https://a.example/".to_owned())];
        if dialect == MICROLINK {
            pairs.push(("screenshot".into(), "true".into()));
        }
        for _ in 0..random(5) {
            let prefix = if random(3) == 0 { dialect.prefix() } else { "" };
            let name = if random(20) == 0 { "unheard" } else { rules[random(rules.len())].0 };
            pairs.push((format!("{prefix}{name}"), values[random(values.len())].to_owned()));
        }
        let path = ["/take", "/v1/K/T/png", "/v1/K/jpg", "/v1/render/sync", "/"][random(5)];
        let asked = query(&pairs);
        let remote = random(2) == 0;
        let Meaning::Picture(first) = meant(dialect, remote, path, &asked, Content::Nothing) else {
            continue;
        };
        pictures += 1;
        let key = &first.canonical.key;
        if !remote && !key.contains("cache_key") {
            let query = first.canonical.parameters.query().expect("short");
            assert_eq!(&ours(&query), key, "{} {path}?{asked}", dialect.name());
        }
        let link = first.link.expect("a link");
        let (path, query) = link.split_once('?').expect("a query");
        match meant(dialect, remote, path, query, Content::Nothing) {
            Meaning::Picture(again) => {
                assert_eq!(&again.canonical.key, key, "{} {remote} {asked} as {}", dialect.name(), link);
                assert_eq!(again.form, Form::Picture, "{} {}", dialect.name(), link);
            }
            other => panic!("{} {asked} as {}: {other:?}", dialect.name(), link),
        }
    }
    assert!(pictures > 1_500, "only {pictures} were pictures");
}

/// Found by fuzzing: the link to it had no page, not even an empty one, and was no request for a picture.
#[test]
fn regression_an_empty_page_is_still_one_that_is_asked_for() {
    for dialect in ALL {
        let spoken = RouteDialect { dialect, remote: true, defaults: Defaults::default() };
        let read = |path: &str, query: &str| {
            read(&spoken, &Asked { path, query, fields: &HeaderMap::new(), content: Content::Nothing })
        };
        let Meaning::Picture(first) = read("/take", "url=") else { continue };
        let Some((path, query)) = first.link.as_deref().and_then(|link| link.split_once('?')) else {
            continue;
        };
        let Meaning::Picture(again) = read(path, query) else { panic!("{}: {path}?{query}", dialect.name()) };
        assert_eq!(again.canonical.key, first.canonical.key, "{}", dialect.name());
    }
}
