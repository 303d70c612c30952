//! By what handles a purge finds what is stored for requests.

use http::Uri;

use crate::proxy::Proxy;
use crate::proxy::route::Route;
use crate::store::Handle;

impl Proxy {
    /// The handles of what is stored for requests to `target`, which was given as a path alone if
    /// `by_path`. A path names nothing where the host is part of the key.
    pub fn handles_of_request(&self, target: &Uri, by_path: bool) -> Vec<Handle> {
        let route = self.route_of(target, by_path);
        route.map(|route| self.cache.handles(route, target)).unwrap_or_default()
    }

    /// What the keys of requests to `target` begin with, as far as the origin and the host go.
    pub fn root_of_request(&self, target: &Uri, by_path: bool) -> Option<String> {
        Some(self.route_of(target, by_path)?.root(target))
    }

    fn route_of(&self, target: &Uri, by_path: bool) -> Option<&Route> {
        let route = self.routes.find(target)?;
        (!(route.keyed_by_host && by_path)).then_some(route)
    }
}
