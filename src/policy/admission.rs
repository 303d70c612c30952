//! Whether a response may be stored, and which part of its head is stored (RFC 9111 section 3).

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, StatusCode, header};

use super::directives::{Qualified, RequestDirectives, ResponseDirectives};
use super::freshness::{self, LifetimeSource};
use super::rules::ruling::{Applied, Ruled};
use super::set_cookie::SetCookie;
use super::stored::StoredResponse;
use super::targeted;
use crate::clock::Timestamp;
use crate::message::entity_tag::EntityTag;
use crate::message::fields::{has_credentials, remove_hop_by_hop};
pub use crate::message::outcome::NotStored;

/// The storage settings of a route: stale windows, targeted fields, `Set-Cookie`, lifetime rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// The stale-while-revalidate window where the origin gives none.
    pub stale_while_revalidate: Option<Duration>,
    /// The stale-if-error window where the origin gives none.
    pub stale_if_error: Option<Duration>,
    /// How long a stale response may be served while the origin cannot be reached, where nothing
    /// gives a stale-if-error window (RFC 9111 section 4.2.4).
    pub stale_when_disconnected: Option<Duration>,
    /// The targeted fields that precede `Cache-Control`, the most specific first (RFC 9213).
    pub targeted: Vec<HeaderName>,
    /// How a response with `Set-Cookie` is stored.
    pub set_cookie: SetCookie,
    /// The lifetime that the rules and the client's parameters give.
    pub ruled: Ruled,
}

impl Terms {
    /// These terms for a response that replaces or confirms `stored`, with one more look in the
    /// history of an adaptive lifetime.
    ///
    /// `changed` says whether the content differs from `stored`. `sent` and `received` are the
    /// times of the request and of its response; `fields` are the fields of that response. The
    /// terms stay the same where lifetimes are not adaptive.
    pub fn having_seen(
        &self,
        stored: &StoredResponse,
        changed: bool,
        fields: &HeaderMap,
        sent: Timestamp,
        received: Timestamp,
    ) -> Cow<'_, Terms> {
        if self.ruled.adaptive.is_none() {
            return Cow::Borrowed(self);
        }
        // Measure between the times at which the two responses were generated: a response that an
        // intermediate cache repeats is not a new look.
        let made = received - freshness::initial_age(fields, sent, received);
        let after = made.since(stored.response_time - stored.initial_age);
        let before = stored.history.as_deref().cloned().unwrap_or_default();
        let ruled = Ruled { history: before.with(after, changed), ..self.ruled.clone() };
        Cow::Owned(Terms { ruled, ..self.clone() })
    }
}

/// The parts of a request that decide whether its response may be stored.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The method; only responses to GET are stored.
    pub method: &'a Method,
    /// The fields as the origin received them.
    pub fields: &'a HeaderMap,
    /// When the request was sent to the origin.
    pub sent: Timestamp,
}

/// Decides whether a response may be stored, and returns the head to store.
///
/// `fields` are the response's fields as received; `received` is the time at which its head
/// arrived.
pub fn admit(
    request: RequestFacts<'_>,
    status: StatusCode,
    fields: &HeaderMap,
    received: Timestamp,
    terms: &Terms,
) -> Result<StoredResponse, NotStored> {
    let said = targeted::for_cache(fields, &terms.targeted);
    let Applied { directives, mut lifetime, source, ruling } =
        terms.ruled.apply(request.fields, status, fields, said, terms.set_cookie, received);
    may_store(request, status, fields, &directives, source, terms)?;
    // A response to a request with a cookie may be one user's page at a shared URL. Only the origin
    // can know, so a heuristic lifetime is not used.
    if source == LifetimeSource::Heuristic
        && request.fields.contains_key(header::COOKIE)
        && !directives.public
    {
        lifetime = Duration::ZERO;
    }

    let mut head = StoredResponse {
        status,
        fields: HeaderMap::new(),
        request_time: request.sent,
        response_time: received,
        initial_age: freshness::initial_age(fields, request.sent, received),
        lifetime,
        stale_while_revalidate: directives
            .stale_while_revalidate
            .or(terms.stale_while_revalidate)
            .unwrap_or_default(),
        stale_if_error: directives.stale_if_error.or(terms.stale_if_error).unwrap_or_default(),
        stale_when_disconnected: directives
            .stale_if_error
            .or(terms.stale_if_error)
            .or(terms.stale_when_disconnected)
            .unwrap_or_default(),
        no_cache: directives.no_cache == Qualified::Whole,
        must_revalidate: directives.must_revalidate
            || directives.proxy_revalidate
            || directives.s_maxage.is_some(),
        immutable: directives.immutable,
        own_entity_tag: false,
        cost: received.since(request.sent),
        ruling,
        history: terms.ruled.kept_history(),
    };
    if !is_useful(&head, fields) {
        return Err(NotStored::NoLifetime);
    }
    head.fields = fields.clone();
    strip(&mut head.fields);
    if terms.set_cookie.removes(&directives) {
        head.fields.remove(header::SET_COOKIE);
    }
    for qualified in [&directives.no_cache, &directives.private] {
        if let Qualified::Fields(names) = qualified {
            for name in names {
                head.fields.remove(name);
            }
        }
    }
    Ok(head)
}

/// The fields that are not stored, but sent to the client whose request was forwarded: those that
/// `no-cache` or `private` names (RFC 9111 sections 5.2.2.4 and 5.2.2.7), and cookies by the
/// setting `set_cookie`.
pub fn withheld(fields: &HeaderMap, terms: &Terms) -> HeaderMap {
    let directives = targeted::for_cache(fields, &terms.targeted);
    let mut withheld = HeaderMap::new();
    for qualified in [&directives.no_cache, &directives.private] {
        if let Qualified::Fields(names) = qualified {
            for name in names.iter().filter(|name| !withheld.contains_key(*name)).cloned().collect::<Vec<_>>()
            {
                for value in fields.get_all(&name) {
                    withheld.append(name.clone(), value.clone());
                }
            }
        }
    }
    strip(&mut withheld);
    match terms.set_cookie {
        SetCookie::Strip => {
            withheld.remove(header::SET_COOKIE);
        }
        SetCookie::Client if SetCookie::Client.removes(&directives) => {
            withheld.remove(header::SET_COOKIE);
            for cookie in fields.get_all(header::SET_COOKIE) {
                withheld.append(header::SET_COOKIE, cookie.clone());
            }
        }
        SetCookie::Client | SetCookie::Store | SetCookie::Never => {}
    }
    withheld
}

/// Whether the response to a POST may answer later GET requests for `target`. Its
/// `Content-Location` must be the target URI, and its freshness explicit (RFC 9110 section 9.3.3).
/// [`admit`] decides whether it may be stored at all.
pub fn answers_get(
    method: &Method,
    target: &url::Url,
    status: StatusCode,
    fields: &HeaderMap,
    terms: &Terms,
) -> bool {
    let location = fields.get(header::CONTENT_LOCATION).and_then(|value| value.to_str().ok());
    let directives = targeted::for_cache(fields, &terms.targeted);
    let (lifetime, source) = freshness::lifetime(status, fields, &directives, Timestamp::default());
    method == Method::POST
        && status == StatusCode::OK
        && location.and_then(|location| target.join(location).ok()).is_some_and(|url| url == *target)
        && source.is_explicit()
        && !lifetime.is_zero()
}

/// Whether a stored response can ever be served: fresh, validated, or within a stale window.
fn is_useful(head: &StoredResponse, fields: &HeaderMap) -> bool {
    let windows = !head.stale_while_revalidate.is_zero() || !head.stale_if_error.is_zero();
    let may_be_stale = windows && !head.no_cache && !head.must_revalidate;
    !head.lifetime.is_zero() || may_be_stale || has_validator(fields)
}

/// Removes the fields that are never stored (RFC 9111 section 3.1), and `Age`, which is computed
/// for each response sent.
pub(super) fn strip(fields: &mut HeaderMap) {
    remove_hop_by_hop(fields);
    for name in [header::AGE, header::PROXY_AUTHENTICATE, header::PROXY_AUTHORIZATION] {
        fields.remove(name);
    }
    fields.remove("proxy-authentication-info");
}

fn may_store(
    request: RequestFacts<'_>,
    status: StatusCode,
    fields: &HeaderMap,
    directives: &ResponseDirectives,
    source: LifetimeSource,
    terms: &Terms,
) -> Result<(), NotStored> {
    if request.method != Method::GET {
        return Err(NotStored::Method);
    }
    if let Some(refused) = terms.ruled.refused {
        return Err(refused);
    }
    // Storing a 206 requires combining partial content (RFC 9111 section 3.4). A 304 carries no
    // representation.
    let other = status.is_informational() || matches!(status.as_u16(), 206 | 304);
    if other || !terms.ruled.stores_status(status) {
        return Err(NotStored::Status);
    }
    if super::provoked::is_provoked(status, request.fields) {
        return Err(NotStored::Provoked);
    }
    if RequestDirectives::of(request.fields).no_store {
        return Err(NotStored::RequestNoStore);
    }
    if directives.must_understand {
        // A cache that understands the status code ignores no-store beside must-understand
        // (RFC 9111 section 5.2.2.3).
        if !is_understood(status) {
            return Err(NotStored::Status);
        }
    } else if directives.no_store {
        return Err(NotStored::NoStore);
    }
    if directives.private == Qualified::Whole {
        return Err(NotStored::Private);
    }
    // Storing responses to authenticated requests (RFC 9111 section 3.5).
    let shareable = directives.public || directives.must_revalidate || directives.s_maxage.is_some();
    if has_credentials(request.fields) && !shareable {
        return Err(NotStored::Authorization);
    }
    if super::vary::selecting(fields) == super::vary::Selecting::All {
        return Err(NotStored::VaryAll);
    }
    let cookie_bars = match terms.set_cookie {
        SetCookie::Store | SetCookie::Client => !source.is_explicit(),
        SetCookie::Strip => false,
        SetCookie::Never => true,
    };
    if cookie_bars && fields.contains_key(header::SET_COOKIE) {
        return Err(NotStored::SetCookie);
    }
    let ruled = source == LifetimeSource::Rule;
    if source.is_explicit() || ruled || directives.public || terms.ruled.is_heuristic(status) {
        Ok(())
    } else {
        Err(NotStored::NoLifetime)
    }
}

/// The final status codes whose caching requirements are implemented (RFC 9110 section 15).
fn is_understood(status: StatusCode) -> bool {
    matches!(status.as_u16(),
        200..=205 | 300..=303 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 428 | 429 | 431 | 451 | 500..=505 | 511)
}

fn has_validator(fields: &HeaderMap) -> bool {
    EntityTag::of(fields).is_some()
        || crate::message::date::of_field(fields, &header::LAST_MODIFIED).is_some()
}

/// The fields that a 304 does not update. They describe the framing or the coding of the stored
/// body, or are digests of it (RFC 9111 section 3.2). All others are updated, `Content-Type`
/// included.
pub(super) const NOT_UPDATED: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::TRANSFER_ENCODING,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::lines as fields;

    const NOW: Timestamp = Timestamp::from_secs(784_111_777);

    fn decide(
        request: &[(&'static str, &'static str)],
        status: u16,
        response: &[(&'static str, &'static str)],
    ) -> Result<StoredResponse, NotStored> {
        let request = fields(request);
        let facts = RequestFacts { method: &Method::GET, fields: &request, sent: NOW };
        let status = StatusCode::from_u16(status).expect("status");
        admit(facts, status, &fields(response), NOW, &Terms::default())
    }

    /// RFC 9111 section 3, clause by clause.
    #[test]
    fn response_is_stored_only_if_rfc_9111_allows() {
        const FRESH: (&str, &str) = ("cache-control", "max-age=60");
        const TAG: (&str, &str) = ("etag", "\"1\"");
        const AUTH: (&str, &str) = ("authorization", "Basic x");
        let cases: &[(&[_], u16, &[_], Option<NotStored>)] = &[
            (&[], 200, &[FRESH], None),
            (&[], 599, &[FRESH], None),
            (&[], 206, &[FRESH], Some(NotStored::Status)),
            (&[], 400, &[FRESH], None),
            (&[("content-type", "a")], 400, &[FRESH], Some(NotStored::Provoked)),
            (&[], 431, &[FRESH], Some(NotStored::Provoked)),
            (&[], 304, &[FRESH], Some(NotStored::Status)),
            (&[("cache-control", "No-Store")], 200, &[FRESH], Some(NotStored::RequestNoStore)),
            (&[], 200, &[("cache-control", "max-age=60, NO-STORE")], Some(NotStored::NoStore)),
            (&[], 200, &[("cache-control", "max-age=60, no-store, must-understand")], None),
            (
                &[],
                299,
                &[("cache-control", "max-age=60, no-store, must-understand")],
                Some(NotStored::Status),
            ),
            (&[], 200, &[("cache-control", "max-age=60, Private")], Some(NotStored::Private)),
            (&[], 200, &[("cache-control", "max-age=60, private=\"x-a\"")], None),
            (&[], 200, &[("cache-control", "max-age=60, private=\"vary\"")], Some(NotStored::Private)),
            (&[AUTH], 200, &[FRESH], Some(NotStored::Authorization)),
            (&[AUTH], 200, &[("cache-control", "max-age=60, public")], None),
            (&[AUTH], 200, &[("cache-control", "max-age=60, must-revalidate")], None),
            (&[AUTH], 200, &[("cache-control", "s-maxage=60")], None),
            (&[], 200, &[FRESH, ("vary", "*")], Some(NotStored::VaryAll)),
            (&[], 200, &[FRESH, ("vary", "accept"), ("vary", "x, *")], Some(NotStored::VaryAll)),
            (&[], 200, &[FRESH, ("set-cookie", "a=b")], None),
            (&[], 200, &[TAG, ("set-cookie", "a=b")], Some(NotStored::SetCookie)),
            (&[], 200, &[TAG], None),
            (&[], 200, &[TAG, ("cache-control", "no-cache")], None),
            (&[], 200, &[TAG, ("cache-control", "max-age=0")], None),
            (&[], 200, &[("cache-control", "max-age=0")], Some(NotStored::NoLifetime)),
            (&[], 200, &[("cache-control", "max-age=0, stale-while-revalidate=5")], None),
            (&[], 200, &[("cache-control", "max-age=0, stale-if-error=5")], None),
            (
                &[],
                200,
                &[("cache-control", "max-age=0, stale-if-error=5, must-revalidate")],
                Some(NotStored::NoLifetime),
            ),
            (&[], 200, &[], Some(NotStored::NoLifetime)),
            (&[], 201, &[TAG], Some(NotStored::NoLifetime)),
            (&[], 201, &[TAG, ("cache-control", "public")], None),
        ];
        for (request, status, response, refused) in cases {
            let decision = decide(request, *status, response).err();
            assert_eq!(decision, *refused, "{request:?} {status} {response:?}");
        }
    }

    /// RFC 9111 sections 3.1, 5.2.2.4 and 5.2.2.7: fields that are not stored.
    #[test]
    fn stored_head_lacks_excluded_fields() {
        let kept = decide(
            &[],
            200,
            &[
                ("cache-control", "max-age=60, no-cache=\"x-a\", private=\"x-b\""),
                ("connection", "x-c"),
                ("x-a", "1"),
                ("x-b", "1"),
                ("x-c", "1"),
                ("keep-alive", "timeout=5"),
                ("age", "5"),
                ("x-d", "1"),
            ],
        )
        .expect("storable");
        let names: Vec<&str> = kept.fields.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["cache-control", "x-d"]);
        assert!(!kept.no_cache);
        assert_eq!(kept.initial_age, Duration::from_secs(5));
    }

    /// The setting `set_cookie`; RFC 9111 section 7.3 leaves the sharing of cookies to the origin.
    #[test]
    fn response_with_cookie_follows_set_cookie_setting() {
        const EXPLICIT: (&str, &str) = ("cache-control", "max-age=60");
        const TAG: (&str, &str) = ("etag", "\"1\"");
        const COOKIE: (&str, &str) = ("set-cookie", "a=b");
        let request = HeaderMap::new();
        let facts = RequestFacts { method: &Method::GET, fields: &request, sent: NOW };
        for (set_cookie, lines, expected) in [
            (SetCookie::Store, [EXPLICIT, COOKIE], Ok(true)),
            (SetCookie::Store, [TAG, COOKIE], Err(NotStored::SetCookie)),
            (SetCookie::Client, [EXPLICIT, COOKIE], Ok(false)),
            (SetCookie::Client, [("cache-control", "s-maxage=60"), COOKIE], Ok(true)),
            (SetCookie::Client, [("cache-control", "max-age=60, public"), COOKIE], Ok(true)),
            (SetCookie::Client, [TAG, COOKIE], Err(NotStored::SetCookie)),
            (SetCookie::Strip, [EXPLICIT, COOKIE], Ok(false)),
            (SetCookie::Strip, [TAG, COOKIE], Ok(false)),
            (SetCookie::Never, [EXPLICIT, COOKIE], Err(NotStored::SetCookie)),
            (SetCookie::Never, [EXPLICIT, TAG], Ok(false)),
        ] {
            let terms = Terms { set_cookie, ..Terms::default() };
            let decided = admit(facts, StatusCode::OK, &fields(&lines), NOW, &terms);
            let kept = decided.map(|head| head.fields.contains_key("set-cookie"));
            assert_eq!(kept, expected, "{set_cookie:?} {lines:?}");
        }
    }

    /// RFC 9110 section 9.3.3.
    #[test]
    fn post_response_with_content_location_answers_get() {
        let target = url::Url::parse("http://h/a?b").expect("url");
        const FRESH: (&str, &str) = ("cache-control", "max-age=60");
        for (method, status, lines, expected) in [
            (Method::POST, 200, vec![FRESH, ("content-location", "/a?b")], true),
            (Method::POST, 200, vec![FRESH, ("content-location", "http://h:80/a?b")], true),
            (Method::POST, 200, vec![FRESH, ("content-location", "/a")], false),
            (Method::POST, 200, vec![FRESH], false),
            (Method::POST, 200, vec![("content-location", "/a?b"), ("etag", "\"a\"")], false),
            (Method::POST, 200, vec![("content-location", "/a?b"), ("cache-control", "max-age=0")], false),
            (Method::POST, 201, vec![FRESH, ("content-location", "/a?b")], false),
            (Method::PUT, 200, vec![FRESH, ("content-location", "/a?b")], false),
        ] {
            let status = StatusCode::from_u16(status).expect("status");
            let found = answers_get(&method, &target, status, &fields(&lines), &Terms::default());
            assert_eq!(found, expected, "{method} {status} {lines:?}");
        }
    }

    /// RFC 9213 section 2.2: a targeted field replaces `Cache-Control` and `Expires`.
    #[test]
    fn targeted_field_replaces_cache_control() {
        let terms =
            Terms { targeted: vec![HeaderName::from_static("cdn-cache-control")], ..Terms::default() };
        let request = HeaderMap::new();
        let facts = RequestFacts { method: &Method::GET, fields: &request, sent: NOW };
        let decide = |lines: &[_]| admit(facts, StatusCode::OK, &fields(lines), NOW, &terms);
        for (targeted, other, expected) in [
            ("max-age=60", ("cache-control", "no-store"), Ok(60)),
            ("max-age=60", ("cache-control", "max-age=5"), Ok(60)),
            ("no-store", ("cache-control", "max-age=5"), Err(NotStored::NoStore)),
            ("foo", ("expires", "Sun, 06 Nov 2094 08:49:37 GMT"), Err(NotStored::NoLifetime)),
            ("oops=", ("cache-control", "max-age=5"), Ok(5)),
        ] {
            let decided =
                decide(&[("cdn-cache-control", targeted), other]).map(|head| head.lifetime.as_secs());
            assert_eq!(decided, expected, "{targeted} {other:?}");
        }
    }

    /// RFC 5861: the origin's windows precede the route's. RFC 9111 section 5.2.2.10: `s-maxage`
    /// forbids stale use.
    #[test]
    fn origin_windows_precede_route_windows() {
        let request = HeaderMap::new();
        let facts = RequestFacts { method: &Method::GET, fields: &request, sent: NOW };
        let route = Terms {
            stale_while_revalidate: Some(Duration::from_secs(1)),
            stale_if_error: Some(Duration::from_secs(2)),
            ..Terms::default()
        };
        let said = fields(&[("cache-control", "max-age=1, stale-while-revalidate=8, stale-if-error=0")]);
        let head = admit(facts, StatusCode::OK, &said, NOW, &route).expect("storable");
        assert_eq!((head.stale_while_revalidate.as_secs(), head.stale_if_error.as_secs()), (8, 0));
        let silent = fields(&[("cache-control", "s-maxage=1")]);
        let head = admit(facts, StatusCode::OK, &silent, NOW, &route).expect("storable");
        assert_eq!((head.stale_while_revalidate.as_secs(), head.stale_if_error.as_secs()), (1, 2));
        assert!(head.must_revalidate);
    }
}
