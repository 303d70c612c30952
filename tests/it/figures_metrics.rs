//! `/metrics`: every metric there is, and after known traffic the right numbers.

use std::collections::BTreeMap;

use ::tintype::telemetry::metric::{Kind, Metric};

use url::form_urlencoded;

use crate::chrome_site::{Site, html};
use crate::support::*;

/// The samples of a scrape, by name with labels.
type Scrape = BTreeMap<String, f64>;

async fn scrape(tintype: &Tintype) -> Scrape {
    let answer = tintype.client.get(&tintype.admin_url("/metrics"), &[]).await;
    assert_eq!(answer.status, 200);
    read(&answer.text())
}

fn read(text: &str) -> Scrape {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("name and value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

fn requests(scrape: &Scrape, cache: &str) -> f64 {
    scrape[&format!("tintype_requests_total{{cache=\"{cache}\"}}")]
}

#[tokio::test]
async fn known_traffic_gives_known_numbers() {
    let origin = ScriptedOrigin::start(|request| match request.target.as_str() {
        "/private" => Reply::ok("secret").header("Cache-Control", "private"),
        "/broken" => Reply::status(503),
        "/reset" => Reply::reset(),
        "/swr" => Reply::ok("swr").header("Cache-Control", "max-age=60, stale-while-revalidate=600"),
        "/tagged" if request.header("if-none-match").is_some() => {
            Reply::status(304).header("ETag", "\"v1\"").header("Cache-Control", "max-age=60")
        }
        "/tagged" => Reply::ok("tagged").header("ETag", "\"v1\"").header("Cache-Control", "max-age=60"),
        _ => Reply::ok("0123456789").header("Cache-Control", "max-age=60").header("ETag", "\"v1\""),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    for path in ["/a", "/a", "/a", "/private", "/private", "/broken", "/reset", "/swr", "/tagged"] {
        tintype.get(path).await;
    }
    let confirmed = tintype.get_with("/a", &[("If-None-Match", "\"v1\"")]).await;
    assert_eq!(confirmed.status, 304);
    tintype.send("PUT", "/other").await;
    tintype.later(100);
    assert_eq!(tintype.get("/tagged").await.header("x-cache"), Some("REVALIDATED"));
    assert_eq!(tintype.get("/swr").await.header("x-cache"), Some("STALE"));
    assert_eq!(
        tintype.get_with("/a", &[("Cache-Control", "max-stale")]).await.header("x-cache"),
        Some("STALE")
    );
    tintype.get_with("/none", &[("Cache-Control", "only-if-cached")]).await;

    let scrape = scrape(&tintype).await;
    for (cache, count) in [
        ("hit_memory", 3.0),
        ("hit_disk", 0.0),
        // /a, /private twice, /broken, /swr, /tagged
        ("miss", 6.0),
        ("revalidated", 1.0),
        ("stale_while_revalidate", 1.0),
        ("stale_allowed", 1.0),
        ("stale_if_error", 0.0),
        ("bypass", 1.0),
        ("error", 2.0),
    ] {
        assert_eq!(requests(&scrape, cache), count, "{cache}");
        let times = format!("tintype_response_seconds_count{{cache=\"{cache}\"}}");
        assert_eq!(scrape[&times], count, "{cache}");
    }
    for (name, count) in [
        ("tintype_not_modified_responses_total", 1.0),
        ("tintype_saved_bytes_total", 10.0),
        // Three hits and two stale answers.
        ("tintype_saved_origin_requests_total", 5.0),
        ("tintype_saved_browser_seconds_total", 0.0),
        ("tintype_errors_total{reason=\"only-if-cached\"}", 1.0),
        ("tintype_errors_total{reason=\"reset\"}", 1.0),
        ("tintype_origin_errors_total{reason=\"reset\"}", 1.0),
        ("tintype_origin_errors_total{reason=\"status\"}", 1.0),
        ("tintype_unstored_responses_total{reason=\"private\"}", 2.0),
        ("tintype_disk_capacity_bytes", 0.0),
        ("tintype_ready_upstreams{upstream=\"origin\"}", 1.0),
        ("tintype_purges_total", 0.0),
    ] {
        assert_eq!(scrape.get(name), Some(&count), "{name}");
    }
    assert!(!scrape.contains_key("tintype_healthy_disks"), "there is none");
    let fetches = scrape["tintype_fetch_seconds_count{route=\"all\"}"];
    assert_eq!(fetches, scrape["tintype_origin_requests_total"]);
    assert_eq!(scrape["tintype_memory_records"], 3.0);
    assert!(scrape["tintype_memory_bytes"] <= scrape["tintype_memory_capacity_bytes"]);
}

#[tokio::test]
async fn followers_are_counted_as_collapsed() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |_| Reply::ok("abc").header("Cache-Control", "max-age=60").hold(&gate)
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let leader = tokio::spawn(tintype.client.get(&tintype.url("/a"), &[]));
    origin.received(1).await;
    let follower = tokio::spawn(tintype.client.get(&tintype.url("/a"), &[]));
    within("the follower to arrive", async {
        while tintype.stats().await["traffic"]["requests"] != 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(scrape(&tintype).await["tintype_running_fetches"], 1.0);
    gate.open();
    leader.await.unwrap();
    let follower = follower.await.unwrap();
    let scrape = scrape(&tintype).await;
    let collapsed = follower.header("cache-status").is_some_and(|status| status.contains("collapsed"));
    assert_eq!(scrape["tintype_collapsed_requests_total"], f64::from(u8::from(collapsed)));
    assert_eq!(requests(&scrape, "miss") + requests(&scrape, "hit_memory"), 2.0);
}

#[tokio::test]
async fn a_stale_answer_for_a_failing_origin_is_told_apart() {
    let origin = ScriptedOrigin::sequence([
        Reply::ok("good").header("Cache-Control", "max-age=60, stale-if-error=600"),
        Reply::status(500),
    ])
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.later(100);
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "STALE", "good"));
    let scrape = scrape(&tintype).await;
    assert_eq!(requests(&scrape, "stale_if_error"), 1.0);
    // The origin was asked: nothing was saved.
    assert_eq!(scrape["tintype_saved_origin_requests_total"], 0.0);
    assert_eq!(scrape["tintype_hit_ratio"], 0.5);
}

#[tokio::test]
async fn both_formats_describe_every_metric_and_want_the_token() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc")).await;
    let toml = Tintype::toml(&origin, "").replace("[admin]", "[admin]\ntoken = \"0123456789abcdef\"");
    let tintype = Tintype::of(&toml).await;
    let url = tintype.admin_url("/metrics");
    assert_eq!(tintype.client.get(&url, &[]).await.status, 401);
    let token = ("Authorization", "Bearer 0123456789abcdef");
    for (accept, kind, total) in [
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8", "_total"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "",
        ),
    ] {
        let answer = tintype.client.get(&url, &[token, ("Accept", accept)]).await;
        assert_eq!(answer.header("content-type"), Some(kind));
        let text = answer.text();
        for metric in Metric::ALL {
            let total = if metric.kind() == Kind::Counter { total } else { "" };
            let line = format!("# TYPE {}{total} ", metric.family());
            assert_eq!(text.matches(&line).count(), 1, "{line}");
        }
    }
    assert_eq!(tintype.client.request("POST", &url, &[token], "").await.status, 405);
}

/// Every metric but those of capture engines and disks has a value from the start, or as soon as there is a reason.
#[tokio::test]
async fn no_metric_is_named_and_never_given() {
    let folder = tempfile::tempdir().unwrap();
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "no-store")).await;
    let dir = format!(
        "dir = {:?}\ndisk = \"64MiB\"\nblock = \"4MiB\"\nmax_stored_bytes = \"1MiB\"\nhold_for_tag = \"1MiB\"",
        folder.path()
    );
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", &dir);
    let tintype = Tintype::of(&toml).await;
    tintype.get("/a").await;
    tintype.get_with("/none", &[("Cache-Control", "only-if-cached")]).await;
    let scrape = scrape(&tintype).await;
    let of_engine = ["upstream"];
    for metric in Metric::ALL {
        let family = metric.family();
        let there = scrape.keys().any(|name| name.starts_with(family));
        let expected = metric.labels() != of_engine || *metric == Metric::UpstreamReady;
        assert!(there || !expected || *metric == Metric::OriginErrors, "{family}");
    }
    assert_eq!(scrape["tintype_healthy_disks"], 1.0);
    tintype.stop().await;
}

#[tokio::test]
async fn early_refreshes_are_counted() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=86400")).await;
    let tintype = Tintype::with(&origin, "early_refresh = 1000.0\n").await;
    tintype.get("/a").await;
    assert_eq!(scrape(&tintype).await["tintype_early_refreshes_total"], 0.0);
    tintype.clock.advance(std::time::Duration::from_millis(86_399_999));
    within("a refresh behind", async {
        while origin.count() < 2 {
            tintype.get("/a").await;
        }
    })
    .await;
    assert_eq!(scrape(&tintype).await["tintype_early_refreshes_total"], 1.0);
}

/// A hit on a picture that has cost browser time saves that time, and the engine has figures of its own.
#[tokio::test]
async fn the_capture_engine_has_its_figures_and_savings() {
    let site = Site::start([("/", html("<!doctype html><h1>tintype</h1>"))]).await;
    let tintype = Tintype::of(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"127.0.0.0/8\"]\ndeadline = \"90s\"\n\
         launch_timeout = \"60s\"\n[route.shots]\npath = \"/screenshot\"\nupstream = \"chrome\"\n",
    )
    .await;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("url", &site.url("/")).finish();
    let path = format!("/screenshot?{query}");
    // Longer than a test usually waits: the browser starts meanwhile.
    let url = tintype.url(&path).parse().unwrap();
    let first = slow_get(url).await;
    assert_eq!(first.status().as_u16(), 200);
    assert_eq!(first.headers()["x-cache"], "MISS");
    for _ in 0..2 {
        assert_eq!(tintype.get(&path).await.header("x-cache"), Some("HIT"));
    }
    let scrape = scrape(&tintype).await;
    for (name, value) in [
        ("tintype_captures_total{upstream=\"chrome\"}", 1.0),
        ("tintype_ready_browsers{upstream=\"chrome\"}", 1.0),
        ("tintype_waiting_captures{upstream=\"chrome\"}", 0.0),
        ("tintype_saved_origin_requests_total", 0.0),
        ("tintype_fetch_seconds_count{route=\"shots\"}", 1.0),
    ] {
        assert_eq!(scrape.get(name), Some(&value), "{name}");
    }
    let saved = scrape["tintype_saved_browser_seconds_total"];
    let fetched = scrape["tintype_fetch_seconds_sum{route=\"shots\"}"];
    // Twice what it took, but for the body's way.
    assert!((saved / 2.0 - fetched).abs() < 0.05 * fetched + 0.01, "{saved} {fetched}");
    let stats = tintype.stats().await;
    assert!(stats["cache_stats"]["memory_cache"]["ttl_seconds"].as_u64().is_some_and(|ttl| ttl > 0));
    let url = tintype.admin_url("/explain?target=nothing");
    assert_eq!(tintype.client.get(&url, &[]).await.status, 200);
    tintype.stop().await;
}

async fn slow_get(url: http::Uri) -> http::Response<hyper::body::Incoming> {
    use http_body_util::Empty;
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    tokio::time::timeout(std::time::Duration::from_secs(90), client.get(url)).await.unwrap().unwrap()
}
