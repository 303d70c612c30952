//! What lasts: soft purges and the listing over a restart, purges over `kill -9` of the real binary; and that no client sees
//! what was purged, however many purges and clients there are at once.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::support::*;

fn store_in(folder: &std::path::Path) -> String {
    format!(
        "dir = {:?}\ndisk = \"64MiB\"\nblock = \"4MiB\"\nmemory = \"8MiB\"\nwrite_buffer = \"8MiB\"\nmax_stored_bytes = \"1MiB\"\nmax_fetch_buffer = \"8MiB\"\nhold_for_tag = \"1MiB\"",
        folder.display().to_string()
    )
}

async fn tagged() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        Reply::ok(format!("{} #{}", request.target, request.index))
            .header("Cache-Control", "max-age=6000, stale-while-revalidate=60")
            .header("Cache-Tag", "all")
    })
    .await
}

async fn stored(client: &Client, admin: &str, query: &str) -> Value {
    let answer = client.get(&format!("{admin}/stored{query}"), &[]).await;
    serde_json::from_slice(&answer.body).expect("JSON")
}

#[tokio::test]
async fn a_restart_keeps_soft_purges_and_the_listing() {
    let folder = tempfile::tempdir().unwrap();
    let origin = tagged().await;
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", &store_in(folder.path()));
    let tintype = Tintype::of(&toml).await;
    for path in ["/hard", "/soft", "/kept", "/kept"] {
        tintype.get(path).await;
    }
    tintype.purge("{\"url\": \"/hard\"}").await;
    tintype.purge("{\"prefix\": \"/soft\", \"mode\": \"soft\"}").await;
    tintype.stop().await;

    let tintype = Tintype::of(&toml).await;
    let listed = stored(&tintype.client, &tintype.admin_url(""), "?tag=all").await;
    assert_eq!(listed["listing"], "complete");
    let seen: Vec<_> = listed["stored"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (item["key"].as_str().unwrap(), item["hits"].as_u64().unwrap(), item["ttl"].as_i64().unwrap() > 0)
        })
        .collect();
    assert_eq!(seen, [("all /soft", 0, false), ("all /kept", 1, true)]);
    assert!(listed["stored"].as_array().unwrap().iter().all(|item| item["tier"] == "disk"));
    for (path, cache) in [("/hard", "MISS"), ("/soft", "STALE"), ("/kept", "HIT")] {
        assert_eq!(tintype.get(path).await.header("x-cache"), Some(cache), "{path}");
    }
    tintype.stop().await;
}

/// The real binary, and where it listens.
struct Running {
    child: Child,
    base: String,
    admin: String,
}

impl Running {
    fn start(file: &std::path::Path) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tintype"))
            .args(["serve", "--config"])
            .arg(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut url = || {
            let line = lines.next().expect("it says where it listens");
            line.split_whitespace().find(|word| word.starts_with("http")).expect("a URL").to_owned()
        };
        let (base, admin) = (url(), url());
        Running { child, base, admin }
    }

    async fn purge(&self, client: &Client, body: &Value) -> Value {
        let answer = client.request("POST", &format!("{}/purge", self.admin), &[], &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test]
async fn a_kill_keeps_purges_and_lists_nothing_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let origin = tagged().await;
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", &store_in(&folder.path().join("cache")));
    let file = folder.path().join("proxy.toml");
    std::fs::write(&file, toml).unwrap();

    let (running, client) = (Running::start(&file), Client::new());
    let get = async |base: &str, path: &str| client.get(&format!("{base}{path}"), &[]).await;
    for n in 0..9 {
        get(&running.base, &format!("/{n}")).await;
    }
    assert_eq!(running.purge(&client, &json!({"url": "/0"})).await["hit"], 1);
    assert_eq!(running.purge(&client, &json!({"prefix": "/1", "mode": "soft"})).await["hit"], 1);
    running.kill();

    let running = Running::start(&file);
    let listed = stored(&client, &running.admin, "").await;
    assert_eq!((&listed["stored"], &listed["listing"]), (&json!([]), &json!("partial")));
    assert_eq!(get(&running.base, "/0").await.header("x-cache"), Some("MISS"));
    let mut from_disk = 0;
    for n in 1..9 {
        let answer = get(&running.base, &format!("/{n}")).await;
        let cache = answer.header("x-cache").unwrap();
        assert!(n != 1 || cache != "HIT", "it was softly purged");
        from_disk += usize::from(cache != "MISS");
    }
    // The last ones may not have reached the disk; what did is listed from its first use on.
    let listed = stored(&client, &running.admin, "?tag=all").await;
    assert_eq!(listed["stored"].as_array().unwrap().len(), 9, "{from_disk} came from disk");
    assert_eq!(running.purge(&client, &json!({"tag": "all"})).await["hit"], 9);
    assert_eq!(stored(&client, &running.admin, "").await["stored"], json!([]));
    running.kill();
}

/// Each purge is one entry, however much is stored: nothing is scanned.
#[tokio::test]
async fn a_purge_costs_one_entry_for_each_name() {
    let origin = tagged().await;
    let tintype = Tintype::before(&origin).await;
    for n in 0..50 {
        tintype.get(&format!("/{n}")).await;
    }
    for (body, entries) in [
        ("{\"prefix\": \"/\"}", 1),
        ("{\"url\": \"/7\", \"mode\": \"soft\"}", 2),
        // With one for those whose tags are not told apart.
        ("{\"tag\": \"all\"}", 4),
        ("{\"all\": true}", 0),
    ] {
        tintype.purge(body).await;
        assert_eq!(tintype.stats().await["store"]["ledger_entries"], entries, "{body}");
    }
}

/// Clients poll while purges run: nobody gets, after a purge was answered, what the origin said before it was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_nobody_sees_what_was_purged() {
    for scope in [json!({"url": "/a"}), json!({"tag": "t"}), json!({"prefix": "/"}), json!({"all": true})] {
        let version = Arc::new(AtomicU64::new(1));
        let origin = ScriptedOrigin::start({
            let version = Arc::clone(&version);
            move |_| {
                Reply::ok(version.load(Ordering::SeqCst).to_string())
                    .header("Cache-Control", "max-age=600")
                    .header("Cache-Tag", "t")
            }
        })
        .await;
        let tintype = Tintype::before(&origin).await;
        let (least, url) = (Arc::new(AtomicU64::new(1)), tintype.url("/a"));
        let stop = tokio::sync::watch::Sender::new(false);
        let clients: Vec<_> = (0..8)
            .map(|_| {
                let (least, url, stop) = (Arc::clone(&least), url.clone(), stop.subscribe());
                tokio::spawn(async move {
                    let (client, mut answers) = (Client::new(), 0);
                    while !*stop.borrow() {
                        let least = least.load(Ordering::SeqCst);
                        let answer = client.get(&url, &[]).await;
                        let version: u64 = answer.text().parse().expect("a version");
                        assert!(version >= least, "version {version} after a purge of all before {least}");
                        answers += 1;
                    }
                    answers
                })
            })
            .collect();
        for round in 2..40 {
            version.store(round, Ordering::SeqCst);
            let mut body = scope.clone();
            // A soft one without stale window is as strict.
            body["mode"] = if round % 2 == 0 { "hard" } else { "soft" }.into();
            tintype.purge(&body.to_string()).await;
            least.store(round, Ordering::SeqCst);
            tintype.get("/a").await;
        }
        stop.send_replace(true);
        let mut answers = 0;
        for client in clients {
            answers += client.await.expect("no client saw what was purged");
        }
        assert!(answers > 40, "{answers}");
    }
}
