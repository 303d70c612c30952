//! [`Report`]: the result of a bench, for people and for programs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::terminal::{Mark, Paint, table};
use super::super::units::{bytes, latency, plain};
use super::load::Outcome;
use super::spread::Spread;

/// The result of a finished run.
pub(super) struct Report {
    pub(super) urls: Vec<String>,
    pub(super) protocol: &'static str,
    pub(super) concurrency: usize,
    pub(super) took: Duration,
    pub(super) interrupted: bool,
    pub(super) outcome: Outcome,
}

impl Report {
    fn all(&self) -> Spread {
        let mut all = Spread::default();
        self.outcome.by_cache.values().for_each(|spread| all.join(spread));
        all
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.took.as_secs_f64().max(1e-6)
    }

    pub(super) fn to_json(&self) -> Value {
        let all = self.all();
        let tenths = |rate: f64| (rate * 10.0).round() / 10.0;
        let by_cache: Map<String, Value> = self
            .outcome
            .by_cache
            .iter()
            .map(|(name, spread)| {
                let told = json!({
                    "count": spread.count(),
                    "percent": tenths(share(spread, &all)),
                    "per_second": tenths(self.per_second(spread.count())),
                    "latency_ms": spread.to_json(),
                });
                (name.clone(), told)
            })
            .collect();
        let statuses: Map<String, Value> =
            self.outcome.statuses.iter().map(|(status, count)| (status.to_string(), json!(count))).collect();
        json!({
            "ok": self.outcome.failures() == 0,
            "urls": self.urls,
            "protocol": self.protocol,
            "concurrency": self.concurrency,
            "interrupted": self.interrupted,
            "seconds": (self.took.as_secs_f64() * 1e3).round() / 1e3,
            "answers": all.count(),
            "per_second": tenths(self.per_second(all.count())),
            "bytes": self.outcome.bytes,
            "latency_ms": all.to_json(),
            "by_cache": by_cache,
            "statuses": statuses,
            "errors": self.outcome.errors,
        })
    }

    pub(super) fn to_text(&self, paint: Paint) -> String {
        let (all, took) = (self.all(), latency(self.took));
        let what = match self.urls.as_slice() {
            [url] => plain(url),
            urls => format!("{} URLs", urls.len()),
        };
        let mut text = format!("{}\n", paint.strong(&what));
        text += &format!(
            "{} answers in {took}, {:.1} a second, {} at once by {}, {} of bodies ({}/s){}\n\n",
            all.count(),
            self.per_second(all.count()),
            self.concurrency,
            self.protocol,
            bytes(self.outcome.bytes),
            bytes(self.per_second(self.outcome.bytes) as u64),
            if self.interrupted { "; INTERRUPTED" } else { "" },
        );
        let names =
            ["cache", "answers", "share", "rate"].into_iter().chain(all.figures().map(|(name, _)| name));
        let mut rows = vec![names.map(|name| paint.faint(name)).collect()];
        let by_cache = self.outcome.by_cache.iter().map(|(name, spread)| self.row(name, spread, &all));
        rows.extend(by_cache);
        if self.outcome.by_cache.len() != 1 {
            rows.push(self.row("all", &all, &all));
        }
        text += &table(&rows);
        let statuses = self.outcome.statuses.iter().map(|(status, count)| format!("{count} with {status}"));
        let statuses: Vec<String> = statuses.collect();
        text += &format!("\n{} {}\n", paint.faint("statuses"), or_none(&statuses));
        let errors: Vec<String> =
            self.outcome.errors.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let mark = if errors.is_empty() { Mark::Good } else { Mark::Failure };
        text += &format!("{}   {}\n", paint.faint("errors"), paint.mark(mark, &or_none(&errors)));
        text
    }

    fn row(&self, name: &str, spread: &Spread, all: &Spread) -> Vec<String> {
        let rate = format!("{:.1}/s", self.per_second(spread.count()));
        let first =
            [name.to_owned(), spread.count().to_string(), format!("{:.1} %", share(spread, all)), rate];
        first.into_iter().chain(spread.figures().map(|(_, time)| latency(time))).collect()
    }
}

fn or_none(parts: &[String]) -> String {
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn share(part: &Spread, all: &Spread) -> f64 {
    part.count() as f64 * 100.0 / all.count().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::load::Answer;
    use super::*;

    #[test]
    fn a_report_tells_each_cache_status() {
        let mut outcome = Outcome::default();
        for (cache, ms, status) in [("HIT", 1, 200), ("HIT", 1, 200), ("HIT", 1, 200), ("MISS", 400, 503)] {
            outcome.add(Ok(Answer { status, cache: cache.into(), bytes: 512 }), Duration::from_millis(ms));
        }
        let report = Report {
            urls: vec!["http://a/".into()],
            protocol: "HTTP/1.1",
            concurrency: 2,
            took: Duration::from_secs(2),
            interrupted: false,
            outcome,
        };
        let told = report.to_json();
        assert_eq!(
            (&told["ok"], &told["answers"], &told["per_second"]),
            (&json!(false), &json!(4), &json!(2.0))
        );
        assert_eq!(told["by_cache"]["HIT"]["percent"], 75.0);
        assert_eq!(told["by_cache"]["MISS"]["latency_ms"]["max"], 400.0);
        assert_eq!(told["errors"], json!({ "status 503": 1 }));
        let expected = "\
http://a/
4 answers in 2.0 s, 2.0 a second, 2 at once by HTTP/1.1, 2.0 KiB of bodies (1.0 KiB/s)

cache  answers  share    rate   min      mean     median   p90      p95      p99      max
HIT    3        75.0 %   1.5/s  1.00 ms  1.00 ms  1.00 ms  1.00 ms  1.00 ms  1.00 ms  1.00 ms
MISS   1        25.0 %   0.5/s  400 ms   400 ms   400 ms   400 ms   400 ms   400 ms   400 ms
all    4        100.0 %  2.0/s  1.00 ms  101 ms   1.00 ms  400 ms   400 ms   400 ms   400 ms

statuses 3 with 200, 1 with 503
errors   1 status 503
";
        assert_eq!(report.to_text(Paint::none()), expected);
    }
}
