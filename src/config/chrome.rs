//! Reads `[upstream.NAME]` of kind `chrome`, the built-in capture engine.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::addresses::{ALLOWED_HOST, ALLOWED_RANGE, exception, port};
use super::certificates::certificates;
use super::problem::Kind;
use super::section::Section;
use super::words::{GIB, KIB, MIB, days, secs, write_duration, write_size};
use crate::origin::chrome::{
    Config, DefaultVisitor, Endpoint, FilterList, FilterLists, Limits, MAX_LIST, PageRoots, Probe, Sandbox,
    UpstreamProxy,
};

/// Bytes of one file of roots. All public roots together take less than 300 KiB.
const MAX_PEM: u64 = MIB;
const REMOTE: &str =
    "a DevTools endpoint such as \"http://host:9222\" or \"wss://host/devtools/browser/...\"";

pub(super) fn read(mut s: Section<'_>) -> Config {
    let default = Config::default();
    let deadline = s.duration("deadline", default.deadline, secs(1)..=secs(600));
    let config = Config {
        program: program(&mut s),
        sandbox: s.choice("sandbox", [("auto", Sandbox::Auto), ("on", Sandbox::On), ("off", Sandbox::Off)]),
        max_concurrent: s.optional_number("max_concurrent", None, 1..=256).unwrap_or(default.max_concurrent),
        spare_pages: s.number("spare_pages", default.spare_pages, 0..=64),
        max_queue: s.number("max_queue", default.max_queue, 0..=100_000),
        queue_budget: s.duration(
            "queue_budget",
            default.queue_budget,
            Duration::from_millis(100)..=secs(3600),
        ),
        deadline,
        launch_timeout: s.duration("launch_timeout", default.launch_timeout, secs(1)..=secs(300)),
        recycle_after: s.number("recycle_after", default.recycle_after, 1..=1_000_000),
        recycle_age: s.duration("recycle_age", default.recycle_age, secs(1)..=days(365)),
        recycle_memory: s.size("recycle_memory", default.recycle_memory, 64 * MIB..=1024 * GIB),
        max_page_memory: s.size("max_page_memory", default.max_page_memory, 64 * MIB..=1024 * GIB),
        health_interval: s.duration("health_interval", default.health_interval, secs(1)..=secs(3600)),
        health_timeout: s.duration("health_timeout", default.health_timeout, secs(1)..=secs(300)),
        remote: remote(&mut s),
        remote_ca: certificates(&mut s, "remote_ca"),
        remote_unguarded: s.flag("remote_unguarded", default.remote_unguarded),
        probe: probe(&mut s),
        lifetime: s.duration("lifetime", default.lifetime, Duration::ZERO..=days(365)),
        incomplete_ttl: s.duration("incomplete_ttl", default.incomplete_ttl, Duration::ZERO..=days(365)),
        limits: limits(&mut s, deadline),
        allow_hosts: s.list("allow_hosts", Vec::new(), ALLOWED_HOST, exception),
        allow_ranges: s.list("allow_ranges", Vec::new(), ALLOWED_RANGE, exception),
        allow_ports: s.list("allow_ports", default.allow_ports, "a port from 1 to 65535", port),
        page_ca: page_roots(&mut s),
        max_page_bytes: s.size("max_page_bytes", default.max_page_bytes, 64 * KIB..=16 * GIB),
        max_page_connections: s.number("max_page_connections", default.max_page_connections, 1..=10_000),
        max_page_requests: s.number("max_page_requests", default.max_page_requests, 1..=1_000_000),
        filters: FilterLists {
            ads: filter_lists(&mut s, "ad_lists"),
            trackers: filter_lists(&mut s, "tracker_lists"),
            cookies: filter_lists(&mut s, "cookie_lists"),
            chats: filter_lists(&mut s, "chat_lists"),
        },
        egress: egress(s.table("egress")),
        visitor: visitor(&mut s),
    };
    let limits = &config.limits;
    for (key, time) in [
        ("max_delay", limits.max_delay),
        ("max_wait", limits.max_wait),
        ("max_load", limits.max_load),
        ("max_settle", limits.max_settle),
        ("max_freeze", limits.max_freeze),
    ] {
        if time >= config.deadline {
            let allowed = format!("less than deadline, which is {}", write_duration(config.deadline));
            s.refuse(key, Kind::Conflict, write_duration(time), &allowed);
        }
    }
    if !config.remote.is_empty() && !config.remote_unguarded {
        let allowed = "`remote_unguarded = true` beside it: no guard keeps the pages of a remote browser out of its network";
        s.refuse("remote", Kind::Conflict, "remote browsers without consent", allowed);
    }
    if !config.remote.is_empty() && !config.egress.is_empty() {
        let allowed = "browsers of our own: what a remote one sends does not pass through us";
        s.refuse("egress", Kind::Conflict, "egress proxies for remote browsers", allowed);
    }
    if !config.remote.is_empty() && config.probe.is_some() {
        let allowed = "\"off\", or browsers of our own: what a remote one reaches is not what we reach";
        s.refuse("probe", Kind::Conflict, "\"head\" for remote browsers", allowed);
    }
    if !config.remote.is_empty() && !config.page_ca.is_empty() {
        let allowed = "browsers of our own: a remote one trusts what its own machine trusts";
        s.refuse("page_ca", Kind::Conflict, "further roots for remote browsers", allowed);
    }
    if config.allow_ports.is_empty() {
        s.refuse("allow_ports", Kind::OutOfRange, "[]", "at least one port: without any no page can load");
    }
    config
}

/// Reads the visitor that pages see, if a request does not say otherwise.
fn visitor(s: &mut Section<'_>) -> DefaultVisitor {
    const USER_AGENT: &str = "visible ASCII, at most 4096 bytes";
    const LANGUAGES: &str =
        "languages with or without weights, such as \"de-CH,de;q=0.9,en;q=0.8\", at most 16";
    let user_agent = s.read("user_agent", None, USER_AGENT, |node| {
        DefaultVisitor::read_user_agent(node.text()?).ok_or(Kind::Malformed.into())
    });
    let default = format!("{:?}", DefaultVisitor::LANGUAGES);
    let languages = s.read("accept_language", Some(default), LANGUAGES, |node| {
        DefaultVisitor::read_languages(node.text()?).ok_or(Kind::Malformed.into())
    });
    DefaultVisitor { user_agent, languages: languages.unwrap_or(DefaultVisitor::default().languages) }
}

/// Reads whether and how pages are probed for changes.
fn probe(s: &mut Section<'_>) -> Option<Probe> {
    let head = s.choice("probe", [("off", false), ("head", true)]);
    let timeout = s.duration("probe_timeout", secs(5), Duration::from_millis(100)..=secs(60));
    let unchanged_on_error = s.choice("probe_on_error", [("unchanged", true), ("capture", false)]);
    head.then_some(Probe { timeout, unchanged_on_error })
}

fn limits(s: &mut Section<'_>, deadline: Duration) -> Limits {
    // A short deadline alone does not make a configuration wrong.
    let within = |default: Duration| default.min(deadline / 2);
    let limits = Limits {
        default_width: s.number("default_width", 1280, 1..=16_384),
        default_height: s.number("default_height", 720, 1..=16_384),
        // Beyond 16384 pixels Chrome repeats or blackens parts of a screenshot.
        max_side: s.number("max_side", 4096, 16..=16_384),
        max_pixels: s.number("max_pixels", 40_000_000, 256..=268_435_456),
        max_page_pixels: s.number("max_page_pixels", 1 << 28, 256..=1 << 30),
        max_full_page_height: s.number("max_full_page_height", 200_000, 16..=1_000_000),
        max_scale: s.fraction("max_scale", 3.0, 0.1..=10.0),
        max_delay: s.duration("max_delay", secs(10), Duration::ZERO..=secs(599)),
        max_load: s.duration("max_load", within(secs(15)), Duration::from_millis(100)..=secs(599)),
        max_settle: s.duration("max_settle", within(secs(5)), Duration::ZERO..=secs(60)),
        max_wait: s.duration("max_wait", secs(10), secs(1)..=secs(599)),
        max_freeze: s.duration("max_freeze", within(secs(3)), Duration::ZERO..=secs(60)),
        max_html: bytes(s, "max_html", 2 * MIB, KIB..=64 * MIB),
        max_text: bytes(s, "max_text", 64 * KIB, 64..=4 * MIB),
        min_picture_bytes: bytes(s, "min_picture_bytes", 64, 0..=MIB),
        allow_blank: s.flag("allow_blank", false),
        freeze_time: s.flag("freeze_time", false),
        allow_ignore_https_errors: s.flag("allow_ignore_https_errors", false),
    };
    for (key, side) in [("default_width", limits.default_width), ("default_height", limits.default_height)] {
        if side > limits.max_side {
            let allowed = format!("at most max_side, which is {}", limits.max_side);
            s.refuse(key, Kind::Conflict, side.to_string(), &allowed);
        }
    }
    let pixels = u64::from(limits.default_width) * u64::from(limits.default_height);
    if pixels > limits.max_pixels {
        let allowed = format!("at least the {pixels} pixels of default_width by default_height");
        s.refuse("max_pixels", Kind::Conflict, limits.max_pixels.to_string(), &allowed);
    }
    limits
}

fn bytes(s: &mut Section<'_>, key: &str, default: u64, range: std::ops::RangeInclusive<u64>) -> usize {
    let size: u64 = s.size(key, default, range);
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Reads a path to a program, or a name that is looked up in `PATH`.
fn program(s: &mut Section<'_>) -> Option<PathBuf> {
    const ALLOWED: &str = "a program that is there, such as \"/usr/bin/chromium-headless-shell\"";
    let text = s.read("program", None, ALLOWED, |node| Ok(node.text()?.to_owned()))?;
    let found = if text.contains('/') {
        Some(s.resolve("program", &text)).filter(|path| path.is_file())
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(&text)).find(|path| path.is_file())
    };
    if found.is_none() {
        s.refuse("program", Kind::NotFound, format!("{text:?}, which is not there"), ALLOWED);
    }
    found
}

/// Reads proxies by name. Their URLs are not shown, because they hold passwords.
fn egress(mut s: Section<'_>) -> Vec<UpstreamProxy> {
    const URL: &str = "\"http://host:port\" or \"http://user:password@host:port\"";
    let mut proxies = Vec::new();
    for name in s.names() {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if !(1..=64).contains(&name.len()) || !name.chars().all(plain) {
            let allowed = "a name of letters, digits, - and _, at most 64";
            s.refuse_entry(&name, Kind::Malformed, format!("{name:?}"), allowed);
            s.forget(&name);
            continue;
        }
        let mut proxy = s.table(&name);
        let country = proxy.read("country", None, "a country of two letters, such as \"de\"", |node| {
            let code = node.text()?.to_ascii_lowercase();
            let fine = code.len() == 2 && code.chars().all(|c| c.is_ascii_lowercase());
            if fine { Ok(code) } else { Err(Kind::Malformed.into()) }
        });
        let read = proxy.read_secret("url", URL, |node| {
            UpstreamProxy::new(&name, node.text()?, country).ok_or(Kind::Malformed.into())
        });
        if read.is_none() && !proxy.is_given("url") {
            proxy.refuse("url", Kind::Missing, "nothing", URL);
        }
        proxies.extend(read);
    }
    proxies
}

/// Reads the files of filter rules themselves, so that their errors are reported at the start.
fn filter_lists(s: &mut Section<'_>, key: &str) -> Vec<FilterList> {
    let allowed =
        format!("a file of filter rules in EasyList syntax, UTF-8, at most {}", write_size(MAX_LIST));
    let paths = s.list(key, Vec::new(), &allowed, |node| Ok(node.text()?.to_owned()));
    let mut lists = Vec::new();
    for path in paths {
        let path = s.resolve(key, &path);
        match read_list(&path) {
            Ok(text) => lists.push(FilterList { path, text: text.into() }),
            Err((kind, why)) => s.refuse(key, kind, format!("{} ({why})", path.display()), &allowed),
        }
    }
    lists
}

/// Reads PEM files of roots themselves. A bad file is an error at the start, and a reload finds a
/// new one.
fn page_roots(s: &mut Section<'_>) -> PageRoots {
    let allowed =
        format!("PEM files with further trusted roots for pages, at most {} each", write_size(MAX_PEM));
    let paths = s.one_or_more("page_ca", &allowed, |node| Ok(node.text()?.to_owned()));
    let mut roots = PageRoots::default();
    for path in paths.unwrap_or_default() {
        let path = s.resolve("page_ca", &path);
        let added = read_file(&path, MAX_PEM)
            .and_then(|pem| roots.add_pem(&pem).map_err(|error| (Kind::Malformed, error.to_string())));
        if let Err((kind, why)) = added {
            s.refuse("page_ca", kind, format!("{} ({why})", path.display()), &allowed);
        }
    }
    roots
}

fn read_file(path: &Path, max: u64) -> Result<Vec<u8>, (Kind, String)> {
    let gone = |error: std::io::Error| (Kind::NotFound, error.to_string());
    let file = std::fs::File::open(path).map_err(gone)?;
    if !file.metadata().map_err(gone)?.is_file() {
        return Err((Kind::NotFound, "not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(max + 1).read_to_end(&mut bytes).map_err(gone)?;
    if bytes.len() as u64 > max {
        return Err((Kind::OutOfRange, "it is larger".to_owned()));
    }
    Ok(bytes)
}

fn read_list(path: &Path) -> Result<String, (Kind, String)> {
    let bytes = read_file(path, MAX_LIST)?;
    let text = String::from_utf8(bytes).map_err(|_| (Kind::Malformed, "not UTF-8".to_owned()))?;
    // A server may have sent an error page in place of a list.
    let is_page = text.trim_start().get(..1) == Some("<");
    if is_page { Err((Kind::Malformed, "a web page".to_owned())) } else { Ok(text) }
}

/// Endpoints are not shown, because their queries often hold tokens.
fn remote(s: &mut Section<'_>) -> Vec<Endpoint> {
    let texts = s.list("remote", Vec::new(), REMOTE, |node| Ok(node.text()?.to_owned()));
    let endpoints: Result<Vec<Endpoint>, _> = texts.iter().map(|text| text.parse()).collect();
    endpoints.unwrap_or_else(|_| {
        s.refuse("remote", Kind::Malformed, "something else", REMOTE);
        Vec::new()
    })
}
