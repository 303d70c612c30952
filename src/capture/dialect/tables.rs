//! Each service's table, request by request.

use http::HeaderMap;

use super::super::Defaults;
use super::tests::{APIFLASH, MICROLINK, SCREENSHOTONE, URL, URLBOX, WEB2IMG, meant, ours, picture};
use super::*;

/// Each line: a request of the service, and what it is in our own words.
fn check(dialect: &'static dyn Dialect, base: &str, defaults: &str, table: &[(&str, &str)]) {
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
        SCREENSHOTONE,
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
            ("image_width=300&image_height=200", "image_width=300&image_height=200"),
        ],
    );
    let png =
        picture(SCREENSHOTONE, "/take", &format!("{URL}&format=png&viewport_width=800&viewport_height=600"));
    assert_eq!(png.canonical.key, ours(&format!("{URL}&width=800&height=600")));
    let device = picture(SCREENSHOTONE, "/take", &format!("{URL}&viewport_device=iphone_15&format=png"));
    assert_eq!(device.canonical.key, ours(&format!("{URL}&device=iphone-15")));
    let wishes = picture(SCREENSHOTONE, "/", &format!("{URL}&cache=true&cache_ttl=14400")).canonical.wishes;
    assert_eq!((wishes.ttl.map(|ttl| ttl.as_secs()), wishes.no_cache), (Some(14400), false));
    assert!(picture(SCREENSHOTONE, "/", &format!("{URL}&cache=false")).canonical.wishes.no_cache);
}

#[test]
fn urlbox_table() {
    check(
        URLBOX,
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
            ("thumb_width=300", "image_width=300"),
            ("thumb_width=300&thumb_height=200", "image_width=300&image_height=200&fit=cover"),
            ("thumb_width=300&thumb_height=200&img_fit=inside", "image_width=300&image_height=200"),
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
        let read = picture(URLBOX, path, URL);
        assert_eq!(
            read.canonical.key,
            ours(&format!("{URL}&width=1280&height=1024&format={format}")),
            "{path}"
        );
        assert_eq!(read.form, form, "{path}");
    }
    assert_eq!(picture(URLBOX, "/v1/K/T/jpg", URL).link.unwrap(), "/v1/-/jpg?url=https%3A%2F%2Fa.example%2F");
    assert_eq!(
        picture(URLBOX, "/v1/K/png", "url=a.example").canonical.key,
        ours("url=http://a.example/&height=1024")
    );
    for other in ["/v1/render/async", "/v1/render/12-34", "/v1/usage"] {
        assert_eq!(meant(URLBOX, true, other, URL, Content::Nothing), Meaning::Other, "{other}");
    }
}

#[test]
fn apiflash_table() {
    check(
        APIFLASH,
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
            ("thumbnail_width=400", "image_width=400"),
        ],
    );
    let wishes = picture(APIFLASH, "/", &format!("{URL}&ttl=3600&fresh=true")).canonical.wishes;
    assert_eq!((wishes.ttl.map(|ttl| ttl.as_secs()), wishes.force), (Some(3600), true));
    let form = format!("{URL}&full_page=true");
    let posted = meant(APIFLASH, false, "/", "", Content::Form(form.as_bytes()));
    assert_eq!(posted, meant(APIFLASH, false, "/", &form, Content::Nothing));
}

#[test]
fn microlink_table() {
    let defaults = "width=1280&height=800&block_ads=true&block_trackers=true&block_cookie_banners=true";
    check(
        MICROLINK,
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
    let off = picture(MICROLINK, "/", &format!("{URL}&screenshot&adblock=false"));
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
        let wishes = picture(MICROLINK, "/", &format!("{URL}&screenshot=true&{said}")).canonical.wishes;
        let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs());
        assert_eq!((seconds(wishes.ttl), seconds(wishes.stale_ttl)), (ttl, stale), "{said}");
    }
    for other in ["", "screenshot=false", "screenshot=true&embed=logo.url"] {
        let meaning = meant(MICROLINK, true, "/", &format!("{URL}&{other}"), Content::Nothing);
        assert_eq!(meaning, Meaning::Other, "{other}");
    }
    let mut fields = HeaderMap::new();
    fields.insert("x-api-header-cookie", "a=b".parse().unwrap());
    let spoken = RouteDialect { dialect: MICROLINK, remote: false, defaults: Defaults::default() };
    let query = format!("{URL}&screenshot");
    let asked = Asked { path: "/", query: &query, fields: &fields, content: Content::Nothing };
    let Meaning::Picture(private) = read(&spoken, &asked) else { panic!("a picture") };
    assert_eq!(private.canonical.key, ours(&format!("{URL}&{defaults}&headers=cookie:+a%3Db")));
    assert_eq!(private.link, None, "nobody else may have it");
}

#[test]
fn web2img_table() {
    let json = br#"{"url":"https://a.example/","format":"jpeg","width":800,"height":600}"#;
    let Meaning::Picture(read) = meant(WEB2IMG, false, "/screenshot", "cache=false", Content::Json(json))
    else {
        panic!("a picture")
    };
    assert_eq!(read.canonical.key, ours(&format!("{URL}&width=800&height=600&format=jpeg")));
    let wishes = &read.canonical.wishes;
    assert!(
        wishes.force && !wishes.no_cache && read.form == Form::Link,
        "a new picture, to which the link leads"
    );
    let link = "/screenshot?url=https%3A%2F%2Fa.example%2F&format=jpeg&width=800&height=600";
    let mut told: Vec<&str> = read.link.as_deref().unwrap().split(['?', '&']).collect();
    let mut expected: Vec<&str> = link.split(['?', '&']).collect();
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
    assert_eq!(picture(WEB2IMG, "/screenshot", URL).form, Form::Picture);
    assert_eq!(picture(WEB2IMG, "/screenshot", &format!("{URL}&cache=true")).canonical.key, ours(URL));
}
