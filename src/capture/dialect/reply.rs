//! What a service answers in place of a picture.

/// What is known of a picture.
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

/// Media type and text of an error.
pub type ErrorReply = (&'static str, String);

/// A document with an error.
pub(super) fn json_error(document: &serde_json::Value) -> ErrorReply {
    ("application/json", format!("{document}\n"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{APIFLASH, MICROLINK, SCREENSHOTONE, URLBOX, WEB2IMG};
    use super::*;
    use crate::message::outcome::{ErrorReason, Flaw, OriginFailure};
    use crate::message::problem::Fault;
    use crate::message::problem::Problem;
    use http::StatusCode;

    #[test]
    fn every_service_tells_in_its_own_form() {
        let facts =
            Facts { url: "https://h/x".into(), format: "png".into(), size: 284_037, pixels: Some((4, 3)) };
        for (dialect, expected) in [
            (SCREENSHOTONE, r#"{"screenshot_url":"https://h/x"}"#),
            (URLBOX, r#"{"renderUrl":"https://h/x","size":284037}"#),
            (APIFLASH, r#"{"url":"https://h/x"}"#),
            (
                MICROLINK,
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
            (SCREENSHOTONE, "/error_message"),
            (URLBOX, "/error/message"),
            (MICROLINK, "/data/width"),
            (WEB2IMG, "/message"),
        ] {
            let (kind, text) = dialect.error(&problem);
            let told: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                (kind, told.pointer(at).and_then(|v| v.as_str())),
                ("application/json", Some(said)),
                "{text}"
            );
        }
        assert_eq!(APIFLASH.error(&problem), ("text/plain; charset=utf-8", format!("{said}\n")));
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
            let told: serde_json::Value = serde_json::from_str(&SCREENSHOTONE.error(&problem).1).unwrap();
            assert_eq!(told["error_code"], code);
        }
    }
}
