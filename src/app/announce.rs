//! What tintype says at the start.

use super::start::App;
use crate::admin::routes::ANNOUNCED;
use crate::config::Config;

/// Says where it listens. In a thread of its own: nobody may read what it writes, or the disk may be full.
pub(super) fn announce(app: &App, try_path: &str) {
    use std::fmt::Write as _;
    let secure = app.is_secure();
    let scheme = if secure { "https" } else { "http" };
    let mut text = format!("tintype listens on {scheme}://{}\n", app.address);
    if let Some(admin) = app.admin_address {
        let paths = ANNOUNCED.join(" ");
        let _ = writeln!(text, "control plane on  http://{admin}  ({paths})");
    }
    let _ = writeln!(text, "try: curl -sS -o picture -D - '{scheme}://{}{try_path}'", app.address);
    let write = move || {
        use std::io::Write as _;

        let mut stdout = std::io::stdout();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        if let Err(error) = written {
            tracing::warn!(%error, "standard output takes nothing: {}", text.trim_end());
        }
    };
    if let Err(error) = std::thread::Builder::new().name("announcement".to_owned()).spawn(write) {
        tracing::warn!(%error, "no thread for the announcement");
    }
}

/// A path to try: a capture where there is a capture route.
pub(super) fn example_path(config: &Config) -> String {
    match config.proxy.routes.iter().find(|route| route.capture) {
        Some(route) => format!("{}?url=https://example.com", route.path),
        None => config.proxy.routes.first().map_or("/".into(), |route| route.path.clone()),
    }
}
