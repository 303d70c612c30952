//! `tintype purge` and `tintype gc` (row A09), and how every verb finds the control plane:
//!
//! - each name reaches the control plane as what it is; the modes and the dry run too; what was hit is told;
//! - everything is purged only after a yes: of somebody at a terminal, or by --yes;
//! - address and token come from flags, environment and configuration; the token is never shown, and one of a configuration
//!   that nobody named does not go elsewhere;
//! - exit 0 when done, 1 when nobody answers or the token is wrong, 2 for wrong usage.

use std::process::Command;

use serde_json::{Value, json};

use super::support::terminal::{in_pipe, in_terminal, tintype, watched_in_terminal};
use crate::support::*;

const TOKEN: &str = "0123456789abcdef";

pub(crate) async fn storing() -> ScriptedOrigin {
    ScriptedOrigin::start(|request| {
        Reply::ok(format!("#{}", request.index))
            .header("Cache-Control", "max-age=600, stale-while-revalidate=60")
            .header("Cache-Tag", "seven")
    })
    .await
}

/// The verb with the control plane of `running`.
pub(crate) fn asking(running: &Tintype, arguments: &[&str]) -> Command {
    let mut command = tintype(arguments);
    command.args(["--admin", &running.admin_url("")]);
    command
}

async fn x_cache(running: &Tintype, path: &str) -> String {
    running.get(path).await.header("x-cache").unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_hits_what_it_means() {
    let origin = storing().await;
    let running = Tintype::with(&origin, "capture = true\nonly_pictures = false\n").await;
    let path = "/s?url=https://a.example/shop/1";
    for (arguments, said) in [
        (&["https://a.example/shop/1"][..], "purged 1 stored response\n"),
        (&["a.example/shop/1", "b.example"], "purged 1 stored response\n"),
        (&["--tag", "six", "--tag", "seven"], "purged 1 stored response\n"),
        (&["--host", "a.example"], "purged 1 stored response\n"),
        (&["--prefix", "https://a.example/shop"], "purged 1 stored response\n"),
        (&["--all", "--yes"], "purged 1 stored response\n"),
    ] {
        running.get(path).await;
        let (code, told, errors) = in_pipe(asking(&running, &[&["purge"], arguments].concat()));
        assert_eq!((code, told.as_str(), errors.as_str()), (Some(0), said, ""), "{arguments:?}");
        assert_eq!(x_cache(&running, path).await, "MISS", "{arguments:?}");
    }
    // Misses leave it alone.
    for arguments in [&["--tag", "six"][..], &["--host", "b.example"], &["https://a.example/"]] {
        let (code, told, _) = in_pipe(asking(&running, &[&["purge"], arguments].concat()));
        assert_eq!((code, told.as_str()), (Some(0), "purged nothing: none of what is stored is hit\n"));
        assert_eq!(x_cache(&running, path).await, "HIT", "{arguments:?}");
    }
    let (_, told, _) = in_pipe(asking(&running, &["ls"]));
    let key = serde_json::from_str::<Value>(&told).unwrap()["key"].as_str().unwrap().to_owned();
    assert_eq!(in_pipe(asking(&running, &["purge", "--key", &key])).0, Some(0));
    assert_eq!(x_cache(&running, path).await, "MISS");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_can_be_soft_fetched_again_or_only_told() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    running.get("/a").await;
    let dry = in_pipe(asking(&running, &["purge", "/a", "--dry-run", "--list", "5"]));
    assert_eq!((dry.0, dry.2.as_str()), (Some(0), "would purge 1 stored response\n"));
    assert_eq!(serde_json::from_str::<Value>(&dry.1).unwrap()["hits"], 0, "a line of JSON: {}", dry.1);
    let (code, shown) = in_terminal(asking(&running, &["purge", "/a", "--dry-run", "--list", "5"]), 100);
    assert_eq!(code, Some(0));
    assert!(shown.contains("would purge 1 stored response") && shown.contains("TARGET"), "{shown}");
    assert_eq!(x_cache(&running, "/a").await, "HIT");

    let soft = in_pipe(asking(&running, &["purge", "/a", "--soft"]));
    assert_eq!((soft.0, soft.1.as_str()), (Some(0), "purged 1 stored response, softly: stale from now on\n"));
    assert_eq!(x_cache(&running, "/a").await, "STALE");
    origin.received(2).await;

    running.get("/b").await;
    let refresh = in_pipe(asking(&running, &["purge", "/b", "--refresh", "--json"]));
    let told: Value = serde_json::from_str(&refresh.1).unwrap();
    assert_eq!((&told["mode"], &told["refreshing"]), (&json!("refresh"), &json!(1)), "{told}");
    origin.received(4).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_purged_only_after_a_yes() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    running.get("/a").await;
    let (code, told, errors) = in_pipe(asking(&running, &["purge", "--all"]));
    assert_eq!((code, told.as_str()), (Some(2), ""));
    assert!(errors.contains("--all needs --yes"), "{errors}");
    let (code, told, _) = in_pipe(asking(&running, &["purge", "--all", "--dry-run"]));
    assert_eq!((code, told.as_str()), (Some(0), "would purge 1 stored response\n"));
    for (answer, code, said, after) in
        [("\n", 1, "nothing was purged", "HIT"), ("y\n", 0, "purged 1 stored response", "MISS")]
    {
        let mut asked = false;
        let done = watched_in_terminal(asking(&running, &["purge", "--all"]), 100, move |seen, hand| {
            if !asked && seen.contains("[y/N]") {
                asked = true;
                hand.types(answer);
            }
        });
        assert_eq!(done.0, Some(code), "{done:?}");
        assert!(
            done.1.contains("Purge everything that is stored at http://127.0.0.1:") && done.1.contains(said)
        );
        assert_eq!(x_cache(&running, "/a").await, after);
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_of_no_use_is_dropped_and_counted() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    running.get("/a").await;
    running.get("/b").await;
    let none = in_pipe(asking(&running, &["gc"]));
    assert_eq!(
        (none.0, none.1.as_str()),
        (Some(0), "dropped 0 stored responses, stale beyond every window\n")
    );
    running.later(1_000_000);
    let all = in_pipe(asking(&running, &["gc", "--json"]));
    assert_eq!((all.0, serde_json::from_str::<Value>(&all.1).unwrap()), (Some(0), json!({ "dropped": 2 })));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_and_token_come_from_flags_environment_and_configuration() {
    let origin = storing().await;
    let toml = Tintype::toml(&origin, "").replace("[store]", &format!("token = \"{TOKEN}\"\n[store]"));
    let running = Tintype::of(&toml).await;
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let admin = running.admin_url("");
    let address = admin.trim_start_matches("http://").to_owned();
    let config = folder.path().join("proxy.toml");
    std::fs::write(
        &config,
        toml.replacen("[admin]\nlisten = \"127.0.0.1:0\"", &format!("[admin]\nlisten = \"{address}\""), 1),
    )
    .unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let wrong = folder.path().join("wrong");
    std::fs::write(&wrong, "fedcba9876543210").unwrap();
    let (config, file, wrong) = (config.to_str().unwrap(), file.to_str().unwrap(), wrong.to_str().unwrap());
    let other = "TINTYPE_ADMIN__LISTEN";
    let variable = "TINTYPE_ADMIN__TOKEN";
    for (place, arguments, variables, code, words) in [
        (&elsewhere, &["--admin", &admin, "--token-file", file][..], &[][..], 0, "dropped 0"),
        (&elsewhere, &["--admin", &address], &[(variable, TOKEN)], 0, "dropped 0"),
        (&elsewhere, &[], &[(other, &address), (variable, TOKEN)], 0, "dropped 0"),
        (&elsewhere, &["--config", config], &[], 0, "dropped 0"),
        (&elsewhere, &[], &[("TINTYPE_CONFIG", config)], 0, "dropped 0"),
        (&folder, &[], &[], 0, "dropped 0"),
        (&folder, &["--admin", &admin], &[], 0, "dropped 0"),
        // The token of a configuration that was not named goes to its own control plane alone.
        (&folder, &["--admin", &admin.replace("127.0.0.1", "localhost")], &[], 1, "wants its bearer token"),
        (&elsewhere, &["--admin", &admin], &[], 1, "--token-file FILE or TINTYPE_ADMIN__TOKEN"),
        (&elsewhere, &["--admin", &admin, "--token-file", wrong], &[], 1, "from --token-file: admin.token"),
        (&elsewhere, &["--admin", &admin, "--token-file", "missing"], &[], 2, "cannot be read from missing"),
        (&elsewhere, &["--admin", "ftp://a"], &[], 2, "is no http:// or https:// URL"),
        (
            &elsewhere,
            &["--admin", "127.0.0.1:1"],
            &[],
            1,
            "nobody listens at http://127.0.0.1:1: is tintype running?",
        ),
        (&elsewhere, &["--config", "missing.toml"], &[], 2, "missing.toml"),
        (&elsewhere, &[], &[("TINTYPE_ADMIN__ENABLED", "false")], 2, "control plane is off"),
    ] {
        let mut command = tintype(&["gc"]);
        command.args(arguments).envs(variables.iter().copied()).current_dir(place.path());
        let (found, told, errors) = in_pipe(command);
        let said = format!("{told}{errors}");
        assert_eq!(found, Some(code), "{arguments:?} {variables:?}: {said}");
        assert!(said.contains(words), "{words} in {said}");
        assert!(!said.contains(TOKEN) && !said.contains("fedcba"), "{said}");
    }
    let mut command = tintype(&["gc", "--json", "--admin", "127.0.0.1:1"]);
    command.current_dir(elsewhere.path());
    let (code, told, errors) = in_pipe(command);
    assert_eq!((code, errors.as_str()), (Some(1), ""));
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["ok"], false);
    running.stop().await;
}

#[test]
fn wrong_usage_is_refused_before_anything_is_asked() {
    for arguments in [
        &[][..],
        &["https://a.example", "--all"],
        &["--tag", "a", "--host", "b"],
        &["--all", "--soft", "--refresh"],
        &["--all", "--list", "1001"],
    ] {
        let (code, told, _) = in_pipe(tintype(&[&["purge"], arguments].concat()));
        assert_eq!((code, told.as_str()), (Some(2), ""), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_control_plane_refuses_is_told_in_its_words() {
    let origin = storing().await;
    let running = Tintype::before(&origin).await;
    let (code, _, errors) = in_pipe(asking(&running, &["purge", "--prefix", "https://a.example/?q"]));
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.starts_with("error: ") && errors.contains("a.example"), "{errors}");
    // The data plane is no control plane.
    let mut command = tintype(&["gc", "--admin", &running.url("")]);
    command.env("NO_COLOR", "1");
    let (code, _, errors) = in_pipe(command);
    assert_eq!(code, Some(1), "{errors}");
    running.stop().await;
}
