//! `tintype reload`: exit 0 where the configuration is in force, what stays until a restart is said; exit 1 with every problem where not.

use std::process::{Command, Output};

use crate::support::{Reply, ScriptedOrigin, Tintype};

async fn reload(tintype: &Tintype, arguments: &'static [&'static str]) -> (Option<i32>, String, String) {
    let admin = tintype.admin_url("");
    let asked = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
        command.env("NO_COLOR", "1").args(["reload", "--admin", admin.trim_end_matches('/')]).args(arguments);
        command.output().unwrap()
    });
    let Output { status, stdout, stderr } = asked.await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test]
async fn the_exit_code_and_the_words_follow_the_outcome() {
    let origin = ScriptedOrigin::start(|_| Reply::ok("whole")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    let good = Tintype::toml(&origin, "");
    std::fs::write(&file, &good).unwrap();
    let tintype = Tintype::from_file(&file).await;
    assert_eq!(reload(&tintype, &[]).await, (Some(0), "reloaded\n".to_owned(), String::new()));

    std::fs::write(&file, good.replace("[store]", "[store]\nmemory = \"100MiB\"")).unwrap();
    let (code, told, _) = reload(&tintype, &[]).await;
    assert_eq!((code, told.as_str()), (Some(0), "reloaded\nas before, until a restart: store.memory\n"));
    let (code, told, _) = reload(&tintype, &["--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["needs_restart"]), (Some(0), &serde_json::json!(["store.memory"])));

    std::fs::write(&file, good.replace("path = \"/\"", "path = 3\nnothing = 4")).unwrap();
    let (code, told, why) = reload(&tintype, &[]).await;
    assert_eq!((code, told.as_str()), (Some(1), ""));
    let place = file.display();
    for line in [
        format!("{place}:11:8: route.all.path\n"),
        format!("{place}:12:1: route.all.nothing\n"),
        "2 problems".to_owned(),
    ] {
        assert!(why.contains(&line), "{line} is not in {why}");
    }
    assert_eq!(tintype.get("/a").await.status, 200);
}
