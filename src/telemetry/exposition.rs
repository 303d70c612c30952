//! Writes metrics as text: OpenMetrics 1.0, or the older text format of Prometheus.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::histogram::{BOUNDS, Spread};
use super::metric::{Kind, Metric};

/// One value of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    metric: Metric,
    /// The value of the metric's label, if it has one.
    label: Option<String>,
    value: Value,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Whole(u64),
    Real(f64),
    Spread(Box<Spread>),
}

impl Sample {
    /// A sample with an integer value.
    pub fn whole(metric: Metric, value: u64) -> Self {
        Sample { metric, label: None, value: Value::Whole(value) }
    }

    /// A sample with a value that may have a fraction.
    pub fn real(metric: Metric, value: f64) -> Self {
        Sample { metric, label: None, value: Value::Real(value) }
    }

    /// A sample with the buckets of a histogram.
    pub fn spread(metric: Metric, value: Spread) -> Self {
        Sample { metric, label: None, value: Value::Spread(Box::new(value)) }
    }

    /// The sample with this value of its label.
    pub fn of(self, label: impl Into<String>) -> Self {
        Sample { label: Some(label.into()), ..self }
    }
}

/// The text formats of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0, if the client accepts it.
    OpenMetrics,
    /// Prometheus 0.0.4, for all other clients.
    Prometheus,
}

impl Format {
    /// The format for a client with this `Accept` field.
    pub fn accepted(accept: Option<&str>) -> Self {
        let open = accept.is_some_and(|accept| {
            let offers = accept.split(',').map(|offer| offer.split(';').next().unwrap_or_default().trim());
            let refused = |offer: &str| offer.split(';').any(|part| part.trim() == "q=0");
            offers.zip(accept.split(',')).any(|(kind, offer)| {
                kind.eq_ignore_ascii_case("application/openmetrics-text") && !refused(offer)
            })
        });
        if open { Format::OpenMetrics } else { Format::Prometheus }
    }

    /// The media type of the format.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// `samples` as text, with the description of every metric, in the order of [`Metric::ALL`].
///
/// # Errors
/// Only those of writing to a string, which does not fail.
pub fn write(samples: Vec<Sample>, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Samples(samples)));
    let mut text = String::with_capacity(32 << 10);
    text::encode(&mut text, &registry)?;
    Ok(match format {
        Format::OpenMetrics => text,
        Format::Prometheus => plain(&text),
    })
}

/// Converts OpenMetrics to Prometheus 0.0.4: the description of a counter has its `_total` too, and
/// there is no end mark.
fn plain(text: &str) -> String {
    let counters: Vec<&str> = Metric::ALL
        .iter()
        .filter(|metric| metric.kind() == Kind::Counter)
        .map(|metric| metric.family())
        .collect();
    let mut plain = String::with_capacity(text.len() + 1024);
    for line in text.lines().filter(|line| *line != "# EOF") {
        let described = ["# HELP ", "# TYPE "].into_iter().find(|start| line.starts_with(start));
        match described.and_then(|start| Some((start, line[start.len()..].split_once(' ')?))) {
            Some((start, (family, rest))) if counters.contains(&family) => {
                plain.extend([start, family, "_total ", rest, "\n"]);
            }
            _ => plain.extend([line, "\n"]),
        }
    }
    plain
}

#[derive(Debug)]
struct Samples(Vec<Sample>);

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for &metric in Metric::ALL {
            let kind = match metric.kind() {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut described = encoder.encode_descriptor(metric.family(), metric.help(), None, kind)?;
            for sample in self.0.iter().filter(|sample| sample.metric == metric) {
                match (metric.labels().first(), &sample.label) {
                    (Some(name), Some(label)) => {
                        let label = [(*name, escaped(label))];
                        sample.encode(&mut described.encode_family(&label)?)?;
                    }
                    _ => sample.encode(&mut described)?,
                }
            }
        }
        Ok(())
    }
}

/// The value of a label with escapes, because the library writes it unchanged.
fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl Sample {
    fn encode(&self, encoder: &mut MetricEncoder<'_>) -> Result<(), fmt::Error> {
        match (&self.value, self.metric.kind()) {
            (Value::Whole(value), Kind::Counter) => encoder.encode_counter::<NoLabelSet, _, u64>(value, None),
            (Value::Real(value), Kind::Counter) => encoder.encode_counter::<NoLabelSet, _, u64>(value, None),
            (Value::Whole(value), _) => encoder.encode_gauge(&(*value as f64)),
            (Value::Real(value), _) => encoder.encode_gauge(value),
            (Value::Spread(spread), _) => {
                let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1e6).chain([f64::MAX]);
                let buckets: Vec<(f64, u64)> = bounds.zip(spread.buckets).collect();
                encoder.encode_histogram::<NoLabelSet>(spread.seconds, spread.count(), &buckets, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::histogram::Histogram;
    use std::time::Duration;

    fn samples() -> Vec<Sample> {
        let times = Histogram::default();
        times.observe(Duration::from_millis(2));
        vec![
            Sample::whole(Metric::Requests, 3).of("hit_memory"),
            Sample::real(Metric::SavedBrowser, 1.5),
            Sample::whole(Metric::MemoryBytes, 7),
            Sample::spread(Metric::FetchTime, times.spread()).of("a\"b"),
        ]
    }

    #[test]
    fn open_metrics_has_every_description_and_its_end() {
        let text = write(samples(), Format::OpenMetrics).expect("text");
        for line in [
            "# TYPE tintype_requests counter",
            "tintype_requests_total{cache=\"hit_memory\"} 3",
            "tintype_saved_browser_seconds_total 1.5",
            "tintype_memory_bytes 7.0",
            "tintype_fetch_seconds_bucket{le=\"0.001\",route=\"a\\\"b\"} 0",
            "tintype_fetch_seconds_bucket{le=\"0.0025\",route=\"a\\\"b\"} 1",
            "tintype_fetch_seconds_bucket{le=\"+Inf\",route=\"a\\\"b\"} 1",
            "tintype_fetch_seconds_count{route=\"a\\\"b\"} 1",
        ] {
            assert!(text.lines().any(|there| there == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        for metric in Metric::ALL {
            assert_eq!(text.matches(&format!("# TYPE {} ", metric.family())).count(), 1, "{metric:?}");
        }
    }

    #[test]
    fn prometheus_describes_counters_by_their_full_name() {
        let text = write(samples(), Format::Prometheus).expect("text");
        assert!(text.contains("# TYPE tintype_requests_total counter\n"), "{text}");
        assert!(text.contains("# TYPE tintype_memory_bytes gauge\n"));
        assert!(!text.contains("# EOF"));
    }

    #[test]
    fn the_format_is_the_one_that_is_accepted() {
        for (accept, format) in [
            (None, Format::Prometheus),
            (Some("*/*"), Format::Prometheus),
            (Some("text/plain;version=0.0.4;q=0.5"), Format::Prometheus),
            (Some("text/plain, Application/OpenMetrics-Text; version=1.0.0"), Format::OpenMetrics),
            (Some("application/openmetrics-text; q=0, text/plain"), Format::Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept:?}");
        }
    }
}
