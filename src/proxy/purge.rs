//! From what an operator names to what a purge hits.

use http::Uri;

use crate::policy::purge::{Named, keys_shown_as};
use crate::policy::{key, place};
use crate::proxy::Proxy;
use crate::proxy::route::Route;
use crate::store::{Handle, Scope};

impl Proxy {
    /// The scopes by which everything stored for `named` is purged, none if it can name nothing.
    pub fn scopes_of(&self, named: &Named) -> Vec<Scope> {
        if *named == Named::All {
            return vec![Scope::All];
        }
        let handles = self.handles_of(named);
        let mut scopes: Vec<Scope> = handles.into_iter().map(Scope::Handle).collect();
        if matches!(named, Named::Tag(_)) {
            scopes.push(Scope::Handle(Handle::of_untold_tags()));
        }
        scopes
    }

    /// The handles that what is stored for `named` carries, any of them; none if it can name nothing, or names everything.
    pub fn handles_of(&self, named: &Named) -> Vec<Handle> {
        match named {
            Named::Url(url) => self.handles_of_url(url),
            Named::Key(text) if text.is_empty() => Vec::new(),
            Named::Key(text) => keys_shown_as(text).iter().map(|key| Handle::of_key(key)).collect(),
            Named::Tag(tag) => {
                let tag = tag.trim();
                (!tag.is_empty()).then(|| Handle::of_tag(tag)).into_iter().collect()
            }
            Named::Host(host) => {
                place::named_host(host).map(|host| Handle::of_host(&host)).into_iter().collect()
            }
            Named::Prefix(prefix) => self.handles_of_prefix(prefix),
            Named::All => Vec::new(),
        }
    }

    /// Those of the response with all variants if it is the URL of a request to this proxy (absolute, or path and query where the host
    /// is no part of the key), and of every capture if it is the URL of a page.
    fn handles_of_url(&self, url: &str) -> Vec<Handle> {
        let mut handles = Vec::new();
        if let Some((target, route)) = self.as_request(url) {
            handles.extend(self.cache.handles(route, &target));
        }
        handles.extend(key::page_url(url).map(|page| Handle::of_target(&page)));
        handles
    }

    /// The same for everything below a URL.
    fn handles_of_prefix(&self, prefix: &str) -> Vec<Handle> {
        let mut handles = Vec::new();
        if let Some((target, route)) = self.as_request(prefix).filter(|(target, _)| target.query().is_none())
        {
            let prefix = place::prefix(&route.root(&target), target.path());
            handles.extend(prefix.map(|prefix| Handle::of_prefix(&prefix)));
        }
        if !is_path(prefix) {
            handles.extend(place::named_prefix(prefix).map(|prefix| Handle::of_prefix(&prefix)));
        }
        handles
    }

    /// `url` as the target of a request, and its route.
    fn as_request(&self, url: &str) -> Option<(Uri, &Route)> {
        let target = as_target(url)?;
        let route = self.routes.find(&target)?;
        // A path alone names nothing where the host is part of the key.
        (!(route.keyed_by_host && is_path(url))).then_some((target, route))
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
