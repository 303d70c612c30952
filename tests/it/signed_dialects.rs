//! Links signed as other services have it:
//! - ScreenshotOne's and urlbox's are verified on routes in their dialects, and refused in the form of that service, with nothing rendered;
//! - a link in a JSON answer is signed in turn where the route wants signatures, and good;
//! - tintype's own signature is good in every dialect, and what it grants goes on into the links of JSON answers;
//! - a link of any of them is good as long as its key, and for what its key may; what an API key gets may be looked at for 30 days.

use ::tintype::policy::signing::own::{self, Grant};
use ::tintype::policy::signing::{Render, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use crate::support::*;

/// The key and the secret of the service's own example.
const ACCESS: &str = "0Ij4LFMtFnGUrA";
const SECRET: &str = "m9ajW9br9hTw2A";

fn mac(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect()
}

async fn before(origin: &ScriptedOrigin, auth: &str) -> Tintype {
    before_with(origin, auth, "").await
}

/// With these settings of the key.
async fn before_with(origin: &ScriptedOrigin, auth: &str, key: &str) -> Tintype {
    let mut toml =
        Tintype::toml(origin, "").replace("[route.all]\npath = \"/\"\nupstream = \"origin\"\n", "");
    for (name, path, dialect) in
        [("one", "/take", "screenshotone"), ("box", "/v1", "urlbox"), ("micro", "/micro", "microlink")]
    {
        toml += &format!(
            "[route.{name}]\npath = \"{path}\"\nupstream = \"origin\"\ndialect = \"{dialect}\"\nonly_pictures = false\nearly_refresh = 0.0\nauth = \"{auth}\"\n"
        );
    }
    toml += &format!("[keys.{ACCESS}]\nsecret = \"{SECRET}\"\napi_key = \"hunter2-hunter2\"\n{key}");
    Tintype::of(&toml).await
}

async fn service() -> ScriptedOrigin {
    ScriptedOrigin::start(|_| {
        Reply::ok("\u{89}PNG").header("Content-Type", "image/png").header("Cache-Control", "max-age=600")
    })
    .await
}

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("JSON: {}", answer.text()))
}

fn below(link: &Value, tintype: &Tintype) -> String {
    let link = link.as_str().expect("a link");
    link.strip_prefix(&tintype.url("")).unwrap_or_else(|| panic!("elsewhere: {link}")).to_owned()
}

#[tokio::test]
async fn screenshotones_links_are_verified() {
    let origin = service().await;
    let tintype = before(&origin, "signed").await;
    let query = format!("access_key={ACCESS}&url=https://apple.com");
    let signature = mac(&query);
    assert_eq!(
        signature, "70bea3e52efc43834129ecbea236f38bf9bb4a7cd7c2e1951017435defd4dbaf",
        "as its documentation has it"
    );
    for (target, code) in [
        (format!("/take?{query}"), "signature_is_required"),
        (format!("/take?{query}&full_page=true&signature={signature}"), "signature_is_not_valid"),
        (format!("/take?{query}&signature={}", signature.replace('7', "8")), "signature_is_not_valid"),
        (format!("/take?access_key=other&url=https://apple.com&signature={signature}"), "access_key_invalid"),
    ] {
        let answer = tintype.get(&target).await;
        assert_eq!(answer.status, 403, "{target}");
        let told = json(&answer);
        assert_eq!((&told["is_successful"], &told["error_code"]), (&false.into(), &code.into()), "{target}");
    }
    assert_eq!(origin.count(), 0);
    let good = format!("/take?{query}&signature={signature}");
    assert_eq!(tintype.get(&good).await.header("x-cache"), Some("MISS"));
    assert_eq!(tintype.get(&good).await.header("x-cache"), Some("HIT"));
    assert!(!origin.requests()[0].target.contains(ACCESS), "{}", origin.requests()[0].target);

    let query = format!("{query}&response_type=json");
    let told = json(&tintype.get(&format!("/take?{query}&signature={}", mac(&query))).await);
    let link = below(&told["screenshot_url"], &tintype);
    let picture = tintype.get(&link).await;
    assert_eq!((picture.status, picture.header("x-cache")), (200, Some("HIT")), "{link}");
    let altered = tintype.get(&link.replace("apple", "pear")).await;
    assert_eq!(altered.status, 403);
    assert_eq!(origin.count(), 1);
    tintype.stop().await;
}

#[tokio::test]
async fn urlboxs_links_are_verified() {
    let origin = service().await;
    let tintype = before(&origin, "either").await;
    let query = "url=example.com&width=600";
    let token = mac(query);
    for (target, status) in [
        (format!("/v1/{ACCESS}/png?{query}"), 403),
        (format!("/v1/{ACCESS}/{token}/png?{query}&height=5"), 403),
        (format!("/v1/{ACCESS}/{}/png?{query}", token.replace('a', "b")), 403),
        (format!("/v1/other/{token}/png?{query}"), 403),
        (format!("/v1/{ACCESS}/{token}/png?width=600&url=example.com"), 403),
    ] {
        let answer = tintype.get(&target).await;
        assert_eq!(answer.status, status, "{target}");
        assert!(json(&answer)["error"]["message"].is_string());
    }
    assert_eq!(origin.count(), 0);
    let good = tintype.get(&format!("/v1/{ACCESS}/{token}/png?{query}")).await;
    assert_eq!((good.status, good.header("x-cache")), (200, Some("MISS")), "{}", good.text());

    // Who has an API key gets a link that is good without.
    let fields = [("content-type", "application/json"), ("authorization", "Bearer hunter2-hunter2")];
    let body = "{\"url\":\"example.com\",\"width\":600}";
    let told = tintype.client.request("POST", &tintype.url("/v1/render/sync"), &fields, body).await;
    assert_eq!((told.status, told.header("x-cache")), (200, Some("HIT")), "{}", told.text());
    let link = below(&json(&told)["renderUrl"], &tintype);
    assert!(link.starts_with(&format!("/v1/{ACCESS}/")), "{link}");
    assert_eq!(tintype.get(&link).await.header("x-cache"), Some("HIT"));
    assert_eq!(origin.count(), 1);
    tintype.stop().await;
}

#[tokio::test]
async fn our_own_signature_is_good_in_every_dialect() {
    let origin = service().await;
    let tintype = before(&origin, "signed").await;
    let signed = |path: &str, query: &str, render| {
        let grant = Grant { key: ACCESS, expires: Some(START.as_secs() + 60), render, sizes: None };
        let signed = own::sign(path, query, &grant, &Secret::new(SECRET.into())).expect("a link");
        format!("{path}?{signed}")
    };
    for (path, query) in [
        ("/take", "url=https://a.example/&format=png"),
        ("/v1/-/png", "url=https://a.example/"),
        (
            "/micro",
            "url=https://a.example/&screenshot=true&adblock=false&viewport.height=1024&embed=screenshot.url",
        ),
    ] {
        assert_eq!(tintype.get(&signed(path, query, Render::Allow)).await.status, 200, "{path}");
        assert_eq!(tintype.get(&signed(path, query, Render::Never)).await.status, 200, "{path}");
        assert_eq!(tintype.get(&format!("{}x", signed(path, query, Render::Allow))).await.status, 403);
    }
    let asked = origin.count();
    // What microlink passes on to the page by fields is not for who follows a link to say.
    let query = "url=https://a.example/&screenshot=true&adblock=false&viewport.height=1024";
    let fields = [("x-api-header-cookie", "a=b")];
    let told = tintype.get_with(&signed("/micro", query, Render::Never), &fields).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let link = below(&json(&told)["data"]["screenshot"]["url"], &tintype);
    assert!(link.contains("render=never") && link.contains("signature="), "{link}");
    assert_eq!(tintype.get(&link).await.header("x-cache"), Some("HIT"));
    tintype.later(60);
    assert_eq!(tintype.get(&link).await.status, 403);
    assert_eq!(origin.count(), asked);
    tintype.stop().await;
}

#[tokio::test]
async fn links_of_services_may_what_their_key_may_as_long_as_it_is_good() {
    let origin = service().await;
    let query = format!("access_key={ACCESS}&url=https://a.example");
    let one = format!("/take?{query}&signature={}", mac(&query));
    let query = "url=b.example&width=600";
    let other = format!("/v1/{ACCESS}/{}/png?{query}", mac(query));
    for (settings, before, after) in [
        ("not_after = 2025-11-01T00:01:00Z\n", 200, 403),
        ("not_after = 2025-11-01T00:01:00Z\nrender = \"stale\"\n", 404, 403),
        ("render = \"never\"\n", 404, 404),
    ] {
        let (tintype, asked) = (before_with(&origin, "signed", settings).await, origin.count());
        for target in [&one, &other] {
            assert_eq!(tintype.get(target).await.status, before, "{settings} {target}");
        }
        assert_eq!(origin.count() - asked, if before == 200 { 2 } else { 0 }, "{settings}");
        tintype.later(60);
        for target in [&one, &other] {
            assert_eq!(tintype.get(target).await.status, after, "{settings} {target}");
        }
        tintype.stop().await;
    }
}

#[tokio::test]
async fn a_link_for_who_has_an_api_key_ends_and_renders_nothing() {
    const DAYS_30: u64 = 30 * 86_400;
    let origin = service().await;
    let tintype = before(&origin, "either").await;
    let target = "/micro?url=https://a.example/&screenshot=true&adblock=false&viewport.height=1024";
    let told = json(&tintype.get_with(target, &[("x-api-key", "hunter2-hunter2")]).await);
    let link = below(&told["data"]["screenshot"]["url"], &tintype);
    assert!(link.contains(&format!("expires={}", START.as_secs() + DAYS_30)), "{link}");
    assert_eq!(tintype.get(&link).await.header("x-cache"), Some("HIT"), "{link}");
    tintype.later(DAYS_30 - 1);
    assert_eq!(tintype.get(&link).await.header("x-cache"), Some("STALE"), "{link}");
    tintype.later(1);
    assert_eq!((tintype.get(&link).await.status, origin.count()), (403, 1));
    tintype.stop().await;
}
