//! Finds the address and the token of the control plane: flags, environment, configuration.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderValue;
use tintype::config::{Base, Config, Problems, Sources};
use url::Url;

use super::control_error::ControlError;
use super::source::DEFAULT_FILE;

/// Longest token file that is read, in bytes.
const MAX_TOKEN: u64 = 4096;

#[derive(clap::Args)]
pub(super) struct ControlArgs {
    /// The control plane, such as http://127.0.0.1:9090 [default: as the configuration says]
    #[arg(long, value_name = "URL", help_heading = "Control plane")]
    admin: Option<String>,
    /// File that holds the control plane's bearer token [default: as the configuration says]
    #[arg(long, value_name = "FILE", help_heading = "Control plane")]
    token_file: Option<PathBuf>,
    /// Configuration of the running tintype [env: TINTYPE_CONFIG] [default: ./proxy.toml]
    #[arg(long, value_name = "FILE", help_heading = "Control plane")]
    config: Option<PathBuf>,
    /// Time to wait for each response
    #[arg(
        long, default_value = "30s", value_parser = humantime::parse_duration, value_name = "TIME",
        help_heading = "Control plane"
    )]
    pub(super) timeout: Duration,
}

/// A bearer token and its source.
pub(super) struct Token {
    pub(super) value: HeaderValue,
    pub(super) origin: &'static str,
}

/// Address and token of the control plane that `args`, the environment and the configuration name.
pub(super) fn endpoint(args: &ControlArgs) -> Result<(String, Option<Token>), ControlError> {
    let given = args.token_file.as_deref().map(|file| read_token(file, "--token-file")).transpose()?;
    match &args.admin {
        Some(admin) => {
            let base = address(admin)?;
            let token = match given {
                Some(token) => Some(token),
                None => token_for(&base, args)?,
            };
            Ok((base, token))
        }
        None => {
            let (base, token) = control_plane(configured(args)?)?.ok_or(ControlError::Off)?;
            Ok((base, given.or(token)))
        }
    }
}

/// The URL in `text` without a slash at its end, with http:// if it has no scheme.
fn address(text: &str) -> Result<String, ControlError> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let bad = || ControlError::Address;
    let mut url = Url::parse(&whole).map_err(|_| bad())?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    let is_plain = url.query().is_none() && url.fragment().is_none();
    if !is_web || !is_plain || !url.username().is_empty() || url.password().is_some() {
        return Err(bad());
    }
    if let Some(host) = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok()) {
        let near = reachable(SocketAddr::new(host, 0)).ip();
        url.set_ip_host(near).map_err(|()| bad())?;
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The address to connect to, for a listener that is bound to all addresses.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

/// The configuration of the running tintype. Without a file, the configuration without a file.
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

/// The token for a control plane that was given by its address. The token of a default
/// configuration file is sent only to the control plane of that file.
fn token_for(base: &str, args: &ControlArgs) -> Result<Option<Token>, ControlError> {
    if let Some(token) = from_environment()? {
        return Ok(Some(token));
    }
    let config = match (configured(args), &args.config) {
        (Ok(config), _) => config,
        (Err(problems), Some(_)) => return Err(problems.into()),
        (Err(_), None) => return Ok(None),
    };
    let theirs = control_plane(config)?.filter(|(address, _)| address == base || args.config.is_some());
    Ok(theirs.and_then(|(_, token)| token))
}

/// The token in `file`, or else that of the environment.
pub(super) fn token(file: Option<&Path>) -> Result<Option<Token>, ControlError> {
    match file {
        Some(file) => read_token(file, "--token-file").map(Some),
        None => from_environment(),
    }
}

fn from_environment() -> Result<Option<Token>, ControlError> {
    if let Some(token) = variable("TINTYPE_ADMIN__TOKEN") {
        return bearer(&token, "TINTYPE_ADMIN__TOKEN").map(Some);
    }
    let file = variable("TINTYPE_ADMIN__TOKEN_FILE");
    file.map(|file| read_token(Path::new(&file), "TINTYPE_ADMIN__TOKEN_FILE")).transpose()
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
