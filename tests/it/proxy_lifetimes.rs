//! Lifetimes by rule, preset and the caller's wishes:
//! - each row of the presets gives its lifetime, in the store and in `Cache-Control`;
//! - wishes count within the bounds: `ttl`, `stale_ttl`, `force`, `no_cache`;
//! - cache busters and scripts are not stored unless a rule says so;
//! - what a rule overrules is told in `Cache-Status`, and credentials are never overruled;
//! - what is about to go stale is fetched before anybody waits for it.

use std::time::Duration;

use crate::support::*;

/// Answers each time with another picture, and with these fields.
async fn pictures(fields: &'static [(&'static str, &'static str)]) -> ScriptedOrigin {
    ScriptedOrigin::start(move |request| {
        let reply = Reply::ok(format!("picture {}", request.index));
        fields.iter().fold(reply, |reply, (name, value)| reply.header(name, value))
    })
    .await
}

/// The path of a capture of `page` with more parameters.
fn shot(page: &str, more: &str) -> String {
    let page: String = url::form_urlencoded::byte_serialize(page.as_bytes()).collect();
    format!("/?url={page}{more}")
}

/// A capture route; no dice, so that every refresh is one that the test wants.
async fn capturing(origin: &ScriptedOrigin, more: &str) -> Tintype {
    Tintype::with(
        origin,
        &format!("capture = true\nonly_pictures = false\ndialect = \"tintype\"\nearly_refresh = 0.0\n{more}"),
    )
    .await
}

fn cache(answer: &Answer) -> (&str, &str) {
    (answer.header("x-cache").unwrap_or("-"), answer.header("cache-control").unwrap_or("-"))
}

fn status(answer: &Answer) -> &str {
    answer.header("cache-status").unwrap_or("-")
}

#[tokio::test]
async fn each_row_of_the_article_preset_gives_its_lifetime() {
    let origin = pictures(&[]).await;
    let tintype = capturing(&origin, "").await;
    for (page, seconds) in [
        ("https://a.example/dashboard", 60),
        ("https://a.example/admin", 60),
        ("https://a.example/realtime", 60),
        ("https://a.example/feed", 60),
        ("https://a.example/live", 60),
        ("https://a.example/stream", 60),
        ("https://a.example/a.html", 3600),
        ("https://a.example/a.htm", 3600),
        ("https://a.example/a/", 3600),
        ("https://a.example/docs", 86_400),
        ("https://a.example/blog", 86_400),
        ("https://a.example/about", 86_400),
        ("https://a.example/pricing", 86_400),
        ("https://a.example/a", 900),
    ] {
        let path = shot(page, "");
        let to_clients = format!("max-age={seconds}");
        assert_eq!(cache(&tintype.get(&path).await), ("MISS", to_clients.as_str()), "{page}");
        tintype.later(seconds - 1);
        let hit = tintype.get(&path).await;
        assert_eq!(cache(&hit), ("HIT", to_clients.as_str()), "{page}");
        assert_eq!(hit.header("age"), Some((seconds - 1).to_string().as_str()), "{page}");
        assert_eq!(status(&hit), "tintype; hit; ttl=1; detail=memory", "{page}");
        tintype.later(1);
        assert_eq!(tintype.get(&path).await.header("x-cache"), Some("MISS"), "{page}");
    }
}

#[tokio::test]
async fn the_classes_preset_knows_never_and_until_purged() {
    let origin = pictures(&[]).await;
    let tintype = capturing(&origin, "preset = \"classes\"\n").await;
    for _ in 0..2 {
        let never = tintype.get(&shot("https://a.example/dashboard", "")).await;
        assert_eq!(cache(&never), ("BYPASS", "no-store"));
        assert_eq!(status(&never), "tintype; fwd=bypass; detail=rule");
    }
    let baseline = shot("https://a.example/x?baseline=7", "");
    let made = tintype.get(&baseline).await;
    assert_eq!(cache(&made), ("MISS", "no-cache"));
    tintype.later(10 * 365 * 86_400);
    let hit = tintype.get(&baseline).await;
    assert_eq!(cache(&hit), ("HIT", "no-cache"));
    // Clients must ask, and are told that nothing changed.
    let tag = hit.header("etag").unwrap();
    let asked = tintype.get_with(&baseline, &[("If-None-Match", tag)]).await;
    assert_eq!((asked.status, cache(&asked)), (304, ("HIT", "no-cache")));
    assert_eq!(origin.count(), 3);
    tintype.purge("{\"url\": \"https://a.example/x?baseline=7\"}").await;
    assert_eq!(cache(&tintype.get(&baseline).await), ("MISS", "no-cache"));
}

#[tokio::test]
async fn a_callers_lifetime_is_kept_within_bounds() {
    let origin = pictures(&[]).await;
    let tintype = capturing(&origin, "min_ttl = \"10s\"\nmax_ttl = \"1h\"\n").await;
    for (wish, seconds) in [("&ttl=0", 10), ("&ttl=30", 30), ("&ttl=999999", 3600), ("&ttl=x", 900)] {
        let path = shot(&format!("https://a.example/{}", &wish[5..]), wish);
        assert_eq!(
            tintype.get(&path).await.header("cache-control"),
            Some(format!("max-age={seconds}").as_str())
        );
        tintype.later(seconds - 1);
        assert_eq!(tintype.get(&path).await.header("x-cache"), Some("HIT"), "{wish}");
        tintype.later(1);
        assert_eq!(tintype.get(&path).await.header("x-cache"), Some("MISS"), "{wish}");
    }
}

#[tokio::test]
async fn force_makes_a_new_picture_unless_one_is_too_young() {
    let origin = pictures(&[("ETag", "\"v1\"")]).await;
    let tintype = capturing(&origin, "min_ttl = \"10s\"\n").await;
    let forced = shot("https://a.example/a", "&force=true");
    assert_eq!(glance(&tintype.get(&forced).await), seen(200, "MISS", "picture 0"));
    tintype.later(9);
    assert_eq!(glance(&tintype.get(&forced).await), seen(200, "HIT", "picture 0"));
    tintype.later(1);
    let renewed = tintype.get(&forced).await;
    assert_eq!(glance(&renewed), seen(200, "MISS", "picture 1"));
    assert!(status(&renewed).contains("fwd=request"), "{}", status(&renewed));
    // The whole was asked for: a 304 to what is stored would be no new picture.
    assert_eq!(origin.requests()[1].header("if-none-match"), None);
    assert_eq!(glance(&tintype.get(&forced).await), seen(200, "HIT", "picture 1"));
}

#[tokio::test]
async fn no_cache_is_neither_read_nor_stored() {
    let origin = pictures(&[("Expires", "Sun, 01 Nov 2026 00:00:00 GMT")]).await;
    let tintype = capturing(&origin, "").await;
    let path = shot("https://a.example/a", "&no_cache=true");
    for n in 0..2 {
        let answer = tintype.get(&path).await;
        assert_eq!(glance(&answer), seen(200, "BYPASS", &format!("picture {n}")));
        assert_eq!(status(&answer), "tintype; fwd=bypass; detail=caller");
        assert_eq!((cache(&answer).1, answer.header("expires")), ("no-store", None));
    }
    assert_eq!(tintype.stats().await["traffic"]["stored"], 0);
}

#[tokio::test]
async fn a_route_may_pass_the_wishes_over() {
    let origin = pictures(&[]).await;
    let tintype = capturing(&origin, "caller_ttl = false\n").await;
    for wish in ["&no_cache=true", "&ttl=5", "&force=true"] {
        let path = shot(&format!("https://a.example/{}", &wish[1..4]), wish);
        assert_eq!(cache(&tintype.get(&path).await), ("MISS", "max-age=900"), "{wish}");
        tintype.later(6);
        assert_eq!(cache(&tintype.get(&path).await), ("HIT", "max-age=900"), "{wish}");
    }
}

#[tokio::test]
async fn a_callers_stale_window_is_served_from_while_a_new_picture_is_made() {
    let origin = pictures(&[]).await;
    let tintype = capturing(&origin, "").await;
    let path = shot("https://a.example/a", "&ttl=10&stale_ttl=20");
    tintype.get(&path).await;
    tintype.later(29);
    assert_eq!(glance(&tintype.get(&path).await), seen(200, "STALE", "picture 0"));
    origin.received(2).await;
    within("the new picture", async {
        while tintype.get(&path).await.text() != "picture 1" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tintype.later(30);
    assert_eq!(glance(&tintype.get(&path).await), seen(200, "MISS", "picture 2"));
}

#[tokio::test]
async fn cache_busters_and_scripts_are_stored_only_by_a_rule_for_them() {
    let origin = pictures(&[]).await;
    let rules =
        "[[route.all.rules]]\nhost = \"free.example\"\nscripts = true\nbusters = true\nttl = \"1h\"\n";
    let tintype = capturing(&origin, rules).await;
    for (page, more, reason) in [
        ("https://a.example/a?ts=1", "", "cache-buster"),
        ("https://a.example/a?x=1&nocache=1", "", "cache-buster"),
        ("https://a.example/a", "&js=alert(1)", "scripts"),
        ("https://a.example/a?v=2", "&js=alert(1)", "scripts"),
    ] {
        let path = shot(page, more);
        for _ in 0..2 {
            let answer = tintype.get(&path).await;
            assert_eq!(cache(&answer), ("BYPASS", "no-store"), "{page} {more}");
            assert_eq!(status(&answer), format!("tintype; fwd=bypass; detail={reason}"));
        }
    }
    let path = shot("https://free.example/a?v=2", "&js=alert(1)");
    assert_eq!(cache(&tintype.get(&path).await), ("MISS", "max-age=3600"));
    assert_eq!(cache(&tintype.get(&path).await), ("HIT", "max-age=3600"));
    // What the query of the request itself is called does not matter.
    let path = shot("https://a.example/a", "&t=1");
    tintype.get(&path).await;
    assert_eq!(tintype.get(&path).await.header("x-cache"), Some("HIT"));
}

const OVERRIDING: &str = "[[route.all.rules]]\nname = \"docs\"\npath = \"/docs/**\"\nttl = \"1h\"\noverride = true\n\
                          [[route.all.rules]]\npath = \"/plain/**\"\nttl = \"1h\"\n";

#[tokio::test]
async fn what_a_rule_overrules_is_told() {
    let origin = pictures(&[
        ("Cache-Control", "no-store, private, s-maxage=5"),
        ("Expires", "0"),
        ("Pragma", "no-cache"),
    ])
    .await;
    let tintype = Tintype::with(&origin, OVERRIDING).await;
    let made = tintype.get("/docs/a").await;
    assert_eq!(cache(&made), ("MISS", "s-maxage=5, max-age=3600"));
    assert_eq!((made.header("expires"), made.header("pragma")), (None, None));
    let over = "rule=docs over no-store, private, s-maxage";
    assert_eq!(status(&made), format!("tintype; fwd=uri-miss; ttl=3600; stored; detail=\"{over}\""));
    tintype.later(3599);
    let hit = tintype.get("/docs/a").await;
    assert_eq!(status(&hit), format!("tintype; hit; ttl=1; detail=\"memory; {over}\""));
    // Without `override` an origin that speaks is heeded.
    assert_eq!(status(&tintype.get("/plain/a").await), "tintype; fwd=uri-miss; detail=no-store");
}

#[tokio::test]
async fn credentials_are_never_overruled() {
    let origin = pictures(&[("Cache-Control", "private")]).await;
    let tintype = Tintype::with(&origin, OVERRIDING).await;
    let auth = [("Authorization", "Basic x")];
    for _ in 0..2 {
        assert_eq!(
            status(&tintype.get_with("/docs/a", &auth).await),
            "tintype; fwd=uri-miss; detail=private"
        );
    }
    let origin = pictures(&[("Cache-Control", "no-store"), ("Set-Cookie", "a=b")]).await;
    let tintype = Tintype::with(&origin, OVERRIDING).await;
    for _ in 0..2 {
        assert_eq!(status(&tintype.get("/docs/a").await), "tintype; fwd=uri-miss; detail=no-store");
    }
}

/// The rule decides anew after each 304, and tells again what it overrules.
#[tokio::test]
async fn a_ruling_holds_after_a_304() {
    let origin = ScriptedOrigin::start(|request| {
        let reply = match request.header("if-none-match") {
            Some(_) => Reply::status(304),
            None => Reply::ok("picture"),
        };
        reply.header("ETag", "\"v1\"").header("Cache-Control", "no-store")
    })
    .await;
    let tintype = Tintype::with(&origin, OVERRIDING).await;
    tintype.get("/docs/a").await;
    for _ in 0..2 {
        tintype.later(3600);
        let confirmed = tintype.get("/docs/a").await;
        assert_eq!(cache(&confirmed), ("REVALIDATED", "max-age=3600"));
        assert!(
            status(&confirmed).ends_with("stored; detail=\"rule=docs over no-store\""),
            "{}",
            status(&confirmed)
        );
    }
}

#[tokio::test]
async fn a_silent_origin_gets_the_default_lifetime() {
    let origin = ScriptedOrigin::start(|request| {
        let status = request.target.trim_start_matches('/').parse().unwrap_or(200);
        Reply::status(status)
    })
    .await;
    let tintype = Tintype::with(&origin, "default_ttl = \"5m\"\n").await;
    for (path, expected) in [("/200", "HIT"), ("/301", "HIT"), ("/404", "MISS"), ("/500", "MISS")] {
        tintype.get(path).await;
        tintype.later(299);
        assert_eq!(tintype.get(path).await.header("x-cache"), Some(expected), "{path}");
    }
    let tintype = Tintype::with(&origin, "default_ttl = \"5m\"\ncacheable_statuses = [200, 404]\n").await;
    for (path, expected) in [("/200", "HIT"), ("/301", "MISS"), ("/404", "HIT")] {
        tintype.get(path).await;
        assert_eq!(tintype.get(path).await.header("x-cache"), Some(expected), "{path}");
    }
}

#[tokio::test]
async fn a_never_rule_holds_for_what_was_stored_before() {
    let origin = pictures(&[("Cache-Control", "max-age=60")]).await;
    let never = "[[route.all.rules]]\npath = \"/never\"\nttl = \"never\"\n";
    let tintype = Tintype::with(&origin, never).await;
    for n in 0..2 {
        let answer = tintype.get("/never").await;
        assert_eq!((cache(&answer), answer.text()), (("BYPASS", "no-store"), format!("picture {n}")));
    }
    let head = tintype.send("HEAD", "/never").await;
    assert_eq!(cache(&head), ("BYPASS", "no-store"));
    assert_eq!(cache(&tintype.get("/other").await), ("MISS", "max-age=60"));
}

/// XFetch: a hit just before the end refreshes behind the client's back, one long before does not.
#[tokio::test]
async fn a_hit_near_the_end_refreshes_behind() {
    let origin = pictures(&[("Cache-Control", "max-age=86400")]).await;
    let tintype = Tintype::with(&origin, "early_refresh = 1000.0\n").await;
    tintype.get("/a").await;
    // No fetch on loopback takes so long that its cost, a thousandfold and again as often as dice can say, makes up a day.
    for _ in 0..20 {
        assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "picture 0"));
    }
    assert_eq!(origin.count(), 1);
    tintype.clock.advance(Duration::from_millis(86_399_999));
    within("a refresh behind", async {
        while origin.count() < 2 {
            let answer = tintype.get("/a").await;
            assert_eq!(answer.header("x-cache"), Some("HIT"));
        }
    })
    .await;
    within("the new picture", async {
        while tintype.get("/a").await.text() == "picture 0" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// What is asked for often is fetched before its end although nobody asks then; what is not, is not; and what cools is left alone.
#[tokio::test]
async fn hot_responses_are_fetched_ahead_until_they_cool() {
    let origin = ScriptedOrigin::start(|request| {
        Reply::ok(format!("{} {}", request.target, request.index)).header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::with(&origin, "refresh_ahead = 1\nrefresh_ahead_hits = 3\n").await;
    tintype.get("/cold").await;
    for path in ["/hot", "/late"] {
        // The first is a miss.
        for _ in 0..4 {
            tintype.get(path).await;
        }
    }
    tintype.get("/cold").await;
    tintype.clock.advance(Duration::from_millis(59_990));
    let requests = origin.received(4).await;
    assert_eq!(requests[3].target, "/hot");
    within("the new response", async {
        while tintype.get("/hot").await.text() != "/hot 3" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    tintype.later(1);
    let hot = tintype.get("/hot").await;
    assert_eq!(glance(&hot), seen(200, "HIT", "/hot 3"));
    // Only one is watched at a time, so the other one went stale.
    assert_eq!(tintype.get("/late").await.header("x-cache"), Some("MISS"));
    tintype.stop().await;
}

/// A fetch that nobody asked for uses nobody's credentials.
#[tokio::test]
async fn credentials_are_not_used_behind_their_owners_back() {
    let origin = pictures(&[("Cache-Control", "public, max-age=60")]).await;
    let tintype = Tintype::with(&origin, "refresh_ahead = 9\nrefresh_ahead_hits = 2\n").await;
    for _ in 0..9 {
        tintype.get_with("/a", &[("Authorization", "Basic x")]).await;
    }
    for _ in 0..4 {
        tintype.get("/b").await;
    }
    tintype.clock.advance(Duration::from_millis(59_990));
    let requests = origin.received(3).await;
    assert!(requests[2].target.ends_with("/b"), "{:?}", requests[2]);
    assert_eq!(origin.count(), 3);
}
