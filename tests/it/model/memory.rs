//! What a walk learns from its answers: what clients have to ask about, and what must be in the store.

use std::sync::Arc;

use super::client::Answered;
use super::oracle::{DISCONNECTED, Exchange, Provenance, ensure};
use super::origin::Kind;
use super::said::Said;
use super::walk::Run;

/// How long a key may be remembered as one whose answers are not for sharing.
const PASSING: u64 = 120;

/// A response that the cache said it stored, and that nothing has touched since.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) id: usize,
    /// When its freshness ends, in milliseconds.
    pub(super) until: u64,
    pub(super) no_cache: bool,
    pub(super) never_stale: bool,
    pub(super) if_error: Option<u64>,
}

impl Run<'_> {
    pub(super) fn judge(
        &mut self,
        answered: &Answered,
        step: usize,
        alone: bool,
        known: Option<Known>,
    ) -> Result<(), String> {
        let Answered { request, answer, ended, to } = answered;
        let world = Arc::clone(&self.world);
        let state = world.lock();
        let exchange = Exchange {
            ask: &request.ask,
            tags: &request.tags,
            since: request.since,
            if_range: request.if_range.as_deref(),
            answer,
            sent: &state.answers,
            alone,
            step,
            began: request.began,
            ended: *ended,
            from: request.from,
            to: *to,
            bound: request.bound,
            latest: request.latest,
        };
        let judged = exchange.judge().and_then(|(said, from)| {
            if let Some(known) = known {
                keeps_what_it_has(&exchange, &said, from.as_ref(), known)?;
            }
            Ok((said, from))
        });
        let (said, from) = judged
            .map_err(|why| format!("{why}\n{:?} {:?}\ngot {answer:#?}", request.ask, request.fields))?;
        self.learn(&exchange, &said, from.as_ref());
        Ok(())
    }

    /// Remembers what a client may ask about later, and what must be there now.
    fn learn(&mut self, exchange: &Exchange<'_>, said: &Said<'_>, from: Option<&Provenance<'_>>) {
        let Exchange { ask, answer, .. } = exchange;
        let mut seen = |what: String| *self.seen.entry(what).or_default() += 1;
        seen(said.verdict.to_owned());
        seen(answer.status.to_string());
        if said.verdict == "STALE" {
            let forward = if said.status.forward.is_some() { "forwarded " } else { "" };
            seen(format!("STALE {forward}{}", said.status.detail.unwrap_or_default()));
        }
        if answer.status == 304 {
            seen(format!("304 {}", said.verdict));
        }
        if said.status.collapsed {
            seen(format!("collapsed {}", said.verdict));
        }
        if answer.broken.is_some() {
            seen("broken off".to_owned());
        }
        if ask.head {
            seen(format!("HEAD {}", said.verdict));
        }
        if exchange.sent.len() > exchange.step {
            // Something may have changed in the store.
            self.known.retain(|(of, _), _| *of != ask.key);
        }
        // What one request forbids to store supersedes nothing for the others.
        let whole = |from: &&Provenance<'_>| {
            matches!(from.head.kind, Kind::Whole(200)) && !from.head.no_store && !from.head.authorised
        };
        let alone = exchange.alone;
        if let Some(from) = from.filter(whole).filter(|_| alone && said.verdict == "MISS") {
            self.latest.insert((ask.key, ask.variant), from.id);
        }
        let stored = said.status.stored;
        if said.verdict == "MISS" && !stored {
            self.passing[ask.key] = Some(exchange.to);
        }
        let Some(from) = from.filter(|_| answer.status == 200 && !ask.head && answer.broken.is_none()) else {
            return;
        };
        if let Some(tag) = answer.header("etag") {
            self.tags[ask.key].push((tag.to_owned(), from.head.body.clone()));
        }
        if answer.headers.contains_key("last-modified") {
            self.dates[ask.key].push(from.head.modified);
        }
        let passing = self.passing[ask.key].is_some_and(|at| at + PASSING >= exchange.from);
        if stored && !passing && !from.is_for_once() {
            let said = from.directives();
            let known = Known {
                id: from.id,
                until: (from.head.at * 1000 + from.lifetime).saturating_sub(from.head.age() * 1000),
                no_cache: said.no_cache,
                never_stale: said.never_stale(),
                if_error: said.if_error,
            };
            self.known.insert((ask.key, ask.variant), known);
        }
    }
}

/// A response that is stored and untouched answers while it is fresh, and when the origin fails as long as it may.
fn keeps_what_it_has(
    exchange: &Exchange<'_>,
    said: &Said<'_>,
    from: Option<&Provenance<'_>>,
    known: Known,
) -> Result<(), String> {
    let ask = exchange.ask;
    let fresh = exchange.to * 1000 < known.until;
    if ask.directives.is_empty() && fresh && !known.no_cache {
        ensure!(said.verdict == "HIT", "stored and fresh, yet {}", said.verdict);
        ensure!(
            from.is_none_or(|from| from.id == known.id),
            "answer {} is stored, and another one came",
            known.id
        );
    }
    let tried = &exchange.sent[exchange.began..exchange.ended];
    let Some(last) = tried.last().filter(|_| !ask.head && ask.range.is_none()) else { return Ok(()) };
    let window = match last.kind {
        Kind::Whole(500 | 502 | 503 | 504) => known.if_error.unwrap_or(0),
        Kind::Short | Kind::Nothing => known.if_error.unwrap_or(DISCONNECTED),
        _ => return Ok(()),
    };
    let inside = !known.never_stale && exchange.to * 1000 < known.until + window * 1000;
    // Of a body that broke off too late the head is already sent.
    let unseen = exchange.answer.broken.is_none() && exchange.answer.status != 304;
    let covered = !known.no_cache && (fresh || inside) && unseen;
    ensure!(
        !covered || said.verdict == "STALE",
        "answer {} covers this failure, yet {}",
        known.id,
        said.verdict
    );
    Ok(())
}
