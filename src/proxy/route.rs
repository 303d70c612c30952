//! Which origin answers a request.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, StatusCode, Uri};
use url::Url;

use crate::capture::Canonical;
use crate::derive::{self, Unfit};
use crate::origin::{Flaw, Origin, OriginError};
use crate::policy::admission::Terms;
use crate::policy::audience::Audience;
use crate::policy::public_url::PublicUrl;
use crate::policy::rules::{Lifetimes, Plan};
use crate::policy::wishes::Wishes;
use crate::policy::{key, place};
pub use crate::proxy::config::Asking;
use crate::proxy::config::{Auth, Config, Refresh};
use crate::store::Handle;

/// The origin error of a response that is no good picture.
pub(super) fn unfit(why: Unfit) -> OriginError {
    let flaw = match &why {
        Unfit::NotPicture(_) => Flaw::NotPicture,
        Unfit::Blank => Flaw::Blank,
    };
    OriginError::Flawed { flaw, detail: why.to_string() }
}

/// A route at work.
pub struct Route {
    /// Name in proxy.toml.
    pub name: String,
    /// What its keys begin with: its name, or that of another route to the same origin whose stored
    /// responses it shares.
    pub scope: String,
    /// Where its answers come from.
    pub origin: Arc<dyn Origin>,
    /// What it says of storing.
    pub terms: Terms,
    /// Its rules of lifetime.
    pub lifetimes: Lifetimes,
    /// When it fetches anew what is still fresh.
    pub refresh: Refresh,
    /// Who may ask.
    pub auth: Auth,
    /// Whom its answers are for.
    pub audience: Audience,
    /// What links to its pictures begin with.
    pub public_url: Option<PublicUrl>,
    /// Its query names a page to capture.
    pub capture: bool,
    /// A successful response that is not a good picture is an origin error.
    pub only_pictures: bool,
    /// The origin is told the client's host, so the host is part of the key.
    pub keyed_by_host: bool,
    /// How its requests are read.
    pub asking: Asking,
    /// It heeds `No-Vary-Search`.
    pub no_vary_search: bool,
    pub(super) host: Option<String>,
    pub(super) path: String,
}

impl Route {
    /// Whether the head of a response may be that of a picture, on a route that takes nothing else.
    ///
    /// # Errors
    /// [`Flaw::NotPicture`].
    pub(super) fn judge_head(&self, status: StatusCode, fields: &HeaderMap) -> Result<(), OriginError> {
        if self.only_pictures && status.is_success() {
            return derive::picture_type(fields).map_err(unfit);
        }
        Ok(())
    }

    /// Whether the request for `target` takes a picture of one colour.
    pub(super) fn allows_blank(&self, target: &Uri) -> bool {
        let query = target.query().unwrap_or_default();
        let given = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "allow_blank");
        self.asking.dialect().is_none() && given.into_iter().any(|(_, value)| value == "true")
    }

    /// Writes the primary cache key of `target` into `key`, over what was there.
    pub fn key_into(&self, key: &mut Vec<u8>, target: &Uri) {
        key.clear();
        let query = target.query().unwrap_or_default();
        match &self.asking {
            Asking::Opaque(rules) => match rules.keyed(query) {
                Cow::Borrowed(_) => key::append(key, &self.scope(target), target),
                Cow::Owned(keyed) => self.key_with(key, target, &keyed),
            },
            Asking::Tintype(defaults) => match Canonical::read(query, None, defaults) {
                Some(canonical) => self.key_with(key, target, &canonical.key),
                None => key::append(key, &self.scope(target), target),
            },
            // What is no picture: those have been read before.
            Asking::Dialect(_) => key::append(key, &self.scope(target), target),
        }
    }

    /// The primary cache key of a capture at the path of `target`.
    pub fn canonical_key(&self, target: &Uri, canonical: &Canonical) -> Vec<u8> {
        let mut key = Vec::with_capacity(32 + canonical.key.len());
        self.key_with(&mut key, target, &canonical.key);
        key
    }

    fn key_with(&self, key: &mut Vec<u8>, target: &Uri, query: &str) {
        key.extend_from_slice(self.scope(target).as_bytes());
        key.push(b' ');
        key.extend_from_slice(target.path().as_bytes());
        if !query.is_empty() {
            key.push(b'?');
            key.extend_from_slice(query.as_bytes());
        }
    }

    /// What stands for the origin in keys: the name of a route, and the host where the origin is
    /// told it.
    pub fn scope(&self, target: &Uri) -> Cow<'_, str> {
        match target.authority() {
            Some(authority) if self.keyed_by_host => {
                format!("{}@{}", self.scope, authority.as_str().to_ascii_lowercase()).into()
            }
            _ => Cow::Borrowed(&self.scope),
        }
    }

    /// What a purge of the response to `target` under `key` would name: its URL, the page that it
    /// captures, and the host and the prefixes of that; without a page those of the URL, as the key
    /// has them.
    pub fn handles(&self, key: &[u8], target: &Uri, page: Option<&Url>) -> Vec<Handle> {
        let mut handles = vec![Handle::of_key(key)];
        let Some(page) = page.filter(|_| self.capture) else {
            let root = self.root(target);
            if self.keyed_by_host {
                handles.extend(target.host().map(|host| Handle::of_host(&host.to_ascii_lowercase())));
            }
            let prefixes = place::prefixes(&root, target.path());
            handles.extend(prefixes.iter().map(|prefix| Handle::of_prefix(prefix)));
            return handles;
        };
        handles.push(Handle::of_target(page.as_str()));
        if let Some(place) = place::of_page(page.as_str()) {
            handles.push(Handle::of_host(&place.host));
            handles.extend(place.prefixes.iter().map(|prefix| Handle::of_prefix(prefix)));
        }
        handles
    }

    /// What prefixes of request paths begin with. No host has a space in it.
    pub fn root(&self, target: &Uri) -> String {
        format!("{} ", self.scope(target))
    }

    /// The page that a request for `target` captures, as far as its query tells.
    pub fn page(&self, target: &Uri) -> Option<String> {
        let query = target.query().filter(|_| self.capture)?;
        Wishes::of_unknown(query).page.map(String::from)
    }

    /// What its rules and `wishes` make of a request for `target`: by the page that it captures, or
    /// by its own URL.
    pub fn plan(&self, target: &Uri, wishes: &Wishes) -> Plan {
        if self.capture {
            return self.lifetimes.plan(wishes.page.as_ref(), wishes);
        }
        let own = self.lifetimes.look_at_urls().then(|| Url::parse(&target.to_string()).ok()).flatten();
        self.lifetimes.plan(own.as_ref(), wishes)
    }

    /// The terms of storing what a request with this plan brings.
    pub fn terms_for(&self, plan: Plan) -> Terms {
        self.lifetimes.terms(plan, &self.terms)
    }

    fn matches(&self, host: &str, path: &str) -> bool {
        self.host.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(host)) && covers(&self.path, path)
    }
}

/// Whether `prefix` covers `path` on a segment border.
fn covers(prefix: &str, path: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A route names an upstream that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no upstream {0:?}")]
pub struct UnknownUpstream(pub String);

/// All routes, the most specific first: a named host before any host, then the longest path.
pub struct Routes(Vec<Arc<Route>>);

impl Routes {
    /// Composes the routes of `config`; `origin` gives the origin of a name, and whether it is told
    /// the client's host.
    ///
    /// # Errors
    /// If an upstream does not exist.
    pub fn new(
        config: &Config,
        mut origin: impl FnMut(&str) -> Option<(Arc<dyn Origin>, bool)>,
    ) -> Result<Self, UnknownUpstream> {
        let mut routes = Vec::with_capacity(config.routes.len());
        for route in &config.routes {
            let (origin, keyed_by_host) =
                origin(&route.upstream).ok_or_else(|| UnknownUpstream(route.upstream.clone()))?;
            routes.push(Arc::new(Route {
                name: route.name.clone(),
                scope: route.key.clone().unwrap_or_else(|| route.name.clone()),
                origin,
                terms: route.terms.clone(),
                lifetimes: route.lifetimes.clone(),
                refresh: route.refresh,
                auth: route.auth,
                audience: route.audience,
                public_url: route.public_url.clone(),
                capture: route.capture,
                only_pictures: route.only_pictures,
                keyed_by_host,
                asking: route.asking.clone(),
                no_vary_search: route.no_vary_search,
                host: route.host.clone(),
                path: route.path.clone(),
            }));
        }
        routes.sort_by_key(|route| (route.host.is_none(), std::cmp::Reverse(route.path.len())));
        Ok(Routes(routes))
    }

    /// Takes over the routes of `before` that are the `same` by configuration and have the same
    /// origin.
    pub(super) fn adopt(&mut self, before: &Routes, same: impl Fn(&str) -> bool) {
        for route in &mut self.0 {
            let known = before.0.iter().find(|known| known.name == route.name);
            if let Some(known) = known
                && Arc::ptr_eq(&known.origin, &route.origin)
                && known.keyed_by_host == route.keyed_by_host
                && same(&route.name)
            {
                *route = Arc::clone(known);
            }
        }
    }

    /// Whether `route` is one of these.
    pub(super) fn has(&self, route: &Arc<Route>) -> bool {
        self.0.iter().any(|known| Arc::ptr_eq(known, route))
    }

    /// The route for `target`, whose authority is the client's `Host`.
    pub fn find(&self, target: &Uri) -> Option<&Arc<Route>> {
        let host = target.host().unwrap_or_default();
        self.0.iter().find(|route| route.matches(host, target.path()))
    }

    /// The route with signed paths over the stored responses of `scope`.
    pub(super) fn signing(&self, scope: &str) -> Option<&Arc<Route>> {
        let signs = |route: &&Arc<Route>| {
            route.scope == scope && route.asking.dialect().is_some_and(|dialect| dialect.has_signed_paths())
        };
        self.0.iter().find(signs)
    }

    /// The first route that captures pages: one in our own dialect, then one to our own engine,
    /// before others.
    pub fn capturing(&self) -> Option<&Arc<Route>> {
        let captures = || self.0.iter().filter(|route| route.capture);
        let engine = || captures().filter(|route| route.lifetimes.engine);
        engine()
            .find(|route| route.asking.dialect().is_none())
            .or_else(|| engine().next())
            .or_else(|| captures().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::body::Body;
    use crate::origin::OriginError;
    use futures_util::future::BoxFuture;
    use http::{Request, Response};

    struct Nowhere;
    impl Origin for Nowhere {
        fn fetch(&self, _: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, OriginError>> {
            Box::pin(async { Err(OriginError::Connect("nowhere".into())) })
        }
    }

    fn routes(of: &[(&str, Option<&str>, &str)]) -> Routes {
        let config = Config {
            routes: of
                .iter()
                .map(|(name, host, path)| super::super::Route {
                    name: (*name).into(),
                    host: host.map(str::to_owned),
                    path: (*path).into(),
                    upstream: "u".into(),
                    key: None,
                    capture: false,
                    asking: Asking::default(),
                    no_vary_search: false,
                    only_pictures: false,
                    terms: Terms::default(),
                    lifetimes: Lifetimes::default(),
                    refresh: Refresh::default(),
                    auth: Auth::default(),
                    audience: Audience::default(),
                    public_url: None,
                })
                .collect(),
            ..Config::default()
        };
        Routes::new(&config, |_| Some((Arc::new(Nowhere) as Arc<dyn Origin>, false))).expect("routes")
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes = routes(&[
            ("all", None, "/"),
            ("shots", None, "/screenshot"),
            ("own", Some("a.example"), "/"),
            ("own-deep", Some("a.example"), "/deep/"),
        ]);
        for (target, expected) in [
            ("http://b.example/", "all"),
            ("http://b.example/screenshot?url=x", "shots"),
            ("http://b.example/screenshot/x", "shots"),
            ("http://b.example/screenshots", "all"),
            ("http://A.example:8080/x", "own"),
            ("http://a.example/screenshot", "own"),
            ("http://a.example/deep", "own-deep"),
            ("http://a.example/deep/er", "own-deep"),
            ("http://a.example/deeper", "own"),
        ] {
            let found = routes.find(&target.parse().expect("uri")).map(|route| route.name.as_str());
            assert_eq!(found, Some(expected), "{target}");
        }
        assert!(
            super::tests::routes(&[("a", None, "/a")]).find(&"http://h/b".parse().expect("uri")).is_none()
        );
    }
}
