//! `/stats` and `/cache/stats`: verdicts, savings, the hours, and the forms of other caches.

use serde_json::{Value, json};

use crate::support::*;

async fn storing() -> ScriptedOrigin {
    ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=600")).await
}

#[tokio::test]
async fn figures_come_in_the_forms_of_other_caches() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    for path in ["/a", "/b", "/a"] {
        tintype.get(path).await;
    }
    let stats = tintype.stats().await;
    assert_eq!(
        stats["cache_stats"],
        json!({
            "hits": { "memory": 1, "file": 0, "api": 2 },
            "total_requests": 3,
            "api_savings_percent": 33.3,
            "memory_cache": { "size": 2, "live_entries": 2, "ttl_seconds": null },
        })
    );
    assert_eq!(
        stats["metrics"],
        json!({
            "hits": 1, "misses": 2, "stale_served": 0, "errors_with_stale_fallback": 0, "hit_rate": "33.3%",
        })
    );
    let answer = tintype.client.get(&tintype.admin_url("/cache/stats"), &[]).await;
    let of_cache: Value = serde_json::from_slice(&answer.body).unwrap();
    let hit_rate = of_cache["hit_rate"].as_f64().unwrap();
    assert!((hit_rate - 1.0 / 3.0).abs() < 1e-9);
    for (field, expected) in [
        ("enabled", json!(true)),
        ("size", stats["store"]["memory_bytes"].clone()),
        ("max_size", stats["store"]["memory_capacity"].clone()),
        ("ttl", Value::Null),
        ("hits", json!(1)),
        ("misses", json!(2)),
        ("cleanup_interval", json!(300)),
    ] {
        assert_eq!(of_cache[field], expected, "{field}");
    }
    assert_eq!(of_cache.as_object().unwrap().len(), 8);
}

#[tokio::test]
async fn verdicts_are_in_words_and_lights() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    assert_eq!(tintype.stats().await["verdicts"]["hit_rate"]["verdict"], "no traffic yet");
    for _ in 0..4 {
        tintype.get("/a").await;
    }
    let hit_rate = &tintype.stats().await["verdicts"]["hit_rate"];
    assert_eq!(*hit_rate, json!({ "percent": 75.0, "light": "green", "verdict": "healthy: 60-80 %" }));
}

#[tokio::test]
async fn the_hours_turn_with_the_clock() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    tintype.get("/a").await;
    tintype.later(3600);
    tintype.get("/a").await;
    tintype.get("/a").await;
    tintype.get_with("/none", &[("Cache-Control", "only-if-cached")]).await;
    let stats = tintype.stats().await;
    let hours = stats["hours"].as_array().unwrap();
    assert_eq!(hours.len(), 48);
    assert_eq!(
        hours[46],
        json!({
            "start": "2025-11-01T00:00:00Z",
            "hits": 1, "misses": 1, "stale": 0, "errors": 0, "bypassed": 0, "bytes": 6,
        })
    );
    let last = &hours[47];
    assert_eq!((&last["start"], &last["misses"]), (&json!("2025-11-01T01:00:00Z"), &json!(1)));
    assert_eq!((&last["hits"], &last["errors"]), (&json!(1), &json!(1)));
    assert!(hours[..46].iter().all(|hour| hour["hits"] == 0 && hour["bytes"] == 0));
    // Two days later nothing of it is left.
    tintype.later(48 * 3600);
    let stats = tintype.stats().await;
    let hours = stats["hours"].as_array().unwrap();
    assert!(hours.iter().all(|hour| hour["hits"] == 0 && hour["misses"] == 0), "{hours:?}");
    assert_eq!(hours[47]["start"], "2025-11-03T01:00:00Z");
}

#[tokio::test]
async fn savings_and_reasons_are_told() {
    let origin = ScriptedOrigin::start(|request| match request.target.as_str() {
        "/private" => Reply::ok("x").header("Cache-Control", "private"),
        _ => Reply::ok("0123456789").header("Cache-Control", "max-age=600").header("ETag", "\"v1\""),
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    for method in ["GET", "HEAD"] {
        let url = tintype.url("/a");
        let answer = tintype.client.request(method, &url, &[("If-None-Match", "\"v1\"")], "").await;
        assert_eq!(answer.status, 304, "{method}");
    }
    tintype.get("/private").await;
    let stats = tintype.stats().await;
    // A HEAD would have had no body anyway.
    assert_eq!(stats["savings"], json!({ "browser_seconds": 0.0, "origin_requests": 2, "bytes_by_304": 10 }));
    assert_eq!(stats["not_stored"], json!({ "private": 1 }));
    assert_eq!(stats["response_seconds"]["hit_memory"]["count"], 2);
    assert!(stats["response_seconds"]["hit_memory"]["p99_below"].as_f64().is_some());
}

#[tokio::test]
async fn health_names_the_services() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    let answer = tintype.client.get(&tintype.admin_url("/health"), &[]).await;
    let health: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &health["status"]), (200, &json!("ok")));
    let services = &health["services"];
    for name in ["screenshot", "storage", "imgproxy", "cache"] {
        assert!(services.get(name).is_some(), "{name}");
    }
    let cache = services["cache"].as_object().unwrap();
    let names: Vec<&String> = cache.keys().collect();
    assert_eq!(names, ["enabled", "hit_rate", "size", "status"]);
    assert!(health["system"]["platform"].is_string() && health["version"].is_string());
}
