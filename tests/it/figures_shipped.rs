//! The shipped alert rules and dashboard speak of metrics that there are, and of all their labels.

use serde_json::Value;
use tintype::telemetry::metric::{Kind, Metric};

fn shipped(path: &str) -> String {
    let path = format!("{}/packaging/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Each name of a metric in `text`.
fn named(text: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_part(c)).filter(|word| word.starts_with("tintype_")).collect()
}

/// The names under which `metric` can be asked for.
fn series(metric: Metric) -> Vec<String> {
    match metric.kind() {
        Kind::Histogram => ["bucket", "sum", "count"].map(|end| format!("{}_{end}", metric.family())).into(),
        _ => vec![metric.name()],
    }
}

fn check(text: &str) -> usize {
    let known: Vec<String> = Metric::ALL.iter().flat_map(|metric| series(*metric)).collect();
    let names = named(text);
    for name in &names {
        assert!(known.iter().any(|known| known == name), "there is no metric {name}");
    }
    names.len()
}

#[test]
fn alert_rules_name_metrics_that_there_are() {
    let rules = shipped("prometheus/alerts.yml");
    assert!(check(&rules) > 20);
    let alerts = rules.lines().filter(|line| line.trim_start().starts_with("- alert: Tintype")).count();
    assert_eq!(alerts, rules.matches("expr:").count());
    assert_eq!(alerts, rules.matches("severity:").count());
    for threshold in ["< 0.3", "< 0.6", "> 0.05", "> 0.15"] {
        assert!(rules.contains(threshold), "{threshold}");
    }
    for watched in [
        Metric::DiskHealthy,
        Metric::UnhealthyBrowsers,
        Metric::PurgeLag,
        Metric::BusyCaptures,
        Metric::Errors,
    ] {
        assert!(rules.contains(&watched.name()), "{watched:?}");
    }
}

#[test]
fn the_dashboard_can_be_imported_and_names_metrics_that_there_are() {
    let dashboard: Value = serde_json::from_str(&shipped("grafana/dashboard.json")).unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|v| v["name"] == "datasource" && v["type"] == "datasource"));
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = Vec::new();
    let mut shown = String::new();
    for panel in panels {
        ids.push(panel["id"].as_u64().unwrap());
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            assert!(check(expression) > 0, "{expression}");
            shown.push_str(expression);
            shown.push(' ');
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), panels.len());
    // What is not on it is there to be looked up, not to be watched.
    let shown = named(&shown);
    let left_out: Vec<Metric> = Metric::ALL
        .iter()
        .copied()
        .filter(|metric| !series(*metric).iter().any(|name| shown.contains(&name.as_str())))
        .collect();
    let known = [
        Metric::Build,
        Metric::Uptime,
        Metric::Reloads,
        Metric::GoodConfiguration,
        Metric::LostLogLines,
        Metric::Panics,
        Metric::HitRatio,
        Metric::OriginRequests,
        Metric::Stored,
        Metric::DiskDropped,
        Metric::DiskErrors,
        Metric::DiskAtOnce,
        Metric::LongestPurgeLag,
        Metric::UpstreamReady,
    ];
    assert_eq!(left_out, known);
}

#[test]
fn the_traffic_lights_have_the_thresholds_of_the_verdicts() {
    let dashboard: Value = serde_json::from_str(&shipped("grafana/dashboard.json")).unwrap();
    let lights = |title: &str| -> Vec<(String, Option<f64>)> {
        let panels = dashboard["panels"].as_array().unwrap();
        let panel = panels.iter().find(|panel| panel["title"] == title).unwrap();
        let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array().unwrap();
        steps.iter().map(|s| (s["color"].as_str().unwrap().to_owned(), s["value"].as_f64())).collect()
    };
    let steps =
        |steps: [(&str, Option<f64>); 3]| steps.map(|(color, value)| (color.to_owned(), value)).to_vec();
    assert_eq!(lights("Hit rate"), steps([("red", None), ("yellow", Some(0.3)), ("green", Some(0.6))]));
    assert_eq!(lights("Stale served"), steps([("green", None), ("yellow", Some(0.05)), ("red", Some(0.15))]));
}
