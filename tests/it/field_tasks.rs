//! A task that must live and does not is the end of the process, at once and with a code that has it started again; until then health
//! checks tell the truth.
//!
//! Source: typedb#7985, where the accept loop was dead, the process lived and `/readyz` said 200.

use std::time::Duration;

use ::tintype::tasks::How;

use crate::support::client::get;
use crate::support::*;

/// The vital tasks of [`everything`].
pub(super) const VITAL: [&str; 8] = [
    "browser-keeper",
    "config-watcher",
    "control-plane",
    "data-plane",
    "disk-check",
    "job-sweeper",
    "refresh-ahead",
    "reloader",
];

/// One of each kind of vital task: a disk, a watched file, a refresh ahead of need, and a browser that never comes.
pub(super) fn everything(folder: &std::path::Path, origin: &ScriptedOrigin) -> String {
    let store = format!(
        "dir = {:?}\ndisk = \"32MiB\"\nblock = \"2MiB\"\nmemory = \"8MiB\"\nmax_stored_bytes = \"64KiB\"\nhold_for_tag = \"64KiB\"",
        folder.join("cache")
    );
    let more = "refresh_ahead = 10\n[upstream.browser]\nkind = \"chrome\"\nprogram = \"/bin/false\"\nsandbox = \"off\"\n";
    Tintype::toml(origin, more)
        .replace("[admin]", "watch_config = true\n[admin]")
        .replace("dir = \"\"", &store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_any_vital_task_shows_in_health_checks() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("x")).await;
    for name in VITAL {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("proxy.toml");
        std::fs::write(&file, everything(folder.path(), &origin)).unwrap();
        let running = Tintype::from_file(&file).await;
        let mut vital = running.tasks().vital();
        vital.sort_unstable();
        assert_eq!(vital, VITAL);
        let health = running.client.get(&running.admin_url("/healthz"), &[]).await;
        assert_eq!((health.status, running.tasks().failure()), (200, None));

        running.tasks().cut(name);
        let failure = within("the failure", running.tasks().failed()).await;
        assert_eq!((failure.task, failure.how), (name, How::Dropped));
        if name != "control-plane" {
            for path in ["/healthz", "/readyz", "/health"] {
                let answer = running.client.get(&running.admin_url(path), &[]).await;
                assert_eq!(answer.status, 503, "{name}: {path} {}", answer.text());
                assert!(path == "/health" || answer.text().contains(name), "{}", answer.text());
            }
        }
        running.stop().await;
    }
}

/// An orderly end and a reload are no failures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_that_are_told_to_end_are_no_failures() {
    let (origin, folder) = (ScriptedOrigin::start(|_| Reply::ok("x")).await, tempfile::tempdir().unwrap());
    let file = folder.path().join("proxy.toml");
    std::fs::write(&file, everything(folder.path(), &origin)).unwrap();
    let running = Tintype::from_file(&file).await;
    let tasks = running.tasks().clone();
    // Without the browser and the refresh.
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text[..text.find("[upstream.browser]").unwrap()].replace("refresh_ahead = 10", "");
    std::fs::write(&file, text).unwrap();
    assert_eq!(running.reload().await.status, 200);
    within("the keeper to end", async {
        while tasks.vital().contains(&"browser-keeper") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(tasks.failure(), None);
    running.stop().await;
    assert_eq!(tasks.failure(), None);
}

/// A real process whose accept loop panics: it exits with 1 within a second, where it was alive and deaf.
#[cfg(debug_assertions)]
#[tokio::test]
async fn a_process_without_its_accept_loop_exits() {
    for name in ["data-plane", "control-plane", "reloader"] {
        let (origin, folder) =
            (ScriptedOrigin::start(|_| Reply::ok("x")).await, tempfile::tempdir().unwrap());
        let (config, end) = (folder.path().join("proxy.toml"), folder.path().join("end"));
        std::fs::write(&config, Tintype::toml(&origin, "")).unwrap();
        let before = format!("export __TINTYPE_END_TASK={name}:{}", end.display());
        let process = Process::launched(Process::launch(&config, &before)).await;
        assert_eq!(get(&format!("http://{}/a", process.address), &[]).await.status, 200);
        assert_eq!(get(&format!("http://{}/healthz", process.admin), &[]).await.status, 200);
        std::fs::write(&end, "").unwrap();
        assert_eq!(process.ended().await, Some(1), "{name}");
    }
}

// hyper ends a connection whose handler panics: over HTTP/2 all its other requests fail with it.
#[tokio::test]
async fn a_panic_in_a_handler_is_a_500_of_its_request_alone() {
    let handler = |request: http::Request<::tintype::message::body::Body>, _| async move {
        assert_ne!(request.uri().path(), "/bad", "the fault of this test");
        http::Response::new(::tintype::message::body::Body::whole("good"))
    };
    let serving = Serving::start(Serving::config(), handler).await;
    let mut raw = RawClient::connect(serving.address).await;
    for (target, status) in [("/bad", 500), ("/", 200)] {
        raw.get(target, &[]).await;
        assert_eq!(raw.response().await.status(), status, "{target}");
    }
    let client = Client::h2();
    let good = client.get(&serving.url("/"), &[]);
    let bad = client.get(&serving.url("/bad"), &[]);
    let (good, bad) = tokio::join!(good, bad);
    assert_eq!((good.status, bad.status), (200, 500));
}
