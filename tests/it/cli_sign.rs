//! `tintype sign URL`, and the programs of docs/SIGNING.md:
//! - what it prints is a link that a tintype with that key takes, from a page or from a request, by proxy.toml or by a file with the secret;
//! - what cannot be signed is told, with exit code 2;
//! - the examples of the documentation that can be run here sign the same.

use std::process::Command;

use serde_json::Value;
use tintype::policy::signing::own::Link;
use tintype::policy::signing::{Render, Secret};

use super::support::terminal::{in_pipe, tintype};

const SECRET: &str = "correct-horse-battery";

/// Its path, and what it grants, now.
fn verified(url: &str) -> (String, Option<u64>, Render, String) {
    let rest = url.trim().strip_prefix("https://shots.example.net").unwrap_or(url.trim());
    let (path, query) = rest.split_once('?').expect("a query");
    let link = Link::read(query).expect("readable").expect("a link");
    assert_eq!(link.key, "web");
    let granted =
        link.verify(path, &Secret::new(SECRET.into()), 1_000).unwrap_or_else(|e| panic!("{e}: {url}"));
    (path.to_owned(), granted.expires, granted.render, granted.query)
}

#[test]
fn links_are_signed_by_the_configuration_or_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (secret, config) = (folder.path().join("secret"), folder.path().join("proxy.toml"));
    std::fs::write(&secret, format!("{SECRET}\n")).expect("written");
    std::fs::write(
        &config,
        "[upstream.o]\nkind = \"remote\"\nurl = \"http://127.0.0.1:9\"\n[route.shots]\npath = \"/shots\"\nupstream = \"o\"\n\
         dialect = \"tintype\"\ncapture = true\nonly_pictures = false\nauth = \"signed\"\n[keys.web]\nsecret_file = \"secret\"\nrender = \"stale\"\n",
    )
    .expect("written");
    let (secret, config) = (secret.display().to_string(), config.display().to_string());
    let sign = |arguments: &[&str]| in_pipe(tintype(&[&["sign"], arguments].concat()));
    let good = |arguments: &[&str]| {
        let (code, told, errors) = sign(arguments);
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{arguments:?}");
        told
    };

    let by_file = ["--key", "web", "--secret-file", &secret];
    let (path, expires, render, query) =
        verified(&good(&[&["example.com", "-p", "width=800"], &by_file[..]].concat()));
    assert_eq!(
        (path.as_str(), render, query.as_str()),
        ("/screenshot", Render::Stale, "url=https%3A%2F%2Fexample.com&width=800")
    );
    assert!(expires.expect("a month") > 1_700_000_000);

    let by_config = ["--key", "web", "--config", &config, "--base", "https://shots.example.net/"];
    let told = good(&[&["https://example.com/", "--expires", "never"], &by_config[..]].concat());
    assert!(told.starts_with("https://shots.example.net/shots?"), "{told}");
    assert_eq!(
        verified(&told),
        ("/shots".into(), None, Render::Stale, "url=https%3A%2F%2Fexample.com%2F".into())
    );

    let request = "https://shots.example.net/shots?url=https://example.com/&width=320";
    let told =
        good(&[&[request, "--sizes", "320-640x*", "--render", "never", "--json"], &by_config[..]].concat());
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told["sizes"], &told["render"]), (&"320-640x*".into(), &"never".into()));
    assert!(told["expires_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{told}");
    assert_eq!(verified(told["url"].as_str().expect("a link")).2, Render::Never);

    let (code, _, errors) = sign(&[&["example.com", "--render", "allow"], &by_config[..]].concat());
    assert_eq!((code, errors.as_str()), (Some(0), "The key allows no more than render = stale.\n"));
    let (code, _, errors) = sign(&[&["example.com", "--sizes", "5x5"], &by_file[..]].concat());
    assert!(code == Some(0) && errors.contains("Add &width"), "{errors}");

    for (arguments, expected) in [
        (vec!["example.com", "--key", "other", "--config", &config], "no [keys.other]"),
        (vec!["example.com", "--key", "web", "--config", "/nowhere.toml"], "there is no /nowhere.toml"),
        (vec!["example.com", "--key", "web", "--secret-file", "/nowhere"], "/nowhere"),
        (vec!["example.com", "--key", "web", "--sizes", "5"], "WIDTHxHEIGHT"),
        (vec!["example.com", "--key", "web", "--expires", "soon"], "--expires"),
        (vec!["example.com", "--key", "web", "--render", "always"], "never, stale, allow"),
        (
            vec!["/shots?width=9", "--sizes", "5x5", "--key", "web", "--secret-file", &secret],
            "does not allow this size",
        ),
        (vec!["example.com", "-p", "width", "--key", "web", "--secret-file", &secret], "NAME=VALUE"),
        (vec!["example.com"], "--key"),
    ] {
        let (code, told, errors) = sign(&arguments);
        assert_eq!((code, told.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(errors.contains(expected) && !errors.contains(SECRET), "{arguments:?}: {errors}");
    }
}

/// The program in this language in docs/SIGNING.md.
fn example(language: &str) -> String {
    let text = include_str!("../../docs/SIGNING.md");
    let (_, rest) = text.split_once(&format!("```{language}\n")).expect("an example");
    rest.split("```").next().expect("its end").to_owned()
}

#[test]
fn the_examples_of_the_documentation_sign_the_same() {
    let expected =
        include_str!("../../docs/SIGNING.md").split("prints\n\n```text\n").nth(1).expect("what they print");
    let expected = expected.lines().next().expect("a line");
    let (path, expires, _, query) = verified(expected);
    assert_eq!((path.as_str(), expires), ("/screenshot", Some(1_793_491_200)));
    assert_eq!(query, "url=https%3A%2F%2Fexample.com%2F%3Fq%3Dcaf%C3%A9%20%26%20more%21");
    let mut ran = 0;
    for (language, program, flag) in
        [("python", "python3", "-c"), ("javascript", "node", "-e"), ("php", "php", "-r")]
    {
        let text = example(language);
        let text = text.strip_prefix("<?php\n").unwrap_or(&text);
        let Ok(output) = Command::new(program).args([flag, text]).output() else { continue };
        ran += 1;
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{language}: {output:?}");
    }
    println!("{ran} of 3 languages are here");
}
