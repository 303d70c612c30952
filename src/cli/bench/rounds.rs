//! Tests a cache: sends the same request again and again, and compares the first response with
//! later hits.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::terminal::{Mark, Paint, table};
use super::super::units::{bytes, latency, plain};
use super::load::{Answer, Load};

type Round = (Result<Answer, &'static str>, Duration);

/// The report for programs, the report for people, and the number of failed requests.
pub(super) async fn run(load: &Load, iterations: u16, paint: Paint) -> (Value, String, u64) {
    let (mut told, mut text, mut failures) = (Vec::new(), String::new(), 0);
    for url in &load.urls {
        let mut rounds: Vec<Round> = Vec::new();
        for _ in 0..iterations {
            rounds.push(load.once(url).await);
        }
        failures += rounds.iter().filter(|(exchange, _)| !is_good(exchange)).count() as u64;
        let lines = (1..).zip(&rounds).map(|(number, (exchange, took))| answer_json(number, exchange, *took));
        told.push(json!({
            "url": url.to_string(),
            "iterations": lines.collect::<Vec<_>>(),
            "times_faster": speedup(&rounds).map(|times| (times * 10.0).round() / 10.0),
        }));
        text += &to_text(&url.to_string(), &rounds, paint);
    }
    (json!({ "ok": failures == 0, "urls": told }), text, failures)
}

fn is_good(exchange: &Result<Answer, &'static str>) -> bool {
    exchange.as_ref().is_ok_and(|answer| answer.status < 400)
}

/// The ratio of the first response's duration to that of the median hit, if the first response was
/// no hit.
fn speedup(rounds: &[Round]) -> Option<f64> {
    let is_hit = |(exchange, _): &&Round| exchange.as_ref().is_ok_and(|answer| answer.cache == "HIT");
    let first = rounds.first().filter(|round| !is_hit(round) && is_good(&round.0))?.1;
    let mut hits: Vec<Duration> = rounds.iter().filter(is_hit).map(|(_, took)| *took).collect();
    hits.sort_unstable();
    let median = hits.get(hits.len() / 2)?;
    Some(first.as_secs_f64() / median.as_secs_f64().max(1e-6))
}

fn to_text(url: &str, rounds: &[Round], paint: Paint) -> String {
    let rows = (1..).zip(rounds).map(|(number, (exchange, took)): (u32, _)| {
        let mut row = vec![paint.faint(&number.to_string())];
        match exchange {
            Ok(answer) => row.extend([
                answer.cache.clone(),
                answer.status.to_string(),
                latency(*took),
                bytes(answer.bytes),
            ]),
            Err(kind) => row.extend([paint.mark(Mark::Failure, kind), String::new(), latency(*took)]),
        }
        row
    });
    let mut text = format!("{}\n{}", paint.strong(&plain(url)), table(&rows.collect::<Vec<_>>()));
    if let Some(times) = speedup(rounds) {
        text += &format!("hits are {times:.1} times as fast as the first answer\n");
    }
    text
}

/// One response as JSON.
fn answer_json(number: u16, exchange: &Result<Answer, &'static str>, took: Duration) -> Value {
    let ms = (took.as_secs_f64() * 1e6).round() / 1e3;
    match exchange {
        Ok(answer) => json!({
            "iteration": number, "status": answer.status, "cache": answer.cache, "ms": ms, "bytes": answer.bytes,
        }),
        Err(kind) => json!({ "iteration": number, "error": kind, "ms": ms }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(cache: &str, status: u16, ms: u64) -> Round {
        (Ok(Answer { status, cache: cache.into(), bytes: 1 }), Duration::from_millis(ms))
    }

    #[test]
    fn hits_are_compared_with_a_first_answer_that_is_none() {
        let miss = || round("MISS", 200, 900);
        for (rounds, expected) in [
            (vec![miss(), round("HIT", 200, 3), round("HIT", 200, 9)], Some(100.0)),
            (vec![miss(), round("HIT", 200, 3)], Some(300.0)),
            (vec![round("HIT", 200, 3), round("HIT", 200, 3)], None),
            (vec![miss(), miss()], None),
            (vec![round("ERROR", 503, 9), round("HIT", 200, 3)], None),
            (vec![(Err("answer broke off"), Duration::ZERO), round("HIT", 200, 3)], None),
            (vec![], None),
        ] {
            assert_eq!(speedup(&rounds).map(f64::round), expected, "{rounds:?}");
        }
    }
}
