//! What a service tells in JSON: where a picture is, and what went wrong.

use serde_json::{Value, json};

use super::Dialect;
use crate::message::outcome::{ErrorReason, Flaw, OriginFailure};
use crate::message::problem::Problem;

/// What is told of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where it is.
    pub url: String,
    /// Its format, such as `png`.
    pub format: String,
    /// Its bytes.
    pub size: u64,
    /// Its pixels, where they are known.
    pub pixels: Option<(u32, u32)>,
}

impl Dialect {
    /// Where a picture is.
    pub fn link(self, facts: &Facts) -> Value {
        match self {
            Dialect::ScreenshotOne => json!({ "screenshot_url": facts.url }),
            Dialect::Urlbox => json!({ "renderUrl": facts.url, "size": facts.size }),
            Dialect::ApiFlash | Dialect::Web2img | Dialect::Imgproxy => json!({ "url": facts.url }),
            Dialect::Microlink => {
                let mut screenshot = json!({
                    "url": facts.url,
                    "type": facts.format,
                    "size": facts.size,
                    "size_pretty": pretty(facts.size),
                });
                if let (Some((width, height)), Value::Object(members)) = (facts.pixels, &mut screenshot) {
                    members.insert("width".into(), width.into());
                    members.insert("height".into(), height.into());
                }
                json!({ "status": "success", "data": { "screenshot": screenshot } })
            }
        }
    }

    /// The type and the text of an error.
    pub fn error(self, problem: &Problem) -> (&'static str, String) {
        use ErrorReason::*;
        let Problem { reason, faults, .. } = problem;
        let (status, said) = (problem.status.as_u16(), problem.sentence());
        let told = match self {
            Dialect::ScreenshotOne => {
                let code = match (status, reason) {
                    (_, Some(Origin(OriginFailure::Resolve))) => "name_not_resolved",
                    (_, Some(Origin(OriginFailure::Flawed(Flaw::Selector)))) => "selector_not_found",
                    (_, Some(Busy | Origin(OriginFailure::Busy) | TooMany)) => "concurrency_limit_reached",
                    (_, Some(Unsigned)) => "signature_is_required",
                    (_, Some(Altered | Expired)) => "signature_is_not_valid",
                    (_, Some(UnknownKey | NoKey)) => "access_key_invalid",
                    (400..=499, _) => "request_not_valid",
                    _ => "internal_application_error",
                };
                let mut told = json!({ "is_successful": false, "error_code": code, "error_message": said });
                if !faults.is_empty() {
                    told["error_details"] = json!(faults);
                }
                told
            }
            Dialect::Urlbox => json!({ "error": { "message": said } }),
            Dialect::Microlink => {
                let code = match (status, reason) {
                    (504, _) => "ETIMEOUT",
                    (403, Some(TargetRefused)) => "EFORBIDDENURL",
                    (401 | 403, _) => "EAUTH",
                    (429, _) => "ERATE",
                    (400, _) if faults.iter().any(|fault| fault.parameter == "url") => "EINVALURL",
                    _ => "EFATAL",
                };
                let kind = if status < 500 { "fail" } else { "error" };
                let data: serde_json::Map<String, Value> =
                    faults.iter().map(|fault| (fault.parameter.clone(), fault.to_string().into())).collect();
                json!({ "status": kind, "code": code, "message": said, "data": data })
            }
            Dialect::Web2img => {
                let code = match (status, reason) {
                    (_, Some(Busy | Origin(OriginFailure::Busy))) => "system_overloaded",
                    (400..=499, _) => "validation_error",
                    (504, _) => "navigation_error",
                    (_, Some(Origin(failure))) if failure.is_of_capture() => "screenshot_error",
                    _ => "internal_error",
                };
                let mut told = json!({ "error": true, "error_code": code, "message": said });
                if !faults.is_empty() {
                    told["details"] = json!({ "fields": faults });
                }
                told
            }
            // Its documentation names statuses and no form: whoever switches goes by the status.
            Dialect::ApiFlash | Dialect::Imgproxy => {
                return ("text/plain; charset=utf-8", format!("{said}\n"));
            }
        };
        ("application/json", format!("{told}\n"))
    }
}

/// `284 kB`.
fn pretty(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{} kB", Thousandth(bytes)),
        _ => format!("{} MB", Thousandth(bytes / 1000)),
    }
}

/// A number in thousands, with three digits at most where they say something.
struct Thousandth(u64);

impl std::fmt::Display for Thousandth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            small @ 0..10_000 => write!(f, "{}.{:02}", small / 1000, small % 1000 / 10),
            large => write!(f, "{}", (large + 500) / 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::problem::Fault;
    use http::StatusCode;

    #[test]
    fn every_service_tells_in_its_own_form() {
        let facts =
            Facts { url: "https://h/x".into(), format: "png".into(), size: 284_037, pixels: Some((4, 3)) };
        for (dialect, expected) in [
            (Dialect::ScreenshotOne, r#"{"screenshot_url":"https://h/x"}"#),
            (Dialect::Urlbox, r#"{"renderUrl":"https://h/x","size":284037}"#),
            (Dialect::ApiFlash, r#"{"url":"https://h/x"}"#),
            (
                Dialect::Microlink,
                r#"{"status":"success","data":{"screenshot":{"url":"https://h/x","width":4,"height":3,"type":"png","size":284037,"size_pretty":"284 kB"}}}"#,
            ),
        ] {
            let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            assert_eq!(dialect.link(&facts), expected, "{}", dialect.name());
        }
        let fault = Fault { parameter: "width".into(), found: "x".into(), allowed: "1 to 9".into() };
        let problem = Problem {
            reason: Some(ErrorReason::BadParameters),
            faults: vec![fault],
            ..Problem::new(StatusCode::BAD_REQUEST, "")
        };
        let said = "width: found x, allowed is 1 to 9";
        for (dialect, at) in [
            (Dialect::ScreenshotOne, "/error_message"),
            (Dialect::Urlbox, "/error/message"),
            (Dialect::Microlink, "/data/width"),
            (Dialect::Web2img, "/message"),
        ] {
            let (kind, text) = dialect.error(&problem);
            let told: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (kind, told.pointer(at).and_then(|v| v.as_str())),
                ("application/json", Some(said)),
                "{text}"
            );
        }
        assert_eq!(Dialect::ApiFlash.error(&problem), ("text/plain; charset=utf-8", format!("{said}\n")));
        let selector = OriginFailure::Flawed(Flaw::Selector);
        for (status, reason, code) in [
            (502, ErrorReason::Origin(OriginFailure::Resolve), "name_not_resolved"),
            (502, ErrorReason::Origin(selector), "selector_not_found"),
            (503, ErrorReason::Origin(OriginFailure::Busy), "concurrency_limit_reached"),
            (503, ErrorReason::Busy, "concurrency_limit_reached"),
            (502, ErrorReason::Origin(OriginFailure::Capture), "internal_application_error"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let problem = Problem { reason: Some(reason), ..Problem::new(status, "") };
            let told: serde_json::Value =
                serde_json::from_str(&Dialect::ScreenshotOne.error(&problem).1).unwrap();
            assert_eq!(told["error_code"], code);
        }
    }
}
