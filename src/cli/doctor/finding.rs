//! [`Finding`]: the result of a check, for people and programs.

use serde_json::{Value, json};

use crate::cli::terminal::{Exit, Mark, Paint, table};

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// Stable name of the check, such as `disk`.
    pub(super) check: &'static str,
    pub(super) mark: Mark,
    /// The result and its reason.
    pub(super) says: String,
    /// How to correct it, if something is wrong.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn good(check: &'static str, says: impl Into<String>) -> Self {
        Finding { check, mark: Mark::Good, says: says.into(), remedy: None }
    }

    pub(super) fn warning(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { check, mark: Mark::Warning, says: says.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn failure(check: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { check, mark: Mark::Failure, says: says.into(), remedy: Some(remedy.into()) }
    }
}

/// For people: a line for each finding with its remedy below it, and a count.
pub(super) fn to_text(findings: &[Finding], paint: Paint) -> String {
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            // As wide as the widest name, so that all reports are aligned alike.
            let name = finding.mark.name();
            let room = " ".repeat(Mark::Failure.name().len().saturating_sub(name.len()));
            vec![paint.mark(finding.mark, name) + &room, paint.strong(finding.check), one_line(&finding.says)]
        })
        .collect();
    let mut text = String::new();
    for (line, finding) in table(&rows).lines().zip(findings) {
        text += line;
        text.push('\n');
        if let Some(remedy) = &finding.remedy {
            text += &format!("         {} {}\n", paint.faint("remedy:"), one_line(remedy));
        }
    }
    text + &summary(findings, paint)
}

/// Error texts of the system or of libraries may have line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn summary(findings: &[Finding], paint: Paint) -> String {
    let count = |mark| findings.iter().filter(|finding| finding.mark == mark).count();
    let (warnings, failures) = (count(Mark::Warning), count(Mark::Failure));
    if warnings + failures == 0 {
        return format!("{}\n", paint.mark(Mark::Good, "all is well"));
    }
    let tell = |count, mark: Mark| {
        let text = format!("{count} {}{}", mark.name(), if count == 1 { "" } else { "s" });
        if count == 0 { text } else { paint.mark(mark, &text) }
    };
    format!("{}, {}\n", tell(failures, Mark::Failure), tell(warnings, Mark::Warning))
}

/// For programs: one JSON document.
pub(super) fn to_json(findings: &[Finding]) -> Value {
    let rows = findings.iter().map(|finding| {
        json!({
            "check": finding.check, "state": finding.mark.name(), "says": finding.says, "remedy": finding.remedy,
        })
    });
    json!({
        "ok": exit(findings) == Exit::Good,
        "version": env!("CARGO_PKG_VERSION"),
        "checks": rows.collect::<Value>(),
    })
}

/// The exit code. Warnings are no failure.
pub(super) fn exit(findings: &[Finding]) -> Exit {
    if findings.iter().any(|finding| finding.mark == Mark::Failure) { Exit::Failed } else { Exit::Good }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_alone_leave_all_good() {
        let (good, warning) =
            (Finding::good("disk", "there"), Finding::warning("fonts", "no Thai", "install"));
        let failure = Finding::failure("browser", "none\n found", "install one");
        for (findings, expected) in [
            (vec![], Exit::Good),
            (vec![good.clone(), warning.clone()], Exit::Good),
            (vec![good, warning, failure.clone()], Exit::Failed),
        ] {
            assert_eq!(exit(&findings), expected);
            assert_eq!(to_json(&findings)["ok"], expected == Exit::Good);
        }
        assert_eq!(to_json(&[failure])["checks"][0]["state"], "failure");
    }
}
