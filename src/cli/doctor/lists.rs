//! Checks the filter lists: the share of their rules that is used.

use tintype::origin::chrome::FilterLists;

use super::finding::Finding;
use crate::cli::check::ListReport;

const CHECK: &str = "filters";
const REMEDY: &str = "use a list whose rules block requests or hide elements; scriptlets and procedural selectors are not supported";

/// A finding for each list of the engine `upstream`.
pub(super) async fn check(upstream: String, lists: FilterLists) -> Vec<Finding> {
    // A large list takes a second of processor time.
    let reports = tokio::task::spawn_blocking(move || ListReport::of(&upstream, &lists)).await;
    match reports {
        Ok(reports) => reports.iter().map(finding).collect(),
        Err(error) => vec![Finding::failure(CHECK, format!("cannot read the lists: {error}"), REMEDY)],
    }
}

fn finding(report: &ListReport) -> Finding {
    match report.usage.is_low() {
        true => Finding::warning(CHECK, report.says(), REMEDY),
        false => Finding::good(CHECK, report.says()),
    }
}
