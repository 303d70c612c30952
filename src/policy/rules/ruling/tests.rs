use super::*;
use crate::message::fields::lines;
use crate::policy::admission::{self, RequestFacts, Terms};
use crate::policy::stored::StoredResponse;
use http::Method;

const NOW: Timestamp = Timestamp::from_secs(784_111_777);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ruled(over: Over, ttl: Option<Lifetime>) -> Ruled {
    Ruled { rule: "docs".into(), over, ttl, ..Ruled::default() }
}

fn admit(
    ruled: Ruled,
    request: &[(&'static str, &'static str)],
    status: u16,
    response: &[(&'static str, &'static str)],
    set_cookie: SetCookie,
) -> Result<StoredResponse, NotStored> {
    let request = lines(request);
    let facts = RequestFacts { method: &Method::GET, fields: &request, sent: NOW };
    let terms = Terms { ruled, set_cookie, ..Terms::default() };
    let status = StatusCode::from_u16(status).expect("status");
    admission::admit(facts, status, &lines(response), NOW, &terms)
}

/// Lifetime, ruling text and `Cache-Control` for clients of a response under a rule of 3600 s.
#[test]
fn ruling_overrides_origin_lifetime() {
    use Over::{Everything, Lifetime as Engine, Nothing};
    let hour = Some(Lifetime::For(secs(3600)));
    let kept = Some(Lifetime::UntilPurged);
    let own = None;
    for (over, ttl, said, lifetime, told, to_clients) in [
        // The origin gives no lifetime.
        (Nothing, hour, vec![], 3600, "", Some("max-age=3600")),
        (Nothing, hour, vec![("cache-control", "public")], 3600, "", Some("public, max-age=3600")),
        (
            Nothing,
            kept,
            vec![("cache-control", "public, immutable")],
            FOREVER.as_secs(),
            "",
            Some("public, no-cache"),
        ),
        // The origin gives a lifetime, which is used.
        (Nothing, hour, vec![("cache-control", "max-age=5")], 5, "", None),
        (Nothing, hour, vec![("cache-control", "s-maxage=5")], 5, "", None),
        (Nothing, hour, vec![("expires", "Sun, 06 Nov 1994 08:50:37 GMT")], 60, "", None),
        // The lifetime of the capture engine is replaced.
        (
            Engine,
            hour,
            vec![("cache-control", "public, max-age=900")],
            3600,
            "",
            Some("public, max-age=3600"),
        ),
        (Engine, own, vec![("cache-control", "public, max-age=900")], 900, "", None),
        // The rule overrides the origin.
        (Everything, hour, vec![], 3600, "", Some("max-age=3600")),
        (Everything, hour, vec![("cache-control", "max-age=3600")], 3600, "", Some("max-age=3600")),
        (
            Everything,
            hour,
            vec![("cache-control", "max-age=5")],
            3600,
            "rule=docs over max-age",
            Some("max-age=3600"),
        ),
        (
            Everything,
            hour,
            vec![("cache-control", "No-Store")],
            3600,
            "rule=docs over no-store",
            Some("max-age=3600"),
        ),
        (
            Everything,
            hour,
            vec![("cache-control", "private")],
            3600,
            "rule=docs over private",
            Some("max-age=3600"),
        ),
        (
            Everything,
            hour,
            vec![
                ("cache-control", "no-cache, no-store, must-revalidate"),
                ("pragma", "no-cache"),
                ("expires", "0"),
            ],
            3600,
            "rule=docs over no-store, no-cache, must-revalidate, expires",
            Some("max-age=3600"),
        ),
        (
            Everything,
            hour,
            vec![("cache-control", "s-maxage=5, max-age=9, x-own=1")],
            3600,
            "rule=docs over s-maxage",
            Some("s-maxage=5, x-own=1, max-age=3600"),
        ),
        (
            Everything,
            kept,
            vec![("cache-control", "no-store")],
            FOREVER.as_secs(),
            "rule=docs over no-store",
            Some("no-cache"),
        ),
    ] {
        let head = admit(ruled(over, ttl), &[], 200, &said, SetCookie::Store).expect("stored");
        assert_eq!(head.lifetime, secs(lifetime), "{over:?} {said:?}");
        let ruling = head.ruling.as_deref();
        assert_eq!(ruling.map_or("", |ruling| &ruling.told), told, "{over:?} {said:?}");
        let cache_control = ruling.map(|ruling| ruling.cache_control.to_str().expect("text"));
        assert_eq!(cache_control, to_clients, "{over:?} {said:?}");
        assert!(!head.no_cache && !head.must_revalidate || over == Nothing, "{said:?}");
        // The origin's fields are kept for the next 304.
        assert_eq!(head.fields, lines(&said));
    }
}

/// Responses that no rule shares or gives a lifetime.
#[test]
fn ruling_shares_no_personal_response() {
    use SetCookie::{Store, Strip};
    const COOKIE: (&str, &str) = ("set-cookie", "a=b");
    let hour = || ruled(Over::Everything, Some(Lifetime::For(secs(3600))));
    let listed = |list: &[u16]| Ruled { statuses: Some(list.to_vec()), ..hour() };
    let refused = Ruled { refused: Some(NotStored::Rule), ..hour() };
    let auth = [("authorization", "Basic x")];
    let no_store = [("cache-control", "no-store")];
    let fresh = [("cache-control", "max-age=5")];
    for (ruled, request, status, response, cookies, expected) in [
        (hour(), &auth[..], 200, &no_store[..], Store, Err(NotStored::NoStore)),
        (hour(), &auth, 200, &fresh, Store, Err(NotStored::Authorization)),
        (hour(), &[], 200, &[COOKIE, no_store[0]], Store, Err(NotStored::NoStore)),
        (hour(), &[], 200, &[COOKIE, no_store[0]], SetCookie::Never, Err(NotStored::NoStore)),
        (hour(), &[], 200, &[COOKIE, no_store[0]], Strip, Ok(3600)),
        (hour(), &[], 200, &[COOKIE], Store, Err(NotStored::SetCookie)),
        (hour(), &[], 200, &[COOKIE, fresh[0]], Store, Ok(5)),
        (hour(), &[], 200, &[("vary", "*")], Store, Err(NotStored::VaryAll)),
        (hour(), &[("cache-control", "no-store")], 200, &[], Store, Err(NotStored::RequestNoStore)),
        // Error responses.
        (hour(), &[], 500, &[], Store, Err(NotStored::NoLifetime)),
        (hour(), &[], 404, &[], Store, Err(NotStored::NoLifetime)),
        (hour(), &[], 404, &fresh, Store, Ok(5)),
        (listed(&[200, 404]), &[], 404, &[], Store, Ok(3600)),
        (listed(&[200, 503]), &[], 503, &[], Store, Ok(3600)),
        (listed(&[200]), &[], 301, &fresh, Store, Err(NotStored::Status)),
        (refused, &[], 200, &fresh, Store, Err(NotStored::Rule)),
    ] {
        let label = format!("{request:?} {status} {response:?} {cookies:?}");
        let found = admit(ruled, request, status, response, cookies).map(|head| head.lifetime.as_secs());
        assert_eq!(found, expected, "{label}");
    }
}

/// Any bound shortens the origin's own lifetime. A bound extends it only where the rule may
/// override it.
#[test]
fn ruling_bounds_clamp_origin_lifetime() {
    let bounds = |over| Ruled { over, least: secs(60), most: secs(600), ..ruled(over, None) };
    for (over, said, expected) in [
        (Over::Nothing, "max-age=5", 5),
        (Over::Nothing, "max-age=9999", 600),
        (Over::Lifetime, "max-age=5", 60),
        (Over::Everything, "max-age=5", 60),
        (Over::Everything, "max-age=100", 100),
        (Over::Everything, "no-store", 60),
        (Over::Everything, "max-age=9999", 600),
    ] {
        let head =
            admit(bounds(over), &[], 200, &[("cache-control", said)], SetCookie::Store).expect("stored");
        assert_eq!(head.lifetime, secs(expected), "{over:?} {said}");
    }
}

/// The rule's windows replace the origin's where it overrides; otherwise they apply if the origin
/// gives none.
#[test]
fn ruling_windows_replace_or_supplement_origin() {
    for (over, said, expected) in [
        (Over::Nothing, "max-age=1, stale-if-error=5", 5),
        (Over::Nothing, "max-age=1", 9),
        (Over::Everything, "max-age=1, stale-if-error=5", 9),
    ] {
        let rule = Ruled { windows: (None, Some(secs(9))), ..ruled(over, Some(Lifetime::For(secs(1)))) };
        let terms = Terms { ruled: rule, stale_if_error: Some(secs(9)), ..Terms::default() };
        let request = HeaderMap::new();
        let facts = RequestFacts { method: &Method::GET, fields: &request, sent: NOW };
        let head = admission::admit(facts, StatusCode::OK, &lines(&[("cache-control", said)]), NOW, &terms);
        assert_eq!(head.expect("stored").stale_if_error, secs(expected), "{over:?} {said}");
    }
}
