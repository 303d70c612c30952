//! Parts of a stored whole: 206 with one part or several, 416, If-Range (RFC 9110 sections 13.1.5, 14, 15.3.7).

use crate::support::*;

async fn stored() -> (ScriptedOrigin, Tintype) {
    let origin = ScriptedOrigin::start(|request| match request.header("range") {
        Some(_) => Reply::status(206).header("Content-Range", "bytes 0-0/10").piece("x"),
        None => Reply::ok("0123456789").header("Cache-Control", "max-age=60").header("ETag", "\"v1\""),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    (origin, tintype)
}

#[tokio::test]
async fn parts_come_out_of_the_stored_whole() {
    let (origin, tintype) = stored().await;
    for (range, status, body, place) in [
        ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("bytes=-2", 206, "89", Some("bytes 8-9/10")),
        ("bytes=10-", 416, "", Some("bytes */10")),
        ("bytes=5-2", 200, "0123456789", None),
        ("bytes=0-5,2-7", 200, "0123456789", None),
        ("lines=1-2", 200, "0123456789", None),
    ] {
        let answer = tintype.get_with("/a", &[("Range", range)]).await;
        assert_eq!(glance(&answer), seen(status, "HIT", body), "{range}");
        assert_eq!(answer.header("content-range"), place, "{range}");
        assert_eq!(answer.header("etag"), Some("\"v1\""));
    }
    let several = tintype.get_with("/a", &[("Range", "bytes=0-1,5-6")]).await;
    assert_eq!(several.status, 206);
    assert!(several.header("content-type").unwrap().starts_with("multipart/byteranges; boundary="));
    assert!(several.text().contains("Content-Range: bytes 5-6/10\r\n\r\n56\r\n--"), "{}", several.text());
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn conditions_come_before_ranges() {
    let (_origin, tintype) = stored().await;
    let ask = async |fields: &[(&str, &str)]| tintype.get_with("/a", fields).await;
    let same = ask(&[("Range", "bytes=0-1"), ("If-None-Match", "\"v1\"")]).await;
    assert_eq!(same.status, 304);
    let holds = ask(&[("Range", "bytes=0-1"), ("If-Range", "\"v1\"")]).await;
    assert_eq!((holds.status, holds.text().as_str()), (206, "01"));
    for condition in ["\"v2\"", "W/\"v1\"", "Sat, 01 Nov 2025 00:00:00 GMT"] {
        let other = ask(&[("Range", "bytes=0-1"), ("If-Range", condition)]).await;
        assert_eq!((other.status, other.text().as_str()), (200, "0123456789"), "{condition}");
    }
    let head = tintype.client.request("HEAD", &tintype.url("/a"), &[("Range", "bytes=0-1")], "").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
}

/// Of a picture the whole is made, stored and cut: a part is not worth a capture of its own.
#[tokio::test]
async fn on_a_capture_route_the_whole_is_fetched_and_cut() {
    let origin =
        ScriptedOrigin::start(|_| Reply::ok("0123456789").header("Cache-Control", "max-age=60")).await;
    let tintype = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    let part = tintype.get_with("/a", &[("Range", "bytes=2-4")]).await;
    assert_eq!(glance(&part), seen(206, "MISS", "234"));
    assert_eq!(origin.requests()[0].header("range"), None);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "0123456789"));
}

/// If-Match and If-Unmodified-Since on unsafe methods are the origin's to judge (RFC 9110 section 13.2.1).
#[tokio::test]
async fn preconditions_of_unsafe_methods_go_through_untouched() {
    let (origin, tintype) = stored().await;
    let fields = [("If-Match", "\"x\""), ("If-Unmodified-Since", "Sat, 01 Nov 2025 00:00:00 GMT")];
    tintype.client.request("PUT", &tintype.url("/a"), &fields, "").await;
    let sent = &origin.requests()[1];
    for (name, value) in fields {
        assert_eq!(sent.header(name), Some(value));
    }
}

/// A digest of the content is of what was sent (RFC 9530 section 2): that of the whole went out with each part.
#[tokio::test]
async fn a_part_does_not_carry_the_digest_of_the_whole() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("0123456789")
            .header("Cache-Control", "max-age=60")
            .header("Content-Digest", "sha-256=:AAAA:")
            .header("Content-MD5", "AAAA")
            .header("Repr-Digest", "sha-256=:AAAA:")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    assert!(tintype.get("/a").await.header("content-digest").is_some());
    for (range, status) in [("bytes=0-1", 206), ("bytes=0-1,4-5", 206), ("bytes=10-", 416)] {
        let answer = tintype.get_with("/a", &[("Range", range)]).await;
        assert_eq!(answer.status, status);
        assert_eq!((answer.header("content-digest"), answer.header("content-md5")), (None, None), "{range}");
        assert!(answer.header("repr-digest").is_some());
    }
}

/// A multipart body is in no coding, its parts are (RFC 9110 section 8.4): it was said to be gzip.
#[tokio::test]
async fn several_parts_of_a_coded_representation_are_answered_with_the_whole() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("0123456789").header("Cache-Control", "max-age=60").header("Content-Encoding", "gzip")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    let several = tintype.get_with("/a", &[("Range", "bytes=0-1,4-5")]).await;
    assert_eq!(glance(&several), seen(200, "HIT", "0123456789"));
    let one = tintype.get_with("/a", &[("Range", "bytes=0-1")]).await;
    assert_eq!((one.status, one.header("content-encoding")), (206, Some("gzip")));
    let none = tintype.get_with("/a", &[("Range", "bytes=10-")]).await;
    assert_eq!((none.status, none.header("content-encoding")), (416, None));
}
