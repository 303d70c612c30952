//! Checks the browser: whether it is found, its version, its sandbox, a test picture, and the
//! guard.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tintype::clock::{Stopwatch, SystemClock};
use tintype::origin::Origin as _;
use tintype::origin::chrome::{Config, Engine, Limits, StartError, find_program, sandboxed};

use super::engine::capture;
use super::finding::Finding;
use super::{card, guard};

const CHECK: &str = "browser";
/// Time for a program to print its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);
const BY_HAND: &str =
    "run it by hand with --headless and --version to see what is missing, or set another program";
const IN_CONTAINER: &str = "in a container that forbids user namespaces, set sandbox = \"off\" (then the container is the only wall) or run it \
     with a seccomp profile that allows them; else run the program by hand to see what is missing";

/// Checks one engine. `name` is given if there are several. The picture of the card is written to
/// `keep`.
pub(super) async fn check(name: Option<String>, config: Config, keep: Option<PathBuf>) -> Vec<Finding> {
    let mut findings = examine(config, keep).await;
    if let Some(name) = name {
        for finding in &mut findings {
            finding.says = format!("{name}: {}", finding.says);
        }
    }
    findings
}

async fn examine(config: Config, keep: Option<PathBuf>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_own = config.remote.is_empty();
    let mut is_sandboxed = false;
    if is_own {
        match find_program(&config) {
            Ok(program) => findings.push(version(&program).await),
            Err(error) => {
                findings.push(unstartable(&error));
                return findings;
            }
        }
        match sandboxed(&config, rustix::process::geteuid().is_root()) {
            Ok(on) => {
                is_sandboxed = on;
                findings.push(sandbox(on, rustix::process::geteuid().is_root()));
            }
            Err(error) => {
                findings.push(unstartable(&error));
                return findings;
            }
        }
    } else {
        let says =
            format!("{} remote, run by others; their sandbox and fonts are theirs", config.remote.len());
        findings.push(Finding::good(CHECK, says));
    }
    let engine = match Engine::start(for_doctor(&config), Arc::new(SystemClock)) {
        Ok(engine) => engine,
        Err(error) => {
            findings.push(unstartable(&error));
            return findings;
        }
    };
    // A capture of its own comes first, so that a slow or failing start is reported as such.
    let watch = Stopwatch::start();
    match capture(&engine, json!({ "html": "<body bgcolor=red>", "allow_blank": true })).await {
        Ok(_) => {
            let says = format!("starts and makes a picture, in {} ms", watch.elapsed().as_millis());
            findings.push(Finding::good("capture", says));
            let (card, guard) = tokio::join!(card::check(&engine, keep), guard::check(&engine, &config));
            findings.extend(card);
            findings.extend(guard);
        }
        Err(why) => {
            let remedy = match (is_own, is_sandboxed) {
                (true, true) => IN_CONTAINER,
                (true, false) => BY_HAND,
                (false, _) => "look whether a browser listens at the endpoints in `remote`",
            };
            findings.push(Finding::failure("capture", why.to_string(), remedy));
        }
    }
    engine.shutdown().await;
    findings
}

/// The engine as configured, without the settings about requests. The doctor sends requests of its
/// own.
fn for_doctor(config: &Config) -> Config {
    Config {
        limits: Limits { max_html: Limits::default().max_html, ..Limits::default() },
        max_concurrent: config.max_concurrent.max(2),
        max_queue: config.max_queue.max(8),
        deadline: config.deadline.saturating_add(config.launch_timeout),
        ..config.clone()
    }
}

fn unstartable(error: &StartError) -> Finding {
    let remedy = match error {
        StartError::NoProgram => "apt-get install chromium-headless-shell, or set program",
        StartError::NotThere(_) => "install it, or change program",
        StartError::NotExecutable(_) => "make it executable, or change program",
        StartError::Profile(_) => "have TMPDIR name a folder that this user may write to",
        StartError::SandboxAsRoot => "run tintype as another user, or set sandbox to \"auto\" or \"off\"",
        StartError::Unguarded => "set remote_unguarded = true if the network of those browsers is no secret",
        StartError::PageRoots(_) => "leave page_ca out, or name PEM files with certificates",
        StartError::Roots(_) => {
            "install ca-certificates, or set remote_ca to a PEM file with the root they are vouched for by"
        }
    };
    Finding::failure(CHECK, error.to_string(), remedy)
}

async fn version(program: &Path) -> Finding {
    let place = program.display();
    let mut command = tokio::process::Command::new(program);
    let asked = command.arg("--version").stdin(std::process::Stdio::null()).kill_on_drop(true).output();
    match tokio::time::timeout(VERSION_TIMEOUT, asked).await {
        Ok(Ok(output)) if output.status.success() => {
            let said: String = String::from_utf8_lossy(&output.stdout).trim().chars().take(100).collect();
            Finding::good(
                CHECK,
                format!("{place}, {}", if said.is_empty() { "of unknown version" } else { &said }),
            )
        }
        // A program without a version may still take pictures.
        Ok(Ok(output)) => {
            Finding::warning(CHECK, format!("{place} does not tell its version ({})", output.status), BY_HAND)
        }
        Ok(Err(error)) => Finding::failure(CHECK, format!("{place} cannot be run: {error}"), BY_HAND),
        Err(_) => Finding::warning(CHECK, format!("{place} does not tell its version in time"), BY_HAND),
    }
}

fn sandbox(on: bool, root: bool) -> Finding {
    match (on, root) {
        (true, _) => Finding::good("sandbox", "on"),
        (false, true) => Finding::warning(
            "sandbox",
            "OFF, since tintype runs as root: a page that breaks out of the browser IS ROOT here",
            "run tintype as a user without rights",
        ),
        (false, false) => Finding::warning(
            "sandbox",
            "OFF, as configured: a page that breaks out of the browser is this user",
            "set sandbox = \"auto\", unless a container is the wall",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Mark;

    #[test]
    fn a_browser_without_sandbox_is_said_loudly() {
        for (on, root, expected, word) in [
            (true, false, Mark::Good, "on"),
            (false, true, Mark::Warning, "IS ROOT"),
            (false, false, Mark::Warning, "OFF"),
        ] {
            let finding = sandbox(on, root);
            assert_eq!(finding.mark, expected);
            assert!(finding.says.contains(word), "{}", finding.says);
        }
    }
}
