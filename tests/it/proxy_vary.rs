//! Responses that vary are told apart by their selecting header fields (RFC 9111 4.1), and bounded in number.

use crate::support::*;

async fn by_language(more: &str) -> (ScriptedOrigin, Tintype) {
    let origin = ScriptedOrigin::start(|request| {
        let language = request.header("accept-language").unwrap_or("none").to_owned();
        Reply::ok(language).header("Vary", "Accept-Language").header("Cache-Control", "max-age=60")
    })
    .await;
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", &format!("dir = \"\"\n{more}"));
    let tintype = Tintype::of(&toml).await;
    (origin, tintype)
}

#[tokio::test]
async fn each_variant_has_its_own_stored_response() {
    let (origin, tintype) = by_language("").await;
    for (language, cache) in [("de", "MISS"), ("en", "MISS"), ("de", "HIT"), ("en", "HIT"), ("EN", "HIT")] {
        let answer = tintype.get_with("/a", &[("Accept-Language", language)]).await;
        assert_eq!(glance(&answer), seen(200, cache, &language.to_lowercase()));
    }
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "none"));
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "none"));
    assert_eq!(origin.count(), 3);
}

#[tokio::test]
async fn a_missing_variant_says_so() {
    let (_origin, tintype) = by_language("").await;
    tintype.get("/a").await;
    let miss = tintype.get_with("/a", &[("Accept-Language", "de")]).await;
    assert!(miss.header("cache-status").unwrap().contains("fwd=vary-miss"));
}

#[tokio::test]
async fn variants_are_bounded_and_the_oldest_goes() {
    let (_origin, tintype) = by_language("max_variants = 2").await;
    for language in ["a", "b", "c"] {
        tintype.get_with("/a", &[("Accept-Language", language)]).await;
    }
    for (language, cache) in [("b", "HIT"), ("c", "HIT"), ("a", "MISS")] {
        let answer = tintype.get_with("/a", &[("Accept-Language", language)]).await;
        assert_eq!(answer.header("x-cache"), Some(cache), "{language}");
    }
}

#[tokio::test]
async fn the_most_recent_vary_rules() {
    let origin = ScriptedOrigin::sequence([
        Reply::ok("one").header("Vary", "X-A").header("Cache-Control", "max-age=10"),
        Reply::ok("two").header("Vary", "X-B").header("Cache-Control", "max-age=60"),
        Reply::ok("three").header("Vary", "X-B").header("Cache-Control", "max-age=60"),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get_with("/a", &[("X-A", "1"), ("X-B", "1")]).await;
    tintype.later(20);
    tintype.get_with("/a", &[("X-A", "1"), ("X-B", "1")]).await;
    let other_a = tintype.get_with("/a", &[("X-A", "2"), ("X-B", "1")]).await;
    assert_eq!(glance(&other_a), seen(200, "HIT", "two"));
    let other_b = tintype.get_with("/a", &[("X-A", "1"), ("X-B", "2")]).await;
    assert_eq!(glance(&other_b), seen(200, "MISS", "three"));
}

#[tokio::test]
async fn a_purge_takes_every_variant() {
    let (_origin, tintype) = by_language("").await;
    let ask = async |language: &str| {
        tintype.get_with("/a", &[("Accept-Language", language)]).await.header("x-cache").unwrap().to_owned()
    };
    for language in ["de", "en"] {
        ask(language).await;
    }
    tintype.purge(&format!("{{\"url\": \"{}\"}}", tintype.url("/a"))).await;
    for language in ["de", "en"] {
        assert_eq!(ask(language).await, "MISS");
    }
    for language in ["de", "en"] {
        assert_eq!(ask(language).await, "HIT");
    }
}

/// The index of variants was taken for an older one, and not kept, when the variant that was asked for first came last.
#[tokio::test]
async fn regression_a_variant_that_comes_after_a_younger_one_is_found() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| {
            let language = request.header("accept-language").unwrap_or("none").to_owned();
            let reply = Reply::ok(language.clone())
                .header("Vary", "Accept-Language")
                .header("Cache-Control", "max-age=60");
            if language == "slow" { reply.hold(&gate) } else { reply }
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    // Told apart from the start, so that no request waits for another.
    tintype.get_with("/a", &[("Accept-Language", "first")]).await;
    let slow = tokio::spawn(Client::new().get(&tintype.url("/a"), &[("Accept-Language", "slow")]));
    origin.received(2).await;
    tintype.get_with("/a", &[("Accept-Language", "fast")]).await;
    gate.open();
    assert_eq!(slow.await.unwrap().text(), "slow");
    for language in ["slow", "fast", "first"] {
        let answer = tintype.get_with("/a", &[("Accept-Language", language)]).await;
        assert_eq!(glance(&answer), seen(200, "HIT", language));
    }
}
