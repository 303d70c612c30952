//! Reports on HTTP from users of comparable projects: what one client gets is not another's, and parts come from the store.

use crate::support::{Reply, ScriptedOrigin, Tintype};

// Found by a probe of our own: a stored cookie of one client was given to the next ones.
#[tokio::test]
async fn a_cookie_goes_to_the_client_whose_request_was_forwarded() {
    let origin = ScriptedOrigin::start(|request| {
        let lifetime = if request.target.contains("shared") { "public, max-age=60" } else { "max-age=60" };
        Reply::ok("abc").header("Set-Cookie", "a=b").header("Cache-Control", lifetime)
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for (path, second) in [("/a", None), ("/shared", Some("a=b"))] {
        assert_eq!(tintype.get(path).await.header("set-cookie"), Some("a=b"), "{path}");
        let hit = tintype.get(path).await;
        assert_eq!((hit.header("x-cache"), hit.header("set-cookie")), (Some("HIT"), second), "{path}");
    }
}

// RFC 9110 section 11.7.2: credentials for a proxy end there.
#[tokio::test]
async fn credentials_for_a_proxy_are_neither_forwarded_nor_shared() {
    let origin = ScriptedOrigin::start(|request| {
        let seen = request.header("proxy-authorization").unwrap_or("none").to_owned();
        Reply::ok(seen).header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let with = tintype.get_with("/a", &[("Proxy-Authorization", "Basic eDp5")]).await;
    assert_eq!((with.text(), with.header("x-cache")), ("none".to_owned(), Some("MISS")));
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("HIT"));
}

// A range of a stale stored response bypassed the store: each was fetched from the origin as a part.
#[tokio::test]
async fn a_range_of_a_stale_response_is_cut_from_the_validated_one() {
    let origin = ScriptedOrigin::start(|request| match request.header("if-none-match") {
        Some(_) => Reply::status(304).header("ETag", "\"v1\"").header("Cache-Control", "max-age=60"),
        None => Reply::ok("0123456789").header("ETag", "\"v1\"").header("Cache-Control", "max-age=0"),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    let part = tintype.get_with("/a", &[("Range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.text()), (206, "234".to_owned()));
    let part = tintype.get_with("/a", &[("Range", "bytes=5-6")]).await;
    assert_eq!((part.status, part.text(), origin.count()), (206, "56".to_owned(), 2));
}
