//! Sizes and formats that are made of one stored picture (C03, B01):
//! - one capture serves all of them; each has its own entity tag, type and length, and HEAD, ranges and conditions work on it;
//! - `format=auto` gives what the client can show, and says so in `Vary`;
//! - a derivative goes with its picture: purged with it, renewed with it, never fresher, and covering for it when that is gone;
//! - what cannot be made is refused by name.

use image::GenericImageView as _;
use image::ImageEncoder as _;
use serde_json::Value;

use crate::support::*;

const ROUTE: &str = "capture = true\nonly_pictures = false\ndialect = \"tintype\"\nderive = true";
const U: &str = "/shot?url=https://a.example/";

/// A PNG of this size whose colours depend on `seed`, hard to compress if `noisy`.
pub(crate) fn png(width: u32, height: u32, seed: u8, noisy: bool) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let picture = image::RgbImage::from_fn(width, height, |x, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = if noisy { (state >> 24) as u8 } else { 0 };
        image::Rgb([seed.wrapping_mul(40), noise, (x * 255 / width) as u8])
    });
    let mut octets = Vec::new();
    image::codecs::png::PngEncoder::new(&mut octets)
        .write_image(&picture, width, height, image::ExtendedColorType::Rgb8)
        .expect("a PNG");
    octets
}

async fn pictures() -> (ScriptedOrigin, Tintype) {
    let origin = ScriptedOrigin::start(|request| {
        Reply::ok(png(200, 100, request.index as u8, false))
            .header("Content-Type", "image/png")
            .header("Cache-Tag", "front")
            .header("Cache-Control", "max-age=60, stale-if-error=600")
    })
    .await;
    let tintype = Tintype::with(&origin, ROUTE).await;
    (origin, tintype)
}

fn kind(answer: &Answer) -> (u16, String, String) {
    let of = |name| answer.header(name).unwrap_or("-").to_owned();
    (answer.status, of("x-cache"), of("content-type"))
}

fn is(status: u16, cache: &str, kind: &str) -> (u16, String, String) {
    (status, cache.into(), kind.into())
}

fn pixels(answer: &Answer) -> (u32, u32) {
    match answer.header("content-type") {
        Some("image/webp") => {
            // VP8: width and height in 14 bits each, after the frame's start code.
            let at = answer.body.windows(3).position(|w| w == [0x9d, 0x01, 0x2a]).expect("a lossy WebP") + 3;
            let side =
                |at: usize| u32::from(u16::from_le_bytes([answer.body[at], answer.body[at + 1]]) & 0x3fff);
            (side(at), side(at + 2))
        }
        _ => image::load_from_memory(&answer.body).expect("a picture").dimensions(),
    }
}

#[tokio::test]
async fn one_capture_serves_every_size_and_format() {
    let (origin, tintype) = pictures().await;
    let mut tags = Vec::new();
    for (query, cache, mime, size) in [
        ("&format=webp", "MISS", "image/webp", (200, 100)),
        ("", "HIT", "image/png", (200, 100)),
        ("&format=jpeg&quality=60", "HIT", "image/jpeg", (200, 100)),
        ("&image_width=50", "HIT", "image/png", (50, 25)),
        ("&thumbWidth=50&image_height=50&fit=cover&format=webp", "HIT", "image/webp", (50, 50)),
        ("&image_width=50&image_height=50&fit=fill&format=jpg", "HIT", "image/jpeg", (50, 50)),
    ] {
        let first = tintype.get(&format!("{U}{query}")).await;
        assert_eq!(kind(&first), is(200, cache, mime), "{query} {}", first.text());
        assert_eq!(pixels(&first), size, "{query}");
        assert_eq!(first.header("content-length"), Some(first.body.len().to_string().as_str()));
        let again = tintype.get(&format!("{U}{query}")).await;
        assert_eq!((again.header("x-cache"), &again.body), (Some("HIT"), &first.body), "{query}");
        let tag = first.header("etag").expect("an entity tag").to_owned();
        assert!(tag.starts_with('"') && again.header("etag") == Some(&tag));
        assert!(!tags.contains(&tag), "{query}");
        assert_eq!(first.header("vary"), None);
        tags.push(tag);
    }
    let body = r#"{"url":"https://a.example/","format":"webp"}"#;
    let posted = [("content-type", "application/json")];
    let posted = tintype.client.request("POST", &tintype.url("/shot"), &posted, body).await;
    assert_eq!(kind(&posted), is(200, "HIT", "image/webp"));
    let asked: Vec<String> = origin.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(asked, ["/shot?url=https%3A%2F%2Fa.example%2F"]);
}

#[tokio::test]
async fn conditions_ranges_and_head_are_about_the_derivative() {
    let (origin, tintype) = pictures().await;
    let target = format!("{U}&image_width=20&format=webp");
    let head = tintype.send("HEAD", &target).await;
    assert_eq!((kind(&head), head.body.len()), (is(200, "MISS", "image/webp"), 0));
    let whole = tintype.get(&target).await;
    assert_eq!(head.header("content-length"), whole.header("content-length"));
    let tag = whole.header("etag").expect("an entity tag").to_owned();
    let known = tintype.get_with(&target, &[("if-none-match", &tag)]).await;
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, Some(tag.as_str())));
    let picture = tintype.get(U).await;
    let other = picture.header("etag").expect("an entity tag");
    assert_eq!(tintype.get_with(&target, &[("if-none-match", other)]).await.status, 200);
    let part = tintype.get_with(&target, &[("range", "bytes=2-9"), ("if-range", &tag)]).await;
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[2..10]));
    let missed = tintype.get_with(&target, &[("range", "bytes=2-9"), ("if-range", other)]).await;
    assert_eq!((missed.status, missed.body.len()), (200, whole.body.len()));
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn auto_is_what_the_client_can_show() {
    let (origin, tintype) = pictures().await;
    let target = format!("{U}&format=auto");
    let ask = |accept: &'static str| tintype.client.get(&tintype.url(&target), &[("accept", accept)]);
    for (accept, mime) in [
        ("image/webp,*/*", "image/webp"),
        ("*/*", "image/png"),
        ("image/webp;q=0.2,image/png", "image/png"),
        ("image/webp", "image/webp"),
        // As browsers send it: an AVIF of a screenshot takes ten times as long and is no smaller.
        ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image/webp"),
    ] {
        let answer = ask(accept).await;
        assert_eq!(
            (answer.header("content-type"), answer.header("vary")),
            (Some(mime), Some("Accept")),
            "{accept}"
        );
        let tag = answer.header("etag").expect("an entity tag");
        let known = tintype.get_with(&target, &[("accept", accept), ("if-none-match", tag)]).await;
        assert_eq!((known.status, known.header("vary")), (304, Some("Accept")));
    }
    assert_eq!(ask("image/webp").await.body, tintype.get(&format!("{U}&format=webp")).await.body);
    assert_eq!(ask("*/*").await.body, tintype.get(U).await.body);
    if cfg!(feature = "avif") {
        let avif = ask("image/avif,*/*;q=0.8").await;
        assert_eq!((kind(&avif), &avif.body[4..12]), (is(200, "HIT", "image/avif"), &b"ftypavif"[..]));
    }
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn every_purge_of_the_picture_takes_its_derivatives_along() {
    let (origin, tintype) = pictures().await;
    let target = format!("{U}&format=webp");
    let mut before = tintype.get(&target).await;
    for (captures, purge) in [
        r#"{"url":"https://a.example/"}"#,
        r#"{"host":"a.example"}"#,
        r#"{"prefix":"https://a.example/"}"#,
        r#"{"tag":"front"}"#,
        r#"{"all":true}"#,
        r#"{"host":"a.example","mode":"soft"}"#,
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(tintype.get(&target).await.header("x-cache"), Some("HIT"), "{purge}");
        tintype.purge(purge).await;
        let after = tintype.get_with(&target, &[("cache-control", "max-stale=0")]).await;
        assert_ne!(after.header("x-cache"), Some("HIT"), "{purge}");
        let after = match purge.contains("soft") {
            true => tintype.get_with(&target, &[("cache-control", "no-cache")]).await,
            false => after,
        };
        assert_ne!(after.body, before.body, "{purge}");
        assert!(origin.count() >= captures + 2, "{purge}");
        before = after;
    }
    // Its own key and all of its page are gone from the listing too.
    tintype.purge(r#"{"url":"https://a.example/"}"#).await;
    let listed = tintype.client.get(&tintype.admin_url("/stored"), &[]).await;
    assert!(!listed.text().contains("format=webp"), "{}", listed.text());
}

#[tokio::test]
async fn a_derivative_is_renewed_with_its_picture_and_never_fresher() {
    let (origin, tintype) = pictures().await;
    let target = format!("{U}&format=webp");
    let first = tintype.get(&target).await;
    tintype.later(50);
    let aged = tintype.get(&target).await;
    assert_eq!((aged.header("x-cache"), aged.header("age")), (Some("HIT"), Some("50")));
    tintype.later(11);
    let second = tintype.get(&target).await;
    assert_eq!(second.header("x-cache"), Some("MISS"));
    assert_ne!((&first.body, first.header("etag")), (&second.body, second.header("etag")));
    // A new picture by way of another form of it is the source from then on.
    assert_eq!(tintype.get(&format!("{U}&force=true")).await.header("x-cache"), Some("MISS"));
    let third = tintype.get(&target).await;
    assert_eq!(third.header("x-cache"), Some("HIT"));
    assert_ne!(third.body, second.body);
    assert_eq!(origin.count(), 3);
    // Not stored, and made all the same.
    let unstored = tintype.get(&format!("{target}&no_cache=true")).await;
    assert_eq!(kind(&unstored), is(200, "BYPASS", "image/webp"));
    assert_eq!(tintype.get(&target).await.body, third.body);
}

/// A confirmed picture has the derivative that it had: the bytes are not made, nor sent, again.
#[tokio::test]
async fn a_confirmed_picture_keeps_its_derivative() {
    let origin = ScriptedOrigin::start(|request| {
        let reply = match request.header("if-none-match") {
            Some("\"one\"") => Reply::status(304),
            _ => Reply::ok(png(200, 100, 1, false)).header("Content-Type", "image/png"),
        };
        reply.header("ETag", "\"one\"").header("Cache-Control", "max-age=10")
    })
    .await;
    let tintype = Tintype::with(&origin, ROUTE).await;
    let target = format!("{U}&format=jpeg&image_height=10");
    let first = tintype.get(&target).await;
    let tag = first.header("etag").expect("an entity tag");
    let stored = tintype.stats().await["responses"]["stored"].clone();
    tintype.later(11);
    let known = tintype.get_with(&target, &[("if-none-match", tag)]).await;
    assert_eq!((known.status, known.header("x-cache")), (304, Some("REVALIDATED")));
    tintype.later(5);
    let again = tintype.get(&target).await;
    assert_eq!(
        (again.header("x-cache"), again.header("age"), &again.body),
        (Some("HIT"), Some("5"), &first.body)
    );
    assert_eq!(origin.count(), 2, "{stored}");
}

#[tokio::test]
async fn a_failing_origin_is_covered_in_every_format() {
    let origin = ScriptedOrigin::start(|request| match request.index {
        0 => Reply::ok(png(200, 100, 1, false))
            .header("Content-Type", "image/png")
            .header("Cache-Control", "max-age=10, stale-if-error=600"),
        _ => Reply::status(503).header("Cache-Control", "no-store"),
    })
    .await;
    let tintype = Tintype::with(&origin, ROUTE).await;
    tintype.get(U).await;
    tintype.later(11);
    for format in ["webp", "jpeg"] {
        let answer = tintype.get(&format!("{U}&format={format}")).await;
        assert_eq!(kind(&answer), is(200, "STALE", &format!("image/{format}")));
    }
    let error = tintype.get("/shot?url=https://b.example/&format=webp").await;
    assert_eq!(error.status, 503);
}

const KEYS: &str = "\nauth = \"key\"\n[keys.all]\napi_key = \"all-all-all-all-all\"\n\
    [keys.some]\napi_key = \"some-some-some-some\"\nhosts = [\"b.example\"]\n";
const ALL: (&str, &str) = ("x-api-key", "all-all-all-all-all");
const SOME: (&str, &str) = ("x-api-key", "some-some-some-some");

/// An origin, and a tintype that had `target` of it and has evicted the picture, but not what was made of it. Asked with these fields.
async fn outlived(more: &str, target: &str, fields: &[(&str, &str)]) -> (ScriptedOrigin, Tintype, Answer) {
    let origin = ScriptedOrigin::start(|request| match request.index {
        1.. if request.target.contains("a.example") => Reply::reset(),
        index => Reply::ok(png(500, 400, index as u8, true))
            .header("Content-Type", "image/png")
            .header("Cache-Control", "max-age=100, stale-if-error=600"),
    })
    .await;
    let toml = Tintype::toml(&origin, &format!("{ROUTE}{more}")).replace(
        "[store]\n",
        "[store]\nmemory = \"2MiB\"\nmax_stored_bytes = \"1MiB\"\nhold_for_tag = \"1MiB\"\n",
    );
    let tintype = Tintype::of(&toml).await;
    let first = tintype.get_with(target, fields).await;
    assert_eq!(kind(&first), is(200, "MISS", "image/webp"));
    // To look leaves no trace.
    let stored = async || {
        let ask = r#"{"url":"https://a.example/","dry_run":true}"#;
        let told = tintype.client.request("POST", &tintype.admin_url("/purge"), &[], ask).await;
        let told: Value = serde_json::from_slice(&told.body).expect("JSON");
        told["hit"].as_u64().expect("a count")
    };
    // Of two that are asked for as often, the picture was there first and goes first, once others are asked for more.
    for _ in 0..4 {
        tintype.get_with(target, fields).await;
    }
    assert_eq!(stored().await, 2);
    while stored().await == 2 && origin.count() < 100 {
        let other = format!("/shot?url=https://other.example/{}", origin.count());
        for _ in 0..4 {
            tintype.get_with(&other, fields).await;
        }
    }
    assert_eq!(stored().await, 1);
    // Or nothing is proven: asked for, it is fetched in vain.
    let stored_only = [("cache-control", "only-if-cached")];
    let picture = tintype.get_with(U, &[fields, &stored_only].concat()).await;
    assert_eq!(picture.status, 504, "the picture is still there");
    let again = tintype.get_with(target, fields).await;
    assert_eq!((kind(&again), &again.body), (is(200, "HIT", "image/webp"), &first.body));
    (origin, tintype, first)
}

/// The picture itself may be evicted long before what is made of it.
#[tokio::test]
async fn a_derivative_outlives_its_picture_in_the_store() {
    let target = format!("{U}&format=webp&image_width=20");
    let (_origin, tintype, first) = outlived("", &target, &[]).await;
    tintype.later(200);
    let stale = tintype.get(&target).await;
    assert_eq!((kind(&stale), &stale.body), (is(200, "STALE", "image/webp"), &first.body));
    tintype.purge(r#"{"url":"https://a.example/"}"#).await;
    assert_eq!(tintype.get(&target).await.status, 502);
}

/// What was made of a picture that is stored no more was given to whoever asked.
#[tokio::test]
async fn regression_a_key_for_other_pages_gets_no_derivative_either() {
    let target = format!("{U}&format=webp&image_width=20");
    let (_origin, tintype, first) = outlived(KEYS, &target, &[ALL]).await;
    for more in ["", "&scale=1", "&image_height=20"] {
        let denied = tintype.get_with(&format!("{target}{more}"), &[SOME]).await;
        assert_eq!((denied.status, denied.header("x-cache")), (403, Some("ERROR")), "{}", denied.text());
    }
    assert_eq!(tintype.get(&target).await.status, 401);
    assert_eq!(tintype.get_with(&target, &[ALL]).await.body, first.body);
}

#[tokio::test]
async fn a_herd_makes_one_picture_and_one_derivative() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = ScriptedOrigin::start(move |_| {
        Reply::ok(png(400, 300, 3, true))
            .header("Content-Type", "image/png")
            .header("Cache-Control", "max-age=60")
            .hold(&held)
    })
    .await;
    let tintype = Tintype::with(&origin, ROUTE).await;
    let (client, url) = (&tintype.client, tintype.url(&format!("{U}&format=webp")));
    let herd = (0..30).map(|_| client.get(&url, &[]));
    let herd = tokio::spawn(futures_util::future::join_all(herd.collect::<Vec<_>>()));
    origin.received(1).await;
    gate.open();
    let herd = herd.await.expect("the herd");
    assert!(herd.iter().all(|one| one.status == 200 && one.body == herd[0].body));
    assert_eq!(origin.count(), 1);
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_by_name() {
    let origin = ScriptedOrigin::start(|request| {
        let (width, height) = if request.target.contains("tall") { (1, 16_400) } else { (300, 300) };
        let body = if request.target.contains("broken") {
            b"\x89PNG\r\n\x1a\n".to_vec()
        } else {
            png(width, height, 0, false)
        };
        Reply::ok(body).header("Content-Type", "image/png").header("Cache-Control", "max-age=60")
    })
    .await;
    let toml = format!("{}\n[derive]\nmax_pixels = 80000\n", Tintype::toml(&origin, ROUTE));
    let tintype = Tintype::of(&toml).await;
    let refused = async |query: &str| {
        let answer = tintype.get(&format!("/shot?url=https://a.example/{query}")).await;
        let problem: Value = serde_json::from_slice(&answer.body).expect("a problem");
        assert_eq!((answer.status, answer.header("x-cache")), (400, Some("ERROR")), "{query}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        problem["errors"][0]["parameter"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(refused("tall&format=webp").await, "format");
    assert_eq!(refused("large&format=webp").await, "image_width");
    let auto =
        tintype.get_with("/shot?url=https://a.example/tall&format=auto", &[("accept", "image/webp")]).await;
    assert_eq!(kind(&auto), is(200, "HIT", "image/png"));
    // What is no picture is passed on as it is: nothing better can be said of it here.
    assert_eq!(tintype.get("/shot?url=https://a.example/broken&format=webp").await.body.len(), 8);
    // Bad values are for the origin, which knows about all the others.
    tintype.get("/shot?url=https://a.example/&format=gif&width=wide&image_width=5").await;
    let asked = origin.requests().pop().expect("asked").target;
    assert_eq!(asked, "/shot?format=gif&url=https%3A%2F%2Fa.example%2F&width=wide");
}

#[tokio::test]
async fn without_derivation_formats_are_the_origins() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("x").header("Cache-Control", "max-age=60")).await;
    let tintype =
        Tintype::with(&origin, "capture = true\nonly_pictures = false\ndialect = \"tintype\"").await;
    tintype.get(&format!("{U}&format=webp&image_width=5")).await;
    let asked = origin.requests().pop().expect("asked").target;
    assert_eq!(asked, "/shot?format=webp&image_width=5&url=https%3A%2F%2Fa.example%2F");
}

/// What is too large to be stored is too large to be held for a derivative of it.
#[tokio::test]
async fn nothing_is_made_of_what_is_larger_than_may_be_stored() {
    let origin = ScriptedOrigin::start(|request| {
        let picture = png(500, 400, 1, true);
        let reply = Reply::ok("").header("Content-Type", "image/png").header("Cache-Control", "max-age=60");
        match request.target.contains("chunked") {
            true => reply.chunked().piece(picture),
            false => reply.length(picture.len() as u64).piece(picture),
        }
    })
    .await;
    let toml = Tintype::toml(&origin, ROUTE)
        .replace("[store]\n", "[store]\nmax_stored_bytes = \"64KiB\"\nhold_for_tag = \"64KiB\"\n");
    let tintype = Tintype::of(&toml).await;
    for page in ["announced", "chunked"] {
        let target = format!("/shot?url=https://a.example/{page}");
        assert!(tintype.get(&target).await.body.len() > 64 << 10);
        let answer = tintype.get(&format!("{target}&image_width=50")).await;
        assert!(answer.status >= 500, "{} {page}", answer.status);
    }
    tintype.stop().await;
}

/// Nor is what was made of it stored.
#[tokio::test]
async fn what_was_made_and_is_larger_than_may_be_stored_is_made_each_time() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok(png(600, 400, 1, false))
            .header("Content-Type", "image/png")
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let toml = Tintype::toml(&origin, ROUTE)
        .replace("[store]\n", "[store]\nmax_stored_bytes = \"8KiB\"\nhold_for_tag = \"8KiB\"\n");
    let tintype = Tintype::of(&toml).await;
    let stored = async || {
        let ask = r#"{"url":"https://a.example/","dry_run":true}"#;
        let told = tintype.client.request("POST", &tintype.admin_url("/purge"), &[], ask).await;
        serde_json::from_slice::<Value>(&told.body).expect("JSON")["hit"].clone()
    };
    assert!(tintype.get(U).await.body.len() < 8 << 10);
    for (more, larger, count) in
        [("format=jpeg&quality=100", true, 1), ("format=jpeg&image_width=60", false, 2)]
    {
        for _ in 0..2 {
            let answer = tintype.get(&format!("{U}&{more}")).await;
            assert_eq!((answer.status, answer.body.len() > 8 << 10), (200, larger), "{more}");
        }
        assert_eq!(stored().await, count, "{more}");
    }
    assert_eq!(origin.count(), 1);
    tintype.stop().await;
}
