use http::HeaderMap;

use super::super::{Canonical, Defaults};
use super::telling::{Facts, Trouble};
use super::*;

fn meant(dialect: Dialect, remote: bool, path: &str, query: &str, content: Content<'_>) -> Meaning {
    let spoken = Spoken { dialect, remote, defaults: Defaults::default() };
    read(&spoken, &Asked { path, query, fields: &HeaderMap::new(), content })
}

fn picture(dialect: Dialect, path: &str, query: &str) -> Picture {
    match meant(dialect, false, path, query, Content::Nothing) {
        Meaning::Picture(picture) => *picture,
        other => panic!("{} {path}?{query}: {other:?}", dialect.name()),
    }
}

fn faults(dialect: Dialect, query: &str) -> Vec<String> {
    match meant(dialect, false, "/", query, Content::Nothing) {
        Meaning::Bad(faults) => faults.into_iter().map(|fault| fault.parameter).collect(),
        other => panic!("{} {query}: {other:?}", dialect.name()),
    }
}

fn ours(query: &str) -> String {
    Canonical::read(query, None, &Defaults::default()).expect("readable").key
}

const URL: &str = "url=https://a.example/";

/// Each line: a request of the service, and what it is in our own words.
fn check(dialect: Dialect, base: &str, defaults: &str, table: &[(&str, &str)]) {
    for (theirs, expected) in table {
        let read = picture(dialect, "/", &format!("{URL}&{base}&{theirs}"));
        assert_eq!(
            read.canonical.key,
            ours(&format!("{URL}&{defaults}&{expected}")),
            "{}: {theirs} as {expected}",
            dialect.name()
        );
    }
}

#[test]
fn screenshotone_table() {
    let jpeg = "width=1280&height=1024&format=jpeg&quality=100";
    check(
        Dialect::ScreenshotOne,
        "access_key=k",
        jpeg,
        &[
            ("", ""),
            ("delay=3", "delay=3000"),
            ("delay=0.5", "delay=500"),
            ("full_page=true&full_page_scroll=true&full_page_scroll_delay=400", "full_page=true"),
            (
                "device_scale_factor=2&viewport_mobile=true&viewport_has_touch=true",
                "scale=2&mobile=true&touch=true",
            ),
            ("clip_x=1&clip_y=2&clip_width=30&clip_height=40", "clip=1,2,30,40"),
            (
                "hide_selectors=.a&hide_selectors=.b&styles=a{}&scripts=x()",
                "hide_selectors=.b&hide_selectors=.a&css=a{}&js=x()",
            ),
            ("wait_until=domcontentloaded", "wait_until=domcontentloaded"),
            ("wait_until=load&wait_until=networkidle2", "wait_until=networkidle"),
            (
                "block_ads=true&block_trackers=true&block_chats=1&block_cookie_banners=true",
                "block_ads=true&block_trackers=true&block_chats=true&block_cookie_banners=true",
            ),
            ("block_annoyances=false&metadata_fonts=false&async=false&store=false", ""),
            ("ignore_host_errors=true", "fail_on_status=none"),
            ("fail_if_content_contains=Oops", "fail_on_content=Oops"),
            (
                "ip_country_code=de&time_zone=Europe/Berlin&dark_mode=true",
                "country=de&time_zone=Europe/Berlin&dark_mode=true",
            ),
            ("signature=abc&response_type=json&cache=true&cache_ttl=14400", ""),
            ("cache=true&cache_key=v2", "cache_key=v2"),
        ],
    );
    let png = picture(
        Dialect::ScreenshotOne,
        "/take",
        &format!("{URL}&format=png&viewport_width=800&viewport_height=600"),
    );
    assert_eq!(png.canonical.key, ours(&format!("{URL}&width=800&height=600")));
    let device =
        picture(Dialect::ScreenshotOne, "/take", &format!("{URL}&viewport_device=iphone_15&format=png"));
    assert_eq!(device.canonical.key, ours(&format!("{URL}&device=iphone-15")));
    let wishes =
        picture(Dialect::ScreenshotOne, "/", &format!("{URL}&cache=true&cache_ttl=14400")).canonical.wishes;
    assert_eq!((wishes.ttl.map(|ttl| ttl.as_secs()), wishes.no_cache), (Some(14400), false));
    assert!(picture(Dialect::ScreenshotOne, "/", &format!("{URL}&cache=false")).canonical.wishes.no_cache);
}

#[test]
fn urlbox_table() {
    check(
        Dialect::Urlbox,
        "unique=&response_type=binary",
        "width=1280&height=1024",
        &[
            ("", ""),
            ("delay=2000", "delay=2000"),
            ("retina=true&transparent=true&quality=50", "scale=2&omit_background=true"),
            ("format=jpg&quality=60", "format=jpeg&quality=60"),
            (
                "wait_until=requestsfinished&wait_for=.done&timeout=30000",
                "wait_until=networkidle&wait_for_selector=.done",
            ),
            ("wait_until=loaded", ""),
            ("hide_cookie_banners=true&click_accept=true", "block_cookie_banners=true"),
            ("block_images=true&block_fonts=1&block_frames=false", "block_resources=image,font"),
            ("disable_js=true", "block_resources=script"),
            ("header=X-A=b&cookie=a=b&cookie=c=d", "headers=x-a:b&cookies=a=b;c=d"),
            ("fail_on_4xx=true&fail_on_5xx=true", ""),
            ("fail_on_4xx=false&fail_on_5xx=false", "fail_on_status=none"),
            ("fail_on_4xx=false", "fail_on_status=5xx"),
            ("tz=Asia/Tokyo&accept_lang=ja&dark_mode=false", "time_zone=Asia/Tokyo&locale=ja"),
        ],
    );
    for (path, format, form) in [
        ("/v1/KEY/png", "png", Form::Picture),
        ("/v1/KEY/TOKEN/jpg", "jpeg", Form::Picture),
        ("/shots/v1/KEY/TOKEN/webp", "webp", Form::Picture),
        ("/v1/render/sync", "png", Form::Link),
        ("/anywhere", "png", Form::Picture),
    ] {
        let read = picture(Dialect::Urlbox, path, URL);
        assert_eq!(
            read.canonical.key,
            ours(&format!("{URL}&width=1280&height=1024&format={format}")),
            "{path}"
        );
        assert_eq!(read.form, form, "{path}");
    }
    assert_eq!(
        picture(Dialect::Urlbox, "/v1/K/T/jpg", URL).link.unwrap(),
        "/v1/-/jpg?url=https%3A%2F%2Fa.example%2F"
    );
    assert_eq!(
        picture(Dialect::Urlbox, "/v1/K/png", "url=a.example").canonical.key,
        ours("url=http://a.example/&height=1024")
    );
    for other in ["/v1/render/async", "/v1/render/12-34", "/v1/usage"] {
        assert_eq!(meant(Dialect::Urlbox, true, other, URL, Content::Nothing), Meaning::Other, "{other}");
    }
}

#[test]
fn apiflash_table() {
    check(
        Dialect::ApiFlash,
        "access_key=k",
        "width=1920&height=1080&format=jpeg",
        &[
            ("", ""),
            ("delay=10&quality=80&scroll_page=true", "delay=10000"),
            ("scale_factor=2&element=%23a&wait_for=.b", "scale=2&selector=%23a&wait_for_selector=.b"),
            ("crop=10,20,50,100", "clip=10,20,50,100"),
            ("wait_until=network_idle&wait_until_timeout=30", ""),
            ("wait_until=dom_loaded", "wait_until=domcontentloaded"),
            (
                "no_ads=true&no_tracking=true&no_cookie_banners=true",
                "block_ads=true&block_trackers=true&block_cookie_banners=true",
            ),
            ("headers=A=b;C=d&cookies=e=f;g=h", "headers=a:b&headers=c:d&cookies=e=f;g=h"),
            ("fail_on_status=400,404,500-511&accept_language=de", "fail_on_status=400,404,500-511&locale=de"),
            (
                "latitude=1.5&longitude=2&thumbnail_width=0&extract_html=false",
                "geolocation_latitude=1.5&geolocation_longitude=2",
            ),
        ],
    );
    let wishes = picture(Dialect::ApiFlash, "/", &format!("{URL}&ttl=3600&fresh=true")).canonical.wishes;
    assert_eq!((wishes.ttl.map(|ttl| ttl.as_secs()), wishes.force), (Some(3600), true));
    let form = format!("{URL}&full_page=true");
    let posted = meant(Dialect::ApiFlash, false, "/", "", Content::Form(form.as_bytes()));
    assert_eq!(posted, meant(Dialect::ApiFlash, false, "/", &form, Content::Nothing));
}

#[test]
fn microlink_table() {
    let defaults = "width=1280&height=800&block_ads=true&block_trackers=true&block_cookie_banners=true";
    check(
        Dialect::Microlink,
        "screenshot=true&meta=false&embed=screenshot.url",
        defaults,
        &[
            ("", ""),
            ("waitForTimeout=3000", "delay=3000"),
            ("waitForTimeout=3s", "delay=3000"),
            ("screenshot.fullPage", "full_page=true"),
            ("fullPage=true&screenshot.type=jpeg", "full_page=true&format=jpeg"),
            ("viewport.deviceScaleFactor=2&viewport.isMobile", "scale=2&mobile=true"),
            ("element=%23a&omitBackground", "selector=%23a&omit_background=true"),
            ("adblock=true&colorScheme=no-preference&animations=false", ""),
            ("colorScheme=dark&mediaType=print", "dark_mode=true&media_type=print"),
            ("javascript=false", "block_resources=script"),
            ("waitUntil=auto", ""),
            ("waitUntil=networkidle0&waitForSelector=h1", "wait_until=networkidle&wait_for_selector=h1"),
            ("device=Macbook+Pro+13", ""),
            ("headers.x-a=b", "headers=x-a:b"),
            ("styles=a{}&scripts=x()", "css=a{}&js=x()"),
        ],
    );
    let off = picture(Dialect::Microlink, "/", &format!("{URL}&screenshot&adblock=false"));
    assert_eq!((off.canonical.key, off.form), (ours(&format!("{URL}&height=800")), Form::Link));
    assert_eq!(
        off.link.unwrap(),
        "/?url=https%3A%2F%2Fa.example%2F&adblock=false&screenshot=true&meta=false&embed=screenshot.url"
    );
    for (said, ttl, stale) in [
        ("ttl=3600000", Some(3600), None),
        ("ttl=1d", Some(86400), None),
        ("ttl=max", Some(31 * 86400), None),
        ("ttl=1d&staleTtl=1h", Some(3600), Some(23 * 3600)),
        ("staleTtl=0", Some(0), Some(86400)),
        ("ttl=1h&staleTtl=false", Some(3600), None),
    ] {
        let wishes =
            picture(Dialect::Microlink, "/", &format!("{URL}&screenshot=true&{said}")).canonical.wishes;
        let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs());
        assert_eq!((seconds(wishes.ttl), seconds(wishes.stale_ttl)), (ttl, stale), "{said}");
    }
    for other in ["", "screenshot=false", "screenshot=true&embed=logo.url"] {
        let meaning = meant(Dialect::Microlink, true, "/", &format!("{URL}&{other}"), Content::Nothing);
        assert_eq!(meaning, Meaning::Other, "{other}");
    }
    let mut fields = HeaderMap::new();
    fields.insert("x-api-header-cookie", "a=b".parse().unwrap());
    let spoken = Spoken { dialect: Dialect::Microlink, remote: false, defaults: Defaults::default() };
    let query = format!("{URL}&screenshot");
    let asked = Asked { path: "/", query: &query, fields: &fields, content: Content::Nothing };
    let Meaning::Picture(private) = read(&spoken, &asked) else { panic!("a picture") };
    assert_eq!(private.canonical.key, ours(&format!("{URL}&{defaults}&headers=cookie:+a%3Db")));
    assert_eq!(private.link, None, "nobody else may have it");
}

#[test]
fn web2img_table() {
    let json = br#"{"url":"https://a.example/","format":"jpeg","width":800,"height":600}"#;
    let Meaning::Picture(read) =
        meant(Dialect::Web2img, false, "/screenshot", "cache=false", Content::Json(json))
    else {
        panic!("a picture")
    };
    assert_eq!(read.canonical.key, ours(&format!("{URL}&width=800&height=600&format=jpeg")));
    assert!(read.canonical.wishes.no_cache);
    assert_eq!(
        picture(Dialect::Web2img, "/screenshot", &format!("{URL}&cache=true")).canonical.key,
        ours(URL)
    );
}

#[test]
fn the_same_picture_in_every_dialect_has_one_key() {
    let expected = ours(&format!("{URL}&width=1000&height=700&format=jpeg"));
    for (dialect, query) in [
        (Dialect::ScreenshotOne, "viewport_width=1000&viewport_height=700&image_quality=80&access_key=k"),
        (Dialect::Urlbox, "width=1000&height=700&format=jpg"),
        (Dialect::ApiFlash, "width=1000&height=700&access_key=other"),
        (Dialect::Microlink, "viewport.width=1000&viewport.height=700&type=jpeg&adblock=false&screenshot"),
        (Dialect::Web2img, "width=1000&height=700&format=jpeg"),
    ] {
        let read = picture(dialect, "/", &format!("{URL}&{query}"));
        assert_eq!(read.canonical.key, expected, "{}", dialect.name());
        let asked = read.canonical.query().expect("short");
        assert_eq!(asked, Canonical::read(&asked, None, &Defaults::default()).unwrap().query().unwrap());
    }
    // Delays, each in its unit.
    let expected = ours(&format!("{URL}&width=1000&height=700&delay=2000"));
    for (dialect, query) in [
        (Dialect::ScreenshotOne, "viewport_width=1000&viewport_height=700&format=png&delay=2"),
        (Dialect::Urlbox, "width=1000&height=700&delay=2000"),
        (Dialect::ApiFlash, "width=1000&height=700&format=png&delay=2"),
        (
            Dialect::Microlink,
            "viewport.width=1000&viewport.height=700&adblock=false&screenshot&waitForTimeout=2000",
        ),
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
        (Dialect::ScreenshotOne, "colour=red&click=.a&format=pdf", &["colour", "click", "format"][..]),
        (Dialect::ScreenshotOne, "delay=soon&store=true&image_width=100", &["delay", "store", "image_width"]),
        (Dialect::ScreenshotOne, "wait_until=never", &["wait_until"]),
        (Dialect::ScreenshotOne, "response_type=xml", &["response_type"]),
        (Dialect::Urlbox, "hover=a&thumb_width=5&user_agent=mobile", &["hover", "thumb_width", "user_agent"]),
        (
            Dialect::ApiFlash,
            "thumbnail_width=100&proxy=http://p&fullPage=1",
            &["thumbnail_width", "proxy", "fullPage"],
        ),
        (
            Dialect::Microlink,
            "screenshot&overlay.browser=dark&meta=true&scripts=https://x.example/a.js",
            &["meta", "overlay.browser", "scripts"],
        ),
        (Dialect::Web2img, "full_page=true", &["full_page"]),
    ] {
        assert_eq!(faults(dialect, &format!("{URL}&{query}")), expected, "{} {query}", dialect.name());
    }
    assert_eq!(faults(Dialect::ApiFlash, "width=5"), ["url"]);
    let secret =
        meant(Dialect::ScreenshotOne, false, "/", &format!("{URL}&openai_api_key=hunter2"), Content::Nothing);
    assert!(!format!("{secret:?}").contains("hunter2"));
    let unread = meant(Dialect::ScreenshotOne, false, "/", "", Content::Json(b"[]"));
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
    let one = remote(Dialect::ScreenshotOne, "/take", asked);
    assert_eq!(
        query(&one.request.pairs),
        "url=https%3A%2F%2Fa.example%2F&viewport_width=800&click=.a&delay=2"
    );
    assert_eq!((one.request.json_to, one.form), (None, Form::Link));
    let key = one.canonical.key;
    assert!(key.contains("%7Eclick=") && !key.contains("=.a"), "{key}");
    for same in [
        "delay=2&url=https://a.example&click=.a&viewport_width=800&viewport_height=1024&image_quality=100&access_key=other",
    ] {
        assert_eq!(remote(Dialect::ScreenshotOne, "/take", same).canonical.key, key, "{same}");
    }
    for other in ["click=.b", "click=.a&hover=.a", "format=pdf&click=.a", "timeout=5&click=.a"] {
        let query = format!("url=https://a.example/&viewport_width=800&delay=2&{other}");
        assert_ne!(remote(Dialect::ScreenshotOne, "/take", &query).canonical.key, key, "{other}");
    }
    let link = remote(Dialect::Urlbox, "/v1/KEY/TOKEN/png", &format!("{URL}&ttl=60"));
    assert_eq!(link.request.json_to.as_deref(), Some("/v1/render/sync"));
    assert_eq!(
        query(&link.request.pairs),
        "url=https%3A%2F%2Fa.example%2F&ttl=60&format=png&response_type=binary"
    );
    let micro = remote(Dialect::Microlink, "/", &format!("{URL}&screenshot.fullPage=true"));
    assert_eq!(
        query(&micro.request.pairs),
        "url=https%3A%2F%2Fa.example%2F&screenshot.fullPage=true&screenshot=true&meta=false&embed=screenshot.url"
    );
    for job in ["async=true", "webhook_url=https://x.example", "store=true"] {
        let meaning = meant(Dialect::ScreenshotOne, true, "/take", &format!("{URL}&{job}"), Content::Nothing);
        assert_eq!(meaning, Meaning::Other, "{job}");
    }
}

#[test]
fn a_route_is_asked_before_the_service_has_its_default() {
    let parameters =
        vec![("quality".to_owned(), "80".to_owned()), ("block_ads".to_owned(), "false".to_owned())];
    let defaults = Defaults { parameters, ..Defaults::default() };
    for (dialect, query, expected) in [
        (Dialect::ScreenshotOne, "", "height=1024&format=jpeg"),
        (Dialect::ScreenshotOne, "&image_quality=30", "height=1024&format=jpeg&quality=30"),
        (Dialect::Microlink, "&screenshot", "height=800&block_trackers=true&block_cookie_banners=true"),
    ] {
        let spoken = Spoken { dialect, remote: false, defaults: defaults.clone() };
        let query = format!("{URL}{query}");
        let asked = Asked { path: "/", query: &query, fields: &HeaderMap::new(), content: Content::Nothing };
        let Meaning::Picture(picture) = read(&spoken, &asked) else { panic!("a picture") };
        assert_eq!(picture.canonical.key, ours(&format!("{URL}&{expected}")), "{query}");
    }
}

#[test]
fn every_service_tells_in_its_own_form() {
    let facts =
        Facts { url: "https://h/x".into(), format: "png".into(), size: 284_037, pixels: Some((4, 3)) };
    for (dialect, expected) in [
        (Dialect::ScreenshotOne, r#"{"screenshot_url":"https://h/x"}"#),
        (Dialect::Urlbox, r#"{"renderUrl":"https://h/x","size":284037}"#),
        (Dialect::ApiFlash, r#"{"url":"https://h/x"}"#),
        (
            Dialect::Microlink,
            r#"{"status":"success","data":{"screenshot":{"url":"https://h/x","width":4,"height":3,"type":"png","size":284037,"size_pretty":"284 kB"}}}"#,
        ),
    ] {
        let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        assert_eq!(dialect.link(&facts), expected, "{}", dialect.name());
    }
    let fault = Fault { parameter: "width".into(), found: "x".into(), allowed: "1 to 9".into() };
    let trouble =
        Trouble { status: 400, reason: "bad-parameters".into(), faults: vec![fault], ..Trouble::default() };
    let said = "width: found x, allowed is 1 to 9";
    for (dialect, at) in [
        (Dialect::ScreenshotOne, "/error_message"),
        (Dialect::Urlbox, "/error/message"),
        (Dialect::Microlink, "/data/width"),
        (Dialect::Web2img, "/message"),
    ] {
        let (kind, text) = dialect.error(&trouble);
        let told: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (kind, told.pointer(at).and_then(|v| v.as_str())),
            ("application/json", Some(said)),
            "{text}"
        );
    }
    assert_eq!(Dialect::ApiFlash.error(&trouble), ("text/plain; charset=utf-8", format!("{said}\n")));
    let of = |status, reason: &str| Trouble { status, reason: reason.into(), ..Trouble::default() };
    for (trouble, code) in [
        (of(502, "resolve"), "name_not_resolved"),
        (of(502, "capture-selector"), "selector_not_found"),
        (of(503, "busy"), "concurrency_limit_reached"),
        (of(502, "capture"), "internal_application_error"),
    ] {
        let told: serde_json::Value =
            serde_json::from_str(&Dialect::ScreenshotOne.error(&trouble).1).unwrap();
        assert_eq!(told["error_code"], code);
    }
}

#[test]
fn the_tables_lead_to_parameters_that_there_are() {
    for dialect in Dialect::ALL {
        let speech = dialect.speech();
        for (at, (name, rule)) in speech.rules.iter().enumerate() {
            assert!(!speech.rules[..at].iter().any(|(other, _)| other == name), "{name} twice");
            if let Rule::Is(to) | Rule::Seconds(to) | Rule::Means(to, _) | Rule::Words(to, _) = rule {
                assert!(super::super::table::find(to).is_some(), "{name} leads to {to}, which is nowhere");
            }
        }
        for (name, _) in speech.defaults {
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
    for round in 0..6_000 {
        let dialect = Dialect::ALL[round % Dialect::ALL.len()];
        let rules = dialect.speech().rules;
        let mut pairs = vec![("url".to_owned(), "https://a.example/".to_owned())];
        if dialect == Dialect::Microlink {
            pairs.push(("screenshot".into(), "true".into()));
        }
        for _ in 0..random(5) {
            let prefix = if random(3) == 0 { dialect.speech().prefix } else { "" };
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
            let query = first.canonical.query().expect("short");
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
