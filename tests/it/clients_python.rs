//! The client of the A rows: Python with `requests`, over real HTTP, as its users write it (tests/clients/cached_screenshot_client.py).
//! - against a screenshot API behind tintype: twice the same, force, batch of five, statistics, clean-up, polling by tag;
//! - against the built-in engine: a picture of the size that was asked for, from the cache the second time.
//!
//! Where there is no Python with `requests`, a line says that nothing was tried; with TINTYPE_TEST_CLIENTS=required, as in the
//! gate, that is a failure.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::chrome_site::{ALLOWED, Site, html};
use crate::support::*;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/cached_screenshot_client.py");
const API_KEY: &str = "of-the-operator";

/// A Python that has `requests`: the first on the path, or the system's own.
async fn python() -> Option<&'static str> {
    for program in ["python3", "/usr/bin/python3"] {
        let probe = Command::new(program).args(["-c", "import requests"]).output().await;
        if probe.is_ok_and(|output| output.status.success()) {
            return Some(program);
        }
    }
    let required = std::env::var("TINTYPE_TEST_CLIENTS").is_ok_and(|value| value == "required");
    assert!(
        !required,
        "TINTYPE_TEST_CLIENTS=required, and no python3 with requests (apt-get install python3-requests)"
    );
    // Not by `eprintln!`, which the harness shows of failed tests only.
    let _ = std::io::stderr().write_all(
        b"SKIPPED: no python3 with requests here (apt-get install python3-requests), the Python client was not tried\n",
    );
    None
}

fn client(python: &str, tintype: &Tintype) -> Command {
    let mut client = Command::new(python);
    client.args(["-B", CLIENT, &tintype.url(""), &tintype.admin_url("")]);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    client
}

/// Does what the client wants done, until it is done itself.
async fn converse(mut client: Child, mut perform: impl FnMut(&str)) {
    let mut wishes = BufReader::new(client.stdout.take().unwrap()).lines();
    let mut answers = client.stdin.take().unwrap();
    let mut last = String::new();
    while let Some(wish) = wishes.next_line().await.unwrap() {
        if wish != "done" {
            perform(&wish);
            answers.write_all(b"ok\n").await.unwrap();
        }
        last = wish;
    }
    let output = client.wait_with_output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && last == "done", "after {last:?}: {errors}");
}

#[tokio::test]
async fn a_python_client_finds_its_api_faster_and_otherwise_the_same() {
    let Some(python) = python().await else { return };
    let version = Arc::new(AtomicUsize::new(0));
    let deployed = Arc::clone(&version);
    let api = ScriptedOrigin::start(move |request| {
        let url = url::Url::parse(&format!("http://api{}", request.target)).unwrap();
        let given: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let of = |name: &str| given.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value);
        // What an API wants: its path, its parameters, and the key that only the operator has.
        let good = url.path() == "/screenshot" && of("format") == "png" && !of("width").is_empty();
        if !good || request.header_all("x-api-key") != [API_KEY] {
            return Reply::status(401);
        }
        if of("url").ends_with("/broken") {
            return Reply::status(500);
        }
        if of("url").ends_with("/gone") {
            return Reply::status(404);
        }
        let shown = deployed.load(Ordering::SeqCst);
        let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
        picture.extend(format!("{} {}x{} {shown}", of("url"), of("width"), of("height")).into_bytes());
        Reply::ok(picture).header("Content-Type", "image/png")
    })
    .await;
    let tintype = Tintype::with(
        &api,
        &format!(
            "capture = true\nonly_pictures = false\npreset = \"none\"\ndefault_ttl = \"1h\"\nearly_refresh = 0.0\nstale_when_disconnected = \"0s\"\n\
             [upstream.origin.set_headers]\nx-api-key = \"{API_KEY}\"\n"
        ),
    )
    .await;
    let running = client(python, &tintype).spawn().unwrap();
    converse(running, |wish| match wish.split_once(' ') {
        Some(("later", seconds)) => tintype.later(seconds.parse().unwrap()),
        None if wish == "deploy" => {
            version.fetch_add(1, Ordering::SeqCst);
        }
        _ => panic!("{wish}"),
    })
    .await;
    // The first page in two sizes, forced once, anew once it was stale; ten of the batch, of which nothing was asked for twice.
    assert_eq!(api.count(), 2 + 1 + 1 + 10);
    tintype.stop().await;
}

#[tokio::test]
async fn a_python_client_gets_pictures_of_the_engine() {
    let Some(python) = python().await else { return };
    let site = Site::start([("/", html("<!doctype html><body style='background:#0f0'><h1>Page"))]).await;
    let tintype = Tintype::of(&format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[store]\ndir = \"\"\n\
         [upstream.chrome]\nkind = \"chrome\"\nallow_ranges = [\"{ALLOWED}/32\"]\n\
         [route.shots]\npath = \"/screenshot\"\nupstream = \"chrome\"\nearly_refresh = 0.0\n"
    ))
    .await;
    let running = client(python, &tintype).arg(site.url("/")).spawn().unwrap();
    converse(running, |wish| panic!("{wish}")).await;
    assert_eq!(site.times("/"), 1);
    tintype.stop().await;
}
