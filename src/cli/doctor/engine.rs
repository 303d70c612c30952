//! Requests of the doctor to a capture engine.

use bytes::Bytes;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tintype::message::body::Body;
use tintype::origin::chrome::{Engine, PATH};
use tintype::origin::{Flaw, Origin as _, OriginError};

use crate::cli::terminal::Complaint;

/// The picture that the engine captures with these parameters.
pub(super) async fn capture(engine: &Engine, parameters: Value) -> Result<Bytes, Complaint> {
    let answer = fetch(engine, parameters).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    match (status, answer.body().as_whole()) {
        (StatusCode::OK, Some(picture)) => Ok(picture.clone()),
        _ => Err(format!("the engine answered {status}").into()),
    }
}

/// Runs `script` on the document `html`. The script throws an error whose message is JSON, which is returned.
pub(super) async fn thrown_json(engine: &Engine, html: &str, script: &str) -> Result<Value, Complaint> {
    match fetch(engine, json!({ "html": html, "js": script })).await {
        Err(OriginError::Flawed { flaw: Flaw::Script, detail }) => {
            let thrown = detail.find(['{', '[']).map(|at| &detail[at..]).unwrap_or_default();
            serde_json::from_str(thrown).map_err(|_| detail.into())
        }
        Err(error) => Err(error.to_string().into()),
        Ok(answer) => Err(format!("the page did not answer, the engine did: {}", answer.status()).into()),
    }
}

pub(super) async fn fetch(engine: &Engine, parameters: Value) -> Result<http::Response<Body>, OriginError> {
    let request = Request::post(format!("http://doctor.invalid{PATH}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::whole(parameters.to_string()))
        .map_err(|error| OriginError::Capture(error.to_string()))?;
    engine.fetch(request).await
}
