//! `tintype batch`, `tintype warm`, and warming at the start (rows A14, D14):
//!
//! - a list in each form is taken, in jobs of a bounded size; one that fails takes nothing from the others, and shows in the exit code;
//! - a sitemap is read, with those that it lists on its own origin;
//! - what `[warm]` names is stored before anybody asks, `/readyz` waits for that if it is told to, and failures hold nothing up.

use serde_json::{Value, json};

use super::cli_purge::asking;
use super::support::terminal::{in_pipe, in_terminal};
use crate::support::*;

async fn pictures() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| match request.target.contains("bad") {
        true => Reply::status(404),
        false => Reply::ok("picture").header("Cache-Control", "max-age=600"),
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_taken_and_one_failure_takes_nothing_from_the_others() {
    let origin = pictures().await;
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("pages.txt");
    std::fs::write(
        &list,
        "# ours\nhttps://a.example/\nhttps://bad.example/\n{\"url\":\"https://c.example/\",\"id\":\"c\",\"width\":640}\n",
    )
    .unwrap();
    let list = list.to_str().unwrap();
    let (code, told, errors) =
        in_pipe(asking(&running, &["batch", list, "--job-size", "2", "--width", "800"]));
    assert_eq!(code, Some(1), "{told}{errors}");
    let mut lines: Vec<_> = told.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines[1..], ["ok https://a.example/: new", "ok https://c.example/: new"]);
    assert!(lines[0].starts_with("failed https://bad.example/: 404"), "{told}");
    assert_eq!(errors, "2 taken, 0 of them stored before, 1 failed\n");
    let stored = running.get("/?url=https%3A%2F%2Fa.example%2F&width=800").await;
    assert_eq!(stored.header("x-cache"), Some("HIT"));

    let (code, told, _) =
        in_pipe(asking(&running, &["batch", list, "--json", "--limit", "1", "--width", "800"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["cached"], &told["page"]), (Some(0), &json!(true), &json!("https://a.example/")));
    let (code, told, errors) = in_pipe(asking(&running, &["batch", list, "--fail-fast", "--parallel", "1"]));
    assert_eq!((code, told.lines().count()), (Some(1), 3), "{told}{errors}");
    let (code, shown) = in_terminal(asking(&running, &["batch", list, "--limit", "1"]), 100);
    assert!(code == Some(0) && shown.contains("ok") && shown.contains("1 taken"), "{shown}");

    std::fs::write(folder.path().join("wrong"), "https://a.example/\nnonsense\n").unwrap();
    let wrong = folder.path().join("wrong");
    let (code, told, errors) = in_pipe(asking(&running, &["batch", wrong.to_str().unwrap()]));
    assert_eq!(code, Some(1), "{told}{errors}");
    assert!(
        told.contains("failed nonsense: url: an http:// or https:// URL") && told.contains("wrong:2)"),
        "{told}"
    );
    assert!(errors.contains("1 taken"), "{errors}");
    assert_eq!(in_pipe(asking(&running, &["batch", "no-such-file"])).0, Some(2));
    running.stop().await;
}

/// A site with an index of two sitemaps, of which one is broken, and one that is somebody else's.
async fn site(elsewhere: String) -> ScriptedOrigin {
    ScriptedOrigin::start(move |request| {
        let base = format!("http://{}", request.header("host").unwrap_or_default());
        match request.target.as_str() {
            "/sitemap.xml" => Reply::ok(format!(
                "<sitemapindex><sitemap><loc>{base}/1.xml</loc></sitemap><sitemap><loc>{base}/2.xml</loc></sitemap>\
                 <sitemap><loc>{elsewhere}</loc></sitemap></sitemapindex>"
            )),
            "/1.xml" => Reply::ok(
                "<urlset><url><loc>https://a.example/?x=1&amp;y=2</loc></url>\
                 <url><loc>https://bad.example/</loc></url></urlset>",
            ),
            _ => Reply::status(500),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sitemap_is_warmed() {
    let (origin, other) = (pictures().await, pictures().await);
    let site = site(other.url("/3.xml")).await;
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    let (code, told, errors) = in_pipe(asking(&running, &["warm", &site.url("/sitemap.xml")]));
    assert_eq!(code, Some(1), "one of its pages has no picture: {told}{errors}");
    // The other one that failed is the broken sitemap.
    assert!(
        errors.contains("1 taken, 0 of them stored before, 2 failed, 1 sitemaps left out"),
        "{told}{errors}"
    );
    assert!(told.contains(&format!("failed {}: it answers 500", site.url("/2.xml"))), "{told}");
    assert!(told.contains(&format!("left out {}: it is on another site", other.url("/3.xml"))), "{told}");
    let stored = running.get("/?url=https%3A%2F%2Fa.example%2F%3Fx%3D1%26y%3D2").await;
    assert_eq!(stored.header("x-cache"), Some("HIT"));
    assert_eq!(other.received(0).await.len(), 0, "it is not this site's");
    let (code, _, errors) = in_pipe(asking(&running, &["warm", &site.url("/none.xml")]));
    assert_eq!(code, Some(1));
    assert!(errors.contains("the sitemap: it answers 500"), "{errors}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_named_is_warm_before_the_process_says_that_it_is_ready() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = ScriptedOrigin::start(move |request| match request.target.contains("bad") {
        true => Reply::status(502),
        false => Reply::ok("picture").header("Cache-Control", "max-age=600").hold(&held),
    })
    .await;
    let site = site(String::new()).await;
    let running = Tintype::with(
        &origin,
        &format!(
            "capture = true\nonly_pictures = false\n[warm]\nurls = [\"https://b.example/\", \"https://bad.example/\"]\nsitemap = \"{}\"\n\
             hold_ready = true\n",
            site.url("/sitemap.xml")
        ),
    )
    .await;
    let ready = || async { running.client.get(&running.admin_url("/readyz"), &[]).await };
    origin.received(4).await;
    let answer = ready().await;
    assert_eq!(answer.status, 503);
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap()["parts"]["warm"], false);
    gate.open();
    within_long("readiness", async {
        while ready().await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
    for page in ["https%3A%2F%2Fb.example%2F", "https%3A%2F%2Fa.example%2F%3Fx%3D1%26y%3D2"] {
        assert_eq!(running.get(&format!("/?url={page}")).await.header("x-cache"), Some("HIT"), "{page}");
    }
    running.stop().await;

    // A list that is not to be had is no reason not to start.
    let gone = Tintype::with(
        &origin,
        "capture = true\nonly_pictures = false\n[warm]\nsitemap = \"http://127.0.0.1:1/s.xml\"\n",
    )
    .await;
    assert_eq!(gone.client.get(&gone.admin_url("/readyz"), &[]).await.status, 200);
    gone.stop().await;
}
