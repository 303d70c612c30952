use super::glob::{Glob, PathGlob, QueryGlob};
use super::*;
use crate::policy::stored::tests::stored;
use http::{HeaderMap, HeaderValue, header};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn fixed_ttl(seconds: u64) -> Outcome {
    Outcome { ttl: Some(Lifetime::For(secs(seconds))), ..Outcome::default() }
}

fn page(url: &str) -> Option<Url> {
    Some(Url::parse(url).expect("a URL"))
}

fn on_path(name: &str, path: &str, then: Outcome) -> Rule {
    let when = When { paths: vec![PathGlob::new(path)], ..When::default() };
    Rule { name: name.into(), when, then, ..Rule::default() }
}

fn capture(rules: Vec<Rule>) -> Lifetimes {
    let cache_busters = ["ts", "timestamp", "t", "v", "ver", "bust", "nocache"].map(str::to_owned).to_vec();
    Lifetimes { rules, cache_busters, caller_ttl: true, ..Lifetimes::default() }
}

#[test]
fn first_matching_rule_wins() {
    let all = Rule {
        name: "narrow".into(),
        when: When {
            hosts: vec![Glob::new("*.a.example"), Glob::new("a.example")],
            paths: vec![PathGlob::new("/docs/**")],
            urls: vec![Glob::new("https:*")],
            queries: vec![QueryGlob::new("page=1*")],
        },
        ..Rule::default()
    };
    let rules =
        vec![all, on_path("docs", "/docs/**", fixed_ttl(5)), Rule { name: "all".into(), ..Rule::default() }];
    let lifetimes = capture(rules);
    for (url, expected) in [
        ("https://a.example/docs/x?page=12", "narrow"),
        ("https://www.A.example:8443/docs?page=1", "narrow"),
        ("http://a.example/docs/x?page=1", "docs"),
        ("https://b.example/docs/x?page=1", "docs"),
        ("https://a.example/docs/x?page=2", "docs"),
        ("https://a.example/x?page=1", "all"),
    ] {
        let plan = lifetimes.plan(page(url).as_ref(), &Wishes::default());
        assert_eq!(lifetimes.rule(plan), Some(expected), "{url}");
    }
    // Markup in place of a URL matches no condition.
    assert_eq!(lifetimes.rule(lifetimes.plan(None, &Wishes::default())), Some("all"));
}

/// Requests that must not be stored, and the rules that allow them.
#[test]
fn plan_for_uncacheable_request_is_refused() {
    let scripts = Rule { scripts: true, ..on_path("scripts", "/js/**", fixed_ttl(5)) };
    let busters = Rule { busters: true, ..on_path("busters", "/v/**", fixed_ttl(5)) };
    let both = Rule { scripts: true, busters: true, ..on_path("both", "/both/**", fixed_ttl(5)) };
    let never = on_path("never", "/never", Outcome { ttl: Some(Lifetime::Never), ..Outcome::default() });
    let rest = Rule { name: "rest".into(), then: fixed_ttl(5), ..Rule::default() };
    let lifetimes = capture(vec![scripts, busters, both, never, rest]);
    for (path, scripted, no_cache, expected) in [
        ("/", false, false, None),
        ("/", true, false, Some(NotStored::Scripts)),
        ("/js/a", true, false, None),
        ("/js/a?t=1", true, false, Some(NotStored::Scripts)),
        ("/js/a?t=1", false, false, Some(NotStored::CacheBuster)),
        ("/both/a?t=1", true, false, None),
        ("/?timestamp=5", false, false, Some(NotStored::CacheBuster)),
        ("/?TS=5", false, false, Some(NotStored::CacheBuster)),
        ("/?a=1&nocache", false, false, Some(NotStored::CacheBuster)),
        ("/?vv=5&text=1", false, false, None),
        ("/v/a?v=2", false, false, None),
        ("/v/a?v=2", true, false, Some(NotStored::Scripts)),
        ("/never", false, false, Some(NotStored::Rule)),
        ("/", false, true, Some(NotStored::Caller)),
        ("/never", false, true, Some(NotStored::Rule)),
    ] {
        let wishes = Wishes { scripted, no_cache, ..Wishes::default() };
        let target = page(&format!("https://a.example{path}"));
        let plan = lifetimes.plan(target.as_ref(), &wishes);
        assert_eq!(plan.refused, expected, "{path} {scripted} {no_cache}");
    }
    let deaf = Lifetimes { caller_ttl: false, ..lifetimes };
    let wishes = Wishes { no_cache: true, force: true, ttl: Some(secs(1)), ..Wishes::default() };
    let plan = deaf.plan(page("https://a.example/").as_ref(), &wishes);
    assert_eq!((plan.refused, plan.force, plan.ttl), (None, None, None));
}

/// The client's `ttl` and `stale_ttl` within the bounds of the rule, otherwise of the route.
#[test]
fn client_ttl_is_clamped_to_bounds() {
    let bounded = Outcome { min_ttl: Some(secs(60)), max_ttl: Some(secs(600)), ..fixed_ttl(300) };
    let lifetimes = Lifetimes {
        min_ttl: Some(secs(5)),
        max_ttl: Some(secs(1000)),
        default_ttl: Some(Lifetime::For(secs(30))),
        ..capture(vec![on_path("bounded", "/b", bounded)])
    };
    for (path, ttl, stale, expected, window) in [
        ("/b", None, None, 300, None),
        ("/b", Some(10), None, 60, None),
        ("/b", Some(90), Some(90), 90, Some(90)),
        ("/b", Some(9999), Some(9999), 600, Some(600)),
        ("/x", None, None, 30, None),
        ("/x", Some(0), Some(0), 5, Some(0)),
        ("/x", Some(u64::MAX), None, 1000, None),
    ] {
        let wishes = Wishes { ttl: ttl.map(secs), stale_ttl: stale.map(secs), ..Wishes::default() };
        let target = page(&format!("https://a.example{path}"));
        let terms = lifetimes.terms(lifetimes.plan(target.as_ref(), &wishes), &Terms::default());
        assert_eq!(terms.ruled.ttl, Some(Lifetime::For(secs(expected))), "{path} {ttl:?}");
        assert_eq!(terms.stale_while_revalidate, window.map(secs), "{path} {stale:?}");
    }
}

#[test]
fn rule_windows_precede_route_windows() {
    let then = Outcome { stale_while_revalidate: Some(secs(7)), ..fixed_ttl(1) };
    let lifetimes = capture(vec![Rule { then, ..Rule::default() }]);
    let route =
        Terms { stale_while_revalidate: Some(secs(1)), stale_if_error: Some(secs(2)), ..Terms::default() };
    let terms = lifetimes.terms(lifetimes.plan(None, &Wishes::default()), &route);
    assert_eq!((terms.stale_while_revalidate, terms.stale_if_error), (Some(secs(7)), Some(secs(2))));
}

/// A stored response that is fresh for 100 s and stale for 50 s more, against the client's
/// parameters.
#[test]
fn plan_decides_on_stored_response() {
    const BY_REQUEST: Reuse = Reuse::Validate(MustValidate::Request);
    const BEHIND: Reuse = Reuse::Stale(StaleUse::WhileRevalidate);
    let (head, start) = stored(&[("cache-control", "max-age=100, stale-while-revalidate=50")]);
    let lifetimes = Lifetimes { min_ttl: Some(secs(20)), ..capture(Vec::new()) };
    for (ttl, stale, force, age, expected) in [
        (None, None, false, 99, Reuse::Fresh),
        (None, None, false, 100, BEHIND),
        (Some(50), None, false, 49, Reuse::Fresh),
        (Some(50), None, false, 50, BY_REQUEST),
        (Some(5), None, false, 19, Reuse::Fresh),
        (Some(5), None, false, 20, BY_REQUEST),
        (Some(50), Some(10), false, 59, BEHIND),
        (Some(50), Some(10), false, 60, BY_REQUEST),
        (Some(500), None, false, 99, Reuse::Fresh),
        (None, Some(10), false, 109, BEHIND),
        (None, Some(10), false, 110, Reuse::Validate(MustValidate::Stale)),
        (None, None, true, 19, Reuse::Fresh),
        (None, None, true, 20, BY_REQUEST),
    ] {
        let wishes = Wishes { ttl: ttl.map(secs), stale_ttl: stale.map(secs), force, ..Wishes::default() };
        let plan = lifetimes.plan(None, &wishes);
        let decided = plan.decide(&head, &RequestDirectives::default(), start + secs(age));
        assert_eq!(decided, expected, "{ttl:?} {stale:?} {force} {age}");
    }
    // The request's own directives apply too.
    let mut request = HeaderMap::new();
    request.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let decided = Plan::default().decide(&head, &RequestDirectives::of(&request), start);
    assert_eq!(decided, BY_REQUEST);
}

/// The first lifetime of an adaptive rule comes from the next matching rule with a lifetime. Its
/// bounds come from itself, the route, or the defaults. The history is stored even if the client
/// gives the lifetime.
#[test]
fn adaptive_rule_gets_first_lifetime_and_bounds() {
    let adaptive = |min: Option<u64>, max: Option<u64>| Outcome {
        ttl: Some(Lifetime::Adaptive),
        min_ttl: min.map(secs),
        max_ttl: max.map(secs),
        ..Outcome::default()
    };
    let rules = vec![
        on_path("bounded", "/b/**", adaptive(Some(5), Some(50))),
        on_path("short", "/s/**", adaptive(None, Some(30))),
        on_path("long", "/l/**", adaptive(Some(100_000), None)),
        on_path("plain", "/p/**", adaptive(None, None)),
        on_path("b", "/b/x", fixed_ttl(7)),
        on_path("never", "/**", Outcome { ttl: Some(Lifetime::Never), ..Outcome::default() }),
    ];
    for (path, default, first, least, most) in [
        ("/b/x", None, Some(7), 5, 50),
        ("/b/y", None, None, 5, 50),
        ("/b/y", Some(Lifetime::For(secs(9))), Some(9), 5, 50),
        ("/s/x", Some(Lifetime::Adaptive), None, 30, 30),
        ("/l/x", None, None, 100_000, 100_000),
        ("/p/x", None, None, 60, 86_400),
    ] {
        let lifetimes = Lifetimes { default_ttl: default, ..capture(rules.clone()) };
        let target = page(&format!("https://a.example{path}"));
        let wishes = Wishes { ttl: Some(secs(1)), ..Wishes::default() };
        let asked = lifetimes.terms(lifetimes.plan(target.as_ref(), &wishes), &Terms::default()).ruled;
        let ruled =
            lifetimes.terms(lifetimes.plan(target.as_ref(), &Wishes::default()), &Terms::default()).ruled;
        let found = ruled.adaptive.expect("adaptive");
        assert_eq!(
            (found.first, found.least, found.most),
            (first.map(secs), secs(least), secs(most)),
            "{path}"
        );
        assert_eq!((ruled.ttl, asked.adaptive), (Some(Lifetime::Adaptive), Some(found)), "{path}");
    }
    let lifetimes = Lifetimes { default_ttl: Some(Lifetime::Adaptive), ..capture(Vec::new()) };
    let ruled = lifetimes.terms(lifetimes.plan(None, &Wishes::default()), &Terms::default()).ruled;
    assert!(ruled.adaptive.is_some() && ruled.ttl == Some(Lifetime::Adaptive));
    let ruled =
        capture(vec![on_path("x", "/**", fixed_ttl(1))]).terms(Plan::default(), &Terms::default()).ruled;
    assert_eq!(ruled.adaptive, None);
}
