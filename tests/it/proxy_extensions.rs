//! What extends RFC 9111: targeted fields (RFC 9213), cache groups (RFC 9875), answers to HEAD and POST that speak of a stored GET (RFC 9111
//! section 4.3.5, RFC 9110 section 9.3.3), tags of other variants offered (RFC 9111 section 4.1), cookies by route.

use crate::support::*;

#[tokio::test]
async fn a_targeted_field_stands_in_for_cache_control_and_is_passed_on() {
    let origin = ScriptedOrigin::start(|request| {
        let reply = Reply::ok("abc");
        match request.target.as_str() {
            "/long" => reply.header("CDN-Cache-Control", "max-age=60").header("Cache-Control", "no-store"),
            "/never" => reply.header("CDN-Cache-Control", "no-store").header("Cache-Control", "max-age=60"),
            _ => reply.header("CDN-Cache-Control", "max-age = oops").header("Cache-Control", "max-age=60"),
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for (path, cache) in [("/long", "HIT"), ("/never", "MISS"), ("/broken", "HIT")] {
        tintype.get(path).await;
        let second = tintype.get(path).await;
        assert_eq!(second.header("x-cache"), Some(cache), "{path}");
        assert!(second.header("cdn-cache-control").is_some() && second.header("cache-control").is_some());
    }
}

#[tokio::test]
async fn groups_are_invalidated_together_and_only_by_unsafe_methods() {
    let origin = ScriptedOrigin::start(|request| match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/other") => {
            Reply::ok("x").header("Cache-Control", "max-age=60").header("Cache-Groups", "\"else\"")
        }
        ("GET", _) => Reply::ok("x")
            .header("Cache-Control", "max-age=60")
            .header("Cache-Groups", "\"shots\", \"all\"")
            .header("Cache-Group-Invalidation", "\"else\""),
        _ => Reply::status(204).header("Cache-Group-Invalidation", "\"shots\""),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for path in ["/a", "/b", "/other"] {
        tintype.get(path).await;
    }
    tintype.send("POST", "/elsewhere").await;
    for (path, cache) in [("/a", "MISS"), ("/b", "MISS"), ("/other", "HIT")] {
        assert_eq!(tintype.get(path).await.header("x-cache"), Some(cache), "{path}");
    }
}

#[tokio::test]
async fn a_head_freshens_the_stored_get_or_makes_it_stale() {
    for (tag, cache) in [("\"v1\"", "HIT"), ("\"v2\"", "MISS")] {
        let origin = ScriptedOrigin::start(move |request| {
            let reply = match request.method.as_str() {
                "HEAD" => Reply::ok("").length(3).header("ETag", tag).header("X-New", "yes"),
                _ => Reply::ok("abc").header("ETag", "\"v1\""),
            };
            reply.header("Cache-Control", "max-age=60")
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        tintype.get("/a").await;
        tintype.later(50);
        let head = [("Cache-Control", "no-cache")];
        tintype.client.request("HEAD", &tintype.url("/a"), &head, "").await;
        tintype.later(50 * u64::from(cache == "HIT"));
        let after = tintype.get("/a").await;
        assert_eq!(after.header("x-cache"), Some(cache), "{tag}");
        assert_eq!(after.header("x-new").is_some(), cache == "HIT");
    }
}

#[tokio::test]
async fn the_answer_to_a_post_that_says_so_answers_later_gets() {
    let origin = ScriptedOrigin::start(|request| {
        let reply = Reply::ok("made").header("Cache-Control", "max-age=60");
        match request.target.as_str() {
            "/same" => reply.header("Content-Location", "/same"),
            "/other" => reply.header("Content-Location", "/same"),
            _ => reply,
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for (path, cache) in [("/same", "HIT"), ("/other", "MISS"), ("/none", "MISS")] {
        let posted = tintype.client.request("POST", &tintype.url(path), &[], "body").await;
        assert_eq!((posted.status, posted.text().as_str()), (200, "made"));
        assert_eq!(tintype.get(path).await.header("x-cache"), Some(cache), "{path}");
    }
}

#[tokio::test]
async fn the_tags_of_other_variants_are_offered_and_one_may_be_chosen() {
    let origin = ScriptedOrigin::start(|request| {
        let reply = match request.header("if-none-match") {
            Some("\"latin\"") => Reply::status(304),
            _ => Reply::ok("latin letters"),
        };
        reply
            .header("ETag", "\"latin\"")
            .header("Vary", "Accept-Language")
            .header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let ask = async |language: &str| tintype.get_with("/a", &[("Accept-Language", language)]).await;
    assert_eq!(glance(&ask("de").await), seen(200, "MISS", "latin letters"));
    // The origin says that English readers get the same: no body is sent again.
    assert_eq!(glance(&ask("en").await), seen(200, "REVALIDATED", "latin letters"));
    assert_eq!(glance(&ask("en").await), seen(200, "HIT", "latin letters"));
    assert_eq!(glance(&ask("de").await), seen(200, "HIT", "latin letters"));
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn the_route_decides_what_becomes_of_cookies() {
    for (setting, cache, cookie) in
        [("store", "HIT", Some("a=b")), ("strip", "HIT", None), ("never", "MISS", Some("a=b"))]
    {
        let origin = ScriptedOrigin::start(|_| {
            Reply::ok("abc").header("Set-Cookie", "a=b").header("Cache-Control", "max-age=60")
        })
        .await;
        let tintype = Tintype::with(&origin, &format!("set_cookie = \"{setting}\"\n")).await;
        tintype.get("/a").await;
        let second = tintype.get("/a").await;
        assert_eq!(
            (second.header("x-cache"), second.header("set-cookie")),
            (Some(cache), cookie),
            "{setting}"
        );
    }
}

/// What `Connection` takes away does not reach the origin, and so must select no variant.
#[tokio::test]
async fn a_field_that_connection_takes_away_selects_nothing() {
    let origin = ScriptedOrigin::start(|request| {
        let kind = request.header("accept").unwrap_or("none").to_owned();
        Reply::ok(kind).header("Vary", "Accept").header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let poisoned = tintype.get_with("/a", &[("Connection", "accept"), ("Accept", "image/webp")]).await;
    assert_eq!(poisoned.text(), "none");
    assert_eq!(
        glance(&tintype.get_with("/a", &[("Accept", "image/webp")]).await),
        seen(200, "MISS", "image/webp")
    );
}

/// A variant that an invalidation or another's entry has made forgotten does not come back.
#[tokio::test]
async fn only_listed_variants_answer() {
    let origin = ScriptedOrigin::start(|request| {
        let value = request.header("x-v").unwrap_or("-").to_owned();
        let names = if request.target == "/a?2" { "X-V, X-W" } else { "X-V" };
        Reply::ok(value).header("Vary", names).header("Cache-Control", "max-age=60")
    })
    .await;
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", "dir = \"\"\nmax_variants = 1");
    let tintype = Tintype::of(&toml).await;
    for (value, cache) in [("1", "MISS"), ("2", "MISS"), ("1", "MISS"), ("1", "HIT")] {
        let answer = tintype.get_with("/a", &[("X-V", value)]).await;
        assert_eq!(glance(&answer), seen(200, cache, value));
    }
}

/// Fields that `no-cache` or `private` names are for the client that asked first, and for nobody else (RFC 9111 5.2.2.4, 5.2.2.7).
#[tokio::test]
async fn qualified_directives_keep_their_fields_from_the_others_only() {
    for chunked in [false, true] {
        let origin = ScriptedOrigin::start(move |_| {
            let reply = Reply::ok("abc")
                .header("Cache-Control", "max-age=60, private=\"x-secret\", no-cache=\"X-Once\"")
                .header("X-Secret", "1")
                .header("X-Once", "2");
            if chunked { reply.chunked() } else { reply }
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        let first = tintype.get("/a").await;
        assert_eq!((first.header("x-secret"), first.header("x-once")), (Some("1"), Some("2")));
        let second = tintype.get("/a").await;
        assert_eq!(glance(&second), seen(200, "HIT", "abc"));
        assert_eq!((second.header("x-secret"), second.header("x-once")), (None, None));
    }
}

/// No-Vary-Search is heeded where the route switches it on: the origin's rule makes one key of several queries.
#[tokio::test]
async fn queries_that_the_origin_answers_alike_share_a_response_where_the_route_says_so() {
    for (setting, cache) in [("no_vary_search = true\n", "HIT"), ("", "MISS")] {
        let origin = ScriptedOrigin::start(|_| {
            Reply::ok("abc")
                .header("Cache-Control", "max-age=60")
                .header("No-Vary-Search", "key-order, params=(\"utm\")")
        })
        .await;
        let tintype = Tintype::with(&origin, setting).await;
        tintype.get("/a?x=1&y=2&utm=mail").await;
        assert_eq!(tintype.get("/a?y=2&x=1&utm=web").await.header("x-cache"), Some(cache));
        assert_eq!(tintype.get("/a?y=3&x=1").await.header("x-cache"), Some("MISS"));
        assert_eq!(tintype.get("/b?y=2&x=1").await.header("x-cache"), Some("MISS"));
        tintype.purge("{\"url\": \"/a?utm=other&x=1&y=2\"}").await;
        if cache == "HIT" {
            assert_eq!(tintype.get("/a?x=1&y=2").await.header("x-cache"), Some("MISS"));
        }
    }
}

#[tokio::test]
async fn cache_status_tells_the_key_where_it_is_configured() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    let toml = Tintype::toml(&origin, "").replace("[server]", "[server]\ncache_status_key = true");
    let tintype = Tintype::of(&toml).await;
    tintype.get("/a?b").await;
    let hit = tintype.get("/a?b").await;
    assert_eq!(hit.header("cache-status"), Some("tintype; hit; ttl=60; detail=memory; key=\"all /a?b\""));
}

/// A flood of values of a selecting field grows neither the store nor what other keys cost.
#[tokio::test]
async fn many_variants_of_one_key_stay_bounded() {
    let origin = ScriptedOrigin::start(|request| {
        let reply = Reply::ok("abc").header("Cache-Control", "max-age=600");
        if request.target == "/a" { reply.header("Vary", "X-V") } else { reply }
    })
    .await;
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", "dir = \"\"\nmax_variants = 8");
    let tintype = Tintype::of(&toml).await;
    tintype.get("/other").await;
    for value in 0..500 {
        tintype.get_with("/a", &[("X-V", &value.to_string())]).await;
    }
    // The index, its 8 variants and the other key.
    assert_eq!(tintype.stats().await["store"]["memory_records"], 10);
    assert_eq!(tintype.get("/other").await.header("x-cache"), Some("HIT"));
    assert_eq!(tintype.get_with("/a", &[("X-V", "499")]).await.header("x-cache"), Some("HIT"));
    assert_eq!(tintype.get_with("/a", &[("X-V", "0")]).await.header("x-cache"), Some("MISS"));
}

/// A leader whose origin stalls is left after a while: the others fetch on their own.
#[tokio::test]
async fn followers_do_not_wait_for_a_stalled_leader_for_ever() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| {
            let reply = Reply::ok("abc").header("Cache-Control", "max-age=60");
            if request.index == 0 { reply.hold(&gate) } else { reply }
        }
    })
    .await;
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", "dir = \"\"\ncollapse_timeout = \"1s\"");
    let tintype = Tintype::of(&toml).await;
    let leader = tokio::spawn(Client::new().get(&tintype.url("/a"), &[]));
    origin.received(1).await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "abc"));
    assert!(!leader.is_finished());
    gate.open();
    assert_eq!(leader.await.unwrap().status, 200);
}

/// Fields that the answer has of its own went out a second time where a qualified directive names them.
#[tokio::test]
async fn withheld_fields_do_not_double_those_of_the_answer() {
    let origin = ScriptedOrigin::start(|_| {
        Reply::ok("abc")
            .header("Cache-Control", "max-age=60, no-cache=\"content-length, etag, set-cookie\"")
            .header("ETag", "\"v1\"")
            .header("Set-Cookie", "a=b")
    })
    .await;
    for (setting, cookie) in [("store", Some("a=b")), ("strip", None)] {
        let tintype = Tintype::with(&origin, &format!("set_cookie = \"{setting}\"\n")).await;
        let first = tintype.get("/a").await;
        assert_eq!(glance(&first), seen(200, "MISS", "abc"));
        assert_eq!(
            (
                first.headers.get_all("content-length").iter().count(),
                first.headers.get_all("etag").iter().count()
            ),
            (1, 1)
        );
        assert_eq!(first.header("set-cookie"), cookie, "{setting}");
    }
}

/// A HEAD's 200 gave a stored 404 another lifetime.
#[tokio::test]
async fn a_head_that_finds_something_makes_a_stored_404_stale() {
    let origin = ScriptedOrigin::start(|request| {
        let reply = if request.index == 0 { Reply::status(404).piece("x") } else { Reply::ok("y") };
        reply.header("Cache-Control", "max-age=60")
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.get("/a").await.status, 404);
    tintype.client.request("HEAD", &tintype.url("/a"), &[("Cache-Control", "no-cache")], "").await;
    assert_eq!(tintype.get("/a").await.status, 200);
}

/// The answer to a HEAD brought back what had been forgotten since it was asked, as its successor was not for storing.
#[tokio::test]
async fn a_late_head_puts_nothing_forgotten_back() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match (request.method.as_str(), request.index) {
            ("HEAD", _) => Reply::ok("old").header("Cache-Control", "max-age=60").hold(&gate),
            (_, 0) => Reply::ok("old").header("Cache-Control", "max-age=60"),
            _ => Reply::ok("new").header("Cache-Control", "no-store"),
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    let url = tintype.url("/a");
    let head = tokio::spawn(async move {
        Client::new().request("HEAD", &url, &[("Cache-Control", "no-cache")], "").await
    });
    origin.received(2).await;
    assert_eq!(tintype.get_with("/a", &[("Cache-Control", "no-cache")]).await.text(), "new");
    gate.open();
    assert_eq!(head.await.unwrap().status, 200);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "new"));
}

/// A variant that was chosen in vain covered the error of a request that does not select it.
#[tokio::test]
async fn a_variant_that_a_304_chose_in_vain_covers_no_error() {
    let origin = ScriptedOrigin::start(|request| match (request.index, request.header("if-none-match")) {
        (0, _) => Reply::ok("latin")
            .header("ETag", "W/\"1\"")
            .header("Vary", "Accept-Language")
            .header("Cache-Control", "max-age=60"),
        // A strong tag does not confirm a weak one.
        (_, Some(_)) => Reply::status(304).header("ETag", "\"1\""),
        _ => Reply::status(500).piece("oops"),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get_with("/a", &[("Accept-Language", "de")]).await;
    let other = tintype.get_with("/a", &[("Accept-Language", "ar")]).await;
    assert_eq!((other.status, other.text().as_str()), (500, "oops"));
}

/// An answer to a POST that is for its client alone ended collapsing for the GETs of its target.
#[tokio::test]
async fn the_answer_to_a_post_says_nothing_of_collapsing() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |request| match request.method.as_str() {
            "POST" => {
                Reply::ok("x").header("Cache-Control", "max-age=60, private").header("Content-Location", "/a")
            }
            _ => Reply::ok("x").header("Cache-Control", "max-age=60").hold(&gate),
        }
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.send("POST", "/a").await;
    let herd: Vec<_> = (0..3)
        .map(|_| {
            let url = tintype.url("/a");
            tokio::spawn(async move { Client::new().get(&url, &[]).await })
        })
        .collect();
    within("the herd", async {
        while tintype.stats().await["traffic"]["requests"].as_u64() < Some(4) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gate.open();
    for one in herd {
        assert_eq!(one.await.unwrap().status, 200);
    }
    assert_eq!(origin.count(), 2);
}
