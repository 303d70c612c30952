//! Reads proxy.toml, the environment and the command line into a [`Config`] that is valid by
//! construction.
//!
//! The file is parsed into a tree with the place of each value. The environment
//! (`TINTYPE_STORE__MEMORY=1GiB`) and the command line are merged into it. Then one reader takes
//! the settings out of the tree, section by section. After a problem it goes on with the default of
//! the setting, so that all problems are reported at once.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod addresses;
mod admin;
mod certificates;
mod chrome;
mod compat;
mod derive;
mod environment;
mod imgproxy;
mod jobs;
mod keys;
mod known;
mod log;
mod problem;
mod purge;
mod remote;
mod route;
mod rules;
mod section;
mod server;
mod store;
mod tree;
mod typed;
mod upstream;
mod webhook;
mod words;

#[cfg(test)]
mod tests;

pub use admin::LISTEN as ADMIN_LISTEN;
pub use problem::{Kind, Place, Problem, Problems};
pub use upstream::Upstream;

use section::{Reader, folder_of};
use tree::{Node, Table, Value};

/// All settings, validated, in the types that each module takes.
#[derive(Clone, Debug)]
pub struct Config {
    /// The listener of the data plane.
    pub server: crate::listener::Config,
    /// The proxies whose word about their clients is trusted.
    pub trust: crate::policy::client::Trust,
    /// The control plane. Off without.
    pub admin: Option<crate::admin::Config>,
    /// The listener of the endpoints that other services have beside their pictures.
    pub compat: crate::admin::compat::Config,
    /// Clients that may use the `PURGE` method, and bounds of the refresh after a purge.
    pub purge: crate::purge::Config,
    /// The webhook for signed purge requests. Off without.
    pub webhook: Option<crate::admin::webhook::Config>,
    /// Captures in bulk.
    pub jobs: crate::jobs::Config,
    /// Captures before any client asks.
    pub warm: crate::jobs::warm::Config,
    /// Where stored responses are kept, and how many bytes.
    pub store: crate::store::Config,
    /// The origins by their names.
    pub upstreams: Vec<(String, Upstream)>,
    /// Routes and bounds of the data plane.
    pub proxy: crate::proxy::Config,
    /// The level and form of the log.
    pub log: crate::telemetry::Config,
    /// Whether a change of the file is applied without a reload command.
    pub watch: bool,
}

/// The sources of a configuration. The environment overrides the base, and the flags override both.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The file, text or URL to start from.
    pub base: Base,
    /// `--listen`: the address of the data plane.
    pub listen: Option<String>,
    /// `--admin`: the address of the control plane.
    pub admin: Option<String>,
    /// `--cache-dir`: the folder of the store.
    pub cache_dir: Option<String>,
    /// The environment of the process. Only names that begin with `TINTYPE_` matter.
    pub environment: Vec<(OsString, OsString)>,
}

/// The base of a configuration.
#[derive(Clone, Debug)]
pub enum Base {
    /// A TOML file. Relative paths in it start from its folder.
    File(PathBuf),
    /// TOML text. Relative paths in it start from the working directory.
    Text(String),
    /// No file: one HTTP server with this URL behind every path, no overrides, and responses stored
    /// in memory only.
    Upstream(String),
}

impl Sources {
    /// This base without environment and flags.
    pub fn only(base: Base) -> Self {
        Sources { base, listen: None, admin: None, cache_dir: None, environment: Vec::new() }
    }
}

impl Config {
    /// Reads TOML `text` alone, without the environment.
    ///
    /// # Errors
    /// All problems at once, in reading order.
    pub fn from_toml(text: &str) -> Result<Config, Problems> {
        Config::read(&Sources::only(Base::Text(text.to_owned())))
    }

    /// The configuration without a file: one remote upstream behind every path, with plain RFC 9111
    /// caching. It listens on 127.0.0.1:8080 and 127.0.0.1:9090 and keeps responses in memory,
    /// unless flags say otherwise.
    ///
    /// # Errors
    /// All problems at once.
    pub fn for_upstream(
        url: &str,
        listen: Option<&str>,
        admin: Option<&str>,
        cache_dir: Option<&str>,
    ) -> Result<Config, Problems> {
        Config::read(&Sources {
            listen: listen.map(str::to_owned),
            admin: admin.map(str::to_owned),
            cache_dir: cache_dir.map(str::to_owned),
            ..Sources::only(Base::Upstream(url.to_owned()))
        })
    }

    /// Reads all sources.
    ///
    /// # Errors
    /// All problems at once: those of the file in its order, then the environment, then the command
    /// line.
    pub fn read(sources: &Sources) -> Result<Config, Problems> {
        let mut problems = Vec::new();
        let (mut tree, place) = base_tree(&sources.base, &mut problems)?;
        environment::apply(&mut tree, &sources.environment, &mut problems);
        let flags = [
            ("--listen", "server.listen", &sources.listen),
            ("--admin", "admin.listen", &sources.admin),
            ("--cache-dir", "store.dir", &sources.cache_dir),
        ];
        for (flag, path, value) in flags {
            if let Some(value) = value {
                set(&mut tree, path, value, flag);
            }
        }
        let folder = match &sources.base {
            Base::File(file) => folder_of(file),
            Base::Text(_) | Base::Upstream(_) => PathBuf::new(),
        };
        let mut reader = Reader::new(folder);
        reader.problems = problems;
        let config = read_tree(&mut reader, tree, place);
        reader.finish().map(|()| config)
    }
}

/// Takes every setting out of `tree`. The result is valid only if the reader found no problem.
fn read_tree(reader: &mut Reader, tree: Table, place: Place) -> Config {
    let mut root = reader.root(tree, place);
    let (server, bounds) = server::read(root.table("server"));
    let admin = admin::read(root.table("admin"), &server);
    let has_token = admin.as_ref().is_some_and(|admin| admin.token.is_some());
    let (store, kept) = store::read(root.table("store"), server.reuse_port);
    let (purge, hidden_tags) = purge::read(root.table("purge"));
    let compat = compat::read(root.table("compat"), &server, admin.as_ref());
    let derive = derive::read(root.table("derive"));
    let webhook = webhook::read(root.table("webhook"), admin.is_some());
    let upstreams = upstream::read_all(root.table("upstream"));
    let keys = keys::read_all(root.table("keys"));
    let routes = route::read_all(root.table("route"), &upstreams, &keys);
    let imgproxy = imgproxy::read(root.table("imgproxy"), &routes);
    let jobs = jobs::read(root.table("jobs"), store.dir.as_deref(), &routes, has_token);
    let warm = jobs::warm(root.table("warm"));
    let log = log::read(root.table("log"));
    let proxy = crate::proxy::Config {
        routes,
        keys,
        pseudonym: bounds.pseudonym,
        tell_key: bounds.tell_key,
        max_uri_bytes: bounds.max_uri_bytes,
        max_request_body: bounds.max_request_body,
        max_stored_bytes: kept.max_stored_bytes,
        max_fetch_buffer: kept.max_fetch_buffer,
        hold_for_tag: kept.hold_for_tag,
        max_hold: kept.max_hold,
        collapse_timeout: kept.collapse_timeout,
        max_variants: kept.max_variants,
        max_prepared: kept.max_prepared,
        hidden_tags,
        imgproxy,
        derive,
        public_url: bounds.public_url,
    };
    Config {
        server,
        trust: bounds.trust,
        admin,
        compat,
        purge,
        webhook,
        jobs,
        warm,
        store,
        upstreams,
        proxy,
        log,
        watch: bounds.watch_config,
    }
}

fn base_tree(base: &Base, problems: &mut Vec<Problem>) -> Result<(Table, Place), Problems> {
    match base {
        Base::File(path) => {
            let file: Arc<Path> = path.as_path().into();
            let text = std::fs::read_to_string(path).map_err(|error| {
                Problems(vec![Problem {
                    place: Place::File(file.clone()),
                    path: String::new(),
                    kind: Kind::Unreadable,
                    found: error.to_string(),
                    allowed: "a TOML file in UTF-8 that can be read".to_owned(),
                    help: None,
                }])
            })?;
            Ok((tree::parse(&file, &text, problems), Place::File(file)))
        }
        Base::Text(text) => {
            let file: Arc<Path> = Path::new("proxy.toml").into();
            Ok((tree::parse(&file, text, problems), Place::File(file)))
        }
        Base::Upstream(url) => {
            let mut tree = Table::default();
            for (path, value) in [
                ("store.dir", ""),
                ("upstream.origin.kind", "remote"),
                ("upstream.origin.url", url),
                ("route.all.upstream", "origin"),
            ] {
                set(&mut tree, path, value, "--upstream");
            }
            Ok((tree, Place::Argument("--upstream")))
        }
    }
}

fn set(tree: &mut Table, path: &str, value: &str, flag: &'static str) {
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    let node = Node { place: Place::Argument(flag), value: Value::Text(value.to_owned()) };
    // A section that is no table has its own problem, which the reader finds.
    let _ = tree.set(&path, node);
}
