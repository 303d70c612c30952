//! Table tests of the whole reader, and of the shipped proxy.toml.

use std::path::Path;

use super::section::write;
use super::*;
use crate::policy::rules::Lifetime;

const MINIMAL: &str =
    "[upstream.api]\nkind = \"remote\"\nurl = \"http://127.0.0.1:1\"\n[route.all]\nupstream = \"api\"\n";

/// The minimal configuration with `line` added in `section`.
fn with(section: &str, line: &str) -> String {
    match MINIMAL.split_once(&format!("[{section}]\n")) {
        Some((before, after)) => format!("{before}[{section}]\n{line}\n{after}"),
        None => format!("{MINIMAL}[{section}]\n{line}\n"),
    }
}

fn problems(toml: &str) -> Vec<Problem> {
    Config::from_toml(toml).map_or_else(|problems| problems.0, |_| Vec::new())
}

fn with_environment(toml: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    let environment = variables.iter().map(|(n, v)| (n.into(), v.into())).collect();
    Config::read(&Sources { environment, ..Sources::only(Base::Text(toml.to_owned())) })
}

#[test]
fn a_minimal_file_gets_every_default() {
    let config = Config::from_toml(MINIMAL).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin.unwrap().listener.listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.store.memory_bytes, 256 << 20);
    assert_eq!(config.store.dir, Some("cache".into()));
    let route = &config.proxy.routes[0];
    assert_eq!((route.path.as_str(), route.capture, route.terms.stale_if_error), ("/", false, None));
}

#[test]
fn routes_in_dialects_share_with_one_to_the_same_upstream() {
    let route = |name: &str, upstream: &str, more: &str| {
        format!("[route.{name}]\npath = \"/{name}\"\nupstream = \"{upstream}\"\n{more}\n")
    };
    let toml = format!(
        "[upstream.c]\nkind = \"chrome\"\n[upstream.d]\nkind = \"chrome\"\n{}{}{}{}{}{}",
        route("one", "c", "dialect = \"screenshotone\""),
        route("opaque", "c", "dialect = \"opaque\""),
        route("shots", "c", ""),
        route("more", "c", "key = \"one\""),
        route("box", "d", "dialect = \"urlbox\""),
        route("flash", "d", "dialect = \"apiflash\""),
    );
    let config = Config::from_toml(&toml).unwrap();
    let keys: Vec<_> = config.proxy.routes.iter().map(|r| (r.name.as_str(), r.key.as_deref())).collect();
    let shots = Some("shots");
    let expected = [
        ("one", shots),
        ("opaque", None),
        ("shots", None),
        ("more", shots),
        ("box", Some("box")),
        ("flash", Some("box")),
    ];
    assert_eq!(keys, expected);
}

#[test]
fn each_mistake_is_one_problem_at_its_path() {
    for (section, line, path, kind) in [
        // Unknown keys, at every level.
        ("store", "memroy = \"1GiB\"", "store.memroy", Kind::UnknownKey),
        ("stroe", "memory = \"1GiB\"", "stroe", Kind::UnknownKey),
        ("upstream.api", "sandbox = \"on\"", "upstream.api.sandbox", Kind::UnknownKey),
        // Values of a wrong type.
        ("server", "listen = 8080", "server.listen", Kind::WrongType),
        ("server", "max_connections = \"many\"", "server.max_connections", Kind::WrongType),
        ("server", "max_connections = \"10\"", "server.max_connections", Kind::WrongType),
        ("server", "max_connections = 1.5", "server.max_connections", Kind::WrongType),
        ("server", "idle_timeout = 60", "server.idle_timeout", Kind::WrongType),
        ("server", "idle_timeout = 1979-05-27", "server.idle_timeout", Kind::WrongType),
        ("store", "memory = true", "store.memory", Kind::WrongType),
        ("log", "access = \"yes\"", "log.access", Kind::WrongType),
        ("upstream.api", "set_headers = \"x\"", "upstream.api.set_headers", Kind::WrongType),
        // Values of a wrong form.
        ("server", "listen = \"8080\"", "server.listen", Kind::Malformed),
        ("server", "listen = \"localhost:8080\"", "server.listen", Kind::Malformed),
        ("server", "idle_timeout = \"60\"", "server.idle_timeout", Kind::Malformed),
        ("server", "idle_timeout = \"1x\"", "server.idle_timeout", Kind::Malformed),
        ("server", "pseudonym = \"a b\"", "server.pseudonym", Kind::Malformed),
        ("store", "memory = \"256 elephants\"", "store.memory", Kind::Malformed),
        ("purge", "allow = [\"10.0.0.0/8\", \"here\"]", "purge.allow[1]", Kind::Malformed),
        ("purge", "expose_tags = [\"etag\"]", "purge.expose_tags[0]", Kind::Malformed),
        ("purge", "refresh_concurrency = 0", "purge.refresh_concurrency", Kind::OutOfRange),
        ("webhook", "secret = \"short\"", "webhook.secret", Kind::Malformed),
        ("webhook", "listener = \"everywhere\"", "webhook.listener", Kind::Malformed),
        ("webhook", "secret_file = \"/nowhere\"", "webhook.secret_file", Kind::NotFound),
        ("log", "format = \"jsn\"", "log.format", Kind::Malformed),
        ("log", "level = \"debg\"", "log.level", Kind::Malformed),
        ("log", "level = \"tintype=loud\"", "log.level", Kind::Malformed),
        ("route.all", "path = \"shot\"", "route.all.path", Kind::Malformed),
        ("route.all", "path = \"/shot/\"", "route.all.path", Kind::Malformed),
        ("route.all", "path = \"/a/../b\"", "route.all.path", Kind::Malformed),
        ("route.all", "path = \"/a?b\"", "route.all.path", Kind::Malformed),
        ("route.all", "host = \"a.example:80\"", "route.all.host", Kind::Malformed),
        ("upstream.api", "protocol = \"http3\"", "upstream.api.protocol", Kind::Malformed),
        ("upstream.api.set_headers", "\"a b\" = \"1\"", "upstream.api.set_headers.a b", Kind::Malformed),
        ("upstream.api.set_headers", "x = \"1\\n2\"", "upstream.api.set_headers.x", Kind::Malformed),
        // Values outside of their bounds.
        ("server", "max_connections = 0", "server.max_connections", Kind::OutOfRange),
        ("server", "max_connections = -1", "server.max_connections", Kind::OutOfRange),
        ("server", "max_streams = 99999999999", "server.max_streams", Kind::OutOfRange),
        ("server", "max_header_bytes = \"1KiB\"", "server.max_header_bytes", Kind::OutOfRange),
        ("server", "drain_grace = \"2h\"", "server.drain_grace", Kind::OutOfRange),
        ("store", "memory = 1", "store.memory", Kind::OutOfRange),
        ("store", "memory = \"99999999999999999999PiB\"", "store.memory", Kind::OutOfRange),
        // Names of missing things.
        (
            "server",
            "tls_certificate = \"/nowhere.pem\"\ntls_key = \"/dev/null\"",
            "server.tls_certificate",
            Kind::NotFound,
        ),
        ("admin", "token_file = \"/nowhere\"", "admin.token_file", Kind::NotFound),
        ("upstream.api", "tls_ca = \"/\"", "upstream.api.tls_ca", Kind::NotFound),
        ("route.two", "upstream = \"apu\"\npath = \"/b\"", "route.two.upstream", Kind::NotFound),
        ("route.two", "path = \"/b\"", "route.two.upstream", Kind::Missing),
        ("upstream.two", "kind = \"remote\"", "upstream.two.url", Kind::Missing),
        ("upstream.two", "url = \"http://a\"", "upstream.two.kind", Kind::Missing),
        ("upstream.two", "kind = \"crome\"\nsandbox = 1", "upstream.two.kind", Kind::Malformed),
        // Settings that exclude each other.
        ("route.two", "upstream = \"api\"", "route.two.path", Kind::Conflict),
        ("route.all", "dialect = \"urlbocks\"", "route.all.dialect", Kind::Malformed),
        ("route.all", "dialect = \"urlbox\"\ncapture = false", "route.all.capture", Kind::Conflict),
        ("route.all", "dialect = \"urlbox\"\nsort_query = true", "route.all.sort_query", Kind::Conflict),
        ("route.all", "key = \"all\"", "route.all.key", Kind::Conflict),
        ("route.all", "dialect = \"urlbox\"\nkey = \"nowhere\"", "route.all", Kind::Conflict),
        ("route.ALL", "upstream = \"api\"\npath = \"/b\"", "route.ALL", Kind::Conflict),
        ("admin", "listen = \"0.0.0.0:9090\"", "admin.token", Kind::Missing),
        ("admin", "enabled = false\ntoken = \"0123456789abcdef\"", "admin.token", Kind::Conflict),
        ("admin", "listen = \"127.0.0.1:8080\"", "admin.listen", Kind::Conflict),
        (
            "store",
            "max_stored_bytes = \"200MiB\"\nmemory = \"1GiB\"\nblock = \"256MiB\"\nwrite_buffer = \"256MiB\"\ndisk = \"1GiB\"",
            "store.block",
            Kind::Conflict,
        ),
        ("store", "memory = \"8MiB\"", "store.max_stored_bytes", Kind::Conflict),
        ("store", "hold_for_tag = \"17MiB\"", "store.hold_for_tag", Kind::Conflict),
        (
            "server",
            "max_uri_bytes = \"32KiB\"\nmax_header_bytes = \"16KiB\"",
            "server.max_uri_bytes",
            Kind::Conflict,
        ),
        (
            "upstream.api",
            "preserve_host = true\nprotocol = \"http2\"",
            "upstream.api.protocol",
            Kind::Conflict,
        ),
        ("upstream.api.set_headers", "host = \"x\"", "upstream.api.set_headers.host", Kind::Conflict),
        (
            "upstream.api.set_headers",
            "X-A = \"1\"\nx-a = \"2\"",
            "upstream.api.set_headers.x-a",
            Kind::Conflict,
        ),
        ("upstream.c", "kind = \"chrome\"\nmax_delay = \"30s\"", "upstream.c.max_delay", Kind::Conflict),
        ("upstream.c", "kind = \"chrome\"\nmax_side = 1000", "upstream.c.default_width", Kind::Conflict),
        (
            "upstream.c",
            "kind = \"chrome\"\nallow_ports = [80, 0]",
            "upstream.c.allow_ports[1]",
            Kind::OutOfRange,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\nallow_ranges = [\"10.0.0.0/40\"]",
            "upstream.c.allow_ranges[0]",
            Kind::Malformed,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\nallow_ranges = [\"10.0.0.0/8:443\", \"10.0.0.0/8:0\"]",
            "upstream.c.allow_ranges[1]",
            Kind::OutOfRange,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\nallow_hosts = [\"a/b\"]",
            "upstream.c.allow_hosts[0]",
            Kind::Malformed,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\nallow_hosts = [\"a:80\", \"*.a:65536\"]",
            "upstream.c.allow_hosts[1]",
            Kind::OutOfRange,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\nallow_hosts = [\"http://a\"]",
            "upstream.c.allow_hosts[0]",
            Kind::Malformed,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\nprogram = \"no-such-browser\"",
            "upstream.c.program",
            Kind::NotFound,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\nremote = [\"http://browser:9222\"]",
            "upstream.c.remote",
            Kind::Conflict,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\nremote = [\"host:9222\"]\nremote_unguarded = true",
            "upstream.c.remote",
            Kind::Malformed,
        ),
        ("upstream.c", "kind = \"chrome\"\nad_lists = [\"/no/list\"]", "upstream.c.ad_lists", Kind::NotFound),
        ("upstream.c", "kind = \"chrome\"\npage_ca = \"/no/root.pem\"", "upstream.c.page_ca", Kind::NotFound),
        ("upstream.c", "kind = \"chrome\"\npage_ca = [\"/\"]", "upstream.c.page_ca", Kind::NotFound),
        (
            "upstream.c",
            "kind = \"chrome\"\npage_ca = [\"/proc/self/status\"]",
            "upstream.c.page_ca",
            Kind::Malformed,
        ),
        ("upstream.c", "kind = \"chrome\"\nchat_lists = [\"/\"]", "upstream.c.chat_lists", Kind::NotFound),
        ("upstream.c", "kind = \"chrome\"\nfreeze_time = \"now\"", "upstream.c.freeze_time", Kind::WrongType),
        (
            "upstream.c",
            "kind = \"chrome\"\n[upstream.c.egress.e]\nurl = \"socks5://a:1\"",
            "upstream.c.egress.e.url",
            Kind::Malformed,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\n[upstream.c.egress.e]\ncountry = \"de\"",
            "upstream.c.egress.e.url",
            Kind::Missing,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\n[upstream.c.egress.e]\nurl = \"http://a:1\"\ncountry = \"deu\"",
            "upstream.c.egress.e.country",
            Kind::Malformed,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\n[upstream.c.egress.\"a b\"]\nurl = \"http://a:1\"",
            "upstream.c.egress.a b",
            Kind::Malformed,
        ),
        (
            "upstream.c",
            "kind = \"chrome\"\nremote = [\"http://a:1\"]\nremote_unguarded = true\nprobe = \"head\"",
            "upstream.c.probe",
            Kind::Conflict,
        ),
        ("upstream.c", "kind = \"chrome\"\nprobe = \"get\"", "upstream.c.probe", Kind::Malformed),
        (
            "upstream.c",
            "kind = \"chrome\"\nprobe_timeout = \"0s\"",
            "upstream.c.probe_timeout",
            Kind::OutOfRange,
        ),
        ("upstream.c", "kind = \"chrome\"\nmax_scale = nan", "upstream.c.max_scale", Kind::OutOfRange),
    ] {
        let toml = with(section, line);
        let found = problems(&toml);
        let short: Vec<_> = found.iter().map(|p| (p.path.as_str(), p.kind)).collect();
        assert_eq!(short, [(path, kind)], "{line}\n{}", Problems(found.clone()));
        assert!(!matches!(found[0].place, Place::File(_)), "{line}: has a line");
    }
}

#[test]
fn urls_of_upstreams() {
    for (url, good) in [
        ("http://a", true),
        ("https://a.example:8443/v1/", true),
        ("http://[::1]:80", true),
        ("a.example", false),
        ("ftp://a", false),
        ("http://", false),
        ("/path", false),
        ("http://a:99999", false),
        ("http://a:0", false),
        ("http://a/%20 b", false),
        ("http://a/../b", false),
        ("http://user:pass@a", false),
        ("http://a/?key=1", false),
        ("http://a/#f", false),
    ] {
        let toml = MINIMAL.replace("http://127.0.0.1:1", url);
        assert_eq!(problems(&toml).is_empty(), good, "{url}: {:?}", problems(&toml));
    }
}

#[test]
fn secrets_are_never_shown() {
    for (section, line) in [
        ("admin", "token = \"hunter2\""),
        ("admin", "token = [\"hunter2\"]"),
        ("upstream.api.set_headers", "authorization = \"hunter2\\n\""),
        ("upstream.api.set_headers", "authorization = [\"hunter2\"]"),
        ("upstream.api.set_query", "key = [\"hunter2\"]"),
        ("upstream.two", "kind = \"chrome\"\nremote = [\"ftp://a?token=hunter2\"]\nremote_unguarded = true"),
        ("upstream.two", "kind = \"chrome\"\n[upstream.two.egress.e]\nurl = \"socks5://u:hunter2@a\""),
        ("upstream.two", "kind = \"remote\"\nurl = \"http://x:hunter2@a\""),
        ("upstream.two", "kind = \"remote\"\nurl = \"http://a/?key=hunter2\""),
        ("admin", "token = \"hunter2"),
        ("admin", "token hunter2 = 1"),
    ] {
        let found = Problems(problems(&with(section, line)));
        assert!(!found.0.is_empty(), "{line}");
        assert!(!found.to_text(false).contains("hunter2"), "{line}: {found}");
        assert!(!found.to_json().to_string().contains("hunter2"), "{line}");
    }
}

#[test]
fn all_problems_come_at_once_in_reading_order_with_their_lines() {
    let toml = "[server]\nlisten = \"x\"\n\n[store]\n  memory = 0\ncolour = 1\n[route.r]\nupstream = \"a\"\n";
    let environment = [("TINTYPE_LOG__LEVEL", "noisy"), ("TINTYPE_LOG__COLOUR", "1")];
    let found = with_environment(toml, &environment).unwrap_err();
    let short: Vec<_> = found.0.iter().map(|p| format!("{} {}", p.place, p.path)).collect();
    assert_eq!(
        short,
        [
            "proxy.toml upstream",
            "proxy.toml:2:10 server.listen",
            "proxy.toml:5:12 store.memory",
            "proxy.toml:6:1 store.colour",
            "proxy.toml:8:12 route.r.upstream",
            "environment variable TINTYPE_LOG__COLOUR log.colour",
            "environment variable TINTYPE_LOG__LEVEL log.level",
        ]
    );
}

/// An array of tables is read one by one. Each problem has its own line and path.
#[test]
fn mistakes_in_rules_are_told_by_their_number() {
    let toml = format!(
        "{MINIMAL}[[route.all.rules]]\npath = \"/a\"\nttl = \"1h\"\n[[route.all.rules]]\nttl = \"soon\"\nhots = \"x\"\n\
         [[route.all.rules]]\noverride = true\nhost = [\"a.example\", \"http://b\"]\nmin_ttl = \"2h\"\n\
         max_ttl = \"1h\"\n"
    );
    let found = problems(&toml);
    let short: Vec<_> = found.iter().map(|p| (p.place.to_string(), p.path.as_str(), p.kind)).collect();
    assert_eq!(
        short,
        [
            ("proxy.toml:10:7".into(), "route.all.rules[1].ttl", Kind::Malformed),
            ("proxy.toml:11:1".into(), "route.all.rules[1].hots", Kind::UnknownKey),
            ("proxy.toml:14:22".into(), "route.all.rules[2].host", Kind::Malformed),
            ("proxy.toml:15:11".into(), "route.all.rules[2].min_ttl", Kind::Conflict),
        ]
    );
    assert_eq!(found[1].help.as_deref(), Some("did you mean `host`?"));
    for (line, path, kind) in [
        ("rules = 5", "route.all.rules", Kind::WrongType),
        ("rules = [5]", "route.all.rules[0]", Kind::WrongType),
        ("rules = [{ override = true }]", "route.all.rules[0].override", Kind::Conflict),
        ("rules = [{ ttl = \"never\", name = \"a b\" }]", "route.all.rules[0].name", Kind::Malformed),
        ("preset = \"artikel\"", "route.all.preset", Kind::Malformed),
        ("cacheable_statuses = [200, 304]", "route.all.cacheable_statuses", Kind::OutOfRange),
        ("default_ttl = \"never\"", "route.all.default_ttl", Kind::Malformed),
        ("default_ttl = \"11years\"", "route.all.default_ttl", Kind::OutOfRange),
        ("adaptive_confidence = 1.0", "route.all.adaptive_confidence", Kind::OutOfRange),
        ("early_refresh = -1", "route.all.early_refresh", Kind::OutOfRange),
    ] {
        let found = problems(&with("route.all", line));
        let short: Vec<_> = found.iter().map(|p| (p.path.as_str(), p.kind)).collect();
        assert_eq!(short, [(path, kind)], "{line}");
    }
}

#[test]
fn rules_are_read_in_order_before_the_preset() {
    let toml = format!(
        "{MINIMAL}preset = \"classes\"\n[[route.all.rules]]\nname = \"own\"\nhost = \"A.example\"\npath = \"*\"\n\
         ttl = \"never\"\n[[route.all.rules]]\nttl = \"until-purged\"\n"
    );
    let config = Config::from_toml(&toml).unwrap();
    let rules = &config.proxy.routes[0].lifetimes.rules;
    let names: Vec<_> = rules.iter().take(3).map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["own", "rules-1", "classes-dynamic"]);
    assert!(rules[0].when.matches(Some(&"https://a.example/x".parse().unwrap())));
    let adaptive = "default_ttl = \"adaptive\"\nadaptive_confidence = 0.9\nrules = [{ ttl = \"adaptive\" }]";
    let config = Config::from_toml(&with("route.all", adaptive)).unwrap();
    let lifetimes = &config.proxy.routes[0].lifetimes;
    assert_eq!((lifetimes.default_ttl, lifetimes.adaptive_confidence), (Some(Lifetime::Adaptive), Some(0.9)));
    assert_eq!(lifetimes.rules[0].then.ttl, Some(Lifetime::Adaptive));
}

#[test]
fn broken_toml_is_told_with_its_line_and_the_rest_is_read() {
    let toml = format!("{MINIMAL}[store]\nmemory = = 1\ndisk = \"x\"\n");
    let found = problems(&toml);
    let short: Vec<_> = found.iter().map(|p| (p.place.to_string(), p.kind)).collect();
    assert_eq!(short[0], ("proxy.toml:7:10".to_owned(), Kind::Syntax));
    assert!(short.contains(&("proxy.toml:8:8".to_owned(), Kind::Malformed)), "{short:?}");
    let twice = problems(&with("store", "memory = 1073741824\nmemory = 1073741824"));
    assert_eq!(twice.iter().map(|p| p.kind).collect::<Vec<_>>(), [Kind::Syntax]);
}

#[test]
fn unknown_keys_are_guessed() {
    for (section, line, help) in [
        ("store", "memroy = 1", "`memory`"),
        ("serve", "x = 1", "`server`"),
        ("store", "listen = 1", "`server.listen`"),
        ("log", "colour = 1", ""),
        ("route.two", "upstream = \"apu\"\npath = \"/b\"", "\"api\""),
        ("server", "listen = \":80\"", "\"0.0.0.0:80\""),
        ("server", "idle_timeout = 60", "\"60s\""),
    ] {
        let found = problems(&with(section, line));
        let shown = found[0].help.clone().unwrap_or_default();
        assert!(shown.contains(help) && shown.is_empty() == help.is_empty(), "{line}: {shown}");
    }
}

/// Each bound arrives in its module as it was written.
#[test]
fn bounds_are_taken_as_they_are_written() {
    let server = "backlog = 11\nmax_connections = 12\nmax_connections_per_address = 13\nmax_requests_per_connection = 14\n\
                  header_read_timeout = \"15s\"\nidle_timeout = \"16s\"\nmin_read_rate = 17\nmin_write_rate = 18\n\
                  max_header_bytes = 8192\nmax_header_count = 19\nmax_streams = 20\nmax_resets = 21\nmax_control_frames = 22\n\
                  max_uri_bytes = 300\nmax_request_body = 23\ntrusted_proxies = [\"192.0.2.0/24\"]";
    let store = "memory = \"20MiB\"\ndisk = \"80MiB\"\nblock = \"4MiB\"\nwrite_buffer = \"5MiB\"\nmax_ledger_entries = 124\n\
                 max_listed = 25\nmax_stored_bytes = \"1MiB\"\nmax_fetch_buffer = \"2MiB\"\nhold_for_tag = \"3KiB\"\nmax_hold = \"28s\"\n\
                 max_variants = 26\nmax_prepared = 27";
    let log = "max_buffer = \"1MiB\"";
    let config =
        Config::from_toml(&format!("{}[store]\n{store}\n[log]\n{log}\n", with("server", server))).unwrap();
    assert_eq!(config.log.max_buffer, 1 << 20);
    let secs = std::time::Duration::from_secs;
    let listener = &config.server;
    assert_eq!(
        (listener.backlog, listener.max_connections, listener.max_connections_per_address),
        (11, 12, 13)
    );
    assert_eq!(listener.max_requests_per_connection, 14);
    assert_eq!((listener.header_read_timeout, listener.idle_timeout), (secs(15), secs(16)));
    assert_eq!((listener.min_read_rate, listener.min_write_rate), (17, 18));
    assert_eq!((listener.max_header_bytes, listener.max_header_count), (8192, 19));
    assert_eq!((listener.max_streams, listener.max_resets, listener.max_control_frames), (20, 21, 22));
    // A trusted proxy brings the connections of many clients.
    assert_eq!(listener.crowded, ["192.0.2.0/24".parse().unwrap()]);
    let proxy = &config.proxy;
    assert_eq!((proxy.max_uri_bytes, proxy.max_request_body), (300, 23));
    assert_eq!(
        (proxy.max_stored_bytes, proxy.max_fetch_buffer, proxy.hold_for_tag),
        (1 << 20, 2 << 20, 3 << 10)
    );
    assert_eq!((proxy.max_variants, proxy.max_prepared, proxy.max_hold), (26, 27, secs(28)));
    let store = &config.store;
    assert_eq!((store.memory_bytes, store.disk_bytes, store.block_bytes), (20 << 20, 80 << 20, 4 << 20));
    assert_eq!((store.write_buffer_bytes, store.max_ledger_entries, store.max_listed), (5 << 20, 124, 25));
}

#[test]
fn the_environment_goes_over_the_file() {
    let config = with_environment(
        &with("store", "memory = \"broken\""),
        &[
            ("TINTYPE_STORE__MEMORY", "1GiB"),
            ("TINTYPE_STORE__DIR", ""),
            ("TINTYPE_STORE__MAX_VARIANTS", "7"),
            ("TINTYPE_LOG__ACCESS", "false"),
            ("TINTYPE_UPSTREAM__API__URL", "http://b"),
            ("TINTYPE_UPSTREAM__API__SET_HEADERS__AUTHORIZATION", "Bearer 1"),
            ("TINTYPE_UPSTREAM__C__KIND", "chrome"),
            ("TINTYPE_UPSTREAM__C__ALLOW_PORTS", "80, 81"),
        ],
    )
    .unwrap();
    assert_eq!(config.store.memory_bytes, 1 << 30);
    assert_eq!((config.store.dir, config.proxy.max_variants, config.log.access), (None, 7, false));
    let [(_, Upstream::Remote(api)), (_, Upstream::Chrome(chrome))] = config.upstreams.as_slice() else {
        panic!("{:?}", config.upstreams)
    };
    assert_eq!(api.base, "http://b");
    assert!(api.set_headers["authorization"].is_sensitive());
    assert_eq!(chrome.allow_ports, [80, 81]);
}

#[test]
fn variables_that_nobody_reads_are_problems_that_name_them() {
    for (name, help) in [
        ("TINTYPE_STORE__MEMROY", Some("TINTYPE_STORE__MEMORY")),
        ("TINTYPE_STORE_MEMORY", Some("TINTYPE_STORE__MEMORY")),
        ("TINTYPE_STORE__MEMORY__X", None),
        ("TINTYPE_COLOUR__X", None),
    ] {
        let found = with_environment(MINIMAL, &[(name, "1")]).unwrap_err();
        assert_eq!(found.0.len(), 1, "{found}");
        assert!(found.to_string().contains(name), "{found}");
        let shown = found.0[0].help.clone().unwrap_or_default();
        assert!(shown.contains(help.unwrap_or_default()), "{name}: {shown}");
    }
}

#[test]
fn the_drop_in_case_overrides_nothing() {
    let config = Config::for_upstream("https://api.example.com/v1", None, None, None).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.admin.unwrap().listener.listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.store.dir, None);
    let [route] = config.proxy.routes.as_slice() else { panic!() };
    assert_eq!((route.path.as_str(), &route.host, route.capture), ("/", &None, false));
    assert_eq!((route.terms.stale_if_error, route.terms.stale_while_revalidate), (None, None));

    let config =
        Config::for_upstream("http://a", Some("[::1]:1"), Some("127.0.0.1:2"), Some("/tmp/c")).unwrap();
    assert_eq!(config.server.listen.to_string(), "[::1]:1");
    assert_eq!(config.store.dir, Some("/tmp/c".into()));

    let found = Config::for_upstream("api.example.com", Some("8080"), None, None).unwrap_err();
    let places: Vec<_> = found.0.iter().map(|p| p.place.to_string()).collect();
    assert_eq!(places, ["argument --listen", "argument --upstream"]);
}

#[test]
fn paths_in_a_file_start_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let token = "0123456789abcdef";
    std::fs::write(folder.path().join("token"), format!("{token}\n")).unwrap();
    let file = folder.path().join("proxy.toml");
    std::fs::write(&file, with("admin", "token_file = \"token\"")).unwrap();
    let config = Config::read(&Sources::only(Base::File(file))).unwrap();
    assert_eq!(config.store.dir, Some(folder.path().join("cache")));
    assert_eq!(config.admin.unwrap().token.as_deref(), Some(token));
}

#[test]
fn filter_lists_are_read_and_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.toml");
    let line = |name: &str| format!("kind = \"chrome\"\ncookie_lists = [\"{name}\"]");
    for (content, expected) in [
        (&b"||a.example^\n"[..], None),
        (b"\xff\xfe", Some(Kind::Malformed)),
        (b"<!doctype html>", Some(Kind::Malformed)),
    ] {
        std::fs::write(folder.path().join("list.txt"), content).unwrap();
        std::fs::write(&file, with("upstream.c", &line("list.txt"))).unwrap();
        match Config::read(&Sources::only(Base::File(file.clone()))) {
            Ok(config) => {
                let Some((_, Upstream::Chrome(chrome))) = config.upstreams.last() else { panic!("chrome") };
                assert_eq!(&*chrome.filters.cookies[0].text, "||a.example^\n");
                assert_eq!(expected, None);
            }
            Err(problems) => {
                let [problem] = &problems.0[..] else { panic!("one problem") };
                assert_eq!(
                    (problem.path.as_str(), Some(problem.kind)),
                    ("upstream.c.cookie_lists", expected)
                );
            }
        }
    }
}

const SHIPPED: &str = include_str!("../../proxy.toml");

#[test]
fn the_shipped_file_is_good_and_tells_no_secret() {
    let config = Config::from_toml(SHIPPED).unwrap();
    assert_eq!(config.admin.unwrap().token, None);
    assert!(matches!(config.upstreams.as_slice(), [(_, Upstream::Chrome(_))]));
    let route = &config.proxy.routes[0];
    assert_eq!((route.path.as_str(), route.capture), ("/screenshot", true));
    assert!(route.terms.stale_if_error.is_some() && route.terms.stale_while_revalidate.is_some());
}

#[test]
fn the_shipped_file_shows_every_setting_with_its_default() {
    // A setting that is switched off begins with `#`, prose with `# `.
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let whole: Vec<String> = SHIPPED.lines().map(uncommented).collect();
    let mut problems = Vec::new();
    let file: Arc<Path> = Path::new("proxy.toml").into();
    let tree = tree::parse(&file, &whole.join("\n"), &mut problems);
    assert_eq!(problems, []);

    let mut reader = Reader::new(PathBuf::new());
    read_tree(&mut reader, tree.clone(), Place::File(file));
    for known in reader.known.clone().iter().filter(|known| !known.table) {
        let mut table = &tree;
        let mut shown = None;
        for name in known.path.split('.') {
            let name = name.strip_suffix("[0]").unwrap_or(name);
            let entry = table.0.iter().find(|e| e.name == name);
            let entry = entry.unwrap_or_else(|| panic!("proxy.toml does not show {}", known.path));
            match &entry.node.value {
                Value::Table(inner) => table = inner,
                Value::List(members) if known.path.contains(&format!("{name}[0].")) => {
                    let [Node { value: Value::Table(inner), .. }] = members.as_slice() else {
                        panic!("{name} is no example of an array of tables")
                    };
                    table = inner;
                }
                value => shown = Some(write(value)),
            }
        }
        // The one route of the shipped file is not the default of all routes.
        if let Some(default) = known.default.as_ref().filter(|_| known.path != "route.screenshot.path") {
            assert_eq!(shown.as_ref(), Some(default), "{}", known.path);
        }
    }
    let unread: Vec<_> = reader.finish().err().map(|p| p.0).unwrap_or_default();
    let unread: Vec<_> = unread.into_iter().filter(|p| p.kind == Kind::UnknownKey).collect();
    assert_eq!(unread, []);
}
