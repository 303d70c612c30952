//! `tintype doctor`:
//!
//! - a line for each check, with a remedy where something is amiss; 0 unless something failed, 2 for a bad configuration;
//! - fonts that are missing are found by what is drawn, and named with their package;
//! - a page's roads to this machine arrive nowhere, and would be noticed if they did;
//! - what a running tintype holds is not touched; origins are asked, and their credentials not shown;
//! - coloured and with progress in a terminal, plain in a pipe, one document for programs.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use tempfile::TempDir;

use super::support::terminal::{in_pipe, in_terminal, tintype};

const CHROME: &str = "
[upstream.chrome]
kind = \"chrome\"
launch_timeout = \"60s\"
[route.shots]
path = \"/screenshot\"
upstream = \"chrome\"
";

/// A folder with this proxy.toml in it, and the store in memory unless it says otherwise.
fn folder(toml: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = if toml.contains("[store]") { "" } else { "[store]\ndir = \"\"\n" };
    std::fs::write(folder.path().join("proxy.toml"), format!("{store}{toml}")).unwrap();
    folder
}

fn doctor(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = tintype(&["doctor"]);
    command.args(arguments).current_dir(folder);
    command
}

/// The exit code, and each check with its state and words.
fn examined(command: Command) -> (Option<i32>, Vec<(String, String, String)>) {
    let (code, json, errors) = in_pipe(command);
    assert_eq!(errors, "");
    let document: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["ok"], code == Some(0), "{document}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |row: &Value| {
        assert_eq!(row["state"] == "ok", row["remedy"].is_null(), "{row}");
        (text(&row["check"]), text(&row["state"]), text(&row["says"]) + " | " + &text(&row["remedy"]))
    };
    (code, document["checks"].as_array().unwrap().iter().map(row).collect())
}

/// What is said about a check, by state.
fn said<'a>(rows: &'a [(String, String, String)], check: &str, state: &str) -> Vec<&'a str> {
    rows.iter().filter(|row| row.0 == check && row.1 == state).map(|row| row.2.as_str()).collect()
}

#[test]
fn a_machine_in_order_passes_and_keeps_the_card() {
    let folder = folder(CHROME);
    let (code, text, errors) = in_pipe(doctor(folder.path(), &["--card", "card.png"]));
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    for line in [
        "ok       configuration  proxy.toml is good\n",
        "ok       capture        starts and makes a picture, in ",
        "ok       fonts          real glyphs, shaped: Latin, emoji, Chinese, Japanese, Korean, Arabic, Hebrew, Devanagari, Thai\n",
        "ok       guard          captures of 3 metadata services are refused\n",
        "ok       guard          a page tried 22 roads to this machine and reached nothing\n",
        "ok       disk           not used",
        "ok       clock          ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(text.contains("warning  sandbox        OFF, since tintype runs as root"), is_root, "{text}");
    let card = std::fs::read(folder.path().join("card.png")).unwrap();
    assert_eq!(super::chrome_site::Pixels::decode(&card).size(), (640, 380));
}

#[test]
fn missing_fonts_are_found_and_their_packages_named() {
    let folder = folder(CHROME);
    let fonts = "/usr/share/fonts/truetype/liberation";
    if !Path::new(fonts).is_dir() {
        eprintln!("SKIPPED: no fonts in {fonts}");
        return;
    }
    let cache = folder.path().join("cache");
    let conf = folder.path().join("fonts.conf");
    let text = format!("<fontconfig><dir>{fonts}</dir><cachedir>{}</cachedir></fontconfig>", cache.display());
    std::fs::write(&conf, format!("<?xml version=\"1.0\"?>{text}")).unwrap();
    let mut command = doctor(folder.path(), &["--json"]);
    command.env("FONTCONFIG_FILE", &conf);
    let (code, rows) = examined(command);
    assert_eq!(code, Some(0), "{rows:?}");
    let missing = said(&rows, "fonts", "warning");
    for (script, package) in [
        ("emoji", "fonts-noto-color-emoji"),
        ("Chinese", "fonts-noto-cjk"),
        ("Arabic", "fonts-noto-core"),
        ("Devanagari", "fonts-noto-core"),
        ("Thai", "fonts-noto-core"),
    ] {
        let boxes = format!("{script} is drawn as boxes: no font has it | apt-get install {package} ");
        assert!(missing.iter().any(|line| line.starts_with(&boxes)), "{script} {missing:?}");
    }
    assert_eq!(said(&rows, "fonts", "ok"), ["real glyphs, shaped: Latin | "]);
}

/// The control of the guard's check: opened by the operator, the same roads arrive and are counted.
#[test]
fn roads_that_arrive_are_noticed() {
    let folder =
        folder(&CHROME.replace("[route", "allow_ranges = [\"127.0.0.0/8\", \"169.254.0.0/16\"]\n[route"));
    let (code, rows) = examined(doctor(folder.path(), &["--json"]));
    assert_eq!(code, Some(0), "{rows:?}");
    let open = said(&rows, "guard", "warning");
    assert!(
        open[0].starts_with("allow_ranges lets pages reach the metadata service at 169.254.169.254 |"),
        "{open:?}"
    );
    let arrived = open[1].split_once("itself: ").unwrap().1;
    let arrived: usize = arrived.split(' ').next().unwrap().parse().unwrap();
    assert!(arrived >= 6, "{open:?}");
}

#[test]
fn a_browser_that_does_not_start_is_a_failure_with_a_remedy() {
    let folder = folder(&CHROME.replace(
        "\"60s\"",
        "\"2s\"\ndeadline = \"11s\"\nprogram = \"./broken\"\nmax_delay = \"1s\"\nmax_wait = \"1s\"",
    ));
    let program = folder.path().join("broken");
    std::fs::write(&program, "#!/bin/sh\necho some library is missing >&2\nexit 3\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    let (code, rows) = examined(doctor(folder.path(), &["--json"]));
    assert_eq!(code, Some(1), "{rows:?}");
    assert!(said(&rows, "capture", "failure")[0].contains("some library is missing"), "{rows:?}");
    assert!(said(&rows, "browser", "warning")[0].contains("does not tell its version"), "{rows:?}");
}

#[test]
fn the_disk_is_looked_at_and_a_running_tintype_left_alone() {
    let remote =
        "[upstream.api]\nkind = \"remote\"\nurl = \"http://127.0.0.1:1\"\n[route.all]\nupstream = \"api\"\n";
    let folder = folder(&format!("[store]\ndir = \"cache\"\ndisk = \"256MiB\"\n{remote}"));
    let cache = folder.path().join("cache");
    let disk = || {
        let (_, rows) = examined(doctor(folder.path(), &["--json"]));
        said(&rows, "disk", "ok").join(" ")
    };
    assert!(disk().contains("cache: 256.0 MiB more needed, "));
    assert!(!cache.exists(), "it was made");

    std::fs::create_dir(&cache).unwrap();
    assert!(disk().contains("256.0 MiB more needed"));
    let held = std::fs::File::open(&cache).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    assert!(disk().contains("in use by a running tintype"));
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0, "something was left");

    let mut command = doctor(folder.path(), &["--json"]);
    command.env("TINTYPE_STORE__DISK", "64TiB");
    let (code, rows) = examined(command);
    assert_eq!(code, Some(1));
    assert!(said(&rows, "disk", "failure")[0].contains("make room there, or lower disk"), "{rows:?}");
}

#[test]
fn origins_are_asked_and_their_keys_not_shown() {
    for (answer, state, says, clock) in [
        ("200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT", "ok", "answers HEAD / with 200 in ", 1),
        ("401 Unauthorized", "warning", "check set_headers and set_query", 0),
        ("503 Service Unavailable", "warning", "errors are covered by stale pictures", 0),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let origin = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
            head.join("\n")
        });
        let folder = folder(&format!(
            "[upstream.api]\nkind = \"remote\"\nurl = \"http://{address}/v1\"\nset_headers = {{ x-key = \"hush-1\" }}\n\
             set_query = {{ access_key = \"hush-2\" }}\n[route.all]\nupstream = \"api\"\n"
        ));
        let (code, json, _) = in_pipe(doctor(folder.path(), &["--json"]));
        assert_eq!(code, Some(0), "{json}");
        assert!(!json.contains("hush"), "{json}");
        let (head, document): (_, Value) = (origin.join().unwrap(), serde_json::from_str(&json).unwrap());
        assert!(head.starts_with("HEAD /v1/?access_key=hush-2 HTTP/1.1\n"), "{head}");
        let rows = document["checks"].as_array().unwrap();
        let row = rows.iter().find(|row| row["check"] == "upstream").unwrap();
        assert_eq!(row["state"], state, "{row}");
        assert!(row.to_string().contains(says), "{row}");
        let behind = |row: &&Value| row["check"] == "clock" && row["state"] == "warning";
        assert_eq!(rows.iter().filter(behind).count(), clock, "{json}");
    }
}

#[test]
fn an_origin_that_is_not_there_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text, errors) = in_pipe(doctor(folder.path(), &["--upstream", "http://127.0.0.1:1"]));
    assert_eq!((code, errors.as_str()), (Some(1), ""), "{text}");
    assert!(
        text.contains("\nfailure  upstream       origin: http://127.0.0.1:1: connection refused"),
        "{text}"
    );
    assert!(text.contains("\n         remedy: start it, open the way to it, or correct url\n"), "{text}");
    assert!(text.ends_with("1 failure, 0 warnings\n") || text.contains("1 failure, "), "{text}");
}

#[test]
fn bad_usage_and_configurations_are_two() {
    let folder = folder("[server]\nlisten = \"8080\"\n");
    let (code, text, errors) = in_pipe(doctor(folder.path(), &[]));
    assert_eq!((code, text.as_str()), (Some(2), ""));
    assert!(errors.contains("server.listen"), "{errors}");
    let (code, rows) = examined(doctor(folder.path(), &["--json"]));
    assert_eq!(code, Some(2));
    assert_eq!(rows[0].0, "configuration");
    let card = ["--upstream", "http://127.0.0.1:1", "--card", "card.png"];
    let (code, _, errors) = in_pipe(doctor(folder.path(), &card));
    assert_eq!(code, Some(2));
    assert!(errors.contains("--card needs an upstream of kind"), "{errors}");
}

#[test]
fn a_terminal_gets_colours_and_progress_unless_it_wants_none() {
    let folder = folder(CHROME);
    let (code, screen) = in_terminal(doctor(folder.path(), &[]), 100);
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("looking at upstream.chrome"), "{screen:?}");
    assert!(screen.contains("\x1b[32mok\x1b[0m       \x1b[1mcapture\x1b[0m"), "{screen:?}");

    let mut command = doctor(folder.path(), &[]);
    command.env("NO_COLOR", "1");
    let (code, screen) = in_terminal(command, 100);
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("ok       capture        starts"), "{screen:?}");
}
