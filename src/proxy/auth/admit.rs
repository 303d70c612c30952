//! The signature or the API key of a request, looked at.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Uri, header};
use http_body::Body as _;

use super::{Auth, By, Held, Keyring, Leave};
use crate::clock::Timestamp;
use crate::message::body::Body;
use crate::message::class::Caller;
use crate::policy::directives::RequestDirectives;
use crate::policy::signing::own::{self, Grant};
use crate::policy::signing::{Denial, Render, Secret, access_key};
use crate::proxy::refusal::Refusal;
use crate::proxy::request::target::with_query;
use crate::proxy::route::Route;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// What microlink passes on to pages by fields.
const PASSED_ON: &str = "x-api-header-";
/// How long a link is good that is given to who asked with an API key.
const DAYS_30: u64 = 30 * 86_400;

impl Keyring {
    /// By which right `request` is for `route`, at `now`; not counted. What admits it is taken out
    /// of it.
    pub(in crate::proxy) fn admit(
        &self,
        route: &Route,
        request: &mut Parts,
        body: &Body,
        now: Timestamp,
    ) -> Result<Leave, Refusal> {
        let denied = match route.auth {
            Auth::None => return Ok(Leave::default()),
            Auth::Key => Denial::NoKey,
            Auth::Signed | Auth::Either => Denial::Unsigned,
        };
        if route.auth.takes_links()
            && let Some(leave) = self.by_link(route, request, now).map_err(Refusal::Denied)?
        {
            // A signature covers nothing else.
            if !matches!(request.method, Method::GET | Method::HEAD) || !body.is_end_stream() {
                return Err(Refusal::Denied(Denial::Unsigned));
            }
            only_the_link(request);
            return Ok(leave);
        }
        if Caller::of(&request.extensions) == Caller::Operator {
            return Ok(Leave::default());
        }
        if !route.auth.takes_keys() {
            return Err(Refusal::Denied(denied));
        }
        let key = self.by_key(request).ok_or(Refusal::Denied(denied))?;
        good(&key, now).map_err(Refusal::Denied)?;
        let render = key.key.render;
        Ok(Leave { by: By::Key(key), render })
    }

    fn by_link(&self, route: &Route, request: &mut Parts, now: Timestamp) -> Result<Option<Leave>, Denial> {
        let (path, query) = (request.uri.path(), request.uri.query().unwrap_or_default());
        if let Some(link) = own::Link::read(query)? {
            let (key, secret) = self.signer(&link.key)?;
            let granted = link.verify(path, secret, now.as_secs())?;
            good(&key, now)?;
            let until = granted.expires.map(Timestamp::from_secs).into_iter().chain(key.key.not_after).min();
            request.uri = with_query(&request.uri, &granted.query).ok_or(Denial::Altered)?;
            let render = granted.render.min(key.key.render);
            return Ok(Some(Leave {
                by: By::Link { key, own: true, expires: granted.expires, until },
                render,
            }));
        }
        let dialect = route.asking.dialect();
        let Some((dialect, id)) = dialect.and_then(|dialect| Some((dialect, dialect.signer(path, query)?)))
        else {
            return Ok(None);
        };
        let (key, secret) = self.signer(&id)?;
        let fits = dialect.verify(path, query, secret);
        if !fits {
            return Err(Denial::Altered);
        }
        good(&key, now)?;
        let (until, render) = (key.key.not_after, key.key.render);
        Ok(Some(Leave { by: By::Link { key, own: false, expires: None, until }, render }))
    }

    fn signer(&self, id: &str) -> Result<(Arc<Held>, &Secret), Denial> {
        let held = self.0.iter().find(|held| held.key.id == id).ok_or(Denial::UnknownKey)?;
        Ok((Arc::clone(held), held.key.secret.as_ref().ok_or(Denial::UnknownKey)?))
    }

    /// The key whose API key is in a field, or in `access_key`. Looks at all of them, whichever it
    /// is.
    fn by_key(&self, request: &mut Parts) -> Option<Arc<Held>> {
        let field = |name: &HeaderName| request.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = field(&header::AUTHORIZATION).and_then(|value| value.split_once(' '));
        let bearer =
            bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
        let in_field = field(&X_API_KEY).or(bearer).map(|given| given.trim().to_owned());
        let given = match &in_field {
            Some(given) => given.clone(),
            None => access_key(request.uri.query()?)?,
        };
        let is_it = |held: &&Arc<Held>| held.key.api_key.as_ref().is_some_and(|key| key.is(&given));
        let found = self.0.iter().filter(is_it).fold(None, |_, held| Some(Arc::clone(held)))?;
        request.headers.remove(X_API_KEY);
        if in_field.is_some() {
            request.headers.remove(header::AUTHORIZATION);
        } else if let Some(query) = request.uri.query() {
            let is_key = |pair: &&str| access_key(pair).is_some();
            let rest: Vec<&str> = query.split('&').filter(|pair| !is_key(pair)).collect();
            request.uri = with_query(&request.uri, &rest.join("&"))?;
        }
        Some(found)
    }
}

fn good(held: &Held, now: Timestamp) -> Result<(), Denial> {
    if held.key.not_after.is_some_and(|end| now >= end) { Err(Denial::Expired) } else { Ok(()) }
}

/// Takes out of a signed request what says something else than its link does: who holds a link
/// decides nothing.
fn only_the_link(request: &mut Parts) {
    let only_if_cached = RequestDirectives::of(&request.headers).only_if_cached;
    for name in [header::AUTHORIZATION, header::COOKIE, header::CACHE_CONTROL, header::PRAGMA, X_API_KEY] {
        request.headers.remove(name);
    }
    let passed_on: Vec<HeaderName> =
        request.headers.keys().filter(|name| name.as_str().starts_with(PASSED_ON)).cloned().collect();
    for name in passed_on {
        request.headers.remove(name);
    }
    if only_if_cached {
        request.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("only-if-cached"));
    }
}

impl Leave {
    /// `link`, to the picture that was asked for, as who has it may use it: signed, where `route`
    /// wants that.
    pub(in crate::proxy) fn sign(&self, route: &Route, link: &Uri, now: Timestamp) -> Uri {
        self.signed(route, link, now).unwrap_or_else(|| link.clone())
    }

    fn signed(&self, route: &Route, link: &Uri, now: Timestamp) -> Option<Uri> {
        let held = self.held().filter(|_| route.auth.takes_links())?;
        let (secret, id) = (held.key.secret.as_ref()?, &held.key.id);
        let (path, query) = (link.path(), link.query().unwrap_or_default());
        let (own, expires, render) = match &self.by {
            By::Link { own, expires, .. } => (*own, *expires, self.render),
            _ => (false, Some(now.as_secs() + DAYS_30), Render::Stale),
        };
        let theirs = route.asking.dialect().filter(|_| !own);
        if let Some(signed) = theirs.and_then(|dialect| dialect.sign(path, query, id, secret)) {
            let mut parts = link.clone().into_parts();
            parts.path_and_query = Some(signed.parse().ok()?);
            return Uri::from_parts(parts).ok();
        }
        let grant = Grant { key: id, expires, render, sizes: None };
        with_query(link, &own::sign(path, query, &grant, secret)?)
    }
}
