//! What a restart keeps: what was stored is served from disk, what was purged stays purged; and an orderly end.

use crate::support::*;

async fn on_disk(folder: &std::path::Path) -> (ScriptedOrigin, String) {
    let origin = ScriptedOrigin::start(|request| match request.method.as_str() {
        "GET" => Reply::ok(format!("body of {}", request.target)).header("Cache-Control", "max-age=6000"),
        _ => Reply::status(204),
    })
    .await;
    let store = format!(
        "dir = {:?}\ndisk = \"64MiB\"\nblock = \"4MiB\"\nmemory = \"8MiB\"\nwrite_buffer = \"8MiB\"\nmax_stored_bytes = \"1MiB\"\nmax_fetch_buffer = \"8MiB\"\nhold_for_tag = \"1MiB\"",
        folder.display().to_string()
    );
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", &store);
    (origin, toml)
}

#[tokio::test]
async fn a_restart_serves_from_disk_what_was_stored_and_nothing_that_was_purged() {
    let folder = tempfile::tempdir().unwrap();
    let (origin, toml) = on_disk(folder.path()).await;
    let tintype = Tintype::of(&toml).await;
    for path in ["/kept", "/purged", "/posted"] {
        tintype.get(path).await;
    }
    tintype.purge("{\"url\": \"/purged\"}").await;
    tintype.send("POST", "/posted").await;
    tintype.stop().await;

    let tintype = Tintype::of(&toml).await;
    let kept = tintype.get("/kept").await;
    assert_eq!(glance(&kept), seen(200, "HIT", "body of /kept"));
    assert!(kept.header("cache-status").unwrap().contains("detail=disk"));
    // A hit on disk is in memory from then on.
    assert!(tintype.get("/kept").await.header("cache-status").unwrap().contains("detail=memory"));
    for path in ["/purged", "/posted"] {
        assert_eq!(tintype.get(path).await.header("x-cache"), Some("MISS"), "{path}");
    }
    assert_eq!(origin.count(), 6);
    tintype.stop().await;
}

#[tokio::test]
async fn everything_purged_stays_purged() {
    let folder = tempfile::tempdir().unwrap();
    let (_origin, toml) = on_disk(folder.path()).await;
    let tintype = Tintype::of(&toml).await;
    for path in ["/a", "/b"] {
        tintype.get(path).await;
    }
    tintype.purge("{\"all\": true}").await;
    tintype.get("/b").await;
    tintype.stop().await;
    let tintype = Tintype::of(&toml).await;
    assert_eq!(tintype.get("/a").await.header("x-cache"), Some("MISS"));
    assert_eq!(tintype.get("/b").await.header("x-cache"), Some("HIT"));
    tintype.stop().await;
}

/// Drain: what is under way finishes, new connections are refused.
#[tokio::test]
async fn shutdown_lets_current_exchanges_finish() {
    let gate = Gate::new();
    let origin = ScriptedOrigin::start({
        let gate = gate.clone();
        move |_| Reply::ok("abc").header("Cache-Control", "max-age=60").hold(&gate)
    })
    .await;
    let tintype = Tintype::before(&origin).await;
    let address = tintype.address;
    let current = tokio::spawn(Client::new().get(&tintype.url("/a"), &[]));
    origin.received(1).await;
    let stopping = tokio::spawn(tintype.stop());
    within("the listener to close", async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    gate.open();
    assert_eq!(current.await.unwrap().text(), "abc");
    within("the end", stopping).await.unwrap();
}
