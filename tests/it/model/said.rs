//! What the two sides say of themselves: the cache in `X-Cache` and `Cache-Status`, a request by its directives.

use super::oracle::ensure;
use super::step::{Ask, Directive};
use crate::support::*;

/// What the answer says of itself.
pub(super) struct Said<'a> {
    pub(super) verdict: &'a str,
    pub(super) status: CacheStatus<'a>,
}

/// The last member of `Cache-Status`.
#[derive(Default)]
pub(super) struct CacheStatus<'a> {
    pub(super) hit: bool,
    pub(super) forward: Option<&'a str>,
    pub(super) forward_status: Option<&'a str>,
    pub(super) ttl: Option<i64>,
    pub(super) stored: bool,
    pub(super) collapsed: bool,
    pub(super) detail: Option<&'a str>,
}

impl<'a> Said<'a> {
    /// Reads `X-Cache` and `Cache-Status`, which must agree.
    pub(super) fn of(answer: &'a Answer) -> Result<Self, String> {
        let verdict = answer.header("x-cache").ok_or("no X-Cache")?;
        let member = answer.headers.get_all("cache-status").iter().next_back().ok_or("no Cache-Status")?;
        let mut parts = member.to_str().map_err(|e| e.to_string())?.split("; ");
        ensure!(parts.next() == Some("tintype"), "Cache-Status by somebody else");
        let mut status = CacheStatus::default();
        for part in parts {
            match part.split_once('=').unwrap_or((part, "")) {
                ("hit", _) => status.hit = true,
                ("fwd", why) => status.forward = Some(why),
                ("fwd-status", code) => status.forward_status = Some(code),
                ("ttl", ttl) => status.ttl = ttl.parse().ok(),
                ("stored", _) => status.stored = true,
                ("collapsed", _) => status.collapsed = true,
                ("detail", detail) => status.detail = Some(detail),
                _ => return Err(format!("strange Cache-Status: {part}")),
            }
        }
        let coherent = match verdict {
            "HIT" => status.hit && status.forward.is_none(),
            "STALE" => status.hit != status.forward.is_some(),
            "REVALIDATED" => !status.hit && status.forward.is_some() && status.forward_status == Some("304"),
            "MISS" | "BYPASS" => !status.hit && status.forward.is_some(),
            "ERROR" => !status.hit && status.detail.is_some() && !status.stored,
            _ => false,
        };
        ensure!(coherent, "X-Cache and Cache-Status disagree");
        Ok(Said { verdict, status })
    }

    /// Whether the response, or at least its body, was not fetched for this request.
    pub(super) fn is_from_store(&self) -> bool {
        matches!(self.verdict, "HIT" | "STALE" | "REVALIDATED") || self.status.collapsed
    }

    /// Whether the origin spoke to this very request.
    pub(super) fn is_own(&self) -> bool {
        matches!(self.verdict, "MISS" | "REVALIDATED" | "BYPASS") && !self.status.collapsed
    }
}

impl Ask {
    fn has(&self, directive: Directive) -> bool {
        self.directives.contains(&directive)
    }

    pub(super) fn only_if_cached(&self) -> bool {
        self.has(Directive::OnlyIfCached)
    }

    /// `no-cache`; `Pragma` counts only where there is no `Cache-Control`.
    pub(super) fn no_cache(&self) -> bool {
        self.has(Directive::NoCache)
            || self.directives.iter().all(|d| *d == Directive::Pragma) && self.has(Directive::Pragma)
    }

    fn all<T>(&self, of: impl Fn(&Directive) -> Option<T>) -> impl Iterator<Item = T> {
        self.directives.iter().filter_map(of)
    }

    /// Whether the request takes a response of this age and rest of freshness, in milliseconds.
    pub(super) fn takes(&self, age: u64, rest: u64) -> bool {
        let limit = |d: &Directive| if let Directive::MaxAge(n) = d { Some(n * 1000) } else { None };
        let least = |d: &Directive| if let Directive::MinFresh(n) = d { Some(n * 1000) } else { None };
        !self.no_cache() && self.all(limit).all(|n| age <= n) && self.all(least).all(|n| rest >= n)
    }

    /// The staleness that the request takes, in milliseconds: zero unless it says so.
    pub(super) fn takes_stale(&self) -> u64 {
        let limit = |d: &Directive| match d {
            Directive::MaxStale(limit) => Some(limit.map_or(u64::MAX, |n| n * 1000)),
            _ => None,
        };
        self.all(limit).max().unwrap_or(0)
    }
}
