//! Figures with a verdict, and in the forms in which other caches gave them.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The answer to `GET /cache/stats`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CacheStats {
    enabled: bool,
    /// Bytes in the memory tier.
    size: u64,
    /// Its bound in bytes.
    max_size: u64,
    /// Seconds for which a picture of the built-in engine is fresh, where there is one.
    ttl: Option<u64>,
    hits: u64,
    misses: u64,
    hit_rate: f64,
    /// Seconds.
    cleanup_interval: u64,
}

/// The answer to `GET /health`.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Health {
    #[schema(inline)]
    status: HealthStatus,
    #[schema(inline)]
    services: Services,
    #[schema(inline)]
    system: System,
    version: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum HealthStatus {
    Ok,
    Degraded,
    Error,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct Services {
    screenshot: &'static str,
    storage: &'static str,
    /// Sizes and formats are made in this process.
    imgproxy: Option<&'static str>,
    #[schema(inline)]
    cache: CacheHealth,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
struct CacheHealth {
    status: &'static str,
    enabled: bool,
    size: u64,
    hit_rate: f64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct System {
    /// Always null: there is no Python here.
    python: Option<String>,
    platform: String,
}

/// What the verdicts and the other forms are made of. Counts are since start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Fresh hits from memory.
    pub memory: u64,
    /// Fresh hits from disk.
    pub disk: u64,
    /// Answered by the origin.
    pub misses: u64,
    /// Answered by what the origin confirmed.
    pub revalidated: u64,
    /// Answered stale: while it was validated, or as the client allowed.
    pub stale: u64,
    /// Answered stale because the origin failed.
    pub stale_on_error: u64,
    /// Bytes in the memory tier.
    pub memory_bytes: u64,
    /// Its bound in bytes.
    pub memory_capacity: u64,
    /// Records in it.
    pub memory_records: u64,
    /// Bound of the disk tier in bytes; 0 without one.
    pub disk_capacity: u64,
    /// Whether the disk tier takes writes.
    pub disk_healthy: bool,
    /// How long a picture of the built-in engine is fresh, where there is one.
    pub ttl: Option<Duration>,
}

/// How often the other form says that it cleans up, in seconds; what is stale leaves this store when its room is needed.
const CLEANUP_INTERVAL: u64 = 300;

impl Figures {
    /// Answers that needed no new response from the origin.
    fn hits(&self) -> u64 {
        self.memory + self.disk + self.revalidated
    }

    fn all_stale(&self) -> u64 {
        self.stale + self.stale_on_error
    }

    fn cacheable(&self) -> u64 {
        self.hits() + self.all_stale() + self.misses
    }

    /// Share of the cacheable requests that needed no new response, in percent.
    fn hit_percent(&self) -> Option<f64> {
        percent(self.hits() + self.all_stale(), self.cacheable())
    }

    /// The verdicts, each with a traffic light.
    pub fn verdicts(&self) -> Value {
        let (hit, stale) = (self.hit_percent(), percent(self.all_stale(), self.cacheable()));
        json!({
            "hit_rate": { "percent": hit.map(tenths), "light": hit_light(hit), "verdict": hit_verdict(hit) },
            "stale_served": { "percent": stale.map(tenths), "light": stale_light(stale), "verdict": stale_verdict(stale) },
            "size": {
                "percent": percent(self.memory_bytes, self.memory_capacity).map(tenths),
                "light": if self.memory_bytes <= self.memory_capacity { "green" } else { "red" },
                "verdict": "bounded by store.memory and store.disk: what is used least makes room",
            },
        })
    }

    /// As `cache_stats()` of a client with a memory and a file cache.
    pub fn cache_stats(&self) -> Value {
        let total = self.memory + self.disk + self.misses;
        json!({
            "hits": { "memory": self.memory, "file": self.disk, "api": self.misses },
            "total_requests": total,
            "api_savings_percent": tenths(percent(self.memory + self.disk, total).unwrap_or_default()),
            "memory_cache": {
                "size": self.memory_records,
                "live_entries": self.memory_records,
                "ttl_seconds": self.ttl.map(|ttl| ttl.as_secs()),
            },
        })
    }

    /// As a cache that serves stale on errors has its metrics.
    pub fn metrics(&self) -> Value {
        json!({
            "hits": self.hits(),
            "misses": self.misses,
            "stale_served": self.all_stale(),
            "errors_with_stale_fallback": self.stale_on_error,
            "hit_rate": format!("{:.1}%", self.hit_percent().unwrap_or_default()),
        })
    }

    /// The answer to `GET /health`, and whether anything can be answered: the parts are those that must work for that.
    pub fn health(&self, parts: &[(String, bool)]) -> (bool, Health) {
        let word = |works| if works { "ok" } else { "error" };
        let ready = parts.iter().filter(|(_, works)| *works).count();
        let storage = self.disk_capacity == 0 || self.disk_healthy;
        let status = match (ready == parts.len(), storage) {
            _ if ready == 0 => HealthStatus::Error,
            (true, true) => HealthStatus::Ok,
            _ => HealthStatus::Degraded,
        };
        let CacheStats { enabled, size, hit_rate, .. } = self.of_cache();
        let health = Health {
            status,
            services: Services {
                screenshot: word(ready == parts.len()),
                storage: word(storage),
                imgproxy: Some("ok"),
                cache: CacheHealth { status: "ok", enabled, size, hit_rate },
            },
            system: System {
                python: None,
                platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            },
            version: env!("CARGO_PKG_VERSION"),
        };
        (ready > 0, health)
    }

    /// The answer to `GET /cache/stats`.
    pub fn of_cache(&self) -> CacheStats {
        let (hits, total) = (self.hits() + self.all_stale(), self.cacheable());
        CacheStats {
            enabled: true,
            size: self.memory_bytes,
            max_size: self.memory_capacity,
            ttl: self.ttl.map(|ttl| ttl.as_secs()),
            hits,
            misses: self.misses,
            hit_rate: if total == 0 { 0.0 } else { hits as f64 / total as f64 },
            cleanup_interval: CLEANUP_INTERVAL,
        }
    }
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

fn tenths(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

fn hit_light(percent: Option<f64>) -> &'static str {
    match percent {
        None => "none",
        Some(percent) if percent > 60.0 => "green",
        Some(percent) if percent >= 30.0 => "yellow",
        Some(_) => "red",
    }
}

fn hit_verdict(percent: Option<f64>) -> &'static str {
    match percent {
        None => "no traffic yet",
        Some(percent) if percent > 80.0 => {
            "higher than 60-80 %: pictures may be stale; look whether lifetimes are too long"
        }
        Some(percent) if percent >= 60.0 => "healthy: 60-80 %",
        Some(_) => "lower than 60-80 %: lifetimes are short, or URLs differ where pictures do not",
    }
}

fn stale_light(percent: Option<f64>) -> &'static str {
    match percent {
        None => "none",
        Some(percent) if percent < 5.0 => "green",
        Some(percent) if percent <= 15.0 => "yellow",
        Some(_) => "red",
    }
}

fn stale_verdict(percent: Option<f64>) -> &'static str {
    match percent {
        None => "no traffic yet",
        Some(percent) if percent < 5.0 => "healthy: below 5 %",
        Some(percent) if percent <= 15.0 => "5-15 %: origins are slow or fail now and then",
        Some(_) => "above 15 %: origins fail, or lifetimes are too short for them",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdict_table() {
        for (hits, misses, light, word) in [
            (0, 0, "none", "no traffic"),
            (29, 71, "red", "lower"),
            (30, 70, "yellow", "lower"),
            (599, 401, "yellow", "lower"),
            (60, 40, "yellow", "healthy"),
            (61, 39, "green", "healthy"),
            (80, 20, "green", "healthy"),
            (81, 19, "green", "higher"),
        ] {
            let verdicts = Figures { memory: hits, misses, ..Figures::default() }.verdicts();
            let hit_rate = &verdicts["hit_rate"];
            assert_eq!(hit_rate["light"], light, "{hits} {misses}");
            assert!(hit_rate["verdict"].as_str().is_some_and(|verdict| verdict.starts_with(word)), "{hits}");
        }
        for (stale, light) in [(4, "green"), (5, "yellow"), (15, "yellow"), (16, "red")] {
            let figures = Figures { memory: 100 - stale, stale_on_error: stale, ..Figures::default() };
            assert_eq!(figures.verdicts()["stale_served"]["light"], light, "{stale}");
        }
    }

    #[test]
    fn health_table() {
        let part = |works| ("upstream".to_owned(), works);
        let memory = Figures::default();
        let dead_disk = Figures { disk_capacity: 1, ..memory };
        for (figures, parts, up, status) in [
            (memory, vec![part(true)], true, "ok"),
            (Figures { disk_healthy: true, ..dead_disk }, vec![part(true)], true, "ok"),
            (dead_disk, vec![part(true)], true, "degraded"),
            (memory, vec![part(true), part(false)], true, "degraded"),
            (memory, vec![part(false)], false, "error"),
        ] {
            let (works, health) = figures.health(&parts);
            let health = json!(health);
            assert_eq!((works, &health["status"]), (up, &json!(status)), "{parts:?}");
        }
    }

    #[test]
    fn the_forms_of_others_have_their_fields() {
        let figures = Figures {
            memory: 1,
            disk: 0,
            misses: 2,
            memory_records: 2,
            memory_bytes: 10,
            memory_capacity: 100,
            ttl: Some(Duration::from_secs(900)),
            ..Figures::default()
        };
        assert_eq!(
            figures.cache_stats(),
            json!({
                "hits": { "memory": 1, "file": 0, "api": 2 }, "total_requests": 3, "api_savings_percent": 33.3,
                "memory_cache": { "size": 2, "live_entries": 2, "ttl_seconds": 900 },
            })
        );
        assert_eq!(
            figures.metrics(),
            json!({
                "hits": 1, "misses": 2, "stale_served": 0, "errors_with_stale_fallback": 0, "hit_rate": "33.3%",
            })
        );
        let of_cache = json!(figures.of_cache());
        let names: Vec<&String> = of_cache.as_object().expect("an object").keys().collect();
        let expected =
            ["cleanup_interval", "enabled", "hit_rate", "hits", "max_size", "misses", "size", "ttl"];
        assert_eq!(names, expected);
        assert_eq!((&of_cache["cleanup_interval"], &of_cache["ttl"]), (&300.into(), &900.into()));
    }
}
