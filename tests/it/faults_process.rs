//! What happens to the process itself costs no request that could have been answered: reloads under load, an end under load, one process
//! following another on the same address and the same folder, no file descriptors left.

use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use tokio::net::TcpStream;

use crate::support::*;

async fn origin() -> ScriptedOrigin {
    origin_of("max-age=1").await
}

async fn origin_of(lifetime: &'static str) -> ScriptedOrigin {
    ScriptedOrigin::start(move |request| {
        Reply::ok(format!("body of {}", request.target)).header("Cache-Control", lifetime)
    })
    .await
}

/// Writes a configuration with these settings of `[server]` and `[store]`.
fn configured(folder: &Path, origin: &ScriptedOrigin, server: &str, store: &str) -> PathBuf {
    let toml = Tintype::toml(origin, "[log]\naccess = false\n")
        .replace("[admin]", &format!("{server}\n[admin]"))
        .replace("dir = \"\"", store);
    let file = folder.join("proxy.toml");
    std::fs::write(&file, toml).unwrap();
    file
}

fn on_disk(folder: &Path) -> String {
    format!(
        "dir = {:?}\ndisk = \"32MiB\"\nblock = \"2MiB\"\nmemory = \"8MiB\"\nmax_stored_bytes = \"64KiB\"\nhold_for_tag = \"64KiB\"",
        folder.join("cache")
    )
}

fn nothing_failed((answered, failed): (usize, Vec<String>)) {
    assert!(failed.is_empty(), "{} failed of {answered}: {failed:?}", failed.len());
}

#[tokio::test]
async fn reloads_under_load_fail_no_request() {
    // Each answer is looked after at the origin, so that each request meets what a reload changes.
    let (origin, folder) = (origin_of("max-age=0").await, tempfile::tempdir().unwrap());
    let other = origin_of("max-age=0").await;
    let files = [&origin, &other, &origin, &other]
        .map(|origin| std::fs::read_to_string(configured(folder.path(), origin, "", "dir = \"\"")).unwrap());
    let process = Process::start(&folder.path().join("proxy.toml")).await;
    let load = Load::on(process.address, 8);
    load.answers(100).await;
    let taken = || async {
        let stats = Client::new().get(&format!("http://{}/stats", process.admin), &[]).await;
        serde_json::from_slice::<serde_json::Value>(&stats.body).unwrap()["configuration"]["taken"].clone()
    };
    for (n, text) in (1..).zip(files.iter().cycle().take(10)) {
        std::fs::write(folder.path().join("proxy.toml"), text).unwrap();
        process.signal(Signal::HUP);
        within("the reload", async {
            while taken().await != n {
                tokio::task::yield_now().await;
            }
        })
        .await;
        load.answers(50).await;
    }
    nothing_failed(load.end().await);
    assert!(origin.count() > 10 && other.count() > 10);
    assert!(process.stop().await);
}

#[tokio::test]
async fn one_process_follows_another_on_one_address_and_one_folder() {
    let (origin, folder) = (origin().await, tempfile::tempdir().unwrap());
    let store = on_disk(folder.path());
    let file = configured(folder.path(), &origin, "reuse_port = true", &store);
    let mut process = Process::start(&file).await;
    // All that follow are told the address that the first one got.
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replacen("127.0.0.1:0", &process.address.to_string(), 1);
    std::fs::write(&file, text.replacen("127.0.0.1:0", &process.admin.to_string(), 1)).unwrap();
    let load = Load::on(process.address, 8);
    for _ in 0..3 {
        load.answers(100).await;
        let next = Process::launch(&file, "");
        let (ended, next) = tokio::join!(process.stop(), Process::launched(next));
        assert!(ended);
        process = next;
    }
    load.answers(100).await;
    let (answered, failed) = load.end().await;
    // Closing a socket that shares its address resets what comes to its queue in that very moment; see docs/OPERATIONS.md.
    nothing_failed((answered, failed));
    let stats = Client::new().get(&format!("http://{}/stats", process.admin), &[]).await.text();
    assert!(stats.contains("\"disk_healthy\": true"), "{stats}");
    assert!(process.stop().await);
}

#[tokio::test]
async fn an_inherited_socket_refuses_nobody_between_two_processes() {
    let (origin, folder) = (origin().await, tempfile::tempdir().unwrap());
    let file = configured(folder.path(), &origin, "", &on_disk(folder.path()));
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut process = Process::inherit(&file, &socket).await;
    assert_eq!(process.address, socket.local_addr().unwrap());
    let load = Load::on(process.address, 8);
    for _ in 0..3 {
        load.answers(100).await;
        // Nobody accepts in between: whoever comes waits in the queue.
        assert!(process.stop().await);
        process = Process::inherit(&file, &socket).await;
    }
    load.answers(100).await;
    nothing_failed(load.end().await);
    assert!(process.stop().await);
}

#[tokio::test]
async fn an_end_under_load_answers_whoever_was_let_in() {
    let (origin, folder) = (origin().await, tempfile::tempdir().unwrap());
    let file = configured(folder.path(), &origin, "", "dir = \"\"");
    let process = Process::start(&file).await;
    let load = Load::on(process.address, 8);
    load.answers(200).await;
    assert!(process.stop().await);
    let (_, failed) = load.end().await;
    // Only who finds nobody any more is refused.
    let cut: Vec<_> = failed.iter().filter(|why| !why.starts_with("connect")).collect();
    assert!(cut.is_empty(), "{cut:?}");
}

#[tokio::test]
async fn without_descriptors_hits_are_answered_and_accepting_goes_on_once_there_are_some() {
    let (origin, folder) = (origin_of("max-age=600").await, tempfile::tempdir().unwrap());
    let file = configured(folder.path(), &origin, "", "dir = \"\"");
    let process = Process::start(&file).await;
    let mut known = RawClient::connect(process.address).await;
    known.get("/a", &[]).await;
    assert_eq!(known.response().await.status(), 200);

    let open =
        std::fs::read_dir(format!("/proc/{}/fd", process.pid().as_raw_nonzero())).unwrap().count() as u64;
    let limit = |current| Rlimit { current: Some(current), maximum: Some(4096) };
    prlimit(Some(process.pid()), Resource::Nofile, limit(open)).unwrap();
    // They are let in by the kernel, and wait for us.
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(RawClient::connect(process.address).await);
    }
    for client in &mut waiting {
        client.get("/a", &[]).await;
    }
    for _ in 0..20 {
        known.get("/a", &[]).await;
        assert_eq!(known.response().await.text(), "body of /a");
    }
    // A miss wants a connection to the origin, which is an error of the origin and nothing worse.
    origin.stop().await;
    known.get("/b", &[]).await;
    assert_eq!(known.response().await.status(), 502);

    prlimit(Some(process.pid()), Resource::Nofile, limit(1024)).unwrap();
    for client in &mut waiting {
        assert_eq!(client.response().await.text(), "body of /a");
    }
    assert!(TcpStream::connect(process.address).await.is_ok());
    assert!(process.stop().await);
}
