//! What holds for every request to the control plane: the form of errors, methods, lengths, web pages of
//! other sites; and that a person can send requests from `/docs` (requirements.md C12).

use serde_json::Value;

use crate::chrome_site::{ALLOWED, config, picture, shoot, start};
use crate::support::*;
use ::tintype::origin::Origin as _;

const TOKEN: &str = "0123456789abcdef";

async fn started(admin: &str) -> Tintype {
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc").header("Cache-Control", "max-age=600")).await;
    Tintype::of(&Tintype::toml(&origin, "").replace("[admin]\n", &format!("[admin]\n{admin}\n"))).await
}

async fn send(tintype: &Tintype, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Answer {
    tintype.client.request(method, &tintype.admin_url(path), fields, body).await
}

#[tokio::test]
async fn errors_of_the_router_are_problem_documents() {
    let tintype = started("").await;
    let long = "x".repeat(64 * 1024 + 1);
    for (method, path, body, status, allow) in [
        ("GET", "/gc", "", 405, Some("POST")),
        ("PUT", "/stats", "", 405, Some("GET, HEAD")),
        ("POST", "/cache", "", 405, Some("DELETE")),
        ("POST", "/docs", "", 405, Some("GET, HEAD")),
        ("GET", "/none", "", 404, None),
        ("GET", "/batch/screenshots/none/results/more", "", 404, None),
        ("POST", "/purge", long.as_str(), 413, None),
    ] {
        let answer = send(&tintype, method, path, &[], body).await;
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {path}");
        let problem: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(problem["status"], status);
    }
}

#[tokio::test]
async fn head_has_the_fields_of_get_and_no_body() {
    let tintype = started("").await;
    for path in ["/healthz", "/readyz", "/metrics", "/stats", "/openapi.json", "/docs"] {
        let head = send(&tintype, "HEAD", path, &[], "").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert!(head.header("content-length").is_some_and(|length| length != "0"), "{path}");
    }
}

/// The token is asked for before it is said which methods there are, or what is wrong with a request.
#[tokio::test]
async fn the_token_comes_first() {
    let tintype = started(&format!("token = \"{TOKEN}\"")).await;
    for (method, path) in [("PUT", "/stats"), ("POST", "/purge"), ("GET", "/explain"), ("GET", "/a?explain")]
    {
        let answer = send(&tintype, method, path, &[], "").await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")), "{path}");
    }
}

#[tokio::test]
async fn web_pages_of_origins_that_are_set_may_read_responses_with_the_token() {
    let origins = format!("token = \"{TOKEN}\"\ncors_origins = [\"https://dashboard.example\"]");
    let tintype = started(&origins).await;
    let allowed = "access-control-allow-origin";
    for (origin, expected) in
        [("https://dashboard.example", Some("https://dashboard.example")), ("https://other.example", None)]
    {
        let fields = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization"),
        ];
        let preflight = send(&tintype, "OPTIONS", "/purge", &fields, "").await;
        assert_eq!((preflight.status, preflight.header(allowed)), (200, expected), "{origin}");
        let token = format!("Bearer {TOKEN}");
        let stats =
            send(&tintype, "GET", "/stats", &[("origin", origin), ("authorization", &token)], "").await;
        assert_eq!((stats.status, stats.header(allowed)), (200, expected), "{origin}");
        assert_eq!(send(&tintype, "GET", "/stats", &[("origin", origin)], "").await.status, 401);
    }
    for bad in [
        "cors_origins = [\"https://dashboard.example\"]",
        "token = \"0123456789abcdef\"\ncors_origins = [\"*\"]",
    ] {
        let toml = format!(
            "[admin]\n{bad}\n[upstream.o]\nkind = \"remote\"\nurl = \"http://127.0.0.1:1\"\n[route.all]\nupstream = \"o\"\n"
        );
        assert!(::tintype::config::Config::from_toml(&toml).is_err(), "{bad}");
    }
}

/// A person opens `/docs` in Chrome, gives the token, and purges everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_the_token_can_be_sent_from_the_page() {
    const CLICKS: &str = "
        const until = async (find) => {
          for (;;) {
            const found = find();
            if (found) return found;
            await new Promise((done) => setTimeout(done, 20));
          }
        };
        const all = document;
        (await until(() => all.querySelector('.btn.authorize'))).click();
        const input = await until(() => all.querySelector('.auth-container input'));
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, 'TOKEN');
        input.dispatchEvent(new Event('input', { bubbles: true }));
        all.querySelector('.auth-btn-wrapper .authorize').click();
        (await until(() => all.querySelector('.auth-btn-wrapper .btn-done'))).click();
        const one = all.querySelector('#operations-Purging-deleteCache');
        one.querySelector('.opblock-summary-control').click();
        (await until(() => one.querySelector('.try-out__btn'))).click();
        (await until(() => one.querySelector('.execute'))).click();
        await until(() => one.querySelector('.live-responses-table'));
    ";
    let origin = ScriptedOrigin::start(|_| Reply::ok("abc")).await;
    // The engine reaches no other address of this machine.
    let admin = format!("[admin]\ntoken = \"{TOKEN}\"\nlisten = \"{ALLOWED}:0\"");
    let toml = Tintype::toml(&origin, "").replace("[admin]\nlisten = \"127.0.0.1:0\"", &admin);
    let tintype = Tintype::of(&toml).await;
    let engine = start(config());
    let page = tintype.admin_url("/docs");
    let script: String = form_urlencoded::byte_serialize(CLICKS.replace("TOKEN", TOKEN).as_bytes()).collect();
    let shown = picture(shoot(&engine, &page, &format!("width=1000&height=800&js={script}")).await);
    assert!(!shown.is_empty());
    let token = format!("Bearer {TOKEN}");
    let stats = send(&tintype, "GET", "/stats", &[("authorization", &token)], "").await;
    let stats: Value = serde_json::from_slice(&stats.body).expect("JSON");
    assert_eq!(stats["traffic"]["purges"], 1);
    engine.shutdown().await;
}
