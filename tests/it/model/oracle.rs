//! Judges what a client got by what the origin ever said, in the simplest terms: not by the rules as `src/policy` has them, but by
//! the most generous age, window and audience that they leave.

use super::fields::{Fields, Lifetime, Secret};
use super::origin::{Kind, Sent, seconds};
use super::parts;
use super::said::Said;
use super::step::{Ask, Condition, RANGES, VARIANTS};
use crate::support::*;

/// How long a stale response may be served while no answer comes, where the origin does not say: the default of a route.
pub(super) const DISCONNECTED: u64 = 86_400;
/// How long a failure may be remembered.
const REMEMBERED: u64 = 600;

/// What a client asked and got, and what the origin had answered by then.
pub(super) struct Exchange<'a> {
    pub(super) ask: &'a Ask,
    /// Tags in `If-None-Match` with the body that each was seen with.
    pub(super) tags: &'a [(String, String)],
    pub(super) since: Option<u64>,
    /// `If-Range`
    pub(super) if_range: Option<&'a str>,
    pub(super) answer: &'a Answer,
    /// All that the origin ever answered.
    pub(super) sent: &'a [Sent],
    /// Whether no other client asked at the same time.
    pub(super) alone: bool,
    /// How many of these there were when the step began, and when the request began and ended.
    pub(super) step: usize,
    pub(super) began: usize,
    pub(super) ended: usize,
    /// The time when the request began and when it ended.
    pub(super) from: u64,
    pub(super) to: u64,
    /// Answers before this one were purged or invalidated before the request began.
    pub(super) bound: usize,
    /// Answers before this one were superseded for this target and variant: a client has got this one.
    pub(super) latest: usize,
}

/// From which of the origin's answers a served one comes.
pub(super) struct Provenance<'a> {
    /// The last one that made its head.
    pub(super) id: usize,
    pub(super) head: &'a Sent,
    /// The one that brought the body; not known of a 304.
    base: Option<(usize, &'a Sent)>,
    /// The directives in force.
    directives: Fields,
    /// Its freshness lifetime in milliseconds.
    pub(super) lifetime: u64,
    /// The answer to a later HEAD spoke of another representation: from then on it counts as stale (RFC 9111 section 4.3.5).
    contradicted: bool,
}

macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}
pub(super) use ensure;

impl Provenance<'_> {
    /// The directives in force.
    pub(super) fn directives(&self) -> &Fields {
        &self.directives
    }

    /// Whether the head is such that nobody but who asked may have it.
    pub(super) fn is_for_once(&self) -> bool {
        let unshared = self.head.authorised && !self.directives.shareable();
        !self.directives.storable() || unshared || self.head.no_store
    }
}

impl<'a> Exchange<'a> {
    /// Judges the answer; gives where it comes from, unless it is the cache's own.
    pub(super) fn judge(&self) -> Result<(Said<'a>, Option<Provenance<'a>>), String> {
        let said = Said::of(self.answer)?;
        self.is_no_storm(&said)?;
        if said.verdict == "ERROR" {
            self.error(&said)?;
            return Ok((said, None));
        }
        ensure!(!self.ask.only_if_cached() || !said.is_own(), "only-if-cached, yet the origin was asked");
        if self.answer.status == 416 {
            parts::unsatisfiable(self)?;
            return Ok((said, None));
        }
        let from = self.provenance()?;
        self.audience(&said, &from)?;
        self.time(&said, &from)?;
        match self.answer.status {
            304 => self.not_modified(&from)?,
            206 => parts::partial(self, &from.head.body)?,
            _ => self.whole(&from)?,
        }
        Ok((said, Some(from)))
    }

    /// One client's request is worth a fetch, one more where a 304 spoke of something else, and each once more over a new
    /// connection; a fresh response is worth none.
    fn is_no_storm(&self, said: &Said<'_>) -> Result<(), String> {
        let most = if self.alone { 4 } else { 8 };
        ensure!(self.ended - self.step <= most, "{} requests at the origin", self.ended - self.step);
        ensure!(
            said.verdict != "HIT" || !self.alone || self.ended == self.began,
            "a hit, yet the origin was asked"
        );
        Ok(())
    }

    fn error(&self, said: &Said<'_>) -> Result<(), String> {
        let status = self.answer.status;
        if said.status.detail == Some("only-if-cached") {
            ensure!(status == 504 && self.ask.only_if_cached(), "only-if-cached, says an answer");
            return Ok(());
        }
        let failed =
            self.sent[self.step..self.ended].iter().any(|sent| sent.key == self.ask.key && sent.failed());
        ensure!(matches!(status, 502 | 504) && failed, "an error without a failure at the origin");
        Ok(())
    }

    /// Finds the origin's answers behind this one, which must fit each other.
    pub(super) fn provenance(&self) -> Result<Provenance<'a>, String> {
        let id = self.number("content-location", "answer=")?.ok_or("an answer without origin")?;
        let head = &self.sent[id];
        ensure!(head.key == self.ask.key, "the answer {id} is another target's");
        let base = match self.number("x-base", "")? {
            Some(base) => Some((base, &self.sent[base])),
            None if head.kind != Kind::NotModified => Some((id, head)),
            None => None,
        };
        if let Some((base, first)) = base {
            let updated = head.kind == Kind::NotModified || head.method == "HEAD";
            // What a 304 confirms may have been fetched anew for another variant before it came: the same, by its tag.
            let varies = first.fields.vary || head.fields.vary;
            let for_another = varies && first.variant != head.variant;
            let asks = VARIANTS[self.ask.variant];
            let overtaken =
                base > id && head.kind == Kind::NotModified && for_another && head.variant.as_deref() == asks;
            let fit = base == id || (base < id && updated) || overtaken;
            ensure!(fit, "head of answer {id}, body of answer {base}");
            let same = first.key == head.key && first.version == head.version;
            ensure!(same, "the 304 in answer {id} was not about the body of answer {base}");
        }
        let directives = match self.number("cache-control", "x-id=")? {
            Some(said) => {
                let between = match base {
                    Some((base, _)) if base > id => [id, base].contains(&said),
                    Some((base, _)) => (base..=id).contains(&said),
                    None => said <= id,
                };
                ensure!(between, "directives of answer {said} with the head of answer {id}");
                ensure!(!head.says_directives() || said == id, "older directives than answer {id} gave");
                self.sent[said].fields
            }
            None => {
                ensure!(!head.says_directives(), "the directives of answer {id} are gone");
                Fields::default()
            }
        };
        let lifetime = self.lifetime(head, base, &directives)?;
        // The stored response says whether it has variants, not what came later.
        let varies = head.fields.vary || base.is_none_or(|(_, base)| base.fields.vary);
        let asks = VARIANTS[self.ask.variant];
        let contradicted = self.sent[id + 1..self.ended].iter().any(|later| {
            let spoke = later.key == head.key && later.method == "HEAD" && later.kind == Kind::Whole(200);
            let of_this = later.variant.as_deref() == asks || !varies;
            spoke && of_this && later.version != head.version
        });
        Ok(Provenance { id, head, base, directives, lifetime, contradicted })
    }

    fn number(&self, field: &str, before: &str) -> Result<Option<usize>, String> {
        let Some(value) = self.answer.header(field) else { return Ok(None) };
        let Some((_, number)) = value.split_once(before) else { return Ok(None) };
        let number = number.split(',').next().unwrap_or_default();
        let number = number.parse().map_err(|_| format!("{field}: {value}"))?;
        ensure!(number < self.sent.len(), "{field}: {value}");
        Ok(Some(number))
    }

    fn lifetime(
        &self,
        head: &Sent,
        base: Option<(usize, &Sent)>,
        directives: &Fields,
    ) -> Result<u64, String> {
        if let Some(shared) = directives.shared_lifetime() {
            return Ok(shared * 1000);
        }
        if let Lifetime::MaxAge(all) = directives.lifetime {
            return Ok(all * 1000);
        }
        if let Some(expires) = self.answer.header("expires") {
            let expires = seconds(expires);
            let given = |sent: &Sent| sent.key == self.ask.key && sent.expires == expires;
            ensure!(self.sent.iter().any(given), "the origin never gave this Expires");
            return Ok(expires.unwrap_or(0).saturating_sub(head.at) * 1000);
        }
        let dated = head.fields.modified || base.is_none_or(|(_, base)| base.fields.modified);
        // A tenth of the time since the last modification.
        Ok(if dated { (head.at - head.modified) * 100 } else { 0 })
    }

    /// Who may get it at all.
    fn audience(&self, said: &Said<'_>, from: &Provenance<'_>) -> Result<(), String> {
        let variant = VARIANTS[self.ask.variant];
        let is_for = |sent: &Sent| sent.variant.as_deref() == variant;
        let varies = |sent: &Sent| sent.fields.vary;
        match from.base {
            Some((_, base)) if varies(base) || varies(from.head) => {
                ensure!(is_for(base) || is_for(from.head), "another variant: {variant:?}");
            }
            // Of a 304 only the representation is known: 0 is that of all, 2 that of `b`.
            None => {
                let right = if self.ask.variant == 2 { 2 } else { 1 };
                let which = from.head.version.map_or(0, |(which, _)| which);
                ensure!(which == 0 || which == right, "a 304 for another variant than {variant:?}");
            }
            Some(_) => {}
        }
        if said.is_own() {
            ensure!(from.id >= self.began, "said to be the origin's, yet answer {} is older", from.id);
        }
        if !said.is_from_store() {
            return Ok(());
        }
        let revalidated = said.verdict == "REVALIDATED" && said.is_own();
        ensure!(revalidated || from.directives.storable(), "not for storing: answer {}", from.id);
        ensure!(
            revalidated || !from.head.authorised || from.directives.shareable(),
            "given to another with credentials: answer {}",
            from.id
        );
        ensure!(revalidated || !from.head.no_store, "the client of answer {} said no-store", from.id);
        ensure!(from.id >= self.bound, "answer {} was purged or invalidated", from.id);
        ensure!(from.id >= self.latest, "answer {} was superseded by answer {}", from.id, self.latest);
        if let Some((id, base)) = from.base {
            ensure!(said.verdict == "MISS" || !base.failed(), "answer {id} never came whole");
            let said = base.says_directives();
            ensure!(!said || base.fields.storable(), "not for storing: answer {id}");
            ensure!(
                !base.authorised || (said && base.fields.shareable()),
                "given with credentials: answer {id}"
            );
            ensure!(!base.no_store, "the client of answer {id} said no-store");
            ensure!(id >= self.bound, "answer {id} was purged or invalidated");
        }
        let secret = match from.directives.secret {
            Secret::No => false,
            Secret::Private => true,
            // Where nothing may be used unvalidated, the field may come along.
            Secret::NoCache => !from.directives.no_cache,
        };
        let told = self.answer.headers.contains_key("x-secret");
        ensure!(revalidated || !secret || !told, "X-Secret from the store");
        Ok(())
    }

    /// How old it may be.
    fn time(&self, said: &Said<'_>, from: &Provenance<'_>) -> Result<(), String> {
        let ask = self.ask;
        let of = |now: u64| now.saturating_sub(from.head.at) + from.head.age();
        let age = of(self.from) * 1000;
        let mut lifetime = from.lifetime;
        if said.is_from_store() {
            let told: u64 = self.answer.header("age").and_then(|age| age.parse().ok()).unwrap_or(0);
            ensure!(of(self.from) <= told && told <= of(self.to), "Age: {told}, not {}", of(self.from));
            ensure!(
                self.answer.header("x-cache-age") == Some(told.to_string().as_str()),
                "Age and X-Cache-Age differ"
            );
            let left = |lifetime: u64| Some((lifetime / 1000) as i64 - told as i64);
            if from.contradicted && said.status.ttl == left(0) {
                lifetime = 0;
            }
            let right = from.base.is_none() || said.status.ttl == left(lifetime);
            ensure!(right, "ttl={:?}, not {:?}", said.status.ttl, left(lifetime));
        }
        let (rest, stale) = (lifetime.saturating_sub(age), age.saturating_sub(lifetime));
        let reusable = !from.directives.no_cache;
        match said.verdict {
            "HIT" => {
                ensure!(reusable, "no-cache, yet a hit");
                ensure!(rest > 0, "a hit, {} s old, fresh for {lifetime} ms", age / 1000);
                ensure!(ask.takes(age, rest), "fresh, but not as the request wants it");
            }
            "STALE" => {
                ensure!(reusable, "no-cache, yet unvalidated");
                let fresh = rest > 0;
                let window = match said.status.detail {
                    Some("max-stale") => {
                        ensure!(
                            ask.takes(age, rest.max(ask.takes_stale())),
                            "stale, as the request wants it not"
                        );
                        ensure!(stale <= ask.takes_stale(), "{stale} ms stale, and max-stale is less");
                        u64::MAX
                    }
                    Some("stale-while-revalidate") => {
                        ensure!(ask.takes(age, rest), "stale while revalidated, as the request wants it not");
                        from.directives.while_revalidate.unwrap_or(0) * 1000
                    }
                    _ => self.window_of_failure(said, from)? * 1000,
                };
                ensure!(fresh || !from.directives.never_stale(), "stale, and that is forbidden");
                ensure!(fresh || stale < window, "{stale} ms stale, allowed are {window}");
            }
            _ => {}
        }
        Ok(())
    }

    /// For how many seconds a stale response may stand in for a failure, of which there must be one.
    fn window_of_failure(&self, said: &Said<'_>, from: &Provenance<'_>) -> Result<u64, String> {
        let given = from.directives.if_error;
        let of_key = |sent: &&Sent| sent.key == self.ask.key;
        let is_error = |sent: &Sent| matches!(sent.kind, Kind::Whole(500 | 502 | 503 | 504));
        let now = self.sent[self.step..self.ended].iter().filter(of_key);
        if let Some(status) = said.status.forward_status {
            let status = status.parse().map(Kind::Whole);
            let mut now = now;
            ensure!(
                now.any(|sent| is_error(sent) && Ok(sent.kind) == status),
                "covers an error that was none"
            );
            return Ok(given.unwrap_or(0));
        }
        if said.status.forward.is_some() {
            let mut now = now;
            ensure!(now.any(Sent::failed), "covers a failure that was none");
            return Ok(given.unwrap_or(DISCONNECTED));
        }
        // The failure is remembered.
        let all = self.sent[..self.ended].iter().filter(of_key).filter(|s| s.at + REMEMBERED >= self.from);
        let (mut answered, mut silent) = (false, false);
        for sent in all {
            answered |= is_error(sent);
            silent |= sent.failed();
        }
        ensure!(answered || silent, "covers a failure that was none");
        Ok(given.unwrap_or(if silent { DISCONNECTED } else { 0 }))
    }

    /// A 304 must be true: the client has the very body that it stands for.
    fn not_modified(&self, from: &Provenance<'_>) -> Result<(), String> {
        ensure!(self.answer.body.is_empty(), "a 304 with a body");
        let known = matches!(from.head.kind, Kind::Whole(200) | Kind::Short | Kind::NotModified);
        ensure!(known && from.head.version.is_some(), "a 304 in place of {:?}", from.head.kind);
        if matches!(self.ask.condition, Condition::AnyTag) {
            return Ok(());
        }
        if !self.tags.is_empty() {
            let bare = |tag: &str| tag.trim_start_matches("W/").to_owned();
            let told = self.answer.header("etag").map(bare).ok_or("a 304 without ETag")?;
            let mut tags = self.tags.iter();
            let true_one = tags.any(|(tag, body)| bare(tag) == told && *body == from.head.body);
            ensure!(true_one, "a 304 for another tag or body than the client has: {told}");
            return Ok(());
        }
        let since = self.since.ok_or("a 304 that nobody asked for")?;
        ensure!(from.head.modified <= since, "a 304, yet it was modified later");
        Ok(())
    }

    fn whole(&self, from: &Provenance<'_>) -> Result<(), String> {
        let base = from.base.map_or(from.head, |(_, base)| base);
        let broken = self.answer.broken.is_some();
        let status = match base.kind {
            Kind::Whole(status) => status,
            Kind::Short => 200,
            other => return Err(format!("{} out of {other:?}", self.answer.status)),
        };
        ensure!(self.answer.status == status, "{} out of {:?}", self.answer.status, base.kind);
        if self.ask.head {
            ensure!(self.answer.body.is_empty(), "HEAD with a body");
            let length = self.answer.header("content-length");
            let right = length.is_none_or(|length| *length == base.body.len().to_string());
            ensure!(right, "HEAD with Content-Length: {length:?}");
            return Ok(());
        }
        ensure!(broken == (base.kind == Kind::Short), "broken off: {broken}, at the origin: {:?}", base.kind);
        let right =
            if broken { base.body.starts_with(&self.answer.text()) } else { base.body == self.answer.text() };
        ensure!(right, "a body that the origin never had: {:?}", self.answer.text());
        Ok(())
    }

    /// The `Range` that was asked for.
    pub(super) fn range(&self) -> Option<&'static str> {
        self.ask.range.map(|(range, _)| RANGES[range])
    }
}
