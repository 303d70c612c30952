//! `tintype health`: sends one GET of `/healthz` to the control plane, so that a container image
//! needs no other HTTP client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tintype::admin::health::HEALTHZ;

use super::control_error::ControlError;
use super::endpoint::{reachable, token};
use super::terminal::{Exit, complain, print, with_causes};

pub(super) const HELP: &str = "\
Exits with 0 if GET /healthz is answered with 200, else with 1.

Example:
  HEALTHCHECK CMD [\"tintype\", \"health\"]";

#[derive(clap::Args)]
pub(super) struct Args {
    /// Address of the control plane
    #[arg(
        long,
        value_name = "ADDR",
        env = "TINTYPE_ADMIN__LISTEN",
        default_value_t = tintype::config::ADMIN_LISTEN
    )]
    admin: SocketAddr,
    /// File that holds the control plane's bearer token [default: TINTYPE_ADMIN__TOKEN or
    /// TINTYPE_ADMIN__TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Time to wait for the response
    #[arg(long, default_value = "3s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

#[derive(Debug, thiserror::Error)]
enum Unhealthy {
    #[error("gives no answer")]
    NoAnswer(#[from] hyper_util::client::legacy::Error),
    #[error("gives no answer within {0:?}")]
    TimedOut(Duration),
    #[error("answers {0}")]
    Status(StatusCode),
    #[error("cannot be asked")]
    Token(#[from] ControlError),
    #[error("cannot be asked")]
    Request(#[from] http::Error),
    #[error("cannot be asked")]
    Runtime(#[from] std::io::Error),
}

pub(super) fn run(args: &Args) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime.map_err(Unhealthy::from).and_then(|runtime| runtime.block_on(ask(args)));
    match asked {
        Ok(()) => {
            print("healthy\n");
            Exit::Good.into()
        }
        Err(error) => {
            complain(&format!("unhealthy: http://{}{HEALTHZ} {}\n", args.admin, with_causes(&error)));
            Exit::Failed.into()
        }
    }
}

async fn ask(args: &Args) -> Result<(), Unhealthy> {
    let mut request = Request::get(format!("http://{}{HEALTHZ}", reachable(args.admin)));
    if let Some(token) = token(args.token_file.as_deref())? {
        request = request.header(header::AUTHORIZATION, token.value);
    }
    let client: Client<HttpConnector, Empty<Bytes>> =
        Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let answer = client.request(request.body(Empty::new())?);
    let answer = tokio::time::timeout(args.timeout, answer).await;
    match answer.map_err(|_| Unhealthy::TimedOut(args.timeout))??.status() {
        StatusCode::OK => Ok(()),
        status => Err(Unhealthy::Status(status)),
    }
}
