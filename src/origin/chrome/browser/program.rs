//! Which program to run, and with which arguments.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::profile::Profile;
use crate::origin::chrome::config::{Config, Sandbox};
use crate::origin::chrome::network::certificates::TlsSetupError;
use crate::origin::chrome::network::tls_bridge::TlsBridge;

/// The programs themselves, not the launcher scripts that distributions put before them; headless shell
/// first: twice the throughput of the whole browser and half its memory, for the same pictures.
const PLACES: [&str; 9] = [
    "/usr/lib/chromium/chromium-headless-shell",
    "/usr/lib64/chromium-browser/headless_shell",
    "/opt/chrome-headless-shell/chrome-headless-shell",
    "/headless-shell/headless-shell",
    "/usr/lib/chromium/chromium",
    "/usr/lib64/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// Names to look for along `PATH` when none of the places has one.
const NAMES: [&str; 7] = [
    "chrome-headless-shell",
    "headless_shell",
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Time for a browser to print its version, which takes some 50 ms.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the engine cannot start with this configuration on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// No browser in any known place.
    #[error(
        "no headless Chrome found; install one (Debian: apt-get install chromium-headless-shell) or set `program`"
    )]
    NoProgram,
    /// The configured browser is not there.
    #[error("{} is not there; install it or change `program`", .0.display())]
    NotThere(PathBuf),
    /// The sandbox was asked for, as root.
    #[error(
        "Chrome has no sandbox as root; run tintype as another user or set `sandbox` to \"auto\" or \"off\""
    )]
    SandboxAsRoot,
    /// Remote browsers, without consent to what they mean.
    #[error(
        "with `remote` browsers no guard keeps pages out of the network that they run in; \
         set `remote_unguarded` to true if that network is no secret"
    )]
    Unguarded,
    /// Remote browsers behind TLS, and no roots to know them by.
    #[error("cannot trust any `remote` browser: {0}")]
    Roots(String),
    /// There is no place for the browser's profile.
    #[error("{0}")]
    Profile(String),
    /// The file is there, and is no program that this user may run.
    #[error("{} cannot be run by this user; make it executable (chmod +x) or change `program`", .0.display())]
    NotExecutable(PathBuf),
    /// The roots of `page_ca` cannot be used.
    #[error("cannot use the roots of `page_ca`: {0}")]
    PageRoots(TlsSetupError),
}

/// The program that `config` names, or the first that is found.
///
/// # Errors
/// If there is none.
pub fn find(config: &Config) -> Result<PathBuf, StartError> {
    if let Some(program) = &config.program {
        // The browser is started in another folder.
        let absolute = std::path::absolute(program).ok().filter(|program| program.is_file());
        return absolute.ok_or_else(|| StartError::NotThere(program.clone()));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let along_path = NAMES.iter().flat_map(|name| {
        std::env::split_paths(&path).map(move |folder| folder.join(name)).collect::<Vec<_>>()
    });
    PLACES
        .iter()
        .map(PathBuf::from)
        .chain(along_path)
        .find(|place| place.is_file())
        .ok_or(StartError::NoProgram)
}

/// Whether an engine of this configuration would start, as far as that shows without launching a browser.
///
/// # Errors
/// Why it would not.
pub fn check(config: &Config) -> Result<(), StartError> {
    if !config.page_ca.is_empty() {
        TlsBridge::new(&config.page_ca).map_err(StartError::PageRoots)?;
    }
    if !config.remote.is_empty() {
        return match config.remote_unguarded {
            true => Ok(()),
            false => Err(StartError::Unguarded),
        };
    }
    let program = find(config)?;
    if rustix::fs::access(&program, rustix::fs::Access::EXEC_OK).is_err() {
        return Err(StartError::NotExecutable(program));
    }
    sandboxed(config, rustix::process::geteuid().is_root())?;
    let profile = Profile::create(&std::env::temp_dir());
    profile.map(drop).map_err(|error| StartError::Profile(error.to_string()))
}

/// Whether Chrome's sandbox is on for a user who is `root` or not.
///
/// # Errors
/// If it is asked for where it cannot be.
pub fn sandboxed(config: &Config, root: bool) -> Result<bool, StartError> {
    match (config.sandbox, root) {
        (Sandbox::On, true) => Err(StartError::SandboxAsRoot),
        (Sandbox::Auto, true) | (Sandbox::Off, _) => Ok(false),
        (Sandbox::On | Sandbox::Auto, false) => Ok(true),
    }
}

/// Arguments that every browser gets.
///
/// Nothing leaves but through a context's exit proxy: the browser's own proxy is a name that resolves to nothing,
/// names are not resolved at all, and WebRTC sends nothing beside the proxy (headless shell heeds the
/// one flag, the whole browser the other).
const ARGUMENTS: [&str; 37] = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--proxy-server=http://exit.invalid:80",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    // No traffic and no windows of its own, and none that a page opens.
    "--block-new-web-contents",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,AutofillServerCommunication",
    "--disable-field-trial-config",
    "--disable-print-preview",
    // A frame of another site would be a target of its own, whose requests no rule of ours is asked about. Headless shell
    // has none anyway; captures are kept apart by their contexts.
    "--disable-site-isolation-trials",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--no-service-autorun",
    "--password-store=basic",
    // Pages see an ordinary visitor: `navigator.webdriver` is false.
    "--disable-blink-features=AutomationControlled",
    // Pictures that depend on the page alone.
    "--blink-settings=imageAnimationPolicy=2",
    "--disable-backgrounding-occluded-windows",
    // A tile that is drawn again in part differs by a level or two from one that is drawn at once.
    "--disable-partial-raster",
    "--disable-renderer-backgrounding",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--mute-audio",
];

/// All arguments for a browser with this profile.
///
/// `trusted_key` is the SHA-256 of a public key in base64. Chrome takes every chain that has it, unseen, so it must be
/// a key of ours that nobody else has, never that of an authority, see `network::tls_bridge`.
pub(crate) fn arguments(
    profile: &Path,
    sandboxed: bool,
    shared_memory: bool,
    trusted_key: Option<&str>,
) -> Vec<OsString> {
    let mut all: Vec<OsString> = ARGUMENTS.iter().map(OsString::from).collect();
    let mut folder = OsString::from("--user-data-dir=");
    folder.push(profile);
    all.push(folder);
    if !sandboxed {
        all.push("--no-sandbox".into());
    }
    if let Some(hash) = trusted_key {
        all.push(format!("--ignore-certificate-errors-spki-list={hash}").into());
    }
    if !shared_memory {
        all.push("--disable-dev-shm-usage".into());
    }
    all
}

/// Arguments about who visits, for all that no page is asked about, such as service workers.
pub(crate) fn visitor(user_agent: Option<&str>, languages: &[String]) -> Vec<String> {
    let user_agent = user_agent.map(|user_agent| format!("--user-agent={user_agent}"));
    user_agent.into_iter().chain([format!("--accept-lang={}", languages.join(","))]).collect()
}

/// The version of a browser, by its own word. A script in its place is not asked: it may be one that does something each time.
pub(crate) async fn version(program: &Path) -> Option<String> {
    let mut start = Vec::new();
    let file = tokio::fs::File::open(program).await.ok()?;
    file.take(2).read_to_end(&mut start).await.ok()?;
    if start == b"#!" {
        return None;
    }
    let asked = Command::new(program)
        .arg("--version")
        .env_clear()
        .envs(environment(&std::env::temp_dir()))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let answer = tokio::time::timeout(VERSION_TIMEOUT, asked).await.ok()?.ok()?;
    version_in(&String::from_utf8_lossy(&answer.stdout)).map(str::to_owned)
}

/// The version in what `--version` prints, such as `Chromium 140.0.7339.80 built on Debian`.
fn version_in(text: &str) -> Option<&str> {
    text.split_whitespace().find(|word| {
        let numbers: Vec<&str> = word.split('.').collect();
        numbers.len() == 4 && numbers.iter().all(|number| number.parse::<u32>().is_ok())
    })
}

/// Whether /dev/shm has room for a browser; containers are often given 64 MiB, on which pages die.
pub(crate) fn has_shared_memory() -> bool {
    const ENOUGH: u64 = 512 << 20;
    rustix::fs::statvfs("/dev/shm").is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) >= ENOUGH)
}

/// Environment that the browser gets to see: nothing else of ours, which may hold secrets.
pub(crate) fn environment(profile: &Path) -> impl Iterator<Item = (OsString, OsString)> {
    let kept = |name: &str| {
        matches!(name, "PATH" | "HOME" | "USER" | "LANG" | "LANGUAGE" | "TZ" | "LD_LIBRARY_PATH")
            || ["LC_", "FONTCONFIG_", "XDG_"].iter().any(|prefix| name.starts_with(prefix))
    };
    let own = std::env::vars_os().filter(move |(name, _)| name.to_str().is_some_and(kept));
    own.chain([("TMPDIR".into(), profile.as_os_str().to_owned())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandbox_is_off_only_where_it_must_or_shall_be() {
        for (sandbox, root, expected) in [
            (Sandbox::Auto, false, Ok(true)),
            (Sandbox::Auto, true, Ok(false)),
            (Sandbox::On, false, Ok(true)),
            (Sandbox::On, true, Err(StartError::SandboxAsRoot)),
            (Sandbox::Off, false, Ok(false)),
            (Sandbox::Off, true, Ok(false)),
        ] {
            let config = Config { sandbox, ..crate::origin::chrome::config::tests::config() };
            assert_eq!(sandboxed(&config, root), expected, "{sandbox:?} {root}");
        }
    }

    #[test]
    fn the_error_says_what_to_install() {
        let program = PathBuf::from("/nowhere/chrome");
        let config =
            Config { program: Some(program.clone()), ..crate::origin::chrome::config::tests::config() };
        assert_eq!(find(&config), Err(StartError::NotThere(program)));
        assert!(StartError::NoProgram.to_string().contains("apt-get install chromium-headless-shell"));
    }

    #[test]
    fn versions_are_found_in_what_browsers_print() {
        for (text, expected) in [
            ("Chromium 140.0.7339.80 built on Debian GNU/Linux 13 (trixie)\n", Some("140.0.7339.80")),
            ("Google Chrome for Testing 140.0.7339.80 ", Some("140.0.7339.80")),
            ("ls (GNU coreutils) 9.7", None),
            ("1.2.3", None),
            ("1.2.3.x", None),
            ("", None),
        ] {
            assert_eq!(version_in(text), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_script_is_not_run_for_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let (script, seen) = (folder.path().join("chrome"), folder.path().join("seen"));
        std::fs::write(&script, format!("#!/bin/sh\necho 1.2.3.4; touch {}\n", seen.display())).unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(version(&script).await, None);
        assert!(!seen.exists());
        assert_eq!(version(Path::new("/nowhere/chrome")).await, None);
    }

    #[test]
    fn secrets_stay_out_of_the_environment() {
        let names: Vec<OsString> = environment(Path::new("/p")).map(|(name, _)| name).collect();
        assert!(names.contains(&"TMPDIR".into()));
        assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("CARGO")));
    }
}
