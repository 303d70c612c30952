//! Cache poisoning and deception: what an origin might read is keyed or dropped, it is asked for exactly what was keyed, and what one client's odd
//! request brings is not stored for others.

use crate::support::*;

/// An origin that answers with everything it was asked with, for a minute.
async fn mirror() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        let lines: Vec<_> =
            request.headers.iter().map(|(n, v)| format!("{}: {v}", n.to_lowercase())).collect();
        let body = String::from_utf8_lossy(&request.body).into_owned();
        Reply::ok(format!("{} {}\n{}\n\n{body}", request.method, request.target, lines.join("\n")))
            .header("Cache-Control", "max-age=60")
    })
    .await
}

async fn raw(tintype: &Tintype, bytes: &str) -> RawResponse {
    let mut raw = RawClient::connect(tintype.address).await;
    raw.send(bytes).await;
    raw.response().await
}

#[tokio::test]
async fn fields_that_the_key_does_not_hold_are_dropped() {
    let origin = mirror().await;
    let tintype = Tintype::before(&origin).await;
    for (at, name) in [
        "Forwarded",
        "X-Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Scheme",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X-Forwarded-Port",
        "X-Forwarded-Server",
        "X-Forwarded-Path",
        "X-Forwarded-Ssl",
        "X-Host",
        "X-HTTP-Host-Override",
        "X-Original-Host",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Real-IP",
        "True-Client-IP",
        "Client-IP",
        "Front-End-Https",
        "X_Forwarded_Host",
        "X-Forwarded_Host",
        "X_HTTP_Method_Override",
        "Content_Length",
        "Proxy",
        "X-Sendfile-Type",
    ]
    .into_iter()
    .enumerate()
    {
        let first = tintype.get_with(&format!("/{at}"), &[(name, "poison")]).await;
        let second = tintype.get(&format!("/{at}")).await;
        assert_eq!(second.header("x-cache"), Some("HIT"), "{name}");
        assert_eq!(first.text(), second.text(), "{name}");
        assert!(!second.text().contains("poison"), "{name}: {}", second.text());
    }
}

/// An origin that makes variables of fields (CGI, WSGI, PHP) reads `Accept_Language` as `Accept-Language`. The variant was stored for those who
/// sent no such field.
#[tokio::test]
async fn regression_what_selects_has_one_spelling() {
    let origin = ScriptedOrigin::start(|request| {
        let read = |name: &str| request.header(name).or(request.header(&name.replace('-', "_")));
        let said = ["accept-language", "user-agent", "sec-ch-ua"].map(|name| read(name).unwrap_or("none"));
        Reply::ok(said.join(" "))
            .header("Cache-Control", "max-age=60")
            .header("Vary", "Accept-Language, User-Agent, Sec-CH-UA")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for name in ["Accept_Language", "User_Agent", "Sec_CH-UA"] {
        let poisoned = tintype.get_with(&format!("/{name}"), &[(name, "poison")]).await;
        let next = tintype.get(&format!("/{name}")).await;
        assert_eq!(
            (poisoned.text(), next.header("x-cache")),
            ("none none none".to_owned(), Some("HIT")),
            "{name}"
        );
    }
}

/// RFC 9110 section 9.3.1: content in a GET has no meaning, but an origin might read it.
#[tokio::test]
async fn the_answer_to_a_fat_get_is_for_its_sender_alone() {
    let origin = mirror().await;
    let tintype = Tintype::before(&origin).await;
    let fat = "GET /a HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\n";
    // Content that announces no length is not sent on in a GET at all.
    for (framing, passed) in [
        ("Content-Length: 6\r\n\r\npoison", true),
        ("Transfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n", false),
    ] {
        let answer = raw(&tintype, &format!("{fat}{framing}")).await;
        assert_eq!(answer.header("x-cache"), Some("BYPASS"), "{framing}");
        assert_eq!(answer.text().contains("poison"), passed, "{framing}");
    }
    let clean = tintype.get("/a").await;
    assert_eq!(clean.header("x-cache"), Some("MISS"));
    assert!(!clean.text().contains("poison"));
    // And what is stored answers no request with content.
    let fat = raw(&tintype, &format!("{fat}Content-Length: 6\r\n\r\npoison")).await;
    assert_eq!(fat.header("x-cache"), Some("BYPASS"));
}

#[tokio::test]
async fn fields_of_content_that_is_not_there_are_not_sent() {
    let origin = mirror().await;
    let tintype = Tintype::before(&origin).await;
    let fields = [("Content-Type", "poison"), ("Content-Encoding", "poison"), ("Content-Language", "poison")];
    assert!(!tintype.get_with("/a", &fields).await.text().contains("poison"));
}

/// RFC 9110 section 7.6.1: nothing that says for whom an answer is good can be taken away.
#[tokio::test]
async fn connection_removes_nothing_that_matters() {
    let origin = mirror().await;
    let tintype = Tintype::with(&origin, "").await;
    let listed = "Connection: close, Cookie, Authorization, Host, Cache-Control, Content-Length, X-Forwarded-For, Via, X-API-Key";
    let fields = "Cookie: a=b\r\nAuthorization: Basic eDp5\r\nCache-Control: no-store\r\nX-API-Key: mine";
    let answer = raw(&tintype, &format!("GET /a HTTP/1.1\r\nHost: t\r\n{listed}\r\n{fields}\r\n\r\n")).await;
    for kept in
        ["cookie: a=b", "authorization: Basic", "cache-control: no-store", "via: 1.1 tintype", "host: "]
    {
        assert!(answer.text().contains(kept), "{kept}: {}", answer.text());
    }
    assert!(!answer.text().contains("x-api-key"));
    // It had credentials, so it is nobody else's.
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    // A body keeps its frame.
    let post = "POST /b HTTP/1.1\r\nHost: t\r\nConnection: content-length, transfer-encoding\r\nContent-Length: 3\r\n\r\nabc";
    assert!(raw(&tintype, post).await.text().ends_with("\n\nabc"));
}

#[tokio::test]
async fn what_selects_is_what_the_origin_saw() {
    let origin = ScriptedOrigin::start(|request| {
        Reply::ok(request.header("accept-language").unwrap_or("none").to_owned())
            .header("Cache-Control", "max-age=60")
            .header("Vary", "Accept-Language")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let taken = "GET /a HTTP/1.1\r\nHost: t\r\nConnection: accept-language\r\nAccept-Language: de\r\n\r\n";
    assert_eq!(raw(&tintype, taken).await.text(), "none");
    assert_eq!(glance(&tintype.get_with("/a", &[("Accept-Language", "de")]).await), seen(200, "MISS", "de"));
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "none"));
}

/// The origin is asked octet by octet for what is keyed; what some would normalise is refused.
#[tokio::test]
async fn paths_are_asked_for_as_they_are_keyed() {
    let origin = mirror().await;
    let tintype = Tintype::before(&origin).await;
    for path in [
        "/a",
        "/A",
        "//a",
        "/a//b",
        "/a/",
        "/a;v=1",
        "/a;/b",
        "/a%2Fb",
        "/a%2fb",
        "/%61",
        "/a.",
        "/a...",
        "/.well-known/x",
        "/a%20b",
        "/a%252e%252e/b",
        "/a?",
        "/a?b",
        "/a?%2e%2e/",
        "/a?../b",
        "/a%5cb",
        "/account/x.css",
        "/account%2Fx.css",
        "/account;x.css",
        "/account%3Fx.css",
        "/account%23x.css",
        "/https://h/b",
    ] {
        let first = raw(&tintype, &format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n")).await;
        assert_eq!(first.header("x-cache"), Some("MISS"), "{path}");
        assert!(first.text().starts_with(&format!("GET {path}\n")), "{path}: {}", first.text());
    }
    let asked = origin.count();
    for path in [
        "/..",
        "/a/../b",
        "/./a",
        "/a/.",
        "/%2e%2e/b",
        "/a/%2E./b",
        "/a/..%2fb",
        "/a%2f..",
        "/a/..;/b",
        "/a/..%5cb",
        "/a\\b",
        "/a%00.css",
        "/account%00",
        "/a%0d%0aX:y",
        "/a%0A",
    ] {
        let refused = raw(&tintype, &format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n")).await;
        assert_eq!(refused.status(), 400, "{path}");
        assert!(refused.header("cache-status").is_some_and(|said| said.contains("bad-target")), "{path}");
    }
    assert_eq!(origin.count(), asked);
}

/// An upstream's path prefix holds in all that is asked for, and with it whatever its credentials are for.
#[tokio::test]
async fn regression_no_request_leaves_the_base_of_its_upstream() {
    let origin = mirror().await;
    let toml = Tintype::toml(&origin, "").replace(&origin.base(), &origin.url("/v1/shots"));
    let tintype = Tintype::of(&toml).await;
    for path in ["/../admin", "/%2e%2e/admin", "/..%2fadmin", "/x/../../admin", "/..;/admin"] {
        assert_eq!(
            raw(&tintype, &format!("GET {path} HTTP/1.1\r\nHost: t\r\n\r\n")).await.status(),
            400,
            "{path}"
        );
    }
    assert_eq!(origin.count(), 0);
}

/// The host is keyed as it is asked for.
#[tokio::test]
async fn regression_the_case_of_a_host_does_not_reach_the_origin() {
    let origin = mirror().await;
    let toml =
        Tintype::toml(&origin, "").replace("kind = \"remote\"", "kind = \"remote\"\npreserve_host = true");
    let tintype = Tintype::of(&toml).await;
    let first = raw(&tintype, "GET /a HTTP/1.1\r\nHost: ShOp.example\r\n\r\n").await;
    assert!(first.text().contains("host: shop.example"), "{}", first.text());
    // By the target or by the field: the same, and never both.
    let second = raw(&tintype, "GET http://shop.example/a HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert_eq!(second.header("x-cache"), Some("HIT"));
}

/// Deception: a page of one user under the name of a file for all.
#[tokio::test]
async fn what_came_to_a_cookie_is_shared_only_if_the_origin_says_how_long() {
    let origin = ScriptedOrigin::start(|request| {
        let user = request.header("cookie").unwrap_or("nobody").to_owned();
        let reply = Reply::ok(user).header("Last-Modified", "Fri, 01 Nov 2024 00:00:00 GMT");
        if request.target.contains("public") { reply.header("Cache-Control", "max-age=60") } else { reply }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.get_with("/account/x.css", &[("Cookie", "victim")]).await.text(), "victim");
    assert_eq!(tintype.get("/account/x.css").await.text(), "nobody");
    assert_eq!(
        tintype.get("/account/x.css").await.header("x-cache"),
        Some("HIT"),
        "without a cookie heuristics hold"
    );
    assert_eq!(tintype.get_with("/public/x.css", &[("Cookie", "any")]).await.text(), "any");
    assert_eq!(tintype.get("/public/x.css").await.header("x-cache"), Some("HIT"));
}

/// Cache-poisoned denial of service: an origin that chokes on one client's fields, and says for a minute that it did.
#[tokio::test]
async fn errors_that_odd_fields_provoke_are_not_stored() {
    let origin = ScriptedOrigin::start(|request| {
        let odd = request.header("x-odd").is_some()
            || request.header("user-agent").is_some_and(|agent| agent.len() > 2000);
        let status = request.target.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(400);
        let reply = if odd { Reply::status(status).piece("no") } else { Reply::ok("abc") };
        reply.header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let long = "x".repeat(3000);
    for status in [400, 403, 404, 405, 406, 413, 414, 415, 416, 429, 431, 500, 501, 503] {
        for (at, fields) in [
            [("X-Odd", long.as_str())],
            [("User-Agent", long.as_str())],
            [("X-Odd", "a\tb")],
            [("X-Odd", "\u{e9}")],
        ]
        .iter()
        .enumerate()
        {
            let path = format!("/{}{status}", ["a", "b", "c", "d"][at]);
            assert_eq!(tintype.get_with(&path, fields).await.status, status);
            assert_eq!(glance(&tintype.get(&path).await), seen(200, "MISS", "abc"), "{path}");
        }
    }
}

/// RFC 6585, and what speaks of a connection or of a request: whatever the request was.
#[tokio::test]
async fn errors_that_speak_of_a_request_are_never_stored() {
    let origin = ScriptedOrigin::start(|request| {
        let status = request.target.trim_start_matches('/').parse().unwrap_or(500);
        Reply::status(status).header("Cache-Control", "max-age=60").piece("no")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for (status, second) in [
        (400, "HIT"),
        (404, "HIT"),
        (405, "HIT"),
        (410, "HIT"),
        (414, "HIT"),
        (501, "HIT"),
        (406, "MISS"),
        (412, "MISS"),
        (413, "MISS"),
        (416, "MISS"),
        (417, "MISS"),
        (421, "MISS"),
        (428, "MISS"),
        (429, "MISS"),
        (431, "MISS"),
        (511, "MISS"),
    ] {
        for expected in ["MISS", second] {
            let answer = tintype.get(&format!("/{status}")).await;
            assert_eq!((answer.status, answer.header("x-cache")), (status, Some(expected)), "{status}");
        }
    }
}

#[tokio::test]
async fn a_range_never_makes_a_part_the_whole() {
    let origin = ScriptedOrigin::start(|request| match request.header("range") {
        Some("bytes=0-0") => Reply::status(206).header("Content-Range", "bytes 0-0/3").piece("a"),
        Some(_) => Reply::status(416).piece("no"),
        None => Reply::ok("abc"),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for range in ["bytes=0-0", "bytes=9-", "bytes=x", "cats=1"] {
        tintype.get_with("/a", &[("Range", range)]).await;
    }
    assert_eq!(tintype.get("/a").await.text(), "abc");
}
