//! A folder for temporary files that cannot be used is named, with the remedy. Source: OpenWA#242, chromedp#1636.

use std::process::Command;

use crate::chrome_site::{Site, html};

#[tokio::test(flavor = "multi_thread")]
async fn unusable_folder_for_profiles_is_named_with_a_remedy() {
    let site = Site::start([("/", html("<p>x"))]).await;
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tintype"));
    command.args(["get", "--allow-private", &site.url("/"), "-o"]).arg(folder.path().join("x.png"));
    command.env("TMPDIR", &missing).env("TINTYPE_UPSTREAM__CHROME__DEADLINE", "20s");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains(&format!("in {}: No such file or directory", missing.display())), "{said}");
    assert!(said.contains("TMPDIR"), "{said}");
}
