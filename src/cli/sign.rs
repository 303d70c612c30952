//! `tintype sign`: signs a link to a picture for use by others.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tintype::clock::{Clock as _, SystemClock, Timestamp};
use tintype::config::{Base, Config, Sources};
use tintype::policy::signing::own::{self, Grant, Link};
use tintype::policy::signing::sizes::Sizes;
use tintype::policy::signing::{Denial, Render, Secret};
use tintype::proxy::route::Asking;
use url::form_urlencoded;

use super::purge::complete;
use super::source::DEFAULT_FILE;
use super::terminal::{Complaint, Exit, complain, print};

pub(super) const HELP: &str = "\
Makes a link to a picture that can be put on a page, in a mail, anywhere: it gives that picture and nothing else, until it
expires. What a stranger may cost with it is said by --render:
  never  shows what is stored and fresh, or stale within stale-while-revalidate; else 404
  stale  shows what is stored, however stale; else 404
  allow  has the picture taken where none is stored, and renewed
With never and stale a leaked link can never spend browser time. Nothing is asked over the network; docs/SIGNING.md has the
algorithm, for programs that sign themselves.

The secret is that of the key in proxy.toml, [keys.ID], or in --secret-file.

Examples:
  tintype sign https://example.com --key web --base https://shots.example.net
      A link to the plain picture of a page, good for 30 days.
  tintype sign https://example.com --key web -p width=800 -p full_page=true --render allow --expires 1h
  tintype sign https://example.com --key web --sizes 800x600,320-1280x* --secret-file web-secret
      The link may be used with &width=800&height=600, or with any width from 320 to 1280.
  tintype sign '/screenshot?url=https://example.com' --key web --json | jq -r .url";

#[derive(clap::Args)]
pub(super) struct Args {
    /// A page (https:// is assumed without a scheme), or a request to tintype: by path and query,
    /// or below --base
    url: String,
    /// Name of the key
    #[arg(long, value_name = "ID")]
    key: String,
    /// A capture parameter, docs/CAPTURE.md; can be repeated
    #[arg(short = 'p', long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// How long the link is valid, such as 30d, or `never` for no end
    #[arg(long, default_value = "30d", value_parser = expiry)]
    expires: Expiry,
    /// Sizes that the link may be used with, such as 800x600,320-1280x*
    #[arg(long, value_parser = sizes)]
    sizes: Option<Sizes>,
    /// When the link may cause a capture: never, stale or allow
    #[arg(long, default_value = "stale", value_parser = render)]
    render: Render,
    /// URL of tintype, such as https://shots.example.net; without it only path and query are
    /// printed
    #[arg(long, value_name = "URL", default_value = "")]
    base: String,
    /// Path of the capture route, for pages [default: that of the configuration, else /screenshot]
    #[arg(long)]
    path: Option<String>,
    /// File that holds the secret
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Configuration with the key [env: TINTYPE_CONFIG] [default: ./proxy.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints one JSON document
    #[arg(long)]
    json: bool,
}

/// How long a link is valid. `None` means for ever.
#[derive(Clone, Copy, Debug)]
struct Expiry(Option<Duration>);

fn expiry(text: &str) -> Result<Expiry, Complaint> {
    match text {
        "never" => Ok(Expiry(None)),
        text => {
            let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
            if time.as_secs() == 0 { Err("less than a second".into()) } else { Ok(Expiry(Some(time))) }
        }
    }
}

fn sizes(text: &str) -> Result<Sizes, Complaint> {
    text.parse().map_err(|()| "a list of WIDTHxHEIGHT, each a number, FROM-TO or *".into())
}

fn render(text: &str) -> Result<Render, Complaint> {
    Render::of(text).ok_or_else(|| "one of never, stale, allow".into())
}

/// The key that signs, and the path of the route.
struct Signer {
    secret: Secret,
    path: String,
    /// The most that the key allows.
    most: Render,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match sign(args, SystemClock.now()) {
        Ok(text) => {
            print(&text);
            Exit::Good.into()
        }
        Err(why) => {
            complain(&format!("error: {why}\n"));
            Exit::Misused.into()
        }
    }
}

fn sign(args: &Args, now: Timestamp) -> Result<String, Complaint> {
    let signer = signer(args)?;
    let base = args.base.trim_end_matches('/');
    let (path, query) = request(args, base, &signer.path)?;
    let expires = args.expires.0.map(|time| (now + time).as_secs());
    let grant = Grant { key: &args.key, expires, render: args.render, sizes: args.sizes.as_ref() };
    let signed = own::sign(&path, &query, &grant, &signer.secret)
        .ok_or("the URL has too many parameters, or octets that are no UTF-8")?;
    let link = Link::read(&signed).ok().flatten().ok_or("cannot be signed")?;
    match link.verify(&path, &signer.secret, now.as_secs()) {
        Ok(_) => {}
        Err(Denial::Size) if !query_names_size(&query) => {
            complain(
                "Add &width=... and &height=... to it: it is for several sizes, and not for the default one.\n",
            );
        }
        Err(denial) => return Err(denial.to_string().into()),
    }
    if signer.most < args.render {
        complain(&format!("The key allows no more than render = {}.\n", signer.most.name()));
    }
    let url = format!("{base}{path}?{signed}");
    if !args.json {
        return Ok(format!("{url}\n"));
    }
    let told = json!({
        "url": url,
        "key": args.key,
        "expires": expires,
        "expires_at": expires.map(|at| {
            humantime::format_rfc3339_seconds(Timestamp::from_secs(at).to_system()).to_string()
        }),
        "render": args.render.name(),
        "sizes": args.sizes.as_ref().map(Sizes::to_string),
    });
    Ok(format!("{told:#}\n"))
}

fn query_names_size(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "width" || name == "height")
}

/// The path and the query that are to be signed.
fn request(args: &Args, base: &str, path: &str) -> Result<(String, String), Complaint> {
    let below = match args.url.strip_prefix(base) {
        Some(rest) if !base.is_empty() && rest.starts_with('/') => Some(rest),
        _ => args.url.starts_with('/').then_some(args.url.as_str()),
    };
    let (path, mut query) = match below {
        Some(request) => {
            let request = request.split('#').next().unwrap_or_default();
            let (path, query) = request.split_once('?').unwrap_or((request, ""));
            (path.to_owned(), query.to_owned())
        }
        None => {
            let page = complete(&args.url);
            (
                path.to_owned(),
                form_urlencoded::Serializer::new(String::new()).append_pair("url", &page).finish(),
            )
        }
    };
    for parameter in &args.parameters {
        let (name, value) =
            parameter.split_once('=').ok_or_else(|| format!("{parameter:?} is no NAME=VALUE"))?;
        query.push('&');
        query += &form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    }
    Ok((path, query))
}

fn signer(args: &Args) -> Result<Signer, Complaint> {
    let path =
        |known: Option<String>| args.path.clone().or(known).unwrap_or_else(|| "/screenshot".to_owned());
    if let Some(file) = &args.secret_file {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let text = text.trim();
        if text.len() < 12 {
            return Err(format!("{} holds no secret of 12 characters or more", file.display()).into());
        }
        return Ok(Signer { secret: Secret::new(text.to_owned()), path: path(None), most: Render::Allow });
    }
    let variable = || std::env::var_os("TINTYPE_CONFIG").filter(|v| !v.is_empty()).map(PathBuf::from);
    let file = args.config.clone().or_else(variable).unwrap_or_else(|| DEFAULT_FILE.into());
    if !file.exists() {
        return Err(format!(
            "there is no {}: name the configuration by --config, or the secret by --secret-file",
            file.display()
        )
        .into());
    }
    let sources =
        Sources { environment: std::env::vars_os().collect(), ..Sources::only(Base::File(file.clone())) };
    let config = Config::read(&sources).map_err(|problems| problems.to_text(false))?;
    let key = config.proxy.keys.iter().find(|key| key.id == args.key);
    let key = key.ok_or_else(|| format!("{} has no [keys.{}]", file.display(), args.key))?;
    let secret = key.secret.clone();
    let secret = secret.ok_or_else(|| format!("[keys.{}] in {} has no secret", args.key, file.display()))?;
    let route = config.proxy.routes.iter().find(|route| {
        route.capture && route.auth.takes_links() && matches!(route.asking, Asking::Tintype(_))
    });
    Ok(Signer { secret, path: path(route.map(|route| route.path.clone())), most: key.render })
}
