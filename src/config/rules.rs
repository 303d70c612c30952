//! Reads `[[route.NAME.rules]]` and the other lifetime settings of a route.

use std::time::Duration;

use super::problem::Kind;
use super::section::{Refusal, Section};
use super::tree::{Node, Value};
use super::words::{days, read_duration};
use crate::policy::rules::glob::{Glob, PathGlob, QueryGlob};
use crate::policy::rules::{Lifetime, Lifetimes, Outcome, Preset, Rule, When};
use crate::proxy::Refresh;

/// Bound on the rules of one route.
const MOST_RULES: usize = 256;
/// The longest lifetime that can be set.
const LONGEST: Duration = days(3650);
/// Parameters that clients add to a target's query in order to get past caches.
const CACHE_BUSTERS: [&str; 7] = ["ts", "timestamp", "t", "v", "ver", "bust", "nocache"];
const TTL: &str =
    "a duration from 0s to 10years, such as \"15m\", or \"adaptive\", or \"never\", or \"until-purged\"";
const DEFAULT_TTL: &str = "a duration from 0s to 10years, such as \"15m\", or \"adaptive\"";

/// Reads the lifetime settings of a route. `engine` says that its origin is the capture engine.
pub(super) fn read(s: &mut Section<'_>, capture: bool, engine: bool) -> Lifetimes {
    let presets = [
        ("article", Preset::Article),
        ("classes", Preset::Classes),
        ("adaptive", Preset::Adaptive),
        ("none", Preset::None),
    ];
    let preset = s.choice_of("preset", &presets, false).unwrap_or(if capture {
        Preset::Article
    } else {
        Preset::None
    });
    let busters = match capture {
        true => CACHE_BUSTERS.map(str::to_owned).to_vec(),
        false => Vec::new(),
    };
    let cache_busters = s.one_or_more("cache_busters", "the name of a query parameter", |node| {
        let name = node.text()?.to_owned();
        if name.is_empty() { Err(Kind::Malformed.into()) } else { Ok(name) }
    });
    let caller_ttl = s.flag("caller_ttl", true);
    let default_ttl = s.read("default_ttl", None, DEFAULT_TTL, |node| match ttl(node)? {
        Lifetime::Never | Lifetime::UntilPurged => Err(Kind::Malformed.into()),
        lifetime => Ok(lifetime),
    });
    let adaptive_confidence = s.optional_fraction("adaptive_confidence", None, 0.01..=0.999);
    let (min_ttl, max_ttl) = bounds(s);
    let statuses = s.one_or_more("cacheable_statuses", "a final status code but 206 and 304", status);
    let mut rules = s.tables("rules", MOST_RULES, rule);
    rules.extend(preset.rules());
    Lifetimes {
        rules,
        cache_busters: cache_busters.unwrap_or(busters),
        caller_ttl,
        default_ttl,
        adaptive_confidence,
        min_ttl,
        max_ttl,
        cacheable_statuses: statuses,
        engine,
    }
}

/// Reads when the route refreshes responses that are still fresh.
pub(super) fn refresh(s: &mut Section<'_>, capture: bool) -> Refresh {
    let early = s.optional_fraction("early_refresh", None, 0.0..=1000.0);
    Refresh {
        early: early.unwrap_or(if capture { 1.0 } else { 0.0 }),
        watched: s.number("refresh_ahead", 0, 0..=10_000),
        hits: s.number("refresh_ahead_hits", 10, 1..=1_000_000),
    }
}

fn rule(mut s: Section<'_>, at: usize) -> Rule {
    let name = s.read("name", None, "a word of letters, digits, - and _, of at most 64", |node| {
        let name = node.text()?;
        let good = (1..=64).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if good { Ok(name.to_owned()) } else { Err(Kind::Malformed.into()) }
    });
    let hosts = s.one_or_more("host", "a host name or a pattern such as \"*.example.com\"", |node| {
        Ok(Glob::new(pattern(node, |text| !text.contains(['/', ':']))?.to_ascii_lowercase()))
    });
    let paths = s.one_or_more("path", "a path pattern such as \"/docs/**\", or \"*\"", |node| {
        Ok(PathGlob::new(pattern(node, |text| text.starts_with('/') || text == "*" || text == "**")?))
    });
    let urls = s.one_or_more("url", "a pattern for the whole URL, such as \"*/dashboard*\"", |node| {
        Ok(Glob::new(pattern(node, |_| true)?))
    });
    let queries = s.one_or_more(
        "query",
        "a parameter's name, or NAME=VALUE, such as \"preview\" or \"page=1*\"",
        |node| Ok(QueryGlob::new(pattern(node, |text| !text.starts_with('='))?)),
    );
    let when = When {
        hosts: hosts.unwrap_or_default(),
        paths: paths.unwrap_or_default(),
        urls: urls.unwrap_or_default(),
        queries: queries.unwrap_or_default(),
    };
    let (scripts, busters) = (s.flag("scripts", false), s.flag("busters", false));
    let ttl = s.read("ttl", None, TTL, ttl);
    let (min_ttl, max_ttl) = bounds(&mut s);
    let window = Duration::ZERO..=days(365);
    let then = Outcome {
        ttl,
        min_ttl,
        max_ttl,
        stale_while_revalidate: s.optional_duration("stale_while_revalidate", None, window.clone()),
        stale_if_error: s.optional_duration("stale_if_error", None, window),
        overrides: s.flag("override", false),
    };
    if then.overrides && !s.is_given("ttl") && !s.is_given("min_ttl") {
        s.refuse(
            "override",
            Kind::Conflict,
            "no ttl that it could put in its place",
            "false, or a ttl beside it",
        );
    }
    Rule { name: name.unwrap_or_else(|| format!("rules-{at}")), when, scripts, busters, then }
}

/// Reads `min_ttl` and `max_ttl`.
fn bounds(s: &mut Section<'_>) -> (Option<Duration>, Option<Duration>) {
    let least = s.optional_duration("min_ttl", None, Duration::ZERO..=LONGEST);
    let most = s.optional_duration("max_ttl", None, Duration::ZERO..=LONGEST);
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        let found = super::words::write_duration(least);
        s.refuse("min_ttl", Kind::Conflict, found, "no more than max_ttl");
    }
    (least, most)
}

fn ttl(node: &Node) -> Result<Lifetime, Refusal> {
    match node.text()? {
        "never" => Ok(Lifetime::Never),
        "until-purged" => Ok(Lifetime::UntilPurged),
        "adaptive" => Ok(Lifetime::Adaptive),
        text => match read_duration(text) {
            Some(duration) if duration <= LONGEST => Ok(Lifetime::For(duration)),
            Some(_) => Err(Kind::OutOfRange.into()),
            None => Err(Kind::Malformed.into()),
        },
    }
}

fn status(node: &Node) -> Result<u16, Refusal> {
    let status = match &node.value {
        Value::Integer(status) => *status,
        Value::Text(text) => text.trim().parse().map_err(|_| Kind::WrongType)?,
        _ => return Err(Kind::WrongType.into()),
    };
    match u16::try_from(status) {
        Ok(status @ (200..=205 | 207..=303 | 305..=599)) => Ok(status),
        _ => Err(Kind::OutOfRange.into()),
    }
}

/// Reads a pattern that is not empty and passes `good`.
fn pattern(node: &Node, good: impl Fn(&str) -> bool) -> Result<&str, Refusal> {
    let text = node.text()?;
    let printable = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if (1..=1024).contains(&text.len()) && printable && good(text) {
        Ok(text)
    } else {
        Err(Kind::Malformed.into())
    }
}
