//! A reload: the new configuration is in force as a whole or not at all; what is stored, counted and under way goes on; what cannot
//! change at work stays and is named; nobody who is being served notices.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::*;

/// An origin whose pictures say who made them.
async fn origin(name: &'static str) -> ScriptedOrigin {
    ScriptedOrigin::start(move |request| {
        Reply::ok(format!("{name} {}", request.target)).header("Cache-Control", "max-age=600")
    })
    .await
}

struct Configured {
    folder: tempfile::TempDir,
    tintype: Tintype,
}

impl Configured {
    async fn before(origin: &ScriptedOrigin, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.toml");
        write(&file, &Tintype::toml(origin, more));
        let tintype = Tintype::from_file(&file).await;
        Configured { folder, tintype }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("proxy.toml")
    }

    async fn reload_with(&self, toml: &str) -> (u16, Value) {
        write(&self.file(), toml);
        let answer = self.tintype.reload().await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    async fn reloaded_with(&self, toml: &str) {
        let (status, told) = self.reload_with(toml).await;
        assert_eq!((status, &told["needs_restart"]), (200, &serde_json::json!([])), "{told}");
    }
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
}

#[tokio::test]
async fn routes_change_and_what_is_stored_stays() {
    let (first, second) = (origin("first").await, origin("second").await);
    let configured = Configured::before(&first, "").await;
    let tintype = &configured.tintype;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "first /a"));

    let more = format!(
        "[upstream.second]\nkind = \"remote\"\nurl = \"{}\"\n[route.more]\npath = \"/more\"\nupstream = \"second\"\n",
        second.base()
    );
    configured.reloaded_with(&Tintype::toml(&first, &more)).await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "HIT", "first /a"));
    assert_eq!(glance(&tintype.get("/more").await), seen(200, "MISS", "second /more"));
    let stats = tintype.stats().await;
    assert_eq!(stats["traffic"]["requests"], 3);
    assert_eq!(stats["configuration"]["taken"], 1);
    assert_eq!(stats["configuration"]["last"]["outcome"], "taken");
    assert_eq!(stats["upstreams"].as_object().unwrap().len(), 2);
    configured.tintype.stop().await;
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_why() {
    let origin = origin("origin").await;
    let configured = Configured::before(&origin, "").await;
    let tintype = &configured.tintype;
    let good = Tintype::toml(&origin, "");
    for (bad, path, line) in [
        (good.replace("path = \"/\"", "path = 3"), "route.all.path", 11),
        (good.replace("[store]", "[store]\nmemory = \"lots\"\nfancy = true"), "store.memory", 6),
        ("[server".to_owned(), "", 1),
    ] {
        let (status, told) = configured.reload_with(&bad).await;
        assert_eq!((status, &told["reloaded"]), (422, &false.into()), "{told}");
        let problem = &told["problems"][0];
        assert_eq!((problem["path"].as_str(), problem["line"].as_u64()), (Some(path), Some(line)), "{told}");
        let file = configured.file().display().to_string();
        assert!(told["detail"].as_str().unwrap().contains(&format!("{file}:{line}:")), "{told}");
        assert_eq!(tintype.get("/a").await.status, 200);
    }
    let told = configured.reload_with("[server").await;
    let stats = tintype.stats().await;
    assert_eq!(stats["configuration"]["refused"], 4);
    assert_eq!(stats["configuration"]["last"]["outcome"], "refused");
    assert_eq!(stats["configuration"]["last"]["problems"], told.1["problems"]);
    let metrics = || async { tintype.client.get(&tintype.admin_url("/metrics"), &[]).await.text() };
    assert!(metrics().await.contains("tintype_good_configurations 0"));
    assert!(metrics().await.contains("tintype_reloads_total{outcome=\"refused\"} 4"));
    configured.reloaded_with(&good).await;
    assert!(metrics().await.contains("tintype_good_configurations 1"));
    std::fs::remove_file(configured.file()).unwrap();
    assert_eq!(tintype.reload().await.status, 422);
    assert_eq!(tintype.get("/a").await.status, 200);
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_the_rest_is_in_force() {
    let (first, second) = (origin("first").await, origin("second").await);
    let configured = Configured::before(&first, "").await;
    let toml = Tintype::toml(&second, "")
        .replacen("127.0.0.1:0", "127.0.0.1:1", 1)
        .replace("dir = \"\"", "dir = \"\"\nmemory = \"100MiB\"");
    let (status, told) = configured.reload_with(&toml).await;
    assert_eq!(
        (status, &told["needs_restart"]),
        (200, &serde_json::json!(["server.listen", "store.memory"]))
    );
    assert_eq!(glance(&configured.tintype.get("/a").await), seen(200, "MISS", "second /a"));
}

#[tokio::test]
async fn requests_under_way_finish_as_they_began_and_one_fetch_a_key_holds() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |_| Reply::ok("slow").header("Cache-Control", "max-age=600").hold(&gate)
    })
    .await;
    let configured = Configured::before(&origin, "").await;
    let tintype = &configured.tintype;
    let leader = tokio::spawn(Client::new().get(&tintype.url("/a"), &[]));
    origin.received(1).await;
    // Of an upstream whose section is the same, and of one that is another.
    let second = self::origin("second").await;
    for toml in [Tintype::toml(&origin, "stale_if_error = \"1h\"\n"), Tintype::toml(&second, "")] {
        configured.reloaded_with(&toml).await;
    }
    let follower = tokio::spawn(Client::new().get(&tintype.url("/a"), &[]));
    within("the follower", async {
        while tintype.stats().await["traffic"]["requests"] != 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(glance(&tintype.get("/b").await), seen(200, "MISS", "second /b"));
    gate.open();
    assert_eq!(leader.await.unwrap().text(), "slow");
    assert_eq!(follower.await.unwrap().text(), "slow");
    assert_eq!((origin.count(), second.count()), (1, 1));
    configured.tintype.stop().await;
}

#[tokio::test]
async fn an_upstream_that_is_the_same_keeps_its_connections() {
    let origin = origin("origin").await;
    let configured = Configured::before(&origin, "").await;
    configured.tintype.get("/a").await;
    configured.reloaded_with(&Tintype::toml(&origin, "stale_if_error = \"1h\"\n")).await;
    configured.tintype.get("/b").await;
    assert_eq!(origin.connections(), 1);
    let changed =
        Tintype::toml(&origin, "").replace("kind = \"remote\"", "kind = \"remote\"\nkeep_alive = \"2m\"");
    configured.reloaded_with(&changed).await;
    configured.tintype.get("/c").await;
    assert_eq!(origin.connections(), 2);
    // The old one goes once nobody uses it.
    origin.closed(1).await;
}

#[tokio::test]
async fn bounds_and_the_token_are_those_of_the_new_one() {
    let origin = origin("origin").await;
    let configured = Configured::before(&origin, "").await;
    let tintype = &configured.tintype;
    let fields: Vec<(String, String)> = (0..20).map(|n| (format!("x-{n}"), "1".to_owned())).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let mut old = RawClient::connect(tintype.address).await;
    old.get("/a", &fields).await;
    assert_eq!(old.response().await.status(), 200);
    let toml = Tintype::toml(&origin, "").replace(
        "[admin]",
        "max_header_count = 10\nmax_connections = 3\n[admin]\ntoken = \"0123456789abcdef\"",
    );
    configured.reloaded_with(&toml).await;
    let mut new = RawClient::connect(tintype.address).await;
    new.get("/a", &fields).await;
    assert_eq!(new.response().await.status(), 431);
    old.get("/a", &fields).await;
    assert_eq!(old.response().await.status(), 200);
    assert_eq!(tintype.reload().await.status, 401);
}

#[tokio::test]
async fn a_renewed_certificate_is_picked_up() {
    let origin = origin("origin").await;
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (Identity::new(), Identity::new());
    let (certificate, key) = before.write(folder.path());
    let files = format!("tls_certificate = {certificate:?}\ntls_key = {key:?}\n[admin]");
    let file = folder.path().join("proxy.toml");
    write(&file, &Tintype::toml(&origin, "").replace("[admin]", &files));
    let tintype = Tintype::from_file(&file).await;
    let url = format!("https://{}/a", tintype.address);
    assert_eq!(Client::tls(&before.certificate, true).get(&url, &[]).await.text(), "origin /a");
    after.write(folder.path());
    assert_eq!(tintype.reload().await.status, 200);
    assert_eq!(Client::tls(&after.certificate, true).get(&url, &[]).await.text(), "origin /a");
    assert!(Client::tls(&before.certificate, false).try_request("GET", &url, &[], "").await.is_err());
    // Half a renewal changes nothing.
    let other = tempfile::tempdir().unwrap();
    let (_, stranger) = before.write(other.path());
    std::fs::copy(stranger, key).unwrap();
    assert_eq!(tintype.reload().await.status, 422);
    assert_eq!(Client::tls(&after.certificate, true).get(&url, &[]).await.text(), "origin /a");
}

#[tokio::test]
async fn a_change_of_the_file_is_noticed_where_that_is_wanted() {
    let (first, second) = (origin("first").await, origin("second").await);
    let watching = |origin| Tintype::toml(origin, "").replace("[admin]", "watch_config = true\n[admin]");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    write(&file, &watching(&first));
    let tintype = Tintype::from_file(&file).await;
    write(&file, &watching(&second));
    within("the reload", async {
        while tintype.stats().await["configuration"]["taken"] != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(glance(&tintype.get("/a").await), seen(200, "MISS", "second /a"));
}
