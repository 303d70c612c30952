//! Which requests go where, what they carry, and which are refused: routes, hosts, limits.

use crate::support::*;

#[tokio::test]
async fn routes_choose_by_host_and_path_prefix() {
    let one = ScriptedOrigin::start(|request| Reply::ok(format!("one {}", request.target))).await;
    let two = ScriptedOrigin::start(|request| Reply::ok(format!("two {}", request.target))).await;
    let more = format!(
        "[upstream.two]\nkind = \"remote\"\nurl = \"{}/base/\"\n[route.deep]\npath = \"/deep\"\nupstream = \"two\"\n\
         [route.host]\nhost = \"two.example\"\npath = \"/\"\nupstream = \"two\"\n",
        two.base()
    );
    let tintype = Tintype::with(&one, &more).await;
    for (host, path, expected) in [
        ("any.example", "/x?y=%20z", "one /x?y=%20z"),
        ("any.example", "/deep", "two /base/deep"),
        ("any.example", "/deeper", "one /deeper"),
        ("two.example", "/x", "two /base/x"),
        ("TWO.example:8080", "/x", "two /base/x"),
    ] {
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(raw.response().await.text(), expected, "{host} {path}");
    }
}

#[tokio::test]
async fn no_route_is_a_404_that_says_so() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("")).await;
    let toml = Tintype::toml(&origin, "").replace("path = \"/\"", "path = \"/only\"");
    let tintype = Tintype::of(&toml).await;
    let answer = tintype.get("/other").await;
    assert_eq!((answer.status, answer.header("x-cache")), (404, Some("ERROR")));
    assert!(answer.header("cache-status").unwrap().contains("detail=no-route"));
}

#[tokio::test]
async fn what_is_ambiguous_never_reaches_the_origin() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("")).await;
    let toml = Tintype::toml(&origin, "").replace("[server]", "[server]\nmax_uri_bytes = \"1KiB\"");
    let tintype = Tintype::of(&toml).await;
    let long = "x".repeat(1100);
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n".to_owned(), 400),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned(), 405),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
    ] {
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send(&request).await;
        assert_eq!(raw.response().await.status(), status, "{request}");
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn the_proxy_names_itself_and_lets_nobody_say_who_asks() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("").header("Cache-Control", "max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    tintype
        .get_with(
            "/a",
            &[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Host", "evil"), ("X-Original-URL", "/b")],
        )
        .await;
    let sent = &origin.requests()[0];
    // Nothing of the client, unless the upstream is to be told (`forwarded`).
    assert_eq!((sent.header("x-forwarded-for"), sent.header("x-forwarded-proto")), (None, None));
    assert_eq!((sent.header("x-forwarded-host"), sent.header("x-original-url")), (None, None));
    assert_eq!(sent.header("via"), Some("1.1 tintype"));
    // The origin is told its own name, so the client's Host is no part of the key.
    assert_eq!(sent.header("host"), Some(origin.address().to_string().as_str()));
    let mut raw = RawClient::connect(tintype.address).await;
    raw.send("GET /a HTTP/1.1\r\nHost: other.example\r\n\r\n").await;
    assert_eq!(raw.response().await.header("x-cache"), Some("HIT"));
}

#[tokio::test]
async fn where_the_origin_is_told_the_host_it_is_part_of_the_key() {
    let origin = ScriptedOrigin::start(|request| {
        Reply::ok(request.header("host").unwrap_or("").to_owned()).header("Cache-Control", "max-age=60")
    })
    .await;
    let toml =
        Tintype::toml(&origin, "").replace("kind = \"remote\"", "kind = \"remote\"\npreserve_host = true");
    let tintype = Tintype::of(&toml).await;
    for (host, cache) in [("a.example", "MISS"), ("b.example", "MISS"), ("A.example", "HIT")] {
        let mut raw = RawClient::connect(tintype.address).await;
        raw.send(format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        let answer = raw.response().await;
        assert_eq!((answer.header("x-cache"), answer.text()), (Some(cache), host.to_lowercase()), "{host}");
    }
}

#[tokio::test]
async fn credentials_come_from_the_proxy_never_from_the_client() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("").header("Cache-Control", "max-age=60")).await;
    let toml = Tintype::toml(&origin, "").replace(
        "[route.all]",
        "[upstream.origin.set_headers]\nx-api-key = \"ours\"\n[upstream.origin.set_query]\naccess_key = \"k\"\n[route.all]",
    );
    let tintype = Tintype::of(&toml).await;
    tintype.get_with("/a?b=1", &[("X-API-Key", "theirs")]).await;
    let sent = &origin.requests()[0];
    assert_eq!(sent.header_all("x-api-key"), ["ours"]);
    assert_eq!(sent.target, "/a?b=1&access_key=k");
    assert_eq!(tintype.get("/a?b=1").await.header("x-cache"), Some("HIT"));
}

#[tokio::test]
async fn ranges_without_a_stored_whole_pass_and_are_never_taken_for_the_whole() {
    let origin = ScriptedOrigin::start(|request| match request.header("range") {
        Some(_) => Reply::status(206)
            .header("Content-Range", "bytes 0-0/3")
            .header("Cache-Control", "max-age=60")
            .piece("a"),
        None => Reply::ok("abc").header("Cache-Control", "max-age=60"),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let part = tintype.get_with("/a", &[("Range", "bytes=0-0")]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "a"));
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "abc"));
}

#[tokio::test]
async fn http_2_with_prior_knowledge_works_end_to_end() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    let tintype = Tintype::before(&origin).await;
    let client = Client::h2();
    for cache in ["MISS", "HIT"] {
        assert_eq!(glance(&client.get(&tintype.url("/a"), &[]).await), seen(200, cache, "abc"));
    }
    // One cache for both protocols: the key is the same.
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("HIT"));
}
