//! [`Control`]: a client of the control plane, for the subcommands that talk to a running tintype.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::connect::{Http, NoConnection, Speaks, client, why};
use super::control_error::ControlError;
use super::endpoint::{ControlArgs, Token, endpoint};
use super::terminal::{Exit, complain, print, with_causes};
use super::units::plain_lines;

/// Longest response that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Runs a subcommand and reports its failure, to standard output as JSON if `json`.
pub(super) fn perform(json: bool, work: impl Future<Output = Result<Exit, ControlError>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ControlError::Failed(error.to_string()));
    let done = runtime.and_then(|runtime| {
        let done = runtime.block_on(work);
        // A DNS lookup that still runs is not awaited.
        runtime.shutdown_background();
        done
    });
    done.unwrap_or_else(|error| {
        match json {
            true => print(&format!("{}\n", json!({ "ok": false, "error": error.to_string() }))),
            false => complain(&format!("error: {error}\n")),
        }
        error.exit()
    })
    .into()
}

/// The control plane of one tintype.
pub(super) struct Control {
    base: String,
    token: Option<Token>,
    timeout: Duration,
    http: Http,
}

impl Control {
    /// The control plane that `args`, the environment and the configuration name. Sends no request
    /// yet.
    pub(super) fn of(args: &ControlArgs) -> Result<Self, ControlError> {
        let (base, token) = endpoint(args)?;
        let http = client(base.starts_with("https:"), Speaks::Http1, args.timeout);
        let http = http.map_err(|error| ControlError::Failed(error.to_string()))?;
        Ok(Control { base, token, timeout: args.timeout, http })
    }

    /// The address of the control plane, for messages.
    pub(super) fn name(&self) -> &str {
        &self.base
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ControlError> {
        let mut target = path.to_owned();
        if !query.is_empty() {
            target += "?";
            target += &form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        }
        self.ask(Method::GET, &target, Bytes::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, ControlError> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    async fn ask(&self, method: Method, target: &str, body: Bytes) -> Result<Value, ControlError> {
        let mut request = Request::builder().method(method).uri(format!("{}{target}", self.base));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token.value.clone());
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|error| ControlError::Misused(error.to_string()))?;
        let timed_out = |_| ControlError::TimedOut(self.base.clone(), self.timeout);
        let (status, body) =
            tokio::time::timeout(self.timeout, self.exchange(request)).await.map_err(timed_out)??;
        let path = target.split('?').next().unwrap_or_default();
        self.judge(status, serde_json::from_slice(&body).ok(), path)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), ControlError> {
        let answer = self.http.request(request).await.map_err(|error| match error.is_connect() {
            true if why(&error) == NoConnection::Refused => ControlError::Nobody(self.base.clone()),
            _ => ControlError::NoAnswer(self.base.clone(), with_causes(&error)),
        })?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| ControlError::NoAnswer(self.base.clone(), error.to_string()))?;
        Ok((status, body.to_bytes()))
    }

    fn judge(&self, status: StatusCode, body: Option<Value>, path: &str) -> Result<Value, ControlError> {
        let base = || self.base.clone();
        match (status, body) {
            (StatusCode::UNAUTHORIZED, _) => Err(match &self.token {
                None => ControlError::TokenMissing(base()),
                Some(token) => ControlError::TokenWrong(base(), token.origin),
            }),
            (StatusCode::NOT_FOUND, _) => Err(ControlError::NotThere(base(), path.to_owned())),
            (status, Some(body)) if status.is_success() => Ok(body),
            (status, None) if status.is_success() => Err(ControlError::NotJson(base())),
            (status, body) => {
                let detail = body.as_ref().and_then(|body| body["detail"].as_str()).map(plain_lines);
                let detail = detail.unwrap_or_else(|| format!("{} answers {status}", self.base));
                Err(ControlError::Refused(status, detail))
            }
        }
    }
}
