//! Requests of clients as the cache sees them, and the requests that are sent to origins.

use std::net::IpAddr;
use std::sync::Arc;

use http::request::Parts;
use http::{Method, header};
use http_body::Body as _;

use crate::message::body::Body;
use crate::message::cache_status::Forward;
use crate::message::class::Class;
use crate::policy::admission::Terms;
use crate::policy::directives::RequestDirectives;
use crate::policy::rules::Plan;
use crate::policy::wishes::Wishes;
use crate::proxy::auth::Leave;
use crate::proxy::route::Route;
use crate::store::{CacheKey, Handle};

pub(in crate::proxy) mod dialect;
pub(crate) mod forward;
pub(in crate::proxy) mod parse;
pub(in crate::proxy) mod reading;
pub(crate) mod target;

/// A request with its cache key and everything that decides which stored response may answer it.
#[derive(Clone)]
pub(crate) struct CacheRequest {
    pub(crate) route: Arc<Route>,
    /// The request head as it is sent to the origin.
    pub(crate) head: Parts,
    pub(crate) directives: RequestDirectives,
    pub(crate) peer: IpAddr,
    /// The cache key before variants are told apart.
    pub(crate) primary: CacheKey,
    pub(crate) wishes: Wishes,
    /// What the rules of the route make of the wishes.
    pub(crate) plan: Plan,
    pub(in crate::proxy) leave: Leave,
}

impl CacheRequest {
    pub(in crate::proxy) fn new(
        route: Arc<Route>,
        head: Parts,
        peer: IpAddr,
        primary: CacheKey,
        wishes: Wishes,
        leave: Leave,
    ) -> Self {
        let directives = RequestDirectives::of(&head.headers);
        let plan = route.plan(&head.uri, &wishes);
        CacheRequest { route, head, directives, peer, primary, wishes, plan, leave }
    }

    /// The handles by which a purge finds the response, as far as the request determines them.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        self.route.handles(self.primary.as_bytes(), &self.head.uri, self.wishes.page.as_ref())
    }

    /// The terms on which the response is stored.
    pub(crate) fn terms(&self) -> Terms {
        self.route.terms_for(self.plan)
    }

    /// The priority of a fetch for this request. A client that validates what it has can wait a
    /// little longer than one that has nothing.
    pub(crate) fn class(&self) -> Class {
        let fields = &self.head.headers;
        match Class::of(&self.head.extensions) {
            Class::Viewer
                if fields.contains_key(header::IF_NONE_MATCH)
                    || fields.contains_key(header::IF_MODIFIED_SINCE) =>
            {
                Class::Monitor
            }
            class => class,
        }
    }
}

/// Why `request` bypasses the cache, if it does.
pub(crate) fn why_bypass(request: &Parts, body: &Body) -> Option<Forward> {
    if !is_cacheable(&request.method) {
        return Some(Forward::Method);
    }
    // Content in a GET is not part of the key, and an origin might read it.
    if !body.is_end_stream() {
        return Some(Forward::Bypass);
    }
    // Without a stored whole, the origin is asked for the part only.
    request.headers.contains_key(header::RANGE).then_some(Forward::Bypass)
}

/// Whether `request` would bypass the cache only for its `Range`: a stored whole may answer it (RFC
/// 9110 section 14.2).
pub(crate) fn is_plain_range(request: &Parts, body: &Body) -> bool {
    is_cacheable(&request.method) && body.is_end_stream() && request.headers.contains_key(header::RANGE)
}

/// Whether responses to `method` come from the store.
pub(crate) fn is_cacheable(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn why_bypass_depends_on_method_body_and_range() {
        for (method, range, body, expected) in [
            ("GET", false, Body::Empty, None),
            ("HEAD", false, Body::Empty, None),
            ("GET", true, Body::Empty, Some(Forward::Bypass)),
            ("GET", false, Body::whole("x"), Some(Forward::Bypass)),
            ("POST", false, Body::Empty, Some(Forward::Method)),
            ("DELETE", true, Body::Empty, Some(Forward::Method)),
        ] {
            let mut request = Request::builder().method(method).uri("http://h/").body(()).expect("request");
            if range {
                request.headers_mut().insert("range", http::HeaderValue::from_static("bytes=0-1"));
            }
            let (request, ()) = request.into_parts();
            assert_eq!(why_bypass(&request, &body), expected, "{method} {range}");
            let by_range_alone = expected == Some(Forward::Bypass) && range;
            assert_eq!(is_plain_range(&request, &body), by_range_alone, "{method} {range}");
        }
    }
}
