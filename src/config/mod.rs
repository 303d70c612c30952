//! proxy.toml and the environment, read into a [`Config`] that is valid by construction.
//!
//! The file is parsed into a tree with the place of every value, the environment (`TINTYPE_STORE__MEMORY=1GiB`) and the
//! command line are laid over it, and one reader takes the settings out, section by section. It goes on after a problem
//! with the setting's default, so that all problems are reported at once.

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

/// Everything that can be set, checked, in the form that each module takes.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data plane's listener.
    pub server: crate::listener::Config,
    /// Who is believed when it says whose request it passes on.
    pub trust: crate::policy::client::Trust,
    /// The control plane; off without.
    pub admin: Option<crate::admin::Config>,
    /// Where that is which other services have beside their pictures.
    pub compat: crate::admin::compat::Config,
    /// Who may purge by method, and how much is fetched again.
    pub purge: crate::purge::Config,
    /// Purges by whoever can sign them; off without.
    pub webhook: Option<crate::admin::webhook::Config>,
    /// Jobs.
    pub jobs: crate::jobs::Config,
    /// What is stored before anybody asks.
    pub warm: crate::jobs::warm::Config,
    /// Where stored responses are kept.
    pub store: crate::store::Config,
    /// Origins by name.
    pub upstreams: Vec<(String, Upstream)>,
    /// Routes and bounds of the data plane.
    pub proxy: crate::proxy::Config,
    /// Logs.
    pub log: crate::telemetry::Config,
    /// A change of the file is put in force by itself.
    pub watch: bool,
}

/// What a configuration is read from. The environment goes over the base, the flags over both.
#[derive(Clone, Debug)]
pub struct Sources {
    /// File, text or URL to start from.
    pub base: Base,
    /// `--listen`: the data plane's address.
    pub listen: Option<String>,
    /// `--admin`: the control plane's address.
    pub admin: Option<String>,
    /// `--cache-dir`: the store's folder.
    pub cache_dir: Option<String>,
    /// The process's environment; only names that begin with `TINTYPE_` count.
    pub environment: Vec<(OsString, OsString)>,
}

/// What a configuration starts from.
#[derive(Clone, Debug)]
pub enum Base {
    /// A TOML file. Relative paths in it start from its folder.
    File(PathBuf),
    /// TOML text. Relative paths in it start from the working directory.
    Text(String),
    /// The drop-in case: everything goes to the HTTP server with this URL, nothing is overridden and stored
    /// responses are kept in memory only.
    Upstream(String),
}

impl Sources {
    /// This base alone: no environment, no flags.
    pub fn only(base: Base) -> Self {
        Sources { base, listen: None, admin: None, cache_dir: None, environment: Vec::new() }
    }
}

impl Config {
    /// Reads TOML `text` alone; the environment is not looked at.
    ///
    /// # Errors
    /// All problems at once, in reading order.
    pub fn from_toml(text: &str) -> Result<Config, Problems> {
        Config::read(&Sources::only(Base::Text(text.to_owned())))
    }

    /// The drop-in case: one remote upstream behind every path, plain RFC 9111, nothing overridden. Listens on
    /// 127.0.0.1:8080 and 127.0.0.1:9090 and keeps responses in memory unless told otherwise.
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
    /// All problems at once: those of the file in its order, then the environment's, then the command line's.
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

/// Takes every setting out of `tree`. What it returns counts only if the reader finds no problem.
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
