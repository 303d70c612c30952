use std::time::Duration;

use url::Url;

use super::*;
use crate::capture::limits::Limits;
use crate::capture::reader::{MAX_FAULTS, MAX_FOUND};

const URL: &str = "url=http://a.example";

fn limits() -> Limits {
    Limits { max_pixels: 16_000_000, max_scale: 4.0, ..Limits::default() }
}

fn parse(query: &str) -> CaptureRequest {
    CaptureRequest::parse(query, None, &limits()).expect(query)
}

fn posted(body: &str) -> CaptureRequest {
    CaptureRequest::parse("", Some(body.as_bytes()), &limits()).expect(body)
}

fn faults_of(query: &str, body: Option<&str>) -> Vec<String> {
    let faults = CaptureRequest::parse(query, body.map(str::as_bytes), &limits()).expect_err(query);
    faults.into_iter().map(|fault| format!("{}={}", fault.parameter, fault.found)).collect()
}

#[test]
fn defaults() {
    let url = Url::parse("http://a.example/").unwrap();
    assert_eq!(
        parse("url=http%3A%2F%2Fa.example"),
        CaptureRequest {
            page: Page::Url(url),
            view: View { width: 1280, height: 720, scale: 1.0, mobile: false, touch: false },
            format: Format::Png,
            quality: 80,
            omit_background: false,
            area: Area::Viewport,
            wait: Wait { until: Until::Settled, selector: None, delay: Duration::ZERO },
            look: Look::default(),
            visitor: Visitor::default(),
            block: Blocking::default(),
            freeze: None,
            egress: None,
            ignore_https_errors: false,
            rules: Rules {
                statuses: vec![StatusRange { from: 1, to: 199 }, StatusRange { from: 400, to: u16::MAX }],
                content: Vec::new(),
                allow_blank: false,
                on_timeout: OnTimeout::Picture,
            },
        }
    );
}

/// secret-agent#451, html-proofer#215: a page that answers 999 is no picture.
#[test]
fn statuses_outside_of_200_to_399_are_errors_by_default() {
    let statuses = parse("url=http://a.example").rules.statuses;
    for (status, is_error) in [
        (0, false),
        (100, true),
        (199, true),
        (200, false),
        (299, false),
        (302, false),
        (304, false),
        (399, false),
        (400, true),
        (404, true),
        (599, true),
        (600, true),
        (999, true),
        (u16::MAX, true),
    ] {
        assert_eq!(statuses.iter().any(|range| range.has(status)), is_error, "{status}");
    }
    assert_eq!(
        parse("url=http://a.example&fail_on_status=999").rules.statuses,
        [StatusRange { from: 999, to: 999 }]
    );
}

#[test]
fn a_query_and_a_json_object_say_the_same() {
    let query = "url=https://a.example/x?y=1%26z%23f&width=1&height=4096&format=webp&quality=100&full_page=1\
        &full_page_max_height=5000&scale=1.5&delay=250&ttl=9&force=true&cache=0&no_cache=1&mobile=true&touch=0\
        &wait_until=networkidle&wait_for_selector=%23a&block_resources=images,font&hide_selectors=.a,.b\
        &hide_selectors=.c&css=b%7B%7D&js=x()&dark_mode=true&reduced_motion=false&media_type=print&user_agent=me\
        &headers=X-A:+1&headers=x-b:2&cookies=a%3Db;+c%3Dd&authorization=Basic+eA&time_zone=Asia/Tokyo&locale=de-CH\
        &geolocation_latitude=-1.5&geolocation_longitude=8&omit_background=true&fail_on_status=404,5xx\
        &fail_on_content=Sorry,+no&allow_blank=1&block_ads=1&block_trackers=true&block_cookie_banners=true&block_chats=0\
        &freeze_time=2020-02-29T00:00:00Z&proxy=berlin";
    let body = r##"{ "url": "https://a.example/x?y=1&z#f", "width": 1, "height": 4096, "format": "webp", "quality": 100,
        "full_page": true, "full_page_max_height": 5000, "scale": 1.5, "delay": 250, "ttl": 9, "force": true,
        "cache": false, "mobile": true, "touch": false, "wait_until": "networkidle", "wait_for_selector": "#a",
        "block_resources": ["images", "font"], "hide_selectors": [".a,.b", ".c"], "css": "b{}", "js": ["x()"],
        "dark_mode": true, "reduced_motion": false, "media_type": "print", "user_agent": "me",
        "headers": { "X-A": "1", "x-b": 2 }, "cookies": [{ "name": "a", "value": "b" }, "c=d"],
        "authorization": "Basic eA", "time_zone": "Asia/Tokyo", "locale": "de-CH", "geolocation_latitude": -1.5,
        "geolocation_longitude": 8, "omit_background": true, "fail_on_status": [404, "5xx"],
        "fail_on_content": "Sorry, no", "allow_blank": true, "selector": null, "block_ads": true, "block_trackers": true,
        "block_cookie_banners": true, "block_chats": false, "freeze_time": "2020-02-29T00:00:00Z",
        "proxy": "berlin" }"##;
    let spec = parse(query);
    assert_eq!(posted(body), spec);

    assert_eq!(spec.page, Page::Url(Url::parse("https://a.example/x?y=1&z#f").unwrap()));
    assert_eq!(spec.view, View { width: 1, height: 4096, scale: 1.5, mobile: true, touch: false });
    assert_eq!((spec.format, spec.quality, spec.omit_background), (Format::Webp, 100, true));
    assert_eq!(spec.area, Area::FullPage(5000));
    let wait =
        Wait { until: Until::NetworkIdle, selector: Some("#a".into()), delay: Duration::from_millis(250) };
    assert_eq!(spec.wait, wait);
    assert_eq!(spec.look.hide, [".a,.b", ".c"]);
    assert_eq!(spec.block.resources, [ResourceKind::Image, ResourceKind::Font]);
    assert_eq!(spec.block.lists, [Category::Ads, Category::Trackers, Category::CookieBanners]);
    assert_eq!(spec.freeze, Some(1_582_934_400_000));
    assert_eq!(spec.egress, Some(Egress::Name("berlin".into())));
    let pairs = |list: &[(String, String)]| {
        list.iter().map(|(name, value)| format!("{name}|{value}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(pairs(&spec.visitor.headers), "x-a|1 x-b|2 authorization|Basic eA");
    assert_eq!(pairs(&spec.visitor.cookies), "a|b c|d");
    let place = Geolocation { latitude: -1.5, longitude: 8.0, accuracy: 1.0 };
    assert_eq!(spec.visitor.geolocation, Some(place));
    let not_found = StatusRange { from: 404, to: 404 };
    assert_eq!(spec.rules.statuses, [not_found, StatusRange { from: 500, to: 599 }]);
    assert_eq!((&spec.rules.content[..], spec.rules.allow_blank), (&["Sorry, no".to_owned()][..], true));
}

#[test]
fn errors_of_https_are_ignored_where_the_operator_allows_it() {
    let limits = |allow_ignore_https_errors| Limits { allow_ignore_https_errors, ..limits() };
    for (query, allowed, expected) in [
        ("", false, Some(false)),
        ("&ignore_https_errors=false", false, Some(false)),
        ("&ignore_https_errors=true", true, Some(true)),
        ("&ignore_https_errors=true", false, None),
        ("&ignore_https_errors=maybe", true, None),
    ] {
        let spec = CaptureRequest::parse(&format!("{URL}{query}"), None, &limits(allowed));
        assert_eq!(spec.map(|spec| spec.ignore_https_errors).ok(), expected, "{query} {allowed}");
    }
    let refused = CaptureRequest::parse(&format!("{URL}&ignore_https_errors=1"), None, &limits(false));
    let fault = refused.expect_err("refused").remove(0);
    assert!(fault.allowed.contains("allow_ignore_https_errors"), "{fault:?}");
}

#[test]
fn areas() {
    let clip = Area::Clip(Clip { x: 1, y: 2, width: 3, height: 4 });
    for (query, expected) in [
        ("full_page=false", Area::Viewport),
        ("full_page=true", Area::FullPage(200_000)),
        ("selector=%23a", Area::Element("#a".into())),
        ("clip=1,2,3,4", clip.clone()),
    ] {
        assert_eq!(parse(&format!("{URL}&{query}")).area, expected, "{query}");
    }
    for body in [
        r#"{"url":"http://a.example","clip":"1,2,3,4"}"#,
        r#"{"url":"http://a.example","clip":[1,2,3,4]}"#,
        r#"{"url":"http://a.example","clip":{"height":4,"width":3,"y":2,"x":1}}"#,
    ] {
        assert_eq!(posted(body).area, clip, "{body}");
    }
    for body in [
        r#"{"url":"http://a.example","clip":["1,2","3,4"]}"#,
        r#"{"url":"http://a.example","clip":["1","2","3","4"]}"#,
    ] {
        let faults = CaptureRequest::parse("", Some(body.as_bytes()), &limits()).expect_err("no box");
        assert_eq!(faults[0].parameter, "clip", "{body}");
    }
}

#[test]
fn a_device_gives_way_to_what_is_said_beside_it() {
    let view = |query: &str| {
        let spec = parse(&format!("{URL}&{query}"));
        let View { width, height, scale, mobile, touch } = spec.view;
        (width, height, scale, mobile, touch, spec.visitor.user_agent.is_some())
    };
    assert_eq!(view("device=iphone-15"), (393, 852, 3.0, true, true, true));
    assert_eq!(view("device=iphone-15&landscape=true"), (852, 393, 3.0, true, true, true));
    assert_eq!(view("device=iPhone+15&width=400&scale=1&touch=0"), (400, 852, 1.0, true, false, true));
    assert_eq!(view("device=laptop"), (1366, 768, 1.0, false, false, false));
    assert_eq!(view("mobile=1"), (1280, 720, 1.0, true, true, false));
    assert_eq!(view("landscape=1"), (1280, 720, 1.0, false, false, false));
    assert_eq!(view("landscape=1&width=10&height=20"), (20, 10, 1.0, false, false, false));
    assert_eq!(parse(&format!("{URL}&device=ipad&user_agent=me")).visitor.user_agent, Some("me".into()));
}

#[test]
fn a_document_of_its_own() {
    assert_eq!(posted(r#"{"html":"<p>x"}"#).page, Page::Html("<p>x".into()));
    assert_eq!(parse("html=%3Cp%3E").page, Page::Html("<p>".into()));
    let Page::Html(rendered) = posted(r##"{"markdown":"# A *b*"}"##).page else { panic!("a document") };
    assert!(rendered.contains("<h1>A <em>b</em></h1>"), "{rendered}");
    assert_eq!(faults_of("html=x&url=http://a.example", None), ["html=a document beside another page"]);
    assert_eq!(faults_of("html=x&markdown=y", None), ["markdown=a document beside another page"]);
    assert_eq!(faults_of("markdown=", None), ["markdown="]);
    let long = format!("markdown={}", "a".repeat(limits().max_html + 1));
    assert_eq!(faults_of(&long, None).len(), 1);
    assert_eq!(faults_of("html=", None), ["html="]);
}

#[test]
fn every_fault_is_named() {
    for (query, expected) in [
        ("", vec!["url=nothing"]),
        ("url=", vec!["url="]),
        ("url=a.example", vec!["url=a.example"]),
        ("url=file:///etc/passwd", vec!["url=file:///etc/passwd"]),
        ("url=javascript:alert(1)", vec!["url=javascript:alert(1)"]),
        ("url=view-source:http://a.example", vec!["url=view-source:http://a.example"]),
        ("url=http://u:p@a.example", vec!["url=http://u:p@a.example"]),
        ("url=http://", vec!["url=http://"]),
        ("width=0&height=4097", vec!["url=nothing", "width=0", "height=4097"]),
        (&format!("{URL}&width=1.5&height=-2"), vec!["width=1.5", "height=-2"]),
        (&format!("{URL}&format=gif&quality=0"), vec!["format=gif", "quality=0"]),
        (&format!("{URL}&scale=0.05&full_page=yes"), vec!["scale=0.05", "full_page=yes"]),
        (&format!("{URL}&scale=4.1&delay=11s"), vec!["scale=4.1", "delay=11s"]),
        (&format!("{URL}&scale=NaN&quality=101"), vec!["scale=NaN", "quality=101"]),
        (&format!("{URL}&widht=5"), vec!["widht=5"]),
        (&format!("{URL}&width=5&width=6"), vec!["width=6"]),
        (&format!("{URL}&width=4096&height=4096"), vec!["width=4096", "height=4096"]),
        (&format!("{URL}&scale=4&width=1400"), vec!["width=1400", "scale=4"]),
        (&format!("{URL}&clip=0,0,9000,9000"), vec!["clip=0,0,9000,9000"]),
        (&format!("{URL}&clip=0,0,9&device=nokia"), vec!["device=nokia", "clip=0,0,9"]),
        (
            &format!("{URL}&clip=0,0,9,9&selector=a&full_page=1"),
            vec!["selector=a", "clip=0,0,9,9", "clip=0,0,9,9"],
        ),
        (&format!("{URL}&selector=a%7B&wait_until=later"), vec!["selector=a{", "wait_until=later"]),
        (&format!("{URL}&format=jpeg&omit_background=1"), vec!["omit_background=true"]),
        (&format!("{URL}&block_resources=image,cats"), vec!["block_resources=cats"]),
        (
            &format!("{URL}&geolocation_accuracy=5"),
            vec!["geolocation_latitude=nothing", "geolocation_longitude=nothing"],
        ),
        (&format!("{URL}&geolocation_latitude=91&geolocation_longitude=0"), vec!["geolocation_latitude=91"]),
        (
            &format!("{URL}&time_zone=a+b&locale=x&media_type=tv"),
            vec!["media_type=tv", "time_zone=a b", "locale=x"],
        ),
        (
            &format!("{URL}&block_ads=yes&block_chats=x&freeze_time=now"),
            vec!["block_ads=yes", "block_chats=x", "freeze_time=now"],
        ),
        (
            &format!("{URL}&block_trackers=2&block_cookie_banners="),
            vec!["block_trackers=2", "block_cookie_banners="],
        ),
        (&format!("{URL}&proxy=a/b&country=deu"), vec!["proxy=a/b", "country=deu"]),
        (&format!("{URL}&proxy=a&country=de"), vec!["country=de"]),
        (&format!("{URL}&fail_on_status=none,404"), vec!["fail_on_status=none"]),
    ] {
        assert_eq!(faults_of(query, None), expected, "{query}");
    }
    assert_eq!(parse(&format!("{URL}&fail_on_status=none")).rules.statuses, []);
    parse(&format!("{URL}&scale=4"));
}

#[test]
fn time_stands_still_where_request_or_operator_say_so() {
    let freeze = |query: &str, freeze_time: bool| {
        let limits = Limits { freeze_time, ..limits() };
        CaptureRequest::parse(&format!("{URL}&{query}"), None, &limits).unwrap().freeze
    };
    let epoch = Some(1_735_689_600_000);
    for (query, always, expected) in [
        ("", false, None),
        ("", true, epoch),
        ("freeze_time=true", false, epoch),
        ("freeze_time=false", true, None),
        ("freeze_time=1970-01-02T00:00:00Z", true, Some(86_400_000)),
    ] {
        assert_eq!(freeze(query, always), expected, "{query}");
    }
    assert_eq!(parse(&format!("{URL}&country=DE")).egress, Some(Egress::Country("de".into())));
}

/// The canonical request leaves them out, and then asked for something else than the request that it stands for.
#[test]
fn regression_an_empty_style_sheet_or_script_is_none() {
    let spec = parse(&format!("{URL}&css&css=a{{}}&css=&js="));
    assert_eq!((spec.look.css, spec.look.js), (vec!["a{}".to_owned()], vec![]));
    let spec = posted(r#"{"url":"http://a.example","css":["","b{}"],"js":""}"#);
    assert_eq!((spec.look.css, spec.look.js), (vec!["b{}".to_owned()], vec![]));
}

/// The canonical request leaves them out.
#[test]
fn regression_blanks_around_the_value_of_a_cookie_are_no_part_of_it() {
    let spec = parse(&format!("{URL}&cookies=a=%20b%20c%20"));
    assert_eq!(spec.visitor.cookies, [("a".to_owned(), "b c".to_owned())]);
}

#[test]
fn a_body_is_an_object_of_parameters() {
    for (body, expected) in [
        ("[]", vec!["url=nothing", "body=[]"]),
        ("{\"url\":\"http://a.example\",\"width\":[1]}", vec!["width=[1]"]),
        ("{\"url\":\"http://a.example\",\"width\":\"x\",\"colour\":1}", vec!["colour=1", "width=x"]),
        ("{\"url\":\"http://a.example\",\"clip\":{\"x\":1}}", vec!["clip={\"x\":1}"]),
        ("{\"url\":\"http://a.example\",\"css\":{\"a\":1}}", vec!["css={\"a\":1}"]),
    ] {
        assert_eq!(faults_of("", Some(body)), expected, "{body}");
    }
    let broken = faults_of("", Some("{"));
    assert!(broken.iter().any(|fault| fault.starts_with("body=EOF")), "{broken:?}");
    // Half in the query; the same in both is once too often.
    assert_eq!(faults_of("width=5", Some("{\"width\":6,\"url\":\"http://a.example\"}")), ["width=6"]);
    let both = CaptureRequest::parse("width=5", Some(b"{\"url\":\"http://a.example\"}"), &limits()).unwrap();
    assert_eq!(both.view.width, 5);
}

#[test]
fn what_is_repeated_to_the_client_is_bounded_and_no_secret() {
    let many: String = (0..100).map(|n| format!("x{n}={}&", "y".repeat(1000))).collect();
    let faults = CaptureRequest::parse(&many, None, &limits()).unwrap_err();
    assert!(faults.len() <= MAX_FAULTS + 1);
    assert!(faults.iter().all(|fault| fault.found.len() <= MAX_FOUND));

    let query = format!("{URL}&headers=hush&cookies=hush&authorization=hu%0ash");
    let hidden = "a value that is not shown";
    let expected = ["headers", "cookies", "authorization"].map(|name| format!("{name}={hidden}"));
    assert_eq!(faults_of(&query, None), expected);
    let body = r#"{"url":"http://a.example","headers":{"x":["hush"]},"authorization":["hush"]}"#;
    assert!(!format!("{:?}", faults_of("", Some(body))).contains("hush"));
    let spec = parse(&format!("{URL}&headers=x:+hush&cookies=a=hush"));
    assert!(!format!("{spec:?}").contains("hush"));
    let long = format!("{URL}&{}", "headers=x:+1&".repeat(33));
    assert_eq!(faults_of(&long, None), [format!("headers={hidden}")]);
}
