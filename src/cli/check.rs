//! `tintype check`: validates a configuration without serving.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use tintype::app::preflight::{self, Obstacle, Warning};
use tintype::config::{Config, Upstream};
use tintype::origin::chrome::{FilterList, FilterLists, Usage};

use super::source::SourceArgs;
use super::terminal::{Exit, Mark, Paint, complain, print, with_causes};

pub(super) const HELP: &str = "\
Prints one line and exits with 0 if the configuration is good, and a line for each filter list: how many of its rules
are used, and a warning where clients may be given links that do not work for them. Else prints each problem with its place, what was found and what is allowed, and exits with 2. The environment
(TINTYPE_...) is checked too, and what serve would stop at here: a TLS key of another certificate, an address that is not
this machine's, a cache folder that this user may not write in or that has no room, a browser that is not there. Nobody is
asked over the network.

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
    let config = match (args.source.read(), args.json) {
        (Ok(config), _) => config,
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
    };
    let obstacles = match obstacles(&config) {
        Ok(obstacles) => obstacles,
        Err(error) => {
            complain(&format!("error: {error}\n"));
            return Exit::Failed.into();
        }
    };
    match (obstacles.is_empty(), args.json) {
        (true, false) => {
            print(&format!("{} is good: {}\n", args.source.name(), summary(&config)));
            for list in filter_lists(&config) {
                print(&format!("{}\n", list.line()));
            }
            for Warning { setting, text } in preflight::warnings(&config) {
                print(&format!("warning: {setting}: {text}\n"));
            }
        }
        (true, true) => print(&format!("{}\n", summary_json(&config))),
        (false, false) => complain(&to_text(&args.source.name(), &obstacles)),
        (false, true) => {
            let problems: Value = obstacles.iter().map(to_json).collect();
            print(&format!("{}\n", json!({ "ok": false, "problems": problems })));
        }
    }
    if obstacles.is_empty() { Exit::Good.into() } else { Exit::Misused.into() }
}

/// The errors that `serve` would fail with on this machine.
fn obstacles(config: &Config) -> std::io::Result<Vec<Obstacle>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(preflight::obstacles(config)))
}

fn to_text(name: &str, obstacles: &[Obstacle]) -> String {
    let paint = Paint::of_stderr();
    let line = |one: &Obstacle| {
        let setting = paint.mark(Mark::Failure, &one.setting);
        format!("{}: {setting}\n  {}\n", paint.strong(name), with_causes(&one.error))
    };
    let mut text: String = obstacles.iter().map(line).collect();
    let count = match obstacles.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    text += &format!("{count} that serve would stop at, on this machine and as this user\n");
    text
}

/// The obstacle in the form of a problem, with the error of `serve` as what was found.
fn to_json(one: &Obstacle) -> Value {
    json!({
        "path": one.setting, "kind": "refused", "file": null, "line": null, "column": null, "variable": null,
        "argument": null, "found": with_causes(&one.error), "allowed": null, "help": null,
    })
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
    let warnings = preflight::warnings(config).into_iter();
    let warnings = warnings.map(|Warning { setting, text }| json!({ "path": setting, "text": text }));
    json!({
        "ok": true,
        "problems": [],
        "data_plane": data_plane(config),
        "control_plane": control_plane(config),
        "upstreams": upstreams.collect::<Value>(),
        "routes": routes.collect::<Value>(),
        "warnings": warnings.collect::<Value>(),
        "filter_lists": filter_lists(config).iter().map(ListReport::to_json).collect::<Value>(),
    })
}

/// A filter list, and the share of its rules that is used.
pub(super) struct ListReport {
    upstream: String,
    setting: &'static str,
    path: PathBuf,
    pub(super) usage: Usage,
}

impl ListReport {
    /// A report for each list of an upstream of kind `chrome`.
    pub(super) fn of(upstream: &str, lists: &FilterLists) -> Vec<Self> {
        let report = |(setting, list): (&'static str, &FilterList)| ListReport {
            upstream: upstream.to_owned(),
            setting,
            path: list.path.clone(),
            usage: list.usage(),
        };
        lists.all().map(report).collect()
    }

    /// The setting, the file and the share of used rules.
    pub(super) fn says(&self) -> String {
        format!("{} {}: {}", self.setting, self.path.display(), self.usage)
    }

    fn line(&self) -> String {
        match self.usage.is_low() {
            true => format!("warning: {}: less than half of the list", self.says()),
            false => self.says(),
        }
    }

    fn to_json(&self) -> Value {
        let unused = self.usage.unused.iter().map(|(why, count)| (why.name().to_owned(), (*count).into()));
        json!({
            "upstream": self.upstream,
            "setting": self.setting,
            "file": self.path.display().to_string(),
            "rules": self.usage.rules,
            "used": self.usage.used(),
            "unused": Value::Object(unused.collect()),
            "warning": self.usage.is_low(),
        })
    }
}

fn filter_lists(config: &Config) -> Vec<ListReport> {
    let reports = config.upstreams.iter().map(|(name, upstream)| match upstream {
        Upstream::Chrome(chrome) => ListReport::of(name, &chrome.filters),
        Upstream::Remote(_) => Vec::new(),
    });
    reports.flatten().collect()
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
