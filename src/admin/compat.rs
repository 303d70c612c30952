//! What other services have beside their pictures, and on which listener it is here: health, figures of the cache, emptying it, a description.

use http::{Method, Uri};

use super::{describe, health, purge, stats};

/// On which listener something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The control plane's.
    #[default]
    Control,
    /// The data plane's.
    Data,
    /// On each.
    Both,
    /// On none.
    None,
}

impl Place {
    fn is_on(self, data: bool) -> bool {
        match self {
            Place::Control => !data,
            Place::Data => data,
            Place::Both => true,
            Place::None => false,
        }
    }
}

/// Where each is. By default on the control plane: they tell or change what not everybody should know or do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `/health`.
    pub health: Place,
    /// `/cache/stats`.
    pub cache_stats: Place,
    /// `DELETE /cache` and `DELETE /cache/url`.
    pub cache_delete: Place,
    /// `/docs`, `/redoc` and `/openapi.json`.
    pub docs: Place,
}

impl Config {
    /// Where the resource at this path is, if it is one of these.
    fn place(&self, path: &str) -> Option<Place> {
        match path {
            health::HEALTH => Some(self.health),
            stats::CACHE_STATS => Some(self.cache_stats),
            purge::CACHE | purge::CACHE_URL => Some(self.cache_delete),
            describe::DOCS | describe::REDOC | describe::OPENAPI => Some(self.docs),
            _ if path.strip_prefix("/docs/").is_some_and(|file| describe::FILES.contains(&file)) => {
                Some(self.docs)
            }
            _ => None,
        }
    }

    /// Whether the control plane has nothing at this path because of what is configured.
    pub(super) fn hides(&self, target: &Uri) -> bool {
        self.place(target.path()).is_some_and(|place| !place.is_on(false))
    }

    /// Whether such a request on the data plane is for one of these. `/cache` may be a picture's path: only `DELETE` is meant.
    pub fn is_on_data(&self, method: &Method, target: &Uri) -> bool {
        let path = target.path();
        let meant = !matches!(path, purge::CACHE | purge::CACHE_URL) || *method == Method::DELETE;
        meant && self.place(path).is_some_and(|place| place.is_on(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_table() {
        let config =
            Config { health: Place::Both, cache_stats: Place::Data, docs: Place::None, ..Config::default() };
        for (method, path, on_control, on_data) in [
            ("GET", "/health", true, true),
            ("GET", "/cache/stats", false, true),
            ("GET", "/docs", false, false),
            ("GET", "/redoc", false, false),
            ("DELETE", "/cache", true, false),
            ("GET", "/stats", true, false),
            ("GET", "/healthz", true, false),
        ] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let target: Uri = path.parse().unwrap();
            assert_eq!(
                (!config.hides(&target), config.is_on_data(&method, &target)),
                (on_control, on_data),
                "{path}"
            );
        }
        let config = Config { cache_delete: Place::Both, ..Config::default() };
        for (method, expected) in [(Method::DELETE, true), (Method::GET, false), (Method::POST, false)] {
            assert_eq!(config.is_on_data(&method, &"/cache".parse().unwrap()), expected);
        }
    }
}
