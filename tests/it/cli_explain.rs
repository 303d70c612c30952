//! `tintype explain URL`: what the control plane says of a request, in sections; a control plane that cannot explain is told of.

use serde_json::{Value, json};

use super::cli_purge::asking;
use super::support::terminal::{in_pipe, in_terminal, tintype};
use crate::support::*;

/// A control plane that explains; what it was asked is in what it tells.
async fn explaining() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        let no_route = request.target.starts_with("/explain?url=https%3A%2F%2Fpage.example");
        let told = match no_route {
            true => json!({ "now": { "answer": "error", "rule": "no-route", "status": 404 }, "route": null }),
            false => json!({
                "request": { "method": "GET", "url": request.target },
                "now": { "answer": "hit", "rule": "fresh", "tier": "memory", "asks_origin": false },
                "freshness": { "lifetime_seconds": 600, "age_seconds": 61 },
                "not_stored": null,
            }),
        };
        Reply::ok(told.to_string()).header("Content-Type", "application/json")
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_comes_in_sections() {
    let control = explaining().await;
    let admin = control.url("");
    let ask = |arguments: &[&str]| tintype(&[&["explain", "--admin", &admin], arguments].concat());
    let (code, told, errors) = in_pipe(ask(&["/a?b=1", "-H", "Accept: x", "--method", "HEAD"]));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(
        told,
        "HIT: fresh, from memory, the origin is not asked\n\nrequest\n  method  GET\n  \
         url     /explain?url=%2Fa%3Fb%3D1&method=HEAD&header=Accept%3A+x\n\nfreshness\n  age       1m 1s\n  lifetime  10m\n"
    );
    let (code, shown) = in_terminal(ask(&["/a"]), 100);
    assert_eq!(code, Some(0));
    assert!(shown.contains("\x1b[1mHIT: fresh"), "{shown}");
    let (_, json, _) = in_pipe(ask(&["/a", "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["now"]["rule"], "fresh");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tintype_itself_tells_hits_and_why_nothing_was_stored() {
    let origin = ScriptedOrigin::start(|request| {
        let control = if request.target == "/private" { "private" } else { "max-age=600" };
        Reply::ok("abc").header("Cache-Control", control).header("Vary", "Accept-Language")
    })
    .await;
    let running = Tintype::before(&origin).await;
    running.get_with("/a", &[("Accept-Language", "de")]).await;
    running.get("/private").await;
    running.later(65);
    for (arguments, expected) in [
        (&["/a", "-H", "Accept-Language: de"][..], &["HIT: fresh, from memory", "remaining", "8m 55s"][..]),
        (&["/a"], &["MISS: vary-miss", "selecting", "accept-language"]),
        (&["/private"], &["Nothing is stored: the response said private, 1m 5s ago"]),
        (&["/a", "--method", "DELETE"], &["BYPASS: method"]),
    ] {
        let (code, told, errors) = in_pipe(asking(&running, &[&["explain"], arguments].concat()));
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{arguments:?}");
        for words in expected {
            assert!(told.contains(words), "{words} in {told}");
        }
    }
    let (_, _, remark) = in_pipe(asking(&running, &["explain", "https://page.example/"]));
    assert!(remark.contains("--page"), "{remark}");
    let (code, _, errors) = in_pipe(asking(&running, &["explain", "--page", "page.example"]));
    assert_eq!((code, errors.as_str()), (Some(2), "error: no route captures pages\n"));
    assert_eq!(origin.count(), 2, "nothing was asked for");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_route_takes_is_a_page() {
    let control = explaining().await;
    let admin = control.url("");
    for arguments in [&["https://page.example"][..], &["--page", "https://page.example"]] {
        let (code, told, _) = in_pipe(tintype(&[&["explain", "--admin", &admin], arguments].concat()));
        assert_eq!(code, Some(0));
        assert!(told.contains("/explain?target=https%3A%2F%2Fpage.example"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_explain_is_named() {
    for (status, words) in [(404, "has no /explain"), (401, "wants its bearer token"), (500, "answers 500")] {
        let control = ScriptedOrigin::start(move |_| Reply::status(status)).await;
        let (code, told, errors) = in_pipe(tintype(&["explain", "/a", "--admin", &control.url("")]));
        assert_eq!((code, told.as_str()), (Some(1), ""), "{errors}");
        assert!(errors.contains(words), "{errors}");
    }
    let web = ScriptedOrigin::start(|_| Reply::ok("<h1>hello</h1>")).await;
    let (code, _, errors) = in_pipe(tintype(&["explain", "/a", "--admin", &web.url("")]));
    assert_eq!(code, Some(1));
    assert!(errors.contains("is it the control plane?"), "{errors}");
}
