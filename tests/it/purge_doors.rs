//! The doors beside the control plane: the signed webhook (row B12) and the method `PURGE`.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::*;

const SECRET: &str = "0123456789abcdef";
const PATH: &str = "/api/cache/invalidate";

async fn storing() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        Reply::ok(format!("#{}", request.index))
            .header("Cache-Control", "max-age=600, stale-while-revalidate=60")
    })
    .await
}

fn signed(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect()
}

async fn hooked(origin: &ScriptedOrigin, listener: &str) -> Tintype {
    let more = format!(
        "capture = true\nonly_pictures = false\n[webhook]\nsecret = \"{SECRET}\"\nlistener = \"{listener}\"\n"
    );
    Tintype::with(origin, &more).await
}

async fn send(tintype: &Tintype, url: &str, body: &str, signature: Option<&str>) -> (u16, Value) {
    let fields: Vec<_> = signature.map(|signature| ("X-Signature", signature)).into_iter().collect();
    let answer = tintype.client.request("POST", url, &fields, body).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

#[tokio::test]
async fn a_signed_webhook_purges_and_every_other_is_told_why_not() {
    let origin = storing().await;
    let tintype = hooked(&origin, "control").await;
    for width in [1, 2] {
        tintype.get(&format!("/s?url=https://a.example/&width={width}")).await;
    }
    let url = tintype.admin_url(PATH);
    let body = json!({"url": "https://a.example/"}).to_string();
    let right = signed(SECRET, &body);
    for (body, signature, expected) in [
        (body.as_str(), None, (401, json!({"error": "invalid signature"}))),
        (&body, Some("00"), (401, json!({"error": "invalid signature"}))),
        (&body, Some(&*signed("another secret..", &body)), (401, json!({"error": "invalid signature"}))),
        ("{}", Some(&*right), (401, json!({"error": "invalid signature"}))),
        ("{}", Some(&*signed(SECRET, "{}")), (400, json!({"error": "url required"}))),
        (&body, Some(&*right), (200, json!({"purged": 2}))),
        (&body, Some(&*format!("sha256={right}")), (200, json!({"purged": 0}))),
    ] {
        assert_eq!(send(&tintype, &url, body, signature).await, expected, "{body} {signature:?}");
    }
    assert_eq!(tintype.get("/s?url=https://a.example/&width=1").await.header("x-cache"), Some("MISS"));
    let get = tintype.client.get(&url, &[]).await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    let long = "x".repeat(65 * 1024);
    assert_eq!(send(&tintype, &url, &long, Some(&signed(SECRET, &long))).await.0, 413);
    // Not on the data plane: there it is a path like any other.
    assert_eq!(send(&tintype, &tintype.url(PATH), &body, Some(&right)).await.1, Value::Null);
}

#[tokio::test]
async fn a_timestamp_makes_it_good_once_and_for_a_while() {
    let origin = storing().await;
    let tintype = hooked(&origin, "data").await;
    let url = tintype.url(PATH);
    let now = START.as_secs();
    let refused = (401, json!({"error": "invalid signature"}));
    for (timestamp, taken) in
        [(now - 301, false), (now - 300, true), (now, true), (now + 300, true), (now + 301, false)]
    {
        let body = json!({"url": "https://a.example/", "timestamp": timestamp}).to_string();
        let signature = signed(SECRET, &body);
        let expected = if taken { (200, json!({"purged": 0})) } else { refused.clone() };
        assert_eq!(send(&tintype, &url, &body, Some(&signature)).await, expected, "{timestamp}");
        assert_eq!(send(&tintype, &url, &body, Some(&signature)).await, refused, "{timestamp} again");
    }
    // One from ahead is remembered for as long as it would be taken.
    tintype.later(599);
    let body = json!({"url": "https://a.example/", "timestamp": now + 300}).to_string();
    assert_eq!(send(&tintype, &url, &body, Some(&signed(SECRET, &body))).await, refused);
    // Not on the control plane.
    assert_eq!(send(&tintype, &tintype.admin_url(PATH), &body, None).await.0, 404);
}

/// Row A17: a deployment has its key pages fetched again.
#[tokio::test]
async fn a_webhook_has_a_list_of_pages_fetched_again() {
    let origin = storing().await;
    let tintype = hooked(&origin, "both").await;
    for page in ["a", "b", "c"] {
        tintype.get(&format!("/s?url=https://{page}.example/")).await;
    }
    let body = json!({"urls": ["https://a.example/", "https://b.example"], "mode": "refresh"}).to_string();
    let answer = send(&tintype, &tintype.url(PATH), &body, Some(&signed(SECRET, &body))).await;
    assert_eq!(answer, (200, json!({"purged": 2})));
    let mut again: Vec<String> = origin.received(5).await[3..].iter().map(|r| r.target.clone()).collect();
    again.sort();
    assert_eq!(again, ["/s?url=https://a.example/", "/s?url=https://b.example/"]);
}

#[tokio::test]
async fn the_method_purge_is_for_allowed_addresses() {
    let origin = storing().await;
    let tintype = Tintype::before(&origin).await;
    tintype.get("/a").await;
    let refused = tintype.send("PURGE", "/a").await;
    assert_eq!(refused.status, 405);
    assert!(!refused.header("allow").unwrap().contains("PURGE"));
    assert_eq!(origin.count(), 1, "an origin is not asked to purge by strangers");
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("HIT"));

    let tintype = Tintype::with(&origin, "[purge]\nallow = [\"10.0.0.0/8\"]\n").await;
    assert_eq!(tintype.send("PURGE", "/a").await.status, 405);

    let tintype = Tintype::with(&origin, "[purge]\nallow = [\"127.0.0.0/8\"]\n").await;
    for (fields, after) in [(&[][..], "MISS"), (&[("X-Purge-Mode", "soft")], "STALE")] {
        for path in ["/a?x", "/b"] {
            tintype.get(path).await;
        }
        let answer = tintype.client.request("PURGE", &tintype.url("/a?x"), fields, "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap()["hit"], 1);
        assert_eq!(tintype.get("/a?x").await.header("x-cache"), Some(after));
        assert_eq!(tintype.get("/b").await.header("x-cache"), Some("HIT"));
    }
    let odd = tintype.client.request("PURGE", &tintype.url("/a"), &[("X-Purge-Mode", "warm")], "").await;
    assert_eq!(odd.status, 400);
}
