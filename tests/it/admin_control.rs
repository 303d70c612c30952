//! The control plane: health, figures, purge; its token; that a purge beats memory, disk, flight and restart.

use crate::support::*;

async fn storing() -> ScriptedOrigin {
    ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=600")).await
}

#[tokio::test]
async fn health_and_readiness_answer() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(tintype.client.get(&tintype.admin_url(path), &[]).await.status, 200, "{path}");
    }
    let wrong = tintype.client.request("POST", &tintype.admin_url("/healthz"), &[], "").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(tintype.client.get(&tintype.admin_url("/nothing"), &[]).await.status, 404);
    // The control plane is not reachable through the data plane.
    assert_eq!(tintype.get("/stats").await.text(), "abc");
}

#[tokio::test]
async fn stats_add_up() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    for path in ["/a", "/a", "/b", "/a"] {
        tintype.get(path).await;
    }
    let stats = tintype.stats().await;
    let traffic = &stats["traffic"];
    assert_eq!(traffic["requests"], 4);
    assert_eq!(traffic["hits"]["memory"], 2);
    assert_eq!((&traffic["misses"], &traffic["stored"]), (&2.into(), &2.into()));
    assert_eq!(traffic["bytes_sent"], 12);
    assert_eq!(traffic["origin"]["bytes"], 6);
    assert_eq!(traffic["hit_rate"], 0.5);
    assert_eq!(stats["store"]["memory_records"], 2);
}

#[tokio::test]
async fn one_url_is_purged_and_no_other() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    for body in [format!("{{\"url\": \"{}\"}}", tintype.url("/a?x=1")), "{\"url\": \"/a?x=1\"}".into()] {
        for path in ["/a?x=1", "/a?x=2"] {
            tintype.get(path).await;
        }
        tintype.purge(&body).await;
        assert_eq!(tintype.get("/a?x=2").await.header("x-cache"), Some("HIT"));
        assert_eq!(tintype.get("/a?x=1").await.header("x-cache"), Some("MISS"));
    }
    let query = tintype.admin_url("/purge?url=%2Fa%3Fx%3D1");
    assert_eq!(tintype.client.request("POST", &query, &[], "").await.status, 200);
    assert_eq!(tintype.get("/a?x=1").await.header("x-cache"), Some("MISS"));
}

#[tokio::test]
async fn everything_is_purged() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    for path in ["/a", "/b"] {
        tintype.get(path).await;
    }
    tintype.purge("{\"all\": true}").await;
    for path in ["/a", "/b"] {
        assert_eq!(tintype.get(path).await.header("x-cache"), Some("MISS"));
        assert_eq!(tintype.get(path).await.header("x-cache"), Some("HIT"));
    }
}

#[tokio::test]
async fn a_capture_route_purges_by_page() {
    let origin = storing().await;
    let tintype = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    let paths = [
        "/s?url=https%3A%2F%2Fexample.com&width=100",
        "/s?url=https://EXAMPLE.com/&width=200",
        "/s?url=https://example.org",
    ];
    for path in paths {
        tintype.get(path).await;
    }
    tintype.purge("{\"url\": \"https://example.com\"}").await;
    for (path, cache) in paths.iter().zip(["MISS", "MISS", "HIT"]) {
        assert_eq!(tintype.get(path).await.header("x-cache"), Some(cache), "{path}");
    }
}

#[tokio::test]
async fn bad_purges_are_told_what_is_wanted() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    for (method, path, body, status) in [
        ("POST", "/purge", "", 400),
        ("POST", "/purge", "{\"url\": \"\"}", 400),
        ("POST", "/purge", "{\"url\": 5}", 400),
        ("POST", "/purge", "{\"everything\": true}", 400),
        ("POST", "/purge", "{\"url\": \"/a\", \"all\": true}", 400),
        ("POST", "/purge", "not json", 400),
        ("POST", "/purge?everything=1", "", 400),
        ("POST", "/purge?url=nonsense", "", 400),
        ("GET", "/purge?all=true", "", 405),
    ] {
        let answer = tintype.client.request(method, &tintype.admin_url(path), &[], body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}

#[tokio::test]
async fn a_token_is_asked_for_where_one_is_set() {
    let origin = storing().await;
    let toml = Tintype::toml(&origin, "").replace("[admin]", "[admin]\ntoken = \"0123456789abcdef\"");
    let tintype = Tintype::of(&toml).await;
    let get = async |path: &str, fields: &[(&str, &str)]| {
        tintype.client.get(&tintype.admin_url(path), fields).await
    };
    assert_eq!(get("/healthz", &[]).await.status, 200);
    let denied = get("/stats", &[]).await;
    assert_eq!((denied.status, denied.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(get("/stats", &[("Authorization", "Bearer wrong")]).await.status, 401);
    assert_eq!(get("/stats", &[("Authorization", "Bearer 0123456789abcdef")]).await.status, 200);
}

#[tokio::test]
async fn web_pages_cannot_purge_through_a_browser_on_this_machine() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    let url = tintype.admin_url("/purge?all=true");
    let answer = tintype.client.request("POST", &url, &[("Origin", "https://evil.example")], "").await;
    assert_eq!(answer.status, 403);
    // But /docs can: it is of this listener.
    let own = url.strip_suffix("/purge?all=true").expect("an origin");
    assert_eq!(tintype.client.request("POST", &url, &[("Origin", own)], "").await.status, 200);
}

/// A purge during a fetch beats what the fetch stores.
#[tokio::test]
async fn what_is_in_flight_is_purged_too() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |_| Reply::ok("old").header("Cache-Control", "max-age=600").hold(&gate)
    })
    .await;
    for what in ["{\"url\": \"/a\"}", "{\"all\": true}"] {
        let tintype = Tintype::before(&origin).await;
        let before = origin.count();
        let early = tokio::spawn(Client::new().get(&tintype.url("/a"), &[]));
        origin.received(before + 1).await;
        tintype.purge(what).await;
        // Who comes after the purge does not join the old fetch.
        let late = tokio::spawn(Client::new().get(&tintype.url("/a"), &[]));
        origin.received(before + 2).await;
        gate.open();
        assert_eq!(early.await.unwrap().status, 200);
        assert_eq!(late.await.unwrap().header("x-cache"), Some("MISS"));
        assert_eq!(tintype.get("/a").await.header("x-cache"), Some("HIT"));
        assert_eq!(origin.count(), before + 2);
    }
}

/// Where the host is part of the key, a purge by path alone said yes and hit nothing.
#[tokio::test]
async fn a_purge_by_path_needs_a_host_where_that_is_part_of_the_key() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=60")).await;
    let toml = Tintype::toml(&origin, "")
        .replace("kind = \"remote\"", "kind = \"remote\"\npreserve_host = true\nprotocol = \"http1\"");
    let tintype = Tintype::of(&toml).await;
    tintype.get("/a").await;
    let url = tintype.admin_url("/purge");
    let by_path = tintype.client.request("POST", &url, &[], "{\"url\": \"/a\"}").await;
    assert_eq!(by_path.status, 400, "{}", by_path.text());
    tintype.purge(&format!("{{\"url\": \"{}\"}}", tintype.url("/a"))).await;
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
}
