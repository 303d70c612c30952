//! `tintype check`.

use std::process::ExitCode;

use serde_json::{Value, json};
use tintype::config::{Config, Upstream};

use super::source::SourceArgs;
use super::terminal::{Exit, Paint, complain, print};

pub(super) const HELP: &str = "\
Prints one line and exits with 0 if the configuration is good. Else prints each problem with its place, what was
found and what is allowed, and exits with 2. The environment (TINTYPE_...) is checked too.

Examples:
  tintype check
  tintype check --config /etc/tintype/proxy.toml
  tintype check --json | jq -r '.problems[] | \"\\(.line): \\(.path)\"'";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: SourceArgs,
    /// Prints one JSON object to standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match (args.source.read(), args.json) {
        (Ok(config), false) => print(&format!("{} is good: {}\n", args.source.name(), summary(&config))),
        (Ok(config), true) => print(&format!("{}\n", summary_json(&config))),
        (Err(problems), false) => {
            complain(
                &args.source.lesson().unwrap_or_else(|| problems.to_text(Paint::of_stderr().is_coloured())),
            );
            return Exit::Misused.into();
        }
        (Err(problems), true) => {
            print(&format!("{}\n", json!({ "ok": false, "problems": problems.to_json() })));
            return Exit::Misused.into();
        }
    }
    Exit::Good.into()
}

fn summary(config: &Config) -> String {
    let upstreams: Vec<String> =
        config.upstreams.iter().map(|(name, upstream)| format!("{name} ({})", kind(upstream))).collect();
    let route = |r: &tintype::proxy::Route| {
        format!("{}{} to {}", r.host.as_deref().unwrap_or_default(), r.path, r.upstream)
    };
    let routes: Vec<String> = config.proxy.routes.iter().map(route).collect();
    let control_plane = control_plane(config).unwrap_or_else(|| "off".to_owned());
    format!(
        "data plane {}, control plane {control_plane}, upstreams: {}, routes: {}",
        data_plane(config),
        upstreams.join(", "),
        routes.join(", ")
    )
}

fn summary_json(config: &Config) -> Value {
    let upstreams = config.upstreams.iter().map(|(name, u)| json!({ "name": name, "kind": kind(u) }));
    let routes = config.proxy.routes.iter().map(
        |r| json!({ "name": r.name, "host": r.host, "path": r.path, "upstream": r.upstream, "capture": r.capture }),
    );
    json!({
        "ok": true,
        "problems": [],
        "data_plane": data_plane(config),
        "control_plane": control_plane(config),
        "upstreams": upstreams.collect::<Value>(),
        "routes": routes.collect::<Value>(),
    })
}

fn data_plane(config: &Config) -> String {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", config.server.listen)
}

fn control_plane(config: &Config) -> Option<String> {
    config.admin.as_ref().map(|admin| format!("http://{}", admin.listener.listen))
}

fn kind(upstream: &Upstream) -> &'static str {
    match upstream {
        Upstream::Remote(_) => "remote",
        Upstream::Chrome(_) => "chrome",
    }
}
