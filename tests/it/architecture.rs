//! The structure of the source tree: which directory may use which, no import circle between files, bounds of files and
//! functions, and what only one place may name. docs/ARCHITECTURE.md gives the reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::imports::{SourceFile, circles, imports, source_files};

/// Lines of a file, without its tests.
const MAX_FILE_LINES: usize = 400;
/// Lines of a function.
const MAX_FUNCTION_LINES: usize = 80;

/// Each directory or file below `src`, and what it may use. What is not listed may use everything: the composition root and
/// the command line.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("message", &["clock"]),
    ("capture", &["clock", "message", "policy"]),
    ("policy", &["clock", "message"]),
    ("telemetry", &["clock", "message"]),
    ("tasks", &["telemetry"]),
    ("derive", &["capture", "tasks"]),
    ("store", &["clock", "policy", "tasks", "telemetry"]),
    ("origin", &["capture", "clock", "message", "tasks", "telemetry"]),
    ("listener", &["message", "tasks"]),
    ("proxy", &["capture", "clock", "derive", "message", "origin", "policy", "store", "tasks", "telemetry"]),
    ("purge", &["capture", "clock", "message", "origin", "policy", "proxy", "store", "tasks", "telemetry"]),
    ("jobs", &["capture", "clock", "message", "origin", "policy", "proxy", "tasks", "telemetry"]),
    (
        "admin",
        &[
            "capture",
            "clock",
            "jobs",
            "listener",
            "message",
            "origin",
            "policy",
            "purge",
            "tasks",
            "telemetry",
        ],
    ),
    (
        "config",
        &[
            "admin",
            "capture",
            "clock",
            "derive",
            "jobs",
            "listener",
            "message",
            "origin",
            "policy",
            "proxy",
            "purge",
            "store",
            "telemetry",
        ],
    ),
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The directory below `src` that a file belongs to, or its own name.
fn place(file: &SourceFile) -> String {
    file.path.with_extension("").iter().next().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn directories_use_only_what_is_below_them() {
    let files = source_files(&src());
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.iter().copied().collect();
    let mut offences = BTreeSet::new();
    for (file, targets) in files.iter().zip(imports(&files)) {
        let from = place(file);
        let Some(allowed) = allowed.get(from.as_str()) else { continue };
        for target in targets {
            let to = place(&files[target]);
            if to != from && !allowed.contains(&to.as_str()) {
                offences.insert(format!("{} uses {}", file.path.display(), files[target].path.display()));
            }
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let files = source_files(&src());
    let graph = imports(&files);
    let describe = |group: &Vec<usize>| -> Vec<String> {
        let line = |number: &usize| {
            let targets = graph[*number].iter().filter(|target| group.contains(target));
            let targets: Vec<_> = targets.map(|target| files[*target].path.to_str().unwrap()).collect();
            format!("{} uses {}", files[*number].path.display(), targets.join(", "))
        };
        group.iter().map(line).collect()
    };
    let found: Vec<_> = circles(&graph).iter().map(describe).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn files_and_functions_stay_short() {
    let mut offences = Vec::new();
    for file in source_files(&src()) {
        let path = file.path.display();
        if file.lines > MAX_FILE_LINES {
            offences.push(format!("{path}: {} lines, at most {MAX_FILE_LINES}", file.lines));
        }
        for (name, line, lines) in &file.functions {
            if *lines > MAX_FUNCTION_LINES {
                offences
                    .push(format!("{path}:{line}: {name} has {lines} lines, at most {MAX_FUNCTION_LINES}"));
            }
        }
    }
    assert!(offences.is_empty(), "{offences:#?}");
}

/// Every line of code below `src/directory`, comments left out, as `file:line` and text.
fn lines(directory: &str) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for file in source_files(&src()).iter().filter(|file| directory.is_empty() || place(file) == directory) {
        let text = fs::read_to_string(src().join(&file.path)).unwrap();
        for (number, line) in text.lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                lines.push((format!("{}:{}", file.path.display(), number + 1), line.to_owned()));
            }
        }
    }
    assert!(!lines.is_empty(), "nothing below src/{directory}");
    lines
}

fn forbid(directory: &str, words: &[&str], except: &str) {
    let offences: Vec<String> = lines(directory)
        .into_iter()
        .filter(|(at, line)| words.iter().any(|word| line.contains(word)) && !at.starts_with(except))
        .map(|(at, line)| format!("{at}: {}", line.trim()))
        .collect();
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn decisions_do_no_input_or_output() {
    for directory in ["policy", "capture"] {
        forbid(
            directory,
            &["async fn", ".await", "tokio::", "tracing::", "std::fs", "std::net::Tcp", "SystemTime"],
            "-",
        );
    }
}

#[test]
fn only_the_clock_reads_the_time_and_only_the_store_names_foyer() {
    forbid("", &["SystemTime::now", "UNIX_EPOCH.elapsed"], "clock.rs");
    forbid("", &["foyer::"], "store/");
    forbid("", &["object_store::", "redis::"], "shared/");
}
