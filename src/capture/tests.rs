use std::time::Duration;

use url::Url;

use super::*;
use crate::policy::wishes::Wishes;

fn read(query: &str) -> Canonical {
    Canonical::read(query, None, &Defaults::default()).expect("readable")
}

fn key(query: &str) -> String {
    read(query).key
}

const URL: &str = "url=https%3A%2F%2Fa.example%2F";

/// Each line is one picture, however it is asked for.
#[test]
fn the_same_picture_has_one_key() {
    for (canonical, others) in [
        (
            "",
            &[
                "width=1280&height=720",
                "scale=1.0",
                "format=png&quality=50",
                "full_page=false",
                "delay=0s",
                "retina=false",
            ][..],
        ),
        (
            "",
            &[
                "wait_until=settled",
                "block_ads=0",
                "block_images=false",
                "full_page_max_height=100",
                "touch=false&mobile=no",
            ],
        ),
        (
            "",
            &[
                "ttl=60",
                "force=true",
                "no_cache=1",
                "cache=false",
                "access_key=k&signature=s",
                "token=t",
                "fresh=true",
            ],
        ),
        (
            "full_page=true",
            &["fullPage=1", "fullpage=true", "isFullPage=TRUE", "full_page=yes&full_page=true"],
        ),
        (
            "width=800&height=600",
            &[
                "viewport=800x600",
                "dimension=800X600",
                "viewport_width=800&viewport_height=600",
                "height=600&width=800",
                "vpw=800&vph=600",
            ],
        ),
        ("scale=2", &["deviceScaleFactor=2", "retina=true", "dpr=2.0", "device_scale_factor=2"]),
        ("delay=1500", &["delay=1.5s", "wait=1500", "delay=1500ms", "waitForTimeout=1500"]),
        ("format=jpeg", &["format=jpg", "format=JPEG&quality=80", "file_type=jpg"]),
        ("wait_until=networkidle", &["waitUntil=networkidle0", "wait_until=network_idle"]),
        (
            "block_resources=font,image",
            &[
                "block_resources=images,fonts",
                "block_fonts=true&block_images=1",
                "block_resources=font&block_resources=image",
                "rejectResourceTypes=font,image,font",
            ],
        ),
        ("dark_mode=true", &["darkMode=1", "colorScheme=dark"]),
        ("omit_background=true", &["transparent=true", "defaultBackground=false"]),
        (
            "hide_selectors=.a&hide_selectors=.b",
            &["hide_selectors=.b&hide_selectors=.a", "hide_selector=.a&hideElements=.b"],
        ),
        ("clip=1,2,3,4", &["clip=1, 2, 3.0,4"]),
        (
            "geolocation_latitude=1.5&geolocation_longitude=2",
            &["latitude=1.50&longitude=2", "latitude=1.5&longitude=2&accuracy=1"],
        ),
        ("headers=a:+b&headers=c:d", &["headers=C: d&headers=A:b"]),
        ("cookies=a=b;c=d", &["cookies=c=d&cookies=a=b", "cookie=a=b; c=d"]),
    ] {
        let expected = key(&format!("{URL}&{canonical}"));
        for other in others {
            assert_eq!(key(&format!("{other}&{URL}")), expected, "{other} as {canonical}");
        }
    }
}

/// Each line is another picture than every other.
#[test]
fn different_pictures_have_different_keys() {
    let all = [
        "",
        "full_page=true",
        "full_page=true&full_page_max_height=100",
        "width=1281",
        "height=1281",
        "scale=2",
        "format=jpeg",
        "format=jpeg&quality=10",
        "format=webp",
        "selector=a",
        "clip=1,2,3,4",
        "delay=1",
        "wait_for_selector=a",
        "wait_until=load",
        "wait_until=networkidle",
        "block_ads=true",
        "block_trackers=true",
        "block_cookie_banners=true",
        "block_chats=true",
        "block_resources=image",
        "block_requests=image",
        "hide_selectors=a",
        "css=a",
        "js=a",
        "css=a&css=b",
        "css=b&css=a",
        "dark_mode=true",
        "dark_mode=false",
        "reduced_motion=true",
        "media_type=print",
        "device=pixel-8",
        "device=pixel-8&scale=1",
        "mobile=true",
        "mobile=true&touch=false",
        "touch=true",
        "landscape=true",
        "user_agent=a",
        "headers=a:b",
        "headers=a:B",
        "cookies=a=b",
        "cookies=A=b",
        "authorization=a",
        "time_zone=Europe/Berlin",
        "locale=de",
        "geolocation_latitude=1&geolocation_longitude=2",
        "omit_background=true",
        "allow_blank=true",
        "fail_on_status=none",
        "fail_on_content=a",
        "cache_key=a",
        "freeze_time=true",
        "proxy=a",
        "country=de",
        "unknown=1",
        "js*=a",
        "js**=a",
        "width=1&width=2",
    ];
    let keys: Vec<String> = all.iter().map(|query| key(&format!("{URL}&{query}"))).collect();
    for (at, one) in keys.iter().enumerate() {
        for (other, query) in keys[..at].iter().zip(all) {
            assert_ne!(one, other, "{} and {query}", all[at]);
        }
    }
    assert_ne!(key("url=https://a.example/#a"), key("url=https://a.example/#b"));
    assert_ne!(key("url=https://a.example/?a=1&b=2"), key("url=https://a.example/?b=2&a=1"));
}

#[test]
fn pages_are_compared_as_browsers_read_them() {
    let expected = key("url=https://a.example/b?c");
    for same in [
        "url=HTTPS://A.example:443/b?c",
        "url=https%3A%2F%2Fa.example%2Fx%2F..%2Fb%3Fc",
        "url= https://a.example/b?c ",
    ] {
        assert_eq!(key(same), expected, "{same}");
    }
}

#[test]
fn get_and_post_of_the_same_picture_are_one() {
    let defaults = &Defaults::default();
    for (query, body) in [
        (
            "url=https://a.example/&width=800&full_page=true",
            r#"{"url":"https://a.example/","width":800,"full_page":true}"#,
        ),
        (
            "url=https://a.example/&js=a()&css=b&css=c",
            r#"{"css":["b","c"],"js":"a()","url":"https://a.example"}"#,
        ),
        (
            "url=https://a.example/&headers=A:+b&cookies=c=d",
            r#"{"url":"https://a.example/","headers":{"a":"b"},"cookies":{"c":"d"}}"#,
        ),
        (
            "url=https://a.example/&clip=1,2,3,4&ttl=5",
            r#"{"url":"https://a.example/","clip":{"x":1,"y":2,"width":3,"height":4},"ttl":5}"#,
        ),
    ] {
        let posted = Canonical::read("", Some(body.as_bytes()), defaults).expect("readable");
        assert_eq!(posted, read(query), "{body}");
        let (first, rest) = query.split_once('&').expect("two");
        let _ = first;
        let both =
            Canonical::read(rest, Some(br#"{"url":"https://a.example/"}"#), defaults).expect("readable");
        assert_eq!(both, read(query), "half and half: {body}");
    }
    assert_eq!(Canonical::read("", Some(b"[]"), defaults), None);
}

/// The canonical JSON of what is refused was once a box that nobody had asked for.
#[test]
fn regression_a_clip_that_is_given_twice_is_not_joined_into_one() {
    for query in ["clip=1,2&clip=3,4", "clip=1&clip=2&clip=3&clip=4"] {
        let first = read(&format!("url=https://a.example/&{query}"));
        let again =
            Canonical::read("", Some(&first.parameters.json()), &Defaults::default()).expect("readable");
        assert_eq!(again.key, first.key, "{query}");
    }
}

/// An empty `device` left out the size of a request that had none; read again, it was another request.
#[test]
fn regression_an_empty_value_is_as_if_it_were_not_there() {
    for empty in [
        "device=",
        "device=%20",
        "scale=",
        "touch=&mobile=",
        "format=&quality=",
        "css=&js=",
        "headers=&cookies=;",
        "retina=&transparent=%20&animations=&viewport=&colorScheme=&cacheTTL=",
    ] {
        for beside in ["scale=1.0", "width=800&touch=false", "format=jpeg&quality=80", "full_page=true"] {
            let plain = read(&format!("{URL}&{beside}"));
            assert_eq!(read(&format!("{URL}&{beside}&{empty}")), plain, "{beside} {empty}");
        }
    }
    let defaults = Defaults { width: 1440, ..Defaults::default() };
    let sized = |query: &str| Canonical::read(query, None, &defaults).expect("readable").parameters.query();
    assert_eq!(sized(&format!("{URL}&width=")), sized(URL));
    // What is not known is the origin's to judge.
    assert_ne!(read(&format!("{URL}&unknown=")), read(URL));
    // A route's own value is overruled by none.
    let parameters = vec![("css".to_owned(), "a{}".to_owned())];
    let of_route = Defaults { parameters, ..Defaults::default() };
    assert_eq!(Canonical::read(&format!("{URL}&css="), None, &of_route).expect("readable"), read(URL));
}

/// Its canonical form had more parameters than are read, and could not be read again.
#[test]
fn regression_lists_count_by_what_they_spell_out() {
    let words = |count: usize| (0..count).map(|n| format!("w{n}")).collect::<Vec<_>>().join(",");
    let read = |query: &str| Canonical::read(query, None, &Defaults::default());
    assert!(read(&format!("block_resources={}", words(given::MAX_PAIRS))).is_some());
    assert_eq!(read(&format!("block_resources={}", words(given::MAX_PAIRS + 1))), None);
    let many = format!(r#"{{"hide_selectors":[{}"b"]}}"#, r#""a","#.repeat(given::MAX_PAIRS));
    assert_eq!(Canonical::read("", Some(many.as_bytes()), &Defaults::default()), None, "nothing is cut off");
}

/// Sorted by value, whichever was said first, one and the same of the two won.
#[test]
fn regression_of_two_cookies_of_one_name_the_last_stays_the_last() {
    let of = |cookies: &str| read(&format!("url=https://a.example/&{cookies}"));
    let (one, other) = (of("cookies=a=1&cookies=a=2"), of("cookies=a=2&cookies=a=1"));
    assert_ne!(one.key, other.key);
    assert!(other.parameters.query().expect("short").starts_with("cookies=a%3D2&cookies=a%3D1&"));
    assert_eq!(of("cookies=a=1&cookies=b=2"), of("cookies=b=2&cookies=a=1"), "of two names none comes first");
    assert_ne!(of("headers=X:+1&headers=x:+2").key, of("headers=x:+2&headers=X:+1").key);
}

#[test]
fn what_is_private_is_not_in_the_key() {
    let key = key(
        "url=https://a.example/&headers=X-Key:+hunter2&cookies=s=hunter2&authorization=Basic+hunter2&user_agent=hunter2&js=hunter2&access_key=hunter2&token=hunter2",
    );
    assert!(!key.contains("hunter2"), "{key}");
    assert!(key.contains("authorization*="), "{key}");
}

#[test]
fn nobody_can_spell_the_hash_of_another_ones_script() {
    let theirs = key(&format!("{URL}&js=a()"));
    let hash = theirs
        .split("js*=")
        .nth(1)
        .or_else(|| theirs.split("js%2A=").nth(1))
        .expect("a hash")
        .split('&')
        .next()
        .expect("it");
    for forged in [format!("js*={hash}"), format!("js%2A={hash}"), format!("js={hash}")] {
        assert_ne!(key(&format!("{URL}&{forged}")), theirs, "{forged}");
    }
}

#[test]
fn the_origin_is_asked_by_canonical_names_and_not_for_wishes() {
    for (given, asked) in [
        (
            "fullPage=1&url=https://a.example&ttl=60&access_key=k&cache_key=x",
            "full_page=true&url=https%3A%2F%2Fa.example%2F",
        ),
        (
            "url=https://a.example&js=a()&authorization=b",
            "authorization=b&js=a%28%29&url=https%3A%2F%2Fa.example%2F",
        ),
        // What is wrong is for the origin to refuse, all of it in one answer.
        (
            "url=nonsense&width=x&ttl=soon&force=perhaps&unknown=1",
            "force=perhaps&ttl=soon&unknown=1&url=nonsense&width=x",
        ),
    ] {
        assert_eq!(read(given).parameters.query().as_deref(), Some(asked), "{given}");
    }
    let long = read(&format!("html={}", "x".repeat(9000)));
    assert_eq!(long.parameters.query(), None);
    assert!(long.parameters.json().starts_with(br#"{"html":"xxx"#));
    assert_eq!(
        &read("css=a&css=b&css=c&width=5").parameters.json()[..],
        br#"{"css":["a","b","c"],"width":"5"}"#
    );
}

#[test]
fn wishes_table() {
    let secs = |n| Some(Duration::from_secs(n));
    let none = Wishes::default();
    for (query, expected) in [
        ("", none.clone()),
        ("ttl=60", Wishes { ttl: secs(60), ..none.clone() }),
        ("ttl=1h", Wishes { ttl: secs(3600), ..none.clone() }),
        ("cache_ttl=60&ttl=90", Wishes { ttl: secs(60), ..none.clone() }),
        ("cacheLimit=0.5", Wishes { ttl: secs(43_200), ..none.clone() }),
        ("maxAge=2", Wishes { ttl: secs(7200), ..none.clone() }),
        ("ttl=soon", none.clone()),
        ("stale_ttl=10", Wishes { stale_ttl: secs(10), ..none.clone() }),
        ("force=true", Wishes { force: true, ..none.clone() }),
        ("fresh=1", Wishes { force: true, ..none.clone() }),
        ("no_cache=true", Wishes { no_cache: true, ..none.clone() }),
        ("cache=false", Wishes { no_cache: true, ..none.clone() }),
        ("cache=true", none.clone()),
        ("js=a()", Wishes { scripted: true, ..none.clone() }),
        (
            "url=https://a.example/b%23c",
            Wishes { page: Url::parse("https://a.example/b").ok(), ..none.clone() },
        ),
        ("url=nonsense", none),
    ] {
        assert_eq!(read(query).wishes, expected, "{query}");
    }
}

#[test]
fn a_configured_viewport_is_what_absence_means() {
    let defaults = Defaults { width: 1440, ..Defaults::default() };
    let key = |query: &str| Canonical::read(query, None, &defaults).expect("readable").key;
    assert_eq!(key(URL), super::tests::key(&format!("{URL}&width=1440")));
    assert_eq!(key(&format!("{URL}&width=1280")), super::tests::key(URL));
    assert_eq!(key(&format!("{URL}&device=pixel-8")), super::tests::key(&format!("{URL}&device=pixel-8")));
}

/// It was left out of the request as of the key, and the engine took its own default.
#[test]
fn regression_a_size_that_is_canonical_is_said_where_the_origin_has_another_default() {
    let defaults = Defaults { width: 1440, height: 900, ..Defaults::default() };
    let query = |query: &str| {
        Canonical::read(query, None, &defaults).expect("readable").parameters.query().expect("short")
    };
    assert_eq!(query(&format!("{URL}&width=1280")), format!("height=900&{URL}&width=1280"));
    assert_eq!(query(&format!("{URL}&width=1280&height=720")), format!("height=720&{URL}&width=1280"));
    assert_eq!(query(&format!("{URL}&device=pixel-8")), format!("device=pixel-8&{URL}"));
}

/// Keys that were given out once stay what they are, or stored pictures would be lost by an update.
#[test]
fn keys_are_stable_across_versions() {
    let known = include_str!("../../tests/capture_keys.txt");
    let lines: Vec<&str> = known.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 12, "the list is there");
    for line in lines {
        let (query, expected) = line.split_once(" => ").expect("query => key");
        assert_eq!(key(query), expected, "{query}");
    }
}

#[test]
fn the_table_is_consistent() {
    let aliases: Vec<&str> = all().flat_map(|known| known.aliases.iter().map(|(alias, _)| *alias)).collect();
    for name in &aliases {
        assert!(parameters::find(name).is_none(), "{name} is canonical and an alias");
        assert_eq!(aliases.iter().filter(|other| *other == name).count(), 1, "{name} twice");
    }
    for parameter in all() {
        assert_eq!(names().filter(|name| *name == parameter.name).count(), 1, "{}", parameter.name);
    }
}

#[test]
fn a_route_says_what_holds_where_a_request_says_nothing() {
    let parameters = [("block_ads", "true"), ("css", "a{}"), ("css", "b{}"), ("js", "x()")];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let defaults = Defaults { parameters, ..Defaults::default() };
    let read = |query: &str| Canonical::read(query, None, &defaults).expect("readable");
    let plain = super::tests::read(&format!("{URL}&block_ads=true&css=a{{}}&css=b{{}}&js=x()"));
    assert_eq!(read(URL).key, plain.key);
    assert_eq!(read(URL).parameters.query(), plain.parameters.query());
    // It is the operator's script, not one that the request brings.
    assert_eq!((read(URL).wishes.scripted, plain.wishes.scripted), (false, true));
    let other = read(&format!("{URL}&blockAds=false&css=c"));
    assert_eq!(other.key, super::tests::read(&format!("{URL}&css=c&js=x()")).key);
}
