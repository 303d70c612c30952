//! What would keep a start from succeeding, found without starting: nothing is created, nobody is asked over the network.

use crate::config::{Config, Upstream};
use crate::listener::{self, BindError, Listener};
use crate::origin::{chrome, remote};
use crate::proxy::Route;
use crate::store;

use super::error::Error;

/// One thing that `serve` would refuse.
#[derive(Debug)]
pub struct Obstacle {
    /// The setting that it comes from, such as `store.dir`.
    pub setting: String,
    /// What `serve` would say.
    pub error: Error,
}

/// A setting that a service needs which others are to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The setting, such as `server.public_url`.
    pub setting: String,
    /// What is wrong without it, and the remedy.
    pub text: String,
}

/// What links to pictures cannot be made right by, as far as `config` alone tells.
pub fn warnings(config: &Config) -> Vec<Warning> {
    const REMEDY: &str =
        "set it, or server.trusted_proxies if a proxy in front says which scheme and host clients use";
    let ip = config.server.listen.ip();
    let mut found = Vec::new();
    if config.proxy.public_url.is_some() {
        return found;
    }
    let trusts = !config.trust.ranges.is_empty();
    // At a loopback address everybody elsewhere comes through a proxy, whose requests name this machine.
    if ip.is_loopback() && !trusts {
        let gives_links = |route: &&Route| {
            let dialect = route.asking.dialect();
            dialect.is_some_and(|dialect| !dialect.has_signed_paths()) && route.public_url.is_none()
        };
        found.extend(config.proxy.routes.iter().filter(gives_links).map(|route| Warning {
            setting: format!("route.{}.public_url", route.name),
            text: format!(
                "answers with links to pictures may hold an address of this machine only, as server.listen is {}; {REMEDY}",
                config.server.listen
            ),
        }));
    }
    let jobs = &config.jobs;
    let are_linked = jobs.public_url.is_some()
        || crate::jobs::route(&config.proxy, jobs.route.as_deref()).is_none_or(|r| r.public_url.is_some());
    // Jobs on the control plane do not say where clients find the data plane.
    let is_told = jobs.on_data && !jobs.on_control && trusts;
    if jobs.webhook.secret.is_some() && !are_linked && !is_told && (ip.is_loopback() || ip.is_unspecified()) {
        found.push(Warning {
            setting: "jobs.public_url".to_owned(),
            text: format!(
                "webhooks may get links that only this machine can use, as server.listen is {}; set it, or server.public_url",
                config.server.listen
            ),
        });
    }
    found
}

/// Everything that keeps `config` from being served by this user on this machine. What a running tintype holds, its
/// addresses and its cache folder, is no obstacle.
pub async fn obstacles(config: &Config) -> Vec<Obstacle> {
    let mut found = Vec::new();
    listener("server", &config.server, &mut found).await;
    if let Some(admin) = &config.admin {
        listener("admin", &admin.listener, &mut found).await;
    }
    if let Err(error) = store::check(&config.store) {
        let key = match error {
            store::OpenError::TooSmall { .. } | store::OpenError::NoSpace { .. } => "disk",
            store::OpenError::BlockTooLarge { .. } | store::OpenError::OpenFiles { .. } => "block",
            _ => "dir",
        };
        found.push(Obstacle { setting: format!("store.{key}"), error: error.into() });
    }
    for (name, upstream) in &config.upstreams {
        let error = match upstream {
            Upstream::Remote(config) => remote::Remote::new((**config).clone())
                .err()
                .map(|source| Error::Remote { name: name.clone(), source }),
            Upstream::Chrome(config) => {
                chrome::check(config).err().map(|source| Error::Chrome { name: name.clone(), source })
            }
        };
        found.extend(error.map(|error| Obstacle { setting: format!("upstream.{name}"), error }));
    }
    found
}

async fn listener(section: &str, config: &listener::Config, found: &mut Vec<Obstacle>) {
    let Err(error) = Listener::check(config.clone()).await else { return };
    let key = match error {
        BindError::Listen { .. } => "listen",
        BindError::Pem { .. } | BindError::Identity { .. } => "tls_key",
    };
    found.push(Obstacle { setting: format!("{section}.{key}"), error: error.into() });
}
