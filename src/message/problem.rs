//! Problem details (RFC 9457) as values ([`Problem`]), and their serialisation.

use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::body::Body;
use super::outcome::ErrorReason;

/// The media type of problem details in JSON.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One invalid parameter of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The name of the parameter, as received.
    pub parameter: String,
    /// The received value, shortened if it is long.
    pub found: String,
    /// The values that are allowed.
    pub allowed: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: found {}, allowed is {}", self.parameter, self.found, self.allowed)
    }
}

/// The content of an error response. The response also has it as an extension, so that a dialect
/// can write it in its own format.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The status code of the response.
    pub status: StatusCode,
    /// The title; by default the reason phrase of the status code.
    pub title: Option<&'static str>,
    /// The explanation of this occurrence.
    pub detail: String,
    /// The typed cause, if it is known.
    pub reason: Option<ErrorReason>,
    /// Whether `type` names the cause, as the capture engine does. Otherwise, the member `reason`
    /// does.
    pub typed: bool,
    /// All invalid parameters of the request.
    pub faults: Vec<Fault>,
    /// Extension members (RFC 9457 section 3.2).
    pub more: Map<String, Value>,
}

/// The white space of the serialised document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Without white space, for programs.
    Compact,
    /// Without white space, with a line feed at the end.
    Line,
    /// Indented, for people to read.
    Indented,
}

impl Problem {
    /// A problem with a status code and a detail only.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Problem {
            status,
            title: None,
            detail: detail.into(),
            reason: None,
            typed: false,
            faults: Vec::new(),
            more: Map::new(),
        }
    }

    /// All faults in one line; the detail if there are none.
    pub fn sentence(&self) -> String {
        if self.faults.is_empty() {
            return self.detail.clone();
        }
        self.faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Parses the problem document of another service, received with this status code. Missing
    /// members get defaults.
    pub fn parse(status: StatusCode, document: &[u8]) -> Self {
        let said: Value = serde_json::from_slice(document).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = said["type"].as_str().and_then(|kind| kind.rsplit(':').next());
        let faults = said["errors"].as_array().into_iter().flatten();
        Problem {
            reason: said["reason"].as_str().or(kind).and_then(ErrorReason::parse),
            faults: faults
                .map(|fault| Fault {
                    parameter: text(&fault["parameter"]),
                    found: text(&fault["found"]),
                    allowed: text(&fault["allowed"]),
                })
                .collect(),
            ..Problem::new(status, said["detail"].as_str().or(said["title"].as_str()).unwrap_or("error"))
        }
    }

    /// The problem as a JSON document.
    pub fn to_json(&self) -> Value {
        let title = self.title.or(self.status.canonical_reason()).unwrap_or("Error");
        let kind = match self.reason {
            Some(reason) if self.typed => format!("urn:tintype:problem:{}", reason.name()),
            _ => "about:blank".to_owned(),
        };
        let mut document =
            json!({ "type": kind, "title": title, "status": self.status.as_u16(), "detail": self.detail });
        if let Some(reason) = self.reason.filter(|_| !self.typed) {
            document["reason"] = reason.name().into();
        }
        if !self.faults.is_empty() {
            document["errors"] = json!(self.faults);
        }
        for (name, value) in &self.more {
            document[name] = value.clone();
        }
        document
    }

    /// The error response. It has `Cache-Control: no-store`.
    pub fn into_response(self, layout: Layout) -> Response<Body> {
        let document = self.to_json();
        let text = match layout {
            Layout::Compact => document.to_string(),
            Layout::Line => format!("{document}\n"),
            Layout::Indented => format!("{document:#}\n"),
        };
        let mut response = Response::new(Body::whole(text));
        *response.status_mut() = self.status;
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_round_trips_in_each_layout() {
        let fault = Fault { parameter: "width".into(), found: "x".into(), allowed: "y".into() };
        let problem = Problem {
            reason: Some(ErrorReason::BadParameters),
            faults: vec![fault],
            ..Problem::new(StatusCode::BAD_REQUEST, "d")
        };
        let errors = r#""errors":[{"allowed":"y","found":"x","parameter":"width"}]"#;
        let text = |problem: &Problem, layout| {
            let response = problem.clone().into_response(layout);
            assert_eq!(response.extensions().get(), Some(problem));
            assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
            String::from_utf8(response.body().as_whole().unwrap().to_vec()).unwrap()
        };
        assert_eq!(
            text(&problem, Layout::Line),
            format!(
                "{{\"detail\":\"d\",{errors},\"reason\":\"bad-parameters\",\"status\":400,\"title\":\"Bad Request\",\"type\":\"about:blank\"}}\n"
            )
        );
        let typed = Problem { typed: true, title: Some("Bad parameters"), ..problem };
        assert_eq!(
            text(&typed, Layout::Compact),
            format!(
                "{{\"detail\":\"d\",{errors},\"status\":400,\"title\":\"Bad parameters\",\"type\":\"urn:tintype:problem:bad-parameters\"}}"
            )
        );
        for written in [&Problem { title: None, ..typed.clone() }, &Problem { typed: false, ..typed }] {
            let document = written.to_json().to_string();
            let expected = Problem { typed: false, title: None, ..written.clone() };
            assert_eq!(Problem::parse(StatusCode::BAD_REQUEST, document.as_bytes()), expected);
        }
        for (document, detail) in [("", "error"), ("[]", "error"), (r#"{"title":"t","reason":7}"#, "t")] {
            let expected = Problem::new(StatusCode::BAD_GATEWAY, detail);
            assert_eq!(Problem::parse(StatusCode::BAD_GATEWAY, document.as_bytes()), expected);
        }
        let mut plain = Problem::new(StatusCode::NOT_FOUND, "d");
        plain.more.insert("instance".into(), "/x".into());
        assert!(text(&plain, Layout::Indented).contains("\n  \"instance\": \"/x\",\n"));
    }
}
