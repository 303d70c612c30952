//! A client of the control plane, for the verbs that talk to a running tintype.

use std::future::Future;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use serde_json::{Value, json};
use tintype::config::{Base, Config, Problems, Sources};
use url::{Url, form_urlencoded};

use super::connect::{Http, Speaks, client, is_refused};
use super::health::reachable;
use super::source::DEFAULT_FILE;
use super::terminal::{Exit, complain, print, with_causes};
use super::units::plain;

/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// Bytes of a file with a token that are read.
const MAX_TOKEN: u64 = 4096;

#[derive(clap::Args)]
pub(super) struct ControlArgs {
    /// The control plane, such as http://127.0.0.1:9090 [default: as the configuration says]
    #[arg(long, value_name = "URL", help_heading = "Whom to ask")]
    admin: Option<String>,
    /// File that holds the control plane's bearer token [default: as the configuration says]
    #[arg(long, value_name = "FILE", help_heading = "Whom to ask")]
    token_file: Option<PathBuf>,
    /// Configuration of the tintype to ask [env: TINTYPE_CONFIG] [default: ./proxy.toml]
    #[arg(long, value_name = "FILE", help_heading = "Whom to ask")]
    config: Option<PathBuf>,
    /// Time to wait for each answer
    #[arg(
        long, default_value = "30s", value_parser = humantime::parse_duration, value_name = "TIME",
        help_heading = "Whom to ask"
    )]
    timeout: Duration,
}

/// Why the control plane did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ControlError {
    #[error("--admin {0:?} is no http:// or https:// URL of a control plane")]
    Address(String),
    #[error("{0}Name the control plane by --admin to do without the configuration")]
    Config(#[from] Problems),
    #[error("the control plane is off (admin.enabled is false)")]
    Off,
    #[error("the token cannot be read from {}: {cause}", file.display())]
    TokenFile { file: PathBuf, cause: std::io::Error },
    #[error("{0} is no bearer token: there is none, or it has spaces or other characters")]
    Token(String),
    #[error("nobody listens at {0}: is tintype running? --admin names another address")]
    Nobody(String),
    #[error("{0} gives no answer within {1:?}")]
    TimedOut(String, Duration),
    #[error("{0} gives no answer: {1}")]
    NoAnswer(String, String),
    #[error(
        "{0} wants its bearer token, the one that admin.token or admin.token_file is set to there: give it by --token-file \
         FILE or TINTYPE_ADMIN__TOKEN"
    )]
    TokenMissing(String),
    #[error(
        "{0} does not take the bearer token from {1}: admin.token or admin.token_file is another one there"
    )]
    TokenWrong(String, &'static str),
    #[error("{0} has no {1}: it is no control plane, or that of an older tintype")]
    NotThere(String, String),
    #[error("{1}")]
    Refused(StatusCode, String),
    #[error("{0} answers with what is not JSON: is it the control plane?")]
    NotJson(String),
    #[error("{0}")]
    Misused(String),
    #[error("{0}")]
    Failed(String),
}

impl ControlError {
    /// Whether nobody is there, for now.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, ControlError::Nobody(_) | ControlError::NoAnswer(..) | ControlError::TimedOut(..))
    }

    fn exit(&self) -> Exit {
        use ControlError::{Address, Config, Misused, Off, Refused, Token, TokenFile};
        match self {
            Address(_) | Config(_) | Off | TokenFile { .. } | Token(_) | Misused(_) => Exit::Misused,
            Refused(StatusCode::BAD_REQUEST, _) => Exit::Misused,
            _ => Exit::Failed,
        }
    }
}

/// Runs what a verb does, and tells how it failed: to programs on standard output if they wanted `json`.
pub(super) fn perform(json: bool, work: impl Future<Output = Result<Exit, ControlError>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ControlError::Failed(error.to_string()));
    let done = runtime.and_then(|runtime| {
        let done = runtime.block_on(work);
        // A name that is still being looked up is not waited for.
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

/// A bearer token and where it is from.
struct Token {
    value: HeaderValue,
    origin: &'static str,
}

/// The control plane of one tintype.
pub(super) struct Control {
    base: String,
    token: Option<Token>,
    timeout: Duration,
    http: Http,
}

impl Control {
    /// The one that `args`, the environment and the configuration mean. Nothing is asked yet.
    pub(super) fn of(args: &ControlArgs) -> Result<Self, ControlError> {
        let given = args.token_file.as_deref().map(|file| read_token(file, "--token-file")).transpose()?;
        let (base, token) = match &args.admin {
            Some(admin) => {
                let base = address(admin)?;
                let token = match given {
                    Some(token) => Some(token),
                    None => token_for(&base, args)?,
                };
                (base, token)
            }
            None => {
                let (base, token) = control_plane(configured(args)?)?.ok_or(ControlError::Off)?;
                (base, given.or(token))
            }
        };
        let http = client(base.starts_with("https:"), Speaks::Http1, args.timeout);
        let http = http.map_err(|error| ControlError::Failed(error.to_string()))?;
        Ok(Control { base, token, timeout: args.timeout, http })
    }

    /// Its address.
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
            true if is_refused(&error) => ControlError::Nobody(self.base.clone()),
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
                let detail = body.as_ref().and_then(|body| body["detail"].as_str()).map(plain);
                let detail = detail.unwrap_or_else(|| format!("{} answers {status}", self.base));
                Err(ControlError::Refused(status, detail))
            }
        }
    }
}

/// The URL that somebody means, without a slash at its end; http:// where no scheme is named.
fn address(text: &str) -> Result<String, ControlError> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let bad = || ControlError::Address(text.to_owned());
    let mut url = Url::parse(&whole).map_err(|_| bad())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_plain = url.query().is_none() && url.fragment().is_none();
    if !is_web || !is_plain || !url.username().is_empty() || url.password().is_some() {
        return Err(bad());
    }
    if let Some(host) = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok()) {
        let near = reachable(std::net::SocketAddr::new(host, 0)).ip();
        url.set_ip_host(near).map_err(|()| bad())?;
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The configuration of the tintype to ask; where there is no file, of one that runs without.
fn configured(args: &ControlArgs) -> Result<Config, Problems> {
    let file = args.config.clone().or_else(|| variable("TINTYPE_CONFIG").map(PathBuf::from));
    let file = file.or_else(|| Path::new(DEFAULT_FILE).exists().then(|| DEFAULT_FILE.into()));
    let mut environment: Vec<_> = std::env::vars_os().collect();
    let base = match file {
        Some(file) => Base::File(file),
        None => {
            let counts =
                |name: &str| name.starts_with("TINTYPE_ADMIN__") || name.starts_with("TINTYPE_SERVER__");
            environment.retain(|(name, _)| name.to_str().is_some_and(counts));
            Base::Upstream("http://localhost".to_owned())
        }
    };
    Config::read(&Sources { base, listen: None, admin: None, cache_dir: None, environment })
}

/// Address and token of the control plane, if it is on.
fn control_plane(config: Config) -> Result<Option<(String, Option<Token>)>, ControlError> {
    let Some(admin) = config.admin else { return Ok(None) };
    let token = admin.token.map(|token| bearer(&token, "the configuration")).transpose()?;
    Ok(Some((format!("http://{}", reachable(admin.listener.listen)), token)))
}

/// The token for a control plane that was named by its address. That of a configuration which nobody named goes only to
/// where that configuration says.
fn token_for(base: &str, args: &ControlArgs) -> Result<Option<Token>, ControlError> {
    if let Some(token) = variable("TINTYPE_ADMIN__TOKEN") {
        return bearer(&token, "TINTYPE_ADMIN__TOKEN").map(Some);
    }
    if let Some(file) = variable("TINTYPE_ADMIN__TOKEN_FILE") {
        return read_token(Path::new(&file), "TINTYPE_ADMIN__TOKEN_FILE").map(Some);
    }
    let config = match (configured(args), &args.config) {
        (Ok(config), _) => config,
        (Err(problems), Some(_)) => return Err(problems.into()),
        (Err(_), None) => return Ok(None),
    };
    let theirs = control_plane(config)?.filter(|(address, _)| address == base || args.config.is_some());
    Ok(theirs.and_then(|(_, token)| token))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn read_token(file: &Path, origin: &'static str) -> Result<Token, ControlError> {
    let unreadable = |cause| ControlError::TokenFile { file: file.to_owned(), cause };
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(MAX_TOKEN).read_to_string(&mut text).map_err(unreadable)?;
    bearer(text.trim(), origin)
}

fn bearer(token: &str, origin: &'static str) -> Result<Token, ControlError> {
    let is_token = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    match value {
        Ok(mut value) if is_token => {
            value.set_sensitive(true);
            Ok(Token { value, origin })
        }
        _ => Err(ControlError::Token(format!("what {origin} gives"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_or_refused() {
        for (text, expected) in [
            ("127.0.0.1:9090", Some("http://127.0.0.1:9090")),
            ("http://localhost:9090/", Some("http://localhost:9090")),
            ("https://ops.example/tintype/", Some("https://ops.example/tintype")),
            ("http://0.0.0.0:9090", Some("http://127.0.0.1:9090")),
            ("[::]:9090", Some("http://[::1]:9090")),
            ("ftp://a", None),
            ("http://", None),
            ("http://me:secret@a", None),
            ("http://a/?token=x", None),
            ("", None),
        ] {
            assert_eq!(address(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn tokens_are_never_shown() {
        let token = bearer("0123456789abcdef", "--token-file").expect("a token");
        assert_eq!(format!("{:?}", token.value), "Sensitive");
        for bad in ["", "two words", "line\nbreak", "é"] {
            let error = bearer(bad, "--token-file").err().expect("an error").to_string();
            assert!(error.contains("--token-file") && (bad.is_empty() || !error.contains(bad)), "{error}");
        }
    }
}
