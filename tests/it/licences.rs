//! What the build depends on, held to deny.toml without any network:
//!
//! - every crate's licence expression can be met with allowed licences alone;
//! - no crate is banned, none is there twice unless that is known, and all come from the registry with a checksum;
//! - no build may change Cargo.lock, and our crate can have no unsafe code.

use std::process::Command;

use serde_json::Value;

/// A file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn dependencies_keep_to_deny_toml() {
    let root = env!("CARGO_MANIFEST_DIR");
    let rules: toml::Table = text("deny.toml").parse().unwrap();
    let words = |list: &toml::Value| -> Vec<String> {
        let word = |v: &toml::Value| v.get("crate").unwrap_or(v).as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(word).collect()
    };
    let allowed = words(&rules["licenses"]["allow"]);
    let excepted = |name: &str| {
        let exceptions = rules["licenses"]["exceptions"].as_array().unwrap();
        let of_it = exceptions.iter().filter(|exception| exception["crate"].as_str() == Some(name));
        of_it.flat_map(|exception| words(&exception["allow"])).collect::<Vec<_>>()
    };
    let banned = words(&rules["bans"]["deny"]);
    let sources = words(&rules["sources"]["allow-registry"]);

    let packages = packages(root);
    assert!(packages.len() > 100, "the whole tree, not {}", packages.len());
    let mut broken = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        if !meets(licence, &[allowed.clone(), excepted(name)].concat()) {
            broken.push(format!("{name}: licence {licence}"));
        }
        if banned.iter().any(|banned| banned == name) {
            broken.push(format!("{name}: banned"));
        }
        let source = package["source"].as_str();
        let is_known = |source: &str| sources.iter().any(|known| source == format!("registry+{known}"));
        if !source.is_none_or(is_known) {
            broken.push(format!("{name}: from {}", source.unwrap_or_default()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Cargo.lock has what any platform builds, deny.toml is for ours: hence what is listed is held to the one, what is there twice to the other.
#[test]
fn what_is_there_twice_is_known() {
    let rules: toml::Table = text("deny.toml").parse().unwrap();
    let known: Vec<&str> = rules["bans"]["skip"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skip| skip["crate"].as_str().unwrap())
        .collect();
    let packages = packages(env!("CARGO_MANIFEST_DIR"));
    let named: Vec<(&str, &str)> =
        packages.iter().map(|p| (p["name"].as_str().unwrap(), p["version"].as_str().unwrap())).collect();
    let is = |known: &str, (name, version): (&str, &str)| {
        let (known, prefix) = known.split_once('@').expect("crate@version");
        known == name && version.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
    };
    let mut names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let versions: Vec<_> = named.iter().filter(|(other, _)| *other == name).collect();
        let skipped = |package| known.iter().any(|known| is(known, package));
        let unknown = versions.iter().filter(|package| !skipped(***package)).count();
        assert!(versions.len() < 2 || unknown <= 1, "{versions:?}");
    }
    for known in known {
        let name = known.split_once('@').map(|(name, _)| name);
        let twice = named.iter().filter(|(other, _)| Some(*other) == name).count() > 1;
        assert!(twice && named.iter().any(|package| is(known, *package)), "{known} is listed for nothing");
    }
}

#[test]
fn everything_is_pinned_and_no_build_changes_that() {
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let lock: toml::Table = text(lock).parse().unwrap();
        for package in lock["package"].as_array().unwrap() {
            let ours = package["name"].as_str().unwrap().starts_with("tintype");
            assert!(ours || package.get("checksum").is_some(), "{package}");
        }
    }
    const BUILDING: [&str; 7] = ["run", "test", "build", "clippy", "doc", "bench", "deny"];
    let mut calls = 0;
    for file in ["Makefile", ".ci/run", "Dockerfile", "scripts/fuzz"] {
        for line in text(file).replace("\\\n", " ").lines() {
            let line = line.replace("$(CARGO)", "cargo");
            let Some((_, call)) = line.split_once("cargo ") else { continue };
            if BUILDING.iter().any(|verb| call.split(' ').next() == Some(verb)) && !line.starts_with('#') {
                calls += 1;
                assert!(call.contains(" --locked") || line.contains("echo"), "{file}: {line}");
            }
        }
    }
    assert!(calls >= 10, "{calls} calls of cargo were found");
}

#[test]
fn our_crate_has_no_unsafe_code_and_cannot() {
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}

/// All packages of the build on this machine. What was built has been fetched, so no network is needed.
fn packages(root: &str) -> Vec<Value> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether the SPDX `expression` can be met with `allowed` licences. `OR` binds weaker than `AND`; `/` is an old `OR`.
fn meets(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    either(&mut rest, allowed) && rest.is_empty()
}

fn either(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = both(rest, allowed);
    while let ["OR", after @ ..] = *rest {
        *rest = after;
        met |= both(rest, allowed);
    }
    met
}

fn both(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = one(rest, allowed);
    while let ["AND", after @ ..] = *rest {
        *rest = after;
        met &= one(rest, allowed);
    }
    met
}

fn one(rest: &mut &[&str], allowed: &[String]) -> bool {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let met = either(rest, allowed);
            let [")", after @ ..] = *rest else { return false };
            *rest = after;
            met
        }
        [licence, "WITH", exception, after @ ..] => {
            *rest = after;
            allowed.contains(&format!("{licence} WITH {exception}"))
        }
        [licence, after @ ..] => {
            *rest = after;
            allowed.iter().any(|allowed| allowed == licence)
        }
        [] => false,
    }
}

#[test]
fn expressions_are_read_as_spdx_has_them() {
    let allowed = ["MIT".to_owned(), "ISC".to_owned(), "A WITH x".to_owned()];
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("MIT AND ISC", true),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("GPL-3.0 OR MIT AND ISC", true),
        ("MIT OR ISC AND GPL-3.0", true),
        ("(MIT OR ISC) AND GPL-3.0", false),
        ("A WITH x", true),
        ("A", false),
        ("A WITH y", false),
        ("(MIT", false),
        ("MIT ISC", false),
        ("", false),
    ] {
        assert_eq!(meets(expression, &allowed), met, "{expression}");
    }
}
