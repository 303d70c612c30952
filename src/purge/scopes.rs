//! From what an operator names to the handles of stored responses that it hits.

use http::Uri;

use super::request::PurgeError;
use crate::policy::purge::{Named, keys_shown_as};
use crate::policy::{key, place};
use crate::proxy::Proxy;
use crate::store::{Handle, Scope};

/// The scopes by which everything stored for `named` is purged.
pub(super) fn scopes(proxy: &Proxy, named: &Named) -> Result<Vec<Scope>, PurgeError> {
    if *named == Named::All {
        return Ok(vec![Scope::All]);
    }
    let mut scopes: Vec<Scope> = handles(proxy, named)?.into_iter().map(Scope::Handle).collect();
    if matches!(named, Named::Tag(_)) {
        scopes.push(Scope::Handle(Handle::of_untold_tags()));
    }
    Ok(scopes)
}

/// The handles that what is stored for `named` carries, any of them. [`Named::All`] has none.
pub(super) fn handles(proxy: &Proxy, named: &Named) -> Result<Vec<Handle>, PurgeError> {
    let handles = match named {
        Named::Url(url) => of_url(proxy, url),
        Named::Key(text) if text.is_empty() => Vec::new(),
        Named::Key(text) => keys_shown_as(text).iter().map(|key| Handle::of_key(key)).collect(),
        Named::Tag(tag) => {
            let tag = tag.trim();
            (!tag.is_empty()).then(|| Handle::of_tag(tag)).into_iter().collect()
        }
        Named::Host(host) => place::named_host(host).map(|host| Handle::of_host(&host)).into_iter().collect(),
        Named::Prefix(prefix) => of_prefix(proxy, prefix),
        Named::All => Vec::new(),
    };
    if handles.is_empty() { Err(names_nothing(named)) } else { Ok(handles) }
}

/// Those of the response with all variants if it is the URL of a request to this proxy (absolute, or path
/// and query where the host is no part of the key), and of every capture if it is the URL of a page.
fn of_url(proxy: &Proxy, url: &str) -> Vec<Handle> {
    let mut handles = match as_target(url) {
        Some(target) => proxy.handles_of_request(&target, is_path(url)),
        None => Vec::new(),
    };
    handles.extend(key::page_url(url).map(|page| Handle::of_target(&page)));
    handles
}

/// The same for everything below a URL.
fn of_prefix(proxy: &Proxy, prefix: &str) -> Vec<Handle> {
    let mut handles = Vec::new();
    if let Some(target) = as_target(prefix).filter(|target| target.query().is_none())
        && let Some(root) = proxy.root_of_request(&target, is_path(prefix))
    {
        handles.extend(place::prefix(&root, target.path()).map(|prefix| Handle::of_prefix(&prefix)));
    }
    if !is_path(prefix) {
        handles.extend(place::named_prefix(prefix).map(|prefix| Handle::of_prefix(&prefix)));
    }
    handles
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

fn names_nothing(named: &Named) -> PurgeError {
    PurgeError::NamesNothing(match named {
        Named::Url(url) => format!("`{url}` is neither a URL nor a path that this proxy serves"),
        Named::Key(_) => "the key is empty".into(),
        Named::Tag(_) => "the tag is empty".into(),
        Named::Host(host) => format!("`{host}` is no host name"),
        Named::Prefix(prefix) => {
            format!(
                "`{prefix}` is no URL, host or path without query of at most 16 segments that this proxy serves"
            )
        }
        Named::All => "nothing".into(),
    })
}
