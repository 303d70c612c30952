//! `tintype check`, and what every verb does with a configuration that is not good:
//!
//! - a good configuration: one line on standard output, exit 0;
//! - a bad one: every problem at once with file, line, column and path, exit 2;
//! - `--json` gives programs the same; NO_COLOR and CLICOLOR_FORCE are honoured;
//! - flags go over the environment, the environment over the file; no file at all is answered with what to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const GOOD: &str = r#"
[upstream.api]
kind = "remote"
url = "https://api.example.com"
[route.all]
host = "shots.example.com"
upstream = "api"
"#;

const BAD: &str = "[server]\nlisten = \"8080\"\n[store]\nmemroy = \"1GiB\"\n";

/// A folder with this proxy.toml in it.
fn folder(toml: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    std::fs::write(&file, toml).unwrap();
    (folder, file)
}

/// The program, run in `folder` with these variables and no others of ours.
fn tintype(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TINTYPE_") {
            command.env_remove(name);
        }
    }
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").current_dir(folder);
    command.args(arguments).envs(variables.iter().copied()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_good_file_is_summed_up_in_one_line() {
    let (folder, _) = folder(GOOD);
    let output = tintype(folder.path(), &["check"], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        stdout(&output),
        "proxy.toml is good: data plane http://127.0.0.1:8080, control plane http://127.0.0.1:9090, \
         upstreams: api (remote), routes: shots.example.com/ to api\n"
    );
    assert_eq!(stderr(&output), "");
}

#[test]
fn the_shipped_file_is_good() {
    let output = tintype(Path::new(env!("CARGO_MANIFEST_DIR")), &["check"], &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        stdout(&output).contains("upstreams: chrome (chrome), routes: /screenshot to chrome"),
        "{output:?}"
    );
}

#[test]
fn a_bad_file_is_told_problem_by_problem() {
    let (folder, file) = folder(BAD);
    let output = tintype(folder.path(), &["check", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    let file = file.display();
    for part in [
        format!("{file}: upstream\n  found:   nothing\n  allowed: at least one [upstream.NAME]\n"),
        format!("{file}:2:10: server.listen\n  found:   \"8080\"\n  allowed: an IP address and a port"),
        "  help:    did you mean \"0.0.0.0:8080\"?\n".to_owned(),
        format!(
            "{file}:4:1: store.memroy\n  found:   the unknown key `memroy`\n  allowed: one of dir, memory"
        ),
        "  help:    did you mean `memory`?\n".to_owned(),
        "4 problems in the configuration\n".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}\n---\n{text}");
    }
    assert_eq!(stdout(&output), "");
}

#[test]
fn serving_a_bad_file_tells_the_same() {
    let (folder, _) = folder(BAD);
    let checked = tintype(folder.path(), &["check"], &[]);
    for arguments in [["serve"].as_slice(), &[]] {
        let served = tintype(folder.path(), arguments, &[]);
        assert_eq!(served.status.code(), Some(2));
        assert_eq!(stderr(&served), stderr(&checked));
    }
}

#[test]
fn json_gives_programs_the_same() {
    let (folder, _) = folder(BAD);
    let variables = [("TINTYPE_LOG__LEVEL", "noisy")];
    let output = tintype(folder.path(), &["check", "--json", "--admin", "here"], &variables);
    assert_eq!(output.status.code(), Some(2));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["ok"], false);
    let rows: Vec<String> = object["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            format!(
                "{} {} {} {} {} {}",
                p["path"], p["kind"], p["file"], p["line"], p["variable"], p["argument"]
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            r#""upstream" "missing" "proxy.toml" null null null"#,
            r#""route" "missing" "proxy.toml" null null null"#,
            r#""server.listen" "malformed" "proxy.toml" 2 null null"#,
            r#""store.memroy" "unknown-key" "proxy.toml" 4 null null"#,
            r#""log.level" "malformed" null null "TINTYPE_LOG__LEVEL" null"#,
            r#""admin.listen" "malformed" null null null "--admin""#,
        ]
    );

    std::fs::write(folder.path().join("proxy.toml"), GOOD).unwrap();
    let output = tintype(folder.path(), &["check", "--json"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&object["ok"], &object["upstreams"][0]["kind"]), (&true.into(), &"remote".into()));
}

#[test]
fn flags_go_over_the_environment_and_that_over_the_file() {
    let (folder, _) = folder(&format!("[server]\nlisten = \"127.0.0.1:1\"\n{GOOD}"));
    let variable = [("TINTYPE_SERVER__LISTEN", "127.0.0.1:2")];
    let flag = ["check", "--listen", "127.0.0.1:3"];
    for (arguments, variables, listens) in [
        (&flag[..1], &[][..], "http://127.0.0.1:1,"),
        (&flag[..1], &variable[..], "http://127.0.0.1:2,"),
        (&flag[..], &variable[..], "http://127.0.0.1:3,"),
    ] {
        let output = tintype(folder.path(), arguments, variables);
        assert!(stdout(&output).contains(listens), "{output:?}");
    }
}

#[test]
fn an_unknown_variable_is_named() {
    let (folder, _) = folder(GOOD);
    let output = tintype(folder.path(), &["check"], &[("TINTYPE_STORE__MEMROY", "1GiB")]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.starts_with("environment variable TINTYPE_STORE__MEMROY: store.memroy\n"), "{text}");
    assert!(text.contains("did you mean `TINTYPE_STORE__MEMORY`?"), "{text}");
}

#[test]
fn colours_come_when_forced_and_never_against_no_color() {
    let (folder, _) = folder(BAD);
    for (variables, coloured) in [
        (&[][..], false),
        (&[("CLICOLOR_FORCE", "1")][..], true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")][..], false),
        (&[("CLICOLOR_FORCE", "0")][..], false),
    ] {
        let output = tintype(folder.path(), &["check"], variables);
        assert_eq!(stderr(&output).contains('\x1b'), coloured, "{variables:?}");
    }
}

#[test]
fn the_configuration_is_the_flag_then_the_variable_then_proxy_toml() {
    let (here, _) = folder(GOOD);
    let (_other, other) = folder(&GOOD.replace("shots", "other"));
    let other = other.to_str().unwrap();
    let upstream = ["check", "--upstream", "http://api"];
    for (arguments, variables, host) in [
        (&["check"][..], &[][..], "shots.example.com/ "),
        (&["check"][..], &[("TINTYPE_CONFIG", other)][..], "other.example.com/ "),
        (&["check", "--config", "proxy.toml"][..], &[("TINTYPE_CONFIG", other)][..], "shots.example.com/ "),
        (&upstream[..], &[("TINTYPE_CONFIG", other)][..], "routes: / to origin"),
    ] {
        let output = tintype(here.path(), arguments, variables);
        assert!(stdout(&output).contains(host), "{arguments:?} {output:?}");
    }
    let both = tintype(here.path(), &["serve", "--config", "proxy.toml", "--upstream", "http://api"], &[]);
    assert_eq!(both.status.code(), Some(2));
    assert!(stderr(&both).contains("cannot be used with"), "{both:?}");
}

#[test]
fn no_configuration_at_all_is_answered_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&[][..], &["serve"][..], &["check"][..]] {
        let output = tintype(folder.path(), arguments, &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("tintype serve --upstream https://api.example.com"), "{output:?}");
    }
    let named = tintype(folder.path(), &["check", "--config", "missing.toml"], &[]);
    assert!(stderr(&named).starts_with("missing.toml: unreadable\n"), "{named:?}");
    let help = tintype(folder.path(), &["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("Examples:"), "{help:?}");
    let version = tintype(folder.path(), &["--version"], &[]);
    assert_eq!(stdout(&version), format!("tintype {}\n", env!("CARGO_PKG_VERSION")));
}
