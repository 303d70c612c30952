//! What is one picture: requests that mean the same share one stored response and one capture.
//!
//! - A capture route maps aliases, defaults, order and spelling to one canonical request; `GET` and `POST` share it (A07, B03).
//! - Credentials, signatures and what is said to the cache are in no key, and are not sent on.
//! - What is read of a body has the bound of any other (`max_request_body`), announced or not.
//! - In front of an API of unknown dialect: query sorted, listed parameters out of the key, or of the request too; all else is opaque.

use crate::support::*;

async fn before(route: &str) -> (ScriptedOrigin, Tintype) {
    let origin = ScriptedOrigin::start(|request| {
        Reply::ok(format!("picture {}", request.index)).header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::with(&origin, route).await;
    (origin, tintype)
}

async fn post(tintype: &Tintype, target: &str, body: &str) -> Answer {
    let fields = [("content-type", "application/json")];
    tintype.client.request("POST", &tintype.url(target), &fields, body).await
}

#[tokio::test]
async fn one_picture_is_captured_once_however_it_is_asked_for() {
    let (origin, tintype) = before("capture = true\nonly_pictures = false\ndialect = \"tintype\"").await;
    let first = tintype.get("/shot?fullPage=1&url=https://Example.com&access_key=secret&ttl=60").await;
    assert_eq!(glance(&first), seen(200, "MISS", "picture 0"));
    for same in [
        "/shot?url=https%3A%2F%2Fexample.com%2F&full_page=true",
        "/shot?full_page=yes&url=https://example.com:443/&width=1280&viewport_height=720&signature=other",
        "/shot?url=https://example.com&isFullPage=true&delay=0&format=PNG&quality=3",
    ] {
        assert_eq!(glance(&tintype.get(same).await), seen(200, "HIT", "picture 0"), "{same}");
    }
    let posted =
        post(&tintype, "/shot", r#"{"url":"https://example.com","fullPage":true,"width":1280}"#).await;
    assert_eq!(glance(&posted), seen(200, "HIT", "picture 0"));
    let asked: Vec<String> =
        origin.requests().into_iter().map(|r| format!("{} {}", r.method, r.target)).collect();
    assert_eq!(asked, ["GET /shot?full_page=true&url=https%3A%2F%2Fexample.com%2F"]);
    for other in ["/shot?url=https://example.com", "/shot?url=https://example.com&full_page=true&scale=2"] {
        assert_eq!(tintype.get(other).await.header("x-cache"), Some("MISS"), "{other}");
    }
}

#[tokio::test]
async fn a_posted_picture_answers_gets_and_is_purged_with_its_page() {
    let (origin, tintype) = before("capture = true\nonly_pictures = false\ndialect = \"tintype\"").await;
    let ask = r#"{"url":"https://example.com/a","selector":"b"}"#;
    assert_eq!(glance(&post(&tintype, "/shot", ask).await), seen(200, "MISS", "picture 0"));
    let get = "/shot?selector=b&url=https://example.com/a";
    assert_eq!(glance(&tintype.get(get).await), seen(200, "HIT", "picture 0"));
    let conditional = [("content-type", "application/json"), ("if-none-match", "*"), ("range", "bytes=0-1")];
    let whole = tintype.client.request("POST", &tintype.url("/shot"), &conditional, ask).await;
    assert_eq!(glance(&whole), seen(200, "HIT", "picture 0"));
    tintype.purge(r#"{"url":"https://example.com/a"}"#).await;
    assert_eq!(glance(&post(&tintype, "/shot", ask).await), seen(200, "MISS", "picture 1"));
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn a_request_too_long_for_a_query_goes_on_as_json() {
    let (origin, tintype) = before("capture = true\nonly_pictures = false\ndialect = \"tintype\"").await;
    let document = |n: usize| format!("{{\"html\":\"{}\",\"width\":300}}", "x".repeat(n));
    assert_eq!(glance(&post(&tintype, "/shot", &document(9000)).await), seen(200, "MISS", "picture 0"));
    assert_eq!(glance(&post(&tintype, "/shot", &document(9000)).await), seen(200, "HIT", "picture 0"));
    assert_eq!(glance(&post(&tintype, "/shot", &document(9001)).await), seen(200, "MISS", "picture 1"));
    let sent = &origin.requests()[0];
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/shot"));
    assert_eq!(sent.header("content-type"), Some("application/json"));
    let body: serde_json::Value = serde_json::from_slice(&sent.body).expect("JSON");
    assert_eq!(body["width"], "300");
    assert_eq!(body["html"].as_str().map(str::len), Some(9000));
}

#[tokio::test]
async fn what_cannot_be_read_is_for_the_origin_to_refuse() {
    let (origin, tintype) = before("capture = true\nonly_pictures = false\ndialect = \"tintype\"").await;
    for body in ["[]", "{", "5"] {
        let answer = post(&tintype, "/shot", body).await;
        assert_eq!(answer.header("x-cache"), Some("BYPASS"), "{body}");
    }
    let bodies: Vec<Vec<u8>> = origin.requests().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies, [b"[]".to_vec(), b"{".to_vec(), b"5".to_vec()]);
    tintype.get("/shot?url=nonsense&ttl=soon&colour=red").await;
    assert_eq!(origin.requests()[3].target, "/shot?colour=red&ttl=soon&url=nonsense");
}

#[tokio::test]
async fn an_unknown_dialect_is_sorted_and_otherwise_opaque() {
    let (origin, tintype) = before("capture = true\nonly_pictures = false").await;
    assert_eq!(
        glance(&tintype.get("/s?b=%20&a=1&url=https://x.example").await),
        seen(200, "MISS", "picture 0")
    );
    assert_eq!(
        glance(&tintype.get("/s?url=https://x.example&a=1&b=%20").await),
        seen(200, "HIT", "picture 0")
    );
    for other in ["/s?url=https://x.example&a=1&b=+", "/s?url=https://x.example/&a=1&b=%20"] {
        assert_eq!(tintype.get(other).await.header("x-cache"), Some("MISS"), "{other}");
    }
    // It was asked as the client had it.
    assert_eq!(origin.requests()[0].target, "/s?b=%20&a=1&url=https://x.example");
}

#[tokio::test]
async fn listed_parameters_are_no_part_of_the_key_or_not_even_sent() {
    let (origin, tintype) = before("ignore_query = [\"key\"]\ndrop_query = [\"utm_*\"]").await;
    assert_eq!(glance(&tintype.get("/s?url=x&key=1&utm_a=2").await), seen(200, "MISS", "picture 0"));
    assert_eq!(glance(&tintype.get("/s?url=x&key=other").await), seen(200, "HIT", "picture 0"));
    assert_eq!(glance(&tintype.get("/s?utm_b=3&url=x").await), seen(200, "HIT", "picture 0"));
    assert_eq!(tintype.get("/s?key=1&url=y").await.header("x-cache"), Some("MISS"));
    assert_eq!(origin.requests()[0].target, "/s?url=x&key=1");
    let posted = tintype.client.request("POST", &tintype.url("/s?utm_a=1&b=2"), &[], "").await;
    assert_eq!(posted.header("x-cache"), Some("BYPASS"));
    assert_eq!(origin.requests()[2].target, "/s?b=2");
}

#[tokio::test]
async fn a_route_has_parameters_of_its_own() {
    let more = "capture = true\nonly_pictures = false\ndialect = \"tintype\"\n[route.all.parameters]\nfull_page = true\nscale = 2\n\
                hide_selectors = [\".a\", \".b\"]";
    let (origin, tintype) = before(more).await;
    assert_eq!(glance(&tintype.get("/shot?url=https://example.com").await), seen(200, "MISS", "picture 0"));
    let said = "/shot?url=https://example.com&fullPage=1&dpr=2&hide_selectors=.b&hide_selectors=.a";
    assert_eq!(glance(&tintype.get(said).await), seen(200, "HIT", "picture 0"));
    assert_eq!(
        glance(&tintype.get("/shot?url=https://example.com&scale=1").await),
        seen(200, "MISS", "picture 1")
    );
    let asked: Vec<String> = origin.requests().into_iter().map(|r| r.target).collect();
    let rest = "full_page=true&hide_selectors=.a&hide_selectors=.b&scale=2&url=https%3A%2F%2Fexample.com%2F";
    assert_eq!(asked[0], format!("/shot?{rest}"));
}

#[tokio::test]
async fn parameters_in_a_body_keep_within_its_bound() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("picture")).await;
    for route in ["dialect = \"tintype\"", "dialect = \"screenshotone\""] {
        let toml = Tintype::toml(&origin, &format!("capture = true\nonly_pictures = false\n{route}"))
            .replace("[server]", "[server]\nmax_request_body = 200");
        let tintype = Tintype::of(&toml).await;
        let asked = |length: usize| format!("{:length$}", r#"{"url":"https://a.example/"}"#);
        let before = origin.count();
        assert_eq!(post(&tintype, "/take", &asked(200)).await.status, 200, "{route}");
        assert_eq!(post(&tintype, "/take", &asked(201)).await.status, 413, "{route}");
        let head = "POST /take HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n";
        for (line, comes) in [
            // Not one byte of it is waited for.
            ("Content-Length: 201", String::new()),
            // Neither piece is too long, nor is there an end to wait for.
            ("Transfer-Encoding: chunked", format!("96\r\n{}\r\n96\r\n{:150}\r\n", asked(150), "")),
        ] {
            let mut raw = RawClient::connect(tintype.address).await;
            raw.send(format!("{head}{line}\r\n\r\n{comes}")).await;
            assert_eq!(raw.response().await.status(), 413, "{route} {line}");
        }
        assert_eq!(origin.count(), before + 1, "{route}");
        tintype.stop().await;
    }
}

/// What tells of a picture has it whole first.
#[tokio::test]
async fn nothing_is_told_of_a_picture_that_is_larger_than_may_be_stored() {
    let origin = ScriptedOrigin::start(|request| {
        let size = if request.target.contains("large") { 5000 } else { 4000 };
        Reply::ok(vec![b'x'; size]).header("Content-Type", "image/png").header("Cache-Control", "max-age=60")
    })
    .await;
    let toml = Tintype::toml(&origin, "dialect = \"screenshotone\"\nonly_pictures = false")
        .replace("dir = \"\"", "dir = \"\"\nmax_stored_bytes = \"4500B\"\nhold_for_tag = \"4000B\"");
    let tintype = Tintype::of(&toml).await;
    for (page, status) in [("small", 200), ("large", 502)] {
        let target = format!("/take?url=https://a.example/{page}&response_type=json");
        assert_eq!(tintype.get(&target).await.status, status, "{page}");
    }
    tintype.stop().await;
}
