//! Requests in the dialects of other services:
//! - the same picture asked for in two dialects is one stored response and one capture (B01), whatever the units and defaults;
//! - what cannot be had is named in the form of that service, in the client's own names; so is what goes wrong;
//! - a client may get JSON with a link to the picture instead of it; the link is the stored picture, and carries no credentials;
//! - the service itself is asked in its own words, with tintype's credentials and not the client's; what it has beside pictures passes;
//! - a purge with refresh asks again for what was asked in a dialect.

use serde_json::Value;

use crate::chrome_site::{ALLOWED, Pixels, Site, html};
use crate::support::*;

/// Every dialect in front of one engine.
async fn everything() -> Tintype {
    let route = |name: &str, path: &str, more: &str| {
        format!("[route.{name}]\npath = \"{path}\"\nupstream = \"chrome\"\nearly_refresh = 0.0\n{more}\n")
    };
    let mut toml = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\ncache_status_key = true\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [store]\ndir = \"\"\n[upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"{ALLOWED}/32\"]\n"
    );
    toml += &route("flash", "/v1/urltoimage", "dialect = \"apiflash\"");
    toml += &route("box", "/v1", "dialect = \"urlbox\"");
    toml += &route("one", "/take", "dialect = \"screenshotone\"");
    toml += &route("micro", "/micro", "dialect = \"microlink\"");
    toml += &route("img", "/img/screenshot", "dialect = \"web2img\"");
    toml += &route("shots", "/screenshot", "");
    Tintype::of(&toml).await
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("JSON: {}", answer.text()))
}

fn lime() -> crate::chrome_site::Answer {
    html("<!doctype html><body style='margin:0;background:#0f0'><h1>Good</h1>")
}

/// The path and query of a link to this tintype.
fn below(link: &Value, tintype: &Tintype) -> String {
    let link = link.as_str().expect("a link");
    link.strip_prefix(&tintype.url("")).unwrap_or_else(|| panic!("elsewhere: {link}")).to_owned()
}

#[tokio::test]
async fn one_picture_in_six_dialects_is_one_capture() {
    let site = Site::start([("/", lime())]).await;
    let tintype = everything().await;
    let url = site.url("/");
    let first = tintype
        .get(&format!("/take?url={url}&viewport_width=640&viewport_height=480&format=png&delay=0.2&access_key=k&signature=s"))
        .await;
    assert_eq!((first.status, first.header("x-cache")), (200, Some("MISS")), "{}", first.text());
    assert_eq!(first.header("content-type"), Some("image/png"));
    assert_eq!(Pixels::decode(&first.body).size(), (640, 480));
    for same in [
        format!("/screenshot?url={url}&width=640&height=480&delay=200"),
        format!("/v1/KEY/TOKEN/png?url={url}&width=640&height=480&delay=200"),
        format!("/v1/KEY/png?url={url}&width=640&height=480&delay=200&wait_until=loaded"),
        format!("/v1/urltoimage?url={url}&width=640&height=480&delay=0.2&format=png&access_key=other"),
        format!(
            "/micro?url={url}&screenshot&viewport.width=640&viewport.height=480&waitForTimeout=200&adblock=false&embed=screenshot.url"
        ),
    ] {
        let answer = tintype.get(&same).await;
        assert_eq!((answer.status, answer.header("x-cache")), (200, Some("HIT")), "{same} {}", answer.text());
        assert_eq!(answer.body, first.body, "{same}");
    }
    let plain = tintype.get(&format!("/screenshot?url={url}")).await;
    assert_eq!(plain.header("x-cache"), Some("MISS"));
    let posted = [("content-type", "application/json")];
    let body = format!("{{\"url\":\"{url}\"}}");
    let posted =
        tintype.client.request("POST", &tintype.url("/img/screenshot?cache=true"), &posted, &body).await;
    assert_eq!(posted.header("x-cache"), Some("HIT"), "{}", posted.text());
    let linked = tintype.get(&below(&json(&posted)["url"], &tintype)).await;
    assert_eq!((linked.header("x-cache"), &linked.body), (Some("HIT"), &plain.body));
    assert_eq!(site.times("/"), 2, "two pictures, two captures");
    // The keys say nothing of dialects.
    let key = first.header("cache-status").expect("Cache-Status");
    assert!(key.contains("\"shots /screenshot?delay=200&height=480&url="), "{key}");
    // Conditions are about the picture, in any dialect.
    let tag = first.header("etag").expect("an entity tag").to_owned();
    let known = format!("/v1/KEY/png?url={url}&width=640&height=480&delay=200");
    assert_eq!(tintype.get_with(&known, &[("if-none-match", &tag)]).await.status, 304);
    tintype.stop().await;
}

#[tokio::test]
async fn a_link_leads_to_the_stored_picture() {
    let site = Site::start([("/", lime())]).await;
    let tintype = everything().await;
    let url = site.url("/");
    let one = tintype
        .get_with(
            &format!("/take?url={url}&format=png&response_type=json&access_key=hunter2"),
            &[("if-none-match", "*"), ("range", "bytes=0-1")],
        )
        .await;
    assert_eq!((one.status, one.header("x-cache")), (200, Some("MISS")), "{}", one.text());
    assert_eq!((one.header("content-type"), one.header("etag")), (Some("application/json"), None));
    let link = below(&json(&one)["screenshot_url"], &tintype);
    assert!(!link.contains("hunter2") && !link.contains("response_type"), "{link}");
    let picture = tintype.get(&link).await;
    assert_eq!((picture.header("x-cache"), picture.header("content-type")), (Some("HIT"), Some("image/png")));

    let fields = [("content-type", "application/json"), ("authorization", "Bearer hunter2")];
    let body = format!("{{\"url\":\"{url}\",\"block_ads\":false}}");
    let sync = tintype.client.request("POST", &tintype.url("/v1/render/sync"), &fields, &body).await;
    assert_eq!((sync.status, sync.header("x-cache")), (200, Some("HIT")), "{}", sync.text());
    assert_eq!(json(&sync)["size"], picture.body.len());
    let rendered = tintype.get(&below(&json(&sync)["renderUrl"], &tintype)).await;
    assert_eq!((rendered.header("x-cache"), &rendered.body), (Some("HIT"), &picture.body));

    let micro = tintype.get(&format!("/micro?url={url}&screenshot&viewport.height=1024&adblock=false")).await;
    let told = json(&micro);
    assert_eq!((&told["status"], micro.header("x-cache")), (&"success".into(), Some("HIT")), "{told}");
    let shot = &told["data"]["screenshot"];
    assert_eq!((&shot["width"], &shot["height"], &shot["type"]), (&1280.into(), &1024.into(), &"png".into()));
    assert_eq!(tintype.get(&below(&shot["url"], &tintype)).await.body, picture.body);

    let flash = tintype
        .get(&format!("/v1/urltoimage?url={url}&width=1280&height=1024&format=png&response_type=json"))
        .await;
    assert_eq!(tintype.get(&below(&json(&flash)["url"], &tintype)).await.body, picture.body);

    let empty = tintype.get(&format!("/take?url={url}&format=png&response_type=empty")).await;
    assert_eq!((empty.status, empty.header("x-cache"), empty.body.len()), (200, Some("HIT"), 0));
    let head = tintype.send("HEAD", &format!("/take?url={url}&format=png&response_type=json")).await;
    assert_eq!(
        (head.status, head.header("content-type"), head.body.len()),
        (200, Some("application/json"), 0)
    );
    assert_eq!(site.times("/"), 1);
    tintype.stop().await;
}

#[tokio::test]
async fn errors_are_told_as_the_service_would() {
    let site = Site::start([("/", lime())]).await;
    let tintype = everything().await;
    let url = site.url("/");
    // Here, and by the engine: both in the client's names.
    for (target, at, expected) in [
        (format!("/take?url={url}&click=.a"), "/error_details/0/parameter", "click"),
        (format!("/take?url={url}&viewport_width=many"), "/error_details/0/parameter", "viewport_width"),
        (format!("/take?url={url}&viewport_width=many"), "/error_code", "request_not_valid"),
        ("/take?viewport_width=5".to_owned(), "/error_details/0/parameter", "url"),
        (
            format!("/v1/K/pdf?url={url}"),
            "/error/message",
            "format: found pdf, allowed is one of png, jpg, jpeg, webp, avif",
        ),
        (format!("/micro?url={url}&screenshot&viewport.width=many"), "/status", "fail"),
        (format!("/micro?url={url}"), "/status", "fail"),
        (format!("/img/screenshot?url={url}&full_page=true"), "/error_code", "validation_error"),
    ] {
        let answer = tintype.get(&target).await;
        let told = json(&answer);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (400, Some("application/json")),
            "{target}"
        );
        assert_eq!(told.pointer(at).and_then(Value::as_str), Some(expected), "{target}: {told}");
    }
    let flash = tintype.get(&format!("/v1/urltoimage?url={url}&width=many")).await;
    assert_eq!((flash.status, flash.header("content-type")), (400, Some("text/plain; charset=utf-8")));
    assert!(flash.text().starts_with("width: "), "{}", flash.text());
    let named = tintype.get(&format!("/micro?url={url}&screenshot&viewport.width=many")).await;
    assert!(json(&named)["data"]["viewport.width"].is_string(), "{}", named.text());
    // The page's fault, and nobody's.
    let gone = tintype.get(&format!("/take?url={}", site.url("/nowhere"))).await;
    assert_eq!((gone.status, &json(&gone)["is_successful"]), (502, &false.into()), "{}", gone.text());
    let method = tintype.send("DELETE", "/take").await;
    assert_eq!((method.status, &json(&method)["is_successful"]), (405, &false.into()));
    assert_eq!(site.times("/"), 0, "nothing was captured");
    tintype.stop().await;
}

/// In front of the service itself.
async fn before(dialect: &str, upstream: &str) -> (ScriptedOrigin, Tintype) {
    let origin = ScriptedOrigin::start(|request| {
        if request.target.contains("bad=1") {
            return Reply::status(422)
                .header("Content-Type", "application/json")
                .chunked()
                .piece("{\"theirs\":true}");
        }
        Reply::ok(format!("picture {}", request.index))
            .header("Cache-Control", "max-age=60")
            .header("Content-Type", "image/png")
    })
    .await;
    let more = format!("dialect = \"{dialect}\"\nonly_pictures = false\n[upstream.origin.{upstream}\n");
    let tintype = Tintype::with(&origin, &more).await;
    (origin, tintype)
}

#[tokio::test]
async fn screenshotone_is_asked_in_its_own_words() {
    let (origin, tintype) = before("screenshotone", "set_query]\naccess_key = \"ours\"").await;
    let theirs = "/take?url=https://a.example/&delay=2&gpu=on&access_key=theirs&signature=x";
    let fields = [("x-access-key", "theirs"), ("authorization", "theirs")];
    assert_eq!(glance(&tintype.get_with(theirs, &fields).await), seen(200, "MISS", "picture 0"));
    for same in [
        "/take?gpu=on&delay=2.0&url=https://A.example&viewport_width=1280&format=jpg",
        "/take?url=https://a.example/&gpu=on&delay=2&block_ads=false&access_key=another",
    ] {
        assert_eq!(glance(&tintype.get(same).await), seen(200, "HIT", "picture 0"), "{same}");
    }
    let body = r#"{"url":"https://a.example/","delay":2,"gpu":"on","access_key":"theirs"}"#;
    let posted = [("content-type", "application/json")];
    let posted = tintype.client.request("POST", &tintype.url("/take"), &posted, body).await;
    assert_eq!(glance(&posted), seen(200, "HIT", "picture 0"));
    assert_eq!(
        glance(&tintype.get("/take?url=https://a.example/&delay=2&gpu=off").await),
        seen(200, "MISS", "picture 1")
    );
    let first = &origin.requests()[0];
    assert_eq!(first.target, "/take?url=https%3A%2F%2Fa.example%2F&delay=2&gpu=on&access_key=ours");
    assert_eq!((first.header("authorization"), first.header("x-access-key")), (None, None));
    // JSON is ours to make: the service is asked for the picture.
    let link = tintype.get("/take?url=https://a.example/b&response_type=json").await;
    assert_eq!(origin.requests()[2].target, "/take?url=https%3A%2F%2Fa.example%2Fb&access_key=ours");
    let link = below(&json(&link)["screenshot_url"], &tintype);
    assert_eq!(glance(&tintype.get(&link).await), seen(200, "HIT", "picture 2"));
    // Its own errors stay its own, and what is no picture passes.
    let bad = tintype.get("/take?url=https://a.example/&bad=1").await;
    assert_eq!((bad.status, bad.text()), (422, "{\"theirs\":true}".to_owned()));
    for other in [
        "/usage",
        "/usage",
        "/take?url=https://a.example/&async=true",
        "/take?url=https://a.example/&async=true",
    ] {
        assert_eq!(tintype.get(other).await.header("x-cache"), Some("BYPASS"), "{other}");
    }
    // What was asked in a dialect is asked again in it.
    let asked = origin.count();
    tintype.purge(r#"{"url":"https://a.example/b","mode":"refresh"}"#).await;
    let again = &origin.received(asked + 1).await[asked];
    assert_eq!(again.target, "/take?url=https%3A%2F%2Fa.example%2Fb&access_key=ours");
}

#[tokio::test]
async fn urlbox_and_microlink_are_asked_for_the_picture() {
    let (origin, tintype) = before("urlbox", "set_headers]\nAuthorization = \"Bearer ours\"").await;
    let link = "/v1/KEY/TOKEN/jpg?url=https://a.example/&hover=.a";
    assert_eq!(glance(&tintype.get(link).await), seen(200, "MISS", "picture 0"));
    let body = r#"{"url":"https://a.example/","hover":".a","format":"jpeg","response_type":"binary"}"#;
    let fields = [("content-type", "application/json"), ("authorization", "Bearer theirs")];
    let sync = tintype.client.request("POST", &tintype.url("/v1/render/sync"), &fields, body).await;
    assert_eq!(glance(&sync), seen(200, "HIT", "picture 0"));
    let asked = &origin.requests()[0];
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("POST", "/v1/render/sync"));
    assert_eq!(asked.header_all("authorization"), ["Bearer ours"]);
    let sent: Value = serde_json::from_slice(&asked.body).expect("JSON");
    let expected = serde_json::json!({
        "url": "https://a.example/", "hover": ".a", "format": "jpg", "response_type": "binary"
    });
    assert_eq!(sent, expected);

    let (origin, tintype) = before("microlink", "set_headers]\nX-API-Key = \"ours\"").await;
    let told = tintype
        .get_with("/?url=https://a.example/&screenshot=true&overlay.browser=dark", &[("x-api-key", "theirs")])
        .await;
    assert_eq!(json(&told)["status"], "success");
    let asked = &origin.requests()[0];
    assert_eq!(
        asked.target,
        "/?url=https%3A%2F%2Fa.example%2F&overlay.browser=dark&screenshot=true&meta=false&embed=screenshot.url"
    );
    assert_eq!(asked.header_all("x-api-key"), ["ours"]);
    let picture = tintype.get(&below(&json(&told)["data"]["screenshot"]["url"], &tintype)).await;
    assert_eq!(glance(&picture), seen(200, "HIT", "picture 0"));
}

/// A signed path is good for ever and for everybody, and tells what is in it.
#[tokio::test]
async fn regression_a_link_gives_no_more_than_its_asker_may_and_tells_nothing_private() {
    let site = Site::start([("/", lime())]).await;
    let secret = "00112233445566778899aabbccddeeff";
    let tintype = Tintype::of(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"{ALLOWED}/32\"]\n\
         [imgproxy]\nkey = \"{secret}\"\nsalt = \"{secret}\"\n\
         [keys.k]\napi_key = \"hunter2-hunter2\"\n\
         [route.kept]\npath = \"/kept\"\nupstream = \"chrome\"\ndialect = \"web2img\"\nauth = \"key\"\n\
         [route.private]\npath = \"/private\"\nupstream = \"chrome\"\ndialect = \"web2img\"\n\
         parameters = {{ headers = \"X-Internal: hunter3\" }}\n\
         [route.img]\npath = \"/img\"\nupstream = \"chrome\"\ndialect = \"imgproxy\"\n"
    ))
    .await;
    let body = format!("{{\"url\":\"{}\"}}", site.url("/"));
    for target in ["/kept", "/private"] {
        let fields = [("content-type", "application/json"), ("x-api-key", "hunter2-hunter2")];
        let told = tintype.client.request("POST", &tintype.url(target), &fields, &body).await;
        assert_eq!(told.status, 200, "{target} {}", told.text());
        let link = json(&told)["url"].as_str().unwrap_or_default().to_owned();
        assert!(!link.contains("/img/"), "{target}: {link}");
    }
}

#[tokio::test]
async fn routes_share_by_a_setting_or_by_their_upstream() {
    let origin = ScriptedOrigin::start(|request| {
        Reply::ok(format!("picture {}", request.index)).header("Cache-Control", "max-age=60")
    })
    .await;
    let route = |name: &str, more: &str| {
        format!(
            "[route.{name}]\npath = \"/{name}\"\nupstream = \"origin\"\ndialect = \"screenshotone\"\nonly_pictures = false\n{more}\n"
        )
    };
    let more =
        format!("dialect = \"opaque\"\n{}{}{}", route("a", ""), route("b", ""), route("c", "key = \"c\""));
    let tintype = Tintype::with(&origin, &more).await;
    for (target, cache) in [("/a", "MISS"), ("/b", "HIT"), ("/c", "MISS"), ("/x", "MISS")] {
        let answer = tintype.get(&format!("{target}?url=https://a.example/")).await;
        assert_eq!(answer.header("x-cache"), Some(cache), "{target}");
    }
}

/// What the service was asked for elsewhere, or with more, had stood under the key of a picture.
#[tokio::test]
async fn regression_what_the_service_is_asked_for_is_what_is_keyed() {
    let origin = ScriptedOrigin::start(|request| match request.target.as_str() {
        target if target.starts_with("/take/") => {
            Reply::status(301).header("Location", "/take").header("Cache-Control", "max-age=60")
        }
        _ => Reply::ok(format!("picture {}", request.index)).header("Cache-Control", "max-age=60"),
    })
    .await;
    let routes = "dialect = \"opaque\"\n\
        [route.take]\npath = \"/take\"\nupstream = \"origin\"\ndialect = \"screenshotone\"\nonly_pictures = false\n\
        [route.flash]\npath = \"/flash\"\nupstream = \"origin\"\ndialect = \"apiflash\"\nonly_pictures = false\nkey = \"flash\"\n\
        [route.link]\npath = \"/link\"\nupstream = \"origin\"\ndialect = \"microlink\"\nonly_pictures = false\nkey = \"link\"\ncaller_ttl = false\n";
    let tintype = Tintype::with(&origin, routes).await;
    let u = "url=https://a.example/";
    assert_eq!(tintype.get(&format!("/take/?{u}")).await.status, 301);
    assert_eq!(glance(&tintype.get(&format!("/take?{u}")).await), seen(200, "MISS", "picture 1"));
    assert_eq!(
        glance(&tintype.get(&format!("/take?{u}&viewport_mobile=")).await),
        seen(200, "HIT", "picture 1")
    );
    assert!(origin.requests().iter().all(|request| !request.target.contains("viewport_mobile")));
    let doubled = tintype.get(&format!("/flash?{u}&headers=Accept-Language%3Dxx&headers=")).await;
    assert_eq!(doubled.header("x-cache"), Some("MISS"));
    for (target, cache) in [
        (format!("/flash?{u}"), "MISS"),
        (format!("/flash?{u}&url=https://b.example/"), "MISS"),
        (format!("/flash?url=https://b.example/&{u}"), "MISS"),
        (format!("/flash?{u}&{u}"), "HIT"),
    ] {
        assert_eq!(tintype.get(&target).await.header("x-cache"), Some(cache), "{target}");
    }
    // A document of microlink's is none of its pictures.
    for _ in 0..2 {
        assert_eq!(tintype.get(&format!("/link?{u}")).await.header("x-cache"), Some("BYPASS"));
    }
}

/// It has a key's hosts for bounds: another page beside the one that is looked at must not be captured.
#[tokio::test]
async fn regression_a_key_for_some_hosts_names_one_page_and_nothing_else() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("picture").header("Cache-Control", "max-age=60")).await;
    let route = |name: &str, dialect: &str, more: &str| {
        format!(
            "[route.{name}]\npath = \"/{name}\"\nupstream = \"origin\"\ncapture = true\nonly_pictures = false\nauth = \"key\"\n\
             dialect = \"{dialect}\"\n{more}\n"
        )
    };
    let more = format!(
        "dialect = \"opaque\"\n{}{}{}[keys.some]\napi_key = \"hunter2-hunter2\"\nhosts = [\"a.example\"]\n",
        route("plain", "opaque", ""),
        route("flash", "apiflash", "key = \"flash\""),
        route("link", "microlink", "key = \"link\""),
    );
    let tintype = Tintype::with(&origin, &more).await;
    let key = [("x-api-key", "hunter2-hunter2")];
    let ask = async |method: &str, target: &str, body: &str| {
        let fields = [key[0], ("content-type", "application/json")];
        let fields = if body.is_empty() { &fields[..1] } else { &fields[..] };
        tintype.client.request(method, &tintype.url(target), fields, body).await.status
    };
    let (a, b) = ("url=https://a.example/", "url=https://b.example/");
    for (method, target, body) in [
        ("GET", format!("/plain?{b}"), ""),
        ("GET", format!("/plain?url=b.example&{a}"), ""),
        ("GET", format!("/plain?{a}&{b}"), ""),
        ("GET", format!("/plain?{a}&html=x"), ""),
        ("POST", format!("/plain?{a}"), "{\"url\":\"https://b.example/\"}"),
        ("GET", format!("/flash?{b}&{a}"), ""),
        ("GET", format!("/link?{b}&screenshot.{a}&screenshot=true"), ""),
    ] {
        assert_eq!(ask(method, &target, body).await, 403, "{method} {target}");
    }
    assert_eq!(origin.count(), 0);
    for target in [
        format!("/plain?{a}"),
        format!("/flash?{a}"),
        format!("/link?{a}&screenshot=true&embed=screenshot.url"),
    ] {
        assert_eq!(ask("GET", &target, "").await, 200, "{target}");
    }
}

/// What is sent to the engine is in our own words, and might be read on another route, or on none.
#[tokio::test]
async fn regression_a_purge_asks_again_in_the_dialect_that_was_asked_in() {
    let site = Site::start([("/", lime())]).await;
    let tintype = Tintype::of(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"{ALLOWED}/32\"]\n\
         [route.one]\npath = \"/take\"\nupstream = \"chrome\"\ndialect = \"screenshotone\"\n"
    ))
    .await;
    let target = format!("/take?url={}&viewport_width=320&access_key=k", site.url("/"));
    assert_eq!(tintype.get(&target).await.header("x-cache"), Some("MISS"));
    tintype.purge(&format!("{{\"url\":\"{}\",\"mode\":\"refresh\"}}", site.url("/"))).await;
    site.requested("/", 2).await;
    tintype.stop().await;
}

/// The calls of a client of web2img (C01, C03): a link, signed as imgproxy signs, that leads to the picture; altered, to nothing.
#[tokio::test]
async fn web2img_answers_with_a_signed_link_to_the_picture() {
    let site = Site::start([("/", lime())]).await;
    let secret = "00112233445566778899aabbccddeeff";
    let tintype = Tintype::of(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"{ALLOWED}/32\"]\n\
         [imgproxy]\nkey = \"{secret}\"\nsalt = \"{secret}\"\n\
         [route.shots]\npath = \"/screenshot\"\nupstream = \"chrome\"\ndialect = \"web2img\"\nmin_ttl = \"0s\"\n\
         [route.img]\npath = \"/img\"\nupstream = \"chrome\"\ndialect = \"imgproxy\"\n"
    ))
    .await;
    let ask = async |query: &str, more: &str| {
        let fields = [("content-type", "application/json")];
        let body = format!("{{\"url\":\"{}\"{more}}}", site.url("/"));
        tintype.client.request("POST", &tintype.url(&format!("/screenshot{query}")), &fields, &body).await
    };
    let first = ask("?cache=true", "").await;
    assert_eq!(
        (first.status, first.header("content-type")),
        (200, Some("application/json")),
        "{}",
        first.text()
    );
    let link = below(&json(&first)["url"], &tintype);
    assert!(link.starts_with("/img/") && link.contains("/resize:fit:1280:720/format:png/"), "{link}");
    let picture = tintype.get(&link).await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/png")));
    assert_eq!(Pixels::decode(&picture.body).size(), (1280, 720));
    assert_eq!(picture.header("x-cache"), Some("HIT"));
    // Another format of it is the same capture.
    let webp = ask("", ",\"format\":\"webp\",\"width\":1280").await;
    let webp = tintype.get(&below(&json(&webp)["url"], &tintype)).await;
    assert_eq!((webp.header("content-type"), webp.header("x-cache")), (Some("image/webp"), Some("HIT")));
    assert_eq!(site.times("/"), 1);
    // Without its cache: a new one, and the link leads to that.
    let anew = ask("?cache=false", "").await;
    assert_eq!((anew.status, site.times("/")), (200, 2), "{}", anew.text());
    assert_eq!(below(&json(&anew)["url"], &tintype), link);
    assert_eq!(tintype.get(&link).await.header("x-cache"), Some("HIT"));
    for altered in [
        link.replace("1280", "640"),
        link.replacen("/img/", "/img/x", 1),
        format!("/img{}", &link[link.find("/resize").expect("an option")..]),
        "/img/unsafe/plain/https://a.example/".to_owned(),
    ] {
        let refused = tintype.get(&altered).await;
        assert_eq!(refused.status, 403, "{altered} {}", refused.text());
    }
    // Nor is a body, which had asked the engine for any page.
    let other = format!("{{\"url\":\"{}\"}}", site.url("/other"));
    for coding in ["", "identity", "gzip"] {
        let fields = [("content-type", "application/json"), ("content-encoding", coding)];
        let refused = tintype.client.request("POST", &tintype.url(&link), &fields, &other).await;
        assert_eq!(refused.status, 405, "{}", refused.text());
        let refused = tintype.client.request("POST", &tintype.url("/screenshot"), &fields, &other).await;
        assert_eq!(refused.status, 415, "{}", refused.text());
    }
    assert_eq!(site.times("/other"), 0);
    // No query is signed, so none counts.
    assert_eq!(
        tintype.get(&format!("{link}?width=5&url=http://other.example/")).await.body,
        tintype.get(&link).await.body
    );
    let bad = ask("?cache=perhaps", ",\"width\":\"wide\"").await;
    assert_eq!((bad.status, &json(&bad)["error_code"]), (400, &"validation_error".into()));
    assert_eq!(site.times("/"), 2);
    tintype.stop().await;
}
