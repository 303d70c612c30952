//! `tintype check` finds what `serve` refuses, errors name the path and what to do, and a low limit on open files costs cache, not the start.
//!
//! Sources: teamhephy/controller#168 and badssl#502 (a TLS key of another certificate), OpenWA#242 and chromedp#1636 (a folder that cannot be
//! written).

use std::path::Path;

use super::support::terminal::{in_pipe, tintype};
use crate::support::client::get;
use crate::support::*;

/// What `check`, `check --json` and `serve` say of `toml`: exit codes and texts.
fn said(folder: &Path, toml: &str) -> [(Option<i32>, String); 3] {
    let file = folder.join("proxy.toml");
    std::fs::write(&file, toml).unwrap();
    [&["check"][..], &["check", "--json"], &["serve"]].map(|verb| {
        let mut command = tintype(verb);
        command.arg("--config").arg(&file);
        let (code, told, errors) = in_pipe(command);
        (code, told + &errors)
    })
}

fn configuration(server: &str, dir: &str, more: &str) -> String {
    format!(
        "[server]\n{server}\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = {dir:?}\n[upstream.api]\nkind = \"remote\"\n\
         url = \"http://127.0.0.1:9\"\n[route.all]\nupstream = \"api\"\n{more}"
    )
}

#[test]
fn what_serve_refuses_is_found_before() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    std::fs::create_dir(&one).unwrap();
    std::fs::create_dir(&other).unwrap();
    let (certificate, _) = Identity::new().write(&one);
    let (_, key) = Identity::new().write(&other);
    let tls = format!("listen = \"127.0.0.1:0\"\ntls_certificate = {certificate:?}\ntls_key = {key:?}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (file, key) = (file.to_str().unwrap(), key.to_str().unwrap());
    let below = format!("{file}/cache");
    let free = "listen = \"127.0.0.1:0\"";
    for (toml, setting, path, remedy) in [
        (configuration(&tls, "", ""), "server.tls_key", key, "have both be of the same certificate"),
        (
            configuration("listen = \"192.0.2.1:8080\"", "", ""),
            "server.listen",
            "192.0.2.1:8080",
            "an address of this machine",
        ),
        (configuration(free, &below, ""), "store.dir", file, "that this user may write there"),
    ] {
        let [check, json, serve] = said(folder.path(), &toml);
        assert_eq!((check.0, json.0, serve.0), (Some(2), Some(2), Some(1)), "{setting}: {}", check.1);
        for (_, text) in [&check, &json, &serve] {
            assert!(text.contains(path) && text.contains(remedy), "{setting}: {text}");
        }
        let problems: serde_json::Value = serde_json::from_str(&json.1).unwrap();
        assert_eq!(problems["problems"][0]["path"], setting);
        assert!(check.1.contains(setting) && check.1.contains("1 problem"), "{}", check.1);
    }
}

/// A browser that cannot be run, or that has no place for its profile, is a start without pictures.
#[test]
fn what_keeps_a_browser_from_starting_is_found_before() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("chrome");
    let chrome = format!("[upstream.b]\nkind = \"chrome\"\nsandbox = \"off\"\nprogram = {program:?}\n");
    let file = folder.path().join("proxy.toml");
    std::fs::write(&program, "#!/bin/sh\n").unwrap();
    std::fs::write(&file, configuration("listen = \"127.0.0.1:0\"", "", &chrome)).unwrap();
    let check = |variable: &str, value: &str| {
        let mut command = tintype(&["check"]);
        command.arg("--config").arg(&file).env(variable, value);
        in_pipe(command)
    };
    let (code, _, errors) = check("X", "");
    assert_eq!(code, Some(2));
    assert!(errors.contains("upstream.b") && errors.contains("chmod +x"), "{errors}");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(check("X", "").0, Some(0));
    let (code, _, errors) = check("TMPDIR", "/nowhere/at/all");
    assert_eq!(code, Some(2));
    assert!(errors.contains("/nowhere/at/all") && errors.contains("TMPDIR"), "{errors}");
}

/// What a running tintype holds is no fault of its configuration.
#[tokio::test]
async fn a_running_tintype_is_no_problem() {
    let (origin, folder) = (ScriptedOrigin::start(|_| Reply::ok("x")).await, tempfile::tempdir().unwrap());
    let cache = folder.path().join("cache");
    let store = format!(
        "dir = {cache:?}\ndisk = \"16MiB\"\nblock = \"2MiB\"\nmemory = \"8MiB\"\nmax_stored_bytes = \"64KiB\"\nhold_for_tag = \"64KiB\""
    );
    let file = folder.path().join("proxy.toml");
    let toml = Tintype::toml(&origin, "").replace("dir = \"\"", &store);
    std::fs::write(&file, &toml).unwrap();
    let process = Process::start(&file).await;
    std::fs::write(&file, toml.replacen("127.0.0.1:0", &process.address.to_string(), 1)).unwrap();
    let mut command = tintype(&["check"]);
    command.arg("--config").arg(&file);
    let (code, told, errors) = in_pipe(command);
    assert_eq!(code, Some(0), "{told}{errors}");
    assert!(process.stop().await);
}

/// 100 blocks are 100 open files: with fewer, the disk tier is smaller and says so.
#[tokio::test]
async fn a_low_limit_on_open_files_costs_cache() {
    let (origin, folder) = (
        ScriptedOrigin::start(|_| Reply::ok("x").header("Cache-Control", "max-age=60")).await,
        tempfile::tempdir().unwrap(),
    );
    let store = format!(
        "dir = {:?}\ndisk = \"200MiB\"\nblock = \"2MiB\"\nmemory = \"8MiB\"\nmax_stored_bytes = \"64KiB\"\nhold_for_tag = \"64KiB\"",
        folder.path().join("cache")
    );
    let file = folder.path().join("proxy.toml");
    std::fs::write(&file, Tintype::toml(&origin, "").replace("dir = \"\"", &store)).unwrap();
    let log = folder.path().join("log");
    let before = |limit: u32| format!("ulimit -n {limit}; exec 2>{}", log.display());
    let process = Process::launched(Process::launch(&file, &before(100))).await;
    for n in 0..20 {
        assert_eq!(get(&format!("http://{}/{n}", process.address), &[]).await.status, 200);
    }
    assert!(process.stop().await);
    let told = std::fs::read_to_string(&log).unwrap();
    let lowered =
        told.lines().find(|line| line.contains("too few files")).unwrap_or_else(|| panic!("{told}"));
    assert!(lowered.contains("disk_bytes=104857600") && lowered.contains("ulimit -n"), "{lowered}");

    let mut refused = Process::launch(&file, &before(66));
    let status = tokio::task::spawn_blocking(move || refused.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(1));
    let told = std::fs::read_to_string(&log).unwrap();
    assert!(told.contains("raise the limit (ulimit -n)"), "{told}");
}
