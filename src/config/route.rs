//! Reads `[route.NAME]`: which requests go to which origin, and the rules for them.

use std::time::Duration;

use http::{HeaderName, header};

use super::addresses::is_host;
use super::problem::Kind;
use super::rules;
use super::section::{Refusal, Section};
use super::tree::{Node, Value};
use super::upstream::{Upstream, named};
use super::words::{days, nearest};
use crate::capture::dialect::{self, Dialect, RouteDialect};
use crate::capture::{self, Defaults};
use crate::policy::admission::Terms;
use crate::policy::audience::Audience;
use crate::policy::query;
use crate::policy::set_cookie::SetCookie;
use crate::proxy::Route;
use crate::proxy::auth::{Auth, Key};
use crate::proxy::route::Asking;

pub(super) fn read_all(mut s: Section<'_>, upstreams: &[(String, Upstream)], keys: &[Key]) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for name in named(&mut s, "route") {
        let route = read(&name, s.table(&name), upstreams, keys, &routes);
        routes.push(route);
    }
    share(&mut s, &mut routes);
    routes
}

/// Makes routes to one origin in different dialects share stored pictures. Their keys begin with
/// the name of the first route in our own dialect, or else of the first of them.
fn share(s: &mut Section<'_>, routes: &mut [Route]) {
    let understood = |route: &Route| !matches!(route.asking, Asking::Opaque(_));
    for at in 0..routes.len() {
        let route = &routes[at];
        if let Some(key) = &route.key {
            let fits =
                |other: &Route| other.name == *key && other.upstream == route.upstream && understood(other);
            if !routes.iter().any(fits) {
                let allowed = "the name of a route to the same upstream whose dialect is not \"opaque\"";
                s.refuse_entry(&route.name, Kind::Conflict, format!("key = {key:?}"), allowed);
            }
        } else if route.asking.dialect().is_some() {
            let mut others = routes.iter().filter(|r| r.upstream == route.upstream && understood(r));
            let ours = others.clone().find(|r| r.asking.dialect().is_none());
            let first =
                ours.or_else(|| others.next()).map(|r| r.key.clone().unwrap_or_else(|| r.name.clone()));
            routes[at].key = first;
        }
    }
    // A route that shares with a sharing route takes the key of that one.
    let keys: Vec<_> = routes.iter().map(|route| (route.name.clone(), route.key.clone())).collect();
    for route in routes {
        if let Some((_, Some(key))) = keys.iter().find(|(name, _)| route.key.as_ref() == Some(name)) {
            route.key = Some(key.clone());
        }
    }
}

fn read(
    name: &str,
    mut s: Section<'_>,
    upstreams: &[(String, Upstream)],
    keys: &[Key],
    earlier: &[Route],
) -> Route {
    let host_allowed = "a host name without scheme and port, such as \"shots.example.com\"";
    let host = s.read("host", None, host_allowed, host);
    let path_allowed =
        "a path prefix such as \"/screenshot\", without query, dots and a slash at its end; \"/\" for all";
    let path = s.read("path", Some("\"/\"".to_owned()), path_allowed, path);
    let path = path.unwrap_or_else(|| "/".to_owned());
    let (upstream, chrome) = upstream(&mut s, upstreams);
    if let Some(twin) = earlier.iter().find(|r| r.host == host && r.path == path) {
        let found = format!("{path:?} on {}", host.as_deref().unwrap_or("any host"));
        let allowed = format!("a host and path that route.{} does not have", twin.name);
        s.refuse("path", Kind::Conflict, found, &allowed);
    }
    let is_chrome = chrome.is_some();
    let spoken = dialect(&mut s, is_chrome);
    let foreign = matches!(spoken, Speaks::Other(_));
    let capture = s.optional_flag("capture", None).unwrap_or(is_chrome || foreign);
    if foreign && !capture {
        s.refuse(
            "capture",
            Kind::Conflict,
            "false",
            "true, as the dialect is that of a service for pictures",
        );
    }
    let only_pictures = s.flag("only_pictures", capture && !is_chrome);
    if only_pictures && is_chrome {
        let allowed = "false: the built-in engine judges its pictures itself (docs/CAPTURE.md, Never worse)";
        s.refuse("only_pictures", Kind::Conflict, "true", allowed);
    }
    let no_vary_search = s.flag("no_vary_search", false);
    let key = s.read("key", None, "the name of a route", |node| Ok(node.text()?.to_owned()));
    let key = key.filter(|key| {
        let opaque = matches!(spoken, Speaks::Opaque);
        if opaque {
            let allowed = "nothing: with dialect = \"opaque\" nobody knows what is the same picture";
            s.refuse("key", Kind::Conflict, format!("{key:?}"), allowed);
        }
        !opaque
    });
    let derive = s.optional_flag("derive", None);
    let ours = is_chrome && !matches!(spoken, Speaks::Opaque) || matches!(spoken, Speaks::Tintype);
    if derive == Some(true) && !ours {
        let allowed =
            "false: only where a request is understood, and PNG is what is asked for, sizes can be made here";
        s.refuse("derive", Kind::Conflict, "true", allowed);
    }
    bar_signed_paths(&mut s, spoken, is_chrome && derive != Some(false));
    let chrome = chrome.map(|defaults| Defaults { derive: derive.unwrap_or(true), ..defaults });
    let remote = Defaults { derive: derive.unwrap_or(false), ..Defaults::default() };
    let asking = asking(&mut s, spoken, capture, chrome, remote, no_vary_search);
    let (auth, audience) = access(&mut s, keys);
    let public_url = super::addresses::public_url(&mut s);
    Route {
        name: name.to_owned(),
        host,
        path,
        upstream,
        key,
        capture,
        only_pictures,
        asking,
        no_vary_search,
        terms: terms(&mut s, capture),
        lifetimes: rules::read(&mut s, capture, is_chrome),
        refresh: rules::refresh(&mut s, capture),
        auth,
        audience,
        public_url,
    }
}

/// Signed paths are for renditions of pictures of the built-in engine.
fn bar_signed_paths(s: &mut Section<'_>, spoken: Speaks, derives: bool) {
    if let Speaks::Other(dialect) = spoken
        && dialect.has_signed_paths()
        && !derives
    {
        let allowed = "another one, unless the upstream is the built-in engine and derive is not false";
        s.refuse("dialect", Kind::Conflict, format!("{:?}", dialect.name()), allowed);
    }
}

/// Reads which clients have access, and the caching instructions for browsers and CDNs.
fn access(s: &mut Section<'_>, keys: &[Key]) -> (Auth, Audience) {
    let all = [Auth::None, Auth::Signed, Auth::Key, Auth::Either].map(|auth| (auth.name(), auth));
    let auth = s.choice("auth", all);
    let secret = auth.takes_links() && keys.iter().any(|key| key.secret.is_some());
    let api_key = auth.takes_keys() && keys.iter().any(|key| key.api_key.is_some());
    if auth != Auth::None && !secret && !api_key {
        let allowed = "\"none\", or a [keys.ID] with a secret for signed links, or with an api_key";
        s.refuse("auth", Kind::Conflict, format!("{:?}", auth.name()), allowed);
    }
    let within = Duration::ZERO..=days(365);
    let public = s.optional_flag("public", None).unwrap_or(auth == Auth::Signed);
    let audience = Audience {
        public,
        browser_ttl: s.optional_duration("browser_ttl", None, within.clone()),
        cdn_ttl: s.optional_duration("cdn_ttl", None, within),
    };
    for (setting, given) in [("browser_ttl", audience.browser_ttl), ("cdn_ttl", audience.cdn_ttl)] {
        if given.is_some() && !public {
            s.refuse(setting, Kind::Conflict, "a lifetime", "nothing, as public is false");
        }
    }
    (auth, audience)
}

/// The dialect of a route's requests.
#[derive(Clone, Copy, Debug)]
enum Speaks {
    Tintype,
    Opaque,
    Other(&'static dyn Dialect),
}

fn dialect(s: &mut Section<'_>, is_chrome: bool) -> Speaks {
    let mut choices = vec![("tintype", Speaks::Tintype), ("opaque", Speaks::Opaque)];
    choices.extend(dialect::ALL.map(|dialect| (dialect.name(), Speaks::Other(dialect))));
    let default = if is_chrome { Speaks::Tintype } else { Speaks::Opaque };
    s.choice_of("dialect", &choices, false).unwrap_or(default)
}

/// Reads the dialect and the parameters of a route. `chrome` has the default viewport of its
/// engine.
fn asking(
    s: &mut Section<'_>,
    spoken: Speaks,
    capture: bool,
    chrome: Option<Defaults>,
    remote: Defaults,
    no_vary_search: bool,
) -> Asking {
    let sort = s.optional_flag("sort_query", None);
    let names = "parameter names, or `prefix*`";
    let ignore = s.list("ignore_query", Vec::new(), names, parameter);
    let drop = s.list("drop_query", Vec::new(), names, parameter);
    let parameters = parameters(s.table("parameters"));
    if !matches!(spoken, Speaks::Opaque) {
        for (setting, given) in [
            ("sort_query", sort.is_some()),
            ("ignore_query", !ignore.is_empty()),
            ("drop_query", !drop.is_empty()),
            ("no_vary_search", no_vary_search),
        ] {
            if given {
                let allowed = "nothing: in a dialect that is known every parameter has a meaning";
                s.refuse(setting, Kind::Conflict, "a rule of its own", allowed);
            }
        }
        let is_remote = chrome.is_none();
        let defaults = Defaults { parameters, ..chrome.unwrap_or(remote) };
        return match spoken {
            Speaks::Other(dialect) => {
                Asking::Dialect(Box::new(RouteDialect { dialect, remote: is_remote, defaults }))
            }
            Speaks::Tintype | Speaks::Opaque => Asking::Tintype(defaults),
        };
    }
    if !parameters.is_empty() {
        let allowed = "nothing with dialect = \"opaque\"";
        s.refuse("parameters", Kind::Conflict, "capture parameters", allowed);
    }
    let rules = query::Rules { sort: sort.unwrap_or(capture && !no_vary_search), ignore, drop };
    if no_vary_search && rules != query::Rules::default() {
        let allowed = "false where sort_query, ignore_query or drop_query say what the query means";
        s.refuse("no_vary_search", Kind::Conflict, "true", allowed);
    }
    Asking::Opaque(rules)
}

/// Reads capture parameters by canonical name. A list stands for a parameter that may be given
/// several times.
fn parameters(mut s: Section<'_>) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    for name in s.names() {
        let allowed = "true, false, a number, a text, or a list of those";
        let values = s.read(&name, None, allowed, |node| match &node.value {
            Value::List(values) => values.iter().map(|node| scalar(&node.value)).collect(),
            value => scalar(value).map(|value| vec![value]),
        });
        if !capture::is_parameter(&name) {
            let allowed = "the canonical name of a capture parameter (docs/CAPTURE.md)";
            s.refuse_entry(&name, Kind::UnknownKey, format!("{name:?}"), allowed);
        }
        parameters.extend(values.into_iter().flatten().map(|value| (name.clone(), value)));
    }
    parameters
}

fn scalar(value: &Value) -> Result<String, Refusal> {
    match value {
        Value::Text(text) | Value::String(text) | Value::Datetime(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(yes) => Ok(yes.to_string()),
        Value::List(_) | Value::Table(_) => Err(Kind::WrongType.into()),
    }
}

fn parameter(node: &Node) -> Result<String, Refusal> {
    let name = node.text()?;
    let good = !name.is_empty() && name != "*" && !name.contains(['&', '=', '#']);
    if good { Ok(name.to_owned()) } else { Err(Kind::Malformed.into()) }
}

/// Reads the settings of storing.
fn terms(s: &mut Section<'_>, capture: bool) -> Terms {
    let window = Duration::ZERO..=days(365);
    let set_cookie = [
        ("client", SetCookie::Client),
        ("store", SetCookie::Store),
        ("strip", SetCookie::Strip),
        ("never", SetCookie::Never),
    ];
    Terms {
        stale_while_revalidate: s.optional_duration("stale_while_revalidate", None, window.clone()),
        stale_if_error: s.optional_duration("stale_if_error", None, window.clone()),
        stale_when_disconnected: Some(s.duration("stale_when_disconnected", days(1), window)),
        targeted: s.list(
            "targeted_fields",
            vec![HeaderName::from_static("cdn-cache-control")],
            "a response field with cache directives, such as \"CDN-Cache-Control\"",
            targeted,
        ),
        // A stored cookie of one client must not reach another.
        set_cookie: s.choice_of("set_cookie", &set_cookie, false).unwrap_or(if capture {
            SetCookie::Strip
        } else {
            SetCookie::Client
        }),
        ..Terms::default()
    }
}

fn targeted(node: &Node) -> Result<HeaderName, Refusal> {
    let name = HeaderName::from_bytes(node.text()?.as_bytes()).map_err(|_| Kind::Malformed)?;
    if name == header::CACHE_CONTROL || name == header::EXPIRES {
        Err(Kind::Conflict.into())
    } else {
        Ok(name)
    }
}

/// Reads the name of the upstream. A capture engine also has a default viewport.
fn upstream(s: &mut Section<'_>, upstreams: &[(String, Upstream)]) -> (String, Option<Defaults>) {
    let names: Vec<&str> = upstreams.iter().map(|(name, _)| name.as_str()).collect();
    let allowed = match names.as_slice() {
        [] => "the name of an [upstream.NAME]; there is none".to_owned(),
        names => format!("one of {}", names.join(", ")),
    };
    let name = s.read("upstream", None, &allowed, |node| Ok(node.text()?.to_owned()));
    let Some(name) = name else {
        if !s.is_given("upstream") {
            s.refuse("upstream", Kind::Missing, "nothing", &allowed);
        }
        return (String::new(), None);
    };
    match upstreams.iter().find(|(known, _)| *known == name) {
        Some((_, upstream)) => {
            let viewport = match upstream {
                Upstream::Chrome(config) => Some(Defaults {
                    width: config.limits.default_width,
                    height: config.limits.default_height,
                    ..Defaults::default()
                }),
                Upstream::Remote(_) => None,
            };
            (name, viewport)
        }
        None => {
            let help = nearest(&name, names).map(|meant| format!("did you mean {meant:?}?"));
            let found = format!("{name:?}, which is not there");
            s.refuse_with_help("upstream", Kind::NotFound, found, &allowed, help);
            (name, None)
        }
    }
}

fn host(node: &Node) -> Result<String, Refusal> {
    let host = node.text()?.to_ascii_lowercase();
    if is_host(&host) { Ok(host) } else { Err(Kind::Malformed.into()) }
}

fn path(node: &Node) -> Result<String, Refusal> {
    let path = node.text()?;
    let is_part = |c: char| c.is_ascii_graphic() && !"?#\\\"<>^`{|}".contains(c);
    let segments_good = path == "/"
        || path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|s| !matches!(s, "" | "." | "..")));
    if segments_good && path.chars().all(is_part) { Ok(path.to_owned()) } else { Err(Kind::Malformed.into()) }
}
