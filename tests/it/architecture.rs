//! The directions of docs/ARCHITECTURE.md: who may know whom, who may call `now()`, who may name foyer.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// Every line of code (comments left out) below `src/PLACE` as `file:line` and text.
fn lines(place: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(place);
    let mut files = Vec::new();
    if root.is_dir() {
        sources(&root, &mut files)
    } else {
        files.push(root)
    }
    let mut lines = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                lines.push((format!("{}:{}", file.display(), number + 1), line.to_owned()));
            }
        }
    }
    assert!(!lines.is_empty(), "nothing below src/{place}");
    lines
}

fn forbid(place: &str, words: &[&str], except: &[&str]) {
    let offences: Vec<String> = lines(place)
        .into_iter()
        .filter(|(at, line)| {
            words.iter().any(|word| line.contains(word)) && !except.iter().any(|spared| at.contains(spared))
        })
        .map(|(at, line)| format!("{at}: {}", line.trim()))
        .collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn policy_and_message_know_nobody_above_them() {
    let above = [
        "crate::proxy",
        "crate::store",
        "crate::origin",
        "crate::admin",
        "crate::listener",
        "crate::app",
        "crate::config",
    ];
    forbid("policy", &above, &[]);
    forbid("message", &above, &[]);
    forbid("message", &["crate::policy"], &[]);
    forbid("policy", &["async fn", ".await", "tokio::", "tracing::", "std::fs", "SystemTime"], &[]);
}

#[test]
fn origins_do_not_know_that_caching_exists() {
    forbid("origin", &["crate::proxy", "crate::store", "crate::policy", "crate::admin"], &[]);
}

#[test]
fn what_makes_pictures_knows_only_what_is_to_be_made() {
    forbid("derive", &["crate::proxy", "crate::store", "crate::origin", "crate::admin", "crate::app"], &[]);
}

#[test]
fn proxy_and_admin_meet_only_in_app() {
    forbid("proxy", &["crate::admin", "crate::app"], &[]);
    forbid("admin", &["crate::proxy", "crate::app"], &[]);
}

#[test]
fn modules_do_not_import_config() {
    for place in ["listener", "message", "policy", "proxy", "store", "origin", "admin", "telemetry", "derive"]
    {
        forbid(place, &["crate::config"], &[]);
    }
}

#[test]
fn only_the_clock_reads_the_wall_clock_and_only_the_store_names_foyer() {
    forbid("", &["SystemTime::now", "UNIX_EPOCH.elapsed"], &["src/clock.rs"]);
    forbid("", &["foyer::"], &["src/store/"]);
}
