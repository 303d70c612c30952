//! What would keep a start from succeeding, found without starting: nothing is created, nobody is asked over the network.

use crate::config::{Config, Upstream};
use crate::listener::{self, BindError, Listener};
use crate::origin::{chrome, remote};
use crate::store;

use super::Error;

/// One thing that `serve` would refuse.
#[derive(Debug)]
pub struct Obstacle {
    /// The setting that it comes from, such as `store.dir`.
    pub setting: String,
    /// What `serve` would say.
    pub error: Error,
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
