//! Jobs (rows A14, C06-C08, C17) as a client of web2img uses them:
//!
//! - what is asked for, how it stands and what came of it have its fields; each item is this proxy's own picture, and stored;
//! - one that fails takes nothing from the others, unless that is asked for; items of clients go first;
//! - every bad parameter is named; items, jobs and their time are bounded, and old ones go;
//! - a job goes on after `kill -9`, and asks for nothing twice;
//! - a webhook is told with authorization and signature, again where that failed, never at a private address or by a redirect.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::*;

/// An origin that has a picture of every page but those with `bad` in their name.
async fn pictures() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| match request.target.contains("bad.example") {
        true => Reply::status(404),
        false => Reply::ok("picture").header("Cache-Control", "max-age=600"),
    })
    .await
}

async fn post(running: &Tintype, job: &Value) -> Answer {
    running.client.request("POST", &running.admin_url("/batch/screenshots"), &[], &job.to_string()).await
}

async fn accepted(running: &Tintype, job: &Value) -> String {
    let answer = post(running, job).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    json_of(&answer)["job_id"].as_str().unwrap().to_owned()
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("JSON: {}", answer.text()))
}

/// The results of a job once it has ended.
async fn ended(client: &Client, admin: &str, id: &str) -> Value {
    let url = format!("{admin}/batch/screenshots/{id}/results");
    within_long("the end of the job", async {
        loop {
            let results = json_of(&client.get(&url, &[]).await);
            if !matches!(results["status"].as_str(), Some("pending" | "processing")) {
                return results;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_as_web2img_has_it_and_its_pictures_are_stored() {
    let origin = pictures().await;
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    running.get("/?url=https%3A%2F%2Fa.example%2F&width=800").await;
    let job = json!({ "items": [
        { "url": "https://a.example/", "width": 800, "id": "known" },
        { "url": "https://bad.example/", "height": 600, "id": "bad" },
        { "url": "https://b.example/", "width": 1280, "height": 720, "format": "png", "id": "new" },
    ], "config": { "parallel": 1, "timeout": 10, "priority": "normal" } });
    let answer = post(&running, &job).await;
    let told = json_of(&answer);
    assert_eq!((answer.status, &told["total"]), (202, &json!(3)), "{told}");
    let id = told["job_id"].as_str().expect("an id");
    assert_eq!(answer.header("location"), Some(format!("/batch/screenshots/{id}").as_str()));
    assert_eq!(told["created_at"], "2025-11-01T00:00:00Z");

    let results = ended(&running.client, &running.admin_url(""), id).await;
    assert_eq!(results["status"], "completed_with_errors", "{results}");
    assert_eq!((&results["succeeded"], &results["failed"]), (&json!(2), &json!(1)));
    assert_eq!(results["processing_time"], 0.0, "the clock stands still");
    let of = |at: usize| &results["results"][at];
    assert_eq!(
        (&of(0)["id"], &of(0)["status"], &of(0)["cached"]),
        (&json!("known"), &json!("success"), &json!(true))
    );
    assert_eq!((&of(1)["id"], &of(1)["status"]), (&json!("bad"), &json!("error")));
    assert!(of(1)["error"].as_str().is_some_and(|error| error.starts_with("404")), "{results}");
    assert_eq!((&of(2)["id"], &of(2)["cached"]), (&json!("new"), &json!(false)));
    // Its URL is that of the picture here, which is stored.
    let picture = running.client.get(of(2)["url"].as_str().expect("a URL"), &[]).await;
    assert_eq!((picture.status, picture.header("x-cache")), (200, Some("HIT")), "{results}");

    let status =
        json_of(&running.client.get(&running.admin_url(&format!("/batch/screenshots/{id}")), &[]).await);
    for (name, expected) in [
        ("job_id", json!(id)),
        ("status", json!("completed_with_errors")),
        ("total", json!(3)),
        ("completed", json!(3)),
        ("failed", json!(1)),
        ("updated_at", json!("2025-11-01T00:00:00Z")),
        ("estimated_completion", Value::Null),
    ] {
        assert_eq!(status[name], expected, "{name}");
    }
    // It is not where clients are unless that is configured.
    assert_eq!(running.get(&format!("/batch/screenshots/{id}")).await.text(), "picture");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_failure_ends_it_and_pictures_are_made_anew_where_that_is_asked_for() {
    let origin = pictures().await;
    let running =
        Tintype::with(&origin, "capture = true\nonly_pictures = false\n[jobs]\nlistener = \"both\"\n").await;
    let first = json!({ "items": [{ "url": "https://a.example/" }] });
    ended(&running.client, &running.url(""), &accepted(&running, &first).await).await;
    let job = json!({
        "items": [{ "url": "https://a.example/" }, { "url": "https://bad.example/" }, { "url": "https://c.example/" }],
        "config": { "parallel": 1, "fail_fast": true, "cache": false },
    });
    let results = ended(&running.client, &running.url(""), &accepted(&running, &job).await).await;
    let words: Vec<_> =
        results["results"].as_array().unwrap().iter().map(|one| one["status"].as_str()).collect();
    assert_eq!(words, [Some("success"), Some("error"), Some("error")], "{results}");
    assert_eq!(results["results"][0]["cached"], false);
    assert!(results["results"][2]["error"].as_str().unwrap().contains("fail_fast"));
    let asked = origin.received(3).await;
    assert_eq!(asked.len(), 3, "the one before, anew, and the bad one");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_parameter_is_named_and_bounds_are_settings() {
    let origin = pictures().await;
    let running = Tintype::with(
        &origin,
        "capture = true\nonly_pictures = false\n[jobs]\nmax_items = 2\nmax_body = \"1KiB\"\nmax_jobs = 1\n",
    )
    .await;
    let page = json!({ "url": "https://a.example/" });
    let answer =
        post(&running, &json!({ "items": [{ "url": "a", "width": 0 }], "config": { "parallel": 11 } })).await;
    assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/problem+json")));
    let named: Vec<String> = json_of(&answer)["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["parameter"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(named, ["items[0].url", "items[0].width", "config.parallel"]);
    assert_eq!(post(&running, &json!({ "items": [page, page, page] })).await.status, 400);
    assert_eq!(post(&running, &json!({ "items": [page], "config": "x".repeat(2000) })).await.status, 413);
    // The last one makes room for the next.
    let first = accepted(&running, &json!({ "items": [page] })).await;
    ended(&running.client, &running.admin_url(""), &first).await;
    let second = accepted(&running, &json!({ "items": [page] })).await;
    let status = |id: &str| running.admin_url(&format!("/batch/screenshots/{id}"));
    assert_eq!(running.client.get(&status(&first), &[]).await.status, 404);
    ended(&running.client, &running.admin_url(""), &second).await;
    // And goes after its time.
    running.later(24 * 3600);
    assert_eq!(running.client.get(&status(&second), &[]).await.status, 200);
    let metrics = running.client.get(&running.admin_url("/metrics"), &[]).await.text();
    assert!(metrics.contains("tintype_jobs{status=\"completed\"} 1"), "{metrics}");
    let jobs = async |query: &str| {
        let answer = running.client.get(&running.admin_url(&format!("/jobs{query}")), &[]).await;
        (answer.status, json_of(&answer)["jobs"].as_array().map(Vec::len))
    };
    let listed = running.client.get(&running.admin_url("/jobs"), &[]).await;
    assert_eq!(json_of(&listed)["jobs"][0]["job_id"], second.as_str());
    for (query, expected) in [
        ("", (200, Some(1))),
        ("?status=completed", (200, Some(1))),
        ("?status=failed", (200, Some(0))),
        ("?status=all", (400, None)),
        ("?state=failed", (400, None)),
    ] {
        assert_eq!(jobs(query).await, expected, "{query}");
    }
    running.later(1);
    assert_eq!(running.client.get(&status(&second), &[]).await.status, 404);
    let metrics = running.client.get(&running.admin_url("/metrics"), &[]).await.text();
    assert!(metrics.contains("tintype_jobs{status=\"completed\"} 0"), "{metrics}");
    let answer = running.client.request("DELETE", &running.admin_url("/batch/screenshots"), &[], "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_jobs_at_work_are_told_when_to_come_again_and_clients_go_first() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = ScriptedOrigin::start(move |request| {
        let reply = Reply::ok("picture").header("Cache-Control", "max-age=600");
        if request.target.contains("viewer") { reply.hold(&held) } else { reply }
    })
    .await;
    let running =
        Tintype::with(&origin, "capture = true\nonly_pictures = false\n[jobs]\nmax_jobs = 1\n").await;
    let viewer = tokio::spawn({
        let (client, url) = (running.client.clone(), running.url("/?url=https://viewer.example/"));
        async move { client.get(&url, &[]).await }
    });
    origin.received(1).await;
    let job = json!({ "items": [{ "url": "https://a.example/" }] });
    let id = accepted(&running, &job).await;
    let busy = post(&running, &job).await;
    assert_eq!(busy.status, 429, "{}", busy.text());
    let metrics = running.client.get(&running.admin_url("/metrics"), &[]).await.text();
    assert!(metrics.contains("tintype_waiting_job_items 1"), "{metrics}");
    assert!(
        busy.header("retry-after").and_then(|wait| wait.parse::<u64>().ok()).is_some_and(|wait| wait >= 1)
    );
    let status =
        json_of(&running.client.get(&running.admin_url(&format!("/batch/screenshots/{id}")), &[]).await);
    assert_eq!(
        (&status["status"], &status["completed"]),
        (&json!("processing"), &json!(0)),
        "a client waits"
    );
    assert!(status["estimated_completion"].is_string());
    gate.open();
    assert_eq!(viewer.await.unwrap().status, 200);
    let results = ended(&running.client, &running.admin_url(""), &id).await;
    assert_eq!(results["succeeded"], 1);
    let asked = origin.received(2).await;
    assert!(asked[0].target.contains("viewer"), "{asked:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_after_a_kill() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = ScriptedOrigin::start(move |request| {
        let reply = Reply::ok("picture").header("Cache-Control", "max-age=600");
        if request.target.contains("slow") { reply.hold(&held) } else { reply }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("proxy.toml");
    let toml = Tintype::toml(&origin, "capture = true\nonly_pictures = false\n").replace(
        "dir = \"\"",
        "dir = \"cache\"\ndisk = \"64MiB\"\nblock = \"4MiB\"\nmax_stored_bytes = \"1MiB\"\nhold_for_tag = \"1MiB\"",
    );
    std::fs::write(&config, toml).unwrap();
    let (client, first) = (Client::new(), Process::start(&config).await);
    let admin = format!("http://{}", first.admin);
    let job = json!({
        "items": [{ "url": "https://a.example/" }, { "url": "https://slow.example/" }],
        "config": { "parallel": 1 },
    });
    let answer = client.request("POST", &format!("{admin}/batch/screenshots"), &[], &job.to_string()).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = json_of(&answer)["job_id"].as_str().unwrap().to_owned();
    origin.received(2).await;
    // SIGKILL, in the middle of the second item.
    drop(first);

    let second = Process::start(&config).await;
    let admin = format!("http://{}", second.admin);
    origin.received(3).await;
    gate.open();
    let results = ended(&client, &admin, &id).await;
    assert_eq!((&results["status"], &results["succeeded"]), (&json!("completed"), &json!(2)), "{results}");
    let asked: Vec<bool> = origin.received(3).await.iter().map(|one| one.target.contains("slow")).collect();
    assert_eq!(asked, [false, true, true], "what was done is not done again");
    assert!(second.stop().await);
    // An ended one is still known.
    let third = Process::start(&config).await;
    let results = ended(&client, &format!("http://{}", third.admin), &id).await;
    assert_eq!(results["succeeded"], 2);
    assert!(third.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_told_signed_and_again_where_that_failed() {
    const SECRET: &str = "0123456789abcdef";
    let (origin, hook) = (
        pictures().await,
        ScriptedOrigin::sequence([Reply::status(500), Reply::hang_up(), Reply::status(204)]).await,
    );
    let running = Tintype::with(
        &origin,
        &format!(
            "capture = true\nonly_pictures = false\n[jobs]\nwebhook_secret = \"{SECRET}\"\nwebhook_retry_base = \"1ms\"\n\
             allow_ranges = [\"127.0.0.0/8\"]\n"
        ),
    )
    .await;
    let id = accepted(
        &running,
        &json!({
            "items": [{ "url": "https://a.example/" }, { "url": "https://bad.example/" }],
            "config": { "webhook": hook.url("/hook?x=1"), "webhook_auth": "Bearer token123" },
        }),
    )
    .await;
    let told = hook.received(3).await;
    for one in &told {
        assert_eq!((one.method.as_str(), one.target.as_str()), ("POST", "/hook?x=1"));
        assert_eq!(one.header("authorization"), Some("Bearer token123"));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(&one.body);
        let hex: String = mac.finalize().into_bytes().iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(one.header("x-signature"), Some(format!("sha256={hex}").as_str()));
        let body: Value = serde_json::from_slice(&one.body).unwrap();
        assert_eq!((&body["job_id"], &body["status"]), (&json!(id), &json!("completed_with_errors")));
        assert_eq!(body["results"].as_array().map(Vec::len), Some(2));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_at_a_private_address_is_refused_and_no_redirect_is_followed() {
    let (origin, secret) = (pictures().await, ScriptedOrigin::sequence([Reply::status(200)]).await);
    let elsewhere = secret.url("/");
    let hook =
        ScriptedOrigin::start(move |_| Reply::status(307).header("Location", elsewhere.as_str())).await;
    let page = json!([{ "url": "https://a.example/" }]);
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    for refused in [
        secret.url("/"),
        "http://169.254.169.254/latest".into(),
        "http://0x7f.1/".into(),
        "http://[::1]/".into(),
    ] {
        let answer = post(&running, &json!({ "items": page, "config": { "webhook": refused } })).await;
        assert_eq!(answer.status, 400, "{refused}");
        assert_eq!(json_of(&answer)["errors"][0]["parameter"], "config.webhook", "{}", answer.text());
    }
    running.stop().await;

    let more = "capture = true\nonly_pictures = false\n[jobs]\nallow_ranges = [\"127.0.0.0/8\"]\nwebhook_retry_base = \"1ms\"\n";
    let running = Tintype::with(&origin, more).await;
    let id = accepted(&running, &json!({ "items": page, "config": { "webhook": hook.url("/") } })).await;
    hook.received(1).await;
    ended(&running.client, &running.admin_url(""), &id).await;
    running.stop().await;
    assert_eq!((hook.received(1).await.len(), secret.received(0).await.len()), (1, 0));
}

/// On a route where strangers need a signature, a job is admitted by the token of whoever ordered it, on the data plane too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_admitted_where_a_stranger_is_not() {
    let origin = pictures().await;
    let more = "capture = true\nonly_pictures = false\nauth = \"signed\"\n[keys.web]\nsecret = \"a-secret-of-some-length\"\n\
                [jobs]\nlistener = \"both\"\n";
    let toml = Tintype::toml(&origin, more)
        .replace("[admin]\n", "[admin]\ntoken = \"a-token-for-the-control-plane\"\n");
    let running = Tintype::of(&toml).await;
    assert_eq!(running.get("/?url=https%3A%2F%2Fa.example%2F").await.status, 403);
    let job = json!({ "items": [{ "url": "https://a.example/" }] }).to_string();
    let url = running.url("/batch/screenshots");
    let stranger = running.client.request("POST", &url, &[], &job).await;
    assert_eq!((stranger.status, origin.count()), (401, 0), "{}", stranger.text());
    let token = [("authorization", "Bearer a-token-for-the-control-plane")];
    let answer = running.client.request("POST", &url, &token, &job).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    origin.received(1).await;
    let results = format!("{url}/{}/results", json_of(&answer)["job_id"].as_str().expect("an id"));
    within_long("the end of the job", async {
        loop {
            let told = json_of(&running.client.get(&results, &token).await);
            if told["status"] == "completed" {
                break;
            }
            assert_ne!(told["status"], "failed", "{told}");
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Without a token anybody could have pictures made where only signatures should.
    let refused = ::tintype::config::Config::from_toml(&Tintype::toml(&origin, more));
    let problems = refused.expect_err("a conflict").to_text(false);
    assert!(problems.contains("jobs.listener"), "{problems}");
}
