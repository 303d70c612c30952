//! What a screenshot service answers with status 200 and is no good picture replaces no good picture (dewey#134, serpbear#150).

use bytes::Bytes;
use image::ImageFormat;

use crate::support::*;

/// A name, a media type, a body, and the reason that is given.
type Row = (&'static str, Option<&'static str>, Bytes, &'static str);

fn unfit() -> Vec<Row> {
    let good = picture(0);
    let jpeg = picture_as(ImageFormat::Jpeg, 0);
    let cut = |octets: &Bytes| octets.slice(..octets.len() - 9);
    vec![
        ("json", Some("application/json"), "{\"error\":\"quota\"}".into(), "not-a-picture"),
        ("html", Some("text/html"), "<!doctype html><p>Sorry".into(), "not-a-picture"),
        ("json as png", Some("image/png"), "{\"error\":\"quota\"}".into(), "not-a-picture"),
        ("empty", Some("image/png"), "".into(), "not-a-picture"),
        ("without a type", None, good.clone(), "not-a-picture"),
        ("as text", Some("text/plain"), good.clone(), "not-a-picture"),
        ("a cut PNG", Some("image/png"), cut(&good), "not-a-picture"),
        ("a cut JPEG", Some("image/jpeg"), cut(&jpeg), "not-a-picture"),
        ("one colour", Some("image/png"), blank_picture(), "blank"),
    ]
}

fn reply(media_type: Option<&str>, body: Bytes) -> Reply {
    let reply = Reply::ok(body).header("Cache-Control", "max-age=60, stale-if-error=600");
    match media_type {
        Some(media_type) => reply.header("Content-Type", media_type),
        None => reply,
    }
}

/// A service that answers each target with its next reply.
async fn service(rows: Vec<(Option<&'static str>, Bytes)>) -> ScriptedOrigin {
    ScriptedOrigin::start(move |request| {
        let (media_type, body) = rows[request.index.min(rows.len() - 1)].clone();
        reply(media_type, body)
    })
    .await
}

#[tokio::test]
async fn an_answer_that_is_no_picture_is_an_origin_error() {
    for route in ["capture = true", "capture = true\ndialect = \"tintype\"", "dialect = \"screenshotone\""] {
        for (name, media_type, body, reason) in unfit() {
            let origin = service(vec![(media_type, body), (Some("image/png"), picture(0))]).await;
            let tintype = Tintype::with(&origin, &format!("{route}\n")).await;
            let target = "/?url=https://a.example/";
            let answer = tintype.get(target).await;
            assert_eq!(answer.status, 502, "{route} {name}");
            assert!(answer.header("cache-status").unwrap().contains(reason), "{route} {name}: {answer:?}");
            // Nothing of it was stored.
            let answer = tintype.get(target).await;
            assert_eq!((answer.status, answer.header("x-cache")), (200, Some("MISS")), "{route} {name}");
            assert_eq!(tintype.get(target).await.header("x-cache"), Some("HIT"), "{route} {name}");
        }
    }
}

#[tokio::test]
async fn the_last_good_picture_stays_when_the_service_gives_none() {
    for (name, media_type, body, reason) in unfit() {
        let rows = vec![(Some("image/png"), picture(0)), (media_type, body), (Some("image/png"), picture(9))];
        let origin = service(rows).await;
        let tintype = Tintype::with(&origin, "capture = true\nearly_refresh = 0.0\n").await;
        let target = "/?url=https://a.example/";
        assert_eq!(tintype.get(target).await.header("x-cache"), Some("MISS"), "{name}");
        tintype.later(120);
        let stale = tintype.get(target).await;
        assert_eq!((stale.header("x-cache"), &stale.body), (Some("STALE"), &picture(0)), "{name}");
        assert!(stale.header("cache-status").unwrap().contains(reason), "{name}: {stale:?}");
        // The stored picture was not replaced, and is replaced by the next good one.
        tintype.later(1200);
        let fresh = tintype.get(target).await;
        assert_eq!(
            (fresh.header("x-cache"), &fresh.body),
            (Some("MISS"), &picture(9)),
            "{name} {:?}",
            fresh.header("cache-status")
        );
    }
}

#[tokio::test]
async fn pictures_of_each_type_are_taken_and_a_blank_one_where_the_request_allows_it() {
    let svg = Bytes::from_static(b"<svg xmlns='http://www.w3.org/2000/svg'/>");
    for (media_type, body, query) in [
        ("image/png", picture(0), ""),
        ("image/jpeg", picture_as(ImageFormat::Jpeg, 0), ""),
        ("image/svg+xml", svg, ""),
        ("image/png", blank_picture(), "&allow_blank=true"),
    ] {
        let origin = service(vec![(Some(media_type), body.clone())]).await;
        let tintype = Tintype::with(&origin, "capture = true\n").await;
        let target = format!("/?url=https://a.example/{query}");
        for cache in ["MISS", "HIT"] {
            let answer = tintype.get(&target).await;
            assert_eq!((answer.header("x-cache"), &answer.body), (Some(cache), &body), "{media_type}{query}");
        }
    }
}

#[tokio::test]
async fn other_routes_and_a_route_that_says_so_take_anything() {
    for route in ["", "capture = true\nonly_pictures = false\n"] {
        for (name, media_type, body, _) in unfit() {
            let origin = service(vec![(media_type, body.clone())]).await;
            let tintype = Tintype::with(&origin, route).await;
            let answer = tintype.get("/?url=https://a.example/").await;
            assert_eq!((answer.status, answer.body), (200, body), "{name}");
        }
    }
}
