//! From what an operator names to what a purge hits.

use http::Uri;

use super::Proxy;
use crate::policy::key;
use crate::store::{Handle, Scope};

impl Proxy {
    /// The scopes by which everything stored for `url` is purged: its response with all variants if it is the URL of a request
    /// to this proxy (absolute, or path and query where the host is no part of the key), and every capture of it if it is the URL of a page.
    ///
    /// Empty if `url` can be neither.
    pub fn scopes_of(&self, url: &str) -> Vec<Scope> {
        let mut scopes = Vec::new();
        if let Some(target) = as_target(url)
            && let Some(route) = self.routes.find(&target)
            // A path alone names nothing where the host is part of the key.
            && !(route.keyed_by_host && is_path(url))
        {
            scopes.extend(self.search.handles(route, &target).into_iter().map(Scope::Handle));
        }
        if let Some(page) = key::page_url(url) {
            scopes.push(Scope::Handle(Handle::of_target(&page)));
        }
        scopes
    }
}

/// `url` as the target of a request, without its fragment.
fn as_target(url: &str) -> Option<Uri> {
    let is_path = is_path(url);
    let url = url.split('#').next()?.trim();
    if is_path {
        return format!("http://localhost{url}").parse().ok();
    }
    url.parse().ok().filter(|target: &Uri| target.scheme().is_some())
}

fn is_path(url: &str) -> bool {
    url.trim_start().starts_with('/')
}
