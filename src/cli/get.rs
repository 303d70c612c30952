//! `tintype get URL`: captures one picture and writes it to a file, without a server and without a
//! store.

use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tintype::clock::{Stopwatch, SystemClock};
use tintype::config::{Base, Config, Problems, Sources, Upstream};
use tintype::message::body::Body;
use tintype::origin::chrome::{self, Engine};
use tintype::origin::{Origin, OriginError};
use url::Url;

use super::terminal::{Complaint, Exit, Paint, complain, print};

const HELP: &str = "\
These parameters, which docs/CAPTURE.md explains, can be given with -p, lists by repeating it. Exits with 0 if there is a picture, with 1
if the capture failed, with 2 if the arguments or the configuration are wrong.

Examples:
  tintype get https://example.com
  tintype get example.com --full-page --dark-mode -o page.webp
  tintype get https://example.com -p hide_selectors=.ad -p hide_selectors='#banner' -p device=iphone-15
  tintype get http://127.0.0.1:3000 --allow-private -o - | display";

/// The help text below the options, with every parameter.
pub(super) fn help() -> String {
    format!("Parameters for -p:\n{}\n\n{HELP}", tintype::capture::help(100))
}

/// The configuration if no file is given.
const PLAIN: &str = "[admin]\nenabled = false\n[store]\ndir = \"\"\n[upstream.chrome]\nkind = \"chrome\"\n\
                     [route.screenshot]\npath = \"/screenshot\"\nupstream = \"chrome\"\n";

#[derive(clap::Args)]
pub(super) struct Args {
    /// URL of the page; https:// is assumed without a scheme
    url: String,
    /// File of the picture, or - for standard output [default: the host's name in this folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Width of the viewport in CSS pixels
    #[arg(long)]
    width: Option<String>,
    /// Height of the viewport in CSS pixels
    #[arg(long)]
    height: Option<String>,
    /// Device pixels for each CSS pixel
    #[arg(long)]
    scale: Option<String>,
    /// A device preset, such as iphone-15
    #[arg(long)]
    device: Option<String>,
    /// png, jpeg or webp [default: as the file's name ends, else png]
    #[arg(long)]
    format: Option<String>,
    /// Captures the whole page instead of the viewport
    #[arg(long)]
    full_page: bool,
    /// Captures the first element that matches, instead of the viewport
    #[arg(long, value_name = "CSS")]
    selector: Option<String>,
    /// Tells the page that its visitor prefers dark colours
    #[arg(long)]
    dark_mode: bool,
    /// Time to wait after the page has loaded, such as 500ms
    #[arg(long)]
    delay: Option<String>,
    /// Any capture parameter; can be repeated
    #[arg(short, value_name = "NAME=VALUE", value_parser = parameter)]
    parameter: Vec<(String, String)>,
    /// Lets the page reach private addresses: your own machine and network
    #[arg(long)]
    allow_private: bool,
    /// Takes the settings of this file's upstream of kind "chrome" [env: TINTYPE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints one JSON object, to standard output unless the picture goes there
    #[arg(long)]
    json: bool,
}

fn parameter(text: &str) -> Result<(String, String), Complaint> {
    let (name, value) = text.split_once('=').ok_or("not of the form NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The reason that there is no picture, and its remedy.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    code: Exit,
    cause: String,
    remedy: Option<&'static str>,
}

impl Refusal {
    fn misuse(cause: impl Into<String>) -> Self {
        Refusal { code: Exit::Misused, cause: cause.into(), remedy: None }
    }

    fn failure(cause: impl Into<String>, remedy: Option<&'static str>) -> Self {
        Refusal { code: Exit::Failed, cause: cause.into(), remedy }
    }
}

pub(super) fn run(args: &Args) -> ExitCode {
    let watch = Stopwatch::start();
    let done = get(args);
    let aside = args.output.as_deref() == Some(Path::new("-"));
    let say = |text: &str| if args.json && !aside { print(text) } else { complain(text) };
    match done {
        Ok((name, size)) => {
            let ms = watch.elapsed().as_millis();
            say(&match args.json {
                true => format!("{}\n", json!({ "ok": true, "file": name, "bytes": size, "ms": ms })),
                false => format!("{name}: {size} bytes in {ms} ms\n"),
            });
            ExitCode::SUCCESS
        }
        Err(Refusal { code, cause, remedy }) => {
            say(&match (args.json, remedy) {
                (true, _) => format!("{}\n", json!({ "ok": false, "error": cause, "remedy": remedy })),
                (false, Some(remedy)) => format!("error: {cause}\n{remedy}\n"),
                (false, None) => format!("error: {cause}\n"),
            });
            code.into()
        }
    }
}

/// The name of the file that was written, and its size in bytes.
fn get(args: &Args) -> Result<(String, usize), Refusal> {
    let url = page(&args.url)?;
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && std::io::stdout().is_terminal() {
        return Err(Refusal::misuse("a picture is nothing for a terminal: name a file with -o, or redirect"));
    }
    let config = engine_config(args)?;
    let query = query(args, &url);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Refusal::failure(error.to_string(), None))?;
    runtime.block_on(async {
        let engine = Engine::start(config, Arc::new(SystemClock));
        let engine = engine.map_err(|error| Refusal::failure(error.to_string(), None))?;
        let captured = tokio::select! {
            captured = capture(&*engine, &query) => captured,
            _ = tokio::signal::ctrl_c() => Err(Refusal::failure("interrupted", None)),
        };
        // Written before the browser is shut down, which takes time.
        let written = captured.and_then(|(picture, kind)| {
            let name = match &args.output {
                Some(_) if to_stdout => PathBuf::from("-"),
                Some(file) => file.clone(),
                None => PathBuf::from(file_name(&url, &kind)),
            };
            write(&name, &picture)?;
            Ok((name.display().to_string(), picture.len()))
        });
        engine.shutdown().await;
        written
    })
}

fn page(text: &str) -> Result<Url, Refusal> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    Url::parse(&whole).map_err(|error| Refusal::misuse(format!("{text:?} is no URL: {error}")))
}

fn engine_config(args: &Args) -> Result<chrome::Config, Refusal> {
    let variable = || std::env::var_os("TINTYPE_CONFIG").filter(|v| !v.is_empty()).map(PathBuf::from);
    let file = args.config.clone().or_else(variable);
    let sources = Sources {
        base: file.map_or_else(|| Base::Text(PLAIN.to_owned()), Base::File),
        listen: None,
        admin: None,
        cache_dir: None,
        environment: std::env::vars_os().collect(),
    };
    let misuse = |problems: Problems| {
        Refusal::misuse(problems.to_text(Paint::of_stderr().is_coloured() && !args.json))
    };
    let mut config = Config::read(&sources).map_err(misuse)?;
    if std::env::var_os("TINTYPE_LOG__LEVEL").is_none() {
        "warn".clone_into(&mut config.log.level);
    }
    tintype::telemetry::start(&config.log).map_err(|error| Refusal::misuse(error.to_string()))?;
    let engine = config.upstreams.into_iter().find_map(|(_, upstream)| match upstream {
        Upstream::Chrome(engine) => Some(*engine),
        Upstream::Remote(_) => None,
    });
    let mut engine =
        engine.ok_or_else(|| Refusal::misuse("the configuration has no upstream of kind \"chrome\""))?;
    // No capture follows that could use a spare page.
    engine.spare_pages = 0;
    engine.max_concurrent = 1;
    engine.health_interval = engine.health_interval.max(Duration::from_secs(3600));
    if args.allow_private {
        for every in ["0.0.0.0/0", "::/0"] {
            engine.allow_ranges.extend(every.parse::<chrome::AllowedRange>().ok());
        }
    }
    Ok(engine)
}

/// The parameters as the engine reads them. The engine validates them all, flags included.
fn query(args: &Args, url: &Url) -> String {
    let named = |text: &Option<String>| text.clone();
    let yes = |flag: bool| flag.then(|| "true".to_owned());
    let by_name = || format_of(args.output.as_deref()?.extension()?);
    let flags = [
        ("width", named(&args.width)),
        ("height", named(&args.height)),
        ("scale", named(&args.scale)),
        ("device", named(&args.device)),
        ("full_page", yes(args.full_page)),
        ("selector", named(&args.selector)),
        ("dark_mode", yes(args.dark_mode)),
        ("delay", named(&args.delay)),
    ];
    let told = args.parameter.iter().any(|(name, _)| name == "format");
    let format = named(&args.format).or_else(|| by_name().filter(|_| !told).map(str::to_owned));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("url", url.as_str());
    for (name, value) in flags.into_iter().chain([("format", format)]) {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    query.extend_pairs(&args.parameter).finish()
}

fn format_of(extension: &OsStr) -> Option<&'static str> {
    match extension.to_str()?.to_ascii_lowercase().as_str() {
        "png" => Some("png"),
        "jpg" | "jpeg" => Some("jpeg"),
        "webp" => Some("webp"),
        _ => None,
    }
}

/// A picture and its media type.
async fn capture(engine: &dyn Origin, query: &str) -> Result<(Bytes, String), Refusal> {
    let request = Request::get(format!("http://tintype{}?{query}", chrome::PATH)).body(Body::Empty);
    let request =
        request.map_err(|error| Refusal::misuse(format!("the parameters make no request: {error}")))?;
    let answer = engine.fetch(request).await.map_err(|error| failed(&error))?;
    let (head, body) = Response::into_parts(answer);
    let body = body.collect().await.map_err(|error| Refusal::failure(error.to_string(), None))?.to_bytes();
    if head.status == StatusCode::OK {
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        return Ok((body, kind.unwrap_or_default().to_owned()));
    }
    Err(refused(head.status, &serde_json::from_slice(&body).unwrap_or_default()))
}

fn failed(error: &OriginError) -> Refusal {
    let remedy = match error {
        OriginError::TimedOut { .. } => Some("Give it more time: TINTYPE_UPSTREAM__CHROME__DEADLINE=2m"),
        OriginError::Flawed { flaw: tintype::origin::Flaw::Status, .. } => {
            Some("To have the picture all the same: -p fail_on_status=none")
        }
        OriginError::Flawed { flaw: tintype::origin::Flaw::Blank, .. } => {
            Some("To have the picture all the same: -p allow_blank=true")
        }
        _ => None,
    };
    Refusal::failure(error.to_string(), remedy)
}

/// The refusal in the engine's problem document.
fn refused(status: StatusCode, problem: &Value) -> Refusal {
    let detail =
        problem["detail"].as_str().unwrap_or_else(|| status.canonical_reason().unwrap_or("no picture"));
    if status == StatusCode::FORBIDDEN {
        let remedy = match detail.starts_with("port ") {
            true => "Ports are those of allow_ports in proxy.toml; --allow-private lifts that too.",
            false => "If it is yours: --allow-private, or allow_hosts and allow_ranges in proxy.toml.",
        };
        return Refusal::failure(detail, Some(remedy));
    }
    let faults = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|fault| {
        let part = |name: &str| fault[name].as_str().unwrap_or_default();
        format!("{}: found {}, allowed: {}", part("parameter"), part("found"), part("allowed"))
    });
    let faults: Vec<String> = faults.collect();
    Refusal::misuse(if faults.is_empty() { detail.to_owned() } else { faults.join("\n       ") })
}

/// The default name of the file, such as `example.com.png`.
fn file_name(url: &Url, kind: &str) -> String {
    let host = url.host_str().unwrap_or("page");
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '_' };
    let end = match kind {
        "image/jpeg" => "jpg",
        "image/webp" => "webp",
        _ => "png",
    };
    format!("{}.{end}", host.chars().map(plain).collect::<String>().trim_matches('.'))
}

fn write(name: &Path, picture: &[u8]) -> Result<(), Refusal> {
    let written = match name == Path::new("-") {
        true => std::io::stdout().write_all(picture).and_then(|()| std::io::stdout().flush()),
        false => std::fs::write(name, picture),
    };
    written.map_err(|error| Refusal::failure(format!("cannot write {}: {error}", name.display()), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_their_host() {
        for (url, kind, expected) in [
            ("https://example.com/a/../b?c", "image/png", "example.com.png"),
            ("http://[::1]:80/", "image/webp", "___1_.webp"),
            ("http://127.0.0.1:9", "image/jpeg", "127.0.0.1.jpg"),
        ] {
            assert_eq!(file_name(&Url::parse(url).unwrap(), kind), expected, "{url}");
        }
    }

    #[test]
    fn a_problem_has_its_code_and_its_remedy() {
        let fault = json!({ "parameter": "width", "found": "x", "allowed": "1 to 9" });
        let bad = json!({ "detail": "cannot use: width", "errors": [fault] });
        assert_eq!(
            refused(StatusCode::BAD_REQUEST, &bad),
            Refusal::misuse("width: found x, allowed: 1 to 9")
        );
        let private =
            refused(StatusCode::FORBIDDEN, &json!({ "detail": "a has an address that is private" }));
        assert_eq!(private.code, Exit::Failed);
        assert!(private.remedy.unwrap().contains("--allow-private"));
        assert_eq!(refused(StatusCode::NOT_FOUND, &Value::Null), Refusal::misuse("Not Found"));
    }
}
