//! Reads `[jobs]` and `[warm]`: captures in bulk, and captures before any client asks.

use std::time::Duration;

use url::Url;

use super::addresses::{ALLOWED_HOST, ALLOWED_RANGE, exception, port};
use super::problem::Kind;
use super::section::Section;
use super::words::{GIB, KIB, MIB, days, secs};
use crate::jobs::{Config, Telling, sitemaps, warm};
use crate::proxy::Route;
use crate::proxy::auth::Auth;

const SECRET: &str = "16 to 512 bytes of text";

#[derive(Clone, Copy)]
enum Where {
    Control,
    Data,
    Both,
    Off,
}

pub(super) fn read(
    mut s: Section<'_>,
    store: Option<&std::path::Path>,
    routes: &[Route],
    has_token: bool,
) -> Config {
    let places =
        [("control", Where::Control), ("data", Where::Data), ("both", Where::Both), ("off", Where::Off)];
    let place = s.choice("listener", places);
    let max_timeout = s.duration("max_timeout", secs(60), secs(1)..=secs(3600));
    let max_parallel = s.number("max_parallel", 10, 1..=1000);
    let config = Config {
        on_control: matches!(place, Where::Control | Where::Both),
        on_data: matches!(place, Where::Data | Where::Both),
        folder: store.map(|folder| folder.join("jobs")),
        route: route(&mut s, routes),
        public_url: super::addresses::public_url(&mut s),
        max_body: s.size("max_body", MIB, KIB..=64 * MIB),
        max_items: s.number("max_items", 50, 1..=100_000),
        max_jobs: s.number("max_jobs", 1000, 1..=100_000),
        concurrency: s.number("concurrency", 10, 1..=1000),
        parallel: s.number("parallel", max_parallel.min(3), 1..=1000),
        max_parallel,
        timeout: s.duration("timeout", max_timeout.min(secs(30)), secs(1)..=secs(3600)),
        max_timeout,
        retention: s.duration("retention", days(1), secs(1)..=days(365)),
        webhook: telling(&mut s),
    };
    // The requests of a job are admitted as our own, so the client that starts one must be
    // authenticated.
    if config.on_data && !has_token && routes.iter().any(|route| route.auth != Auth::None) {
        let allowed = "\"control\", or a token in [admin], where a route has auth";
        s.refuse("listener", Kind::Conflict, "data", allowed);
    }
    if config.parallel > max_parallel {
        s.refuse("parallel", Kind::Conflict, config.parallel.to_string(), "at most max_parallel");
    }
    if config.timeout > max_timeout {
        s.refuse("timeout", Kind::Conflict, format!("{:?}", config.timeout), "at most max_timeout");
    }
    config
}

fn telling(s: &mut Section<'_>) -> Telling {
    let secret = s.read_secret("webhook_secret", SECRET, |node| {
        let secret = node.text()?;
        if (16..=512).contains(&secret.len()) { Ok(secret.to_owned()) } else { Err(Kind::Malformed.into()) }
    });
    Telling {
        secret,
        timeout: s.duration("webhook_timeout", secs(10), secs(1)..=secs(300)),
        attempts: s.number("webhook_attempts", 6, 1..=20),
        retry_base: s.duration("webhook_retry_base", secs(1), Duration::from_millis(1)..=secs(3600)),
        retry_max: s.duration("webhook_retry_max", secs(60), Duration::from_millis(1)..=secs(86_400)),
        allow_hosts: s.list("allow_hosts", Vec::new(), ALLOWED_HOST, exception),
        allow_ranges: s.list("allow_ranges", Vec::new(), ALLOWED_RANGE, exception),
        allow_ports: s.list("allow_ports", vec![80, 443, 8080, 8443], "a port from 1 to 65535", port),
    }
}

fn route(s: &mut Section<'_>, routes: &[Route]) -> Option<String> {
    s.read("route", None, "the name of a route", |node| {
        let name = node.text()?;
        let known = routes.iter().any(|route| route.name == name);
        if known { Ok(name.to_owned()) } else { Err(Kind::NotFound.into()) }
    })
}

fn web(s: &mut Section<'_>, key: &str, allowed: &str) -> Option<Url> {
    s.read(key, None, allowed, |node| {
        let url = Url::parse(node.text()?).ok();
        let is_plain = |url: &Url| url.username().is_empty() && url.password().is_none();
        let url = url.filter(|url| crate::origin::chrome::guard::is_web(url) && is_plain(url));
        url.ok_or_else(|| Kind::Malformed.into())
    })
}

pub(super) fn warm(mut s: Section<'_>) -> warm::Config {
    let page = "the http:// or https:// URL of a page";
    warm::Config {
        urls: s.list("urls", Vec::new(), page, |node| {
            let url = Url::parse(node.text()?).ok().filter(crate::origin::chrome::guard::is_web);
            url.map(String::from).ok_or_else(|| Kind::Malformed.into())
        }),
        file: s.file("file", "a list of pages: URLs or JSON objects by line, or a sitemap"),
        sitemap: web(&mut s, "sitemap", "the http:// or https:// URL of a sitemap"),
        allow_hosts: s.list("allow_hosts", Vec::new(), "a host name, such as \"cdn.example.com\"", |node| {
            let host = node.text()?.to_ascii_lowercase();
            if crate::origin::chrome::is_host(&host) { Ok(host) } else { Err(Kind::Malformed.into()) }
        }),
        max_urls: s.number("max_urls", 10_000, 1..=1_000_000),
        max_sitemaps: s.number("max_sitemaps", sitemaps::MAX_FILES, 1..=50_000),
        max_sitemap_bytes: s.size("max_sitemap_bytes", sitemaps::MAX_BYTES, KIB..=GIB),
        parallel: s.number("parallel", 5, 1..=1000),
        timeout: s.duration("timeout", secs(60), secs(1)..=secs(3600)),
        hold_ready: s.flag("hold_ready", false),
    }
}
