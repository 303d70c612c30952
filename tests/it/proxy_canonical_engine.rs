//! The canonical request, which is the key, asks the engine for the same picture as what it stands for.
//!
//! - What the engine takes, by query or by JSON, it takes in canonical form too, as a query and as JSON, and reads the same of it.
//! - Most lines were found by fuzzing (docs/FUZZING.md): what one of the two trims, drops, rounds or defaults, and the other does not.

use tintype::capture::request::CaptureRequest;
use tintype::capture::{Canonical, Defaults, is_parameter, names};
use tintype::origin::chrome::Limits;

fn read(query: &str, body: Option<&[u8]>) -> CaptureRequest {
    CaptureRequest::parse(query, body, &Limits::default())
        .unwrap_or_else(|faults| panic!("{query} {body:?}: {faults:?}"))
}

fn agrees(query: &str, body: Option<&[u8]>) {
    let told = format!("{query} {:?}", body.map(String::from_utf8_lossy));
    let meant = read(query, body);
    let canonical = Canonical::read(query, body, &Defaults::default()).expect("readable");
    let by_query = canonical.parameters.query().expect("short");
    assert_eq!(read(&by_query, None), meant, "{told}: by query {by_query}");
    assert_eq!(read("", Some(&canonical.parameters.json())), meant, "{told}: by JSON");
}

#[test]
fn regression_the_engine_reads_the_canonical_request_as_what_it_stands_for() {
    for query in [
        "",
        "css=&js=&css=a",
        "css=%20&js=%09",
        "cookies=a=%20b",
        "fail_on_content=%20Not%20found%20",
        "fail_on_status=none",
        "fail_on_status=%20404,5xx",
        "hide_selectors=%20.a%20",
        "user_agent=%20a%20b%20",
        "authorization=%20Basic%20x",
        "headers=A:%20b%20",
        // No blank to browsers, so it is part of the path.
        "url=https://a.example/%E3%80%80",
        // Half a nanosecond, and what a unit makes of it.
        "delay=0.0000000005s",
        "delay=0.0014999s",
        "delay=1.1111111111s",
        "delay=00.5s",
        "quality=%2B50&format=webp",
        "clip=%201,2%20,3,4",
        "scale=1.10&device=pixel-8",
        "geolocation_latitude=-0&geolocation_longitude=1e1&geolocation_accuracy=1",
        "cache_ttl=18446744073709551615&ttl=1h&stale_ttl=5",
        "block_resources=Fonts,images,css",
        "freeze_time=true&country=DE&touch=false&mobile=0&landscape=0",
    ] {
        let page = if query.starts_with("url=") { "" } else { "url=https://a.example/&" };
        agrees(&format!("{page}{query}"), None);
    }
    for body in [
        r#"{"fail_on_status":[],"hide_selectors":[],"css":[]}"#,
        r#"{"cookies":[{"name":"a","value":"b"},"c=d"],"headers":[{"name":"X-A","value":1}]}"#,
        r#"{"cookies":{"a":"b"},"headers":{"X-A":"b: c"}}"#,
        r#"{"clip":[1,2,3,4],"scale":1e0,"full_page":null}"#,
    ] {
        agrees("url=https://a.example/", Some(body.as_bytes()));
    }
}

/// 5,500 characters become three octets each, with a percent sign: the bound is one of what they become.
#[test]
fn regression_a_url_that_is_too_long_when_it_is_spelled_out_is_refused_at_once() {
    let query = format!("url=https://a.example/{}", "\u{e9}".repeat(5500));
    let faults = CaptureRequest::parse(&query, None, &Limits::default()).expect_err("too long");
    assert_eq!(faults.len(), 1);
}

/// What fuzzing begins with says something: every parameter of the engine is in it, and is taken.
#[test]
fn what_fuzzing_begins_with_is_taken() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/capture");
    let mut all = String::new();
    for name in ["every_one", "every_look", "every_visitor", "every_json", "a_document", "a_note"] {
        let input = std::fs::read_to_string(corpus.join(name)).expect("it is there");
        let (query, json) = input.split_once('\n').unwrap_or((&input, ""));
        read(query, (!json.is_empty()).then_some(json.as_bytes()));
        all.push_str(&input);
    }
    // Sizes are made of pictures in front of the engine.
    let derived = ["fit", "image_width", "image_height"];
    for name in names().filter(|name| is_parameter(name) && !derived.contains(name)) {
        assert!(all.contains(name), "{name}");
    }
}
