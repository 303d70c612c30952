//! Reads `[compat]`: the listener of the endpoints that other services have beside their pictures.

use super::problem::Kind;
use super::section::Section;
use crate::admin::compat::{Config, Place};
use crate::{admin, listener};

pub(super) fn read(mut s: Section<'_>, server: &listener::Config, admin: Option<&admin::Config>) -> Config {
    let mut place = |name: &'static str| {
        s.choice(
            name,
            [
                ("control", Place::Control),
                ("data", Place::Data),
                ("both", Place::Both),
                ("none", Place::None),
            ],
        )
    };
    let config = Config {
        health: place("health"),
        cache_stats: place("cache_stats"),
        cache_delete: place("cache_delete"),
        docs: place("docs"),
    };
    let guarded = server.listen.ip().is_loopback() || admin.is_some_and(|admin| admin.token.is_some());
    for (name, place) in [("cache_stats", config.cache_stats), ("cache_delete", config.cache_delete)] {
        if matches!(place, Place::Data | Place::Both) && !guarded {
            let allowed = "\"control\" or \"none\": without admin.token everybody who reaches server.listen could use it";
            s.refuse(name, Kind::Conflict, "the data plane", allowed);
        }
    }
    config
}
